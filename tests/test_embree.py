from __future__ import annotations

import numpy as np
import pytest
import raycaster
import trimesh
from embree import Hits, Sight, blend, cast, smooth_normals, texels

from pipeline.geometry.camera import portrait_camera, project
from pipeline.geometry.transform import aligned, view_turn
from pipeline.records import F64, I32, Evidence, Mesh
from pipeline.stages.align import align
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

SIZE = 256
STEP = 1 / (32 * portrait_camera(2048).fx)  # of depth in a picture of full size
QUAD = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
CORNERS = np.array([[-0.3, -0.3], [0.3, -0.3], [0.3, 0.3], [-0.3, 0.3]])
both = pytest.mark.parametrize("orthographic", [False, True])


def lines(orthographic: bool) -> tuple[F64, F64]:
    """Where every pixel's ray starts and which way it goes, (SIZE, SIZE, 3) each."""
    centres = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1) * np.tan(np.radians(25))
    x, y = np.meshgrid(centres, -centres)
    start, across = np.array([0.0, 0.0, 1.0]), np.stack([x, y, np.zeros_like(x)], axis=-1)
    if orthographic:
        return start + across, np.broadcast_to(-start, across.shape)
    along = across - start
    return np.broadcast_to(start, across.shape), along / np.linalg.norm(along, axis=-1, keepdims=True)


def picture(sight: Sight, hits: Hits) -> F64:
    whole = np.full(sight.seen.shape, np.nan)
    whole[sight.seen] = hits.length
    return whole


@both
def test_plane_is_as_far_as_the_equation_says(orthographic: bool) -> None:
    slope = np.array([0.5, 0.3])
    sight = cast(np.column_stack([CORNERS, CORNERS @ slope]), QUAD, SIZE, orthographic)
    starts, along = lines(orthographic)
    normal = np.array([-slope[0], -slope[1], 1.0])  # the plane z = slope . (x, y)
    expected = -(starts @ normal) / (along @ normal)
    inside = (np.abs((starts + along * expected[..., None])[..., :2]) < 0.3).all(axis=-1)
    assert 10_000 < inside.sum() < SIZE * SIZE / 2
    np.testing.assert_array_equal(sight.seen, inside)
    for hits in (sight.nearest, sight.farthest):
        np.testing.assert_allclose(hits.length, expected[inside], rtol=0, atol=1e-14)


@both
def test_sphere_has_a_near_and_a_far_side_on_one_line(orthographic: bool) -> None:
    radius, middle = 0.2, np.array([0.1, 0.05, -0.08])
    ball = trimesh.creation.icosphere(6)
    sight = cast(ball.vertices * radius + middle, ball.faces, SIZE, orthographic)
    starts, along = lines(orthographic)
    towards = np.einsum("ijk,ijk->ij", along, middle - starts)
    inside = towards**2 - ((starts - middle) ** 2).sum(axis=-1) + radius**2
    assert sight.seen[inside > 1e-3 * radius**2].all()
    assert not sight.seen[inside < 0].any()  # facets are within the sphere
    clear = inside > (0.3 * radius) ** 2  # pixels that do not graze: facets are 1e-5 from the true sphere
    assert clear.sum() > 3000
    half_chord = np.sqrt(inside[clear])
    for hits, side in ((sight.nearest, -1), (sight.farthest, 1)):
        deep = (picture(sight, hits)[clear] - (towards[clear] + side * half_chord)) * side
        assert deep.min() > -4 * STEP and deep.max() < 1e-12


@both
def test_a_place_falls_on_the_pixel_that_the_camera_says(orthographic: bool) -> None:
    place = np.array([0.11, 0.23, 0.05])
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    disc = place + np.column_stack([np.cos(turn), np.sin(turn), turn * 0]) * 0.05
    fan = np.array([[0, i, i + 1] for i in range(1, 59)], dtype=np.int32)
    sight = cast(disc, fan, 2048, orthographic)
    row, column = (pixels.mean() + 0.5 for pixels in np.nonzero(sight.seen))
    camera = portrait_camera(2048)
    u, v = project(place[None], camera)[0, :2]
    if orthographic:
        u, v = place[:2] * [camera.fx, -camera.fy] + 1024
    assert (column, row) == (pytest.approx(u, abs=0.05), pytest.approx(v, abs=0.05))


@both
@pytest.mark.parametrize("order", [1, -1])
def test_surfaces_half_a_step_apart_are_told_apart(orthographic: bool, order: int) -> None:
    near, far = (np.column_stack([CORNERS, np.full(4, z)]) for z in (-0.3 + STEP / 2, -0.3))
    sight = cast(np.vstack([near, far][::order]), np.vstack([QUAD, QUAD + 4]), SIZE, orthographic)
    clear = np.isin(np.arange(SIZE), np.arange(100, 156))
    middle = (clear[:, None] & clear)[sight.seen]
    assert middle.sum() == 56 * 56
    first = 0 if order == 1 else 1
    assert (sight.nearest.face[middle] // 2 == first).all()
    assert (sight.farthest.face[middle] // 2 == 1 - first).all()


@both
def test_what_is_linear_in_the_world_is_blended_to_what_it_is_there(orthographic: bool) -> None:
    places = np.column_stack([CORNERS, [0.2, -0.2, -0.2, 0.2]])
    sight = cast(places, QUAD, SIZE, orthographic)
    starts, along = (line[sight.seen] for line in lines(orthographic))
    for hits in (sight.nearest, sight.farthest):
        there = starts + along * hits.length[:, None]
        np.testing.assert_allclose(blend(places, QUAD, hits), there, rtol=0, atol=1e-14)
        np.testing.assert_allclose(hits.weights.sum(axis=1), 1, rtol=1e-12)
        assert hits.weights.min() >= 0


def person(yaw: float) -> tuple[F64, I32]:
    scan = make_scan(draw(0, 1), 20_000)
    mesh = Mesh(scan.skin.vertices, scan.skin.faces, scan.skin.colors)
    places = aligned(mesh.vertices, align(mesh, Evidence(parameters=scan.body)))
    return places.astype(np.float64) @ view_turn(yaw, 10).T, mesh.faces


@pytest.mark.parametrize("yaw", [-30, 95])
def test_agrees_with_the_ray_caster_that_uses_no_library(yaw: float) -> None:
    places, faces = person(yaw)
    sight = cast(places, faces, 512)
    nearest, farthest = raycaster.cast(places, faces, 512, portrait_camera(512).fx)
    assert sight.seen.sum() > 15_000
    assert (sight.seen != np.isfinite(nearest)).sum() <= 1
    for hits, true in ((sight.nearest, nearest), (sight.farthest, farthest)):
        error = np.abs(picture(sight, hits) - true)[sight.seen & np.isfinite(nearest)]
        assert (error > STEP / 1000).sum() <= 3
        assert error.max() < STEP / 10


def test_a_closed_body_lets_no_ray_through() -> None:
    ball = trimesh.creation.icosphere(5)
    places = np.round(ball.vertices * 0.3 * 512) / 512  # many rays go exactly through edges and corners
    sight = cast(places, ball.faces, 512, orthographic=True)
    rows = np.flatnonzero(sight.seen.any(axis=1))
    for row in sight.seen[rows]:
        across = np.flatnonzero(row)
        assert len(across) == across[-1] - across[0] + 1
    assert (sight.farthest.length > sight.nearest.length).mean() > 0.98


def test_smooth_normals_are_weighted_by_area() -> None:
    flat, upright = [[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 2, 0], [0, 0, 1]]
    places = np.array([*flat, *upright, [9, 9, 9]], dtype=np.float32)
    normals = smooth_normals(places, np.array([[0, 1, 2], [0, 3, 4]], dtype=np.int32))
    np.testing.assert_allclose(normals[0], np.array([1, 0, 2]) / 5**0.5)
    np.testing.assert_allclose(normals[1:5], [[0, 0, 1]] * 2 + [[1, 0, 0]] * 2)
    np.testing.assert_array_equal(normals[5], np.zeros(3))


def test_texels_are_exact_at_their_centres_and_mixed_between() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    row, column = np.indices((4, 8)).reshape(2, -1)
    centres = np.column_stack([(column + 0.5) / 8, 1 - (row + 0.5) / 4])
    for shift in ([0, 0], [1, -2]):
        np.testing.assert_allclose(texels(texture, centres + shift), texture[row, column], atol=1e-9)
    between = texels(texture, np.array([[2 / 8, 1 - 0.5 / 4], [0.0, 1.0]]))
    wide = texture.astype(np.float64)
    np.testing.assert_allclose(between[0], (wide[0, 1] + wide[0, 2]) / 2)
    np.testing.assert_allclose(between[1], (wide[0, 0] + wide[0, 7] + wide[3, 0] + wide[3, 7]) / 4)
