"""Textures: found under their folder and nowhere else, decoded as another library decodes them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import FormatError
from pipeline.formats.texture import MOST_PIXELS, locate, read_texture

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of one scan, with something next door that is nobody's business."""
    for name in ("data/scan/Tex/My Skin.PNG", "data/scan/plain.png", "data/other.png", "secret.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path / "data" / "scan"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("plain.png", "plain.png"),
        ("./plain.png", "plain.png"),
        ("PLAIN.Png", "plain.png"),
        ("tex\\my skin.png", "Tex/My Skin.PNG"),
        ("Tex//My Skin.PNG", "Tex/My Skin.PNG"),
        ("tex/../plain.png", "plain.png"),
        ("C:\\scans\\of\\somebody\\plain.png", "plain.png"),
        ("/home/somebody/PLAIN.png", "plain.png"),
        ("C:plain.png", "plain.png"),
    ],
)
def test_a_name_leads_to_its_file(folder: Path, name: str, found: str) -> None:
    assert locate(name, folder, folder) == folder / found


@pytest.mark.parametrize(
    "name",
    ["../other.png", "..\\other.png", "tex/../../other.png", "../../secret.png", "..", ".", "", "/", "C:\\",
     "../scan"],
)  # fmt: skip
def test_a_name_that_leads_out_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FormatError, match="does not lead to a file under"):
        locate(name, folder, folder)


def test_a_name_may_go_up_as_far_as_the_root(folder: Path) -> None:
    assert locate("../OTHER.png", folder, folder.parent) == folder.parent / "other.png"
    with pytest.raises(FormatError, match="does not lead to a file under"):
        locate("../../secret.png", folder, folder.parent)


@pytest.mark.parametrize(
    "name", ["absent.png", "tex/absent.png", "absent/my skin.png", "a\0b", "n" * 5000, "tex"]
)
def test_a_file_that_is_not_there_is_named(folder: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"put it there|is not a file"):
        locate(name, folder, folder)


def test_of_names_that_differ_in_case_alone_the_exact_one_is_meant(folder: Path) -> None:
    (folder / "PLAIN.PNG").write_bytes(b"y")
    assert locate("plain.png", folder, folder) == folder / "plain.png"
    assert locate("Plain.png", folder, folder) == folder / "PLAIN.PNG"


@pytest.mark.parametrize("kind", ["png", "bmp", "tga", "tiff", "webp"])
def test_every_kind_of_picture_comes_back_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(PIXELS).save(path, lossless=True)  # which only WEBP listens to
    read = read_texture(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, PIXELS)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_other_modes_become_rgb_as_pillow_makes_it(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(PIXELS).convert(mode)
    image.save(tmp_path / "a.tiff")
    np.testing.assert_array_equal(read_texture(tmp_path / "a.tiff"), np.asarray(image.convert("RGB")))


def test_rows_copied_in_strips_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.formats.texture._ROWS", 2)
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_texture(tmp_path / "a.png"), PIXELS)


def test_a_picture_over_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert read_texture(tmp_path / "a.png", 35).shape == (5, 7, 3)
    with pytest.raises(FormatError, match="texture is 7 x 5 = 0 Mpx, over 0 Mpx"):
        read_texture(tmp_path / "a.png", 34)
    head = bytearray((tmp_path / "a.png").read_bytes())
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "a.png").write_bytes(head)
    with pytest.raises(FormatError, match=r"a\.png: "):
        read_texture(tmp_path / "a.png")


@pytest.mark.slow
def test_a_texture_wider_than_pillows_own_limit_is_read(tmp_path: Path) -> None:
    image = Image.new("1", (16384, 11000))  # over the 179 Mpx that Pillow opens by itself
    image.putpixel((16383, 10999), 1)
    image.save(tmp_path / "a.png", compress_level=1)
    read = read_texture(tmp_path / "a.png")
    assert read.shape == (11000, 16384, 3)
    assert read[-1, -2:].tolist() == [[0, 0, 0], [255, 255, 255]]
    assert MOST_PIXELS == 16384 * 16384


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TGA", "TIFF", "WEBP"])
def test_damaged_pictures_are_read_or_refused_but_never_crash(tmp_path: Path, kind: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    rng = np.random.default_rng(3)
    path = tmp_path / "a.picture"
    for length in range(0, len(stream.getvalue()), 7):
        path.write_bytes(stream.getvalue()[:length])
        try_to_read(path)
    for _ in range(200):
        damaged = bytearray(stream.getvalue())
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try_to_read(path)


def try_to_read(path: Path) -> None:
    try:
        assert read_texture(path, 1 << 20).shape[2] == 3
    except FormatError as error:
        assert "a.picture: " in str(error)


def test_pixels_deeper_than_8_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 3), 999, dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match="8 bits a colour"):
        read_texture(tmp_path / "a.png")


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("none.png", "pipe.png", "."):
        with pytest.raises(FormatError):
            read_texture(tmp_path / name)
