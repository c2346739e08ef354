"""A closed surface as points with normals, as those want it who reconstruct surfaces from points alone.

Where depth maps have pixels there is a point to each; where the surface was only stretched, from front to
back and along walls, its long sides get points as dense as those. Refuses to know who reconstructs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.geometry.mesh import vertex_normals
from pipeline.records import F32, F64, Mesh

_LONG = 2.0  # times the usual side of a triangle


class Cloud(NamedTuple):
    """Points and unit normals that look outwards (N, 3), and how far apart neighbours usually are."""

    points: F32
    normals: F32
    spacing: float


def cloud(mesh: Mesh) -> Cloud:
    """The vertices of a closed mesh and points along its long sides, with normals as between the ends."""
    start = mesh.faces.ravel()
    end = np.roll(mesh.faces, -1, axis=1).ravel()
    once = start < end  # the triangle on the other side has it the other way round
    start, end = start[once], end[once]
    lengths = np.linalg.norm(mesh.vertices[end] - mesh.vertices[start], axis=1)
    spacing = float(np.median(lengths))
    long = lengths > _LONG * spacing
    parts = np.ceil(lengths[long] / spacing).astype(np.int64)
    side = np.repeat(np.flatnonzero(long), parts - 1)
    first = np.repeat(np.cumsum(parts - 1) - (parts - 1), parts - 1)
    share = (np.arange(len(side)) - first + 1) / np.repeat(parts, parts - 1)
    ends = start[side], end[side]
    normals = vertex_normals(mesh.vertices, mesh.faces)
    points, looks = (
        np.concatenate([of_all, _between(of_all[ends[0]], of_all[ends[1]], share)])
        for of_all in (mesh.vertices, normals)
    )
    sizes = np.linalg.norm(looks, axis=1, keepdims=True)
    known = sizes[:, 0] > 1e-3  # normals of opposite ways have none between them
    return Cloud(points[known], looks[known] / sizes[known], spacing)


def _between(first: F32, second: F32, share: F64) -> F32:
    """Rows between those of two arrays, at some share of the way."""
    return np.asarray(first + share[:, None] * (second - first), dtype=np.float32)
