"""PNG images: 8-bit RGB and 16-bit grey, row 0 at the top."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.atomic import replacing
from pipeline.errors import FormatError
from pipeline.records import U8, U16

MOST_PIXELS = 200_000_000
_EFFORT = 1  # zlib's: 6 takes up to three times as long for a tenth fewer bytes
_COLOR, _GREY16 = "RGB", "I;16"


def write_color(path: Path, image: U8) -> None:
    """Write RGB (H, W, 3); the file appears whole or not at all."""
    _write(path, np.ascontiguousarray(image, dtype=np.uint8))


def write_grey16(path: Path, image: U16) -> None:
    """Write 16-bit grey (H, W); the file appears whole or not at all."""
    _write(path, np.ascontiguousarray(image, dtype=np.uint16))


def read_color(path: Path) -> U8:
    """The RGB image (H, W, 3) in a PNG file."""
    return np.asarray(_read(path, _COLOR), dtype=np.uint8)


def read_grey16(path: Path) -> U16:
    """The 16-bit grey image (H, W) in a PNG file."""
    return np.asarray(_read(path, _GREY16), dtype=np.uint16)


def _write(path: Path, pixels: U8 | U16) -> None:
    with replacing(path) as stream:
        Image.fromarray(pixels).save(stream, format="PNG", compress_level=_EFFORT)


def _read(path: Path, mode: str) -> Image.Image:
    """A loaded image of the wanted mode, or a complaint with the path in it."""
    try:
        with path.open("rb") as stream, Image.open(stream, formats=["PNG"]) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS:
                raise FormatError(
                    f"{path}: image is {image.width} x {image.height} = {pixels / 1e6:.0f} Mpx, "
                    f"over {MOST_PIXELS / 1e6:.0f} Mpx"
                )
            if image.mode != mode:
                raise FormatError(f"{path}: image is {image.mode}; {mode} is needed")
            image.load()
            return image.copy()
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise FormatError(f"{path}: not a readable PNG file: {error}") from error
