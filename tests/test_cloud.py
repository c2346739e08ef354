"""Points and normals of a surface, dense where it was only stretched too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial import cKDTree
from training_rows import ball, seen

from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.cloud import cloud
from pipeline.geometry.stitch import stitch
from pipeline.records import Mesh

SIZE = 128


def a_ball() -> Mesh:
    camera = portrait_camera(SIZE)
    shot = seen(ball(0.3), 0.0, camera)
    return stitch(shot.front, shot.back, camera).mesh


def a_plate() -> Mesh:
    """Thick, so that nothing was seen of its sides."""
    front = np.zeros((SIZE, SIZE))
    front[40:80, 40:80] = 1.0
    return stitch(front, front * 1.3, portrait_camera(SIZE)).mesh


def test_the_surfaces_own_vertices_come_first() -> None:
    mesh = a_ball()
    found = cloud(mesh)
    assert (found.points[: len(mesh.vertices)] == mesh.vertices).all()
    assert found.spacing == pytest.approx(2 * np.tan(np.radians(25)) / SIZE, rel=0.5)


def test_normals_look_outwards_and_are_the_balls() -> None:
    found = cloud(a_ball())
    away = np.linalg.norm(found.points, axis=1, keepdims=True)
    cosines = (found.normals * found.points / away).sum(axis=1)
    assert np.allclose(np.linalg.norm(found.normals, axis=1), 1, atol=1e-5)
    assert np.percentile(cosines, 5) > 0.98
    assert cosines.min() > 0.4  # where front and back meet


@pytest.mark.parametrize("make", [a_ball, a_plate])
def test_there_is_no_place_without_a_point_near_it(make: Callable[[], Mesh]) -> None:
    mesh = make()
    found = cloud(mesh)
    weights = np.random.default_rng(0).dirichlet((1, 1, 1), 20_000)
    some = mesh.faces[np.random.default_rng(1).integers(0, len(mesh.faces), 20_000)]
    places = np.einsum("nk,nkc->nc", weights, mesh.vertices[some].astype(np.float64))
    away, _ = cKDTree(found.points).query(places)
    assert away.max() < 2 * found.spacing
    bare, _ = cKDTree(mesh.vertices).query(places)
    assert make is a_ball or bare.max() > 5 * found.spacing
    on_mesh, _ = cKDTree(places).query(found.points)
    assert np.percentile(on_mesh, 99) < 4 * found.spacing
