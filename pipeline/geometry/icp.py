"""Motions that lay one surface upon another: by size and place alone, or by the nearest places.

Refuses to know which surface is right, and to look for a start: from far away, nearest places lead astray.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.errors import AlignmentError
from pipeline.geometry.closest import Surface
from pipeline.geometry.mesh import area_centre, areas_and_slopes
from pipeline.geometry.procrustes import rotation_between, unturned_between
from pipeline.records import F32, F64, I32

_ROUNDS = 200
_STILL = 1e-5  # of the points' spread: with less movement than that in a round they have come to rest


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A change of size, a turn, and a shift: a point x goes to `scale * rotation @ x + shift`."""

    scale: float
    rotation: F64  # (3, 3)
    shift: F64  # (3,)

    def moved(self, points: F32 | F64) -> F64:
        """Points (N, 3) after the motion."""
        return np.asarray(
            self.scale * (np.asarray(points, dtype=np.float64) @ self.rotation.T) + self.shift
        )


STILL = Motion(1.0, np.eye(3), np.zeros(3))


class Settled(NamedTuple):
    """The motion that was found, in how many rounds, and whether points had come to rest by then.

    `rms` is the root of the mean squared distance to the nearest places after it, in the target's units.
    """

    motion: Motion
    rounds: int
    at_rest: bool
    rms: float


def by_moments(source: tuple[F32, I32], target: tuple[F32, I32]) -> Motion:
    """The scale and shift that give one surface the other's centre and spread, by area, without a turn."""
    (here, size), (there, wanted) = _moments(*source), _moments(*target)
    return Motion(wanted / size, np.eye(3), there - wanted / size * here)


def by_nearest(points: F64, target: Surface, start: Motion = STILL, *, sized: bool = False) -> Settled:
    """The motion that takes points (N, 3) of one surface nearest to another, beginning with `start`.

    Each round pairs points with the places of the surface that are nearest, and takes the motion that is
    best for these pairs in least squares: rigid at the scale of `start`, or `sized` with its own scale.
    """
    spread = float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    if not spread > 0:
        raise AlignmentError(f"{len(points)} points are in one place; a motion needs some that are not")
    motion, here, rounds, at_rest = start, start.moved(points), 0, False
    while rounds < _ROUNDS and not at_rest:
        motion = _best(points, target.nearest(here).place, None if sized else start.scale)
        before, here, rounds = here, motion.moved(points), rounds + 1
        at_rest = _rms(here - before) <= _STILL * spread * motion.scale
    return Settled(motion, rounds, at_rest, _rms(here - target.nearest(here).place))


def _best(points: F64, places: F64, scale: float | None) -> Motion:
    """The motion that best takes points to places (N, 3), at a scale or at the best one."""
    alike = np.ones(len(points))
    rotation = rotation_between(points, places, alike)
    turned = points @ rotation.T
    if scale is None:
        change = unturned_between(turned, places, alike)
        if not change.scale > 0:
            raise AlignmentError(f"points shrink to {change.scale:g} of their size; start nearer")
        return Motion(change.scale, rotation, np.array(change.place))
    return Motion(scale, rotation, (places - scale * turned).mean(axis=0))


def _moments(vertices: F32, faces: I32) -> tuple[F64, float]:
    """The centre of a surface, by area, and the root of the mean squared distance from it."""
    centre = area_centre(vertices, faces)
    corners = (np.asarray(vertices, dtype=np.float64) - centre)[faces]
    squares = (corners**2).sum(axis=(1, 2)) + (corners.sum(axis=1) ** 2).sum(axis=1)
    areas, _ = areas_and_slopes(vertices, faces)
    return centre, float(np.sqrt((areas @ squares) / (12 * areas.sum())))


def _rms(apart: F64) -> float:
    return float(np.sqrt((apart**2).sum(axis=1).mean()))
