"""Keys: digests of all that decides a view's pixels and keypoints: what has the same key is not made again.

A key is made of causes (files, numbers, the shaders' text, this program's edition), never of what was
drawn. Asking for one opens no file: a build asks for millions. How pixels are encoded is no cause: every
format keeps them as they are, and a file's name says which it is.

Refuses to know whether anything was drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from pipeline.config import ORTHOGRAPHIC, RenderRequest
from pipeline.formats.digest import digest_of
from pipeline.formats.harmonics import read_harmonics
from pipeline.geometry.camera import portrait_camera
from pipeline.records import Alignment
from pipeline.rows import Place, ScanRow, SourceFile
from pipeline.store import Workspace

EDITION = 1  # to be raised when other pixels, places or keypoints come of the same causes and shaders


class Laid(NamedTuple):
    """How a scan is laid, and what of it was to be taken away before."""

    centre: tuple[float, ...]
    scale: float
    front_yaw: float
    fragments_under: float
    drop_floor: bool


class _Causes(NamedTuple):
    """Digests of what a place adds to a scan's key, and of what its light is drawn from, scan aside."""

    seen: bytes
    light: bytes


class Keys:
    """The keys of one build's scans and views; `places` are where it sees everybody from, in order."""

    def __init__(self, request: RenderRequest, work: Workspace) -> None:
        self._request = request
        self._method = [EDITION, _shader_digest()]
        self._light = [request.light, request.seed, request.occlusion, _file_of_lights(request)]
        self._causes: dict[Place, _Causes] = {}
        self.places = tuple(
            Place(work.view(pitch, yaw), projection, yaw, pitch)
            for projection in request.projections
            for pitch in request.pitches
            for yaw in request.yaws
        )

    def of_scan(self, files: Mapping[str, str], laid: Laid) -> str:
        """What decides how a scan looks, from wherever; `files` are its own, with their digests."""
        numbers = [*laid.centre, laid.scale, laid.front_yaw, laid.fragments_under]
        return digest_of_causes([sorted(files.items()), [float(n) for n in numbers], laid.drop_floor])

    def of_view(self, scan_key: str, place: Place) -> str:
        """What decides the pixels of a view, light aside."""
        return digest_of(scan_key.encode() + self._at(place).seen)

    def lit(self, key: str, scan: str, place: Place) -> str:
        """The same for what is shaded: with all that the light of the view is drawn from."""
        return digest_of(key.encode() + self._at(place).light + scan.encode())

    def marked(self, key: str, marks: str) -> str:
        """The same for the keypoints of a view; `marks` are what decides them in all views of the scan."""
        return digest_of(key.encode() + marks.encode())

    def marks_of(self, source_key: str, laid_key: str) -> str:
        """What decides the keypoints of a scan, besides its pixels.

        They are hidden by depth as it was written: in whole steps, or as floats.
        """
        asked = self._request
        return digest_of_causes(
            [source_key, laid_key, asked.compat_keypoints, asked.geometry_format == "exr"]
        )

    def _at(self, place: Place) -> _Causes:
        if place not in self._causes:
            camera = portrait_camera(self._request.size, parallel=place.projection == ORTHOGRAPHIC)
            lens = [camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy]
            pose = [camera.rotation.tolist(), camera.translation.tolist()]
            turn = [place.yaw + 0.0, place.pitch + 0.0]  # -0 is 0, and so is a whole number
            seen = digest_of_causes([place.projection, turn, lens, pose, self._method])
            light = digest_of_causes([place.view, self._light])
            self._causes[place] = _Causes(seen.encode(), light.encode())
        return self._causes[place]


def looks_of(mesh: str | None, textures: Iterable[str], sources: Iterable[SourceFile]) -> dict[str, str]:
    """Those of a scan's files that decide how it looks, with their digests.

    `textures` are those that it was found with, and all that its files name.
    """
    names = {mesh, *textures}
    return {file.path: file.digest for file in sources if file.path in names}


def laid_as(alignment: Alignment) -> Laid:
    """What of an alignment decides how the scan looks."""
    wish = alignment.cleaning
    return Laid(alignment.centre, alignment.scale, alignment.front_yaw, wish.fragments_under, wish.floor)


def laid_in(row: ScanRow) -> Laid:
    """The same of a scan's row."""
    return Laid(row.centre, row.scale, row.front_yaw, row.fragments_under, row.drop_floor)


def source_key(sources: Iterable[SourceFile]) -> str:
    """One digest of all files of a scan."""
    return digest_of_causes(sorted([file.path, file.digest] for file in sources))


def digest_of_causes(causes: object) -> str:
    """One digest of numbers, texts and lists of them; the same numbers give the same digest anywhere."""
    text = json.dumps(causes, separators=(",", ":"), allow_nan=False)
    return digest_of(text.encode())


def _file_of_lights(request: RenderRequest) -> str | None:
    """A digest of the lights that `sh` chooses from; None = it has no such file."""
    if request.light_file is None:
        return None
    return digest_of(read_harmonics(request.light_file).astype("<f8").tobytes())


@cache
def _shader_digest() -> str:
    """One digest of all shaders' text."""
    folder = resources.files("shaders")
    files = [*folder.iterdir(), *(folder / "include").iterdir()]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files if file.is_file()}
    return digest_of_causes(
        sorted((name, text) for name, text in texts.items() if not name.endswith(".py"))
    )
