"""The places of a surface that are nearest to points, exactly: of its triangles, not of their corners.

Triangles lie in a tree whose nodes are bounded by coins, flat cylinders across the mean normal. Pieces of a
smooth surface are almost flat, so a point far away sees that all but a few of them are farther than the one
it knows; boxes and balls, which are as thick as they are wide, leave hundreds in doubt. Holds whatever the
triangles are: coins of rough pieces are thick, which costs time only. Refuses to know inside from outside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pipeline.errors import MeshError
from pipeline.geometry.mesh import check
from pipeline.geometry.triangles import nearest_on_triangles
from pipeline.records import F32, F64, I32, Mesh

I64 = npt.NDArray[np.int64]

_LEAF = 4  # triangles in a smallest part, or up to twice as many
_SPLIT = 3  # halvings from one level of coins to the next, so each holds eight of the next
_POINTS = 1 << 13  # looked for at a time
_PAIRS = 1 << 18  # of a point and a coin at a time, whatever the surface is like
_ROUNDING = 1e-12  # of the size of everything: what is no farther apart than that stays in doubt


class Nearest(NamedTuple):
    """For each of N points the nearest place of a surface: how far away, in which triangle, and where."""

    distance: F64  # (N,)
    face: I64  # (N,)
    place: F64  # (N, 3)


class Surface:
    """A mesh that is ready to be asked which of its places are nearest."""

    def __init__(self, vertices: F32 | F64, faces: I32) -> None:
        check(Mesh(np.asarray(vertices, dtype=np.float32), faces))
        places = np.asarray(vertices, dtype=np.float64)
        self._middle = (places.min(axis=0) + places.max(axis=0)) / 2
        corners = (places - self._middle)[faces]
        centroids = corners.mean(axis=1)
        self._order, depth = _halved(centroids)
        self._rank = np.empty(len(faces), dtype=np.int64)
        self._rank[self._order] = np.arange(len(self._order))
        self._tree = cKDTree(centroids, balanced_tree=False, compact_nodes=False)
        self._corners = corners[self._order]
        self._levels = _levels(self._corners, depth)

    def nearest(self, points: F32 | F64) -> Nearest:
        """The nearest places to points (N, 3)."""
        here = np.asarray(points, dtype=np.float64) - self._middle
        lost = ~np.isfinite(here).all(axis=1)
        if lost.any():
            raise MeshError(f"{int(lost.sum())} of {len(here)} points are not finite")
        face = self._rank[self._tree.query(here)[1]]
        place, distance = nearest_on_triangles(here, self._corners[face])
        search = _Search(here, self._levels, self._corners, Nearest(distance, face, place))
        # Neighbours meet the same coins one after the other.
        order = np.argsort(face, kind="stable")
        for start in range(0, len(order), _POINTS):
            search.from_the_top(order[start : start + _POINTS])
        return Nearest(distance, self._order[face], place + self._middle)


class _Search:
    """What is known of the nearest places so far, and where nearer ones may be."""

    def __init__(self, points: F64, levels: list[F64], corners: F64, known: Nearest) -> None:
        self.points, self.levels, self.corners, self.known = points, levels, corners, known
        self.slack = _ROUNDING * (np.abs(corners).max() + np.abs(points).max(initial=0))

    def from_the_top(self, some: I64) -> None:
        """Find the nearest places for some of the points."""
        top = np.arange(len(self.levels[0]))
        self._descend(np.repeat(some, len(top)), np.tile(top, len(some)), 0)

    def _descend(self, which: I64, coin: I64, level: int) -> None:
        """Look into coins (n,) of a level for points (n,), a part of the pairs at a time."""
        for start in range(0, len(which), _PAIRS):
            points, coins = which[start : start + _PAIRS], coin[start : start + _PAIRS]
            least = _least(self.levels[level].take(coins, axis=0), self.points.take(points, axis=0))
            doubtful = least < self.known.distance.take(points) + self.slack
            points, coins = points[doubtful], coins[doubtful]
            if level + 1 == len(self.levels):
                self._try(points, coins)
                continue
            each = len(self.levels[level + 1]) // len(self.levels[level])
            below = (coins[:, None] * each + np.arange(each)).ravel()
            self._descend(np.repeat(points, each), below, level + 1)

    def _try(self, which: I64, face: I64) -> None:
        """Take places in triangles (n,) for points (n,) where they are nearer than what is known."""
        place, distance = nearest_on_triangles(self.points[which], self.corners[face])
        nearer = np.flatnonzero(distance < self.known.distance[which])
        # Where a point has several, the nearest is written last and stays.
        nearer = nearer[np.argsort(-distance[nearer], kind="stable")]
        which = which[nearer]
        self.known.distance[which] = distance[nearer]
        self.known.face[which] = face[nearer]
        self.known.place[which] = place[nearer]


def _halved(centroids: F64) -> tuple[I64, int]:
    """The triangles' order in which each half of each half lies together, and how often it was halved.

    All parts are equally large, for which some triangles are there twice.
    """
    count = len(centroids)
    depth = max(0, (count // _LEAF).bit_length() - 1)
    each = -(-count >> depth)
    order = np.arange(each << depth) % count
    columns = [np.ascontiguousarray(column) for column in centroids.T]
    for level in range(depth):
        parts = order.reshape(1 << level, -1)
        here = np.stack([column[parts] for column in columns])
        along = here[np.ptp(here, axis=2).argmax(axis=0), np.arange(len(parts))]
        halves = np.argpartition(along, parts.shape[1] // 2, axis=1)
        order = np.take_along_axis(parts, halves, axis=1).ravel()
    return order, depth


def _levels(corners: F64, depth: int) -> list[F64]:
    """Coins (n, 8) of every level, the fewest first and each triangle's own last.

    A coin is its middle, the unit normal, half its thickness, and its radius.
    """
    middles = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axes = _units(normals)
    # Thin triangles hardly know their normal, and then are not as flat across it as they should be.
    above, aside = np.abs([_split(corners[:, i] - middles, axes) for i in range(3)]).max(axis=0)
    levels = [np.column_stack([middles, axes, above, aside])]
    for parts in range(depth, -1, -_SPLIT):
        normals = normals.reshape(1 << parts, -1, 3).sum(axis=1)
        levels.append(_around(levels[-1], _units(normals)))
    return levels[::-1]


def _around(coins: F64, axes: F64) -> F64:
    """Coins across axes (n, 3) around equally many coins each (n, 8)."""
    inner = coins.reshape(len(axes), -1, 8)
    middles = inner[:, :, :3].mean(axis=1)
    thick, radius = np.zeros(len(axes)), np.zeros(len(axes))
    for each in np.moveaxis(inner, 1, 0):
        above, aside = _split(each[:, :3] - middles, axes)
        tilt = np.einsum("ij,ij->i", each[:, 3:6], axes)
        rise = each[:, 6] * np.abs(tilt) + each[:, 7] * np.sqrt((1 - tilt * tilt).clip(0))
        np.maximum(thick, np.abs(above) + rise, out=thick)
        np.maximum(radius, aside + np.hypot(each[:, 6], each[:, 7]), out=radius)
    return np.column_stack([middles, axes, thick, radius])


def _least(coins: F64, points: F64) -> F64:
    """How far points (n, 3) are at least from what lies in coins (n, 8)."""
    above, aside = _split(points - coins[:, :3], coins[:, 3:6])
    over, beside = np.maximum(np.abs(above) - coins[:, 6], 0), np.maximum(aside - coins[:, 7], 0)
    return np.asarray(np.sqrt(over * over + beside * beside))


def _split(apart: F64, axes: F64) -> tuple[F64, F64]:
    """How long vectors (n, 3) are along unit axes (n, 3), and how long beside them."""
    above = np.einsum("ij,ij->i", apart, axes)
    return above, _lengths(apart - above[:, None] * axes)


def _lengths(vectors: F64) -> F64:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)))


def _units(vectors: F64) -> F64:
    """Vectors (n, 3) of length 1; any direction will do where there is none."""
    lengths = _lengths(vectors)[:, None]
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1), [0.0, 0.0, 1.0])
