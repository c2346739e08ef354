"""What a renderer refuses, in which words, and that the next scan does not suffer from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import moderngl
import numpy as np
import pytest
from drawing import WHITE, Studio, bumpy, coloured, quad, same_bytes, studio

from pipeline.errors import MeshError, RenderError
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.mesh import check
from pipeline.records import F32, Mesh, View
from pipeline.render import renderer as module
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer

SIZE = 128
CAMERA = portrait_camera(SIZE)
VIEWS = [View(0.0, 0.0, CAMERA, WHITE)]


@pytest.fixture(scope="module")
def shoot() -> Iterator[Studio]:
    with studio(SIZE) as one:
        yield one


def moved(number: float) -> Mesh:
    """A square, one of whose corners lies where it should not."""
    mesh = quad()
    mesh.vertices[1, 0] = number
    return mesh


def painted(shape: tuple[int, int]) -> Mesh:
    mesh = quad()
    spots = np.zeros((4, 2), dtype=np.float32)
    return replace(mesh, uvs=spots, face_uvs=mesh.faces, textures=(np.zeros((*shape, 3), np.uint8),))


NO_FACES = np.zeros((0, 3), dtype=np.int32)
REFUSED = {
    "no faces": (replace(quad(), faces=NO_FACES), "mesh has no faces"),
    "nothing": (coloured(np.zeros((0, 3)), NO_FACES), "mesh has no faces"),
    "NaN": (moved(np.nan), "not finite"),
    "infinity": (moved(-np.inf), "not finite"),
    "more than float32 squared": (moved(3e38), "not finite"),
    "metres that are millimetres": (coloured(quad().vertices * 1000, quad().faces), "reaches 424 .*scale"),
    "as far as the camera": (moved(1.0), r"reaches 1\.04 .* stands at 1"),
    "no extent": (coloured(np.zeros((4, 3)), quad().faces), "nothing of it is in the picture at yaw 0"),
    "beside the picture": (
        coloured([[0.8, 0, 0.5], [0.8, 0.1, 0.5], [0.79, 0, 0.5]], [[0, 1, 2]]),
        "nothing of it is in the picture at yaw 0, pitch 0",
    ),
    "in the camera": (
        coloured([[0, 0, 0.999], [0, 1e-4, 0.999], [1e-4, 0, 0.999]], [[0, 1, 2]]),
        "nothing of it is in the picture",
    ),
    "no colours": (Mesh(quad().vertices, quad().faces), "no colours"),
    "a wide texture": (painted((2, 60_000)), "texture is 60000 x 2; this device takes"),
    "a high texture": (painted((60_000, 2)), "texture is 2 x 60000; this device takes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mesh_that_cannot_be_drawn_is_refused_and_the_next_is_not(shoot: Studio, name: str) -> None:
    mesh, words = REFUSED[name]
    before = shoot(bumpy(3), 20)
    with np.errstate(over="ignore"), pytest.raises(MeshError, match=words):
        shoot(mesh)
    same_bytes(before, shoot(bumpy(3), 20))


@pytest.mark.parametrize("index", [-1, 4, 2**31 - 1])
def test_faces_that_name_no_vertex_are_refused_before_and_harmless_on_the_device(index: int) -> None:
    """They are looked for when a scan is read; here buffers have bounds, and the next scan is as it was."""
    mesh = quad()
    mesh.faces[0, 2] = index
    with pytest.raises(MeshError, match=f"faces name vertices .*{index}"):
        check(mesh)
    with Renderer(SIZE, [Layer("color"), Layer("length")]) as renderer:
        before, broken, after = (next(renderer.shoot(one, VIEWS)) for one in (bumpy(3), mesh, bumpy(3)))
    assert broken.front.length is not None and np.isfinite(broken.front.length).all()
    np.testing.assert_array_equal(before.front.length, after.front.length)
    np.testing.assert_array_equal(before.front.color, after.front.color)


def test_textures_without_places_on_them_are_grey(shoot: Studio) -> None:
    mesh = Mesh(quad().vertices, quad().faces, textures=(np.zeros((4, 4, 3), np.uint8),))
    front = shoot(mesh).front
    assert front.hit.sum() > 1000
    assert (front.color[front.hit] == 128).all()


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        (bumpy(4), "mesh has 5,120 faces; this device takes 1,000; make it coarser"),
        (coloured(np.zeros((1001, 3)), [[0, 1, 2]]), "mesh has 1,001 vertices; this device takes 1,000"),
    ],
)
def test_more_than_the_devices_buffers_hold_is_refused(
    mesh: Mesh, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny(SIZE) as renderer, monkeypatch.context() as patch:
        limits = dict(renderer._context.info, GL_MAX_SHADER_STORAGE_BLOCK_SIZE=12_000)
        patch.setattr(renderer, "_context", Disguised(renderer._context, info=limits))
        with pytest.raises(MeshError, match=words):
            list(renderer.shoot(mesh, VIEWS))


class Disguised:
    """A context that says other things of itself than are true."""

    def __init__(self, context: moderngl.Context, **lies: object) -> None:
        self._context = context
        self._lies = lies

    def __enter__(self) -> object:
        return self._context.__enter__()  # type: ignore[no-untyped-call]

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(*error)  # type: ignore[no-untyped-call]

    def __getattr__(self, name: str) -> object:
        return self._lies[name] if name in self._lies else getattr(self._context, name)


@pytest.mark.parametrize("complaint", ["GL_OUT_OF_MEMORY", "GL_INVALID_OPERATION"])
def test_what_gl_complains_of_stops_the_build(complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny(SIZE) as renderer, monkeypatch.context() as patch:
        patch.setattr(renderer, "_context", Disguised(renderer._context, error=complaint))
        with pytest.raises(RenderError, match=f"GL reports {complaint}"):
            list(renderer.shoot(quad(), VIEWS))


def test_a_camera_of_another_size_is_refused(shoot: Studio) -> None:
    with pytest.raises(RenderError, match=f"camera is 64 x 64, pictures {SIZE}"):
        shoot(quad(), camera=portrait_camera(64))


def test_a_picture_larger_than_gl_draws_is_refused() -> None:
    with pytest.raises(RenderError, match=r"1048576 pixels wide; this GL draws at most \d+"), tiny(1 << 20):
        pass


def tiny(size: int) -> Renderer:
    return Renderer(size, [Layer("mask")])


def test_where_there_is_no_device_the_way_out_is_told() -> None:
    with pytest.raises(RenderError, match=r"no EGL device 63.*scan2k doctor"):
        Renderer(SIZE, [Layer("mask")], device=63).__enter__()


def test_a_scan_is_finished_before_the_next() -> None:
    with tiny(SIZE) as renderer:
        first = renderer.shoot(quad(), VIEWS * 2)
        next(first)
        next(renderer.shoot(bumpy(2), VIEWS))
        with pytest.raises(RenderError, match="another scan has been begun"):
            next(first)


class Standing(SimpleNamespace):
    """What stands in for a context."""

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


def test_a_failure_half_way_releases_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    released = []
    info = {"GL_MAX_TEXTURE_SIZE": 4096, "GL_MAX_SHADER_STORAGE_BLOCK_SIZE": 1 << 20}
    context = Standing(info=info, release=lambda: released.append("context"))

    def broken(*things: object) -> F32:
        raise RenderError("does not compile")

    monkeypatch.setattr(module, "create_context", lambda device: context)
    monkeypatch.setattr(module, "Sight", broken)
    with pytest.raises(RenderError, match="does not compile"), tiny(SIZE):
        pass
    assert released == ["context"]
