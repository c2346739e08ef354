from __future__ import annotations

import numpy as np
import pytest

from pipeline.geometry.lighting import MEAN, irradiance, lamp, room_light
from pipeline.records import F64, Light


def directions(count: int, seed: int = 1) -> F64:
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def test_a_lamp_falls_off_with_the_cosine() -> None:
    normals = directions(20_000)
    around, up = 0.4, 0.6
    towards = np.array([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)])
    light = Light(np.repeat(lamp(around, up)[:, None], 3, axis=1))
    error = irradiance(light, normals)[:, 0] - np.maximum(normals @ towards, 0)
    assert np.abs(error).max() < 0.1  # what the missing higher harmonics leave
    assert abs(error.mean()) < 0.002


@pytest.mark.parametrize("seed", range(30))
def test_room_light_is_neutral_and_never_clips(seed: int) -> None:
    received = irradiance(room_light(np.random.default_rng(seed)), directions(50_000))
    np.testing.assert_allclose(received.mean(axis=0), MEAN, atol=0.01)
    assert received.min() > 0
    assert received.max() <= 1


def test_lights_repeat_by_seed_and_differ_between_seeds() -> None:
    one, same, other = (room_light(np.random.default_rng(seed)).coefficients for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01
