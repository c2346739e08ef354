"""GLB and glTF: all triangles of a scene as one mesh, in the scene's own coordinates.

trimesh decodes; what it is given is checked before. Pictures are read here, within a limit. Refuses to pose
skins and morphs: what they move is read at rest.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.gltf_package import open_package
from pipeline.formats.gltf_plan import COLOR, UV, Plan, plan
from pipeline.formats.texture import MOST_PIXELS, decode_texture
from pipeline.records import F32, F64, I32, U8, Mesh


@dataclass(frozen=True, slots=True)
class _Part:
    """One primitive in its place; `picture` is an image of the file."""

    vertices: F32
    faces: I32
    normals: F32 | None
    colors: U8 | None
    uvs: F32 | None
    picture: int | None


def read_gltf(path: Path, most_pixels: int = MOST_PIXELS) -> Mesh:
    """The mesh in a file, with vertex colours as they stand, and textures where their material names them.

    Where only some parts of a scene have vertex colours, the others' are white.
    """
    with blaming(path):
        wanted = plan(open_package(path))
        parts = list(_parts(wanted))
        if not parts:
            raise FormatError("scenes: shows no triangles; a mesh is needed")
        return _joined(parts, _textures(wanted, most_pixels))


def _parts(wanted: Plan) -> Iterator[_Part]:
    """Every primitive as often as the scene shows it."""
    from trimesh.exchange.gltf import load_gltf  # noqa: PLC0415  slow, and other formats need not wait for it

    scene = load_gltf(io.BytesIO(json.dumps(wanted.tree).encode()), wanted.buffers)
    source_of = dict(zip(scene["geometry"], wanted.primitives, strict=True))
    places: dict[str, F64] = {scene["base_frame"]: np.eye(4)}
    for edge in scene["graph"]:
        with np.errstate(all="ignore"):  # what becomes infinite is refused with the vertices
            place = places[edge["frame_from"]] @ edge["matrix"]
        places[edge["frame_to"]] = place
        if "geometry" in edge:
            way, picture = source_of[edge["geometry"]]
            yield _part(scene["geometry"][edge["geometry"]], place, picture, way)


def _part(decoded: dict[str, Any], place: F64, picture: int | None, way: str) -> _Part:
    """One primitive, moved to its place; one inside out by a mirror is turned."""
    vertices, faces = decoded["vertices"], decoded["faces"]
    if faces.max() >= len(vertices):
        raise FormatError(f"{way}: a face names vertex {faces.max()}; there are {len(vertices)}, from 0")
    extra = decoded.get("vertex_attributes", {})
    columns = [vertices, decoded.get("vertex_normals"), extra.get(COLOR), extra.get(UV)]
    if len(vertices) > faces.size:  # many parts may share one long list, each with a few of its vertices
        used, faces = np.unique(faces, return_inverse=True)
        columns = [None if column is None else column[used] for column in columns]
    points, normals, colors, uvs = columns
    faces = np.ascontiguousarray(faces.reshape(-1, 3), dtype=np.int32)
    points = _finite(points, way, "vertex")
    normals = None if normals is None else _finite(normals, way, "normal of vertex")
    if not np.array_equal(place, np.eye(4)):
        points, normals, mirrored = _moved(points, normals, place)
        if mirrored:
            faces = np.ascontiguousarray(faces[:, [0, 2, 1]])
    if uvs is not None:
        uvs = _shares(uvs).astype(np.float32)
        uvs[:, 1] = 1 - uvs[:, 1]
    return _Part(
        _finite(points, way, "moved vertex"),
        faces,
        None if normals is None else _finite(normals, way, "moved normal of vertex"),
        None if colors is None else _levels(colors[:, :3], way),
        None if uvs is None else _finite(uvs, way, "texture place of vertex"),
        picture,
    )


def _moved(points: F32, normals: F32 | None, place: F64) -> tuple[F32, F32 | None, bool]:
    """Points and unit normals after a transform, and whether it mirrors."""
    turn = place[:3, :3]
    across = np.stack(
        [np.cross(turn[i - 2], turn[i - 1]) for i in range(3)]
    )  # its inverse's transpose, scaled
    with np.errstate(all="ignore"):
        mirrored = bool((turn[0] @ across[0]) < 0)
        moved = (points.astype(np.float64) @ turn.T + place[:3, 3]).astype(np.float32)
        if normals is None:
            return moved, None, mirrored
        turned = normals.astype(np.float64) @ across.T * (-1 if mirrored else 1)
        lengths = np.linalg.norm(turned, axis=1, keepdims=True)
        np.divide(turned, lengths, out=turned, where=lengths > 0)
        return moved, turned.astype(np.float32), mirrored


def _shares(values: npt.NDArray[Any], most: int = 1) -> F64:
    """Numbers from 0 to `most`, which whole numbers fill to their largest."""
    if values.dtype.kind == "f":
        return values.astype(np.float64) * most
    return values * (most / np.iinfo(values.dtype).max)


def _levels(colors: npt.NDArray[Any], way: str) -> U8:
    """Colours (V, 3) of 8 bits."""
    levels = np.rint(_shares(colors, 255))
    if not ((levels >= 0) & (levels <= 255)).all():
        raise FormatError(f"{way}: has colours from {colors.min()} to {colors.max()}; 0 to 1 are colours")
    return levels.astype(np.uint8)


def _finite(values: npt.NDArray[Any], way: str, what: str) -> F32:
    """The same numbers, all finite."""
    good = np.isfinite(values).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise FormatError(f"{way}: {what} {row} is {values[row].tolist()}; finite numbers are needed")
    return np.ascontiguousarray(values, dtype=np.float32)


def _textures(wanted: Plan, most_pixels: int) -> dict[int, U8]:
    """The pictures that are used, by their place in the file."""
    textures = {}
    for index, (way, content) in wanted.pictures.items():
        textures[index] = decode_texture(io.BytesIO(content), way, most_pixels)
        most_pixels -= textures[index].shape[0] * textures[index].shape[1]
    return textures


def _joined(parts: list[_Part], textures: dict[int, U8]) -> Mesh:
    """All parts as one mesh; what only some have is filled up, or given up where it cannot be."""
    first, first_uv = 0, 0
    faces, face_uvs, face_textures = [], [], []
    order = {picture: i for i, picture in enumerate(textures)}
    for part in parts:
        faces.append(part.faces + np.int32(first))
        face_uvs.append(
            np.full_like(part.faces, -1) if part.uvs is None else part.faces + np.int32(first_uv)
        )
        picture = -1 if part.uvs is None or part.picture is None else order[part.picture]
        face_textures.append(np.full(len(part.faces), picture, dtype=np.int32))
        first += len(part.vertices)
        first_uv += 0 if part.uvs is None else len(part.uvs)
    uvs = [part.uvs for part in parts if part.uvs is not None]
    normals = [part.normals for part in parts if part.normals is not None]
    colors = None
    if any(part.colors is not None for part in parts):
        white = [
            np.full((len(p.vertices), 3), 255, np.uint8) if p.colors is None else p.colors for p in parts
        ]
        colors = np.concatenate(white)
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces),
        colors,
        normals=np.concatenate(normals) if len(normals) == len(parts) else None,
        uvs=np.concatenate(uvs) if uvs else None,
        face_uvs=np.concatenate(face_uvs) if uvs else None,
        textures=tuple(textures.values()),
        face_textures=np.concatenate(face_textures) if textures and uvs else None,
    )
