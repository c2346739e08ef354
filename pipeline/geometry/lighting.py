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


def _cosines(normals: F64, towards: F64) -> F64:
    x, y, z = normals.T
    return np.asarray(x * towards[0] + y * towards[1] + z * towards[2])
