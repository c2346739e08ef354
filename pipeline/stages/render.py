"""Render: the pictures of one scan, drawn and written. Images are encoded while the next view is drawn."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.config import ORTHOGRAPHIC, RenderRequest
from pipeline.datasets.scans import read_scan
from pipeline.errors import ConfigError
from pipeline.formats.digest import digest_of
from pipeline.formats.harmonics import read_harmonics
from pipeline.formats.image import require_writer, write_image
from pipeline.formats.openness import kept_openness
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.clean import clean
from pipeline.geometry.exposure import BODY_OPENNESS
from pipeline.geometry.lighting import flattened
from pipeline.geometry.presets import generator, preset_light
from pipeline.geometry.transform import aligned
from pipeline.keys import Keys, laid_as, looks_of
from pipeline.records import F32, U8, U16, Alignment, Frame, Light, Mesh, Subject, View, Window
from pipeline.render import occlusion
from pipeline.render.devices import pick_device
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.rows import Drawing, DrawnView, Place, SourceFile, WrittenFile
from pipeline.store import DEPTH, MASK, NORMAL, SHADED, UNSHADED, Picture, Workspace

_MOST_WRITERS = 8
_FLOATS = {"depth": "length", "normal": "direction"}  # what a layer is called where it is written as floats


@dataclass(frozen=True)
class Shot:
    """One image of a view: what is drawn for it, and where it goes."""

    column: str  # of a ViewRow
    layer: Layer
    picture: Picture


@dataclass(frozen=True, eq=False)
class Sitting:
    """A camera, and how the person is turned before it."""

    name: str
    projection: str
    view: View


def shots_of(request: RenderRequest) -> tuple[Shot, ...]:
    """The images of every view that a request asks for."""
    both, front, back = ("front", "back"), ("front",), ("back",)
    fine, plain = request.geometry_format, request.image_format
    wanted = {
        "color": ("color", UNSHADED, both, plain),
        "shaded": ("shaded", SHADED, front, plain),
        "shaded-back": ("shaded", SHADED, back, plain),
        "depth": ("depth", DEPTH, both, fine),
        "normal": ("normal", NORMAL, both, fine),
        "mask": ("mask", MASK, front, plain),
    }
    shots = []
    for name in request.passes:
        layer, kind, sides, suffix = wanted[name]
        drawn = _FLOATS[layer] if suffix == "exr" else layer
        for side in sides:
            column = layer if layer == "mask" else f"{layer}_{side}"
            shots.append(Shot(column, Layer(drawn, side), Picture(kind, side, suffix)))
    return tuple(shots)


class Studio:
    """Draws and writes the asked views of scan after scan: one GL context, a few writing threads."""

    def __init__(self, work: Workspace, request: RenderRequest) -> None:
        self._work = work
        self._request = request
        self.shots = shots_of(request)
        self._cameras = {
            name: portrait_camera(request.size, parallel=name == ORTHOGRAPHIC)
            for name in request.projections
        }
        self._keys = Keys(request, work)
        self._radiance = read_harmonics(request.light_file) if request.light_file else None
        require_writer(request.image_format, request.geometry_format)
        self.device = pick_device(request.gl_device)
        layers = {shot.layer for shot in self.shots}
        self._renderer = Renderer(request.size, layers, self.device.index)

    def __enter__(self) -> Self:
        self._renderer.__enter__()
        count = min(_MOST_WRITERS, os.cpu_count() or 1)
        self._ahead = 1 + count // 4  # frames that wait to be written: what bounds the memory
        self._writers = ThreadPoolExecutor(count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writers.shutdown(cancel_futures=True)
        self._renderer.__exit__(kind, error, trace)

    def run(self, subject: Subject, alignment: Alignment, sources: Iterable[SourceFile] = ()) -> Drawing:
        """Draw and write every view of one scan, which `sources` are the files of."""
        mesh = clean(read_scan(self._work, subject), alignment.cleaning).mesh
        mesh = replace(mesh, vertices=aligned(mesh.vertices, alignment))
        looks = looks_of(subject.mesh, subject.textures, sources)
        scan = self._keys.of_scan(looks, laid_as(alignment))
        pending: deque[Callable[[], DrawnView]] = deque()
        views: list[DrawnView] = []
        sittings = list(self._sittings(subject.id))
        try:
            for sitting, frame in zip(sittings, self._frames(mesh, sittings), strict=True):
                pending.append(self._begin(subject.id, sitting, frame, scan))
                if len(pending) > self._ahead:
                    views.append(pending.popleft()())
            views += [end() for end in pending]
        except OSError as error:
            place = error.filename or self._work.root
            raise ConfigError(
                f"cannot write {place}: {error.strerror}; every file there is whole"
            ) from error
        return Drawing(len(mesh.vertices), len(mesh.faces), tuple(views))

    def _begin(self, scan: str, sitting: Sitting, frame: Frame, scan_key: str) -> Callable[[], DrawnView]:
        """Have the images of a frame written; what is called in the end waits for them."""
        files = [self._writers.submit(write) for write in self._writes(frame, sitting, scan)]
        view = sitting.view
        numbers = tuple(flattened(view.light).tolist())
        place = Place(sitting.name, sitting.projection, view.yaw, view.pitch)
        key = self._keys.of_view(scan_key, place)
        shaded_key = self._keys.lit(key, scan, place)
        box, pixels = _silhouette(frame)

        def end() -> DrawnView:
            return DrawnView(
                sitting.name,
                sitting.projection,
                view.yaw,
                view.pitch,
                numbers,
                box,
                pixels,
                tuple(file.result() for file in files),
                key,
                shaded_key,
            )

        return end

    def _frames(self, mesh: Mesh, sittings: list[Sitting]) -> Iterator[Frame]:
        openness = None
        if self._request.occlusion:
            find = partial(self._renderer.openness, mesh)
            openness = kept_openness(self._work.openness, mesh, occlusion.method(), find)
        return self._renderer.shoot(mesh, (sitting.view for sitting in sittings), openness)

    def _sittings(self, scan: str) -> Iterator[Sitting]:
        """Every view, before every camera, in the light that it has whatever the camera."""
        for projection, camera in self._cameras.items():
            for pitch in self._request.pitches:
                for yaw in self._request.yaws:
                    name = self._work.view(pitch, yaw)
                    light = self._light(scan, name, pitch)
                    yield Sitting(name, projection, View(yaw, pitch, camera, light))

    def _light(self, scan: str, view: str, pitch: float) -> Light:
        """The light of one view of one scan: the same in any build, in any order."""
        asked = self._request
        rng = generator(asked.light, asked.seed, scan, view)
        openness = BODY_OPENNESS if asked.occlusion else 1.0
        return preset_light(asked.light, rng, self._radiance, openness, pitch)

    def _writes(self, frame: Frame, sitting: Sitting, scan: str) -> Iterator[Callable[[], WrittenFile]]:
        """The images of a frame, each as something left to do."""
        for shot in self.shots:
            picture = replace(shot.picture, projection=sitting.projection)
            surface = frame.front if shot.layer.side == "front" else frame.back
            pixels = getattr(surface, shot.layer.kind)
            yield partial(self._write, shot.column, picture.path(sitting.name, scan), pixels, frame.window)

    def _write(self, column: str, path: str, pixels: U8 | U16 | F32, window: Window) -> WrittenFile:
        content = write_image(self._work.absolute(path), pixels, window)
        return WrittenFile(column, path, len(content), digest_of(content))


def _silhouette(frame: Frame) -> tuple[tuple[int, int, int, int], int]:
    """The box of what is seen: left, top, width, height; and how many pixels that is."""
    (rows,), (columns,) = (np.nonzero(frame.hit.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    width, height = int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top
    box = (frame.window.left + left, frame.window.top + top, width, height)
    return box, int(np.count_nonzero(frame.hit))
