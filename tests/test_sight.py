"""What each pixel's ray meets: closed forms, and a ray caster that shares nothing with the renderer."""

from __future__ import annotations

from collections.abc import Iterator

import embree
import numpy as np
import pytest
from drawing import SQUARE, WHITE, Drawn, Studio, ball, bumpy, coloured, quad, studio
from raycaster import cast

from pipeline.geometry.camera import portrait_camera, project, rays
from pipeline.geometry.depth import coding_of, encode
from pipeline.geometry.transform import view_turn
from pipeline.records import F64, Camera, Mesh, View, Window
from pipeline.render.planes import SIDES, Layer
from pipeline.render.renderer import Renderer

SIZE = 256
STEP = 1 / (32 * portrait_camera(SIZE).fx)
CAMERAS = [portrait_camera(SIZE), portrait_camera(SIZE, parallel=True)]
both = pytest.mark.parametrize("camera", CAMERAS, ids=["perspective", "parallel"])


@pytest.fixture(scope="module")
def shoot() -> Iterator[Studio]:
    with studio(SIZE) as one:
        yield one


def check_codes(drawn: Drawn, camera: Camera) -> None:
    """Fail where 16-bit depth is not the length's code, but where rounding is a toss-up."""
    near, scale, middle = coding_of(camera)
    for side in drawn.sides():
        code = encode(side.length, camera)
        apart = np.abs(side.depth.astype(int) - code)
        exact = (side.length.astype(np.float64) - near) * scale + middle
        tie = np.abs(exact - np.floor(exact) - 0.5) < 2e-2  # float32 holds a code of 65535 to 1/128
        assert apart.max() <= 1
        assert not apart[~tie].any()


@both
@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (95, -35), (180, 0), (-140, 25), (337, 90)])
def test_sphere_is_as_long_as_the_quadratic_says(
    shoot: Studio, camera: Camera, yaw: float, pitch: float
) -> None:
    radius, middle = 0.2, np.array([0.1, 0.05, -0.08])
    drawn = shoot(ball(6, radius, middle), yaw, pitch, camera=camera)
    starts, along = rays(camera)
    centre = view_turn(yaw, pitch) @ middle
    towards = np.einsum("ijk,ijk->ij", along, centre - starts)
    inside = towards**2 - ((starts - centre) ** 2).sum(axis=-1) + radius**2
    assert not drawn.front.hit[inside < -1e-4 * radius**2].any()
    assert drawn.front.hit[inside > 1e-3 * radius].all()
    clear = inside > (0.3 * radius) ** 2  # pixels that do not graze: facets are 1e-5 from the true sphere
    assert clear.sum() > 3000
    for side, way in zip(drawn.sides(), (-1, 1), strict=True):
        length = (towards + way * np.sqrt(np.maximum(inside, 0)))[clear]
        assert np.abs(side.length[clear] - length).max() < STEP / 2
        places = starts[clear] + along[clear] * length[:, None]
        cosines = np.einsum("ij,ij->i", side.direction[clear], (places - centre) / radius)
        assert np.degrees(np.arccos(cosines.min())) < 0.12  # the facets of this ball are not all as large
        np.testing.assert_allclose(np.linalg.norm(side.direction[clear], axis=1), 1, atol=1e-6)
    check_codes(drawn, camera)


@both
def test_tilted_plane_is_exact_everywhere(shoot: Studio, camera: Camera) -> None:
    slope = np.array([0.5, 0.3])
    drawn = shoot(quad(SQUARE @ slope), camera=camera)
    starts, along = rays(camera)
    normal = np.array([-slope[0], -slope[1], 1.0])  # the plane z = slope . (x, y)
    expected = -(starts @ normal) / (along @ normal)
    hit = drawn.front.hit
    inside = (np.abs((starts + along * expected[..., None])[..., :2]) < 0.3).all(axis=-1)
    assert inside.sum() > 10_000
    np.testing.assert_array_equal(hit, inside)
    assert np.abs(drawn.front.length - expected)[hit].max() < STEP / 50
    np.testing.assert_array_equal(drawn.front.length, drawn.back.length)
    unit = normal / np.linalg.norm(normal)
    np.testing.assert_allclose(drawn.front.direction[hit], np.broadcast_to(unit, (hit.sum(), 3)), atol=1e-6)
    np.testing.assert_allclose(drawn.back.direction[hit], np.broadcast_to(-unit, (hit.sum(), 3)), atol=1e-6)
    check_codes(drawn, camera)


def test_agrees_with_the_ray_caster_that_uses_no_library(shoot: Studio) -> None:
    mesh, camera = bumpy(5), CAMERAS[0]
    drawn = shoot(mesh, 20, 10)
    turned = mesh.vertices.astype(np.float64) @ view_turn(20, 10).T
    nearest, farthest = cast(turned, mesh.faces, SIZE, camera.fx)
    assert drawn.front.hit.sum() > 5000
    assert (drawn.front.hit != np.isfinite(nearest)).sum() <= 1
    seen = drawn.front.hit & np.isfinite(nearest)
    for side, true in zip(drawn.sides(), (nearest, farthest), strict=True):
        error = np.abs(side.length[seen] - true[seen])
        assert (error < STEP / 2).mean() >= 0.999
        assert np.median(error) < STEP / 50


@both
def test_agrees_with_embree_on_a_mesh_of_holes_and_scraps(shoot: Studio, camera: Camera) -> None:
    draw = np.random.default_rng(0)
    middles = draw.uniform(-0.25, 0.25, (300, 1, 3))
    corners = (middles + draw.normal(0, 0.03, (300, 3, 3))).astype(np.float32)
    mesh = coloured(corners.reshape(-1, 3), np.arange(900))
    drawn = shoot(mesh, camera=camera)
    sight = embree.cast(mesh.vertices, mesh.faces, SIZE, camera.parallel)
    check_lengths(drawn, sight, most_apart=len(mesh.faces) // 20)  # corners go to the nearest 1/256 pixel


def check_lengths(drawn: Drawn, sight: embree.Sight, most_apart: int) -> None:
    """Fail where more than so many pixels are apart, in silhouette or in length."""
    hit = drawn.front.hit
    assert hit.sum() > 1000
    differing = (hit != sight.seen).sum()
    assert differing <= most_apart, differing
    both_see = hit & sight.seen
    for side, hits in zip(drawn.sides(), (sight.nearest, sight.farthest), strict=True):
        true: F64 = np.zeros(hit.shape)
        true[sight.seen] = hits.length
        apart = np.abs(side.length - true)[both_see]
        assert (apart > STEP / 2).sum() <= most_apart, np.sort(apart)[-9:] / STEP


def test_silhouettes_of_front_and_back_are_the_same(shoot: Studio) -> None:
    drawn = shoot(bumpy(3), 77)
    hit = drawn.front.length > 0
    assert 3000 < hit.sum() < SIZE * SIZE / 4
    for side in drawn.sides():
        np.testing.assert_array_equal(side.hit, hit)
        for picture in (side.length, side.depth, side.color, side.shaded, side.normal):
            np.testing.assert_array_equal(picture.reshape(SIZE, SIZE, -1).any(axis=-1), hit)
        assert (side.mask[hit] == 255).all()
        assert not side.direction[~hit].any()
    assert (drawn.front.length <= drawn.back.length).all()


@pytest.mark.parametrize("order", [1, -1])
def test_surfaces_half_a_step_of_full_size_apart_are_told_apart(shoot: Studio, order: int) -> None:
    apart = 0.5 / (32 * portrait_camera(2048).fx)
    near, far = quad(-0.3 + apart, (255, 0, 0)), quad(-0.3, (0, 0, 255))
    pair = [near, far][::order]
    vertices = np.vstack([m.vertices for m in pair])
    paint = np.repeat([[255, 0, 0], [0, 0, 255]][::order], 4, axis=0)
    drawn = shoot(coloured(vertices, np.vstack([pair[0].faces, pair[1].faces + 4]), paint))
    middle = slice(100, 156), slice(100, 156)
    assert (drawn.front.color[middle] == [255, 0, 0]).all()
    assert (drawn.back.color[middle] == [0, 0, 255]).all()


def fan(middle: object, radius: float, count: int) -> Mesh:
    """Slivers around a middle, a tilted disc of them."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    rim = np.column_stack([np.cos(turn), np.sin(turn), 0.3 * np.cos(turn)]) * radius + np.asarray(middle)
    faces = [[0, 1 + i, 1 + (i + 1) % count] for i in range(count)]
    return coloured(np.vstack([[middle], rim]), faces)


def edge_distance(pixel: F64, mesh: Mesh, camera: Camera) -> float:
    """How many pixels a place in the picture is away from the nearest edge of a face."""
    corners = project(mesh.vertices.astype(np.float64), camera)[mesh.faces, :2]
    starts, sides = corners, np.roll(corners, -1, axis=1) - corners
    share = np.einsum("fij,fij->fi", pixel - starts, sides) / np.einsum("fij,fij->fi", sides, sides)
    nearest = starts + sides * share.clip(0, 1)[..., None]
    return float(np.linalg.norm(nearest - pixel, axis=2).min())


ALONE = {
    "a triangle over the picture and far beyond": coloured(
        [[-0.9, -0.4, 0.0], [0.9, -0.4, 0.1], [0.0, 0.9, -0.2]], [[0, 1, 2]]
    ),
    "a triangle that leaves by the corner": coloured(
        [[0.2, 0.2, 0.2], [0.9, 0.3, 0.1], [0.3, 0.9, 0.0]], [[0, 1, 2]]
    ),
    "a small triangle": coloured([[0.0, 0.0, 0.0], [0.06, 0.0, 0.1], [0.02, 0.1, 0.1]], [[0, 1, 2]]),
    "a needle": coloured([[-0.4, -0.4, 0.0], [0.4, 0.39, 0.1], [0.4, 0.4, 0.1]], [[0, 1, 2]]),
    "a disc of needles": fan([0.01, 0.02, 0.0], 0.35, 720),
    "a disc that is partly outside": fan([0.4, -0.3, 0.1], 0.3, 24),
    "a face close to the camera": coloured(
        [[-0.02, -0.02, 0.9], [0.03, -0.02, 0.92], [0.0, 0.03, 0.95]], [[0, 1, 2]]
    ),
}


@both
@pytest.mark.parametrize("name", ALONE)
def test_single_faces_of_every_size_are_what_the_ray_caster_sees(
    shoot: Studio, camera: Camera, name: str
) -> None:
    mesh = ALONE[name]
    drawn = shoot(mesh, camera=camera)
    sight = embree.cast(mesh.vertices, mesh.faces, SIZE, camera.parallel)
    hit = drawn.front.hit
    assert sight.seen.sum() > 20
    for row, column in np.argwhere(hit != sight.seen):  # corners go to the nearest 1/256 pixel
        assert edge_distance(np.array([column, row]) + 0.5, mesh, camera) < 1 / 256
    seen = hit & sight.seen
    for side, hits in zip(drawn.sides(), (sight.nearest, sight.farthest), strict=True):
        apart = float(np.abs(side.length[seen] - hits.length[hit[sight.seen]]).max())
        assert apart < STEP / 10
    check_codes(drawn, camera)


@pytest.mark.parametrize(
    ("size", "parallel"),
    [(16, False), (257, True), (2048, False), pytest.param(4096, True, marks=pytest.mark.slow)],
)
def test_a_plane_over_the_whole_picture_has_no_holes_at_any_size(size: int, parallel: bool) -> None:
    """Two large triangles, whose common edge goes through the centres of pixels.

    A loop over so many pixels ends early on Mesa's software rasteriser if a face has one work group.
    """
    camera = portrait_camera(size, parallel)
    layers = [Layer(kind, side) for kind in ("depth", "length") for side in SIDES]
    slope, low = np.array([0.05, 0.1]), -0.1
    corners = SQUARE * 2
    mesh = coloured(np.column_stack([corners, corners @ slope + low]), [[0, 1, 2], [0, 2, 3]])
    with Renderer(size, layers) as renderer:
        (frame,) = renderer.shoot(mesh, [View(0.0, 0.0, camera, WHITE)])
    assert frame.window == Window(0, 0, size, size)
    starts, along = rays(camera)
    normal = np.array([-slope[0], -slope[1], 1.0])  # the plane z = low + slope . (x, y)
    expected = (low - starts @ normal) / (along @ normal)
    code_2048 = ((expected - 1) * portrait_camera(2048).fx + 1024) * 32
    f, c = camera.fx, size / 2
    code = code_2048 if size > 2048 else ((expected - 1) * f + c) * 32
    for side in (frame.front, frame.back):
        assert side.length is not None and side.depth is not None
        assert side.length.shape == (size, size)
        assert float(np.abs(side.length - expected).max()) < 5e-7
        assert float(np.abs(side.depth - code).max()) < 0.55
