from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from fuzz import flipped
from test_ply import (
    FACE,
    FORMS,
    LITTLE,
    PLACES,
    SQUARE,
    TRIANGLES,
    a_mesh,
    ascii_ply,
    foreign,
    points,
)

from pipeline.errors import FormatError
from pipeline.formats.ply import read_ply, write_ply

HUGE = ascii_ply(99_999_999_999, "x", body="1\n")
COLORED = SQUARE.replace(b"float z\n", b"float z\nproperty uchar r\nproperty float g\nproperty int b\n")
WALKED = LITTLE.replace(b"face 1", b"face 2") + PLACES + b"\x03" + bytes(12)
SIGNED = LITTLE.replace(b"list uchar", b"list int")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "byte 0: has no PLY header"),
        (b"solid cube\n", "byte 0: has no PLY header"),
        (b"ply\n" + b"comment x\n" * 9999, "has no end_header in the first 65536 bytes"),
        (b"ply\nend_header\n", "line 2: has no format line"),
        (SQUARE.replace(b"ascii", b"ebcdic"), "line 2: 'format ebcdic 1.0'"),
        (SQUARE.replace(b"float y", b"real y"), "line 5: 'property real y'; a type "),
        (SQUARE.replace(b"float y", b"float x"), "line 5: 'property float x' is there twice"),
        (SQUARE.replace(b"element vertex 4\n", b""), "line 3: .* comes before any element"),
        (SQUARE.replace(b"list uchar", b"list float"), "line 8: .* counted by a whole number"),
        (SQUARE.replace(b"face 1", b"vertex 1"), "line 7: 'element vertex 1' is there twice"),
        (SQUARE.replace(b"face 1", b"face 1 1"), "line 7: .* a name and a count"),
        (SQUARE.replace(b"format", b"\xff\x00mat"), "line 2: .* is not a line of a PLY header"),
        (HUGE, "at least 199999999998 bytes"),
        (HUGE.replace(b"ascii", b"binary_little_endian"), "at least 399999999996 bytes"),
        (HUGE.replace(b"99999999999", b"9" * 5000), "whole number from 0"),
        (ascii_ply(-5, "x", body="1\n"), "-5"),
        (ascii_ply(1, "x", body="1\n"), "needs vertex and face"),
        (ascii_ply(1, "xy", FACE, "1 2\n3 0 0 0\n"), "z is missing"),
        (ascii_ply(1, "xyz", ("element face 0",), "0 0 0\n"), "no list called"),
        (ascii_ply(1, "xyz", ("element face 0", TRIANGLES), "0 0 0\n"), "1 vertices and no faces"),
        (SQUARE.replace(b"int vertex", b"float vertex"), "whole numbers are needed"),
        (SQUARE.replace(b"4 0 1 2 3", b"4 0 1 2 4"), "line 14: face 0 names vertex 4; there are 4"),
        (SQUARE.replace(b"4 0 1 2 3", b"4 0 1 2 -1"), "line 14: face 0 names vertex -1"),
        (SQUARE.replace(b"4 0 1 2 3", b"4 0 1 2 0.5"), "vertex_indices of 0.5, which is no int32"),
        (SQUARE.replace(b"4 0 1 2 3", b"2 0 1"), "line 14: face 0 has 2 corners"),
        (SQUARE.replace(b"4 0 1 2 3", b"0"), "line 14: face 0 has 0 corners"),
        (SQUARE.replace(b"4 0 1 2 3", b"5 0 1 2 3"), "line 14: this row is too short for its list"),
        (SQUARE.replace(b"4 0 1 2 3", b"nan 0 1 2 3"), "line 14: this row is too short for its list"),
        (SQUARE.replace(b"4 0 1 2 3", b"3 0 1 2 3"), "line 14: this row goes on"),
        (SQUARE.replace(b"1 1 0", b"1 1"), "line 12: this row ends too soon"),
        (SQUARE.replace(b"1 1 0", b"1 one 0"), "line 12: 'one' is not a number"),
        (SQUARE.replace(b"1 1 0", b"1 1_0 0"), "line 10: here or later"),
        (SQUARE.replace(b"1 1 0", b"1 " + b"1" * 5000 + b" 0"), "finite numbers are needed"),
        (SQUARE.replace(b"1 1 0", b"1 inf 0"), "line 12: vertex 2 has x = 1.0, y = inf"),
        (SQUARE.replace(b"float y", b"double y").replace(b"1 1 0", b"1 1e60 0"), "y = 1e\\+60"),
        (SQUARE.replace(b"4 0 1 2 3\n", b""), "asks for at least 26 bytes"),
        (SQUARE.replace(b"0 1 0\n4 0 1 2 3\n", b"0.00000 1 0\n"), "line 13: is the last, .* 0 of 1 rows"),
        (COLORED.replace(b" 0\n", b" 0 256 0.5 9\n"), "r of 256, which is no uint8"),
        (COLORED.replace(b" 0\n", b" 0 255 1.5 9\n"), "line 13: vertex 0 has g = 1.5; .* 0 to 1"),
        (COLORED.replace(b" 0\n", b" 0 255 nan 9\n"), "g = nan"),
        (COLORED.replace(b" 0\n", b" 0 255 0.5 256\n"), "b = 256; colours of type int32 go from 0 to 255"),
        (LITTLE + PLACES + b"\x03" + bytes(11), "ends in face 0 of 1; is it cut off"),
        (LITTLE + PLACES + b"\xff" + bytes(12), "ends in face 0 of 1; is it cut off"),
        (LITTLE + PLACES[:-1], "asks for at least"),
        (LITTLE + PLACES + bytes([3, *bytes(8), 3, 0, 0, 0]), "byte 205: face 0 names vertex 3"),
        (WALKED, "asks for|ends in face 1 of 2"),
        (WALKED + b"\x02" + bytes(12), "byte 218: face 1 has a list of 2; 3 is the least"),
        (SIGNED + PLACES + b"\xff\xff\xff\xff" + bytes(12), "has a list of -1; 3 is the least"),
        (SIGNED + PLACES + b"\xff\xff\xff\x7f" + bytes(12), "ends in face 0 of 1; is it cut off"),
        (LITTLE + b"\x00\x00\xc0\x7f" + PLACES[4:] + b"\x03" + bytes(12), "byte 169: vertex 0 has x = nan"),
    ],
)  # fmt: skip
def test_files_that_are_no_meshes_are_refused_with_place_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(FormatError, match=reason) as caught:
        read_ply(tmp_path / "a.ply")
    assert str(caught.value).startswith(f"{tmp_path / 'a.ply'}: ")
    assert "\n" not in str(caught.value)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ply")
    for name, reason in (
        ("none.ply", "No such file"),
        (".", "is not a file"),
        ("pipe.ply", "is not a file"),
    ):
        with pytest.raises(FormatError, match=reason):
            read_ply(tmp_path / name)


def samples(folder: Path) -> list[bytes]:
    """One small file of every form, regular, of many kinds of rows, and in strips."""
    mesh = a_mesh(6, 5, normals=True)
    write_ply(folder / "a.ply", mesh)
    contents = [(folder / "a.ply").read_bytes(), COLORED.replace(b" 0\n", b" 0 255 0.5 9\n")]
    for form in FORMS:
        foreign(folder / "a.ply", points(mesh), [[0, 1, 2], [3, 2, 1, 0], [0, 1, 2, 3, 4]], form)
        contents.append((folder / "a.ply").read_bytes())
    strip = LITTLE.replace(b"element face 1", b"element tristrips 1").replace(b"list uchar", b"list int")
    contents.append(strip + PLACES + np.array([7, 0, 1, 2, -1, 2, 1, 0], dtype="<i4").tobytes())
    return contents


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for whole in samples(tmp_path):
        (tmp_path / "cut.ply").write_bytes(whole)
        read_ply(tmp_path / "cut.ply")
        last = len(whole.rstrip()) if b"format ascii" in whole else len(whole)
        for length in range(last - 1):
            (tmp_path / "cut.ply").write_bytes(whole[:length])
            with pytest.raises(FormatError, match=r"cut\.ply"):
                read_ply(tmp_path / "cut.ply")


def test_damaged_files_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    refused = tried = 0
    for seed, whole in enumerate(samples(tmp_path)):
        for damaged in flipped(whole, seed, 300):
            (tmp_path / "bad.ply").write_bytes(damaged)
            tried += 1
            try:
                mesh = read_ply(tmp_path / "bad.ply")
            except FormatError:
                refused += 1
            else:
                assert len(mesh.faces)
                assert 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices)
                assert np.isfinite(mesh.vertices).all()
    assert tried / 4 < refused < tried


def hostile() -> dict[str, bytes]:
    """Files of half a megabyte that ask for as much work and memory as such a file can."""
    size = 500_000
    faces = LITTLE.replace(b"face 1", b"face %d" % size)
    lists = b"element extra %d\nproperty list uchar uchar a\nelement vertex 3" % size
    strip = faces.replace(b"element face", b"element tristrips")
    words = SQUARE.replace(b"face 1", b"face %d" % (size // 3))
    tiny = LITTLE.replace(b"uchar int", b"uchar uchar").replace(b"face 1", b"face %d" % (size // 4 - 1))
    one = SQUARE.replace(b"uchar int", b"int int").replace(b"element face", b"element tristrips")
    return {
        "empty faces": faces + PLACES + bytes(size),
        "empty faces, one not": faces + PLACES + b"\x03" + bytes(size + 12),
        "empty strips": strip + PLACES + bytes(size),
        "empty lists that nobody reads": LITTLE.replace(b"element vertex 3", lists) + bytes(size) + PLACES,
        "small faces": tiny + PLACES + bytes([3, 0, 1, 2]) * (size // 4 - 2) + bytes([4, 0, 1, 2, 0]),
        "numbers of one digit": words.replace(b"4 0 1 2 3\n", b"3 0 0 0\n" * (size // 8)),
        "empty lines": SQUARE + b"\n" * size,
        "one line": one.replace(b"4 0 1 2 3\n", b"%d" % (size // 2) + b" 1" * (size // 2)),
        "one word": SQUARE + b"1" * size,
        "a long header": b"ply\n" + b"element a 1\n" * (size // 12),
        "many properties": b"ply\nformat ascii 1.0\nelement vertex 1\n" + b"".join(
            b"property float p%d\n" % i for i in range(3000)
        ) + b"end_header\n" + b"0 " * 3000,
    }  # fmt: skip


@pytest.mark.parametrize("kind", hostile())
def test_memory_stays_a_small_multiple_of_the_file(tmp_path: Path, kind: str) -> None:
    content = hostile()[kind]
    (tmp_path / "a.ply").write_bytes(content)
    tracemalloc.start()
    try:
        read_ply(tmp_path / "a.ply")
    except FormatError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * len(content) + 4_000_000, f"{peak / len(content):.1f} times the file"
