"""The places of triangles that are nearest to points, each point with a triangle of its own.

Refuses to know which triangle is the nearest.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.records import F64


def nearest_on_triangles(points: F64, corners: F64) -> tuple[F64, F64]:
    """The places of triangles (N, 3, 3) nearest to points (N, 3), and how far away they are (N,).

    A place is on one of the sides or inside, where the plane is nearest. All that are tried are places of
    the triangle, whatever rounding does to thin ones, so the nearest of them is never too near.
    """
    p, a, b, c = (np.ascontiguousarray(each.T) for each in (points, *(corners[:, i] for i in range(3))))
    where, best = np.empty_like(p), np.full(len(points), np.inf)
    for place in _places(p, a, b, c):
        apart = np.einsum("ij,ij->j", p - place, p - place)
        nearer = apart < best
        np.copyto(best, apart, where=nearer)
        np.copyto(where, place, where=nearer)
    return np.ascontiguousarray(where.T), np.sqrt(best)


def _places(p: F64, a: F64, b: F64, c: F64) -> Iterator[F64]:
    """The nearest places of three sides, and of the plane if that is inside; all are (3, N)."""
    for start, end in ((a, b), (b, c), (c, a)):
        side = end - start
        along, whole = np.einsum("ij,ij->j", p - start, side), np.einsum("ij,ij->j", side, side)
        share = np.divide(along, whole, out=np.zeros_like(along), where=whole > 0)
        yield start + share.clip(0, 1) * side
    u, v, w = b - a, c - a, p - a
    uu, uv, vv, uw, vw = (np.einsum("ij,ij->j", *two) for two in ((u, u), (u, v), (v, v), (u, w), (v, w)))
    double = uu * vv - uv * uv
    s, t = uw * vv - vw * uv, vw * uu - uw * uv
    inside = (double > 0) & (s >= 0) & (t >= 0) & (s + t <= double)
    s, t = (np.divide(each, double, out=np.zeros_like(each), where=inside) for each in (s, t))
    yield a + s * u + t * v
