from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pipeline.errors import FormatError
from pipeline.formats import image as module
from pipeline.formats.image import read_color, read_grey16, write_color, write_grey16
from pipeline.records import U8, U16

sides = st.integers(1, 40)


@settings(max_examples=30)
@given(st.tuples(sides, sides, st.just(3)).flatmap(lambda shape: arrays(np.uint8, shape)))
def test_color_comes_back(tmp_path_factory: pytest.TempPathFactory, image: U8) -> None:
    path = tmp_path_factory.mktemp("image") / "a.png"
    write_color(path, image)
    np.testing.assert_array_equal(read_color(path), image)


@settings(max_examples=30)
@given(st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint16, shape)))
def test_grey16_comes_back(tmp_path_factory: pytest.TempPathFactory, image: U16) -> None:
    path = tmp_path_factory.mktemp("image") / "a.png"
    write_grey16(path, image)
    np.testing.assert_array_equal(read_grey16(path), image)


def test_files_say_what_published_loaders_expect(tmp_path: Path) -> None:
    write_grey16(tmp_path / "d.png", np.full((3, 5), 40_000, dtype=np.uint16))
    header = (tmp_path / "d.png").read_bytes()[:26]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (header[16:24], header[24], header[25]) == (b"\0\0\0\5\0\0\0\3", 16, 0)  # 16 bits, grey


def test_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    write_color(tmp_path / "c.png", np.zeros((2, 2, 3), dtype=np.uint8))
    with pytest.raises(FormatError, match="image is RGB; I;16 is needed"):
        read_grey16(tmp_path / "c.png")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    write_color(tmp_path / "a.png", noise)
    whole = (tmp_path / "a.png").read_bytes()
    for length in range(len(whole) - 24):  # what follows are checksums and the end mark
        (tmp_path / "cut.png").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"cut\.png"):
            read_color(tmp_path / "cut.png")


def test_too_many_pixels_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr(module, "MOST_PIXELS", 1000)
    with pytest.raises(FormatError, match="40 x 30"):
        read_color(tmp_path / "a.png")


def test_another_format_under_this_name_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", format="JPEG")
    with pytest.raises(FormatError, match="not a readable PNG"):
        read_color(tmp_path / "a.png")
