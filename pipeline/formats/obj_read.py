"""OBJ to a mesh: the file's text, its materials and their pictures together.

Repairs nothing: a face without a texture coordinate, a material or a picture has none in the mesh either.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats import mesh_cache
from pipeline.formats.obj_dress import dressed, dressed_in
from pipeline.formats.obj_faces import NOTHING
from pipeline.formats.obj_lines import I64
from pipeline.formats.obj_text import ObjText, parse
from pipeline.formats.texture import MOST_PIXELS
from pipeline.records import F32, I32, Mesh

BODY_VERTICES = 10_475  # of an SMPL-X body

_FORM = "obj 1"  # another number makes every kept form stale
_NAMES = ("materials", "libraries")


def read_obj(
    path: Path,
    cache: Path | None = None,
    *,
    texture: Path | None = None,
    root: Path | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Mesh:
    """The mesh in a file, its polygons cut into fans of triangles, and its textures decoded.

    `cache` is a folder for the parsed text, which makes the next read of the same file fast. `texture`
    takes the place of whatever the materials name. Materials and pictures must lie under `root`, by default
    the file's own folder. `most_pixels` limits all textures of the file together.
    """
    text = _text(path, cache)
    if not len(text.faces):
        raise FormatError(f"{path}: has {len(text.vertices)} vertices and no faces; a mesh is needed")
    if texture is not None:
        worn = dressed_in(text, texture, most_pixels)
    else:
        worn = dressed(path, text, root or path.parent, most_pixels)
    return Mesh(
        text.vertices,
        text.faces,
        text.colors,
        normals=text.normals,
        uvs=worn.uvs,
        face_uvs=worn.face_uvs,
        textures=worn.textures,
        face_textures=worn.face_textures,
    )


def read_registered(path: Path) -> F32:
    """The vertices (10475, 3) of an SMPL-X body registered to a scan, in the scan's coordinates."""
    vertices = parse(path).vertices
    if len(vertices) != BODY_VERTICES:
        raise FormatError(
            f"{path}: has {len(vertices)} vertices; a registered SMPL-X body has {BODY_VERTICES}. "
            "Was it saved with vertices merged or split?"
        )
    return vertices


def _text(path: Path, cache: Path | None) -> ObjText:
    """The file's text as arrays, from the cache where it is kept there."""
    if cache is None:
        return parse(path)
    try:
        source = mesh_cache.source_of(path, _FORM)
        found = mesh_cache.kept(cache, source)
        text = _unpacked(found) if found else None
        if text is None:
            text = parse(path)
            if mesh_cache.source_of(path, _FORM) == source:
                arrays = {f.name: getattr(text, f.name) for f in fields(text) if f.name not in _NAMES}
                plain = {name: array for name, array in arrays.items() if array is not None}
                mesh_cache.keep(cache, source, plain, {name: list(getattr(text, name)) for name in _NAMES})
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}") from error
    return text


def _unpacked(found: tuple[mesh_cache.Arrays, mesh_cache.Names]) -> ObjText | None:
    """A kept text, None where it does not hold together."""
    arrays, names = found
    try:
        text = ObjText(
            **{f.name: arrays.get(f.name) for f in fields(ObjText) if f.name not in _NAMES},  # type: ignore[arg-type]
            materials=tuple(names["materials"]),
            libraries=tuple(names["libraries"]),
        )
        points, triangles = len(text.vertices), len(text.faces)
        expected = {
            "vertices": ("<f4", (points, 3)),
            "faces": ("<i4", (triangles, 3)),
            "colors": ("|u1", (points, 3)),
            "normals": ("<f4", (points, 3)),
            "uvs": ("<f4", (0 if text.uvs is None else len(text.uvs), 2)),
            "face_uvs": ("<i4", (triangles, 3)),
            "starts": ("<i8", (len(text.materials),)),
        }
        fits = all((a.dtype.str, a.shape) == expected[name] for name, a in arrays.items())
        inside = _within(text.faces, 0, points) and _within(text.starts, 0, triangles)
        if text.face_uvs is not None:
            inside &= text.uvs is not None and _within(text.face_uvs, NOTHING, len(text.uvs))
        rising = (np.diff(text.starts) > 0).all()
    except (KeyError, TypeError, ValueError):
        return None
    return text if fits and inside and rising else None


def _within(indices: I32 | I64, low: int, end: int) -> bool:
    return not indices.size or bool(indices.min() >= low and indices.max() < end)
