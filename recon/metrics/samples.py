"""Points drawn evenly from surfaces, by area. Refuses to draw without a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import MeshError
from pipeline.records import F64, I32


class Samples(NamedTuple):
    """Points of a surface (N, 3), the unit normals of their triangles (N, 3), and which these are (N,)."""

    points: F64
    normals: F64
    faces: npt.NDArray[np.int64]


def face_normals(vertices: F64, faces: I32) -> tuple[F64, F64]:
    """Unit normals (F, 3) of triangles, 0 where there is no area, and their areas (F,)."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    units = np.divide(normals, lengths[:, None], out=np.zeros_like(normals), where=lengths[:, None] > 0)
    return units, lengths / 2


def sample(vertices: F64, faces: I32, count: int, seed: int) -> Samples:
    """Points drawn independently and evenly from a surface; the same seed draws the same."""
    normals, areas = face_normals(vertices, faces)
    reach = np.cumsum(areas)
    if not (len(reach) and reach[-1] > 0):
        raise MeshError("all triangles have zero area")
    draw = np.random.default_rng(seed)
    # A triangle without area reaches no farther than the one before, and is never the first to reach.
    chosen = np.searchsorted(reach, draw.random(count) * reach[-1], side="right").clip(0, len(faces) - 1)
    # Area grows with the square of the distance from a corner.
    out, along = np.sqrt(draw.random((count, 1))), draw.random((count, 1))
    a, b, c = (vertices[faces[chosen, i]] for i in range(3))
    points = a * (1 - out) + b * (out * (1 - along)) + c * (out * along)
    return Samples(points, normals[chosen], chosen)
