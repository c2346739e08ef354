from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fuzz import flipped
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pipeline.errors import FormatError
from pipeline.formats import png
from pipeline.formats.png import encode_png, read_png
from pipeline.records import U8, U16, Window

MOST = 1 << 20
KINDS = [(np.uint8, ()), (np.uint8, (3,)), (np.uint16, ()), (np.uint16, (3,))]
sides = st.integers(1, 12)
pictures = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(sides, sides).flatmap(lambda hw: arrays(kind[0], (*hw, *kind[1])))
)
margins = st.tuples(*[st.integers(0, 5)] * 4)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What a PNG file is made of, read as the standard says, every checksum compared."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        body = content[at + 4 : at + 8 + length]
        assert struct.unpack(">I", content[at + 8 + length : at + 12 + length]) == (zlib.crc32(body),)
        yield body[:4], body[4:]
        at += 12 + length


def _by_hand(content: bytes) -> U8 | U16:
    """The picture in a file whose rows are differences to the row above, by zlib and a sum."""
    (_, header), *middle, last = _chunks(content)
    assert last == (b"IEND", b"")
    assert {kind for kind, _ in middle} == {b"IDAT"}
    width, height, bits, color, *rest = struct.unpack(">IIBBBBB", header)
    assert rest == [0, 0, 0]
    rows = np.frombuffer(zlib.decompress(b"".join(data for _, data in middle)), np.uint8)
    rows = rows.reshape(height, -1)
    assert (rows[:, 0] == 2).all()
    summed = np.cumsum(rows[:, 1:].astype(np.int64), axis=0).astype(np.uint8)
    plain = np.ascontiguousarray(summed).view({8: ">u1", 16: ">u2"}[bits])
    return plain.astype(f"u{bits // 8}").reshape((height, width) if color == 0 else (height, width, 3))


def _file(
    width: int, height: int, rows: bytes, *, bits: int = 8, color: int = 0, more: bytes = b""
) -> bytes:
    """A PNG file of filtered rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@settings(max_examples=80)
@given(pictures, margins)
def test_a_part_is_the_whole_picture_with_nothing_around_it(
    tmp_path_factory: pytest.TempPathFactory, picture: U8 | U16, margin: tuple[int, int, int, int]
) -> None:
    top, bottom, left, right = margin
    height, width = picture.shape[:2]
    window = Window(top, left, top + height + bottom, left + width + right)
    content = encode_png(picture, window)
    around = [(top, bottom), (left, right), (0, 0)][: picture.ndim]
    expected = np.pad(picture, around)
    np.testing.assert_array_equal(_by_hand(content), expected)
    path = tmp_path_factory.mktemp("png") / "a.png"
    path.write_bytes(content)
    found = read_png(path, MOST)
    assert found.dtype == picture.dtype
    np.testing.assert_array_equal(found, expected)
    if picture.dtype == np.uint8 or picture.ndim == 2:  # Pillow keeps 8 of the 16 bits of RGB
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), expected)


@pytest.mark.parametrize("empty", [np.zeros((0, 0, 3), np.uint8), np.zeros((0, 7, 3), np.uint16)])
def test_a_picture_that_shows_nothing_is_black(empty: U8 | U16) -> None:
    content = encode_png(empty, Window(0, 0, 4, 9))
    found = _by_hand(content)
    assert (found.dtype, found.shape) == (empty.dtype, (4, 9, 3))
    assert not found.any()


@pytest.mark.parametrize("height", [63, 64, 65, 130])
@pytest.mark.parametrize("top", [0, 1, 63, 64, 65, 100, 128])
@pytest.mark.parametrize("below", [0, 1, 64, 70])
def test_a_part_may_begin_and_end_in_any_row(height: int, top: int, below: int) -> None:
    """Rows are packed some at a time; where that is shows nowhere."""
    picture = np.random.default_rng(0).integers(0, 65536, (height, 2), dtype=np.uint16)
    content = encode_png(picture, Window(top, 1, top + height + below, 4))
    np.testing.assert_array_equal(_by_hand(content), np.pad(picture, [(top, below), (1, 1)]))


def test_only_the_window_is_compressed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    alone, inside = encode_png(noise), encode_png(noise, Window(500, 500, 2048, 2048))
    assert len(inside) < len(alone) + 2048 * 2048 * 3 // 150


def test_strides_of_an_array_do_not_matter() -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (6, 8, 3), dtype=np.uint16)
    assert encode_png(picture[:, ::-1]) == encode_png(picture[:, ::-1].copy())


def test_the_same_picture_is_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys, numpy as np; from pipeline.formats.png import encode_png;"
        "picture = (np.arange(90000) ** 2 % 251).astype('u1').reshape(300, 100, 3);"
        "sys.stdout.buffer.write(encode_png(picture))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    picture = (np.arange(90000) ** 2 % 251).astype(np.uint8).reshape(300, 100, 3)
    assert other == encode_png(picture) == encode_png(picture)


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2), np.float32), np.zeros(3, np.uint8)]
)
def test_what_png_cannot_hold_is_a_mistake_of_the_caller(picture: U8) -> None:
    with pytest.raises(ValueError, match="no place for"):
        encode_png(picture)


@pytest.mark.parametrize("window", [Window(0, 0, 3, 9), Window(0, 6, 9, 9), Window(-1, 0, 9, 9)])
def test_a_window_that_the_picture_leaves_is_a_mistake_of_the_caller(window: Window) -> None:
    with pytest.raises(ValueError, match="Window"):
        encode_png(np.zeros((4, 4), np.uint8), window)


@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.uint8, ()), (np.uint8, (3,)), (np.uint16, (3,)), (np.uint16, ())]
)
@pytest.mark.parametrize("strip", [1, 150, 1 << 20])
def test_rows_of_every_filter_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, channels: tuple[int, ...], strip: int
) -> None:
    monkeypatch.setattr(png, "_STRIP_BYTES", strip)
    picture = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (25, 9, *channels)).astype(dtype)
    plain = picture.astype(picture.dtype.newbyteorder(">")).reshape(25, -1).view(np.uint8).astype(int)
    pixel = plain.shape[1] // 9
    rows = b""
    for y, row in enumerate(plain):
        kind = [2, 0, 1, 3, 4][(y * y + y // 5) % 5] if y > 9 else 2
        rows += bytes([kind])
        for x, value in enumerate(row):
            left = row[x - pixel] if x >= pixel else 0
            above = plain[y - 1, x] if y else 0
            between = plain[y - 1, x - pixel] if y and x >= pixel else 0
            paeth = min((left, above, between), key=lambda v: abs(left + above - between - v))
            guess = (0, left, above, (left + above) // 2, paeth)[kind]
            rows += bytes([(value - guess) % 256])
    path = tmp_path / "a.png"
    path.write_bytes(_file(9, 25, rows, bits=picture.itemsize * 8, color=2 if channels else 0))
    np.testing.assert_array_equal(read_png(path, MOST), picture)


@pytest.mark.parametrize("strip", [1, 33, 34, 1000])
def test_rows_are_unpacked_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strip: int
) -> None:
    """Where that is shows nowhere, and all of them must be there and no more."""
    monkeypatch.setattr(png, "_STRIP_BYTES", strip)
    picture = np.random.default_rng(0).integers(0, 65536, (9, 8), dtype=np.uint16)
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(picture))
    np.testing.assert_array_equal(read_png(path, MOST), picture)
    for count in (0, 16, 17, 18, 9 * 17 - 1, 9 * 17 + 1, 10 * 17):
        path.write_bytes(_file(8, 9, b"\2" * count, bits=16))
        with pytest.raises(FormatError, match=rf"{min(count, 9 * 17 + 1)} bytes of pixels, not 153"):
            read_png(path, MOST)


def test_what_pillow_writes_is_read(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64]
    picture = np.stack([x * 4, y * 4, x + y], axis=2).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_png(tmp_path / "a.png", MOST), picture)


def test_a_file_cut_or_changed_anywhere_is_refused(tmp_path: Path) -> None:
    whole = encode_png(np.random.default_rng(0).integers(0, 65536, (5, 5, 3), dtype=np.uint16))
    path = tmp_path / "cut.png"
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        with pytest.raises(FormatError, match=r"cut\.png"):
            read_png(path, MOST)
        if not len(whole) - 12 <= at:  # of the last chunk only the name matters
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 32]) + whole[at + 1 :])
            with pytest.raises(FormatError, match=r"cut\.png"):
                read_png(path, MOST)


def test_damaged_files_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "crc32", lambda *_: 0)  # so that damage reaches what lies behind the sums
    content = bytearray(encode_png(np.random.default_rng(0).integers(0, 9, (9, 9, 3), dtype=np.uint16)))
    path = tmp_path / "a.png"
    refused = 0
    for damaged in flipped(bytes(content), 0, 1500):
        path.write_bytes(damaged)
        try:
            assert read_png(path, MOST).size <= MOST * 3
        except FormatError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (_file(3, 1, b"\0abc", bits=4), "grey or RGB of 8 or 16 bits"),
        (_file(3, 1, b"\0abc", color=3), "grey or RGB of 8 or 16 bits"),
        (_file(3, 1, b"\5abc"), "a row has filter 5"),
        (_file(3, 1, b"\0abcd"), "5 bytes of pixels, not 4"),
        (_file(3, 1, b"\0ab"), "3 bytes of pixels, not 4"),
        (_file(3, 0, b""), "3 x 0 pixels"),
        (_file(1025, 1024, b""), "1025 x 1024 = 1 Mpx, over 1 Mpx"),
        (_file(1, 1, b"\0a", more=struct.pack(">I", 5 << 20) + b"tEXt" + bytes((5 << 20) + 4)), "has over"),
        (b"", "does not begin as one"),
        (b"GIF89a" + bytes(50), "does not begin as one"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=says) as refusal:
        read_png(path, MOST)
    assert str(path) in str(refusal.value)


def test_a_small_file_of_large_content_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_file(2, 2, bytes(400_000_000)))
    code = (
        "import resource, sys; from pathlib import Path; from pipeline.formats.png import read_png;"
        "from pipeline.errors import FormatError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_png(Path(sys.argv[1]), 1 << 20)\n"
        "except FormatError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 20_000  # kilobytes


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(FormatError, match="is not a file"):
            read_png(path, MOST)
