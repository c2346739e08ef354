from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from pipeline.errors import MeshError
from pipeline.geometry.mesh import area_centre, check, vertex_normals
from pipeline.records import F32, I32, Mesh


def sphere(detail: int = 4) -> tuple[F32, I32]:
    ball = trimesh.creation.icosphere(detail)
    return ball.vertices.astype(np.float32), ball.faces.astype(np.int32)


def test_centre_weighs_triangles_by_area_not_by_number() -> None:
    # a unit square at z = 0 in two triangles, and the same at z = 1 in a fan of four
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    low, high = (np.column_stack([corners, np.full(4, z)]) for z in (0, 1))
    vertices = np.vstack([low, high, [[0.5, 0.5, 1]]]).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 8], [5, 6, 8], [6, 7, 8], [7, 4, 8]], dtype=np.int32)
    np.testing.assert_allclose(area_centre(vertices, faces), [0.5, 0.5, 0.5], atol=1e-12)


def test_centre_agrees_with_trimesh_on_an_uneven_surface() -> None:
    rng = np.random.default_rng(5)
    vertices, faces = sphere()
    bumpy = (vertices * rng.uniform(0.5, 2.0, (len(vertices), 1)) + [5, -3, 2]).astype(np.float32)
    expected = trimesh.Trimesh(bumpy, faces, process=False).centroid
    np.testing.assert_allclose(area_centre(bumpy, faces), expected, atol=1e-9)


def test_normals_of_a_sphere_point_outwards() -> None:
    vertices, faces = sphere()
    assert np.abs(vertex_normals(vertices, faces) - vertices).max() < 0.01


def test_normals_turn_with_the_mesh() -> None:
    vertices, faces = sphere(2)
    stretched = vertices * np.array([1, 2, 3], dtype=np.float32)
    turn = Rotation.from_rotvec([0.3, -0.7, 1.1]).as_matrix().astype(np.float32)
    np.testing.assert_allclose(
        vertex_normals(stretched @ turn.T, faces), vertex_normals(stretched, faces) @ turn.T, atol=1e-5
    )


def test_a_vertex_without_triangles_has_no_normal() -> None:
    vertices, faces = sphere(1)
    alone = np.vstack([vertices, [[9, 9, 9]]]).astype(np.float32)
    assert not vertex_normals(alone, faces)[-1].any()


@pytest.mark.parametrize(
    ("vertices", "faces", "reason"),
    [
        ([[0, 0, 0]] * 3, [], "no faces"),
        ([[0, 0, 0], [0, np.nan, 0], [1, 0, 0]], [[0, 1, 2]], "vertex 1"),
        ([[0, 0, 0], [0, 1, 0], [1, 0, 0]], [[0, 1, 3]], "there are 3"),
        ([[0, 0, 0], [0, 1, 0], [1, 0, 0]], [[0, -1, 2]], "-1 to 2"),
        ([[2, 2, 2]] * 3, [[0, 1, 2]], "one place"),
    ],
)
def test_unusable_meshes_are_refused_with_the_reason(
    vertices: list[list[float]], faces: list[list[int]], reason: str
) -> None:
    mesh = Mesh(np.array(vertices, dtype=np.float32), np.array(faces, dtype=np.int32).reshape(-1, 3))
    with pytest.raises(MeshError, match=reason):
        check(mesh)


def test_a_mesh_without_area_has_no_centre() -> None:
    line = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], dtype=np.float32)
    with pytest.raises(MeshError, match="zero area"):
        area_centre(line, np.array([[0, 1, 2]], dtype=np.int32))
