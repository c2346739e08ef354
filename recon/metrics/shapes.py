"""Meshes that are to be compared, and how a predicted one is laid upon the true one. Refuses to score.

* `none`: as it is.
* `scale+translation`: scaled and shifted until the centre and the spread of the surface, by area, are those
  of the true one. No turn, and no search.
* `icp`: a turn and a shift, found by pairing points of the prediction with the nearest places of the true
  surface, again and again, from where the prediction is.
* `icp+scale`: the same with a scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.errors import ConfigError
from pipeline.geometry.closest import Surface
from pipeline.geometry.icp import STILL, Motion, by_moments, by_nearest
from pipeline.records import F32, F64, I32, Mesh
from recon.metrics.samples import face_normals, sample

NONE, SCALE_SHIFT, ICP, ICP_SCALE = "none", "scale+translation", "icp", "icp+scale"
ALIGNMENTS = (NONE, SCALE_SHIFT, ICP, ICP_SCALE)
ICP_POINTS = 5000


@dataclass(frozen=True, eq=False)
class Shape:
    """A surface that is compared with others; what takes time to know is found once."""

    vertices: F32 | F64  # (V, 3)
    faces: I32  # (F, 3)

    @cached_property
    def places(self) -> F64:
        """The vertices (V, 3) in double precision."""
        return np.asarray(self.vertices, dtype=np.float64)

    @cached_property
    def surface(self) -> Surface:
        """The surface, ready to be asked for nearest places."""
        return Surface(self.vertices, self.faces)

    @cached_property
    def normals(self) -> F64:
        """Unit normals of the triangles (F, 3)."""
        return face_normals(self.places, self.faces)[0]

    def moved(self, motion: Motion) -> Shape:
        """The same after a motion."""
        return Shape(motion.moved(self.vertices), self.faces)


def shape_of(mesh: Mesh) -> Shape:
    """A mesh as something to compare."""
    return Shape(mesh.vertices, mesh.faces)


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A shape laid upon another: by which motion, after how many rounds, and whether it came to rest."""

    shape: Shape
    alignment: str
    motion: Motion
    rounds: int = 0
    at_rest: bool = True


def lay(made: Shape, true: Shape, alignment: str, seed: int) -> Laid:
    """A predicted shape, laid upon the true one; `seed` draws the points that are paired."""
    if alignment not in ALIGNMENTS:
        raise ConfigError(f"alignment {alignment!r} is not known; choose {', '.join(ALIGNMENTS)}")
    if alignment == NONE:
        return Laid(made, alignment, STILL)
    if alignment == SCALE_SHIFT:
        motion = by_moments((_f32(made), made.faces), (_f32(true), true.faces))
        return Laid(made.moved(motion), alignment, motion)
    points, sized = sample(made.places, made.faces, ICP_POINTS, seed).points, alignment == ICP_SCALE
    # A tenth of them goes most of the way in a tenth of the time.
    near = by_nearest(points[::10], true.surface, sized=sized)
    found = by_nearest(points, true.surface, near.motion, sized=sized)
    rounds = near.rounds + found.rounds
    return Laid(made.moved(found.motion), alignment, found.motion, rounds, found.at_rest)


def _f32(shape: Shape) -> F32:
    return np.asarray(shape.vertices, dtype=np.float32)
