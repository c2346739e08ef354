from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fuzz import flipped
from gltf_writer import Writer, glb, png
from test_gltf import PICTURE, PLACES, UVS, tetrahedron

from pipeline.errors import FormatError
from pipeline.formats.gltf import read_gltf

Tree = dict[str, Any]


def a_file(change: Callable[[Tree], object] | None = None, **more: npt.NDArray[Any]) -> bytes:
    """A good scene with one thing changed in its tree."""
    writer = Writer()
    primitive = tetrahedron(writer, TEXCOORD_0=UVS, **more) | {"material": writer.material(PICTURE)}
    writer.show(writer.mesh(primitive), translation=[0, 1, 0])
    if change:
        change(writer.tree)
    return writer.glb()


def put(*way: str | int, to: object) -> Callable[[Tree], None]:
    """A change of one value of the tree."""

    def change(tree: Tree) -> None:
        place: Any = tree
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = to

    return change


PRIMITIVE = ("meshes", 0, "primitives", 0)
NAN = PLACES.copy()
NAN[2, 1] = np.nan
WHOLE = a_file()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1, column 1: not a glTF tree"),
        (b"{", "line 1, column 2: not a glTF tree"),
        (b"[" * 100_000, "byte 0: not a glTF tree"),
        (b"\xff\xfe{}", "byte 0: not a glTF tree"),
        (b"9" * 5000, "byte 0: not a glTF tree"),
        (b"[]", "its tree: is list; an object is needed"),
        (b"{}", "asset: is version 'none'"),
        (b'{"asset": {"version": "1.0"}}', "asset: is version '1.0' of glTF; only 2 is read"),
        (b'{"asset": {"version": 2}}', "asset: version is 2; a text is needed"),
        (b'{"asset": {"version": "2.0"}}', "shows no triangles"),
        (b"glTF\x01\x00\x00\x00", "byte 4: is version 1 of GLB"),
        (WHOLE[:-1], "byte 8: says it has .* is it cut off"),
        (WHOLE[:8] + b"\xff\xff\xff\xff" + WHOLE[12:], "byte 8: says it has 4294967295 bytes"),
        (WHOLE[:12] + b"\xff\xff\xff\xff" + WHOLE[16:], "byte 12: has a chunk of 4294967295 bytes"),
        (WHOLE.replace(b"JSON", b"NOSJ"), "byte 12: has no JSON chunk"),
        (glb(b'{"asset": {"version": "2.0"}}', b""), "shows no triangles"),
        (a_file(put("accessors", to={})), r"names accessors\[0\], which is not there"),
        (a_file(put("meshes", to={"primitives": []})), "meshes: is dict; a list is needed"),
        (a_file(put("meshes", 0, to=3)), r"meshes\[0\]: is 3; an object is needed"),
        (a_file(put(*PRIMITIVE, "mode", to=6)), r"meshes\[0\].primitives\[0\]: is a fan"),
        (a_file(put(*PRIMITIVE, "mode", to="x")), "mode is 'x'; a whole number"),
        (a_file(put(*PRIMITIVE, "mode", to=1)), "shows no triangles"),
        (a_file(put(*PRIMITIVE, "attributes", to={})), "POSITION is NoneType|POSITION is None"),
        (a_file(put(*PRIMITIVE, "indices", to=99)), r"names accessors\[99\], which is not there"),
        (a_file(put(*PRIMITIVE, "indices", to=-1)), "indices is -1; a whole number from 0"),
        (a_file(put(*PRIMITIVE, "indices", to=True)), "indices is True; a whole number from 0"),
        (a_file(put(*PRIMITIVE, "indices", to=0)), r"accessors\[0\]: has component type 5126"),
        (a_file(put("accessors", 0, "count", to=3)), "TEXCOORD_0 has 4 values for 3 vertices"),
        (a_file(put("accessors", 0, "count", to=5)), r"accessors\[0\]: has 5 values, which do not"),
        (a_file(put("accessors", 0, "count", to=2**31)), r"accessors\[0\]: has 2147483648 values"),
        (a_file(put("accessors", 0, "count", to=10**40)), r"accessors\[0\]: count is"),
        (a_file(put("accessors", 0, "type", to="VEC2")), "has component type 5126 and type VEC2"),
        (a_file(put("accessors", 0, "sparse", to={})), r"accessors\[0\]: is sparse"),
        (a_file(put("accessors", 2, "count", to=11)), "has 11 corners, which make no whole triangles"),
        (a_file(put("accessors", 2, "count", to=0)), "has 0 values"),
        (a_file(put("bufferViews", 0, "byteStride", to=4)), "byteStride is 4; 12 is the least"),
        (a_file(put("bufferViews", 0, "byteOffset", to=10**6)), r"bufferViews\[0\]: ends at byte 1000048"),
        (a_file(put("bufferViews", 0, "buffer", to=7)), r"names buffers\[7\], which is not there"),
        (a_file(put("extensionsRequired", to=["KHR_draco_mesh_compression"])), "needs 'KHR_draco"),
        (a_file(put("materials", to=[])), r"names materials\[0\], which is not there"),
        (a_file(put("images", 0, to={"bufferView": 0})), r"images\[0\]: not a readable texture"),
        (a_file(put("images", 0, to={"uri": "https://example.org/a.png"})), "nothing is fetched"),
        (a_file(put("images", 0, to={"uri": "file:///etc/passwd"})), "nothing is fetched"),
        (a_file(put("images", 0, to={"uri": "//host/share/a.png"})), "nothing is fetched"),
        (a_file(put("images", 0, to={"uri": "../secret.png"})), "does not lead to a file under"),
        (a_file(put("images", 0, to={"uri": "%2e%2e/secret.png"})), "does not lead to a file under"),
        (a_file(put("images", 0, to={"uri": "none.png"})), "none.png"),
        (a_file(put("images", 0, to={"uri": "data:image/png;base64,@@"})), "is not whole base64"),
        (a_file(put("images", 0, to={"uri": "data:image/png,abc"})), "is data that is not base64"),
        (a_file(put("textures", 0, to={})), r"textures\[0\]: has no picture that can be read"),
        (a_file(put("nodes", 0, "translation", to=[0, 1])), r"nodes\[0\]: translation needs 3"),
        (a_file(put("nodes", 0, "rotation", to=[0, 0, 0, 0])), "rotation needs 4 finite numbers"),
        (a_file(put("nodes", 0, "scale", to=[0, 0, float("nan")])), "scale needs 3 finite numbers"),
        (a_file(put("nodes", 0, "scale", to=[1, 1, 1e30])), "scale needs 3 finite numbers"),
        (a_file(put("nodes", 0, "mesh", to=1)), "mesh is 1; a whole number from 0 to 0"),
        (a_file(put("nodes", 0, "children", to=[0])), "names a node twice, or one that has a parent"),
        (a_file(put("scenes", 0, "nodes", to=[0, 0])), "names a node twice"),
        (a_file(put("scenes", 0, "nodes", to=[])), "shows no triangles"),
        (a_file(put("scenes", 0, "nodes", to=["0"])), "node is '0'"),
        (a_file(put("scene", to=4)), "scene is 4"),
        (a_file(COLOR_0=PLACES), r"primitives\[0\]: has colours from 0.0 to 3.0"),
        (a_file(NORMAL=NAN), r"normal of vertex 2 is \[0.0, nan, 0.0\]"),
    ],
)  # fmt: skip
def test_files_that_are_no_scenes_are_refused_with_place_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "secret.png").write_bytes(png(PICTURE))
    path = tmp_path / "in" / "a.glb"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(FormatError, match=reason) as caught:
        read_gltf(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def edited(kind: str, at: int, value: bytes) -> bytes:
    """A good scene with other bytes in the array that is the primitive's `kind`."""
    content = json.loads(WHOLE[20 : 20 + int.from_bytes(WHOLE[12:16], "little")])
    primitive = content["meshes"][0]["primitives"][0]
    accessor = primitive["indices"] if kind == "indices" else primitive["attributes"][kind]
    view = content["bufferViews"][content["accessors"][accessor]["bufferView"]]
    start = len(WHOLE) - content["buffers"][0]["byteLength"] + view["byteOffset"] + at
    return WHOLE[:start] + value + WHOLE[start + len(value) :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            edited("indices", 4, b"\x04\x00"),
            r"meshes\[0\].primitives\[0\]: a face names vertex 4; there are 4",
        ),
        (edited("POSITION", 12, b"\x00\x00\xc0\x7f"), r"vertex 1 is \[nan, 0.0, 0.0\]; finite numbers"),
        (edited("POSITION", 12, b"\x00\x00\x80\x7f"), r"vertex 1 is \[inf, 0.0, 0.0\]; finite numbers"),
        (edited("TEXCOORD_0", 0, b"\x00\x00\xc0\x7f"), r"texture place of vertex 0 is \[nan, 1.0\]"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(FormatError, match=reason):
        read_gltf(tmp_path / "a.glb")


def test_a_picture_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(WHOLE)
    assert read_gltf(tmp_path / "a.glb", most_pixels=24).textures[0].shape == (4, 6, 3)
    with pytest.raises(FormatError, match=r"images\[0\]: texture is 6 x 4 .* raise --max-texture-mpx"):
        read_gltf(tmp_path / "a.glb", most_pixels=23)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.glb")
    for name, reason in (
        ("none.glb", "No such file"),
        (".", "is not a file"),
        ("pipe.glb", "is not a file"),
    ):
        with pytest.raises(FormatError, match=reason):
            read_gltf(tmp_path / name)


def test_a_buffer_file_is_not_read_as_long_as_it_is_said_to_be(tmp_path: Path) -> None:
    writer = Writer()
    writer.show(writer.mesh(tetrahedron(writer)))
    tree = json.loads(writer.gltf("a.bin"))
    tree["buffers"][0]["byteLength"] = 2**32 - 1
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    (tmp_path / "a.bin").write_bytes(writer.content)
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"buffers\[0\]: says it has 4294967295 bytes, but has 72"):
        read_gltf(tmp_path / "a.gltf")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def samples() -> list[bytes]:
    """Small files of both kinds."""
    writer = Writer()
    rgb = np.array([[0, 51, 255]] * 4, dtype=np.uint8)
    first = tetrahedron(writer, TEXCOORD_0=UVS, NORMAL=PLACES + 1) | {"material": writer.material(PICTURE)}
    second = tetrahedron(writer, COLOR_0=rgb) | {"mode": 5}
    inner = writer.add("nodes", {"mesh": writer.mesh(first), "rotation": [0, 1, 0, 0], "scale": [1, 2, -3]})
    writer.show(writer.mesh(second, first), translation=[1, 2, 3], children=[inner])
    return [writer.glb(), writer.gltf(), WHOLE]


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for whole in samples():
        for length in range(0, len(whole) - 1, 3):
            (tmp_path / "cut.glb").write_bytes(whole[:length])
            with pytest.raises(FormatError, match=r"cut\.glb"):
                read_gltf(tmp_path / "cut.glb")


def test_damaged_files_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    refused = tried = 0
    for seed, whole in enumerate(samples()):
        for damaged in flipped(whole, seed, 400):
            (tmp_path / "bad.glb").write_bytes(damaged)
            tried += 1
            try:
                mesh = read_gltf(tmp_path / "bad.glb")
            except FormatError:
                refused += 1
            else:
                assert 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices)
                assert np.isfinite(mesh.vertices).all()
    assert tried / 4 < refused < tried


def hostile(kind: str) -> bytes:
    """Files of about 400 KB that ask for far more memory than they take."""
    writer = Writer()
    many = np.zeros((10_000, 3), dtype="<f4")
    corners = np.arange(9999, dtype="<u4")
    primitive = {"attributes": {"POSITION": writer.array(many)}, "indices": writer.array(corners)}
    match kind:
        case "one mesh in many places":
            mesh = writer.mesh(primitive)
            for _ in range(3000):
                writer.show(mesh)
        case "one list in many primitives":
            writer.show(writer.mesh(*[primitive] * 2000))
        case "many views of the same bytes":
            for _ in range(2000):
                view = writer.add("bufferViews", writer.tree["bufferViews"][0])
                writer.add("accessors", writer.tree["accessors"][0] | {"bufferView": view})
            places = range(2, 2002)
            writer.show(writer.mesh(*[primitive | {"attributes": {"POSITION": place}} for place in places]))
        case "a count without bytes":
            writer.tree["accessors"][0] |= {"count": 2**31}
            del writer.tree["accessors"][0]["bufferView"]
            writer.show(writer.mesh(primitive))
        case "empty nodes":
            return glb(b'{"asset": {"version": "2.0"}, "nodes": [' + b"{}," * 200_000 + b"{}]}", b"")
        case "nodes in a ring":
            writer.tree["nodes"] = [{"children": [(i + 1) % 9000]} for i in range(9000)]
            writer.tree["nodes"].append({"children": [0]})
            writer.tree["scenes"][0]["nodes"] = [9000]
        case _:
            writer.tree["nodes"] = [{"children": [i + 1]} for i in range(9000)] + [{"mesh": 0}]
            writer.mesh(primitive)
            writer.tree["scenes"][0]["nodes"] = [0]
    return writer.glb()


HOSTILE = (
    "one mesh in many places",
    "one list in many primitives",
    "many views of the same bytes",
    "a count without bytes",
    "empty nodes",
    "nodes in a ring",
    "nodes in a long row",
)


@pytest.mark.parametrize("kind", HOSTILE)
def test_memory_stays_a_small_multiple_of_the_file(tmp_path: Path, kind: str) -> None:
    content = hostile(kind)
    (tmp_path / "a.glb").write_bytes(content)
    tracemalloc.start()
    try:
        mesh = read_gltf(tmp_path / "a.glb")
    except FormatError:
        assert kind != "nodes in a long row"
    else:
        assert len(mesh.faces) == 3333
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 32 * len(content) + 8_000_000, f"{peak / len(content):.1f} times the file"


ODD: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1,
    3,
    2**31,
    2**63,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "0",
    [],
    {},
    [0],
    [[]],
)


def places_in(value: object, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The ways to everything in a tree."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [w for key, item in inner for w in ((*way, key), *places_in(item, (*way, key)))]


def test_every_value_of_the_tree_may_be_anything(tmp_path: Path) -> None:
    """Each value in turn becomes each of many odd ones, and is left out."""
    whole, read = samples()[0], 0
    size = int.from_bytes(whole[12:16], "little")
    tree, content = whole[20 : 20 + size], whole[20 + size + 8 :]
    for way in places_in(json.loads(tree)):
        for odd in (*ODD, ...):
            changed = json.loads(tree)
            if odd is ...:
                place: Any = changed
                for step in way[:-1]:
                    place = place[step]
                del place[way[-1]]
            else:
                put(*way, to=odd)(changed)
            (tmp_path / "odd.glb").write_bytes(glb(json.dumps(changed).encode(), content))
            try:
                mesh = read_gltf(tmp_path / "odd.glb")
            except FormatError:
                continue
            read += 1
            assert 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices)
            assert np.isfinite(mesh.vertices).all()
    assert read
