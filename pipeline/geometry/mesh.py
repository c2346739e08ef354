"""What a triangle mesh says about itself: its centre, its vertex normals, whether it can be used.

Refuses to repair anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.errors import MeshError
from pipeline.records import F32, F64, I32, Mesh

_STEP = 1 << 18  # faces at a time: float64 corners of all two million would fill the memory


def check(mesh: Mesh) -> None:
    """Refuse a mesh that cannot be drawn, and say why."""
    if not len(mesh.faces):
        raise MeshError("mesh has no faces")
    if not np.isfinite(mesh.vertices).all():
        bad = int(np.flatnonzero(~np.isfinite(mesh.vertices).all(axis=1))[0])
        raise MeshError(f"vertex {bad} is {mesh.vertices[bad].tolist()}; coordinates must be finite")
    low, high = int(mesh.faces.min()), int(mesh.faces.max())
    if low < 0 or high >= len(mesh.vertices):
        raise MeshError(f"faces name vertices {low} to {high}; there are {len(mesh.vertices)}")
    if not np.ptp(mesh.vertices, axis=0).max() > 0:
        raise MeshError("all vertices are in one place")


def _corners(vertices: F32, faces: I32) -> Iterator[tuple[I32, tuple[F64, F64, F64]]]:
    """Faces, some at a time, with their corners (3, n) each in double precision: rows x, y and z."""
    columns = [np.ascontiguousarray(column) for column in vertices.T]
    for start in range(0, len(faces), _STEP):
        some = faces[start : start + _STEP]
        a, b, c = (np.stack([x[which] for x in columns]).astype(np.float64) for which in some.T)
        yield some, (a, b, c)


def _normals(a: F64, b: F64, c: F64) -> tuple[F64, F64]:
    """Normals (3, n) of triangles, as long as twice their areas, and these lengths (n,)."""
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    normals = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])
    x, y, z = normals
    return normals, np.sqrt(x * x + y * y + z * z)


def area_centre(vertices: F32, faces: I32) -> F64:
    """The mean of the triangles' centroids, weighted by their areas (3,)."""
    total, area = np.zeros(3), 0.0
    for _, (a, b, c) in _corners(vertices, faces):
        _, double_areas = _normals(a, b, c)
        total += (a + b + c) @ double_areas / 3
        area += float(double_areas.sum())
    if not area > 0:
        raise MeshError("all triangles have zero area")
    return total / area


def areas_and_slopes(vertices: F32, faces: I32) -> tuple[F64, F64]:
    """The area (F,) of each triangle and the height of its unit normal (F,): 1 looks up, 0 has no area."""
    areas, heights = np.empty(len(faces)), np.empty(len(faces))
    start = 0
    for some, (a, b, c) in _corners(vertices, faces):
        normals, lengths = _normals(a, b, c)
        part = slice(start, start := start + len(some))
        areas[part] = lengths / 2
        heights[part] = np.divide(normals[1], lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return areas, heights


def vertex_normals(vertices: F32, faces: I32) -> F32:
    """Unit normals (V, 3): the mean of a vertex's triangles, weighted by area; 0 where there are none."""
    sums = np.zeros((3, len(vertices)))
    for some, (a, b, c) in _corners(vertices, faces):
        normals, _ = _normals(a, b, c)
        for axis in range(3):
            weights = np.repeat(normals[axis], 3)
            sums[axis] += np.bincount(some.ravel(), weights, minlength=len(vertices))
    lengths = np.sqrt((sums**2).sum(axis=0))
    np.divide(sums, lengths, out=sums, where=lengths > 0)
    return np.ascontiguousarray(sums.T, dtype=np.float32)
