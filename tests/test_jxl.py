from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import ConfigError, FormatError
from pipeline.formats.image import write_image
from pipeline.formats.jxl import encode_jxl, read_jxl
from pipeline.records import F32, U8, U16, Window

HERE = Path(__file__).parent
MOST = 1 << 20
sides = st.integers(1, 40)
kinds = st.sampled_from([(np.uint8, ()), (np.uint8, (3,)), (np.uint16, ()), (np.uint16, (3,))])
pictures = kinds.flatmap(
    lambda kind: st.tuples(sides, sides).flatmap(lambda hw: arrays(kind[0], (*hw, *kind[1])))
)


@settings(max_examples=40, deadline=None)
@given(pictures)
def test_pictures_come_back(tmp_path_factory: pytest.TempPathFactory, picture: U8 | U16) -> None:
    path = tmp_path_factory.mktemp("jxl") / "a.jxl"
    write_image(path, picture, Window(3, 2, 50, 60))
    found = read_jxl(path, MOST)
    expected = np.zeros((50, 60, *picture.shape[2:]), dtype=picture.dtype)
    expected[3 : 3 + picture.shape[0], 2 : 2 + picture.shape[1]] = picture
    assert found.dtype == picture.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_noise_that_cannot_be_packed_comes_back(
    tmp_path: Path, dtype: str, channels: tuple[int, ...]
) -> None:
    """The fastest effort of the library loses some of it, or breaks the process."""
    rng = np.random.default_rng(0)
    for height, width in ((200, 200), (57, 531), (15, 346), (445, 372)):
        steps = rng.integers(-3, 4, (height, width, *channels)).cumsum(axis=1).astype(dtype)
        noise = rng.integers(0, np.iinfo(dtype).max, steps.shape, dtype=dtype, endpoint=True)
        for picture in (steps, noise):
            write_image(tmp_path / "a.jxl", picture)
            np.testing.assert_array_equal(read_jxl(tmp_path / "a.jxl", MOST), picture)


@pytest.mark.parametrize(
    ("height", "width"), [(8, 8), (7, 9), (240, 320), (180, 320), (300, 301), (2, 2000), (512, 256)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_size_is_known_before_the_pixels_are_unpacked(
    tmp_path: Path, height: int, width: int, dtype: type[np.uint8] | type[np.uint16]
) -> None:
    path = tmp_path / "a.jxl"
    path.write_bytes(imagecodecs.jpegxl_encode(np.zeros((height, width), dtype=dtype), lossless=True))
    assert read_jxl(path, height * width).shape == (height, width)
    with pytest.raises(FormatError, match=rf"a\.jxl: image is {width} x {height} = "):
        read_jxl(path, height * width - 1)


def test_what_is_no_plain_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jxl"
    rng = np.random.default_rng(0)
    many: list[tuple[U8 | F32, str]] = [
        (rng.integers(0, 255, (9, 9, 4), dtype=np.uint8), "has more than colours"),
        (rng.integers(0, 255, (3, 9, 9, 3), dtype=np.uint8), "animated"),
        (rng.random((9, 9, 3), dtype=np.float32), "has floating point"),
    ]
    for picture, says in many:
        path.write_bytes(imagecodecs.jpegxl_encode(picture, lossless=True))
        with pytest.raises(FormatError, match=says):
            read_jxl(path, MOST)
    for content in (b"", b"GIF89a", b"\xff", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20)):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="not a readable JPEG XL file: it does not begin as one"):
            read_jxl(path, MOST)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.jxl"
    for dtype in ("u1", "u2"):
        whole = encode_jxl(np.random.default_rng(0).integers(0, 200, (20, 20, 3), dtype=dtype))
        for length in range(0, len(whole) - 1, 5):
            path.write_bytes(whole[:length])
            with pytest.raises(FormatError, match=r"cut\.jxl"):
                read_jxl(path, MOST)


@pytest.mark.parametrize("picture", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2), np.float32)])
def test_what_is_not_written_is_a_mistake_of_the_caller(picture: U8) -> None:
    with pytest.raises(ValueError, match="JPEG XL is not written of"):
        encode_jxl(picture)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ConfigError, match=r"pip install scan2k\[jxl\]"):
        encode_jxl(np.zeros((2, 2), np.uint8))
    with pytest.raises(ConfigError, match=r"pip install scan2k\[jxl\]"):
        read_jxl(tmp_path / "a.jxl", MOST)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    """In a process of its own, because the library is not ours."""
    code = (
        "import resource, sys, numpy as np; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from fuzz import flipped; from pipeline.errors import FormatError\n"
        "from pipeline.formats.jxl import encode_jxl, read_jxl\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "path, refused = Path(sys.argv[2]), 0\n"
        "picture = np.random.default_rng(0).integers(0, 9, (20, 30)).astype('u2')\n"
        "for damaged in flipped(encode_jxl(picture), 0, 600):\n"
        "    path.write_bytes(damaged)\n"
        "    try: read_jxl(path, 1 << 20)\n"
        "    except FormatError: refused += 1\n"
        "print(refused)"
    )
    command = [sys.executable, "-c", code, str(HERE), str(tmp_path / "a.jxl")]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 200
