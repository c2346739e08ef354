"""Draws a scan's nearest and farthest surfaces, in as many views as asked for, and only what is asked for.

Refuses to read or write files and to choose cameras or lights. Both surfaces lie on the same rays, so their
silhouettes are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

import moderngl
import numpy as np

from pipeline.errors import MeshError, RenderError
from pipeline.geometry.depth import coding_of
from pipeline.geometry.lighting import MOST_LAMPS
from pipeline.geometry.transform import view_turn
from pipeline.records import F32, F64, Camera, Frame, Light, Mesh, View, Window
from pipeline.render.buffers import BINDINGS, WORD, Buffers
from pipeline.render.context import create_context
from pipeline.render.kernels import Kernel, Value
from pipeline.render.occlusion import Occlusion
from pipeline.render.planes import U32, Layer, Planes
from pipeline.render.sight import SEEN_WORDS, Box, Sight, lens_of
from pipeline.render.upload import Upload

_MOST_PIXELS = 1 << 24  # at a time: larger pictures are drawn in bands of rows
_VIEWER = np.diag([1.0, -1.0, -1.0])  # OpenCV's axes as x right, y up, z towards the camera
_NEED_NORMALS = {"shaded", "normal", "direction"}
_NEED_PAINT = {"shaded", "color"}


class Renderer:
    """Pictures of aligned meshes, `size` pixels square; GL is touched only between enter and exit."""

    def __init__(self, size: int, layers: Collection[Layer], device: int | None = None) -> None:
        self.size = size
        self.device = device
        self._planes = Planes(layers)
        self._owned = ExitStack()
        self._scan = ExitStack()
        self._begun: Upload | None = None
        self._resolvers: dict[tuple[bool, bool], Kernel] = {}

    def __enter__(self) -> Self:
        self._context = create_context(self.device)
        try:
            with self._at_work():
                self._most_words = self._check_size()
                self._buffers = Buffers(self._context)
                self._owned.callback(self._buffers.release)
                self._sight = Sight(self._context)
                self._owned.callback(self._sight.release)
                self._tilt = self._kernel("tilt.comp", {})
                self._lister = self._kernel("gather.comp", {"PLANE_COUNT": f"{self._planes.count}u"})
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def shoot(self, mesh: Mesh, views: Iterable[View], openness: F32 | None = None) -> Iterator[Frame]:
        """One frame a view, of an aligned mesh, which is uploaded once.

        `openness` (V,) is how much of the room each vertex sees, 0 to 1.
        """
        scan = self._upload(mesh, openness)
        try:
            for view in views:
                if self._begun is not scan:
                    raise RenderError("another scan has been begun; finish one before the next")
                with self._at_work():
                    frame = self._draw(scan, view, openness is not None)
                yield frame
        finally:
            if self._begun is scan:
                with self._at_work():
                    self._scan.close()

    def openness(self, mesh: Mesh) -> F32:
        """How much of the room each vertex of an aligned mesh sees (V,), 0 to 1."""
        self._begun = None
        with self._at_work(), ExitStack() as owned:
            scan = owned.enter_context(Upload(self._context, self._buffers, mesh))
            scan.add_normals(self._tilt)
            occlusion = Occlusion(self._context, self._sight)
            owned.callback(occlusion.release)
            found = occlusion.openness(scan)
            self._check_gl()
        return found

    def _close(self) -> None:
        self._begun = None
        with self._at_work():
            self._scan.close()
            self._owned.close()
        self._context.release()
        self._resolvers.clear()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """GL calls within go to this renderer's context, and what they fail with is a RenderError."""
        with self._context:
            try:
                yield
            except moderngl.Error as error:
                raise RenderError(f"GL fails while drawing: {error}") from error

    def _upload(self, mesh: Mesh, openness: F32 | None) -> Upload:
        """The mesh on the device, with all that its pictures need, in the place of the one before."""
        with self._at_work():
            self._scan.close()
            scan = self._scan.enter_context(Upload(self._context, self._buffers, mesh))
            if self._planes.kinds & _NEED_NORMALS:
                scan.add_normals(self._tilt)
            if self._planes.kinds & _NEED_PAINT:
                scan.add_paint()
            if openness is not None:
                scan.add_openness(openness)
        self._begun = scan
        return scan

    def _check_size(self) -> int:
        """How many words a buffer of this GL holds; pictures that it cannot hold are refused."""
        most = int(self._context.info["GL_MAX_TEXTURE_SIZE"])
        if self.size > most:
            raise RenderError(f"pictures are {self.size} pixels wide; this GL draws at most {most}")
        return int(self._context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"]) // WORD

    def _kernel(self, name: str, defines: dict[str, str]) -> Kernel:
        numbers = {key: str(number) for key, number in BINDINGS.items()}
        kernel = Kernel(self._context, name, numbers | defines)
        self._owned.callback(kernel.release)
        return kernel

    def _resolver(self, scan: Upload, has_openness: bool) -> Kernel:
        """The kernel that paints such a scan."""
        key = (scan.is_textured and bool(self._planes.kinds & _NEED_PAINT), has_openness)
        if key not in self._resolvers:
            choice = {"TEXTURED": str(int(key[0])), "OPEN": str(int(key[1])), "MOST_LAMPS": str(MOST_LAMPS)}
            self._resolvers[key] = self._kernel("resolve.comp", choice | self._planes.defines())
        return self._resolvers[key]

    def _draw(self, scan: Upload, view: View, has_openness: bool) -> Frame:
        """Both surfaces of one view."""
        camera = view.camera
        if (camera.width, camera.height) != (self.size, self.size):
            raise RenderError(f"camera is {camera.width} x {camera.height}, pictures {self.size}")
        turn = view_turn(view.yaw, view.pitch)
        box = self._sight.place(scan, camera, _pose(camera, turn))
        resolve = self._resolver(scan, has_openness)
        resolve.set(**_uniforms(camera, turn, view.light))
        words, seen = np.empty((self._planes.count, box.height, box.width), dtype=np.uint32), 0
        for start, stop in self._bands(box):
            band = box.rows(start, stop)
            self._sight.look(scan, band)
            hits = self._gather(band)
            self._resolve(resolve, scan, band, hits)
            self._read(words[:, start:stop])
            seen += hits
        self._check_gl()
        if not seen:
            raise MeshError(f"nothing of it is in the picture at yaw {view.yaw:g}, pitch {view.pitch:g}")
        return self._planes.frame(words, Window(box.top, box.left, self.size, self.size))

    def _bands(self, box: Box) -> Iterator[tuple[int, int]]:
        """Rows from and to, of bands that buffers have room for."""
        most = min(_MOST_PIXELS, self._most_words // max(SEEN_WORDS, self._planes.count))
        step = max(most // max(box.width, 1), 1)
        for start in range(0, box.height, step):
            yield start, min(start + step, box.height)

    def _gather(self, band: Box) -> int:
        """List the pixels of a band that see anything; how many they are."""
        self._buffers.hold("PLANES", band.count * self._planes.count)
        self._buffers.hold("HITS", 1 + band.count)
        self._buffers.clear("HITS", 1)
        self._lister.set(box=band.uniform())
        self._lister.run(band.count)
        hits = np.zeros(1, dtype=np.uint32)
        self._buffers.read("HITS", hits)
        return int(hits[0])

    def _resolve(self, resolve: Kernel, scan: Upload, band: Box, hits: int) -> None:
        """Paint the pixels that are listed, texture by texture, those without one first."""
        resolve.set(box=band.uniform())
        pictures = scan.picture_count if self._planes.kinds & _NEED_PAINT else 0
        for which in range(-1, pictures):
            if which >= 0:
                scan.use_picture(which)
            resolve.set(which=which, last=which == pictures - 1)
            resolve.run(hits)

    def _read(self, words: U32) -> None:
        """Fill planes (count, h, w) with what was painted."""
        for number, plane in enumerate(words):
            self._buffers.read("PLANES", plane, number * plane.size)

    def _check_gl(self) -> None:
        """Stop where GL says that something went wrong: what it drew cannot be trusted."""
        complaint = self._context.error
        if complaint != "GL_NO_ERROR":
            raise RenderError(
                f"GL reports {complaint} while drawing; the driver ran out of memory or failed"
            )


def _pose(camera: Camera, turn: F64) -> F64:
    """The matrix (4, 4) from the aligned mesh to the camera."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation @ turn, camera.translation
    return pose


def _uniforms(camera: Camera, turn: F64, light: Light) -> dict[str, Value]:
    """What the painting kernel is told of a view."""
    lamps, towards = np.zeros((MOST_LAMPS, 3)), np.zeros((MOST_LAMPS, 3))
    lamps[: len(light.lamps)], towards[: len(light.lamps)] = light.lamps, light.towards
    return {
        **lens_of(camera),
        "to_camera": _pose(camera, turn),
        "to_world": turn,
        "to_viewer": _VIEWER @ camera.rotation @ turn,
        "coding": np.array(coding_of(camera)),
        "harmonics": light.coefficients,
        "towards": towards,
        "lamps": lamps,
        "lamp_count": len(light.lamps),
    }
