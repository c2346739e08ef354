from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plyfile import PlyData, PlyElement

from pipeline.errors import ConfigError
from pipeline.formats.ply import read_ply, write_ply
from pipeline.records import Mesh

RGB = ("red", "green", "blue")
NORMAL = ("nx", "ny", "nz")


def a_mesh(
    vertices: int = 40, faces: int = 70, seed: int = 0, colored: bool = True, normals: bool = False
) -> Mesh:
    rng = np.random.default_rng(seed)
    return Mesh(
        rng.normal(size=(vertices, 3)).astype(np.float32),
        rng.integers(0, vertices, (faces, 3), dtype=np.int32),
        rng.integers(0, 256, (vertices, 3), dtype=np.uint8) if colored else None,
        normals=rng.normal(size=(vertices, 3)).astype(np.float32) if normals else None,
    )


def assert_same(one: Mesh, other: Mesh) -> None:
    for name in ("vertices", "faces", "colors", "normals"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_array_equal(a, b, name)
            assert a.dtype == b.dtype
            assert a.flags.c_contiguous


@settings(max_examples=100)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_what_is_written_is_read(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    vertices: int,
    faces: int,
    seed: int,
    colored: bool,
    normals: bool,
) -> None:
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    mesh = a_mesh(vertices, faces, seed, colored, normals)
    write_ply(path, mesh)
    assert_same(read_ply(path), mesh)


def test_plyfile_reads_what_is_written(tmp_path: Path) -> None:
    mesh = a_mesh(normals=True)
    write_ply(tmp_path / "a.ply", mesh)
    data = PlyData.read(tmp_path / "a.ply")
    assert mesh.colors is not None
    assert mesh.normals is not None
    np.testing.assert_array_equal(data["vertex"]["z"], mesh.vertices[:, 2])
    np.testing.assert_array_equal(data["vertex"]["ny"], mesh.normals[:, 1])
    np.testing.assert_array_equal(data["vertex"]["green"], mesh.colors[:, 1])
    np.testing.assert_array_equal(np.stack(list(data["face"]["vertex_indices"])), mesh.faces)


def test_a_texture_is_not_left_out_in_silence(tmp_path: Path) -> None:
    textured = Mesh(a_mesh().vertices, a_mesh().faces, textures=(np.zeros((2, 2, 3), dtype=np.uint8),))
    with pytest.raises(ConfigError, match="without textures"):
        write_ply(tmp_path / "a.ply", textured)


def fan(polygon: list[int]) -> list[list[int]]:
    return [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]


FORMS = {"text": (True, "="), "little": (False, "<"), "big": (False, ">")}


def foreign(
    path: Path,
    vertex: npt.NDArray[Any],
    polygons: list[list[int]],
    form: str = "little",
    *,
    corners: str = "vertex_indices",
    corner: str = "i4",
    count: str = "u1",
    first: bool = True,
) -> None:
    """A file by plyfile: elements before and between, values beside the lists, any order."""
    text, order = FORMS[form]
    face = np.empty(
        len(polygons), dtype=[("quality", "f4"), (corners, "O"), ("weights", "O"), ("flags", "u1")]
    )
    face["quality"], face["flags"] = 0.5, 7
    for i, polygon in enumerate(polygons):
        face[corners][i] = np.array(polygon, dtype=corner)
        face["weights"][i] = np.arange(i % 3, dtype="f4")
    extra = np.empty(2, dtype=[("list", "O")])
    extra["list"] = [np.arange(3, dtype="i2"), np.arange(1, dtype="i2")]
    elements = [
        PlyElement.describe(np.zeros(3, dtype=[("scale", "f8")]), "scales"),
        PlyElement.describe(extra, "extra", val_types={"list": "i2"}, len_types={"list": "u2"}),
        PlyElement.describe(vertex, "vertex"),
        PlyElement.describe(
            face,
            "face",
            val_types={corners: corner, "weights": "f4"},
            len_types={corners: count, "weights": "u1"},
        ),
    ]
    PlyData(elements if first else elements[::-1], text=text, byte_order=order, comments=["made"]).write(
        path
    )


def points(
    mesh: Mesh, kind: str = "f4", names: tuple[str, ...] = RGB, color: str = "u1"
) -> npt.NDArray[Any]:
    """A vertex element with more than is needed."""
    vertex = np.zeros(
        len(mesh.vertices),
        dtype=[*((n, kind) for n in "xyz"), ("alpha", "u1"), *((n, color) for n in names), ("q", "f8")],
    )
    for i in range(3):
        vertex["xyz"[i]] = mesh.vertices[:, i]
        if mesh.colors is not None:
            vertex[names[i]] = mesh.colors[:, i] / (255 if color[0] == "f" else 1)
    return vertex


@settings(max_examples=120, deadline=None)
@given(
    polygons=st.lists(st.lists(st.integers(0, 39), min_size=3, max_size=9), min_size=1, max_size=40),
    form=st.sampled_from(sorted(FORMS)),
    corners=st.sampled_from(["vertex_indices", "vertex_index"]),
    corner=st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4"]),
    count=st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4"]),
    place=st.sampled_from(["f4", "f8"]),
    color=st.sampled_from(["u1", "i2", "u2", "i4", "u4", "f4", "f8"]),
    names=st.sampled_from([RGB, tuple("rgb"), tuple(f"diffuse_{n}" for n in RGB)]),
    first=st.booleans(),
)
def test_files_of_another_writer_are_read(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    polygons: list[list[int]],
    form: str,
    corners: str,
    corner: str,
    count: str,
    place: str,
    color: str,
    names: tuple[str, ...],
    first: bool,
) -> None:
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    mesh = a_mesh()
    foreign(
        path,
        points(mesh, place, names, color),
        polygons,
        form,
        corners=corners,
        corner=corner,
        count=count,
        first=first,
    )
    triangles = np.array([t for p in polygons for t in fan(p)], dtype=np.int32)
    assert_same(read_ply(path), Mesh(mesh.vertices, triangles, mesh.colors))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sides", [3, 4, 7])
def test_faces_of_one_kind_need_no_walk(tmp_path: Path, form: str, sides: int) -> None:
    mesh = a_mesh()
    polygons = np.random.default_rng(sides).integers(0, 40, (50, sides))
    face = np.empty(50, dtype=[("vertex_indices", "i4", (sides,))])
    face["vertex_indices"] = polygons
    text, order = FORMS[form]
    elements = [PlyElement.describe(points(mesh), "vertex"), PlyElement.describe(face, "face")]
    PlyData(elements, text=text, byte_order=order).write(tmp_path / "a.ply")
    triangles = [t for p in polygons.tolist() for t in fan(p)]
    np.testing.assert_array_equal(read_ply(tmp_path / "a.ply").faces, triangles)


def naive_strips(strip: list[int]) -> list[list[int]]:
    """The triangles of strips in one list, by the definition."""
    triangles, piece = [], list[int]()
    for corner in strip:
        if corner == -1:
            piece = []
            continue
        piece.append(corner)
        if len(piece) >= 3:
            a, b, c = piece[-3:]
            if len({a, b, c}) == 3:
                triangles.append([a, b, c] if len(piece) % 2 else [b, a, c])
    return triangles


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(-1, 39), min_size=3, max_size=200), min_size=1, max_size=5),
    form=st.sampled_from(sorted(FORMS)),
)
def test_strips_are_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], form: str
) -> None:
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    rows[0][:0] = [0, 1, 2]  # one triangle at least
    mesh = a_mesh()
    strip = np.empty(len(rows), dtype=[("vertex_indices", "O")])
    for i, row in enumerate(rows):
        strip["vertex_indices"][i] = np.array(row, dtype="i4")
    types: dict[str, Any] = {"val_types": {"vertex_indices": "i4"}, "len_types": {"vertex_indices": "i4"}}
    text, order = FORMS[form]
    elements = [
        PlyElement.describe(points(mesh), "vertex"),
        PlyElement.describe(strip, "tristrips", **types),
    ]
    PlyData(elements, text=text, byte_order=order).write(path)
    expected = np.array([t for row in rows for t in naive_strips(row)], dtype=np.int32)
    assert_same(read_ply(path), Mesh(mesh.vertices, expected, mesh.colors))


def test_text_larger_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = a_mesh(60, 90)
    foreign(tmp_path / "a.ply", points(mesh), mesh.faces.tolist(), "text")
    for step in (1, 2, 7, 100):
        monkeypatch.setattr("pipeline.formats.ply_text._STEP", step)
        assert_same(read_ply(tmp_path / "a.ply"), mesh)


def test_more_faces_than_are_cut_at_once_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polygons = [[i % 40, (i + 1) % 40, (i + 2) % 40, (i + 3) % 40][: 3 + i % 2] for i in range(100)]
    foreign(tmp_path / "a.ply", points(a_mesh()), polygons)
    monkeypatch.setattr("pipeline.formats.ply_faces._STEP", 7)
    monkeypatch.setattr("pipeline.formats.ply_rows._STEP", 64)
    assert read_ply(tmp_path / "a.ply").faces.tolist() == [t for p in polygons for t in fan(p)]


def ascii_ply(vertices: int, properties: str, faces: tuple[str, ...] = (), body: str = "") -> bytes:
    """An ASCII file with a header that says what it is told to say."""
    lines = ["ply", "format ascii 1.0", f"element vertex {vertices}"]
    lines += [f"property float {name}" for name in properties]
    return "\n".join([*lines, *faces, "end_header", body]).encode()


HEAD = [
    *("element vertex 3", "property float x", "property float y", "property float z"),
    *("element face 1", "property list uchar int vertex_indices", "end_header"),
]
TRIANGLES = "property list uchar int vertex_indices"
FACE = ("element face 1", TRIANGLES)
SQUARE = ascii_ply(4, "xyz", FACE, "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
LITTLE = "\n".join(["ply", "format binary_little_endian 1.0", *HEAD, ""]).encode()
PLACES = np.arange(9, dtype="<f4").tobytes()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(tmp_path: Path, newline: str) -> None:
    lines = SQUARE.decode().replace("0 0 0\n", "0 0 0\n\n   \n\t").replace("1 0 0", " 1.0e0   0 -0 ")
    (tmp_path / "a.ply").write_bytes(lines.replace("\n", newline).encode())
    mesh = read_ply(tmp_path / "a.ply")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    binary = newline.join(["ply", "format binary_big_endian 1.0", "comment end_header", *HEAD, ""]).encode()
    body = np.arange(10, 19, dtype=">f4").tobytes() + b"\x03" + np.array([2, 1, 0], dtype=">i4").tobytes()
    (tmp_path / "b.ply").write_bytes(binary + body)
    assert read_ply(tmp_path / "b.ply").vertices.tolist() == [[10, 11, 12], [13, 14, 15], [16, 17, 18]]


@pytest.mark.slow
def test_a_million_vertices_are_read_in_a_moment(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", a_mesh(1_000_000, 2_000_000))

    def seconds() -> float:
        """Of the processor, which other programs do not lengthen."""
        start = time.process_time()
        read_ply(tmp_path / "a.ply")
        return time.process_time() - start

    assert min(seconds() for _ in range(7)) < 0.15
