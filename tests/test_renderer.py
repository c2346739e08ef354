from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import trimesh
from raycaster import cast

from pipeline.errors import RenderError
from pipeline.geometry.camera import portrait_camera, position, rays
from pipeline.geometry.lighting import MEAN, irradiance, room_light
from pipeline.geometry.transform import turn_y, view_turn
from pipeline.records import F32, F64, U8, Frame, Light, Mesh, View
from pipeline.render import renderer as module
from pipeline.render.renderer import Renderer

SIZE = 256
CAMERA = portrait_camera(SIZE)
STEP = 1 / (32 * CAMERA.fx)
FULL = Light(np.vstack([np.ones((1, 3)), np.zeros((8, 3))]))
Shoot = Callable[..., Frame]


@pytest.fixture(scope="module")
def shoot() -> Iterator[Shoot]:
    with Renderer(SIZE) as renderer:

        def one(mesh: Mesh, yaw: float = 0.0, pitch: float = 0.0, light: Light = FULL) -> Frame:
            (frame,) = renderer.shoot(mesh, [View(yaw, pitch, CAMERA, light)])
            return frame

        yield one


def coloured(vertices: F64 | F32, faces: object, colors: object = 128) -> Mesh:
    places = np.asarray(vertices, dtype=np.float32)
    paint: U8 = np.broadcast_to(np.asarray(colors, dtype=np.uint8), places.shape).copy()
    return Mesh(places, np.asarray(faces, dtype=np.int32).reshape(-1, 3), paint)


def quad(z: float | F64 = 0.0, colors: object = 128) -> Mesh:
    """A square of side 0.6, corners counter-clockwise from the lower left, at the given heights z."""
    corners = np.array([[-0.3, -0.3], [0.3, -0.3], [0.3, 0.3], [-0.3, 0.3]])
    return coloured(np.column_stack([corners, np.broadcast_to(z, 4)]), [[0, 1, 2], [0, 2, 3]], colors)


def bumpy(detail: int) -> Mesh:
    ball = trimesh.creation.icosphere(detail)
    x, y, z = ball.vertices.T
    places = ball.vertices * (1 + 0.3 * np.sin(7 * x) * np.sin(5 * y + 3 * z))[:, None] * [0.12, 0.25, 0.1]
    return coloured(places, ball.faces, (places * 300 + 128).astype(np.uint8))


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-140, 25)])
def test_sphere_is_as_long_as_the_quadratic_says(shoot: Shoot, yaw: float, pitch: float) -> None:
    radius, middle = 0.2, np.array([0.1, 0.05, -0.08])
    ball = trimesh.creation.icosphere(6)
    frame = shoot(coloured(ball.vertices * radius + middle, ball.faces), yaw, pitch)
    towards = rays(CAMERA) @ (view_turn(yaw, pitch) @ middle - position(CAMERA))
    apart = np.sum((view_turn(yaw, pitch) @ middle - position(CAMERA)) ** 2) - radius**2
    inside = towards**2 - apart
    clear = inside > (0.3 * radius) ** 2  # pixels that do not graze: facets are 1e-5 from the true sphere
    assert clear.sum() > 3000
    half_chord = np.sqrt(inside[clear])
    assert np.abs(frame.front.length[clear] - (towards[clear] - half_chord)).max() < STEP / 2
    assert np.abs(frame.back.length[clear] - (towards[clear] + half_chord)).max() < STEP / 2
    hit = frame.front.length > 0
    assert (hit & (inside < -1e-4 * radius)).sum() == 0 and (~hit & (inside > 1e-3 * radius)).sum() == 0


def test_tilted_plane_is_exact_everywhere(shoot: Shoot) -> None:
    slope = np.array([0.5, 0.3])
    corners = np.array([[-0.3, -0.3], [0.3, -0.3], [0.3, 0.3], [-0.3, 0.3]])
    frame = shoot(quad(corners @ slope))
    directions, start = rays(CAMERA), position(CAMERA)
    normal = np.array([-slope[0], -slope[1], 1.0])  # the plane z = slope . (x, y)
    expected = -(start @ normal) / (directions @ normal)
    hit = frame.front.length > 0
    assert hit.sum() > 10_000
    assert np.abs(frame.front.length - expected)[hit].max() < STEP / 50
    np.testing.assert_array_equal(frame.front.length, frame.back.length)


def test_agrees_with_an_independent_ray_caster(shoot: Shoot) -> None:
    mesh = bumpy(5)
    frame = shoot(mesh, 20, 10)
    turned = mesh.vertices.astype(np.float64) @ view_turn(20, 10).T
    nearest, farthest = cast(turned, mesh.faces, SIZE, CAMERA.fx)
    hit = frame.front.length > 0
    assert hit.sum() > 5000
    assert (hit != np.isfinite(nearest)).sum() <= 1
    both = hit & np.isfinite(nearest)
    for drawn, true in ((frame.front.length, nearest), (frame.back.length, farthest)):
        error = np.abs(drawn[both] - true[both])
        assert (error < STEP / 2).mean() >= 0.999
        assert np.median(error) < STEP / 50


def test_silhouettes_of_front_and_back_are_the_same(shoot: Shoot) -> None:
    frame = shoot(bumpy(3), 77)
    hit = frame.front.length > 0
    np.testing.assert_array_equal(hit, frame.back.length > 0)
    for color in (frame.front.color, frame.back.color, frame.shaded):
        assert not color[~hit].any()
    assert (frame.front.length <= frame.back.length).all()


@pytest.mark.parametrize("order", [1, -1])
def test_surfaces_half_a_step_of_full_size_apart_are_told_apart(shoot: Shoot, order: int) -> None:
    apart = 0.5 / (32 * portrait_camera(2048).fx)
    near, far = quad(-0.3 + apart, (255, 0, 0)), quad(-0.3, (0, 0, 255))
    pair = [near, far][::order]
    both = coloured(
        np.vstack([m.vertices for m in pair]),
        np.vstack([pair[0].faces, pair[1].faces + 4]),
        np.vstack([m.colors for m in pair if m.colors is not None]),
    )
    frame = shoot(both)
    middle = slice(100, 156), slice(100, 156)
    assert (frame.front.color[middle] == [255, 0, 0]).all()
    assert (frame.back.color[middle] == [0, 0, 255]).all()


def test_colours_pass_through_untouched(shoot: Shoot) -> None:
    for value in range(256):
        frame = shoot(quad(0.1, (value, 255 - value, value // 2)), light=FULL)
        inside = frame.front.length > 0
        for image in (frame.front.color, frame.back.color):
            assert (image[inside] == [value, 255 - value, value // 2]).all()
        assert (frame.shaded[inside] == [value, 255 - value, value // 2]).all()


def test_colour_is_interpolated_linearly_over_the_surface(shoot: Shoot) -> None:
    tilt = np.array(
        [0.2, -0.2, -0.2, 0.2]
    )  # near on the left: what is linear in the world is not on screen
    frame = shoot(quad(tilt, [[0, 0, 50], [200, 0, 50], [200, 100, 50], [0, 100, 50]]))
    hit = frame.front.length > 0
    places = position(CAMERA) + rays(CAMERA)[hit] * frame.front.length[hit][:, None]
    expected = np.column_stack([(places[:, :2] / 0.6 + 0.5) * [200, 100], np.full(hit.sum(), 50)])
    assert np.abs(frame.front.color[hit] - expected).max() < 0.51


def test_shade_is_albedo_times_what_the_light_gives(shoot: Shoot) -> None:
    ball = trimesh.creation.icosphere(5)
    mesh = coloured(ball.vertices * 0.3, ball.faces, (200, 120, 40))
    light = room_light(np.random.default_rng(2))
    frame = shoot(mesh, 50, 20, light)
    hit = frame.front.length > 0
    places = position(CAMERA) + rays(CAMERA)[hit] * frame.front.length[hit][:, None]
    received = irradiance(light, places / np.linalg.norm(places, axis=1, keepdims=True))
    albedo = ((np.array([200, 120, 40]) / 255 + 0.055) / 1.055) ** 2.4
    expected = 255 * (1.055 * (albedo * received) ** (1 / 2.4) - 0.055)
    assert np.abs(frame.shaded[hit] - expected).max() < 1.5


def test_darkest_colours_take_the_straight_part_of_the_curve(shoot: Shoot) -> None:
    dim = Light(FULL.coefficients * MEAN)
    frame = shoot(quad(0.0, (0, 4, 10)), light=dim)
    expected = 255 * np.array([0, 4 / 255 * MEAN, 10 / 255 * MEAN])
    assert np.abs(frame.shaded[frame.front.length > 0] - expected).max() < 0.51


def test_turning_the_person_is_the_view(shoot: Shoot) -> None:
    mesh = bumpy(4)
    turned = coloured(mesh.vertices @ turn_y(np.radians(40)).T.astype(np.float32), mesh.faces, mesh.colors)
    a, b = shoot(mesh, 40), shoot(turned, 0)
    same = (a.front.length > 0) & (b.front.length > 0)
    assert ((a.front.length > 0) != (b.front.length > 0)).sum() <= 4
    assert np.percentile(np.abs(a.front.length - b.front.length)[same], 99) < STEP / 10


def test_pictures_are_the_right_way_up_and_round(shoot: Shoot) -> None:
    frame = shoot(quad(0.0, [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 255, 0]]))
    rows, columns = np.nonzero(frame.front.length > 0)
    top, bottom, left, right = rows.min() + 2, rows.max() - 2, columns.min() + 2, columns.max() - 2
    assert frame.front.color[bottom, left].argmax() == 0
    assert frame.front.color[top, right].argmax() == 2
    assert frame.front.color[top, left].argmax() == 1


def test_one_upload_serves_many_views_and_repeats_to_the_byte() -> None:
    mesh, views = bumpy(3), [View(yaw, 0.0, CAMERA, FULL) for yaw in (0.0, 90.0, 0.0)]
    with Renderer(SIZE) as renderer:
        first, turned, again = renderer.shoot(mesh, views)
    with Renderer(SIZE) as renderer:
        (other,) = renderer.shoot(mesh, views[:1])
    for frame in (again, other):
        np.testing.assert_array_equal(first.front.length, frame.front.length)
        np.testing.assert_array_equal(first.back.color, frame.back.color)
        np.testing.assert_array_equal(first.shaded, frame.shaded)
    assert (first.front.length != turned.front.length).any()


def test_a_scan_left_half_way_does_not_disturb_the_next() -> None:
    views = [View(yaw, 0.0, CAMERA, FULL) for yaw in (0.0, 90.0)]
    with Renderer(SIZE) as renderer:
        left = renderer.shoot(quad(), views)
        next(left)
        frames = renderer.shoot(bumpy(3), views)
        first = next(frames)
        del left
        second = next(frames)
    assert (first.front.length > 0).sum() > 1000
    assert (second.front.length > 0).sum() > 1000


def test_making_a_renderer_touches_no_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: int | None) -> None:
        raise AssertionError(device)

    monkeypatch.setattr(module, "create_context", refuse)
    Renderer(SIZE)


def test_a_failure_half_way_releases_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    released = []

    class Watched:
        def enable_only(self, flags: int) -> None: ...

        def release(self) -> None:
            released.append("context")

    def broken(*names: object) -> None:
        raise RenderError("does not compile")

    monkeypatch.setattr(module, "create_context", lambda device: Watched())
    monkeypatch.setattr(module, "compile_program", broken)
    with pytest.raises(RenderError, match="compile"), Renderer(SIZE):
        pass
    assert released == ["context"]


def test_a_camera_of_another_size_is_refused() -> None:
    view = View(0.0, 0.0, portrait_camera(SIZE // 2), FULL)
    with Renderer(SIZE) as renderer, pytest.raises(RenderError, match="128 x 128"):
        list(renderer.shoot(quad(), [view]))


def test_a_picture_larger_than_gl_draws_is_refused() -> None:
    with pytest.raises(RenderError, match="at most"), Renderer(1 << 20):
        pass


def test_a_mesh_without_colours_is_refused() -> None:
    mesh = quad()
    with Renderer(SIZE) as renderer, pytest.raises(RenderError, match="no vertex colours"):
        list(renderer.shoot(Mesh(mesh.vertices, mesh.faces), [View(0.0, 0.0, CAMERA, FULL)]))
