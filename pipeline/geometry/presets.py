"""The kinds of light that a user chooses by name, each drawn from numbers that the caller hands over.

Every one is exposed alike. Refuses to read files and to know cameras and people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from pipeline.errors import ConfigError
from pipeline.geometry.exposure import exposed
from pipeline.geometry.lighting import MOST_LAMPS, direction, lobes
from pipeline.records import F64, Light

_WARMTH = 0.1  # how far red and blue of the key go apart from green, one up and one down
_CAST = 0.06  # the same of the whole picture, as a camera's white balance leaves it
_RING = 360  # lamps that the ring stands for, each at a whole degree
# Radiance in orthonormal harmonics to irradiance over pi in `lighting.harmonics`: the cosine lobe's
# pi, 2 pi / 3 and pi / 4 by degree, times each function's constant, over pi.
_FROM_RADIANCE = np.array([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4]) * np.sqrt(
    np.array([1 / 4, 3 / 4, 3 / 4, 3 / 4, 15 / 4, 15 / 4, 5 / 16, 15 / 4, 15 / 16]) / np.pi
)


class _Preset(Protocol):
    def __call__(self, rng: np.random.Generator, radiance: F64 | None) -> Light: ...


def generator(preset: str, seed: int, scan: str, view: str) -> np.random.Generator:
    """What the light of one view of one scan is drawn from: the same in any build, in any order."""
    words = json.dumps([preset, seed, scan, view]).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(words).digest(), "big"))


def preset_light(
    preset: str,
    rng: np.random.Generator,
    radiance: F64 | None = None,
    openness: float = 1.0,
    pitch: float = 0.0,
) -> Light:
    """A light of a preset; `radiance` (K, 9, 3) are the lights that `sh` chooses from.

    `openness` is for bodies that shade themselves, `pitch` for those seen from above or below, as in
    `exposure.exposed`.
    """
    if preset not in PRESETS:
        raise ConfigError(f"light {preset!r} is not known; there are {', '.join(PRESETS)}")
    return exposed(PRESETS[preset](rng, radiance), openness, pitch)


def _studio(rng: np.random.Generator, radiance: F64 | None) -> Light:
    """A key from above and the front, a fill across, a rim from behind, in a room with a bright ceiling."""
    side = rng.choice([-1.0, 1.0])
    warmth = rng.uniform(-_WARMTH, _WARMTH)
    placed = (  # degrees from the front, degrees up, how strong, how warm
        (side * rng.uniform(20, 60), rng.uniform(25, 55), 1.0, warmth),
        (-side * rng.uniform(30, 80), rng.uniform(0, 25), rng.uniform(0.1, 0.35), -warmth),
        (-side * rng.uniform(130, 165), rng.uniform(20, 50), rng.uniform(0.2, 0.6), -warmth / 2),
    )
    towards = np.array([_degrees(around, up) for around, up, _, _ in placed])
    lamps = np.array([strength * _tinted(warm) for _, _, strength, warm in placed])
    cast = _tinted(rng.uniform(-_CAST, _CAST))
    return Light(_room(rng, warmth) * cast, towards, lamps * cast)


def _room(rng: np.random.Generator, warmth: float) -> F64:
    """Irradiance (9, 3) of a room: walls, ceiling, a window somewhere, and what the floor gives back."""
    walls = -warmth / 2 + rng.uniform(-0.03, 0.03)
    total = np.zeros((9, 3))
    total[0] = rng.uniform(0.2, 0.5) * _tinted(walls)
    for around, up, strength, warm in (
        (0.0, 90.0, rng.uniform(0.15, 0.4), walls),
        (rng.uniform(-180, 180), rng.uniform(10, 35), rng.uniform(0.0, 0.4), -warmth),
        (0.0, -90.0, rng.uniform(0.02, 0.1), walls + 0.05),
    ):
        total += lobes(_degrees(around, up)[None]).T * (strength * _tinted(warm))
    return total


def _ring(rng: np.random.Generator, radiance: F64 | None) -> Light:
    """Lamps at random degrees of a level ring about the person, all of one colour, in a dim room.

    Eight stand for all: each does the work of those that are nearest to it, and the harmonics make up for
    what is lost by that, so that up to the second order the light is that of the whole ring.
    """
    degrees = rng.integers(0, 360, _RING)
    start = rng.uniform(0, 360 / MOST_LAMPS)
    nearest = np.round((degrees - start) * MOST_LAMPS / 360).astype(int) % MOST_LAMPS
    shares = np.bincount(nearest, minlength=MOST_LAMPS) / _RING
    towards = np.array([_degrees(start + i * 360 / MOST_LAMPS, 0.0) for i in range(MOST_LAMPS)])
    whole = np.array([_degrees(degree, 0.0) for degree in range(360)])
    counts = np.bincount(degrees, minlength=360) / _RING
    soft = (lobes(whole) * counts[:, None]).sum(axis=0) - (lobes(towards) * shares[:, None]).sum(axis=0)
    soft[0] += rng.uniform(0.2, 0.35)
    colour = _tinted(rng.uniform(-_WARMTH, _WARMTH))
    return Light(soft[:, None] * colour, towards, shares[:, None] * colour)


def _flat(rng: np.random.Generator, radiance: F64 | None) -> Light:
    """The same from everywhere."""
    return Light(np.concatenate([np.ones((1, 3)), np.zeros((8, 3))]))


def _chosen(rng: np.random.Generator, radiance: F64 | None) -> Light:
    """One of the user's own."""
    if radiance is None or not len(radiance):
        raise ConfigError("light 'sh' needs a file of coefficients")
    return Light(radiance[rng.integers(len(radiance))] * _FROM_RADIANCE[:, None])


PRESETS: Mapping[str, _Preset] = {"studio": _studio, "sh": _chosen, "ring": _ring, "flat": _flat}


def _tinted(warm: float) -> F64:
    """Grey 1 with so much more red, and so much less blue."""
    return np.array([1 + warm, 1.0, 1 - warm])


def _degrees(around: float, up: float) -> F64:
    return direction(np.radians(around), np.radians(up))
