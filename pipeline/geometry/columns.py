"""What closed surfaces enclose, and share, along a lattice of columns.

A place is inside where the winding number is not 0, so pieces that overlap count once, whichever way faces
look. Along a column the lengths inside are exact; across, columns stand for the squares around them. One
that meets an edge or a corner crosses just one of the faces there. Refuses to close a surface.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import MeshError
from pipeline.geometry.mesh import check
from pipeline.records import F32, F64, I32, Mesh

I64 = npt.NDArray[np.int64]

_PAIRS = 1 << 20  # of a face and a column at a time


@dataclass(frozen=True, slots=True)
class Lattice:
    """Columns along z through `corner + step * (i, j)`, for i and j from 0 to below `counts`."""

    corner: tuple[float, float]
    step: float
    counts: tuple[int, int]


class Shared(NamedTuple):
    """Volumes that two surfaces enclose, both of them do, and either does."""

    first: float
    second: float
    both: float
    either: float


class Closed(NamedTuple):
    """A surface of which each edge has as many faces one way as the other; corners are joined by place."""

    vertices: F64
    faces: I64


class _Pairs(NamedTuple):
    """Faces (n,), each with a column that may cross it, the x-th and y-th of the lattice."""

    face: I64
    x: I64
    y: I64


class _Crossings(NamedTuple):
    """Where columns cross faces: which column, how high, and by how much the winding number changes."""

    column: I64
    height: F64
    turn: I64


def closed(vertices: F32 | F64, faces: I32) -> Closed:
    """The surface, if it is closed."""
    check(Mesh(np.asarray(vertices, dtype=np.float32), faces))
    places, same = np.unique(np.asarray(vertices, dtype=np.float64), axis=0, return_inverse=True)
    joined = same.reshape(-1)[faces].astype(np.int64)
    start, end = joined.ravel(), np.roll(joined, -1, axis=1).ravel()
    edges = np.minimum(start, end) * len(places) + np.maximum(start, end)
    order = np.argsort(edges, kind="stable")
    first = np.flatnonzero(np.diff(edges[order], prepend=-1))
    open_edges = int(np.count_nonzero(np.add.reduceat(np.sign(end - start)[order], first)))
    if open_edges:
        raise MeshError(f"{open_edges} of {len(first)} edges are open; only closed meshes have a volume")
    return Closed(places, joined)


def shared_volumes(first: Closed, second: Closed, lattice: Lattice) -> Shared:
    """What two closed surfaces enclose, alone and together, by the columns of a lattice."""
    mine, other = _crossings(first, lattice), _crossings(second, lattice)
    column, height = (np.concatenate(two) for two in zip(mine[:2], other[:2], strict=True))
    order = np.lexsort((height, column))
    # All turns of a column add up to 0, so that each begins outside of both.
    inside_first, inside_second = (
        np.cumsum(np.concatenate(turns)[order])[:-1] != 0
        for turns in (
            (mine.turn, np.zeros_like(other.turn)),
            (np.zeros_like(mine.turn), other.turn),
        )
    )
    lengths = np.diff(height[order]) * lattice.step**2
    return Shared(
        *(
            float(lengths[where].sum())
            for where in (
                inside_first,
                inside_second,
                inside_first & inside_second,
                inside_first | inside_second,
            )
        )
    )


def _crossings(surface: Closed, lattice: Lattice) -> _Crossings:
    flat = (surface.vertices[:, :2] - np.array(lattice.corner)) / lattice.step
    found = [_cross(surface, flat, pairs, lattice) for pairs in _near(flat, surface, lattice)]
    if not found:
        return _Crossings(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64))
    return _Crossings(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _near(flat: F64, surface: Closed, lattice: Lattice) -> Iterator[_Pairs]:
    """Faces, and the columns that stand in the boxes around them, some pairs at a time."""
    corners = flat[surface.faces]
    low = np.maximum(np.ceil(corners.min(axis=1)), 0).astype(np.int64)
    high = np.minimum(np.floor(corners.max(axis=1)), np.array(lattice.counts) - 1).astype(np.int64)
    wide, tall = (high - low + 1).clip(0).T
    ends = np.cumsum(wide * tall)
    for start in range(0, int(ends[-1]), _PAIRS):
        rank = np.arange(start, min(start + _PAIRS, int(ends[-1])))
        face = np.searchsorted(ends, rank, side="right")
        row, column = np.divmod(rank - (ends - wide * tall)[face], wide[face])
        yield _Pairs(face, low[face, 0] + column, low[face, 1] + row)


def _cross(surface: Closed, flat: F64, pairs: _Pairs, lattice: Lattice) -> _Crossings:
    """Where columns cross faces, of the pairs that do."""
    corners, x, y = surface.faces[pairs.face], pairs.x, pairs.y
    turn = np.zeros(len(corners), dtype=np.int64)
    for i in range(3):
        turn += _passes(flat, corners[:, i], corners[:, (i + 1) % 3], x, y)
    crossed = np.flatnonzero(turn)
    corners, x, y = corners[crossed], x[crossed], y[crossed]
    heights = _heights(flat[corners], surface.vertices[corners, 2], x, y)
    return _Crossings(x * lattice.counts[1] + y, heights, turn[crossed])


def _passes(flat: F64, start: I64, end: I64, x: I64, y: I64) -> I64:
    """Whether edges (n,) pass to the right of places (n,): 1 upward, -1 downward, 0 not at all.

    Both faces of an edge must hear the same, so it is looked at from the lower number to the higher.
    """
    a, b = flat[np.minimum(start, end)], flat[np.maximum(start, end)]
    passes = (a[:, 1] <= y) != (b[:, 1] <= y)
    rise = np.where(passes, b[:, 1] - a[:, 1], 1.0)
    across = a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    across = np.clip(across, np.minimum(a[:, 0], b[:, 0]), np.maximum(a[:, 0], b[:, 0]))
    upward = np.where((b[:, 1] > a[:, 1]) == (start < end), 1, -1)
    return np.asarray(np.where(passes & (across > x), upward, 0))


def _heights(corners: F64, heights: F64, x: I64, y: I64) -> F64:
    """How high faces (n, 3, 2), whose corners are at heights (n, 3), are at places (n,)."""
    place = np.column_stack([x, y])
    sides = corners - place[:, None]
    weights = np.stack(
        [
            sides[:, i, 0] * sides[:, j, 1] - sides[:, i, 1] * sides[:, j, 0]
            for i, j in ((1, 2), (2, 0), (0, 1))
        ],
        axis=1,
    )
    whole = weights.sum(axis=1, keepdims=True)
    # Seen edge on, a face is anywhere between its corners.
    shares = np.divide(weights, whole, out=np.full_like(weights, 1 / 3), where=whole != 0)
    return np.asarray((shares * heights).sum(axis=1).clip(heights.min(axis=1), heights.max(axis=1)))
