"""Companions: the other files that a scan's own file names, and those that these name.

More are told than a reader opens: whether a material is worn is for who reads it. Refuses to open a
picture, to leave the folder that readers stay in, and to complain: what cannot be read names nothing here,
and is refused where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.formats.gltf_package import open_package
from pipeline.formats.mtl import read_mtl
from pipeline.formats.obj_text import libraries_in
from pipeline.formats.texture import is_file, places_of

MOST = 4096  # places told of one scan; who names more means harm


def companions_of_obj(path: Path, root: Path) -> Iterator[Path]:
    """Where the material files of an OBJ and their pictures lie, or would: each before it is opened."""
    return _each_once(_of_obj(path, root))


def companions_of_gltf(path: Path) -> Iterator[Path]:
    """Where the buffers and pictures that a GLB or glTF file has beside it lie, or would."""
    return _each_once(_of_gltf(path))


def _of_obj(path: Path, root: Path) -> Iterator[Path]:
    with suppress(FormatError):
        for library in _each_once(_libraries(path, root)):
            yield library
            if is_file(library):
                yield from _of_mtl(library, root)


def _libraries(path: Path, root: Path) -> Iterator[Path]:
    """Where material files are looked for: a line names one, spaces and all, or several."""
    for line in islice(libraries_in(path), MOST):
        places = places_of(line, path.parent, root)
        yield from places
        if not any(map(is_file, places)):
            for name in dict.fromkeys(line.split()):
                yield from places_of(name, path.parent, root)


def _of_mtl(path: Path, root: Path) -> Iterator[Path]:
    with suppress(FormatError):
        for name in dict.fromkeys(material.picture for material in read_mtl(path).values()):
            if name is not None:
                yield from places_of(name, path.parent, root)


def _of_gltf(path: Path) -> Iterator[Path]:
    with suppress(FormatError, OSError):
        for name in open_package(path).beside():
            yield from places_of(name, path.parent, path.parent)


def _each_once(places: Iterator[Path]) -> Iterator[Path]:
    told: set[Path] = set()
    for place in places:
        if place not in told:
            told.add(place)
            yield place
        if len(told) == MOST:
            return
