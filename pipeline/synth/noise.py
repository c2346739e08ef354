"""Smooth noise in space: the same value at the same point in any process."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import map_coordinates

from pipeline.records import F32

_TILE = 32


@lru_cache(maxsize=256)
def _lattice(seed: int) -> F32:
    values = np.random.default_rng([0x5CA2, seed]).uniform(-1, 1, (_TILE,) * 3)
    return values.astype(np.float32)


def noise(points: F32, size: float, seed: int) -> F32:
    """Value noise (N,) in [-1, 1] at points (3, N); features are about `size` metres across."""
    place = points * np.float32(1 / size)
    whole = np.floor(place)
    part = place - whole
    part = part * part * (3 - 2 * part)
    wrapped = (whole + part).astype(np.float32)
    value = map_coordinates(_lattice(seed), wrapped, order=1, mode="grid-wrap", prefilter=False)
    return np.asarray(value, dtype=np.float32)


def fractal(points: F32, size: float, octaves: int, seed: int) -> F32:
    """Octaves of noise, each half the size and half the height of the one before, in about [-1, 1]."""
    total = np.zeros(points.shape[1], dtype=np.float32)
    for octave in range(octaves):
        total += noise(points, size / 2**octave, seed + octave) * np.float32(0.5 ** (octave + 1))
    return total
