"""What each pixel's ray meets: closed forms, and a ray caster that shares nothing with the renderer."""

from __future__ import annotations

from collections.abc import Iterator

import embree
import numpy as np
import pytest
from drawing import SQUARE, Drawn, Studio, ball, bumpy, coloured, quad, studio
from raycaster import cast

from pipeline.geometry.camera import portrait_camera, rays
from pipeline.geometry.depth import coding_of, encode
from pipeline.geometry.transform import view_turn
from pipeline.records import F64, Camera

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
        assert np.degrees(np.arccos(cosines.min())) < 0.05  # normals of a ball look away from its middle
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
