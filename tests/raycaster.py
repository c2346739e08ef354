"""An independent check of the renderer: every pixel's ray against every triangle near it, in float64.

Shares no formula with the shaders: it solves for where rays and triangles meet, and never rasterises.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.records import F64, I32

_STEP = 1 << 18


def cast(vertices: F64, faces: I32, size: int, focal: float) -> tuple[F64, F64]:
    """Nearest and farthest ray length (size, size) from (0, 0, 1) along -z; inf and 0 where nothing is."""
    nearest, farthest = np.full(size * size, np.inf), np.zeros(size * size)
    for start in range(0, len(faces), _STEP):
        for pixels, lengths in _hits(vertices[faces[start : start + _STEP]], size, focal):
            np.minimum.at(nearest, pixels, lengths)
            np.maximum.at(farthest, pixels, lengths)
    return nearest.reshape(size, size), farthest.reshape(size, size)


def _hits(corners: F64, size: int, focal: float) -> Iterator[tuple[I32, F64]]:
    """Which pixels' rays meet triangles (n, 3, 3), and how far from the camera."""
    away = 1.0 - corners[:, :, 2]
    u = corners[:, :, 0] / away * focal + size / 2
    v = -corners[:, :, 1] / away * focal + size / 2
    u0, v0 = (np.floor(w.min(axis=1)).astype(int).clip(0, size - 1) for w in (u, v))
    u1, v1 = (np.floor(w.max(axis=1)).astype(int).clip(0, size - 1) for w in (u, v))
    counts = (u1 - u0 + 1) * (v1 - v0 + 1)
    bounds = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum(), 1 << 20))
    for some in np.split(np.arange(len(corners)), bounds[1:]):
        owner = np.repeat(some, counts[some])
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
        wide = (u1 - u0 + 1)[owner]
        column, row = u0[owner] + rank % wide, v0[owner] + rank // wide
        ray = np.stack(
            [(column + 0.5 - size / 2) / focal, -(row + 0.5 - size / 2) / focal, -np.ones(len(owner))]
        )
        ray /= np.linalg.norm(ray, axis=0)
        hit, length = _meet(ray.T, corners[owner])
        yield (row * size + column)[hit].astype(np.int32), length[hit]


def _meet(ray: F64, corners: F64) -> tuple[F64, F64]:
    """Whether each ray from the camera meets its triangle, and at what length."""
    a = corners[:, 0] - np.array([0.0, 0.0, 1.0])
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(edge1, edge2)
    slope = np.einsum("ij,ij->i", ray, normal)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.einsum("ij,ij->i", a, normal) / slope
        inside = ray * length[:, None] - a
        area = np.einsum("ij,ij->i", normal, normal)
        s = np.einsum("ij,ij->i", np.cross(inside, edge2), normal) / area
        t = np.einsum("ij,ij->i", np.cross(edge1, inside), normal) / area
    return (s >= 0) & (t >= 0) & (s + t <= 1) & (slope != 0), length
