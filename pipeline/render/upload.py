"""A mesh on the device. Refuses to draw it, and to change it."""

from __future__ import annotations

import math
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import moderngl
import numpy as np

from pipeline.errors import MeshError
from pipeline.geometry.camera import DISTANCE
from pipeline.records import F32, U8, Mesh
from pipeline.render.buffers import WORD, Buffers
from pipeline.render.kernels import Kernel

_SOME = 20_000  # faces tell how large most are
_UNPAINTED = 128  # the grey of a face that has neither a texture nor colours


class Upload:
    """A mesh in buffers, its textures, and room for what is found out about its vertices and faces."""

    def __init__(self, context: moderngl.Context, buffers: Buffers, mesh: Mesh) -> None:
        self.vertex_count, self.face_count = len(mesh.vertices), len(mesh.faces)
        self.reach = _reach(mesh)
        self.buffers = buffers
        self._mesh = mesh
        self._context = context
        self._owned = ExitStack()
        self._pictures: list[moderngl.Texture] = []

    def __enter__(self) -> Self:
        _check(self._context, self._mesh)
        self.buffers.put("VERTICES", self._mesh.vertices.astype(np.float32, copy=False))
        self.buffers.put("FACES", self._mesh.faces.astype(np.int32, copy=False))
        self.buffers.hold("PLACED", 3 * self.vertex_count)
        self.buffers.hold("LARGE", 1 + self.face_count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned.close()

    @property
    def is_textured(self) -> bool:
        """Whether any of its faces has a picture."""
        return self.picture_count > 0

    @property
    def picture_count(self) -> int:
        """How many textures it has; those that no face has a place on do not count."""
        mesh = self._mesh
        return 0 if mesh.uvs is None or mesh.face_uvs is None else len(mesh.textures)

    def add_normals(self, tilt: Kernel) -> None:
        """The vertices' normals, found on the device."""
        self.buffers.clear("TILTS", 3 * self.vertex_count)
        tilt.set(face_count=self.face_count, usual=_usual_area(self._mesh))
        tilt.run(self.face_count)

    def add_paint(self) -> None:
        """The colours of vertices, and the textures."""
        mesh = self._mesh
        self.buffers.put("COLORS", _with_alpha(mesh).view(np.uint32))
        if not self.is_textured or mesh.uvs is None or mesh.face_uvs is None:
            return
        kinds = np.zeros(self.face_count, np.int32) if mesh.face_textures is None else mesh.face_textures
        self.buffers.put("UVS", mesh.uvs.astype(np.float32, copy=False))
        self.buffers.put("FACE_UVS", mesh.face_uvs.astype(np.int32, copy=False))
        self.buffers.put("FACE_TEXTURES", kinds.astype(np.int32, copy=False))
        self._pictures = [self._picture(texture) for texture in mesh.textures]

    def add_openness(self, openness: F32) -> None:
        """How much of the room each vertex sees (V,)."""
        self.buffers.put("OPENNESS", openness.astype(np.float32, copy=False))

    def use_picture(self, number: int) -> None:
        """Let the kernels find one texture."""
        self._pictures[number].use(0)

    def _picture(self, texture: U8) -> moderngl.Texture:
        height, width = texture.shape[:2]
        pixels = np.ascontiguousarray(texture)
        picture = self._context.texture((width, height), 3, pixels, alignment=1)
        self._owned.callback(picture.release)
        picture.build_mipmaps()
        picture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        return picture


def _check(context: moderngl.Context, mesh: Mesh) -> None:
    """Refuse a mesh that this device or this camera cannot take."""
    if not len(mesh.faces):
        raise MeshError("mesh has no faces")
    most = context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"] // (3 * WORD)
    for what, count in (("faces", len(mesh.faces)), ("vertices", len(mesh.vertices))):
        if count > most:
            raise MeshError(
                f"mesh has {count:,} {what}; this device takes {most:,}; make it coarser, or use a device "
                "with larger buffers"
            )
    side = context.info["GL_MAX_TEXTURE_SIZE"]
    for texture in mesh.textures:
        if max(texture.shape[:2]) > side:
            height, width = texture.shape[:2]
            raise MeshError(f"texture is {width} x {height}; this device takes {side} x {side}")
    if mesh.colors is None and not mesh.textures:
        raise MeshError("mesh has no colours: neither the vertices' own nor a texture")
    reach = _reach(mesh)
    if not np.isfinite(reach):
        raise MeshError("mesh has vertices that are not finite, or too far for their squares to be")
    if reach >= DISTANCE:
        raise MeshError(
            f"mesh reaches {reach:.3g} from its centre and the camera stands at {DISTANCE:g}; "
            "is the scale of an override too large?"
        )


def _reach(mesh: Mesh) -> float:
    return float(np.sqrt(np.einsum("ij,ij->i", mesh.vertices, mesh.vertices).max(initial=0.0)))


def _usual_area(mesh: Mesh) -> float:
    """Twice the mean area of some of the faces, spread over all, to the next power of 2."""
    some = mesh.faces[:: max(len(mesh.faces) // _SOME, 1)]
    a, b, c = (mesh.vertices[some[:, i]].astype(np.float64) for i in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return 2.0 ** round(math.log2(areas[areas > 0].mean())) if areas.any() else 1.0


def _with_alpha(mesh: Mesh) -> U8:
    """Vertex colours (V, 4)."""
    colors = np.full((len(mesh.vertices), 4), _UNPAINTED, dtype=np.uint8)
    if mesh.colors is not None:
        colors[:, :3] = mesh.colors
    return colors
