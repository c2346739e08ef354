"""What an OBJ's triangles wear: the picture or colour of their material, and where on the picture.

Where vertices have colours, those are the mesh's: a material's plain colour is then no texture, and a
material file or a picture that is not there is not missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.mtl import Material, read_mtl
from pipeline.formats.obj_faces import NOTHING
from pipeline.formats.obj_text import ObjText
from pipeline.formats.texture import is_there, locate, read_texture
from pipeline.records import F32, I32, U8, Bool

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Dress:
    """Textures, which one each triangle wears, and where on it: as in a Mesh."""

    uvs: F32 | None
    face_uvs: I32 | None
    textures: tuple[U8, ...] = ()
    face_textures: I32 | None = None


@dataclass(frozen=True, slots=True)
class _Cloth:
    """What one material comes down to."""

    material: Material
    source: Path | Color


def dressed_in(text: ObjText, picture: Path, most_pixels: int) -> Dress:
    """Every triangle in the one picture."""
    covered = _covered(text)
    if not covered.any():
        raise FormatError(f"{picture}: its mesh has no texture coordinates (vt) to show it by")
    texture = read_texture(picture, most_pixels)
    return Dress(text.uvs, text.face_uvs, (texture,), covered.astype(np.int32) - 1)


def dressed(path: Path, text: ObjText, root: Path, most_pixels: int) -> Dress:
    """Every triangle in what its material says."""
    cloths = _cloths(path, text, root)
    sources: dict[Path | Color, int] = {}
    worn = np.full(len(text.faces), NOTHING, dtype=np.int32)
    moved: dict[Material, list[slice]] = {}
    covered = _covered(text)
    for name, rows in _runs(text):
        if cloth := cloths.get(name):
            index = sources.setdefault(cloth.source, len(sources))
            everywhere = cloth.material.picture is None
            worn[rows] = index if everywhere else np.where(covered[rows], index, NOTHING)
            if _moves(cloth.material):
                moved.setdefault(cloth.material, []).append(rows)
    uvs, face_uvs = _moved(path, text.uvs, text.face_uvs, moved)
    if not sources:
        return Dress(uvs, face_uvs)
    return Dress(uvs, face_uvs, _textures(sources, most_pixels), worn)


def _covered(text: ObjText) -> Bool:
    """Which triangles have texture coordinates at all corners (F,)."""
    if text.face_uvs is None:
        return np.zeros(len(text.faces), dtype=np.bool_)
    covered: Bool = (text.face_uvs != NOTHING).all(axis=1)
    return covered


def _runs(text: ObjText) -> Iterator[tuple[str, slice]]:
    """Triangles in a row of one material, and its name."""
    bounds = pairwise([*text.starts.tolist(), len(text.faces)])
    for name, (start, end) in zip(text.materials, bounds, strict=True):
        yield name, slice(start, end)


def _cloths(path: Path, text: ObjText, root: Path) -> dict[str, _Cloth]:
    """What the materials in use come down to, those that show something."""
    used = dict.fromkeys(text.materials)
    cloths: dict[str, _Cloth] = {}
    for library in _libraries(path, text, root) if used else ():
        for name, material in read_mtl(library).items():
            if name not in used or name in cloths:
                continue
            if material.picture is not None:
                if text.colors is None or is_there(material.picture, library.parent, root):
                    cloths[name] = _Cloth(material, locate(material.picture, library.parent, root))
            elif material.color is not None and text.colors is None:
                cloths[name] = _Cloth(material, material.color)
    return cloths


def _libraries(path: Path, text: ObjText, root: Path) -> Iterator[Path]:
    """The material files: a line names one, spaces and all, or several with spaces between."""
    for line in text.libraries:
        several = [name for name in line.split() if is_there(name, path.parent, root)]
        names = line.split() if several and not is_there(line, path.parent, root) else [line]
        for name in names:
            if text.colors is None or is_there(name, path.parent, root):
                yield locate(name, path.parent, root)


def _moves(material: Material) -> bool:
    return material.picture is not None and (material.scale, material.offset) != ((1, 1), (0, 0))


def _moved(
    path: Path, uvs: F32 | None, face_uvs: I32 | None, moved: dict[Material, list[slice]]
) -> tuple[F32 | None, I32 | None]:
    """Texture coordinates of their own for triangles whose material scales or offsets its picture."""
    if uvs is None or face_uvs is None or not moved:
        return uvs, face_uvs
    sheets, count, face_uvs = [uvs], len(uvs), face_uvs.copy()
    for material, runs in moved.items():
        rows = np.concatenate([np.arange(run.start, run.stop) for run in runs])
        corners = face_uvs[rows]
        old, new = np.unique(corners[corners != NOTHING], return_inverse=True)
        corners[corners != NOTHING] = count + new
        face_uvs[rows] = corners
        with np.errstate(over="ignore", invalid="ignore"):
            sheets.append((uvs[old] * material.scale + material.offset).astype(np.float32))
        if not np.isfinite(sheets[-1]).all():
            raise FormatError(f"{path}: options -s and -o of {material.picture} move it out of all bounds")
        count += len(old)
    return np.concatenate(sheets), face_uvs


def _textures(sources: dict[Path | Color, int], most_pixels: int) -> tuple[U8, ...]:
    """The pictures decoded, all of them within the limit together; colours as pictures of one pixel."""
    textures: list[U8] = []
    left = most_pixels
    for source in sources:
        if isinstance(source, Path):
            textures.append(read_texture(source, left))
            left -= textures[-1].size // 3
        else:
            textures.append(np.rint(np.array(source).reshape(1, 1, 3) * 255).astype(np.uint8))
    return tuple(textures)
