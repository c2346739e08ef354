from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.camera import portrait_camera, position, project, rays, world_to_clip

inside = st.floats(-0.35, 0.35)


def test_portrait_camera_has_the_published_numbers() -> None:
    camera = portrait_camera(2048)
    assert abs(camera.fx - 2195.975086601788) < 1e-9
    assert (camera.fx, camera.cx, camera.cy) == (camera.fy, 1024.0, 1024.0)
    np.testing.assert_array_equal(camera.rotation, np.diag([1, -1, -1]))
    np.testing.assert_array_equal(camera.translation, [0, 0, 1])
    np.testing.assert_array_equal(position(camera), [0, 0, 1])


@given(inside, inside, inside)
def test_project_agrees_with_similar_triangles(x: float, y: float, z: float) -> None:
    u, v, length = project(np.array([[x, y, z]]), portrait_camera(2048))[0]
    focal = 1024 / np.tan(np.radians(25))
    assert np.allclose([u, v], [1024 + focal * x / (1 - z), 1024 - focal * y / (1 - z)], atol=1e-9)
    assert np.isclose(length, np.sqrt(x * x + y * y + (1 - z) ** 2), atol=1e-12)


def test_points_behind_the_camera_have_no_image() -> None:
    places = project(np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 2.0], [0.0, 0.0, 0.5]]), portrait_camera(64))
    assert np.isnan(places[:2]).all() and np.isfinite(places[2]).all()


def test_points_along_a_pixels_ray_fall_on_its_centre() -> None:
    camera = portrait_camera(8)
    directions = rays(camera)
    points = position(camera) + directions * np.linspace(0.5, 1.5, 64).reshape(8, 8, 1)
    places = project(points.reshape(-1, 3), camera).reshape(8, 8, 3)
    np.testing.assert_allclose(places[..., 0], np.tile(np.arange(8) + 0.5, (8, 1)), atol=1e-12)
    np.testing.assert_allclose(places[..., 1], np.tile(np.arange(8) + 0.5, (8, 1)).T, atol=1e-12)
    np.testing.assert_allclose(places[..., 2], np.linspace(0.5, 1.5, 64).reshape(8, 8), atol=1e-12)


@given(inside, inside, inside)
def test_clip_space_says_the_same_as_project(x: float, y: float, z: float) -> None:
    camera = portrait_camera(512)
    clip = world_to_clip(camera, 0.5, 1.5) @ np.array([x, y, z, 1.0])
    pixel = (clip[:2] / clip[3] + 1) / 2 * 512
    np.testing.assert_allclose(pixel, project(np.array([[x, y, z]]), camera)[0, :2], atol=1e-9)


def test_clip_planes_are_the_ends_of_the_depth_range() -> None:
    matrix = world_to_clip(portrait_camera(64), 0.5, 1.5)
    near, far = (matrix @ np.array([0.0, 0.0, z, 1.0]) for z in (0.5, -0.5))
    assert np.allclose([near[2] / near[3], far[2] / far[3]], [-1, 1])
