"""OBJ: triangle meshes as text, with a material file and a texture image where there is one.

Lines are put together as columns of characters for many rows at once, because a million vertices one by
one take minutes. Vertex colours have no place in the format and are refused.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.atomic import replacing, write_text
from pipeline.errors import ConfigError
from pipeline.records import I32, U8, Mesh

_PLACES = 6  # decimals of a coordinate
_ROWS = 1 << 17  # lines made at once
_QUALITY = 95

Text = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
Column = bytes | tuple[I64, int]  # characters as they stand, or whole numbers and where their point goes


def write_obj(
    path: Path, mesh: Mesh, material: str = "material0.mtl", texture: str = "material0.jpeg"
) -> None:
    """Write a mesh; one with a texture also gets `material` and `texture`, both named from `path`'s folder.

    The OBJ comes last, so that where it is, the rest is too.
    """
    if mesh.colors is not None and not mesh.textures:
        raise ConfigError(f"{path.name}: OBJ has no vertex colours; give a texture or write PLY")
    if len(mesh.textures) > 1:
        raise ConfigError(f"{path.name}: has {len(mesh.textures)} textures; one is written at most")
    if mesh.face_uvs is not None and mesh.face_uvs.min(initial=0) < 0:
        raise ConfigError(f"{path.name}: some corners have no texture coordinate; all or none are written")
    if mesh.textures:
        _write_image(path.parent / texture, mesh.textures[0])
        image = _from_folder(material, texture)
        write_text(
            path.parent / material, f"newmtl material0\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nmap_Kd {image}\n"
        )
    uvs, corners = mesh.uvs, mesh.face_uvs
    with replacing(path) as stream:
        if mesh.textures:
            stream.write(f"mtllib {material}\n".encode())
        for start in range(0, len(mesh.vertices), _ROWS):
            stream.write(_decimals(b"v", mesh.vertices[start : start + _ROWS]))
        if uvs is not None and corners is not None:
            for start in range(0, len(uvs), _ROWS):
                stream.write(_decimals(b"vt", uvs[start : start + _ROWS]))
            stream.write(b"usemtl material0\n" if mesh.textures else b"")
        if mesh.normals is not None:
            for start in range(0, len(mesh.normals), _ROWS):
                stream.write(_decimals(b"vn", mesh.normals[start : start + _ROWS]))
        for start in range(0, len(mesh.faces), _ROWS):
            some = slice(start, start + _ROWS)
            corner = None if corners is None else corners[some]
            stream.write(_triangles(mesh.faces[some], corner, mesh.normals is not None))


def _from_folder(material: str, texture: str) -> str:
    """The texture's name as seen from the material's folder."""
    parent = PurePosixPath(material).parent
    if parent == PurePosixPath("."):
        return texture
    return str(PurePosixPath(texture).relative_to(parent))


def _write_image(path: Path, image: U8) -> None:
    """Write a texture as its name says: JPEG with full colour resolution, or PNG."""
    with replacing(path) as stream:
        if path.suffix == ".png":
            Image.fromarray(image).save(stream, format="PNG", compress_level=1)
        else:
            Image.fromarray(image).save(stream, format="JPEG", quality=_QUALITY, subsampling=0)


def _decimals(word: bytes, values: npt.NDArray[np.float32]) -> bytes:
    """Lines of a word and a row of decimal numbers each."""
    columns: list[Column] = [word]
    whole = np.rint(values.astype(np.float64) * 10**_PLACES).astype(np.int64)
    for i in range(values.shape[1]):
        columns += [b" ", (whole[:, i], _PLACES)]
    return _lines(columns)


def _triangles(faces: I32, corners: I32 | None, has_normals: bool) -> bytes:
    """Lines of faces, counted from one, with texture corners and their vertices' normals where they are."""
    columns: list[Column] = [b"f"]
    for i in range(3):
        columns += [b" ", (faces[:, i] + np.int64(1), 0)]
        if corners is not None:
            columns += [b"/", (corners[:, i] + np.int64(1), 0)]
        if has_normals:
            columns += [b"//" if corners is None else b"/", (faces[:, i] + np.int64(1), 0)]
    return _lines(columns)


def _lines(columns: list[Column]) -> bytes:
    """Columns side by side, a line for each row."""
    count = next(len(c[0]) for c in columns if isinstance(c, tuple))
    parts = [_digits(*c) if isinstance(c, tuple) else _repeated(c, count) for c in (*columns, b"\n")]
    text = np.concatenate(parts, axis=1)
    return bytes(text[text != 0].tobytes())


def _repeated(word: bytes, count: int) -> Text:
    return np.broadcast_to(np.frombuffer(word, dtype=np.uint8), (count, len(word)))


def _digits(values: I64, places: int) -> Text:
    """Whole numbers (N,) in characters (N, W), the last `places` after a point; 0 = no character."""
    left = np.abs(values)
    width = max(len(str(int(left.max(initial=0)))), places + 1)
    text = np.zeros((len(values), width + 1 + (places > 0)), dtype=np.uint8)
    at = text.shape[1]
    for place in range(width):
        if place == places and places:
            at -= 1
            text[:, at] = ord(".")
        at -= 1
        left, digit = np.divmod(left, 10)
        shown = (left > 0) | (digit > 0) if place > places else True
        text[:, at] = np.where(shown, digit + ord("0"), 0)
    text[:, 0] = np.where(values < 0, ord("-"), 0)
    return text
