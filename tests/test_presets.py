from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.geometry.exposure import CEILING, FLOOR, MEDIAN, body_normals, exposed, luminance
from pipeline.geometry.lighting import MOST_LAMPS, flattened, harmonics, irradiance, unflattened
from pipeline.geometry.mesh import vertex_normals
from pipeline.geometry.presets import PRESETS, generator, preset_light
from pipeline.geometry.transform import view_turn
from pipeline.records import F64, Light
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

SEEDS = range(100)
# Orthonormal harmonics as scipy and textbooks have them, in the order of degree and order.
CONSTANTS = np.sqrt(np.array([1 / 4, 3 / 4, 3 / 4, 3 / 4, 15 / 4, 15 / 4, 5 / 16, 15 / 4, 15 / 16]) / np.pi)


def sphere(count: int) -> F64:
    z = 1 - (2 * np.arange(count) + 1) / count
    around, radius = np.arange(count) * (np.pi * (3 - 5**0.5)), np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(around), radius * np.sin(around), z], axis=1)


def rooms(count: int) -> F64:
    """Radiance (K, 9, 3) of rooms: a grey one, and a few lamps of any colour in its upper half."""
    rng = np.random.default_rng(4)
    found = np.zeros((count, 9, 3))
    found[:, 0] = 0.7
    for i in range(count):
        for _ in range(3):
            x, y, z = rng.normal(size=3)
            towards = np.array([[x, abs(y), z]]) / np.sqrt(x * x + y * y + z * z)
            found[i] += (harmonics(towards)[0] * CONSTANTS)[:, None] * rng.uniform(0.2, 2, 3)
    return found


ROOMS = rooms(60)


def lights(preset: str, openness: float = 1.0, pitch: float = 0.0) -> list[Light]:
    return [
        preset_light(preset, generator(preset, seed, "0001", "view"), ROOMS, openness, pitch)
        for seed in SEEDS
    ]


VIEWS = ((-30, 0), (0, 0), (30, 0), (0, -20), (0, 20))  # yaw and pitch


@pytest.fixture(scope="module")
def seen() -> dict[tuple[int, int], F64]:
    """The normals of a synthetic person that a camera in front meets, for each view."""
    skin = make_scan(draw(0, 1), 20_000).skin
    normals = vertex_normals(skin.vertices, skin.faces).astype(np.float64)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    found = {}
    for yaw, pitch in VIEWS:
        turn = view_turn(yaw, pitch)
        points = skin.vertices @ turn.T
        cells = np.floor((points[:, :2] - points[:, :2].min(axis=0)) / 0.02).astype(int)
        order = np.argsort(-points[:, 2])
        _, first = np.unique(cells[order, 0] * 10_000 + cells[order, 1], return_index=True)
        found[yaw, pitch] = (normals @ turn.T)[order[first]]  # the nearest vertex of every cell
        assert len(first) > 1_000
    return found


@pytest.mark.parametrize("openness", [1.0, 0.8])
@pytest.mark.parametrize("preset", PRESETS)
def test_half_of_a_white_body_is_brighter_than_the_median_and_none_clips(
    preset: str, openness: float
) -> None:
    everywhere = sphere(5_000)
    for light in lights(preset, openness):
        middle = np.median(luminance(irradiance(light, body_normals(), openness)))
        assert middle == pytest.approx(MEDIAN, abs=1e-5)
        received = irradiance(light, everywhere)
        assert received.max() < 1
        assert received.min() > FLOOR - 0.01


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_synthetic_person_is_as_bright_as_said(
    preset: str, view: tuple[int, int], seen: dict[tuple[int, int], F64]
) -> None:
    middles = [
        np.median(luminance(irradiance(light, seen[view]))) for light in lights(preset, pitch=view[1])
    ]
    np.testing.assert_allclose(middles, MEDIAN, rtol=0.1)


def test_the_studio_is_neutral_on_average_warm_or_cool_and_soft(
    seen: dict[tuple[int, int], F64],
) -> None:
    received = [irradiance(light, seen[0, 0]) for light in lights("studio")]
    tints = np.array([some.mean(axis=0) / luminance(some).mean() for some in received])
    np.testing.assert_allclose(tints.mean(axis=0), 1, atol=0.01)
    assert 0.02 < np.std(tints[:, 0] - tints[:, 2]) < 0.08
    assert np.abs(tints[:, 1] - 1).max() < 0.02  # warm and cool, not green and magenta
    contrast = [np.divide(*np.quantile(luminance(some), [0.95, 0.05])) for some in received]
    assert min(contrast) > 1.2
    assert max(contrast) < 5


def test_the_key_comes_from_above_in_front_and_nothing_from_below() -> None:
    for light in lights("studio"):
        key, fill, rim = light.towards
        assert light.lamps[0].sum() > light.lamps[1:].sum(axis=1).max()
        assert key[1] > 0.4
        assert key[2] > 0.1
        assert key[0] * fill[0] < 0
        assert fill[2] > 0
        assert rim[2] < -0.3
        assert light.towards[:, 1].min() >= 0
        floor, ceiling = irradiance(light, np.array([[0.0, -1, 0], [0, 1, 0]]))
        assert (ceiling > 1.2 * floor).all()


def test_flat_light_is_the_same_from_everywhere() -> None:
    np.testing.assert_allclose(irradiance(lights("flat")[0], sphere(100)), MEDIAN, atol=1e-6)


def test_the_ring_lights_like_360_lamps_each() -> None:
    """Away from the grey of the room, which is the same everywhere and unknown here."""
    normals = sphere(2_000)
    for seed in range(20):
        light = preset_light("ring", generator("ring", seed, "0001", "view"))
        degrees = np.radians(generator("ring", seed, "0001", "view").integers(0, 360, 360))
        towards = np.stack([np.sin(degrees), np.zeros(360), np.cos(degrees)], axis=1)
        true = np.maximum(normals @ towards.T, 0).mean(axis=1)
        drawn = irradiance(light, normals)[:, 1]
        fit = np.stack([true, np.ones_like(true)], axis=1)
        scale, grey = np.linalg.lstsq(fit, drawn, rcond=None)[0]
        assert scale > 0
        assert np.abs(drawn - fit @ [scale, grey]).max() < 0.04 * drawn.max()


@pytest.mark.parametrize("row", range(5))
def test_a_users_light_is_what_its_radiance_does_to_a_body(row: int) -> None:
    """Against the integral of radiance and cosine over the sphere, up to brightness and grey."""
    light = preset_light("sh", np.random.default_rng(0), ROOMS[row : row + 1])
    rays, normals = sphere(40_000), sphere(150)
    radiance = (harmonics(rays) * CONSTANTS) @ ROOMS[row]
    true = np.maximum(normals @ rays.T, 0) @ radiance * 4 / len(rays)
    drawn = irradiance(light, normals)
    fit = np.stack([true.ravel(), np.ones(true.size)], axis=1)
    solution = np.linalg.lstsq(fit, drawn.ravel(), rcond=None)[0]
    assert solution[0] > 0
    np.testing.assert_allclose(fit @ solution, drawn.ravel(), atol=2e-3)


def test_each_view_gets_one_of_the_users_lights() -> None:
    chosen = {flattened(light).tobytes() for light in lights("sh")}
    assert 40 < len(chosen) <= len(ROOMS)


@pytest.mark.parametrize("radiance", [None, np.zeros((0, 9, 3))])
def test_a_users_light_needs_coefficients(radiance: F64 | None) -> None:
    with pytest.raises(ConfigError, match="needs a file of coefficients"):
        preset_light("sh", np.random.default_rng(0), radiance)


def test_an_unknown_light_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'sun' is not known; there are studio, sh, ring, flat"):
        preset_light("sun", np.random.default_rng(0))


@pytest.mark.parametrize("preset", PRESETS)
def test_lights_survive_being_numbers(preset: str) -> None:
    for light in lights(preset)[:10]:
        again = unflattened(flattened(light))
        assert len(light.towards) <= MOST_LAMPS
        np.testing.assert_allclose(np.linalg.norm(light.towards, axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(again.coefficients, light.coefficients)
        np.testing.assert_array_equal(again.towards, light.towards)
        np.testing.assert_array_equal(again.lamps, light.lamps)


def test_every_word_that_decides_a_light_changes_it() -> None:
    asked = [
        ("studio", 0, "a", "b"),
        ("studio", 1, "a", "b"),
        ("studio", 0, "c", "b"),
        ("studio", 0, "a", "c"),
    ]
    asked += [("studio", 0, "a/b", "c"), ("studio", 0, "a", "b/c"), ("ring", 0, "a", "b")]
    drawn = {generator(*words).bytes(8) for words in asked}
    assert len(drawn) == len(asked)


def test_lights_are_the_same_in_another_process() -> None:
    code = """
from pipeline.geometry.lighting import flattened
from pipeline.geometry.presets import generator, preset_light
light = preset_light("studio", generator("studio", 7, "é", "2K2K_0_y_10_x"))
print(flattened(light).tobytes().hex())
"""
    root = Path(__file__).parents[1]
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    here = preset_light("studio", generator("studio", 7, "é", "2K2K_0_y_10_x"))
    assert flattened(here).tobytes().hex() == other.strip()


def test_exposure_takes_away_what_does_not_fit_and_keeps_the_median() -> None:
    glare = Light(np.zeros((9, 3)), np.array([[0.0, 0, -1]]), np.ones((1, 3)))  # only from behind
    light = exposed(glare)
    received = irradiance(light, sphere(5_000))
    assert np.median(luminance(irradiance(light, body_normals()))) == pytest.approx(MEDIAN, abs=1e-5)
    assert received.max() == pytest.approx(CEILING, abs=1e-3)
    brighter = exposed(Light(glare.coefficients, glare.towards, 7 * glare.lamps))
    np.testing.assert_allclose(brighter.lamps, light.lamps, atol=1e-5)


def test_the_body_is_seen_from_the_front() -> None:
    normals = body_normals()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-12)
    assert (normals[:, 2] > 0).all()
    assert normals[:, 0].mean() == pytest.approx(0, abs=1e-12)
