"""OBJ files, read back by an independent reader and by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import ConfigError
from pipeline.formats.obj import _decimals, _lines, write_obj
from pipeline.records import Mesh


def tetrahedron(**more: object) -> Mesh:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, -12.5, 0], [0, 0, 0.000001]], dtype=np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], dtype=np.int32)
    return Mesh(vertices, faces, **more)  # type: ignore[arg-type]


def textured() -> Mesh:
    uvs = np.random.default_rng(0).uniform(size=(5, 2)).astype(np.float32)
    corners = np.array([[4, 0, 1], [1, 2, 3], [3, 2, 0], [0, 1, 4]], dtype=np.int32)
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    texture = np.stack(
        [np.tile(ramp, (64, 1)), np.tile(ramp, (64, 1)).T, np.full((64, 64), 90, np.uint8)], -1
    )
    return tetrahedron(uvs=uvs, face_uvs=corners, textures=(texture,), face_textures=np.zeros(4, np.int32))


def test_the_text_is_the_format(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", tetrahedron())
    assert (tmp_path / "a.obj").read_text().splitlines() == [
        "v 0.000000 0.000000 0.000000",
        "v 1.000000 0.000000 0.000000",
        "v 0.000000 -12.500000 0.000000",
        "v 0.000000 0.000000 0.000001",
        "f 1 3 2",
        "f 1 2 4",
        "f 2 3 4",
        "f 3 1 4",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["a.obj"]


@given(st.lists(st.floats(-9e6, 9e6), min_size=1, max_size=20))
def test_every_number_is_written_as_python_writes_it(numbers: list[float]) -> None:
    values = np.array(numbers, dtype=np.float32)[:, None]
    exact = np.rint(values.astype(np.float64) * 1e6) / 1e6
    expected = "".join(f"v {x + 0.0:.6f}\n" for x in exact[:, 0])
    assert _decimals(b"v", values) == expected.encode()


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_every_whole_number_is_written_as_python_writes_it(numbers: list[int]) -> None:
    expected = "".join(f"n/{x}\n" for x in numbers)
    assert _lines([b"n/", (np.array(numbers, dtype=np.int64), 0)]) == expected.encode()


def test_another_reader_finds_the_same_mesh_and_texture(tmp_path: Path) -> None:
    mesh = textured()
    write_obj(tmp_path / "p" / "a.obj", mesh)
    read = trimesh.load(tmp_path / "p" / "a.obj", process=False)
    corners = np.asarray(read.vertices)[read.faces]
    assert mesh.uvs is not None
    assert mesh.face_uvs is not None
    assert np.allclose(corners, mesh.vertices[mesh.faces], atol=1e-6)
    assert np.allclose(np.asarray(read.visual.uv)[read.faces], mesh.uvs[mesh.face_uvs], atol=1e-6)
    image = np.asarray(read.visual.material.image.convert("RGB"), dtype=int)
    assert np.abs(image - mesh.textures[0]).max() <= 8


def test_texture_and_material_go_where_they_are_told(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", textured(), material="a.mtl", texture="tex/a_dif.png")
    assert "mtllib a.mtl" in (tmp_path / "a.obj").read_text()
    assert "map_Kd tex/a_dif.png" in (tmp_path / "a.mtl").read_text()
    with Image.open(tmp_path / "tex" / "a_dif.png") as image:
        assert np.asarray(image).tolist() == textured().textures[0].tolist()


def test_chunks_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_obj(tmp_path / "whole.obj", textured())
    monkeypatch.setattr("pipeline.formats.obj._ROWS", 3)
    write_obj(tmp_path / "cut.obj", textured())
    assert (tmp_path / "cut.obj").read_bytes() == (tmp_path / "whole.obj").read_bytes()


def test_vertex_colours_are_not_dropped_silently(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no vertex colours"):
        write_obj(tmp_path / "a.obj", tetrahedron(colors=np.zeros((4, 3), dtype=np.uint8)))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.formats.obj._triangles", stop)
    with pytest.raises(KeyboardInterrupt):
        write_obj(tmp_path / "a.obj", tetrahedron())
    assert not list(tmp_path.iterdir())


def test_a_second_texture_is_not_dropped_silently(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 textures"):
        write_obj(tmp_path / "a.obj", replace(textured(), textures=textured().textures * 2))
    assert not list(tmp_path.iterdir())


def test_corners_without_coordinates_among_others_are_refused(tmp_path: Path) -> None:
    corners = np.array([[0, 1, 2], [0, 1, -1], [0, 1, 2], [0, 1, 2]], dtype=np.int32)
    with pytest.raises(ConfigError, match="all or none"):
        write_obj(tmp_path / "a.obj", replace(textured(), face_uvs=corners))
    assert not list(tmp_path.iterdir())
