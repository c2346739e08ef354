from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pipeline.errors import FormatError
from pipeline.formats import image as module
from pipeline.formats.image import (
    read_color,
    read_grey16,
    read_mask,
    read_rgb16,
    write_image,
)
from pipeline.records import U8, U16, Window

sides = st.integers(1, 40)
WRITERS: dict[str, Callable[[Path], bytes]] = {
    "RGB": lambda path: write_image(path, np.zeros((2, 2, 3), dtype=np.uint8)),
    "L": lambda path: write_image(path, np.zeros((2, 2), dtype=np.uint8)),
    "I;16": lambda path: write_image(path, np.zeros((2, 2), dtype=np.uint16)),
    "RGB;16": lambda path: write_image(path, np.zeros((2, 2, 3), dtype=np.uint16)),
}
READERS: dict[str, Callable[[Path], U8 | U16]] = {
    "RGB": read_color,
    "L": read_mask,
    "I;16": read_grey16,
    "RGB;16": read_rgb16,
}


@settings(max_examples=30)
@given(st.tuples(sides, sides, st.just(3)).flatmap(lambda shape: arrays(np.uint8, shape)))
def test_color_comes_back(tmp_path_factory: pytest.TempPathFactory, image: U8) -> None:
    path = tmp_path_factory.mktemp("image") / "a.png"
    write_image(path, image)
    np.testing.assert_array_equal(read_color(path), image)


@settings(max_examples=30)
@given(st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint16, shape)))
def test_grey16_comes_back(tmp_path_factory: pytest.TempPathFactory, image: U16) -> None:
    path = tmp_path_factory.mktemp("image") / "a.png"
    write_image(path, image)
    np.testing.assert_array_equal(read_grey16(path), image)


@settings(max_examples=30)
@given(st.tuples(sides, sides, st.just(3)).flatmap(lambda shape: arrays(np.uint16, shape)))
def test_rgb16_comes_back(tmp_path_factory: pytest.TempPathFactory, image: U16) -> None:
    path = tmp_path_factory.mktemp("image") / "a.png"
    write_image(path, image)
    np.testing.assert_array_equal(read_rgb16(path), image)


def test_a_mask_comes_back_where_it_lies(tmp_path: Path) -> None:
    write_image(tmp_path / "m.png", np.full((2, 3), 255, dtype=np.uint8), Window(1, 2, 5, 7))
    expected = np.zeros((5, 7), dtype=np.uint8)
    expected[1:3, 2:5] = 255
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), expected)


def test_files_say_what_published_loaders_expect(tmp_path: Path) -> None:
    write_image(tmp_path / "d.png", np.full((3, 5), 40_000, dtype=np.uint16))
    header = (tmp_path / "d.png").read_bytes()[:26]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (header[16:24], header[24], header[25]) == (b"\0\0\0\5\0\0\0\3", 16, 0)  # 16 bits, grey


@pytest.mark.parametrize("suffix", [".png", ".jxl"])
@pytest.mark.parametrize("needed", READERS)
@pytest.mark.parametrize("written", WRITERS)
def test_the_wrong_kind_is_refused(tmp_path: Path, written: str, needed: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    WRITERS[written](path)
    if written == needed:
        assert not READERS[needed](path).any()
    else:
        with pytest.raises(FormatError, match=f"image is {written}; {needed} is needed"):
            READERS[needed](path)


def test_a_picture_of_another_writer_is_read(tmp_path: Path) -> None:
    y, x = np.mgrid[:20, :30]
    picture = np.stack([x, y, x + y], axis=2).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png", optimize=True)
    np.testing.assert_array_equal(read_color(tmp_path / "a.png"), picture)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    write_image(tmp_path / "a.png", noise)
    whole = (tmp_path / "a.png").read_bytes()
    for length in range(len(whole) - 24):  # what follows are checksums and the end mark
        (tmp_path / "cut.png").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"cut\.png"):
            read_color(tmp_path / "cut.png")


@pytest.mark.parametrize("kind", READERS)
def test_too_many_pixels_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "a.png"
    colors = np.zeros((30, 40, 3), dtype=np.uint16)
    pixels = colors if "RGB" in kind else colors[:, :, 0]
    write_image(path, pixels if "16" in kind else pixels.astype(np.uint8))
    monkeypatch.setattr(module, "MOST_PIXELS", 1000)
    with pytest.raises(FormatError, match=r"a\.png: image is 40 x 30"):
        READERS[kind](path)


def test_another_format_under_this_name_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", format="JPEG")
    with pytest.raises(FormatError, match="not a readable PNG"):
        read_color(tmp_path / "a.png")


@pytest.mark.parametrize("read", READERS.values())
def test_a_folder_or_nothing_is_refused(tmp_path: Path, read: Callable[[Path], U8 | U16]) -> None:
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(FormatError, match="is not a file"):
            read(path)


def test_another_suffix_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.gif; \.png, \.jxl or \.exr"):
        write_image(tmp_path / "a.gif", np.zeros((2, 2), dtype=np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".jxl", ".exr"])
def test_a_full_disk_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    old = tmp_path / f"a{suffix}"
    old.write_bytes(b"old")
    code = (
        "import resource, signal, sys, numpy as np; from pathlib import Path;"
        "from pipeline.formats.image import write_image\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "path = Path(sys.argv[1])\n"
        "noise = np.random.default_rng(0).integers(0, 65536, (200, 200), dtype=np.uint16)\n"
        "try: write_image(path, noise.astype(np.float32) if path.suffix == '.exr' else noise)\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run([sys.executable, "-c", code, old], capture_output=True, check=True, text=True)
    assert done.stdout == "File too large\n"
    assert [path.name for path in tmp_path.iterdir()] == [old.name]
    assert old.read_bytes() == b"old"


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        write_image(tmp_path / "file" / "a.png", np.zeros((2, 2), dtype=np.uint8))


def test_images_are_whole_or_not_there_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fdatasync", lambda handle: synced.append(os.fstat(handle).st_size))
    content = write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint16))
    assert synced == [len(content)]
