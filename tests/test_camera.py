from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.camera import portrait_camera, position, project, rays

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


@pytest.mark.parametrize("parallel", [False, True])
def test_points_along_a_pixels_ray_fall_on_its_centre(parallel: bool) -> None:
    camera = portrait_camera(8, parallel)
    starts, directions = rays(camera)
    points = starts + directions * np.linspace(0.5, 1.5, 64).reshape(8, 8, 1)
    places = project(points.reshape(-1, 3), camera).reshape(8, 8, 3)
    np.testing.assert_allclose(places[..., 0], np.tile(np.arange(8) + 0.5, (8, 1)), atol=1e-12)
    np.testing.assert_allclose(places[..., 1], np.tile(np.arange(8) + 0.5, (8, 1)).T, atol=1e-12)
    np.testing.assert_allclose(places[..., 2], np.linspace(0.5, 1.5, 64).reshape(8, 8), atol=1e-12)


@given(inside, inside, inside)
def test_a_parallel_camera_shows_as_much_in_the_plane_of_the_centre(x: float, y: float, z: float) -> None:
    u, v, length = project(np.array([[x, y, z]]), portrait_camera(2048, parallel=True))[0]
    focal = 1024 / np.tan(np.radians(25))
    assert np.allclose([u, v, length], [1024 + focal * x, 1024 - focal * y, 1 - z], atol=1e-9)
    flat = [
        project(np.array([[x, y, 0.0]]), portrait_camera(2048, parallel))[0, :2]
        for parallel in (False, True)
    ]
    np.testing.assert_allclose(flat[0], flat[1], atol=1e-9)


def test_points_behind_a_parallel_camera_have_no_image_either() -> None:
    camera = portrait_camera(64, parallel=True)
    places = project(np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 2.0], [0.0, 0.0, 0.5]]), camera)
    assert np.isnan(places[:2]).all() and np.isfinite(places[2]).all()


def test_the_rays_of_a_parallel_camera_are_parallel_and_start_on_its_plane() -> None:
    starts, directions = rays(portrait_camera(9, parallel=True))
    np.testing.assert_array_equal(directions, np.broadcast_to([0.0, 0.0, -1.0], (9, 9, 3)))
    half = np.tan(np.radians(25)) * 8 / 9
    np.testing.assert_allclose(starts[0, 0], [-half, half, 1], atol=1e-15)
    np.testing.assert_allclose(starts[8, 8], [half, -half, 1], atol=1e-15)
    np.testing.assert_allclose(starts[4, 4], [0, 0, 1], atol=1e-15)
