"""Reading OBJ files: against a reader of one line at a time, against the writer, and against damage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from obj_reference import obj_files, read_plainly

from pipeline.errors import FormatError
from pipeline.formats import obj_lines
from pipeline.formats.obj import write_obj
from pipeline.formats.obj_read import BODY_VERTICES, read_obj, read_registered
from pipeline.formats.obj_text import ObjText, parse
from pipeline.records import Mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def parsed(folder: Path, text: str | bytes) -> ObjText:
    path = folder / "a.obj"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return parse(path)


@settings(max_examples=400, deadline=None)
@given(obj_files(), st.sampled_from([1 << 24, 300, 120]))
def test_any_file_says_what_a_plain_reader_finds(
    tmp_path_factory: pytest.TempPathFactory, text: str, block: int
) -> None:
    longest = max(len(line) for line in text.replace("\\\n", "  ").split("\n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(obj_lines, "BLOCK", max(block, longest + 2))
        found = parsed(tmp_path_factory.mktemp("obj"), text)
    said = read_plainly(text)
    assert np.array_equal(found.vertices, np.array(said.vertices, dtype=np.float32))
    corners = np.array(
        [[[-1 if i is None else i for i in c] for c in t] for t in said.triangles], dtype=int
    )
    corners = corners.reshape(-1, 3, 3)
    assert np.array_equal(found.faces, corners[..., 0])
    nothing = np.full((len(corners), 3), -1)
    assert np.array_equal(nothing if found.face_uvs is None else found.face_uvs, corners[..., 1])
    if found.uvs is not None:
        assert np.array_equal(found.uvs, np.array(said.uvs, dtype=np.float32)[:, :2])
    names: list[str | None] = [None] * len(found.faces)
    for name, start in zip(found.materials, found.starts.tolist(), strict=True):
        names[start:] = [name] * len(names[start:])
    assert names == said.materials


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(0, 2**32 - 1),
    st.tuples(st.booleans(), st.booleans()),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    vertices: int,
    faces: int,
    seed: int,
    extras: tuple[bool, bool],
) -> None:
    textured, smooth = extras
    path = tmp_path_factory.mktemp("obj") / "a.obj"
    rng = np.random.default_rng(seed)
    mesh = Mesh(
        rng.normal(size=(vertices, 3)).astype(np.float32),
        rng.integers(0, vertices, (faces, 3), dtype=np.int32),
    )
    if textured:
        mesh = replace(
            mesh,
            uvs=rng.uniform(-2, 3, size=(vertices + 5, 2)).astype(np.float32),
            face_uvs=rng.integers(0, vertices + 5, (faces, 3), dtype=np.int32),
            textures=(rng.integers(0, 256, (4, 8, 3), dtype=np.uint8),),
            face_textures=np.zeros(faces, dtype=np.int32),
        )
    if smooth:
        mesh = replace(mesh, normals=rng.normal(size=(vertices, 3)).astype(np.float32))
    write_obj(path, mesh, texture="a.png")
    read = read_obj(path)
    assert read.vertices.dtype == np.float32
    assert read.faces.dtype == np.int32
    np.testing.assert_allclose(read.vertices, mesh.vertices, atol=6e-7)
    np.testing.assert_array_equal(read.faces, mesh.faces)
    assert (read.normals is not None) == smooth
    if read.normals is not None and mesh.normals is not None:
        used = np.unique(mesh.faces)
        np.testing.assert_allclose(read.normals[used], mesh.normals[used], atol=6e-7)
    assert (read.uvs is None) == (not textured)
    if read.uvs is not None and mesh.uvs is not None:
        np.testing.assert_allclose(read.uvs, mesh.uvs, atol=6e-7)
        np.testing.assert_array_equal(read.face_uvs, mesh.face_uvs)
        np.testing.assert_array_equal(read.textures[0], mesh.textures[0])
        np.testing.assert_array_equal(read.face_textures, mesh.face_textures)


def test_a_quad_keeps_its_texture_coordinates_in_both_triangles(tmp_path: Path) -> None:
    text = SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/4 2/3 3/2 4/1\n"
    found = parsed(tmp_path, text)
    assert found.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert found.face_uvs is not None
    assert found.face_uvs.tolist() == [[3, 2, 1], [3, 1, 0]]
    other = trimesh.load(tmp_path / "a.obj", process=False)
    assert np.isclose(other.area, 1)
    ours = found.vertices[found.faces]
    areas = np.linalg.norm(np.cross(ours[:, 1] - ours[:, 0], ours[:, 2] - ours[:, 0]), axis=1) / 2
    assert np.isclose(areas.sum(), other.area)


@pytest.mark.parametrize(("one", "scale"), [("1 0.5 0", 255), ("255 128 0", 1)])
def test_colours_behind_coordinates_are_read_in_both_ranges(tmp_path: Path, one: str, scale: int) -> None:
    found = parsed(tmp_path, f"v 0 0 0 {one}\nv 1 0 0 0 0 0\nv 0 1 0 0 0 1\nf 1 2 3\n")
    assert found.colors is not None
    assert found.colors.tolist() == [[255, 128, 0], [0, 0, 0], [0, 0, scale]]
    assert found.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_a_fourth_coordinate_is_no_colour(tmp_path: Path) -> None:
    found = parsed(tmp_path, "v 0 0 0 1\nv 1 0 0 1\nv 0 1 0 1\nf 1 2 3\n")
    assert found.colors is None
    assert found.vertices.shape == (3, 3)


def test_normals_are_kept_where_every_vertex_has_one(tmp_path: Path) -> None:
    up, down = "vn 0 0 1\nvn 0 0 -1\nvn 0 0 1\n", "f 1//1 2//{} 3//1\nf 1//3 3//1 4//2\n"
    found = parsed(tmp_path, SQUARE + "v 9 9 9\n" + up + down.format(2))
    assert found.normals is not None
    assert found.normals[:, 2].tolist() == [1, -1, 1, -1, 0]
    assert parsed(tmp_path, SQUARE + up + down.format(2).replace("4//2", "2//1")).normals is None
    assert parsed(tmp_path, SQUARE + up + "f 1//1 2//1 3//1\nf 1 3 4\n").normals is None


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    assert len(parsed(tmp_path, b"\xef\xbb\xbf" + SQUARE.encode()).vertices) == 4


TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
BAD = {
    "": "no line of the file is a vertex",
    "solid cube\n": "no line of the file is a vertex",
    TRIANGLE: "3 vertices and no faces",
    TRIANGLE + "f 1 2 4\n": "line 4: vertex 4 does not exist; the file has 3",
    TRIANGLE + "f 1 2 3\n\nf 1 2 99999999999\n": "line 6: vertex 99999999999 does not exist",
    TRIANGLE + "f 1 2 99999999999999999999999\n": "line 4: vertex 9223372036854775807 does not exist",
    TRIANGLE + "f 1 2 -4\n": "line 4: vertex -4 does not exist; 3 came before it",
    "v 0 0 0\nf -1 -1 -2\nv 0 0 0\n": "line 2: vertex -2 does not exist; 1 came before it",
    TRIANGLE + "f 1/1 2/1 3/1\n": "line 4: texture coordinate 1 does not exist; the file has 0",
    TRIANGLE + "vt 0 0\nf 1/1/1 2/1/1 3/1/1\n": "line 5: normal 1 does not exist; the file has 0",
    TRIANGLE + "f 1 2 3\nf 0 1 2\n": "line 5: index 0; OBJ counts from 1",
    TRIANGLE + "f 1 2 3\nf 1 2\n": "line 5: a face has 2 corners",
    TRIANGLE + "f\n": "line 4: a face has 0 corners",
    TRIANGLE + "f 1 2 3.5\n": "line 4: '3.5' is not a number here",
    TRIANGLE + "f 1 2 x\n": "line 4: 'x' is not a number here",
    TRIANGLE + "f 1 2 1-3\n": "line 4: '1-3' is not a number here",
    TRIANGLE + "f 1 2 3\x00\n": "line 4: '3.*x7f' is not a number here",
    TRIANGLE + "f 1 2 3/1/1/1\n": "line 4: a corner has more than three numbers",
    TRIANGLE + "f 1 2 3///1\n": "line 4: a slash that no number follows",
    TRIANGLE + "f 1 2 3//1/1\n": "line 4: a corner has more than three numbers",
    TRIANGLE + "f 1 2 /3\n": "line 4: a corner begins with a slash",
    TRIANGLE + "f 1 2 //3\n": "line 4: a corner begins with a slash",
    TRIANGLE + "f 1 2 3 /\n": "line 4: a slash that no number follows",
    "v 0 0 0\nv 0 0\n": "line 2: a vertex has 2 numbers, where others of this file have 3",
    "v 0 0 0\nv 0 0 0 1 1 1\n": "line 2: a vertex has 6 numbers, where others of this file have 3",
    "v 0 0 0\nv\n": "line 2: a vertex has 0 numbers",
    "v\n": "line 1: a vertex has 0 numbers; 1 to 7 are known",
    "v 0 0\n": "line 1: a vertex has 2 numbers; 3 are needed",
    "v 0 0 0\nv 0 1,5 0\n": "line 2: '1,5' is not a number here",
    "v 0 0 0\nv 0 0x1 0\n": "line 2: '0x1' is not a number here",
    "v 0 0 0\nv 0 nan 0\n": "line 2: a vertex is not finite",
    "v 0 0 0\nv 0 -inf 0\n": "line 2: a vertex is not finite",
    "v 0 0 0\nv 0 1e39 0\n": "line 2: a vertex is not finite",
    "v 0 0 0\nvt 0 nan\n": "line 2: a texture coordinate is not finite",
    "v 0 0 0\nvn 0 nan 1\n": "line 2: a normal is not finite",
    "v 0 0 0\nvn 0 1\n": "line 2: a normal has 2 numbers; 3 are needed",
    "v 0 0 0 0 0 0\nv 0 0 0 0 0 256\n": "line 2: colour .* is not within",
    "v 0 0 0 0 0 -1\n": "line 1: colour .* is not within",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_files_that_are_no_meshes_are_refused_with_line_and_reason(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.obj").write_text(text)
    with pytest.raises(FormatError, match=BAD[text]) as caught:
        read_obj(tmp_path / "a.obj")
    assert str(caught.value).startswith(f"{tmp_path / 'a.obj'}: ")


def test_lines_are_counted_through_all_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obj_lines, "BLOCK", 32)
    text = TRIANGLE + "f 1 2 3\n" * 20 + "f 1 2 7\n" + "f 1 2 3\n" * 20
    with pytest.raises(FormatError, match="line 24: vertex 7 does not exist"):
        parsed(tmp_path, text)
    with pytest.raises(FormatError, match="line 24: 'q' is not"):
        parsed(tmp_path, text.replace("7", "q"))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obj_lines, "BLOCK", 64)
    with pytest.raises(FormatError, match="line 2: this line is longer than 64 bytes"):
        parsed(tmp_path, "v 0 0 0\nf " + "1 " * 500)
    with pytest.raises(FormatError, match="line 1: this line is longer than 64 bytes"):
        parsed(tmp_path, "f 1 \\\n" * 500)


@pytest.mark.parametrize("name", ["none.obj", "."])
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"No such file|is not a file"):
        read_obj(tmp_path / name)


RICH = SQUARE.replace("0\n", "0 1 0 0.5\n") + (
    "vt 0 0\nvt 1 0\nvt .5 1\nvn 0 0 1\nusemtl a\n"
    "f 1/1 2/2 3/3\nf 1//1 3//1 4//1\nf -1 -2 -3 -4 # end\nf 1 2 3 4\n"
)


def test_a_file_cut_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    for length in range(len(RICH)):
        try:
            read_obj_text(tmp_path, RICH[:length].encode())
        except FormatError as error:
            assert "a.obj: " in str(error)


def test_damaged_bytes_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    rng, refused = np.random.default_rng(1), 0
    for _ in range(1500):
        damaged = bytearray(RICH.encode())
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256) if rng.integers(2) else b" \n/-.#\\0vf"[rng.integers(10)]
        try:
            read_obj_text(tmp_path, bytes(damaged))
        except FormatError:
            refused += 1
    assert 300 < refused < 1500


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text("vftn 0123/-.#\\\n\t\re", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    try:
        read_obj_text(tmp_path_factory.mktemp("obj"), text)
    except FormatError as error:
        assert "a.obj: " in str(error)


def read_obj_text(folder: Path, text: bytes) -> Mesh:
    """A mesh whose indices are all in range, or the reader's refusal."""
    (folder / "a.obj").write_bytes(text)
    mesh = read_obj(folder / "a.obj")
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh.vertices)
    assert np.isfinite(mesh.vertices).all()
    if mesh.face_uvs is not None:
        assert mesh.uvs is not None
        assert mesh.face_uvs.max() < len(mesh.uvs)
    return mesh


def test_a_registered_body_is_its_vertices(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    body = Mesh(
        rng.normal(size=(BODY_VERTICES, 3)).astype(np.float32), np.array([[0, 1, 2]], dtype=np.int32)
    )
    write_obj(tmp_path / "body.obj", body)
    with (tmp_path / "body.obj").open("a") as stream:
        stream.write("mtllib absent.mtl\nusemtl absent\nf 1 2 3\n")
    read = read_registered(tmp_path / "body.obj")
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, body.vertices, atol=6e-7)


def test_a_body_with_another_count_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(TRIANGLE)
    with pytest.raises(FormatError, match="has 3 vertices; a registered SMPL-X body has 10475"):
        read_registered(tmp_path / "a.obj")
