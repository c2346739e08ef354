"""How much of the room each vertex of a mesh sees, by looking at the mesh along many lines.

A parallel camera's nearest surface is what a line sees from one end, its farthest what it sees from the
other, so each picture serves two directions. Refuses to know light, and to keep what it finds.
"""

from __future__ import annotations

import hashlib

import moderngl
import numpy as np

from pipeline.geometry.camera import DISTANCE
from pipeline.records import F32, F64, Camera
from pipeline.render.buffers import BINDINGS
from pipeline.render.kernels import Kernel, shader_text
from pipeline.render.sight import SUBPIXEL_BITS, Sight
from pipeline.render.upload import Upload

LINES = 64
SIZE = 768  # pixels across the ball about the origin that holds the mesh
_BIAS = (
    0.5,
    0.5,
)  # in pixels: how far behind what it sees a vertex may lie, at once and for each unit of slope
_STEEPEST = 8.0
_SUMS = 3  # a vertex's
_SHADERS = ("tilt.comp", "place.comp", "cover.comp", "cover_large.comp", "open.comp")


def method() -> str:
    """What decides the result besides the mesh: the same text, the same openness."""
    texts = "".join(shader_text(name, {}) for name in _SHADERS)
    return f"{LINES} {SIZE} {_BIAS} {_STEEPEST} {hashlib.sha256(texts.encode()).hexdigest()}"


class Occlusion:
    """The kernel that adds up what vertices see."""

    def __init__(self, context: moderngl.Context, sight: Sight) -> None:
        numbers = {name: str(number) for name, number in BINDINGS.items()}
        self._sight = sight
        self._open = Kernel(context, "open.comp", {**numbers, "SUBPIXEL_BITS": str(SUBPIXEL_BITS)})

    def release(self) -> None:
        """Give the kernel back."""
        self._open.release()

    def openness(self, scan: Upload) -> F32:
        """The share (V,) of the room, weighted by its cosine, that each vertex sees; 1 = all of it.

        It is that of the vertex's more open side, so it does not matter which way round faces are. The scan
        has been given its normals.
        """
        sums = np.empty(_SUMS * scan.vertex_count, dtype=np.float32)
        scan.buffers.clear("OPENNESS", sums.size)
        pixel = 2 * scan.reach / SIZE
        self._open.set(
            vertex_count=scan.vertex_count, pixel=pixel, bias=np.array(_BIAS), steepest=_STEEPEST
        )
        for along in lines(LINES):
            self._look(scan, along, pixel)
        scan.buffers.read("OPENNESS", sums)
        return _shares(sums)

    def _look(self, scan: Upload, along: F64, pixel: float) -> None:
        """Add what vertices see along one line, both ways."""
        camera = _camera(along, pixel)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = camera.rotation, camera.translation
        box = self._sight.place(scan, camera, pose)
        self._sight.sound(scan, box)
        self._open.set(to_view=camera.rotation, box=box.uniform())
        self._open.run(scan.vertex_count)
        self._sight.forget(box)


def lines(count: int) -> F64:
    """Unit directions (N, 3) that are spread evenly over half the sphere, along a spiral."""
    z = (np.arange(count) + 0.5) / count
    around = np.arange(count) * (np.pi * (3 - 5**0.5))
    level = np.sqrt(1 - z * z)
    return np.stack([level * np.cos(around), level * np.sin(around), z], axis=1)


def _camera(along: F64, pixel: float) -> Camera:
    """A parallel camera that looks along a direction, with the origin in the middle of its picture."""
    across = np.cross(np.eye(3)[np.abs(along).argmin()], along)
    across /= np.linalg.norm(across)
    side = SIZE + 2
    return Camera(
        width=side,
        height=side,
        fx=1 / pixel,
        fy=1 / pixel,
        cx=side / 2,
        cy=side / 2,
        rotation=np.stack([across, np.cross(along, across), along]),
        translation=np.array([0.0, 0.0, DISTANCE]),
        parallel=True,
    )


def _shares(sums: F32) -> F32:
    """What of all there is to see the more open side sees (V,); what has no normal is not hidden."""
    outer, inner, whole = sums.reshape(-1, _SUMS).T
    seen = np.maximum(outer, inner)
    return np.divide(seen, whole, out=np.ones_like(seen), where=whole > 0)
