from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from gltf_writer import Writer, png
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.formats.gltf import read_gltf
from pipeline.records import Mesh

PLACES = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], dtype="<f4")
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
UVS = np.array([[0, 0], [1, 0], [0, 1], [0.25, 1.5]], dtype="<f4")
PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def read(path: Path, content: bytes, name: str = "a.glb") -> Mesh:
    (path / name).write_bytes(content)
    return read_gltf(path / name)


def tetrahedron(writer: Writer, **more: npt.NDArray[Any]) -> dict[str, Any]:
    """A primitive, with other attributes besides."""
    attributes = {"POSITION": writer.array(PLACES), **{k: writer.array(v) for k, v in more.items()}}
    return {"attributes": attributes, "indices": writer.array(FACES.astype("<u2").ravel())}


@settings(max_examples=60, deadline=None)
@given(
    vertices=st.integers(3, 200),
    faces=st.integers(1, 300),
    seed=st.integers(0, 2**32 - 1),
    corner=st.sampled_from(["u1", "u2", "u4"]),
    gap=st.sampled_from([0, 4, 12]),
    kind=st.sampled_from(["glb", "gltf"]),
)
def test_what_is_written_is_read(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    vertices: int,
    faces: int,
    seed: int,
    corner: str,
    gap: int,
    kind: str,
) -> None:
    rng, writer = np.random.default_rng(seed), Writer()
    places, normals = rng.normal(size=(2, vertices, 3)).astype("<f4")
    uvs = rng.random((vertices, 2)).astype("<f4")
    colors = rng.integers(0, 256, (vertices, 4), dtype=np.uint8)
    corners = rng.integers(0, vertices, (faces, 3)).astype(f"<{corner}")
    if vertices > corners.size:
        corners = np.resize(np.arange(vertices), (vertices, 3)).astype(f"<{corner}")
    attributes = {
        "POSITION": writer.array(places, gap),
        "NORMAL": writer.array(normals, gap),
        "TEXCOORD_0": writer.array(uvs, gap),
        "COLOR_0": writer.array(colors, gap),
    }
    primitive = {"attributes": attributes, "indices": writer.array(corners.ravel())}
    writer.show(writer.mesh(primitive | {"material": writer.material(PICTURE)}))
    content = writer.glb() if kind == "glb" else writer.gltf()
    mesh = read(tmp_path_factory.mktemp("gltf"), content, f"a.{kind}")
    assert mesh.colors is not None
    assert mesh.normals is not None
    assert mesh.uvs is not None
    assert mesh.face_textures is not None
    np.testing.assert_array_equal(mesh.vertices, places)
    np.testing.assert_array_equal(mesh.normals, normals)
    np.testing.assert_array_equal(mesh.faces, corners)
    np.testing.assert_array_equal(mesh.face_uvs, corners)
    np.testing.assert_array_equal(mesh.uvs[:, 0], uvs[:, 0])
    np.testing.assert_allclose(mesh.uvs[:, 1], 1 - uvs[:, 1], atol=1e-7)
    np.testing.assert_array_equal(mesh.colors, colors[:, :3])
    np.testing.assert_array_equal(mesh.textures, [PICTURE])
    assert not mesh.face_textures.any()
    kinds = {(np.float32, 4): "vertices normals uvs", (np.int32, 4): "faces face_uvs face_textures"}
    for (dtype, _), names in kinds.items():
        assert all(getattr(mesh, name).dtype == dtype for name in names.split())


def test_nodes_put_their_meshes_in_place(tmp_path: Path) -> None:
    writer = Writer()
    mesh = writer.mesh(tetrahedron(writer))
    turn = Rotation.from_rotvec([0.3, -1.2, 0.5])
    inner = writer.add(
        "nodes", {"mesh": mesh, "translation": [1, 2, 3], "rotation": turn.as_quat().tolist()}
    )
    matrix = np.array([[0, 2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
    writer.show(mesh, matrix=matrix.T.ravel().tolist(), scale=[1, 1, 1], children=[inner])
    read_mesh = read(tmp_path, writer.glb())
    outer = PLACES @ matrix[:3, :3].T + matrix[:3, 3]
    nested = (turn.apply(PLACES) + np.array([1, 2, 3])) @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(read_mesh.vertices, np.concatenate([outer, nested]), rtol=1e-6)
    assert len(read_mesh.faces) == 8


@pytest.mark.parametrize("scale", [[2, 3, 0.5], [-2, 3, 0.5], [-1, -1, -1]])
def test_mirrors_keep_the_outside_outside(tmp_path: Path, scale: list[float]) -> None:
    writer = Writer()
    ball = trimesh.creation.icosphere(2)
    attributes = {
        "POSITION": writer.array(ball.vertices.astype("<f4")),
        "NORMAL": writer.array(ball.vertices.astype("<f4")),
    }
    primitive = {"attributes": attributes, "indices": writer.array(ball.faces.astype("<u4").ravel())}
    writer.show(writer.mesh(primitive), scale=scale)
    mesh = read(tmp_path, writer.glb())
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    volume = (a * np.cross(b, c)).sum() / 6
    assert volume == pytest.approx(ball.volume * abs(np.prod(scale)), rel=1e-5)
    true = ball.vertices / scale  # the gradient of an ellipsoid
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    assert mesh.normals is not None
    np.testing.assert_allclose(mesh.normals, true, atol=1e-6)


def test_parts_become_one_mesh_with_their_own_textures(tmp_path: Path) -> None:
    writer = Writer()
    red = np.array([[255, 0, 0]] * 4, dtype=np.uint8)
    first = tetrahedron(writer, TEXCOORD_0=UVS) | {"material": writer.material(PICTURE)}
    second = tetrahedron(writer, TEXCOORD_0=UVS, TEXCOORD_1=UVS[::-1].copy())
    second |= {"material": writer.material(PICTURE[::-1].copy(), texCoord=1)}
    third = tetrahedron(writer, COLOR_0=np.concatenate([red, red[:, :1]], axis=1))
    points = {"attributes": {"POSITION": writer.array(PLACES)}, "mode": 0}
    writer.show(writer.mesh(first, points, second))
    writer.show(writer.mesh(third), translation=[0, 0, 9])
    writer.show(writer.mesh(points))
    mesh = read(tmp_path, writer.glb())
    assert mesh.vertices[:, 2].tolist() == [0, 0, 0, 3, 0, 0, 0, 3, 9, 9, 9, 12]
    np.testing.assert_array_equal(mesh.faces, np.concatenate([FACES, FACES + 4, FACES + 8]))
    np.testing.assert_array_equal(mesh.colors, np.concatenate([np.full((8, 3), 255), red]))
    assert mesh.face_textures is not None
    assert mesh.face_textures.tolist() == [0] * 4 + [1] * 4 + [-1] * 4
    np.testing.assert_array_equal(mesh.face_uvs, np.concatenate([FACES, FACES + 4, np.full((4, 3), -1)]))
    flipped = UVS * np.array([1, -1]) + np.array([0, 1])
    assert mesh.uvs is not None
    np.testing.assert_allclose(mesh.uvs, np.concatenate([flipped, flipped[::-1]]))
    np.testing.assert_array_equal(mesh.textures, [PICTURE, PICTURE[::-1]])


@pytest.mark.parametrize(
    "colors",
    [
        np.array([[0, 51, 255]] * 4, dtype=np.float32) / np.float32(255),
        np.array([[0, 51, 255, 9]] * 4, dtype=np.uint8),
        np.array([[0, 51, 255]] * 4, dtype=np.uint16) * np.uint16(257),
    ],
)
def test_colours_of_every_type_are_read(tmp_path: Path, colors: npt.NDArray[Any]) -> None:
    writer = Writer()
    uvs = np.array([[0, 255], [255, 0], [51, 51], [0, 0]], dtype=np.uint8)
    writer.show(writer.mesh(tetrahedron(writer, COLOR_0=colors, TEXCOORD_0=uvs)))
    mesh = read(tmp_path, writer.glb())
    assert mesh.colors is not None
    assert mesh.colors.tolist() == [[0, 51, 255]] * 4
    assert mesh.uvs is not None
    expected = np.array([[0, 0], [1, 1], [0.2, 0.8], [0, 1]])
    np.testing.assert_allclose(mesh.uvs, expected, atol=1e-7)
    assert mesh.textures == ()
    assert mesh.face_textures is None


def test_strips_and_plain_lists_are_triangles(tmp_path: Path) -> None:
    writer = Writer()
    strip = {"attributes": {"POSITION": writer.array(PLACES)}, "mode": 5}
    plain = {"attributes": {"POSITION": writer.array(PLACES[:3])}}
    writer.show(
        writer.mesh(strip | {"indices": writer.array(np.array([3, 2, 1, 0], dtype="<u4"))}, strip, plain)
    )
    faces = read(tmp_path, writer.glb()).faces

    def ring(face: list[int]) -> list[int]:
        return face[face.index(min(face)) :] + face[: face.index(min(face))]

    expected = [[3, 2, 1], [1, 2, 0], [4, 5, 6], [6, 5, 7], [8, 9, 10]]
    assert [ring(face) for face in faces.tolist()] == [ring(face) for face in expected]


def test_parts_of_one_long_list_take_what_they_use(tmp_path: Path) -> None:
    writer = Writer()
    places = np.random.default_rng(0).normal(size=(300, 3)).astype("<f4")
    position = writer.array(places)
    pieces = np.arange(300).reshape(100, 3)[:, ::-1]
    parts = [
        {"attributes": {"POSITION": position}, "indices": writer.array(piece.astype("<u2"))}
        for piece in pieces
    ]
    writer.show(writer.mesh(*parts))
    mesh = read(tmp_path, writer.glb())
    assert len(mesh.vertices) == 300
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], places[pieces])


def test_pictures_and_buffers_may_be_files_of_the_folder(tmp_path: Path) -> None:
    writer = Writer()
    (tmp_path / "my tex").mkdir()
    (tmp_path / "my tex" / "a b.png").write_bytes(png(PICTURE))
    file = writer.add("images", {"uri": "my%20tex/a%20b.png"})
    inside = f"data:image/png;base64,{base64.b64encode(png(PICTURE[::-1].copy())).decode()}"
    data = writer.add("images", {"uri": inside})
    first = tetrahedron(writer, TEXCOORD_0=UVS) | {"material": writer.material_of(file)}
    second = tetrahedron(writer, TEXCOORD_0=UVS) | {"material": writer.material_of(data)}
    writer.show(writer.mesh(first, second))
    content = writer.gltf("a.bin")
    (tmp_path / "a.bin").write_bytes(writer.content)
    np.testing.assert_array_equal(read(tmp_path, content, "a.gltf").textures, [PICTURE, PICTURE[::-1]])


def test_materials_of_older_exporters_give_their_picture(tmp_path: Path) -> None:
    writer = Writer()
    gloss = {
        "diffuseTexture": {
            "index": writer.add("textures", {"extensions": {"EXT_texture_webp": {"source": 0}}})
        }
    }
    writer.add("images", {"bufferView": writer.view(png(PICTURE))})
    material = writer.add("materials", {"extensions": {"KHR_materials_pbrSpecularGlossiness": gloss}})
    writer.tree["extensionsRequired"] = ["KHR_materials_pbrSpecularGlossiness", "EXT_texture_webp"]
    writer.show(writer.mesh(tetrahedron(writer, TEXCOORD_0=UVS) | {"material": material}))
    np.testing.assert_array_equal(read(tmp_path, writer.glb()).textures, [PICTURE])


def test_without_a_scene_all_that_is_there_is_shown(tmp_path: Path) -> None:
    writer = Writer()
    mesh = writer.mesh(tetrahedron(writer))
    writer.add("nodes", {"children": [1]})
    writer.add("nodes", {"mesh": mesh, "translation": [0, 0, 1]})
    del writer.tree["scenes"], writer.tree["scene"]
    assert read(tmp_path, writer.glb()).vertices[:, 2].tolist() == [1, 1, 1, 4]
    del writer.tree["nodes"]
    assert read(tmp_path, writer.glb()).vertices[:, 2].tolist() == [0, 0, 0, 3]


def test_trimesh_writes_what_is_read(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    ball = trimesh.creation.icosphere(2)
    ball.visual.vertex_colors = np.random.default_rng(0).integers(
        0, 256, (len(ball.vertices), 4), dtype=np.uint8
    )
    move = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3], [4, 5, 6])
    scene.add_geometry(ball, transform=move)
    scene.add_geometry(trimesh.creation.box())
    for kind in ("glb", "gltf"):
        scene_files = scene.export(file_type=kind)
        for name, content in ({"model.glb": scene_files} if kind == "glb" else scene_files).items():
            (tmp_path / name).write_bytes(content)
        mesh = read_gltf(tmp_path / f"model.{kind}")
        whole = trimesh.load_scene(tmp_path / f"model.{kind}").to_mesh()
        mine, theirs = (np.sort(m.vertices[m.faces].mean(axis=1), axis=0) for m in (mesh, whole))
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
        expected = trimesh.transform_points(ball.vertices, move)
        np.testing.assert_allclose(mesh.vertices[: len(expected)], expected, atol=1e-5)
        np.testing.assert_array_equal(
            np.asarray(mesh.colors)[: len(expected)], ball.visual.vertex_colors[:, :3]
        )


def test_the_tree_may_begin_with_a_mark(tmp_path: Path) -> None:
    writer = Writer()
    writer.show(writer.mesh(tetrahedron(writer)))
    assert len(read(tmp_path, b"\xef\xbb\xbf" + writer.gltf(), "a.gltf").faces) == 4
