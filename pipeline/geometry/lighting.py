"""Light from far away: nine spherical harmonics of irradiance, and a few lamps.

Irradiance on a Lambertian body is smooth enough that nine spherical harmonics hold a room to about a
percent; what has an edge, a lamp has. Refuses to draw random numbers that it was not handed, and to know
which view it lights.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.errors import ManifestError
from pipeline.records import F32, F64, Light

MOST_LAMPS = 8
FLAT = 3 * (9 + 2 * MOST_LAMPS)
MEAN = 0.55  # irradiance averaged over all directions, the same for every light
_CONTRAST = (0.65, 0.8)  # the farthest that irradiance goes from MEAN, as a share of it
_TINT = 0.08  # how far a lamp's colour departs from grey
_COSINE_LOBE = np.array([0.25, 0.5, 0.5, 0.5, 15 / 16, 15 / 16, 5 / 64, 15 / 16, 15 / 64])


def harmonics(directions: F64) -> F64:
    """The first nine real spherical harmonics of unit directions (N, 3), without their constants (N, 9)."""
    x, y, z = directions.T
    return np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)


def irradiance(light: Light, normals: F64, openness: float = 1.0) -> F64:
    """Linear RGB (N, 3) that unit normals (N, 3) give back; `openness` is how much they see of the room.

    Summed term by term: a product of matrices would round differently from machine to machine.
    """
    soft, hard = np.zeros((len(normals), 3)), np.zeros((len(normals), 3))
    for function, colour in zip(harmonics(normals).T, light.coefficients, strict=True):
        soft += function[:, None] * colour
    for towards, colour in zip(light.towards, light.lamps, strict=True):
        hard += np.maximum(_cosines(normals, towards), 0)[:, None] * colour
    return soft * openness + hard


def flattened(light: Light) -> F32:
    """The light as FLAT numbers in a row: coefficients, then directions and colours of MOST_LAMPS lamps.

    Lamps that are not there are 0. Nothing is lost of a light that `exposure.exposed` made.
    """
    places, colours = np.zeros((MOST_LAMPS, 3)), np.zeros((MOST_LAMPS, 3))
    places[: len(light.towards)], colours[: len(light.lamps)] = light.towards, light.lamps
    return np.concatenate([light.coefficients, places, colours]).astype(np.float32).ravel()


def unflattened(numbers: F32) -> Light:
    """The light that was flattened to these numbers (FLAT,)."""
    if numbers.shape != (FLAT,):
        raise ManifestError(f"a light has {numbers.size} numbers; {FLAT} are needed")
    rows = numbers.astype(np.float64).reshape(-1, 3)
    coefficients, places, colours = np.split(rows, [9, 9 + MOST_LAMPS])
    there = (places != 0).any(axis=1)
    return Light(coefficients, places[there], colours[there])


def direction(around: float, up: float) -> F64:
    """The unit direction (3,) so many radians from the front (+z) towards +x, and above the level."""
    level = math.cos(up)
    return np.array([math.sin(around) * level, math.sin(up), math.cos(around) * level])


def lobes(towards: F64) -> F64:
    """The irradiance (N, 9) of distant lamps in unit directions (N, 3): cosine lobes, to the second order.

    max(c, 0) becomes 1/4 + 1/2 c + 5/32 (3 c^2 - 1), whose last term is written out in five functions.
    """
    return np.asarray(harmonics(towards) * _COSINE_LOBE)


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
    return np.asarray(lobes(direction(around, up)[None])[0])


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


def _cosines(normals: F64, towards: F64) -> F64:
    x, y, z = normals.T
    return np.asarray(x * towards[0] + y * towards[1] + z * towards[2])
