"""Pictures: colour, depth, normals and masks in PNG, JPEG XL or OpenEXR, by the file's name.

Row 0 is the top. What covers a part of the whole is handed over as that part and its window. Refuses to
know what the numbers mean.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from pipeline.atomic import write_bytes
from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.exr import encode_exr
from pipeline.formats.jxl import encode_jxl, read_jxl, require_codecs
from pipeline.formats.png import encode_png, read_png, read_png_by_rows
from pipeline.formats.window import check_pixels
from pipeline.records import F32, U8, U16, Window

MOST_PIXELS = 1 << 28  # 16384 x 16384, the largest that GL draws
_COLOR, _GREY, _GREY16, _RGB16 = "RGB", "L", "I;16", "RGB;16"
_HALVED = "RGB;16B"  # what Pillow calls 16-bit RGB, and hands on as 8-bit
_MODES = {  # of arrays, by kind of number and what follows height and width
    ("|u1", (3,)): _COLOR,
    ("|u1", ()): _GREY,
    ("<u2", ()): _GREY16,
    ("<u2", (3,)): _RGB16,
}
_ENCODERS: dict[str, Callable[[Any, Window | None], bytes]] = {
    ".png": encode_png,
    ".jxl": encode_jxl,
    ".exr": encode_exr,
}


def write_image(path: Path, pixels: U8 | U16 | F32, window: Window | None = None) -> bytes:
    """Write a picture (h, w) or (h, w, 3), whole or not at all, in the format of the path's suffix.

    PNG and JPEG XL hold 8 or 16 bits, OpenEXR 32-bit floating point. What comes back is what was written.
    """
    if path.suffix not in _ENCODERS:
        raise ValueError(f"no format is called {path.suffix}; .png, .jxl or .exr")
    content = _ENCODERS[path.suffix](pixels, window)
    write_bytes(path, content, filled=True)
    return content


def require_writer(*formats: str) -> None:
    """Refuse formats of which the package is not installed, before anything is drawn for them."""
    if "jxl" in formats:
        require_codecs()


def read_color(path: Path) -> U8:
    """The RGB picture (H, W, 3) in a PNG or JPEG XL file."""
    return cast(U8, _read(path, _COLOR))


def read_mask(path: Path) -> U8:
    """The 8-bit grey picture (H, W) in a PNG or JPEG XL file."""
    return cast(U8, _read(path, _GREY))


def read_grey16(path: Path) -> U16:
    """The 16-bit grey picture (H, W) in a PNG or JPEG XL file."""
    return cast(U16, _read(path, _GREY16))


def read_rgb16(path: Path) -> U16:
    """The 16-bit RGB picture (H, W, 3) in a PNG or JPEG XL file."""
    return cast(U16, _read(path, _RGB16))


def _read(path: Path, mode: str) -> U8 | U16:
    """The picture of the wanted mode, or a complaint with the path in it."""
    if path.suffix == ".jxl":
        return _of_mode(path, read_jxl(path, MOST_PIXELS), mode)
    if mode in (_GREY16, _RGB16):  # Pillow takes twice as long, and of RGB it drops half the bits
        return _of_mode(path, read_png(path, MOST_PIXELS), mode)
    with suppress(FormatError):  # Pillow takes five times as long, but reads more, and says what is wrong
        quick = read_png_by_rows(path, MOST_PIXELS)
        if quick is not None:
            return _of_mode(path, quick, mode)
    with blaming(path):
        if not path.is_file():  # a pipe would be waited on for ever
            raise FormatError("is not a file")
        with path.open("rb") as stream:
            image = _opened(stream, mode)
    return image


def _of_mode(path: Path, pixels: U8 | U16, mode: str) -> U8 | U16:
    found = _MODES[pixels.dtype.str, pixels.shape[2:]]
    if found != mode:
        raise FormatError(f"{path}: image is {found}; {mode} is needed")
    return pixels


def _opened(stream: BinaryIO, mode: str) -> U8 | U16:
    """The picture in an open PNG file. Pillow's own limit is lower than what is drawn: it is passed by."""
    try:
        with PngImageFile(stream) as image:
            check_pixels(image.width, image.height, MOST_PIXELS)
            if image.tile and image.tile[0].args == _HALVED:
                raise FormatError(f"image is {_RGB16}; {mode} is needed")
            if image.mode != mode:
                raise FormatError(f"image is {image.mode}; {mode} is needed")
            image.load()
            return np.array(image)
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as error:
        raise FormatError(f"not a readable PNG file: {error}") from error
