"""Make a closed surface of triangles that only nearly are one, moving nothing that need not move.

Thinning out a closed mesh may press two of its sheets together: then an edge has four triangles, or a
vertex two rings of them. Here every triangle keeps one neighbour across each of its edges, and where that
leaves several rings about a vertex each ring gets a vertex of its own. Refuses to close holes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.errors import MeshError
from pipeline.records import F32, I32

_ROUNDS = 200
_GRAIN = 1e-6  # of the size: vertices nearer than that are one to those who read the file
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
_APART = 0.05  # of the way to the middle of their own ring, for vertices that were one


class Untangled(NamedTuple):
    """A closed, oriented surface in one piece, and which vertex each of its own was."""

    vertices: F32  # (V, 3)
    faces: I32  # (F, 3)
    origin: I32  # (V,)


def untangled(vertices: F32, faces: I32) -> Untangled:
    """The largest piece of a closed surface, with two triangles to an edge and one ring to a vertex.

    Every edge must have as many triangles one way round as the other way. Vertices in one place are one.
    """
    faces = _welded(vertices)[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    opposite = _opposite(faces, len(vertices))
    rings = _rings(opposite).reshape(-1, 3)
    piece = _linked(np.arange(len(opposite), dtype=np.int32) // 3, opposite // 3, len(faces))
    largest = piece == np.bincount(piece).argmax()
    names, inverse = np.unique(rings[largest], return_inverse=True)
    made: I32 = inverse.reshape(-1, 3).astype(np.int32)
    origin = np.empty(len(names), dtype=np.int32)
    origin[made] = faces[largest]
    return Untangled(_apart(vertices, made, origin), made, origin)


def _welded(vertices: F32) -> I32:
    """For each vertex the first one in about the same place (V,)."""
    low = vertices.min(axis=0).astype(np.float64)
    grain = _GRAIN * float(np.ptp(vertices, axis=0).max())
    steps = np.rint((vertices - low) / (grain or 1.0)).astype(np.uint64)
    _, first, place = np.unique((steps * _ODD).sum(axis=1), return_index=True, return_inverse=True)
    return np.asarray(first[place], dtype=np.int32)


def _opposite(faces: I32, count: int) -> I32:
    """For each half-edge (3 F,), three to a triangle, one that goes the other way between its vertices."""
    start, end = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    ahead, against = start * count + end, end * count + start
    mine, theirs = np.argsort(ahead, kind="stable"), np.argsort(against, kind="stable")
    if not len(faces) or (ahead[mine] != against[theirs]).any():
        unmet = len(np.setdiff1d(ahead, against))
        raise MeshError(f"{unmet} of {len(ahead)} sides of triangles meet no other; a closed mesh has none")
    opposite = np.empty(len(ahead), dtype=np.int32)
    opposite[mine] = theirs
    return opposite


def _rings(opposite: I32) -> I32:
    """The number of the ring about a vertex that each half-edge starts in (3 F,); changes `opposite`.

    Where an edge has four triangles of the same two rings, they meet each other the other way: that makes
    two rings of one.
    """
    half = np.arange(len(opposite), dtype=np.int32)
    after = half + np.where(half % 3 == 2, -2, 1).astype(np.int32)
    for _ in range(_ROUNDS):
        # A half-edge starts in the same ring as the one after the half-edge that it meets.
        ring = _linked(half, after[opposite], len(half))
        key = ring.astype(np.int64) * len(half) + ring[after]
        order = np.argsort(key, kind="stable")
        twice = np.flatnonzero(np.diff(key[order]) == 0)
        if not len(twice):
            return ring
        changed: set[int] = set()
        for one, other in zip(order[twice].tolist(), order[twice + 1].tolist(), strict=True):
            rings = {int(ring[one]), int(ring[after[one]])}
            if rings & changed:  # they may be others by now
                continue
            met, also = opposite[one], opposite[other]
            opposite[[one, also, other, met]] = also, one, met, other
            changed |= rings
    raise MeshError(f"{len(twice)} edges have more than two triangles after {_ROUNDS} changes")


def _linked(a: I32, b: I32, count: int) -> I32:
    graph = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)


def _apart(vertices: F32, faces: I32, origin: I32) -> F32:
    """Where the vertices go: those that were one move a little to the middle of their own rings."""
    split = np.bincount(origin, minlength=len(vertices))[origin] > 1
    made = vertices[origin]
    around = faces[split[faces].any(axis=1)]
    middles = made[around].astype(np.float64).mean(axis=1)
    sums, counts = np.zeros((len(made), 3)), np.zeros(len(made))
    for column in around.T:
        np.add.at(sums, column, middles)
        np.add.at(counts, column, 1)
    made[split] += (_APART * (sums[split] / counts[split, None] - made[split])).astype(np.float32)
    return made
