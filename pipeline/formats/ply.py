"""PLY: triangle meshes with vertex colours.

Reads binary files of either byte order, and ASCII; writes binary little endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from plyfile import PlyData, PlyElement, PlyListProperty

from pipeline.atomic import replacing
from pipeline.errors import FormatError
from pipeline.records import I32, U8, Mesh

Number = TypeVar("Number", bound=np.generic)

_HEADER_LIMIT = 1 << 16
_PLACE = ("x", "y", "z")
_COLOR = ("red", "green", "blue")
_CORNERS = ("vertex_indices", "vertex_index")
_SIZES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64"), 8),
}


def read_ply(path: Path) -> Mesh:
    """The mesh in a file, colours included where it has them."""
    with _complaints(path):
        _check_header(path)
        triangles = dict.fromkeys(_CORNERS, 3)
        data = PlyData.read(path, mmap="r", known_list_len={"face": triangles})
        names = [element.name for element in data.elements]
        if "vertex" not in names or "face" not in names:
            raise FormatError(f"has elements {', '.join(names) or 'none'}; it needs vertex and face")
        vertex, face = data["vertex"], data["face"]
        vertices = _columns(vertex, _PLACE, np.float32)
        return Mesh(vertices, _faces(face), _colors(vertex))


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write vertices, triangles and vertex colours; the file appears whole or not at all."""
    names = _PLACE if mesh.colors is None else _PLACE + _COLOR
    vertex = np.empty(len(mesh.vertices), [(name, "<f4" if name in _PLACE else "u1") for name in names])
    for i, name in enumerate(_PLACE):
        vertex[name] = mesh.vertices[:, i]
    if mesh.colors is not None:
        for i, name in enumerate(_COLOR):
            vertex[name] = mesh.colors[:, i]
    face = np.empty(len(mesh.faces), [("count", "u1"), ("corners", "<i4", (3,))])
    face["count"] = 3
    face["corners"] = mesh.faces
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertex)}",
        *(f"property {'float' if name in _PLACE else 'uchar'} {name}" for name in names),
        f"element face {len(face)}",
        f"property list uchar int {_CORNERS[0]}",
        "end_header",
    ]
    with replacing(path) as stream:
        stream.write(("\n".join(lines) + "\n").encode("ascii"))
        stream.write(vertex.tobytes())
        stream.write(face.tobytes())


@contextmanager
def _complaints(path: Path) -> Iterator[None]:
    """Everything that a bad file makes the parser raise, as one error with the path in front."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # a hostile header reaches many corners of the parser
        raise FormatError(f"{path}: not a readable PLY file: {error}; is it complete?") from error


def _check_header(path: Path) -> None:
    """Refuse counts that the file is too short for, before memory is set aside for them."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER_LIMIT)
    end = head.find(b"end_header")
    if not head.startswith(b"ply") or end < 0:
        raise FormatError(f"has no PLY header in its first {_HEADER_LIMIT} bytes")
    lines = [line.split() for line in head[:end].decode("ascii", "replace").splitlines()]
    ascii_text = ["format", "ascii", "1.0"] in lines
    count, least = 0, 0
    for words in lines:
        if words[:1] == ["element"] and len(words) == 3:
            count = int(words[2])
            if count < 0:
                raise FormatError(f"says it has {count} of {words[1]}")
        elif words[:1] == ["property"]:
            kind = words[2] if words[1:2] == ["list"] else words[1]
            least += count * (2 if ascii_text else _SIZES.get(kind, 1))
    size = path.stat().st_size - end
    if least > size:
        raise FormatError(f"its header asks for at least {least} bytes, but {size} follow; is it cut off?")


def _columns(element: PlyElement, names: tuple[str, str, str], kind: type[Number]) -> npt.NDArray[Number]:
    """Three scalar properties side by side (N, 3)."""
    have = [p.name for p in element.properties if not isinstance(p, PlyListProperty)]
    for name in names:
        if name not in have:
            raise FormatError(f"{element.name} has {', '.join(have) or 'nothing'}; {name} is missing")
    columns = np.empty((element.count, 3), dtype=kind)
    for i, name in enumerate(names):
        columns[:, i] = element[name]
    return columns


def _colors(vertex: PlyElement) -> U8 | None:
    """Vertex colours (V, 3), or None where there are none."""
    types = {p.name: p for p in vertex.properties}
    if not all(name in types for name in _COLOR):
        return None
    kinds = {str(np.dtype(types[name].val_dtype)) for name in _COLOR}
    if kinds != {"uint8"}:
        raise FormatError(f"its colours are {', '.join(sorted(kinds))}; only uchar is read")
    return _columns(vertex, _COLOR, np.uint8)


def _faces(face: PlyElement) -> I32:
    """Triangles (F, 3)."""
    lists = [p.name for p in face.properties if isinstance(p, PlyListProperty)]
    name = next((n for n in _CORNERS if n in lists), None)
    if name is None:
        raise FormatError(f"face has no list called {' or '.join(_CORNERS)}")
    corners = face[name]
    if corners.dtype == object:
        if any(len(row) != 3 for row in corners):
            raise FormatError("has faces that are not triangles; only triangles are read")
        corners = np.stack(list(corners)) if len(corners) else np.empty((0, 3))
    if len(corners) and (corners.min() < 0 or corners.max() > np.iinfo(np.int32).max):
        raise FormatError(f"faces name vertices {corners.min()} to {corners.max()}")
    return np.ascontiguousarray(corners, dtype=np.int32).reshape(-1, 3)
