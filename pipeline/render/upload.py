"""A mesh on the device. Refuses to draw it, and to change it."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import moderngl
import numpy as np
import numpy.typing as npt

from pipeline.errors import MeshError
from pipeline.geometry.camera import DISTANCE
from pipeline.records import F32, U8, Mesh
from pipeline.render.buffers import BINDINGS, WORD
from pipeline.render.kernels import Kernel

_UNPAINTED = 128  # the grey of a face that has neither a texture nor colours


class _Releasable(Protocol):
    def release(self) -> None: ...


Thing = TypeVar("Thing", bound=_Releasable)


class Upload:
    """A mesh in buffers, its textures, and room for what is found out about its vertices and faces."""

    def __init__(self, context: moderngl.Context, mesh: Mesh) -> None:
        self.vertex_count, self.face_count = len(mesh.vertices), len(mesh.faces)
        self._mesh = mesh
        self._context = context
        self._owned = ExitStack()
        self._buffers: dict[str, moderngl.Buffer] = {}
        self._pictures: list[moderngl.Texture] = []

    def __enter__(self) -> Self:
        try:
            _check(self._context, self._mesh)
            self._put("VERTICES", np.ascontiguousarray(self._mesh.vertices, dtype=np.float32))
            self._put("FACES", np.ascontiguousarray(self._mesh.faces, dtype=np.int32))
            self._reserve("PLACED", 3 * self.vertex_count)
            self._reserve("LARGE", 1 + self.face_count)
        except BaseException:
            self._owned.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned.close()

    @property
    def is_textured(self) -> bool:
        """Whether any of its faces has a picture."""
        return bool(self._mesh.textures)

    @property
    def picture_count(self) -> int:
        """How many textures it has."""
        return len(self._mesh.textures)

    def add_normals(self, tilt: Kernel) -> None:
        """The vertices' normals, found on the device."""
        self._put("TILTS", np.zeros((self.vertex_count, 3), dtype=np.int32))
        self.bind()
        tilt.set(face_count=self.face_count)
        tilt.run(self.face_count)

    def add_paint(self) -> None:
        """The colours of vertices, and the textures."""
        mesh = self._mesh
        self._put("COLORS", _with_alpha(mesh))
        if not self.is_textured or mesh.uvs is None or mesh.face_uvs is None:
            return
        kinds = np.zeros(self.face_count, np.int32) if mesh.face_textures is None else mesh.face_textures
        self._put("UVS", np.ascontiguousarray(mesh.uvs, dtype=np.float32))
        self._put("FACE_UVS", np.ascontiguousarray(mesh.face_uvs, dtype=np.int32))
        self._put("FACE_TEXTURES", np.ascontiguousarray(kinds, dtype=np.int32))
        self._pictures = [self._picture(texture) for texture in mesh.textures]

    def add_openness(self, openness: F32) -> None:
        """How much of the room each vertex sees (V,)."""
        self._put("OPENNESS", np.ascontiguousarray(openness, dtype=np.float32))

    def bind(self) -> None:
        """Let the kernels find the buffers."""
        for name, buffer in self._buffers.items():
            buffer.bind_to_storage_buffer(BINDINGS[name])

    def use_picture(self, number: int) -> None:
        """Let the kernels find one texture."""
        self._pictures[number].use(0)

    def forget_large(self) -> None:
        """No face is known to be large."""
        self._buffers["LARGE"].write(np.zeros(1, dtype=np.uint32))

    def _own(self, thing: Thing) -> Thing:
        self._owned.callback(thing.release)
        return thing

    def _put(self, name: str, array: npt.NDArray[Any]) -> None:
        self._buffers[name] = self._own(self._context.buffer(array))

    def _reserve(self, name: str, words: int) -> None:
        self._buffers[name] = self._own(self._context.buffer(reserve=words * WORD))

    def _picture(self, texture: U8) -> moderngl.Texture:
        height, width = texture.shape[:2]
        pixels = np.ascontiguousarray(texture)
        picture = self._own(self._context.texture((width, height), 3, pixels, alignment=1))
        picture.build_mipmaps()
        picture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        return picture


def _check(context: moderngl.Context, mesh: Mesh) -> None:
    """Refuse a mesh that this device or this camera cannot take."""
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
    reach = float(np.sqrt(np.einsum("ij,ij->i", mesh.vertices, mesh.vertices).max(initial=0.0)))
    if not reach < DISTANCE:
        raise MeshError(
            f"mesh reaches {reach:.3g} from its centre and the camera stands at {DISTANCE:g}; "
            "is the scale of an override too large?"
        )


def _with_alpha(mesh: Mesh) -> U8:
    """Vertex colours (V, 4)."""
    colors = np.full((len(mesh.vertices), 4), _UNPAINTED, dtype=np.uint8)
    if mesh.colors is not None:
        colors[:, :3] = mesh.colors
    return colors
