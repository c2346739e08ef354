"""Draws a scan's nearest and farthest surfaces, in as many views as asked for.

Refuses to read or write files and to choose cameras or lights. One camera serves both surfaces, with two
directions of the depth test, so their silhouettes are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import moderngl
import numpy as np
import numpy.typing as npt

from pipeline.errors import RenderError
from pipeline.geometry.camera import DISTANCE, position, world_to_clip
from pipeline.geometry.mesh import vertex_normals
from pipeline.geometry.transform import REACH, view_turn
from pipeline.records import Frame, Mesh, Surface, View
from pipeline.render.context import create_context
from pipeline.render.programs import compile_program, set_uniform

_MARGIN = 1.01  # float32 rounding must not push the farthest vertex through a clip plane
_NEAR, _FAR = DISTANCE - REACH * _MARGIN, DISTANCE + REACH * _MARGIN
_PLAIN, _LENGTH, _SHADED = 0, 1, 2  # the targets, in the order of the fragment shaders' outputs
_NEAREST, _FARTHEST = ("<", 1.0), (">", 0.0)  # depth test, and the depth that anything passes


class _Releasable(Protocol):
    def release(self) -> None: ...


Thing = TypeVar("Thing", bound=_Releasable)


class Renderer:
    """Pictures of aligned meshes, `size` pixels square; GL is touched only between enter and exit."""

    def __init__(self, size: int, device: int | None = None) -> None:
        self.size = size
        self.device = device
        self._owned = ExitStack()
        self._scan = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._context = self._own(create_context(self.device))
            self._context.enable_only(moderngl.DEPTH_TEST)
            self._front = self._own(compile_program(self._context, "scan.vert", "front.frag"))
            self._back = self._own(compile_program(self._context, "scan.vert", "back.frag"))
            self._target = self._make_target()
        except BaseException:
            self._owned.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scan.close()
        self._owned.close()

    def shoot(self, mesh: Mesh, views: Iterable[View]) -> Iterator[Frame]:
        """One frame a view, of an aligned mesh with vertex colours, which is uploaded once."""
        self._scan.close()  # an abandoned scan's, whose own end must not release this one
        with ExitStack() as self._scan:
            front, back = self._upload(mesh)
            for view in views:
                yield self._draw(front, back, view)

    def _own(self, thing: Thing) -> Thing:
        """The thing, which will be released with the renderer."""
        self._owned.callback(thing.release)
        return thing

    def _make_target(self) -> moderngl.Framebuffer:
        """Colour, ray length and shaded colour, over a depth buffer fine enough for depth's steps."""
        most = self._context.info["GL_MAX_TEXTURE_SIZE"]
        if self.size > most:
            raise RenderError(f"pictures are {self.size} pixels wide; this GL draws at most {most}")
        shape = (self.size, self.size)
        plain = self._own(self._context.texture(shape, 4))
        length = self._own(self._context.texture(shape, 1, dtype="f4"))
        shaded = self._own(self._context.texture(shape, 4))
        depth = self._own(self._context.depth_texture(shape))
        return self._own(self._context.framebuffer([plain, length, shaded], depth))

    def _upload(self, mesh: Mesh) -> tuple[moderngl.VertexArray, moderngl.VertexArray]:
        """The mesh on the device, ready to be drawn by the front and by the back program."""
        if mesh.colors is None:
            raise RenderError("the mesh has no vertex colours; textures are not drawn")
        columns = []
        for array, layout, name in (
            (mesh.vertices, "3f", "vertex"),
            (mesh.colors, "3f1", "vertex_color"),
            (vertex_normals(mesh.vertices, mesh.faces), "3f", "vertex_normal"),
        ):
            columns.append((self._on_device(array), layout, name))
        corners = self._on_device(mesh.faces)
        arrays = []
        for program, used in ((self._front, columns), (self._back, columns[:2])):
            arrays.append(self._context.vertex_array(program, used, corners))
            self._scan.callback(arrays[-1].release)
        return arrays[0], arrays[1]

    def _on_device(self, array: npt.NDArray[Any]) -> moderngl.Buffer:
        buffer: moderngl.Buffer = self._context.buffer(np.ascontiguousarray(array))
        self._scan.callback(buffer.release)
        return buffer

    def _draw(self, front: moderngl.VertexArray, back: moderngl.VertexArray, view: View) -> Frame:
        """Both surfaces of one view."""
        if (view.camera.width, view.camera.height) != (self.size, self.size):
            raise RenderError(f"camera is {view.camera.width} x {view.camera.height}, pictures {self.size}")
        for program in (self._front, self._back):
            set_uniform(program, "world_to_clip", world_to_clip(view.camera, _NEAR, _FAR))
            set_uniform(program, "turn", view_turn(view.yaw, view.pitch))
            set_uniform(program, "eye", position(view.camera))
        set_uniform(self._front, "light", view.light.coefficients)
        self._pass(front, *_NEAREST)
        nearest, shaded = self._surface(), self._color(_SHADED)
        self._pass(back, *_FARTHEST)
        return Frame(nearest, self._surface(), shaded)

    def _pass(self, array: moderngl.VertexArray, test: str, empty: float) -> None:
        self._target.use()
        self._target.clear(depth=empty)
        self._context.depth_func = test
        array.render(moderngl.TRIANGLES)

    def _surface(self) -> Surface:
        length = np.empty((self.size, self.size), dtype=np.float32)
        self._target.read_into(length, components=1, attachment=_LENGTH, dtype="f4")
        return Surface(self._color(_PLAIN), length)

    def _color(self, attachment: int) -> npt.NDArray[np.uint8]:
        color = np.empty((self.size, self.size, 3), dtype=np.uint8)
        self._target.read_into(color, components=3, attachment=attachment)
        return color
