"""Light as in a room: soft, neutral on average, never brighter than a white body can show.

Irradiance on a Lambertian body is smooth enough that nine spherical harmonics hold it to about a
percent. Refuses to draw random numbers that it was not handed, and to know which view it lights.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F64, Light

MEAN = 0.55  # irradiance averaged over all directions, the same for every light
_CONTRAST = (0.65, 0.8)  # the farthest that irradiance goes from MEAN, as a share of it
_TINT = 0.08  # how far a lamp's colour departs from grey


def harmonics(directions: F64) -> F64:
    """The first nine real spherical harmonics of unit directions (N, 3), without their constants (N, 9)."""
    x, y, z = directions.T
    return np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)


def irradiance(light: Light, normals: F64) -> F64:
    """Linear RGB (N, 3) that falls on unit normals (N, 3)."""
    return harmonics(normals) @ light.coefficients


def room_light(rng: np.random.Generator) -> Light:
    """A key light from the front, a fill from the other side, a rim from behind and a bright ceiling."""
    side = rng.choice([-1.0, 1.0])
    lamps = (  # where it comes from (degrees from the front, degrees up), and how strong it is
        (side * rng.uniform(30, 70), rng.uniform(20, 55), 1.0),
        (-side * rng.uniform(30, 80), rng.uniform(-5, 25), rng.uniform(0.1, 0.3)),
        (rng.uniform(150, 210), rng.uniform(10, 45), rng.uniform(0.1, 0.4)),
        (0.0, 90.0, rng.uniform(0.2, 0.5)),
    )
    warmth = rng.uniform(-_TINT, _TINT)
    total = np.zeros((9, 3))
    for i, (around, up, strength) in enumerate(lamps):
        warm = warmth if i == 0 else -warmth
        colour = strength * np.array([1 + warm, 1.0, 1 - warm])
        total += lamp(np.radians(around), np.radians(up))[:, None] * colour
    return Light(_balanced(total, rng.uniform(*_CONTRAST)))


def lamp(around: float, up: float) -> F64:
    """The irradiance (9,) of a distant lamp: its cosine lobe in spherical harmonics."""
    towards = np.array([[np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]])
    # cosine lobe: 1/4 + 1/2 (n.l) + 5/32 (3 (n.l)^2 - 1), the last term written out in five functions
    weights = np.array([0.25, 0.5, 0.5, 0.5, 15 / 16, 15 / 16, 5 / 64, 15 / 16, 15 / 64])
    return np.asarray(harmonics(towards)[0] * weights)


def _balanced(coefficients: F64, contrast: float) -> F64:
    """Coefficients (9, 3) with mean MEAN in every channel, going no farther from it than `contrast`."""
    directions = _sphere(2000)
    swing = coefficients.copy()
    swing[0] = 0.0
    farthest = float(np.abs(harmonics(directions) @ swing).max())
    balanced = swing * (MEAN * contrast / farthest)
    balanced[0] = MEAN
    return np.asarray(balanced)


def _sphere(count: int) -> F64:
    """Directions spread evenly over the sphere (count, 3), along a spiral."""
    z = 1 - (2 * np.arange(count) + 1) / count
    around = np.arange(count) * (np.pi * (3 - 5**0.5))
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(around), radius * np.sin(around), z], axis=1)
