"""PLY: triangle meshes with vertex colours and normals.

Reads text and binary files of either byte order, whatever their types; writes binary little endian. A file
is read whole into memory once, so that one that changes meanwhile cannot bring the process down.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.atomic import replacing
from pipeline.errors import ConfigError, FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.ply_faces import CORNERS, fans, strips
from pipeline.formats.ply_header import HEADER_LIMIT, Header, check_size, parse_header
from pipeline.formats.ply_rows import Table, binary_end, binary_table
from pipeline.formats.ply_text import read_text, text_table
from pipeline.records import F32, I32, U8, Mesh

_PLACE = ("x", "y", "z")
_NORMAL = ("nx", "ny", "nz")
_COLORS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ("diffuse_r", "diffuse_g", "diffuse_b"),
)
_CORNERS_LEAST = dict.fromkeys(CORNERS, 3)
_READ: dict[str, dict[str, int]] = {"vertex": {}, "face": _CORNERS_LEAST, "tristrips": _CORNERS_LEAST}


def read_ply(path: Path) -> Mesh:
    """The mesh in a file: triangles, and vertex colours and normals where it has them.

    Polygons are cut into fans and strips into triangles. Colours of floats are shares of 1; alpha is left.
    """
    with blaming(path):
        data = _content(path)
        header = parse_header(data[:HEADER_LIMIT].tobytes())
        check_size(header, len(data))
        tables = _tables(data, header)
        if "vertex" not in tables or not tables.keys() & {"face", "tristrips"}:
            names = ", ".join(element.name[:40] for element in header.elements) or "none"
            raise FormatError(f"has elements {names}; it needs vertex and face: is it a mesh?")
        vertex = tables["vertex"]
        vertices = _numbers(vertex, _PLACE)
        faces = _triangles(tables, len(vertices))
        normals = _numbers(vertex, _NORMAL) if vertex.columns.keys() >= set(_NORMAL) else None
        return Mesh(vertices, faces, _colors(vertex), normals=normals)


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write vertices, triangles, vertex colours and normals; the file appears whole or not at all."""
    if mesh.uvs is not None or mesh.textures:
        raise ConfigError(f"{path.name}: PLY is written without textures; write OBJ")
    parts: list[tuple[tuple[str, ...], str, F32 | U8]] = [(_PLACE, "<f4", mesh.vertices)]
    if mesh.normals is not None:
        parts.append((_NORMAL, "<f4", mesh.normals))
    if mesh.colors is not None:
        parts.append((_COLORS[0], "u1", mesh.colors))
    vertex = np.empty(len(mesh.vertices), [(name, kind) for names, kind, _ in parts for name in names])
    for names, _, values in parts:
        for i, name in enumerate(names):
            vertex[name] = values[:, i]
    face = np.empty(len(mesh.faces), [("count", "u1"), ("corners", "<i4", (3,))])
    face["count"] = 3
    face["corners"] = mesh.faces
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertex)}",
        *(
            f"property {'float' if kind == '<f4' else 'uchar'} {n}"
            for names, kind, _ in parts
            for n in names
        ),
        f"element face {len(face)}",
        f"property list uchar int {CORNERS[0]}",
        "end_header",
    ]
    with replacing(path) as stream:
        stream.write(("\n".join(lines) + "\n").encode("ascii"))
        stream.write(vertex.tobytes())
        stream.write(face.tobytes())


def _content(path: Path) -> U8:
    """The bytes of a file; pipes and devices could go on for ever."""
    if path.exists() and not path.is_file():
        raise FormatError("is not a file")
    return np.fromfile(path, dtype=np.uint8)


def _tables(data: U8, header: Header) -> dict[str, Table]:
    """The elements that make a mesh, up to the last of them."""
    wanted = [i for i, element in enumerate(header.elements) if element.name in _READ]
    tables = {}
    text = None if header.order else read_text(data, header)
    at = 0 if text else header.size
    for element in header.elements[: max(wanted, default=-1) + 1]:
        least = _READ.get(element.name)
        if text:
            if least is not None:
                tables[element.name] = text_table(text, at, element)
            at += element.count
        elif least is None:
            at = binary_end(data, at, element, header.order)
        else:
            tables[element.name], at = binary_table(data, at, element, header.order, least)
    return tables


def _triangles(tables: dict[str, Table], vertices: int) -> I32:
    """All triangles (F, 3), of which there must be some."""
    parts = [make(tables[name], vertices) for name, make in _MAKERS.items() if name in tables]
    faces = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if not len(faces):
        raise FormatError(f"has {vertices} vertices and no faces; a mesh is needed, not a cloud of points")
    return faces


_MAKERS = {"face": fans, "tristrips": strips}


def _numbers(vertex: Table, names: tuple[str, str, str]) -> F32:
    """Three columns side by side (V, 3), every number finite."""
    for name in names:
        if name not in vertex.columns:
            raise FormatError(
                f"vertex has {', '.join(vertex.columns)[:200] or 'nothing'}; {name} is missing"
            )
    numbers = np.empty((len(vertex.columns[names[0]]), 3), dtype=np.float32)
    with np.errstate(over="ignore"):  # a double too large becomes infinite, and is then refused
        for i, name in enumerate(names):
            numbers[:, i] = vertex.columns[name]
    good = np.isfinite(numbers).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        values = [f"{name} = {vertex.columns[name][row]}" for name in names]
        raise FormatError(
            f"{vertex.place(row)}: vertex {row} has {', '.join(values)}; finite numbers are needed"
        )
    return numbers


def _colors(vertex: Table) -> U8 | None:
    """Vertex colours (V, 3) under the first of their usual names, or None."""
    names = next((names for names in _COLORS if vertex.columns.keys() >= set(names)), None)
    if names is None:
        return None
    columns = [vertex.columns[name] for name in names]
    colors = np.empty((len(columns[0]), 3), dtype=np.uint8)
    for i, column in enumerate(columns):
        if column.dtype == np.uint8:
            colors[:, i] = column
            continue
        floats = column.dtype.kind == "f"
        levels = np.rint(column.astype(np.float64) * 255) if floats else column
        good = (levels >= 0) & (levels <= 255)
        if not good.all():
            row = int(np.argmin(good))
            raise FormatError(
                f"{vertex.place(row)}: vertex {row} has {names[i]} = {column[row]}; "
                f"colours of type {column.dtype.name} go from 0 to {1 if floats else 255}"
            )
        colors[:, i] = levels
    return colors
