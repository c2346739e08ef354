"""Which face the ray of each pixel meets first and which last, found by covering pixels with faces.

Every face is looked at twice: once for how near it is, once for whose nearness won. Refuses to know what a
face looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from pipeline.geometry.camera import DISTANCE
from pipeline.records import F64, Camera
from pipeline.render.buffers import BINDINGS
from pipeline.render.kernels import Kernel
from pipeline.render.upload import Upload

SUBPIXEL_BITS = 8
_SUBPIXELS = 1 << SUBPIXEL_BITS
SEEN_WORDS = 4  # a pixel's: two keys and two faces
_NEAREST = 0.01  # what is nearer to the camera is not drawn; nothing that is aligned comes near it
_FARTHEST = 2 * DISTANCE  # and nothing that is aligned lies beyond
_LANES = 1 << 14  # invocations that share the vertices
_LARGE_GROUPS = (128, 8)  # large faces at a time, and work groups that share the pixels of each


@dataclass(frozen=True)
class Box:
    """Some pixels of a picture: columns left to left + width, rows top to top + height."""

    left: int
    top: int
    width: int
    height: int

    @property
    def count(self) -> int:
        """How many pixels it has."""
        return self.width * self.height

    def rows(self, start: int, stop: int) -> Box:
        """Some of its rows, counted from its own top."""
        return Box(self.left, self.top + start, self.width, min(stop, self.height) - start)

    def uniform(self) -> tuple[int, int, int, int]:
        """As the shaders have it."""
        return (self.left, self.top, self.width, self.height)


class Sight:
    """The kernels that find out what is seen."""

    def __init__(self, context: moderngl.Context) -> None:
        defines = {name: str(number) for name, number in BINDINGS.items()}
        defines["SUBPIXEL_BITS"] = str(SUBPIXEL_BITS)
        self._place = Kernel(context, "place.comp", defines)
        self._cover = Kernel(context, "cover.comp", defines)
        self._cover_large = Kernel(context, "cover_large.comp", defines)
        self._forget = Kernel(context, "forget.comp", defines)

    def release(self) -> None:
        """Give everything back."""
        for kernel in (self._place, self._cover, self._cover_large, self._forget):
            kernel.release()

    def place(self, scan: Upload, camera: Camera, to_camera: F64) -> Box:
        """Say where the vertices fall in the picture; the box of it that they lie in."""
        far = 1 << 30
        scan.buffers.put("EXTENT", np.array([far, far, -far, -far], dtype=np.int32))
        lanes = min(_LANES, scan.vertex_count)
        self._place.set(**lens_of(camera), to_camera=to_camera, stride=lanes)
        self._place.set(vertex_count=scan.vertex_count, nearest=_NEAREST, farthest=_FARTHEST)
        self._place.run(lanes)
        found = np.empty(4, dtype=np.int32)
        scan.buffers.read("EXTENT", found)
        left, top, right, bottom = found.tolist()
        left, top = max(left // _SUBPIXELS, 0), max(top // _SUBPIXELS, 0)
        right, bottom = (
            min(right // _SUBPIXELS + 1, camera.width),
            min(bottom // _SUBPIXELS + 1, camera.height),
        )
        return Box(left, top, max(right - left, 0), max(bottom - top, 0))

    def look(self, scan: Upload, box: Box) -> None:
        """Find the faces of a box's pixels, whose record is empty before."""
        self.sound(scan, box)
        self._sweep(scan, box, naming=True)

    def sound(self, scan: Upload, box: Box) -> None:
        """Find how near the faces of a box's pixels are, and not which; their record is empty before."""
        scan.buffers.hold("SEEN", box.count * SEEN_WORDS)
        scan.buffers.clear("LARGE", 1)
        self._sweep(scan, box, naming=False)

    def forget(self, box: Box) -> None:
        """Empty the record of a box's pixels, where nothing was painted that does it."""
        self._forget.set(box=box.uniform())
        self._forget.run(box.count)

    def _sweep(self, scan: Upload, box: Box, naming: bool) -> None:
        for kernel in (self._cover, self._cover_large):
            kernel.set(box=box.uniform(), face_count=scan.face_count, naming=naming)
        self._cover.run(scan.face_count)
        self._cover_large.run_groups(*_LARGE_GROUPS)


def lens_of(camera: Camera) -> dict[str, F64 | bool]:
    """A camera as the shaders have it, but for where it stands."""
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    return {"lens": lens, "parallel": camera.parallel}
