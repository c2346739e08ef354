"""The 256 ways a surface crosses a cube, as triangles between the cube's edges.

Worked out, not typed in: on each face of the cube inside corners are cut off run by run, the same rule
on both sides of a face, so neighbouring cubes always agree and the surface closes. Refuses to know
distances, grids or where anything is.

Corner c stands at (c & 1, c >> 1 & 1, c >> 2 & 1). Edge e runs from corner `EDGES[e][0]` along the axis
`EDGES[e][1]`. A case is the sum of 1 << c over the corners inside.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from pipeline.records import I32

EDGES = tuple((corner, axis) for axis in range(3) for corner in range(8) if not corner >> axis & 1)
_EDGE_OF = {frozenset((c, c | 1 << a)): e for e, (c, a) in enumerate(EDGES)}
_ENDS = tuple((c, c | 1 << a) for c, a in EDGES)

Loop = tuple[int, ...]


def _faces() -> tuple[Loop, ...]:
    """The six faces as cycles of corners, all of them anticlockwise seen from outside."""
    faces = []
    for axis in range(3):
        u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        cycle = (0, u, u | v, v)
        faces.append(tuple(reversed(cycle)))
        faces.append(tuple(c | 1 << axis for c in cycle))
    return tuple(faces)


_FACES = _faces()
_SIDES = tuple(frozenset(_EDGE_OF[frozenset(p)] for p in pairwise((*f, f[0]))) for f in _FACES)


def _loops(case: int) -> list[Loop]:
    """Closed walks over the crossed edges of one case, outward by the right hand."""
    follow: dict[int, int] = {}
    for face in _FACES:
        inside = [case >> c & 1 for c in face]
        edges = [_EDGE_OF[frozenset((face[i], face[(i + 1) % 4]))] for i in range(4)]
        for i in range(4):
            if inside[i] or not inside[(i + 1) % 4]:
                continue
            j = (i + 1) % 4
            while inside[(j + 1) % 4]:
                j = (j + 1) % 4
            follow[edges[i]] = edges[j]
    loops = []
    while follow:
        at = next(iter(follow))
        walk = []
        while at in follow:
            walk.append(at)
            at = follow.pop(at)
        loops.append(tuple(walk))
    return loops


def _middle(edge: int) -> tuple[float, ...]:
    a, b = _ENDS[edge]
    return tuple(((a >> i & 1) + (b >> i & 1)) / 2 for i in range(3))


def _diagonal(a: int, b: int) -> float:
    """How unwelcome a triangle side is: long is worse, lying in a face of the cube is not to be had."""
    flat = any(a in side and b in side for side in _SIDES)
    return 1000.0 * flat + sum((p - q) ** 2 for p, q in zip(_middle(a), _middle(b), strict=True))


def _triangles(loop: Loop) -> list[Loop]:
    """The cheapest triangulation of a loop, its sides themselves costing nothing."""

    @cache
    def best(i: int, j: int) -> tuple[float, tuple[Loop, ...]]:
        if j - i < 2:
            return 0.0, ()
        side = 0.0 if (i, j) == (0, len(loop) - 1) else _diagonal(loop[i], loop[j])
        choices = []
        for k in range(i + 1, j):
            left, right = best(i, k), best(k, j)
            made = (*left[1], *right[1], (loop[i], loop[k], loop[j]))
            choices.append((left[0] + right[0] + side, made))
        return min(choices)

    return list(best(0, len(loop) - 1)[1])


def _table() -> tuple[I32, I32]:
    """How many triangles each case has (256,), and their edges (256, most, 3)."""
    cases = [[t for loop in _loops(case) for t in _triangles(loop)] for case in range(256)]
    counts = np.array([len(c) for c in cases], dtype=np.int32)
    table = np.zeros((256, int(counts.max()), 3), dtype=np.int32)
    for case, triangles in enumerate(cases):
        if triangles:
            table[case, : len(triangles)] = triangles
    return counts, table


COUNTS, TRIANGLES = _table()
