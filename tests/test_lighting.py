from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ManifestError
from pipeline.geometry.lighting import (
    FLAT,
    MOST_LAMPS,
    direction,
    flattened,
    harmonics,
    irradiance,
    lobes,
    unflattened,
)
from pipeline.records import F64, Light

NOTHING = np.zeros((9, 3))


def directions(count: int, seed: int = 1) -> F64:
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def test_a_lamp_lights_by_the_cosine_and_never_its_far_side() -> None:
    normals, towards = directions(5_000), directions(3, seed=2)
    colours = np.array([[1, 0.5, 0.25], [0.2, 0.3, 0.4], [0, 0, 1]])
    expected = np.maximum(normals @ towards.T, 0) @ colours
    np.testing.assert_allclose(irradiance(Light(NOTHING, towards, colours), normals), expected, atol=1e-12)


def test_a_lobe_is_the_best_that_nine_harmonics_make_of_a_lamp() -> None:
    normals, towards = directions(200_000), direction(0.4, 0.6)
    basis, true = harmonics(normals), np.maximum(normals @ towards, 0)
    fitted = np.linalg.lstsq(basis, true, rcond=None)[0]
    np.testing.assert_allclose(lobes(towards[None])[0], fitted, atol=2e-3)
    assert np.abs(basis @ lobes(towards[None])[0] - true).max() < 0.1


def test_openness_takes_from_the_room_and_not_from_lamps() -> None:
    rng = np.random.default_rng(3)
    normals = directions(100)
    room = Light(rng.normal(size=(9, 3)))
    lamps = Light(NOTHING, directions(2), rng.uniform(size=(2, 3)))
    both = Light(room.coefficients, lamps.towards, lamps.lamps)
    expected = 0.3 * irradiance(room, normals) + irradiance(lamps, normals)
    np.testing.assert_allclose(irradiance(both, normals, 0.3), expected, atol=1e-12)


def test_directions_count_from_the_front_to_the_left_of_the_person_and_up() -> None:
    np.testing.assert_allclose(direction(0, 0), [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(direction(np.pi / 2, 0), [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(direction(1.0, np.pi / 2), [0, 1, 0], atol=1e-15)


@pytest.mark.parametrize("count", [0, 1, 3, MOST_LAMPS])
def test_a_light_comes_back_from_its_numbers(count: int) -> None:
    rng = np.random.default_rng(count)
    single = [rng.normal(size=(n, 3)).astype(np.float32).astype(np.float64) for n in (9, count, count)]
    numbers = flattened(Light(*single))
    assert numbers.shape == (FLAT,)
    again = unflattened(numbers)
    for kept, got in zip(single, (again.coefficients, again.towards, again.lamps), strict=True):
        np.testing.assert_array_equal(kept, got)


def test_numbers_of_another_length_are_no_light() -> None:
    with pytest.raises(ManifestError, match=f"has {FLAT - 1} numbers; {FLAT} are needed"):
        unflattened(np.zeros(FLAT - 1, dtype=np.float32))
