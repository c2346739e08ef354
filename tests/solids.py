"""Surfaces whose distances and volumes are known: boxes, balls, and rough ones without any order."""

from __future__ import annotations

import numpy as np

from pipeline.geometry.icp import STILL
from pipeline.records import F64, I32
from recon.metrics.shapes import NONE, Laid, Shape


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Shape:
    """A box of twelve triangles that look outward."""
    corners = np.array(
        [[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]] for i, j, k in np.ndindex(2, 2, 2)]
    )
    squares = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in squares for t in ((a, b, c), (a, c, d))]
    return Shape(corners, np.array(faces, dtype=np.int32))


def ball(radius: float, middle: tuple[float, float, float] = (0, 0, 0), rounds: int = 4) -> Shape:
    """A ball of 8 * 4 ** rounds triangles that look outward, its corners on the sphere."""
    corners = np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float64
    )
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]],
        dtype=np.int32,
    )
    for _ in range(rounds):
        corners, faces = _finer(corners, faces)
    return Shape(corners * radius + np.array(middle), faces)


def rough(seed: int, count: int) -> Shape:
    """Triangles of all sizes anywhere, slivers and some without area among them."""
    draw = np.random.default_rng(seed)
    size = 10.0 ** draw.uniform(-3, 0, (count, 1, 1))
    corners = draw.normal(size=(count, 1, 3)) + size * draw.normal(size=(count, 3, 3))
    corners[::7, 2] = corners[::7, 0] * 0.3 + corners[::7, 1] * 0.7
    corners[::11, 1] = corners[::11, 0]
    return Shape(corners.reshape(-1, 3), np.arange(3 * count, dtype=np.int32).reshape(-1, 3))


def as_it_is(shape: Shape) -> Laid:
    return Laid(shape, NONE, STILL)


def _finer(corners: F64, faces: I32) -> tuple[F64, I32]:
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    each, which = np.unique(edges, axis=0, return_inverse=True)
    halves = corners[each].sum(axis=1)
    halves /= np.linalg.norm(halves, axis=1, keepdims=True)
    ab, bc, ca = (which.reshape(-1, 3) + len(corners)).T
    a, b, c = faces.T
    four = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([corners, halves]), np.concatenate([np.stack(t, axis=1) for t in four]).astype(
        np.int32
    )
