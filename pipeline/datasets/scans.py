"""A person's scan, read from whatever format it is in. Refuses to know the formats."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import FormatError
from pipeline.formats.companions import companions_of_gltf, companions_of_obj
from pipeline.formats.gltf import read_gltf
from pipeline.formats.obj_read import read_obj
from pipeline.formats.ply import read_ply
from pipeline.formats.texture import MOST_PIXELS
from pipeline.records import Mesh, Subject
from pipeline.store import Workspace


def read_scan(work: Workspace, subject: Subject) -> Mesh:
    """The mesh of a subject, dressed in the texture that the dataset's layout names, if it names one."""
    if subject.mesh is None:
        raise FormatError("has no mesh: there is no scan among its files")
    path = work.absolute(subject.mesh)
    most = work.most_texture_pixels or MOST_PIXELS
    match path.suffix.lower():
        case ".ply":
            return read_ply(path)
        case ".obj":
            dress = _texture(work, subject)
            return read_obj(path, work.parsed, texture=dress, root=work.root, most_pixels=most)
        case ".glb" | ".gltf":
            return read_gltf(path, most)
        case other:
            raise FormatError(f"{subject.mesh} is {other}; .ply, .obj, .glb and .gltf can be read")


def companions_of(work: Workspace, subject: Subject) -> Iterator[str]:
    """The files below the data folder that a subject's scan is read from because its own files name them.

    Each is told before it is opened, whether it is there or not. A name that is no text cannot be noted,
    and is left out.
    """
    path = work.absolute(subject.mesh or "")
    places: Iterator[Path] = iter(())
    match path.suffix.lower():
        case ".obj" if _texture(work, subject) is None:
            places = companions_of_obj(path, work.root)
        case ".glb" | ".gltf":
            places = companions_of_gltf(path)
    root = os.path.normpath(work.root)
    return filter(_is_text, (place.relative_to(root).as_posix() for place in places))


def _is_text(name: str) -> bool:
    """Whether a name can be written down: files may have any bytes in theirs."""
    return "\0" not in name and name.encode("utf-8", "replace").decode() == name


def _texture(work: Workspace, subject: Subject) -> Path | None:
    """The one image that a layout knows to be the texture; None leaves it to the materials."""
    images = [path for path in subject.textures if PurePosixPath(path).suffix.lower() != ".mtl"]
    return work.absolute(images[0]) if len(images) == 1 else None
