"""Render: the pictures of one scan, drawn and written. Images are encoded while the next view is drawn."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.datasets.scans import read_scan
from pipeline.errors import ConfigError, MeshError
from pipeline.formats.image import write_color, write_grey16
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.clean import clean
from pipeline.geometry.depth import encode
from pipeline.geometry.lighting import room_light
from pipeline.geometry.transform import aligned
from pipeline.records import F32, Alignment, Camera, Frame, Light, Mesh, Subject, View
from pipeline.render.renderer import Renderer
from pipeline.store import DEPTH, SHADED, UNSHADED, Workspace

IMAGES_A_VIEW = 5
_AHEAD = 2  # views drawn while older ones are still being written: what bounds the memory
_MOST_WRITERS = 4


def light_of(seed: int, scan: str, view: str) -> Light:
    """The light of one view of one scan: the same in any build, in any order."""
    digest = hashlib.sha256(f"{seed}/{scan}/{view}".encode()).digest()
    return room_light(np.random.default_rng(int.from_bytes(digest, "big")))


def placed(mesh: Mesh, alignment: Alignment) -> Mesh:
    """The mesh where the camera expects a person."""
    if mesh.colors is None:
        raise MeshError("has no vertex colours, and this version does not draw textures")
    return replace(mesh, vertices=aligned(mesh.vertices, alignment))


def writes_of(
    frame: Frame, camera: Camera, work: Workspace, view: str, scan: str
) -> list[Callable[[], None]]:
    """The five images of a frame, each as something left to do."""

    def place(kind: str, side: str) -> Path:
        return work.absolute(work.image(kind, view, scan, side))

    writes: list[Callable[[], None]] = [partial(write_color, place(SHADED, "front"), frame.shaded)]
    for side, surface in (("front", frame.front), ("back", frame.back)):
        writes.append(partial(write_color, place(UNSHADED, side), surface.color))
        writes.append(partial(_write_depth, place(DEPTH, side), surface.length, camera))
    return writes


def _write_depth(path: Path, length: F32, camera: Camera) -> None:
    write_grey16(path, encode(length, camera))


class Studio:
    """Draws and writes the asked views of scan after scan: one GL context, a few writing threads."""

    def __init__(
        self, work: Workspace, *, size: int, seed: int, yaws: Sequence[float], pitches: Sequence[float]
    ) -> None:
        self._work = work
        self._seed = seed
        self._angles = [(pitch, yaw) for pitch in pitches for yaw in yaws]
        self._camera = portrait_camera(size)
        self._renderer = Renderer(size)

    def __enter__(self) -> Self:
        self._renderer.__enter__()
        self._writers = ThreadPoolExecutor(min(_MOST_WRITERS, os.cpu_count() or 1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writers.shutdown(cancel_futures=True)
        self._renderer.__exit__(kind, error, trace)

    def run(self, subject: Subject, alignment: Alignment) -> list[str]:
        """Draw and write every view of one scan; the names of the views."""
        mesh, _ = clean(read_scan(self._work, subject), alignment.cleaning)
        mesh = placed(mesh, alignment)
        names = [self._work.view(pitch, yaw) for pitch, yaw in self._angles]
        pending: deque[list[Future[None]]] = deque()
        try:
            for name, frame in zip(
                names, self._renderer.shoot(mesh, self._views(subject.id, names)), strict=True
            ):
                todo = writes_of(frame, self._camera, self._work, name, subject.id)
                pending.append([self._writers.submit(write) for write in todo])
                if len(pending) > _AHEAD:
                    _finish(pending.popleft())
            for futures in pending:
                _finish(futures)
        except OSError as error:
            place = error.filename or self._work.root
            raise ConfigError(
                f"cannot write {place}: {error.strerror}; every file there is whole"
            ) from error
        return names

    def _views(self, scan: str, names: list[str]) -> Iterator[View]:
        for (pitch, yaw), name in zip(self._angles, names, strict=True):
            yield View(yaw, pitch, self._camera, light_of(self._seed, scan, name))


def _finish(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()
