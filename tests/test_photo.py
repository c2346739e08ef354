"""Photographs of any origin: what is read as it is stored, what is refused, and by which words."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.errors import FormatError
from pipeline.formats.photo import MOST_PIXELS, read_stored
from pipeline.records import U8

COLOR: U8 = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY: U8 = COLOR[..., 0]
ORIENTATION = 0x0112


@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "bmp"])
def test_pixels_come_back_as_they_were_saved(tmp_path: Path, kind: str) -> None:
    Image.fromarray(COLOR).save(tmp_path / f"a.{kind}", lossless=True)
    found = read_stored(tmp_path / f"a.{kind}")
    assert np.array_equal(found.pixels, COLOR)
    assert (found.orientation, found.profile, found.halved, found.pictures) == (1, "", False, 1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_are_those_of_the_file(tmp_path: Path, channels: int) -> None:
    pixels = np.dstack([COLOR, GREY[::-1]])[..., :channels]
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_stored(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize(("said", "found"), [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (65_535, 1)])
def test_the_orientation_is_exif_s_or_upright(tmp_path: Path, said: int, found: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = said
    for kind in ("png", "jpg", "webp"):
        Image.fromarray(COLOR).save(tmp_path / f"a.{kind}", exif=exif)
        stored = read_stored(tmp_path / f"a.{kind}")
        assert stored.orientation == found
        assert stored.pixels.shape == COLOR.shape


def test_a_tiff_that_was_turned_while_decoding_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(COLOR).save(tmp_path / "a.tiff", exif=exif)
    stored = read_stored(tmp_path / "a.tiff")
    assert stored.orientation == 1
    assert np.array_equal(stored.pixels, np.rot90(COLOR, -1))


def test_16_bits_of_grey_are_all_there(tmp_path: Path) -> None:
    deep = (np.arange(600, dtype=np.uint32) * 109).astype(np.uint16).reshape(20, 30)
    Image.fromarray(deep).save(tmp_path / "a.png")
    stored = read_stored(tmp_path / "a.png")
    assert np.array_equal(stored.pixels[..., 0], deep)
    assert not stored.halved


def test_16_bits_of_colour_are_their_upper_8_and_said_to_be(tmp_path: Path) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (20, 30, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    (tmp_path / "a.png").write_bytes(png(30, 20, 16, 2, zlib.compress(rows)))
    stored = read_stored(tmp_path / "a.png")
    assert np.array_equal(stored.pixels, deep // 256)
    assert stored.halved


def test_a_palette_is_its_colours_and_what_of_it_cannot_be_seen(tmp_path: Path) -> None:
    table = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], dtype=np.uint8)
    places = Image.frombytes("P", (30, 20), (GREY % 3).tobytes())
    places.putpalette(table.ravel().tolist())
    places.save(tmp_path / "a.png", transparency=1)
    pixels = read_stored(tmp_path / "a.png").pixels
    assert np.array_equal(pixels[..., :3], table[GREY % 3])
    assert np.array_equal(pixels[..., 3] == 0, GREY % 3 == 1)
    places.save(tmp_path / "b.png")
    assert np.array_equal(read_stored(tmp_path / "b.png").pixels, table[GREY % 3])


def test_a_colour_profile_is_called_by_its_name(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, profile in (("srgb", srgb), ("broken", b"icc"), ("none", None)):
        Image.fromarray(COLOR).save(tmp_path / f"{name}.png", icc_profile=profile)
    assert "sRGB" in read_stored(tmp_path / "srgb.png").profile
    assert read_stored(tmp_path / "broken.png").profile == "unreadable"
    assert read_stored(tmp_path / "none.png").profile == ""


def test_the_first_of_several_pictures_is_read_and_all_are_counted(tmp_path: Path) -> None:
    frames = [Image.fromarray(COLOR), Image.fromarray(255 - COLOR)]
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    stored = read_stored(tmp_path / "a.tiff")
    assert np.array_equal(stored.pixels, COLOR)
    assert stored.pictures == 2


@pytest.mark.parametrize("mode", ["CMYK", "F", "I"])
def test_what_no_display_shows_is_refused_with_advice(tmp_path: Path, mode: str) -> None:
    Image.fromarray(GREY).convert(mode).save(tmp_path / "a.tiff")
    with pytest.raises(FormatError, match=rf"a\.tiff: image has {mode} pixels; save it as RGB"):
        read_stored(tmp_path / "a.tiff")


def png(width: int, height: int, depth: int, kind: int, data: bytes) -> bytes:
    """A PNG file that says of itself what it is told to."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_400_megapixels_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(20_000, 20_000, 8, 2, b"no pixels at all"))
    with pytest.raises(FormatError, match=r"a\.png: image is 20000 x 20000 = 400 Mpx, over 268 Mpx"):
        read_stored(tmp_path / "a.png")
    assert MOST_PIXELS < 20_000**2


def test_one_pixel_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOR[:1, :1]).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match=r"a\.png: image is 1 x 1, under 16 x 16"):
        read_stored(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tiff", "bmp"])
def test_what_is_cut_short_is_an_error_with_the_file_s_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(COLOR).save(path)
    whole = path.read_bytes()
    for share in (0.02, 0.3, 0.6):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FormatError, match=rf"a\.{kind}: not a "):
            read_stored(path)


def test_what_is_no_picture_is_told_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(
        FormatError, match=r"a\.heic: not a picture of a kind that is read: save it as .*JPEG"
    ):
        read_stored(path)
    with pytest.raises(FormatError, match=r"b\.png: is not there"):
        read_stored(tmp_path / "b.png")
    with pytest.raises(FormatError, match="is not a file"):
        read_stored(tmp_path)
