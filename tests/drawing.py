"""Meshes to draw, and cropped pictures spread over the whole frame again, for the tests of the renderer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import trimesh

from pipeline.geometry.camera import portrait_camera
from pipeline.records import F32, F64, U8, U16, Bool, Camera, Frame, Light, Mesh, Surface, View, Window
from pipeline.render.planes import SIDES, WORDS, Layer
from pipeline.render.renderer import Renderer

WHITE = Light(np.vstack([np.ones((1, 3)), np.zeros((8, 3))]))
EVERY_LAYER = tuple(Layer(kind, side) for kind in WORDS for side in SIDES)
SQUARE = np.array([[-0.3, -0.3], [0.3, -0.3], [0.3, 0.3], [-0.3, 0.3]])


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """All layers of one side, over the whole picture."""

    color: U8
    shaded: U8
    mask: U8
    depth: U16
    length: F32
    normal: U16
    direction: F32

    @property
    def hit(self) -> Bool:
        """Where something is (H, W)."""
        return self.mask > 0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Both sides of one view, over the whole picture."""

    front: Side
    back: Side

    def sides(self) -> tuple[Side, Side]:
        """The front, and the back."""
        return self.front, self.back


class Studio:
    """A renderer of every layer, whose pictures are whole."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def __call__(
        self,
        mesh: Mesh,
        yaw: float = 0.0,
        pitch: float = 0.0,
        *,
        light: Light = WHITE,
        camera: Camera | None = None,
        openness: F32 | None = None,
    ) -> Drawn:
        """One view."""
        view = View(yaw, pitch, camera or portrait_camera(self._renderer.size), light)
        (frame,) = self._renderer.shoot(mesh, [view], openness)
        return spread(frame)


@contextmanager
def studio(size: int) -> Iterator[Studio]:
    """What draws every layer of meshes, `size` pixels square."""
    with Renderer(size, EVERY_LAYER) as renderer:
        yield Studio(renderer)


def spread(frame: Frame) -> Drawn:
    """A frame that has every layer, over the whole picture."""
    return Drawn(_side(frame.front, frame.window), _side(frame.back, frame.window))


def _side(surface: Surface, window: Window) -> Side:
    return Side(**{f.name: over_all(getattr(surface, f.name), window) for f in fields(Side)})


def over_all(picture: npt.NDArray[Any], window: Window) -> npt.NDArray[Any]:
    """A picture (h, w, ...) where it lies in the whole one, and 0 around it."""
    whole = np.zeros((window.height, window.width, *picture.shape[2:]), dtype=picture.dtype)
    rows, columns = picture.shape[:2]
    whole[window.top : window.top + rows, window.left : window.left + columns] = picture
    return whole


def same_bytes(a: Drawn, b: Drawn) -> None:
    """Fail where any layer of two drawings differs."""
    for ours, theirs in zip(a.sides(), b.sides(), strict=True):
        for field in fields(Side):
            one, other = getattr(ours, field.name), getattr(theirs, field.name)
            np.testing.assert_array_equal(one, other, err_msg=field.name)


def coloured(vertices: object, faces: object, colors: object = 128) -> Mesh:
    """A mesh whose vertices have the given colours (V, 3), or all the same one."""
    places = np.asarray(vertices, dtype=np.float32)
    paint: U8 = np.broadcast_to(np.asarray(colors, dtype=np.uint8), places.shape).copy()
    return Mesh(places, np.asarray(faces, dtype=np.int32).reshape(-1, 3), paint)


def quad(z: float | F64 = 0.0, colors: object = 128) -> Mesh:
    """A square of side 0.6, corners counter-clockwise from the lower left, at the given heights z."""
    return coloured(np.column_stack([SQUARE, np.broadcast_to(z, 4)]), [[0, 1, 2], [0, 2, 3]], colors)


def ball(detail: int, radius: float = 1.0, middle: object = 0.0) -> Mesh:
    """A grey sphere."""
    sphere = trimesh.creation.icosphere(detail)
    return coloured(sphere.vertices * radius + np.asarray(middle), sphere.faces)


def bumpy(detail: int) -> Mesh:
    """A coloured potato with hollows."""
    sphere = trimesh.creation.icosphere(detail)
    x, y, z = sphere.vertices.T
    rough = 1 + 0.3 * np.sin(7 * x) * np.sin(5 * y + 3 * z)
    places = sphere.vertices * rough[:, None] * [0.12, 0.25, 0.1]
    return coloured(places, sphere.faces, (places * 300 + 128).astype(np.uint8))
