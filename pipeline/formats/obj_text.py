"""OBJ text to arrays: what the file itself says, its materials by name only.

Refuses to open any other file, and to change a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.obj_faces import NOTHING, Faces, faces_of
from pipeline.formats.obj_lines import (
    FACE,
    I64,
    NORMAL,
    TEXTURE,
    VERTEX,
    Block,
    LineError,
    blocks,
    line_number,
)
from pipeline.records import F32, I32, U8

_COLORED = (6, 7)  # numbers of a vertex that end with a colour: x y z r g b, and perhaps alpha
_LIBRARY = b"mtllib"
_KINDS = {VERTEX: ("a vertex", 7), TEXTURE: ("a texture coordinate", 3), NORMAL: ("a normal", 3)}


@dataclass(frozen=True, slots=True, eq=False)
class ObjText:
    """What an OBJ file says; -1 = no texture coordinate.

    `materials` (R,) are the names in the order of their use, and `starts` (R,) the first triangle of each.
    """

    vertices: F32
    faces: I32
    colors: U8 | None
    normals: F32 | None
    uvs: F32 | None
    face_uvs: I32 | None
    starts: I64
    materials: tuple[str, ...]
    libraries: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Sheets:
    """All that was read so far."""

    rows: dict[int, list[F32]] = field(default_factory=lambda: {kind: [] for kind in _KINDS})
    counts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    faces: list[Faces] = field(default_factory=list)
    triangles: int = 0
    uses: list[tuple[int, str]] = field(default_factory=list)
    libraries: dict[str, None] = field(default_factory=dict)


def parse(path: Path) -> ObjText:
    """What the file says, or a FormatError with path and line."""
    if path.exists() and not path.is_file():  # a pipe would be waited on for ever
        raise FormatError(f"{path}: is not a file")
    sheets = _Sheets()
    try:
        with path.open("rb") as stream:
            for block in blocks(stream):
                _add(sheets, block)
        return _bound(sheets)
    except LineError as fault:
        raise FormatError(f"{path}: line {line_number(path, fault.offset)}: {fault}") from fault
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}") from error


def libraries_in(path: Path) -> Iterator[str]:
    """The names of material files, as `parse` finds them, without the time that the numbers take."""
    try:
        with path.open("rb") as stream:
            for block in blocks(stream, _LIBRARY):
                yield from (name for _, word, name in _named(block) if word == _LIBRARY and name)
    except LineError as fault:
        raise FormatError(f"{path}: line {line_number(path, fault.offset)}: {fault}") from fault
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}") from error


def _add(sheets: _Sheets, block: Block) -> None:
    """Read one block behind those before it."""
    known = {}
    for kind, (name, most) in _KINDS.items():
        known[kind] = sheets.counts[kind]
        if part := block.part(kind):
            rows = sheets.rows[kind]
            width = rows[0].shape[1] if rows else None
            values = part.floats(width, most, name)
            _check_width(part.offsets, kind, values)
            rows.append(values)
            sheets.counts[kind] += len(values)
    lines, ends = np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    if part := block.part(FACE):
        before = [known[k] + np.cumsum(block.kinds == k)[part.lines] for k in _KINDS]
        faces = faces_of(part, (before[0], before[1], before[2]))
        sheets.faces.append(faces)
        lines, ends = part.lines, np.concatenate([[0], np.cumsum(faces.counts)])
    for line, word, name in _named(block):
        if word == _LIBRARY and name:
            sheets.libraries[name] = None
        elif word == b"usemtl":
            sheets.uses.append((sheets.triangles + int(ends[np.searchsorted(lines, line)]), name))
    sheets.triangles += int(ends[-1])


def _named(block: Block) -> Iterator[tuple[int, bytes, str]]:
    """Lines that hold names: the number in the block, the first word, and the rest."""
    for line, sentence in block.sentences():
        word, _, rest = sentence.partition(b" ")
        yield line, word, rest.strip().decode("utf-8", "surrogateescape")


def _check_width(offsets: I64, kind: int, values: F32) -> None:
    """Refuse lines with too few numbers, and colours that are none."""
    width = values.shape[1]
    if (kind == VERTEX and width not in (3, 4, *_COLORED)) or (kind == NORMAL and width != 3):
        raise LineError(offsets[0], f"{_KINDS[kind][0]} has {width} numbers; 3 are needed")
    if kind == VERTEX and width in _COLORED:
        wrong = ((values[:, 3:6] < 0) | (values[:, 3:6] > 255)).any(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            said = f"colour {values[row, 3:6].tolist()} is not within 0 to 1 or 0 to 255"
            raise LineError(offsets[row], said)


def _bound(sheets: _Sheets) -> ObjText:
    """All that was read, in one piece; every index is in range."""
    vertices = _together(sheets.rows.pop(VERTEX))
    if vertices is None:
        raise LineError(0, "no line of the file is a vertex; is it an OBJ file, and complete?")
    uvs, normals = _together(sheets.rows.pop(TEXTURE)), _together(sheets.rows.pop(NORMAL))
    _check_range(sheets)
    faces = _indices([f.vertices for f in sheets.faces], sheets.faces)
    face_uvs = _indices([f.textures for f in sheets.faces], sheets.faces)
    face_normals = _indices([f.normals for f in sheets.faces], sheets.faces)
    sheets.faces.clear()
    if faces is None:
        faces = np.empty((0, 3), dtype=np.int32)
    uses = [pair for pair, after in pairwise([*sheets.uses, (sheets.triangles, "")]) if pair[0] < after[0]]
    return ObjText(
        np.ascontiguousarray(vertices[:, :3]),
        faces,
        _colors(vertices),
        None
        if normals is None or face_normals is None
        else _of_vertices(normals, faces, face_normals, len(vertices)),
        None if uvs is None or face_uvs is None else _two(uvs),
        face_uvs,
        np.array([start for start, _ in uses], dtype=np.int64),
        tuple(name for _, name in uses),
        tuple(sheets.libraries),
    )


def _together(rows: list[F32]) -> F32 | None:
    return np.concatenate(rows) if rows else None


def _check_range(sheets: _Sheets) -> None:
    """Refuse faces that point at what the whole file does not have."""
    names = ("vertex", "texture coordinate", "normal")
    for faces in sheets.faces:
        columns = (faces.vertices, faces.textures, faces.normals)
        for column, have, name in zip(columns, sheets.counts.values(), names, strict=True):
            if column is not None and column.max(initial=-1) >= have:
                row = int(np.flatnonzero((column >= have).any(axis=1))[0])
                say = f"{name} {column[row].max() + 1} does not exist; the file has {have}"
                raise LineError(faces.offset_of(row), f"{say}; is it complete?")


def _indices(columns: list[I32 | None] | list[I32], faces: list[Faces]) -> I32 | None:
    """The triangles of all blocks (F, 3), -1 where a block has none; None where no block has any."""
    if all(column is None for column in columns):
        return None
    filled = [
        np.full(block.vertices.shape, NOTHING, dtype=np.int32) if column is None else column
        for column, block in zip(columns, faces, strict=True)
    ]
    return np.concatenate(filled)


def _two(uvs: F32) -> F32:
    """The first two columns; where v is left out it is 0, as the format says."""
    if uvs.shape[1] == 1:
        return np.concatenate([uvs, np.zeros_like(uvs)], axis=1)
    return np.ascontiguousarray(uvs[:, :2])


def _colors(vertices: F32) -> U8 | None:
    """Colours behind the coordinates (V, 3), from 0..1 or, where any is over 1, from 0..255."""
    if vertices.shape[1] not in _COLORED:
        return None
    colors = vertices[:, 3:6]
    return np.rint(colors if colors.max() > 1 else colors * 255).astype(np.uint8)


def _of_vertices(normals: F32, faces: I32, face_normals: I32, count: int) -> F32 | None:
    """Normals (V, 3) where all corners of each vertex agree, None where some do not or have none."""
    if (face_normals == NOTHING).any():
        return None
    pick = np.zeros(count, dtype=np.int32)
    pick[faces] = face_normals
    chosen = pick[faces]
    differ = chosen != face_normals
    if not np.array_equal(normals[chosen[differ]], normals[face_normals[differ]]):
        return None
    used = np.zeros(count, dtype=np.bool_)
    used[faces] = True
    return np.where(used[:, None], normals[pick], np.float32(0))
