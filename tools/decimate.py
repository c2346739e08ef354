"""Fewer vertices for a surface with a border, by quadric error, without ever breaking the surface.

Slow and careful: every collapse keeps the surface a manifold and its faces the right way round. Refuses to
know what the surface is of.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

import numpy as np

from pipeline.records import F64, I32

_LENGTH = 3e-4  # what an edge's length counts beside its error: evens out flat places
_BORDER = 10.0  # what leaving the border counts, beside leaving a face
_TURN = 0.06  # least square of the cosine by which a collapse may turn a face
_ROUNDNESS = 0.15  # of a face that a collapse may leave, if it was rounder before; at first
_Quadric = tuple[float, ...]


class Decimation:
    """A surface whose edges are collapsed one by one; `points` (N, 3) are what error is measured in.

    `plain` (N, 3) are carried along: the same surface before it was magnified.
    """

    def __init__(self, points: F64, plain: F64, faces: I32, border: I32) -> None:
        self.points: list[tuple[float, ...]] = [tuple(p) for p in points.tolist()]
        self.plain: list[tuple[float, ...]] = [tuple(p) for p in plain.tolist()]
        self.faces: dict[int, tuple[int, ...]] = dict(enumerate(tuple(f) for f in faces.tolist()))
        self.around: list[set[int]] = [set() for _ in range(len(points))]
        for number, face in self.faces.items():
            for vertex in face:
                self.around[vertex].add(number)
        self.on_border = [False] * len(points)
        for a in np.unique(border).tolist():
            self.on_border[a] = True
        self.alive, self.border_alive = len(points), sum(self.on_border)
        self.quadrics: list[_Quadric] = [tuple(q) for q in _quadrics(points, faces, border).tolist()]
        self.roundness = _ROUNDNESS
        self.stamp = [0] * len(points)
        self.heap: list[tuple[float, int, int, int, int]] = []
        edges = np.unique(
            np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])), axis=0
        )
        for a, b in edges.tolist():
            self._offer(a, b)

    def run(self, done: Callable[[int, int], int]) -> None:
        """Collapse the cheapest edges until done(vertices, border vertices) is 0.

        Where it is 1, only an edge of the border is collapsed.
        """
        while (left := done(self.alive, self.border_alive)) > 0:
            if not self.heap:
                self.roundness /= 4  # nothing is left to collapse: let faces become thinner
                self._offer_all()
            _, a, b, stamp_a, stamp_b = heapq.heappop(self.heap)
            if self.stamp[a] != stamp_a or self.stamp[b] != stamp_b:
                continue
            if left == 1 and not (self.on_border[a] and self.on_border[b]):
                continue
            t = self._allowed(a, b)
            if t is not None:
                self._collapse(a, b, t)

    def _offer_all(self) -> None:
        edges = {(min(f[k], f[k - 1]), max(f[k], f[k - 1])) for f in self.faces.values() for k in range(3)}
        for a, b in sorted(edges):
            self._offer(a, b)

    def result(self) -> tuple[F64, I32]:
        """Vertices (V, 3), not magnified, and faces (F, 3)."""
        faces = np.array([self.faces[k] for k in sorted(self.faces)], dtype=np.int64)
        used, numbers = np.unique(faces, return_inverse=True)
        plain = np.array([self.plain[v] for v in used])
        return plain, numbers.reshape(-1, 3).astype(np.int32)

    def _neighbours(self, vertex: int) -> set[int]:
        out = {v for face in self.around[vertex] for v in self.faces[face]}
        out.discard(vertex)
        return out

    def _places(self, a: int, b: int) -> list[tuple[float, float, float]]:
        """Places on an edge, the cheapest first: cost, distance from the middle, how far along."""
        both = tuple(x + y for x, y in zip(self.quadrics[a], self.quadrics[b], strict=True))
        if self.on_border[a] != self.on_border[b]:
            parts: tuple[float, ...] = (0.0,) if self.on_border[a] else (1.0,)
        else:
            parts = (0.0, 0.5, 1.0)
        p, q = self.points[a], self.points[b]
        length = sum((x - y) ** 2 for x, y in zip(p, q, strict=True))
        even = _LENGTH * length * length
        return sorted((max(_error(both, _between(p, q, t)), 0.0) + even, abs(t - 0.5), t) for t in parts)

    def _offer(self, a: int, b: int) -> None:
        cost = self._places(a, b)[0][0]
        heapq.heappush(self.heap, (cost, a, b, self.stamp[a], self.stamp[b]))

    def _allowed(self, a: int, b: int) -> float | None:
        """How far along an edge its ends may meet; None where they may not."""
        shared = self.around[a] & self.around[b]
        if self.on_border[a] and self.on_border[b] and len(shared) != 1:
            return None  # across the inside from border to border: it would pinch the surface
        if len(self._neighbours(a) & self._neighbours(b)) != len(shared):
            return None
        for _, _, t in self._places(a, b):
            place = _between(self.points[a], self.points[b], t)
            if all(
                self._keeps_its_side(face, vertex, place)
                for vertex in (a, b)
                for face in self.around[vertex] - shared
            ):
                return t
        return None

    def _keeps_its_side(self, face: int, vertex: int, place: tuple[float, ...]) -> bool:
        before = [self.points[v] for v in self.faces[face]]
        after = [place if v == vertex else self.points[v] for v in self.faces[face]]
        old, new = _normal(before), _normal(after)
        along = sum(x * y for x, y in zip(old, new, strict=True))
        sizes = sum(x * x for x in old) * sum(x * x for x in new)
        if along <= 0 or along * along < _TURN * sizes:
            return False
        return _roundness(after, new) > min(self.roundness, _roundness(before, old))

    def _collapse(self, a: int, b: int, t: float) -> None:
        """Put b into a, so far along the edge between them."""
        self.points[a] = _between(self.points[a], self.points[b], t)
        self.plain[a] = _between(self.plain[a], self.plain[b], t)
        self.quadrics[a] = tuple(x + y for x, y in zip(self.quadrics[a], self.quadrics[b], strict=True))
        for face in self.around[a] & self.around[b]:
            for vertex in self.faces[face]:
                self.around[vertex].discard(face)
            del self.faces[face]
        for face in self.around[b]:
            self.faces[face] = tuple(a if v == b else v for v in self.faces[face])
        self.around[a] |= self.around[b]
        self.around[b] = set()
        self.border_alive -= self.on_border[a] and self.on_border[b]
        self.on_border[a] = self.on_border[a] or self.on_border[b]
        self.alive -= 1
        self.stamp[b] += 1
        self.stamp[a] += 1
        for other in sorted(self._neighbours(a)):
            self._offer(min(a, other), max(a, other))


def _quadrics(points: F64, faces: I32, border: I32) -> F64:
    """The error quadric (N, 10) of each vertex: its faces' planes, and the plane x = 0 on the border."""
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1)
    unit = normal / np.maximum(area, 1e-30)[:, None]
    planes = np.concatenate([unit, -np.einsum("ij,ij->i", unit, corners[:, 0])[:, None]], axis=1)
    upper = np.triu_indices(4)
    each = np.einsum("ni,nj->nij", planes, planes)[:, upper[0], upper[1]] * area[:, None] / 6
    out = np.zeros((len(points), 10))
    for k in range(3):
        np.add.at(out, faces[:, k], each)
    length = np.linalg.norm(points[border[:, 0]] - points[border[:, 1]], axis=1)
    along = (points[border[:, 1]] - points[border[:, 0]]) / np.maximum(length, 1e-30)[:, None]
    inward = np.cross(along, [1.0, 0.0, 0.0])
    edge = np.concatenate([inward, -np.einsum("ij,ij->i", inward, points[border[:, 0]])[:, None]], axis=1)
    walls = np.einsum("ni,nj->nij", edge, edge)[:, upper[0], upper[1]] * _BORDER * length[:, None] ** 2
    for k in range(2):
        np.add.at(out, border[:, k], walls)
    return out


def _between(p: tuple[float, ...], q: tuple[float, ...], t: float) -> tuple[float, ...]:
    return tuple(x + t * (y - x) for x, y in zip(p, q, strict=True))


def _error(quadric: _Quadric, place: tuple[float, ...]) -> float:
    x, y, z = place
    xx, xy, xz, xw, yy, yz, yw, zz, zw, ww = quadric
    return (
        x * (xx * x + 2 * (xy * y + xz * z + xw))
        + y * (yy * y + 2 * (yz * z + yw))
        + z * (zz * z + 2 * zw)
        + ww
    )


def _roundness(corners: list[tuple[float, ...]], normal: tuple[float, float, float]) -> float:
    """1 for a triangle with equal sides, 0 for one without area."""
    edges = sum((x - y) ** 2 for i in range(3) for x, y in zip(corners[i], corners[i - 1], strict=True))
    return 12 * sum(x * x for x in normal) / max(edges * edges, 1e-300)


def _normal(corners: Iterable[tuple[float, ...]]) -> tuple[float, float, float]:
    a, b, c = corners
    u, v = tuple(y - x for x, y in zip(a, b, strict=True)), tuple(y - x for x, y in zip(a, c, strict=True))
    return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
