"""Faces of a PLY file as triangles: polygons as fans, strips piece by piece.

Refuses faces that name vertices that are not there, rather than leave them out.
"""

from __future__ import annotations

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.ply_rows import Lists, Place, Table, Values
from pipeline.records import I32

CORNERS = ("vertex_indices", "vertex_index")
_STEP = 1 << 16  # triangles made at once
_BREAK = -1  # ends one strip and begins another


def fans(table: Table, vertices: int) -> I32:
    """The triangles (F, 3) of polygons, in their order; each is cut from its first corner."""
    corners = _corners(table, "face")
    _check(corners, vertices, lowest=0, name="face", place=table.place)
    values, counts = corners.values, corners.counts
    if isinstance(counts, int):
        if not len(values):
            return np.empty((0, 3), dtype=np.int32)
        if counts < 3:
            raise FormatError(f"{table.place(0)}: face 0 has {counts} corners; a face has three or more")
        return _fans_of(values, counts)
    if (counts < 3).any():
        row = int(np.argmax(counts < 3))
        raise FormatError(
            f"{table.place(row)}: face {row} has {counts[row]} corners; a face has three or more"
        )
    flat = values.astype(np.int32)
    starts = np.cumsum(counts) - counts
    made = np.cumsum(counts - 2)
    triangles = np.empty((int(made[-1]), 3), dtype=np.int32)
    for low in range(0, len(triangles), _STEP):
        wanted = np.arange(low, min(low + _STEP, len(triangles)))
        face = np.searchsorted(made, wanted, side="right")
        nth = wanted - (made - counts + 2)[face]
        first = starts[face]
        some = triangles[low : low + len(wanted)]
        some[:, 0], some[:, 1], some[:, 2] = flat[first], flat[first + nth + 1], flat[first + nth + 2]
    return triangles


def strips(table: Table, vertices: int) -> I32:
    """The triangles (F, 3) of strips, every second one turned round so that all face the same way.

    A triangle that names a vertex twice only leads from one piece of a strip to the next.
    """
    corners = _corners(table, "tristrips")
    _check(corners, vertices, lowest=_BREAK, name="strip", place=table.place)
    flat = np.ascontiguousarray(corners.values, dtype=np.int32).ravel()
    rows = len(corners.values) if isinstance(corners.counts, int) else len(corners.counts)
    lengths = np.broadcast_to(np.asarray(corners.counts, dtype=np.int64), rows)
    begins = np.zeros(len(flat), dtype=bool)
    borders = np.cumsum(lengths)
    begins[(borders - lengths)[lengths > 0]] = True
    begins[1:] |= flat[:-1] == _BREAK
    at = np.arange(len(flat), dtype=np.int32)
    nth = at - np.maximum.accumulate(np.where(begins, at, 0))
    a, b, c = flat[:-2], flat[1:-1], flat[2:]
    first = np.flatnonzero((nth[2:] >= 2) & (c != _BREAK) & (a != b) & (b != c) & (a != c))
    odd = nth[first] % 2
    triangles = np.empty((len(first), 3), dtype=np.int32)
    triangles[:, 0], triangles[:, 1], triangles[:, 2] = flat[first + odd], flat[first + 1 - odd], c[first]
    return triangles


def _fans_of(values: Values, count: int) -> I32:
    """Triangles of polygons (R, count) with as many corners each."""
    triangles = np.empty((len(values), count - 2, 3), dtype=np.int32)
    triangles[:, :, 0] = values[:, :1]
    triangles[:, :, 1] = values[:, 1:-1]
    triangles[:, :, 2] = values[:, 2:]
    return triangles.reshape(-1, 3)


def _corners(table: Table, name: str) -> Lists:
    """The lists of corners, under either of their names."""
    for corners in CORNERS:
        if corners in table.lists:
            found = table.lists[corners]
            if found.values.dtype.kind == "f":
                raise FormatError(
                    f"{name}: its {corners} are {found.values.dtype}; whole numbers are needed"
                )
            return found
    raise FormatError(f"{name} has no list called {' or '.join(CORNERS)}")


def _check(corners: Lists, vertices: int, *, lowest: int, name: str, place: Place) -> None:
    """Refuse corners outside `lowest` to `vertices`, and say where the first is."""
    values = corners.values
    if not values.size or (values.min() >= lowest and values.max() < vertices):
        return
    nth = int(np.argmax(((values < lowest) | (values >= vertices)).ravel()))
    if isinstance(corners.counts, int):
        row = nth // corners.counts
    else:
        row = int(np.searchsorted(np.cumsum(corners.counts), nth, side="right"))
    raise FormatError(
        f"{place(row)}: {name} {row} names vertex {values.ravel()[nth]}; there are {vertices}, from 0"
    )
