"""The triangles of one cell of a surface that is spread over a grid of pixels.

A cell lies between four pixels, its corners. Refuses to know coordinates: what it hands out are numbers of
places in a cell, and who has many cells fills in their vertices.

Places, clockwise in the picture: 0 to 3 are the corners, from the left upper one; edge e leads from corner
e to the next one, and has the places 4 + 2 e beside its start and 5 + 2 e beside its end; 12 is the middle.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

PLAIN, STEP, OPEN = 0, 1, 2  # edges: one surface, one with a step half-way, and none that reaches across
MIDDLE = 12

Triangle = tuple[int, int, int]

_XY = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def code_of(corners: tuple[bool, ...], edges: tuple[int, ...]) -> int:
    """One number for a cell: which of its corners are there, and what its edges are."""
    return sum(there << i for i, there in enumerate(corners)) + sum(
        e << 4 + 2 * i for i, e in enumerate(edges)
    )


@cache
def triangles(code: int) -> tuple[Triangle, ...]:
    """The triangles of a cell, clockwise in the picture.

    An edge with a step is the way from its start over both its places to its end. Where an edge is open,
    the surface ends at the places beside its corners, and straight ahead from there to the next such place.
    No triangle has a side that could be one of the next cell's too, but those on the cell's own rim.
    """
    found: list[Triangle] = []
    for outline in _outlines(code):
        if outline[-1] == MIDDLE:
            found += [(MIDDLE, a, b) for a, b in pairwise(outline[:-1])]
        else:
            found += _filled(outline)
    return tuple(found)


def _outlines(code: int) -> list[tuple[int, ...]]:
    """The pieces of surface in a cell, each by the places around it."""
    corners = [bool(code >> i & 1) for i in range(4)]
    edges = [code >> 4 + 2 * i & 3 for i in range(4)]
    if OPEN not in edges:
        return [_walk(edges, 0, 4)] if all(corners) else []
    found = []
    for before in range(4):
        first = (before + 1) % 4
        if edges[before] != OPEN or not corners[first]:
            continue
        count = 1
        while edges[(first + count - 1) % 4] != OPEN:
            count += 1
        last = (first + count - 1) % 4
        outline = (5 + 2 * before, *_walk(edges, first, count), 4 + 2 * last)
        # A surface that is slit at one edge alone ends at the same two places in both cells there.
        found.append((*outline, MIDDLE) if count == 4 else outline)
    return found


def _walk(edges: list[int], first: int, count: int) -> tuple[int, ...]:
    """Some corners and the steps between them; of all four, also the step back to the first."""
    places: list[int] = []
    for i in range(count):
        at = (first + i) % 4
        places.append(at)
        if edges[at] == STEP:
            places += [4 + 2 * at, 5 + 2 * at]
    return tuple(places)


def _filled(outline: tuple[int, ...]) -> list[Triangle]:
    """The triangles within an outline that cross the fewest steps, and have the shortest sides."""
    level = _levels(outline)
    cost: dict[tuple[int, int], tuple[float, int]] = {}
    for span in range(2, len(outline)):
        for i in range(len(outline) - span):
            j = i + span
            ways = [(_weight(outline, level, (i, k, j), cost), k) for k in range(i + 1, j)]
            cost[i, j] = min(ways)
    found: list[Triangle] = []
    todo = [(0, len(outline) - 1)]
    while todo:
        i, j = todo.pop()
        if j - i > 1:
            k = cost[i, j][1]
            found.append((outline[i], outline[k], outline[j]))
            todo += [(i, k), (k, j)]
    return found


def _levels(outline: tuple[int, ...]) -> list[int]:
    """Which places have no step between them; an outline that starts at a corner comes back to it."""
    level, levels = 0, []
    for place, after in zip(outline, (*outline[1:], outline[0]), strict=True):
        levels.append(level)
        level += place >= 4 and after == place + 1 and place % 2 == 0
    return [one % max(level, 1) for one in levels] if outline[0] < 4 else levels


def _weight(
    outline: tuple[int, ...],
    level: list[int],
    triangle: Triangle,
    cost: dict[tuple[int, int], tuple[float, int]],
) -> float:
    i, k, j = triangle
    sides = ((i, k), (k, j), (i, j))
    total = sum(cost[side][0] for side in sides[:2] if side in cost)
    total += 100.0 * (len({level[corner] for corner in triangle}) > 1)
    for a, b in sides:
        inside = b - a not in {1, len(outline) - 1}
        if inside and _edges_of(outline[a]) & _edges_of(outline[b]):
            return float("inf")
        total += sum((p - q) ** 2 for p, q in zip(_place(outline[a]), _place(outline[b]), strict=True))
    return total


def _edges_of(place: int) -> set[int]:
    return {place, (place - 1) % 4} if place < 4 else {(place - 4) // 2}


def _place(place: int) -> tuple[float, float]:
    if place < 4:
        return _XY[place]
    start = (place - 4) // 2
    (ax, ay), (bx, by) = _XY[start], _XY[(start + 1) % 4]
    return (ax + bx) / 2, (ay + by) / 2
