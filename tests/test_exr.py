from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import FormatError
from pipeline.formats import exr
from pipeline.formats.exr import encode_exr, read_exr_depth, read_exr_normals
from pipeline.formats.image import write_image
from pipeline.records import F32, Window

HERE = Path(__file__).parent
sides = st.integers(1, 30)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=30, deadline=None)
@given(st.tuples(sides, sides).flatmap(lambda shape: arrays(np.float32, shape, elements=numbers)))
def test_depth_comes_back_to_the_bit(tmp_path_factory: pytest.TempPathFactory, length: F32) -> None:
    path = tmp_path_factory.mktemp("exr") / "a.exr"
    write_image(path, length)
    found = read_exr_depth(path)
    np.testing.assert_array_equal(found.view(np.uint32), length.view(np.uint32))


def test_normals_come_back_where_they_lie(tmp_path: Path) -> None:
    normals = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
    write_image(tmp_path / "n.exr", normals, Window(2, 3, 20, 30))
    expected = np.zeros((20, 30, 3), dtype=np.float32)
    expected[2:7, 3:9] = normals
    np.testing.assert_array_equal(read_exr_normals(tmp_path / "n.exr"), expected)


def test_the_file_says_what_other_programs_expect(tmp_path: Path) -> None:
    ray = np.random.default_rng(0).random((8, 9), dtype=np.float32)
    write_image(tmp_path / "z.exr", ray, Window(0, 0, 16, 18))
    write_image(tmp_path / "n.exr", np.stack([ray, ray, ray], axis=2))
    with OpenEXR.File(str(tmp_path / "z.exr")) as file:
        assert file.header()["compression"] == OpenEXR.ZIP_COMPRESSION
        for window in ("dataWindow", "displayWindow"):
            np.testing.assert_array_equal(file.header()[window], [(0, 0), (17, 15)])
        assert list(file.channels()) == ["Z"]
        assert file.channels()["Z"].pixels.dtype == np.float32
        np.testing.assert_array_equal(file.channels()["Z"].pixels[:8, :9], ray)
    with OpenEXR.File(str(tmp_path / "n.exr"), separate_channels=True) as file:
        assert sorted(file.channels()) == ["N.X", "N.Y", "N.Z"]


def test_the_same_numbers_are_the_same_bytes() -> None:
    ray = np.random.default_rng(0).random((300, 300), dtype=np.float32)
    assert encode_exr(ray) == encode_exr(ray.copy())


@pytest.mark.parametrize("pixels", [np.zeros((2, 2), np.float64), np.zeros((2, 2, 4), np.float32)])
def test_what_is_no_depth_and_no_normals_is_a_mistake_of_the_caller(pixels: F32) -> None:
    with pytest.raises(ValueError, match="EXR is not written of"):
        encode_exr(pixels)


def _write(path: Path, channels: dict[str, object], **header: object) -> None:
    with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, channels) as file:
        file.write(str(path))


def test_other_files_are_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.exr"
    plane = np.ones((16, 16), dtype=np.float32)
    tiles = OpenEXR.TileDescription()
    cases: list[tuple[dict[str, object], dict[str, object], str]] = [
        ({"Y": plane}, {}, "image has channels Y; Z are needed"),
        ({"Z": plane, "A": plane}, {}, "image has channels A, Z; Z are needed"),
        (
            {"Z": plane},
            {"compression": OpenEXR.PXR24_COMPRESSION},
            "packed by PXR24_COMPRESSION",
        ),
        ({"Z": plane}, {"type": OpenEXR.tiledimage, "tiles": tiles}, "is not one part of scan lines"),
    ]
    for channels, header, says in cases:
        _write(path, channels, **header)
        with pytest.raises(FormatError, match=says) as refusal:
            read_exr_depth(path)
        assert str(path) in str(refusal.value)
    write_image(path, plane)
    monkeypatch.setattr(exr, "MOST_PIXELS", 255)
    with pytest.raises(FormatError, match=r"16 x 16 = 0 Mpx, over 0 Mpx"):
        read_exr_depth(path)


@pytest.mark.parametrize("content", [b"", b"v/1\x01", b"GIF89a" + bytes(400)])
def test_no_exr_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.exr"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.exr: not a readable EXR file"):
        read_exr_depth(path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = encode_exr(np.random.default_rng(0).random((20, 20), dtype=np.float32))
    path = tmp_path / "cut.exr"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"cut\.exr"):
            read_exr_depth(path)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    """In a process of its own, because the library is not ours."""
    code = (
        "import resource, sys, numpy as np; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from fuzz import flipped; from pipeline.errors import FormatError\n"
        "from pipeline.formats.exr import encode_exr, read_exr_depth\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "path, refused = Path(sys.argv[2]), 0\n"
        "ray = np.random.default_rng(0).integers(0, 9, (20, 30)).astype('f4')\n"
        "for damaged in flipped(encode_exr(ray), 0, 600):\n"
        "    path.write_bytes(damaged)\n"
        "    try: read_exr_depth(path)\n"
        "    except FormatError: refused += 1\n"
        "print(refused)"
    )
    command = [sys.executable, "-c", code, str(HERE), str(tmp_path / "a.exr")]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 300  # after the library's own warnings
