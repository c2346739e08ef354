"""The faces of an OBJ file: corners as `1`, `1/2`, `1//3` or `1/2/3`, any number of them a face.

Refuses to know what the corners point at, beyond how many of it came before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pipeline.formats.obj_lines import I64, LineError, Part, Text
from pipeline.records import I32

NOTHING = -1  # an index that is not given

_MOST = np.iinfo(np.int32).max
_HANGING = re.compile(rb"(?<=\d)//?(?=[ \n])")
_NAMES = ("vertex", "texture coordinate", "normal")
_PATTERNS = {(0,): (0,), (0, 1): (0, 1), (0, 2): (0, 2), (0, 1, 1): (0, 1, 2)}  # slashes: which columns


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Triangles (F, 3) of one block by what they point at, None where nothing does."""

    vertices: I32
    textures: I32 | None
    normals: I32 | None
    counts: I64  # (n,) triangles of each line
    offsets: I64  # (n,) where the lines begin in the file

    def offset_of(self, triangle: int) -> int:
        """Where in the file the line of a triangle begins."""
        return int(self.offsets[np.searchsorted(np.cumsum(self.counts), triangle, side="right")])


def faces_of(part: Part, before: tuple[I64, I64, I64]) -> Faces:
    """The part's faces as triangles, polygons cut as fans.

    `before` are the vertices, texture coordinates and normals known at each line (n,): what negative
    indices count back from.
    """
    numbers, starts = part.whole()
    slashes = _slashes(part, starts)
    if int(slashes.sum()) != np.count_nonzero(part.text == ord("/")):
        part = _without_hanging(part)
        slashes = _slashes(part, starts)
        _check_hanging(part, slashes)
    first = starts[slashes == 0] if slashes.any() else starts
    corners = part.counts(first)
    if (few := np.flatnonzero(corners < 3)).size:
        raise LineError(part.offsets[few[0]], f"a face has {corners[few[0]]} corners; 3 is the least")
    columns = _columns(part, numbers, starts, slashes)
    fan = _fan(corners)
    flat = [
        None if column is None else _resolved(part, column, corners, known, name)[fan]
        for column, known, name in zip(columns, before, _NAMES, strict=True)
    ]
    assert flat[0] is not None  # a corner begins with its vertex
    return Faces(flat[0], flat[1], flat[2], corners - 2, part.offsets)


def _without_hanging(part: Part) -> Part:
    """The part with `1/` and `1//` read as `1`, which some programs mean by it."""
    text = _HANGING.sub(lambda found: b" " * len(found[0]), part.text.tobytes())
    return Part(np.frombuffer(text, dtype=np.uint8), part.at, part.offsets, part.lines)


def _slashes(part: Part, starts: I64) -> Text:
    """How many slashes stand before each number: none begins a corner, two leave a place out."""
    text = part.text
    one = text[starts - 1] == ord("/")
    count: Text = one.astype(np.uint8)
    if one.any():
        count += one & (text[starts - 2] == ord("/"))
    hanging = (count > 0) & (text[starts - 1 - count] <= ord(" "))
    if hanging.any():
        raise LineError(part.offsets[part.line_of(starts[hanging][0])], "a corner begins with a slash")
    return count


def _check_hanging(part: Part, slashes: Text) -> None:
    """Refuse slashes that stand before no number."""
    if int(slashes.sum()) != np.count_nonzero(part.text == ord("/")):
        found = re.search(rb"///|/[ \n]", part.text.tobytes())
        line = part.line_of(found.start()) if found else 0
        raise LineError(part.offsets[line], "a slash that no number follows")


def _columns(
    part: Part, numbers: I64, starts: I64, slashes: Text
) -> tuple[I64 | None, I64 | None, I64 | None]:
    """What each corner points at (C,), counted as in the file, 0 = nothing; None where all are."""
    if (zero := np.flatnonzero(numbers == 0)).size:
        raise LineError(part.offsets[part.line_of(starts[zero[0]])], "index 0; OBJ counts from 1")
    columns: list[I64 | None] = [None, None, None]
    width = int(np.argmax(slashes[1:4] == 0)) + 1 if len(slashes) > 1 else 1
    pattern = tuple(slashes[:width].tolist())
    whole = pattern in _PATTERNS and len(slashes) % width == 0
    if whole and (slashes.reshape(-1, width) == pattern).all():  # nearly always: all corners alike
        for i, place in enumerate(_PATTERNS[pattern]):
            columns[place] = numbers[i::width]
        return columns[0], columns[1], columns[2]
    return _uneven(part, numbers, starts, slashes)


def _uneven(
    part: Part, numbers: I64, starts: I64, slashes: Text
) -> tuple[I64 | None, I64 | None, I64 | None]:
    """The columns of corners that are written in several ways."""
    columns: list[I64 | None] = [None, None, None]
    corner = np.cumsum(slashes == 0) - 1
    rank = np.arange(len(slashes)) - np.flatnonzero(slashes == 0)[corner]
    place = rank + (slashes == 2)
    after_gap = (rank == 2) & (np.concatenate([[0], slashes[:-1]]) == 2)
    if (bad := np.flatnonzero((place > 2) | after_gap | ((slashes == 2) & (rank != 1)))).size:
        raise LineError(part.offsets[part.line_of(starts[bad[0]])], "a corner has more than three numbers")
    for i in range(3):
        if (place == i).any():
            column = np.zeros(int(corner[-1]) + 1, dtype=np.int64)
            column[corner[place == i]] = numbers[place == i]
            columns[i] = column
    return columns[0], columns[1], columns[2]


def _fan(corners: I64) -> I64:
    """Which corner of the part each triangle's three are (F, 3)."""
    if (corners == 3).all():
        return np.arange(3 * len(corners)).reshape(-1, 3)
    first = np.cumsum(corners) - corners
    triangles = corners - 2
    start = np.repeat(first, triangles)
    step = np.arange(len(start)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([start, start + step + 1, start + step + 2], axis=-1)


def _resolved(part: Part, column: I64, corners: I64, known: I64, name: str) -> I32:
    """Indices from 0 (C,), those that count back from what is known resolved; -1 = nothing."""
    index = column - 1
    index[column == 0] = NOTHING
    back = column < 0
    if back.any():
        index[back] = (column + np.repeat(known, corners))[back]
    wrong = (index < NOTHING) | (back & (index < 0)) | (index >= _MOST)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        line = int(np.searchsorted(np.cumsum(corners), place, side="right"))
        said, have = column[place], known[line]
        raise LineError(part.offsets[line], f"{name} {said} does not exist; {have} came before it")
    return index.astype(np.int32)
