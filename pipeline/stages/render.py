"""Render: what is wanted of one scan's pictures, drawn and written, while the one before is encoded.

Refuses to know what there is already: it is told what is wanted, and touches nothing else.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.config import ORTHOGRAPHIC, PROJECTIONS, RenderRequest
from pipeline.errors import ConfigError
from pipeline.formats.digest import digest_of
from pipeline.formats.harmonics import read_harmonics
from pipeline.formats.image import require_writer, write_image
from pipeline.formats.openness import kept_openness
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.exposure import BODY_OPENNESS
from pipeline.geometry.lighting import flattened
from pipeline.geometry.presets import generator, preset_light
from pipeline.geometry.transform import aligned
from pipeline.keys import Keys
from pipeline.records import F32, U8, U16, Alignment, Frame, Light, Mesh, Subject, View, Window
from pipeline.render import occlusion
from pipeline.render.devices import Picked, claim_turn, pick_device
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.rows import Drawing, DrawnView, Place, WrittenFile
from pipeline.store import DEPTH, MASK, NORMAL, SHADED, UNSHADED, Picture, Workspace

_MOST_WRITERS = 8
_MOST_RENDERERS = 2  # each holds the memory of the largest scan that it has drawn
FRONT_DEPTH = "depth_front"  # the column of ViewRow
_FLOATS = {"depth": "length", "normal": "direction"}  # what a layer is called where it is written as floats


@dataclass(frozen=True)
class Shot:
    """One image of a view: what is drawn for it, and where it goes."""

    column: str  # of a ViewRow
    layer: Layer
    picture: Picture


@dataclass(frozen=True, eq=False)
class Sitting:
    """How a person is turned before a camera, and what is to be written of it."""

    place: Place
    view: View
    shots: tuple[Shot, ...]
    key: str
    shaded_key: str


@dataclass(frozen=True, eq=False)
class _Print:
    """A view that was drawn, whose files are being written."""

    sitting: Sitting
    box: tuple[int, int, int, int]
    pixels: int
    files: tuple[Future[WrittenFile], ...]


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
    """Draws and writes what is wanted of scan after scan, in one thread and with a few that write.

    GL is not touched before the first drawing. Workers of one machine take turns at its devices. `fronts`
    are the depths of the nearest surface, as written, in the views that the last run wrote them of.
    """

    def __init__(self, work: Workspace, request: RenderRequest) -> None:
        self._work = work
        self._request = request
        self._shots = shots_of(request)
        self._cameras = {
            name: portrait_camera(request.size, parallel=name == ORTHOGRAPHIC) for name in PROJECTIONS
        }
        self._keys = Keys(request, work)
        self._radiance = read_harmonics(request.light_file) if request.light_file else None
        require_writer(request.image_format, request.geometry_format)
        count = min(_MOST_WRITERS, len(os.sched_getaffinity(0)))
        self._ahead = 1 + count // 4  # frames that wait to be written: what bounds the memory
        self._writers = ThreadPoolExecutor(count)
        self.fronts: dict[Place, tuple[U16 | F32, Window]] = {}
        self._renderers: dict[frozenset[Layer], Renderer] = {}  # the last is the one used last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the files that are being written, and give the device back."""
        self._writers.shutdown(cancel_futures=True)
        while self._renderers:
            _dismiss(self._renderers.popitem()[1])

    @cached_property
    def device(self) -> Picked:
        """What draws."""
        return pick_device(self._request.gl_device, claim_turn())

    def run(
        self,
        mesh: Mesh,
        subject: Subject,
        alignment: Alignment,
        wanted: Mapping[Place, Collection[str]],
        scan_key: str,
    ) -> Drawing:
        """Draw one cleaned scan, and write those of its images whose columns of ViewRow are wanted.

        Columns that are no images of the request's are passed over, and so are places where none is left.
        """
        sittings = list(self._sittings(subject.id, wanted, scan_key))
        self.fronts.clear()
        views: list[DrawnView] = []
        pending: deque[_Print] = deque()
        try:
            for sitting, frame in zip(sittings, self._frames(mesh, alignment, sittings), strict=True):
                pending.append(self._begin(subject.id, sitting, frame))
                views += _finished(pending, self._ahead)
            views += _finished(pending, 0)
        except OSError as error:
            place = error.filename or self._work.root
            raise ConfigError(
                f"cannot write {place}: {error.strerror}; every file there is whole"
            ) from error
        finally:
            _leave(pending)
        return Drawing(len(mesh.vertices), len(mesh.faces), tuple(views))

    def _sittings(
        self, scan: str, wanted: Mapping[Place, Collection[str]], scan_key: str
    ) -> Iterator[Sitting]:
        """Every place of which an image is wanted, in the light that it has whatever the camera."""
        for place, columns in wanted.items():
            shots = tuple(shot for shot in self._shots if shot.column in columns)
            if shots:
                light = self._light(scan, place)
                view = View(place.yaw, place.pitch, self._cameras[place.projection], light)
                key = self._keys.of_view(scan_key, place)
                yield Sitting(place, view, shots, key, self._keys.lit(key, scan, place))

    def _light(self, scan: str, place: Place) -> Light:
        """The light of one view of one scan: the same in any build, in any order."""
        asked = self._request
        rng = generator(asked.light, asked.seed, scan, place.view)
        openness = BODY_OPENNESS if asked.occlusion else 1.0
        return preset_light(asked.light, rng, self._radiance, openness, place.pitch)

    def _frames(self, mesh: Mesh, alignment: Alignment, sittings: Sequence[Sitting]) -> Iterator[Frame]:
        """What each of a scan's sittings shows: of all, the layers that any is to show.

        To draw a layer too many costs a few hundredths of a second, and to change renderers half a second.
        """
        if not sittings:
            return iter(())
        layers = frozenset(shot.layer for sitting in sittings for shot in sitting.shots)
        renderer = self._renderer(layers)
        person = replace(mesh, vertices=aligned(mesh.vertices, alignment))
        openness = None
        if self._request.occlusion and any(layer.kind == "shaded" for layer in layers):
            find = partial(renderer.openness, person)
            openness = kept_openness(self._work.openness, person, occlusion.method(), find)
        return renderer.shoot(person, (sitting.view for sitting in sittings), openness)

    def _renderer(self, layers: frozenset[Layer]) -> Renderer:
        """One that draws these layers: kept from scan to scan, in the place of the one used longest ago."""
        renderer = self._renderers.pop(layers, None)
        if renderer is None:
            if len(self._renderers) == _MOST_RENDERERS:
                _dismiss(self._renderers.pop(next(iter(self._renderers))))
            renderer = Renderer(self._request.size, layers, self.device.index).__enter__()
        self._renderers[layers] = renderer
        return renderer

    def _begin(self, scan: str, sitting: Sitting, frame: Frame) -> _Print:
        """Have the images of a frame written."""
        files = [self._writers.submit(write) for write in self._writes(frame, sitting, scan)]
        return _Print(sitting, *_silhouette(frame), tuple(files))

    def _writes(self, frame: Frame, sitting: Sitting, scan: str) -> Iterator[Callable[[], WrittenFile]]:
        """The images of a frame, each as something left to do."""
        place = sitting.place
        for shot in sitting.shots:
            picture = replace(shot.picture, projection=place.projection)
            surface = frame.front if shot.layer.side == "front" else frame.back
            pixels = getattr(surface, shot.layer.kind)
            if shot.column == FRONT_DEPTH:
                self.fronts[place] = pixels, frame.window
            yield partial(self._write, shot.column, picture.path(place.view, scan), pixels, frame.window)

    def _write(self, column: str, path: str, pixels: U8 | U16 | F32, window: Window) -> WrittenFile:
        content = write_image(self._work.absolute(path), pixels, window)
        return WrittenFile(column, path, len(content), digest_of(content))


def _finished(pending: deque[_Print], most: int) -> Iterator[DrawnView]:
    """The first of those that wait to be written, until at most so many are left."""
    while len(pending) > most:
        yield _drawn(pending[0])
        pending.popleft()


def _drawn(one: _Print) -> DrawnView:
    """A view whose files are written: this waits for them."""
    place, light = one.sitting.place, one.sitting.view.light
    return DrawnView(
        place.view,
        place.projection,
        place.yaw,
        place.pitch,
        tuple(flattened(light).tolist()),
        one.box,
        one.pixels,
        tuple(file.result() for file in one.files),
        one.sitting.key,
        one.sitting.shaded_key,
    )


def _leave(pending: Collection[_Print]) -> None:
    """Write nothing more of what waits; what has been begun lands whole before this returns."""
    wait_for([file for one in pending for file in one.files if not file.cancel()])


def _dismiss(renderer: Renderer) -> None:
    renderer.__exit__(None, None, None)


def _silhouette(frame: Frame) -> tuple[tuple[int, int, int, int], int]:
    """The box of what is seen: left, top, width, height; and how many pixels that is."""
    (rows,), (columns,) = (np.nonzero(frame.hit.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    width, height = int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top
    box = (frame.window.left + left, frame.window.top + top, width, height)
    return box, int(np.count_nonzero(frame.hit))
