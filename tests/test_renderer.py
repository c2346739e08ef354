"""What a renderer promises besides where things are: colours, shade, order, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from drawing import EVERY_LAYER, WHITE, Studio, ball, bumpy, coloured, quad, same_bytes, spread, studio
from embree import blend, cast

from pipeline.geometry.camera import portrait_camera, rays
from pipeline.geometry.lighting import irradiance
from pipeline.geometry.presets import preset_light
from pipeline.geometry.transform import view_turn
from pipeline.records import F64, Light, View
from pipeline.render import renderer as module
from pipeline.render.planes import SIDES, Layer
from pipeline.render.renderer import Renderer

SIZE = 256
CAMERA = portrait_camera(SIZE)
DIM = 0.55
COLOR = (Layer("color"),)


@pytest.fixture
def shoot() -> Iterator[Studio]:
    with studio(SIZE) as one:
        yield one


def test_every_colour_passes_through_untouched(shoot: Studio) -> None:
    columns, rows = np.meshgrid(np.arange(16), np.arange(16))
    lower_left = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2)
    corners = (lower_left + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])).reshape(-1, 2) / 20 - 0.4
    faces = (np.arange(256)[:, None] * 4 + [0, 1, 2, 0, 2, 3]).reshape(-1, 3)
    value = np.arange(256)
    colours = np.column_stack([value, 255 - value, value // 2])
    mesh = coloured(np.column_stack([corners, np.zeros(1024)]), faces, np.repeat(colours, 4, axis=0))
    drawn = shoot(mesh)
    for side in drawn.sides():
        found, counts = np.unique(side.color[side.hit], axis=0, return_counts=True)
        np.testing.assert_array_equal(found, colours)
        assert counts.min() > 100
        np.testing.assert_array_equal(side.color, side.shaded)


def test_colour_is_interpolated_linearly_over_the_surface(shoot: Studio) -> None:
    # Near on the left: what is linear in the world is not on screen.
    mesh = quad(np.array([0.2, -0.2, -0.2, 0.2]), [[0, 0, 50], [200, 0, 50], [200, 100, 50], [0, 100, 50]])
    front = shoot(mesh).front
    starts, along = (line[front.hit] for line in rays(CAMERA))
    places = starts + along * front.length[front.hit][:, None]
    expected = np.column_stack([(places[:, :2] / 0.6 + 0.5) * [200, 100], np.full(len(places), 50)])
    assert np.abs(front.color[front.hit] - expected).max() < 0.51


def shade(albedo: object, received: F64) -> F64:
    """What a surface of an sRGB colour looks like (N, 3) under light (N, 3), by the published curve."""
    colour = np.asarray(albedo) / 255
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4) * received
    return 255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_shade_is_albedo_times_what_the_light_gives(shoot: Studio) -> None:
    light = preset_light("studio", np.random.default_rng(2))
    mesh, yaw, pitch = ball(5, 0.3), 50, 20
    mesh = coloured(mesh.vertices, mesh.faces, (200, 120, 40))
    drawn = shoot(mesh, yaw, pitch, light=light)
    starts, along = rays(CAMERA)
    for side in drawn.sides():
        places = (starts + along * side.length[..., None])[side.hit]
        received = irradiance(light, places / np.linalg.norm(places, axis=1, keepdims=True))
        error = side.shaded[side.hit] - shade([200, 120, 40], received)
        assert np.abs(error).max() < 1.5, np.abs(error).max()
        assert abs(error.mean()) < 0.1 and np.abs(error).mean() < 0.3


def test_openness_takes_from_the_room_and_not_from_the_lamps(shoot: Studio) -> None:
    """Linear over the surface, as the vertices have it."""
    light = preset_light("studio", np.random.default_rng(3))
    mesh = quad(np.array([0.2, -0.2, -0.2, 0.2]), 180)
    opened = np.array([1.0, 0.25, 0.0, 0.6], dtype=np.float32)
    front = shoot(mesh, 20, light=light, openness=opened).front
    sight = cast(mesh.vertices @ view_turn(20, 0).T, mesh.faces, SIZE)
    both = sight.seen & front.hit
    open_there = blend(opened[:, None], mesh.faces, sight.nearest)[front.hit[sight.seen]]
    slope = np.array([0.4, 0.0, 0.6])  # the square falls by 0.4 over its width of 0.6
    normal = view_turn(20, 0) @ slope / np.linalg.norm(slope)
    lamps = irradiance(Light(np.zeros((9, 3)), light.towards, light.lamps), normal[None])
    room = irradiance(Light(light.coefficients), normal[None])
    assert lamps.min() > 0.1 and room.min() > 0.1
    error = front.shaded[both] - shade([180] * 3, np.maximum(room * open_there + lamps, 0))
    assert np.abs(error).max() < 0.6, np.abs(error).max()


@pytest.mark.parametrize("preset", ["studio", "ring", "flat"])
def test_shade_of_a_coloured_body_is_what_numpy_says(shoot: Studio, preset: str) -> None:
    """From the colours and normals that are drawn beside it, lamps behind and all."""
    light = preset_light(preset, np.random.default_rng(4))
    drawn = shoot(bumpy(4), 200, -20, light=light)
    for side in drawn.sides():
        received = np.maximum(irradiance(light, side.direction[side.hit].astype(np.float64)), 0)
        error = np.abs(side.shaded[side.hit] - shade(side.color[side.hit], received).clip(0, 255))
        assert error.mean() < 1, error.mean()
        assert np.percentile(error, 99.9) < 4, np.percentile(error, 99.9)  # dark albedos are steep


def test_darkest_colours_take_the_straight_part_of_the_curve(shoot: Studio) -> None:
    front = shoot(quad(0.0, (0, 4, 10)), light=Light(WHITE.coefficients * DIM)).front
    expected = 255 * np.array([0, 4 / 255 * DIM, 10 / 255 * DIM])
    assert np.abs(front.shaded[front.hit] - expected).max() < 0.51


def test_pictures_are_the_right_way_up_and_round(shoot: Studio) -> None:
    front = shoot(quad(0.0, [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 255, 0]])).front
    rows, columns = np.nonzero(front.hit)
    top, bottom, left, right = rows.min() + 2, rows.max() - 2, columns.min() + 2, columns.max() - 2
    assert front.color[bottom, left].argmax() == 0
    assert front.color[top, right].argmax() == 2
    assert front.color[top, left].argmax() == 1


def test_one_upload_serves_many_views_and_repeats_to_the_byte() -> None:
    mesh, views = bumpy(3), [View(yaw, 0.0, CAMERA, WHITE) for yaw in (0.0, 90.0, 0.0)]
    with Renderer(SIZE, EVERY_LAYER) as renderer:
        first, turned, again = (spread(frame) for frame in renderer.shoot(mesh, views))
    with Renderer(SIZE, EVERY_LAYER) as renderer:
        (other,) = (spread(frame) for frame in renderer.shoot(mesh, views[:1]))
    same_bytes(first, again)
    same_bytes(first, other)
    assert (first.front.length != turned.front.length).any()


def test_a_scan_left_half_way_does_not_disturb_the_next() -> None:
    views = [View(yaw, 0.0, CAMERA, WHITE) for yaw in (0.0, 90.0)]
    with Renderer(SIZE, EVERY_LAYER) as renderer:
        left = renderer.shoot(quad(), views)
        next(left)
        frames = renderer.shoot(bumpy(3), views)
        first = spread(next(frames))
        del left
        second = spread(next(frames))
        whole = [spread(frame) for frame in renderer.shoot(bumpy(3), views)]
    same_bytes(first, whole[0])
    same_bytes(second, whole[1])


@pytest.mark.parametrize("layer", EVERY_LAYER, ids=lambda layer: f"{layer.kind}-{layer.side}")
def test_a_layer_alone_is_what_it_is_among_all(shoot: Studio, layer: Layer) -> None:
    mesh = bumpy(2)
    among = getattr(shoot(mesh, 30), layer.side)
    with Renderer(SIZE, [layer]) as renderer:
        (frame,) = renderer.shoot(mesh, [View(30.0, 0.0, CAMERA, WHITE)])
    for side in SIDES:
        for kind in {one.kind for one in EVERY_LAYER}:
            picture = getattr(getattr(frame, side), kind)
            assert (picture is not None) == ((kind, side) == (layer.kind, layer.side))
    alone = getattr(getattr(frame, layer.side), layer.kind)
    top, left = frame.window.top, frame.window.left
    rows, columns = slice(top, top + alone.shape[0]), slice(left, left + alone.shape[1])
    expected = getattr(among, layer.kind)[rows, columns]
    # Compilers put the sums of other programs in another order, which a normal shows in its last place.
    unlike = {"normal": 1.0, "direction": 1e-6}.get(layer.kind, 0.0)
    assert np.abs(alone.astype(np.float64) - expected).max() <= unlike


def test_making_a_renderer_touches_no_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: int | None) -> None:
        raise AssertionError(device)

    monkeypatch.setattr(module, "create_context", refuse)
    Renderer(SIZE, COLOR)


def test_two_renderers_side_by_side_do_not_disturb_each_other() -> None:
    views = [View(yaw, 0.0, CAMERA, WHITE) for yaw in (0.0, 90.0)]
    with studio(SIZE) as alone:
        expected = [alone(bumpy(3), view.yaw) for view in views]
    with Renderer(SIZE, EVERY_LAYER) as one:
        frames = one.shoot(bumpy(3), views)
        first = spread(next(frames))
        with Renderer(SIZE, EVERY_LAYER) as other:
            list(other.shoot(quad(), views[:1]))
        second = spread(next(frames))
    same_bytes(first, expected[0])
    same_bytes(second, expected[1])
