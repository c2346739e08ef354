"""PNG: pictures of 8 or 16 bits, grey or RGB, row 0 at the top, to bytes and back.

Every row is written as its difference to the one above (filter `up`), and packed by ISA-L: a tenth of the
time of zlib, and no larger. Only what lies in the window is looked at. Refuses palettes, transparency,
interlacing, and to know what the numbers mean.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.window import check_pixels, window_of
from pipeline.records import I32, U8, U16, Window

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, colour, packing, filter, interlacing
_HEAD = len(_SIGNATURE) + 12 + _HEADER.size  # bytes up to the end of the first chunk
_CHANNELS = {0: 1, 2: 3}  # of grey and RGB, by PNG's number for it
_EFFORT = 1  # ISA-L's: the same bytes on every x86-64 with SSE4.2; 3 depends on the CPU
_SPARE_BYTES = 4 << 20  # what a file may have besides its pixels
_STRIP = 64  # rows that are packed at once: they stay in the processor's cache
_STRIP_BYTES = 1 << 20  # that are unpacked at once, for the same reason
_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first chunk says."""

    width: int
    height: int
    bits: int
    channels: int

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel."""
        return self.bits // 8 * self.channels

    @property
    def raw_bytes(self) -> int:
        """Bytes of all rows, each with its filter in front."""
        return self.height * (1 + self.width * self.pixel_bytes)


def encode_png(pixels: U8 | U16, window: Window | None = None) -> bytes:
    """The file of a picture (h, w) or (h, w, 3) of 8 or 16 bits, which lies in `window`."""
    color = {(): 0, (3,): 2}.get(pixels.shape[2:])
    if pixels.ndim < 2 or color is None or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"PNG has no place for {pixels.dtype} {pixels.shape}")
    place = window_of(pixels, window)
    header = _HEADER.pack(place.width, place.height, pixels.itemsize * 8, color, 0, 0, 0)
    packer = isal_zlib.compressobj(_EFFORT)
    packed = b"".join([*map(packer.compress, differences(pixels, place)), packer.flush()])
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", packed), _chunk(b"IEND", b"")))


def read_png(path: Path, most_pixels: int) -> U8 | U16:
    """The picture (H, W) or (H, W, 3) in a PNG file of 8 or 16 bits, grey or RGB."""
    header, content = _whole(path, most_pixels)
    with blaming(path):
        picture = _decoded(header, content)
        return _decoded_aslant(header, content) if picture is None else picture


def read_png_by_rows(path: Path, most_pixels: int) -> U8 | U16 | None:
    """The same, of a file as it is written here; None if its rows have other filters, which take long."""
    header, content = _whole(path, most_pixels)
    with blaming(path):
        return _decoded(header, content)


def _whole(path: Path, most_pixels: int) -> tuple[Header, bytes]:
    """The header and all bytes of a file that is no longer than its picture can be."""
    with blaming(path):
        if not path.is_file():  # a pipe would be waited on for ever
            raise FormatError("is not a file")
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            header = _parsed(head, most_pixels)
            most = header.raw_bytes + _SPARE_BYTES
            content = head + stream.read(most)
        if len(content) > most:
            raise FormatError(
                f"has over {most:,} bytes, more than its {header.width} x {header.height} pixels"
            )
        return header, content


def _chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
    )


def differences(pixels: U8 | U16, place: Window) -> Iterator[U8]:
    """The bytes of the whole picture's rows, less those of the row above, after the filter's number.

    Some rows at a time, each time in the same memory.
    """
    height, width = pixels.shape[:2]
    pixel = pixels.itemsize * (pixels.shape[2] if pixels.ndim == 3 else 1)
    ordered = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">"))
    rows = np.frombuffer(ordered, dtype=np.uint8).reshape(height, width * pixel)
    raw = np.zeros((_STRIP, 1 + place.width * pixel), dtype=np.uint8)
    raw[:, 0] = _UP
    drawn = raw[:, 1 + place.left * pixel :][:, : width * pixel]
    for top in range(-place.top, place.height - place.top, _STRIP):  # counted from the first drawn row
        end = min(top + _STRIP, place.height - place.top)
        drawn[:] = 0
        first, last = (min(max(row, 0), height) for row in (top, end))
        drawn[first - top : last - top] = rows[first:last]
        first, last = (min(max(row - 1, 0), height) for row in (top, end))
        drawn[first + 1 - top : last + 1 - top] -= rows[first:last]
        yield raw[: end - top]


def _parsed(head: bytes, most_pixels: int) -> Header:
    """The header, of a picture that is neither too large nor of another kind."""
    if head[: len(_SIGNATURE)] != _SIGNATURE or head[8:16] != b"\0\0\0\rIHDR" or len(head) < _HEAD:
        raise FormatError("not a readable PNG file: it does not begin as one")
    width, height, bits, color, packing, filtering, interlacing = _HEADER.unpack_from(head, 16)
    if not width or not height:
        raise FormatError(f"not a readable PNG file: {width} x {height} pixels")
    check_pixels(width, height, most_pixels)
    if color not in _CHANNELS or bits not in (8, 16) or packing or filtering or interlacing:
        raise FormatError("image is not grey or RGB of 8 or 16 bits without interlacing; save it so")
    return Header(width, height, bits, _CHANNELS[color])


def _decoded(header: Header, content: bytes) -> U8 | U16 | None:
    """The picture in a whole file whose rows all have the filter `up`; None if one has another.

    Nothing is unpacked beyond the bytes that the header promises.
    """
    stored = _stored(header)
    picture = np.empty((header.height, header.width * header.channels), dtype=stored.newbyteorder("="))
    above: U8 = np.zeros(header.width * header.pixel_bytes, dtype=np.uint8)
    for top, rows in _unpacked(header, b"".join(_pixel_chunks(content))):
        if rows[:, 0].max() > _PAETH:
            raise FormatError(f"not a readable PNG file: a row has filter {rows[:, 0].max()}")
        if (rows[:, 0] != _UP).any():
            return None
        plain = rows[:, 1:].copy()
        for row in plain:  # many times faster than numpy's own sum down the columns
            above = np.add(row, above, out=row)
        picture[top : top + len(rows)] = plain.view(stored)
    return picture.reshape(_shape(header))


def _decoded_aslant(header: Header, content: bytes) -> U8 | U16:
    """The picture in a whole file whose rows have any filters."""
    stored = _stored(header)
    rows = np.concatenate([rows for _, rows in _unpacked(header, b"".join(_pixel_chunks(content)))])
    plain = _unfiltered_aslant(header, rows).view(stored)
    picture: U8 | U16 = plain.astype(stored.newbyteorder("=")).reshape(_shape(header))
    return picture


def _stored(header: Header) -> np.dtype[Any]:
    """How a number lies in the file."""
    return np.dtype(f">u{header.bits // 8}")


def _shape(header: Header) -> tuple[int, ...]:
    return (header.height, header.width, header.channels)[: 2 if header.channels == 1 else 3]


def _unpacked(header: Header, packed: bytes) -> Iterator[tuple[int, U8]]:
    """The number of a row, and rows from there on with their filters in front, some at a time."""
    unpacker = isal_zlib.decompressobj()
    width, count = 1 + header.width * header.pixel_bytes, 0
    step = max(_STRIP_BYTES // width, 1)
    try:
        for top in range(0, header.height, step):
            most = min(step, header.height - top) * width
            raw = unpacker.decompress(unpacker.unconsumed_tail if top else packed, most)
            count += len(raw)
            if len(raw) < most:
                break
            yield top, np.frombuffer(raw, dtype=np.uint8).reshape(-1, width)
        count += len(unpacker.decompress(unpacker.unconsumed_tail, 1))
    except isal_zlib.error as error:  # type: ignore[misc]  # its types take the class for an instance
        raise FormatError(f"not a readable PNG file: {error}") from error
    if count != header.raw_bytes or not unpacker.eof:
        raise FormatError(f"not a readable PNG file: {count:,} bytes of pixels, not {header.raw_bytes:,}")


def _pixel_chunks(content: bytes) -> list[memoryview]:
    """The packed pixels, of chunks that are whole and end as they should."""
    view, at = memoryview(content), len(_SIGNATURE)
    found: list[memoryview] = []
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, end = content[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(content):
            break
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            raise FormatError(f"not a readable PNG file: byte {at}: {kind!r} is damaged")
        if kind == b"IEND":
            return found
        if kind == b"IDAT":
            found.append(view[at + 8 : end])
        at = end + 4
    raise FormatError("not a readable PNG file: its end is missing")


def _unfiltered_aslant(header: Header, rows: U8) -> U8:
    """The bytes (H, W * bytes of a pixel) of rows with any filters, of all at once along slanting lines.

    A pixel needs the one at its left, the one above, and the one between; those with the same row + column
    need none of each other.
    """
    height, width, pixel = header.height, header.width, header.pixel_bytes
    filters, data = rows[:, 0], rows[:, 1:].reshape(height, width, pixel)
    plain = np.zeros((height + 1, width + 1, pixel), dtype=np.uint8)
    for line in range(height + width - 1):
        y = np.arange(max(0, line - width + 1), min(height, line + 1))
        x = line - y
        left, above, between = (plain[y + b, x + r].astype(np.int32) for b, r in ((1, 0), (0, 1), (0, 0)))
        kind = filters[y, None]
        guess = np.zeros_like(left)
        for filter_, answer in (
            (_SUB, left),
            (_UP, above),
            (_AVERAGE, (left + above) // 2),
            (_PAETH, _nearest(left, above, between)),
        ):
            guess = np.where(kind == filter_, answer, guess)
        plain[y + 1, x + 1] = data[y, x] + guess & 255
    return plain[1:, 1:].reshape(height, width * pixel)


def _nearest(left: I32, above: I32, between: I32) -> I32:
    """Whichever is nearest to left + above - between, the first of equals (Paeth's filter)."""
    to_left, to_above = np.abs(above - between), np.abs(left - between)
    to_between = np.abs(left + above - 2 * between)
    other = np.where(to_above <= to_between, above, between)
    return np.where((to_left <= to_above) & (to_left <= to_between), left, other)
