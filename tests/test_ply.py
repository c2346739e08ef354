from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plyfile import PlyData, PlyElement

from pipeline.errors import FormatError
from pipeline.formats.ply import read_ply, write_ply
from pipeline.records import Mesh


def a_mesh(vertices: int = 40, faces: int = 70, seed: int = 0, colored: bool = True) -> Mesh:
    rng = np.random.default_rng(seed)
    return Mesh(
        rng.normal(size=(vertices, 3)).astype(np.float32),
        rng.integers(0, vertices, (faces, 3), dtype=np.int32),
        rng.integers(0, 256, (vertices, 3), dtype=np.uint8) if colored else None,
    )


def same(one: Mesh, other: Mesh) -> bool:
    colors = (one.colors is None) == (other.colors is None)
    if one.colors is not None and other.colors is not None:
        colors = np.array_equal(one.colors, other.colors)
    return (
        colors and np.array_equal(one.vertices, other.vertices) and np.array_equal(one.faces, other.faces)
    )


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(0, 300), st.integers(0, 2**32 - 1), st.booleans())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, vertices: int, faces: int, seed: int, colored: bool
) -> None:
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    mesh = a_mesh(vertices, faces, seed, colored)
    write_ply(path, mesh)
    read = read_ply(path)
    assert same(read, mesh)
    assert read.vertices.dtype == np.float32
    assert read.faces.dtype == np.int32


def test_plyfile_reads_what_is_written(tmp_path: Path) -> None:
    mesh = a_mesh()
    write_ply(tmp_path / "a.ply", mesh)
    data = PlyData.read(tmp_path / "a.ply")
    assert mesh.colors is not None
    np.testing.assert_array_equal(data["vertex"]["z"], mesh.vertices[:, 2])
    np.testing.assert_array_equal(data["vertex"]["green"], mesh.colors[:, 1])
    np.testing.assert_array_equal(np.stack(list(data["face"]["vertex_indices"])), mesh.faces)


def foreign(path: Path, mesh: Mesh, *, text: bool, order: str, corners: str, place: str = "f4") -> None:
    """The mesh as another program would write it: more properties, other types, other names."""
    assert mesh.colors is not None
    names = [*((n, place) for n in ("x", "y", "z")), ("nx", "f4")]
    names += [(n, "u1") for n in ("red", "green", "blue", "alpha")]
    vertex = np.zeros(len(mesh.vertices), dtype=names)
    for i in range(3):
        vertex["xyz"[i]] = mesh.vertices[:, i]
        vertex[("red", "green", "blue")[i]] = mesh.colors[:, i]
    face = np.empty(len(mesh.faces), dtype=[(corners, "i4", (3,))])
    face[corners] = mesh.faces
    elements = [PlyElement.describe(vertex, "vertex"), PlyElement.describe(face, "face")]
    PlyData(elements, text=text, byte_order=order).write(path)


@pytest.mark.parametrize("corners", ["vertex_indices", "vertex_index"])
@pytest.mark.parametrize(
    ("text", "order", "place"), [(False, ">", "f4"), (False, "<", "f8"), (True, "=", "f8")]
)
def test_files_of_other_programs_are_read(
    tmp_path: Path, text: bool, order: str, place: str, corners: str
) -> None:
    mesh = a_mesh()
    foreign(tmp_path / "a.ply", mesh, text=text, order=order, corners=corners, place=place)
    assert same(read_ply(tmp_path / "a.ply"), mesh)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", a_mesh(6, 5))
    whole = (tmp_path / "a.ply").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut.ply").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"cut\.ply"):
            read_ply(tmp_path / "cut.ply")


def test_damaged_bytes_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", a_mesh(6, 5))
    whole = bytearray((tmp_path / "a.ply").read_bytes())
    rng, refused = np.random.default_rng(1), 0
    for _ in range(600):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(256)
        (tmp_path / "bad.ply").write_bytes(damaged)
        try:
            read_ply(tmp_path / "bad.ply")
        except FormatError:
            refused += 1
    assert 100 < refused < 600


def ascii_ply(vertices: int, properties: str, faces: tuple[str, ...] = (), body: str = "") -> bytes:
    """An ASCII file with a header that says what it is told to say."""
    lines = ["ply", "format ascii 1.0", f"element vertex {vertices}"]
    lines += [f"property float {name}" for name in properties]
    return "\n".join([*lines, *faces, "end_header", body]).encode()


TRIANGLES = "property list uchar int vertex_indices"
HUGE = ascii_ply(99_999_999_999, "x", body="1\n")
SQUARE = ascii_ply(4, "xyz", ("element face 1", TRIANGLES), "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no PLY header"),
        (b"solid cube\n", "no PLY header"),
        (HUGE, "at least 199999999998 bytes"),
        (HUGE.replace(b"ascii", b"binary_little_endian"), "at least 399999999996 bytes"),
        (ascii_ply(-5, "x", body="1\n"), "-5"),
        (ascii_ply(1, "x", body="1\n"), "needs vertex and face"),
        (ascii_ply(1, "xy", ("element face 0", TRIANGLES), "1 2\n"), "z is missing"),
        (ascii_ply(1, "xyz", ("element face 0",), "0 0 0\n"), "no list called"),
        (SQUARE, "not triangles"),
    ],
)
def test_files_that_are_no_meshes_are_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(FormatError, match=reason) as caught:
        read_ply(tmp_path / "a.ply")
    assert str(tmp_path / "a.ply") in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="No such file"):
        read_ply(tmp_path / "none.ply")
