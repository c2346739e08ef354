"""JPEG XL without loss: pictures of 8 or 16 bits, grey or RGB, row 0 at the top, to bytes and back.

Needs the extra `jxl`. Refuses animations, previews and anything beside the colours, and to know what the
numbers mean.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from pipeline.errors import ConfigError, FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.bounded import read_whole
from pipeline.formats.window import check_pixels, whole
from pipeline.records import U8, U16, Window

_SIGNATURE = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_PARTS = {b"jxlc": 0, b"jxlp": 4}  # boxes of the picture, and the bytes in them before it
_HEAD = 64  # bytes that hold the size and what is beside the colours
_MOST_BYTES = 1 << 30
_EFFORT = 2  # 1 is thirty times as fast, and loses pixels of noise at 8 bits and breaks the heap at 16
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width to height, from 1 on
_NEEDED = "8 or 16 bits, grey or RGB, are needed"


class _Bits:
    """The bits of a picture's first bytes, lowest first."""

    def __init__(self, content: bytes) -> None:
        self._rest = int.from_bytes(content, "little")

    def take(self, count: int) -> int:
        """The next number of so many bits."""
        number = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return number

    def choose(self, *ways: tuple[int, int]) -> int:
        """A number of one of four lengths, each (bits, what is added), by two bits in front."""
        bits, more = ways[self.take(2)]
        return self.take(bits) + more


def encode_jxl(pixels: U8 | U16, window: Window | None = None) -> bytes:
    """The file of a picture (h, w) or (h, w, 3) of 8 or 16 bits, which lies in `window`."""
    if pixels.ndim < 2 or pixels.shape[2:] not in {(), (3,)} or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"JPEG XL is not written of {pixels.dtype} {pixels.shape}")
    codecs = require_codecs()
    packed: bytes = codecs.jpegxl_encode(whole(pixels, window), lossless=True, effort=_EFFORT, numthreads=1)
    return packed


def read_jxl(path: Path, most_pixels: int) -> U8 | U16:
    """The picture (H, W) or (H, W, 3) in a JPEG XL file of 8 or 16 bits, grey or RGB."""
    codecs = require_codecs()
    content = read_whole(path, _MOST_BYTES)
    with blaming(path):
        width, height = _size(_beginning(content))
        check_pixels(width, height, most_pixels)
        try:
            pixels: U8 | U16 = codecs.jpegxl_decode(content, numthreads=1)
        except (codecs.JpegxlError, ValueError, RuntimeError) as error:
            raise FormatError(f"not a readable JPEG XL file: {error}") from error
        kinds = pixels.dtype in (np.uint8, np.uint16) and pixels.shape[2:] in {(), (3,)}
        if not kinds or pixels.shape[:2] != (height, width):
            raise FormatError(f"image is {pixels.dtype} {pixels.shape}; {_NEEDED}")
        return pixels


def require_codecs() -> ModuleType:
    """The package that knows JPEG XL."""
    try:
        import imagecodecs  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigError("JPEG XL needs a package that is not here: pip install scan2k[jxl]") from error
    codecs: ModuleType = imagecodecs
    return codecs


def _beginning(content: bytes) -> bytes:
    """The first bytes of the picture itself, which may lie in boxes."""
    if not content.startswith(_CONTAINER):
        return content[:_HEAD]
    at, found = 0, b""
    while at + 8 <= len(content) and len(found) < _HEAD:
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        start = at + 8
        if length == 1:  # the length is longer than four bytes
            length, start = int.from_bytes(content[start : start + 8], "big"), start + 8
        end = at + length if length else len(content)
        if end < start:
            break
        if kind in _PARTS:
            found += content[start + _PARTS[kind] : min(end, start + _HEAD)]
        at = end
    return found


def _size(head: bytes) -> tuple[int, int]:
    """Width and height, of a file that holds one plain picture and nothing beside its colours."""
    if not head.startswith(_SIGNATURE):
        raise FormatError("not a readable JPEG XL file: it does not begin as one")
    bits = _Bits(head[len(_SIGNATURE) :])
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    width = height * _RATIOS[ratio - 1][0] // _RATIOS[ratio - 1][1] if ratio else _side(bits, small)
    if not bits.take(1):  # the rest is not all as usual
        if bits.take(1):
            raise FormatError("image is turned, animated or has a preview; save it plain")
        if bits.take(1):
            raise FormatError(f"image has floating point; {_NEEDED}")
        bits.choose((0, 8), (0, 10), (0, 12), (6, 1))
        bits.take(1)  # whether 16 bits are enough for the decoder's own numbers
        if bits.choose((0, 0), (0, 1), (4, 2), (12, 1)):
            raise FormatError("image has more than colours; save it without transparency")
    return width, height


def _side(bits: _Bits, small: int) -> int:
    return (bits.take(5) + 1) * 8 if small else bits.choose((9, 1), (13, 1), (18, 1), (30, 1))
