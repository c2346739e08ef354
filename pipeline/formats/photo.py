"""Photographs of any origin as their files have them: pixels, which way up, and in what colours.

Refuses to turn, to convert colours by guess, and to decode what is too large. Of several pictures in one
file it reads the first.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms

from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.jxl import read_jxl
from pipeline.records import U8, U16

MOST_PIXELS = 1 << 28  # 268 Mpx; the largest sensors of telephones have 201
LEAST_SIDE = 16  # pixels; nobody can be made out in less
UPRIGHT = 1  # of EXIF's eight orientations
KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")
_HEAD = 16  # bytes that tell the kind
_ORIENTATION = 0x0112
_MOST_PROFILE = 8 << 20  # bytes; what displays and cameras are described by has kilobytes
_LONGEST_NAME = 60
_AS_THEY_ARE = frozenset({"L", "LA", "RGB", "RGBA"})
_EXACTLY = {"1": "L", "RGBX": "RGB", "P": "RGB", "PA": "RGBA"}  # nothing is lost or guessed
_COMPLAINTS = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    ZeroDivisionError,
    AttributeError,
    struct.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredPhoto:
    """Pixels (H, W, C) as stored: grey, grey and alpha, RGB, or RGBA, of 8 bits or 16.

    `orientation` is EXIF's, 1 to 8. `profile` names the colours that the file says it is in, '' if it says
    nothing. `halved` if the file has 16 bits, of which these are the upper ones. `pictures` is how many
    there are.
    """

    pixels: U8 | U16
    orientation: int = UPRIGHT
    profile: str = ""
    halved: bool = False
    pictures: int = 1


def read_stored(path: Path) -> StoredPhoto:
    """The photograph in a file, by what is in it; JPEG XL by its name."""
    if path.suffix.lower() == ".jxl":
        pixels = read_jxl(path, MOST_PIXELS)
        with blaming(path):
            _check_size(pixels.shape[1], pixels.shape[0])
        return StoredPhoto(pixels if pixels.ndim == 3 else pixels[..., None])
    with blaming(path):
        if not path.is_file():  # a pipe would be waited on for ever
            raise FormatError("is not a file" if path.exists() else "is not there")
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata
            return _decoded(stream)


def _decoded(stream: BinaryIO) -> StoredPhoto:
    try:
        with _opened(stream) as image:
            _check_size(image.width, image.height)
            has_upper = _is_16_bits(image)
            image.load()
            return StoredPhoto(
                _pixels(image),
                _orientation(image),
                _profile(image),
                halved=has_upper and not image.mode.startswith("I;16"),
                pictures=int(getattr(image, "n_frames", 1)),
            )
    except FormatError:
        raise
    except _COMPLAINTS as error:
        raise FormatError(f"not a readable picture: {error}; is it complete?") from error


def _opened(stream: BinaryIO) -> Image.Image:
    """The picture, not decoded yet. `Image.open` has a limit of its own, and opens what is not wanted."""
    Image.init()
    head = stream.read(_HEAD)
    for kind in KINDS:
        make, accepts = Image.OPEN.get(kind, (None, None))
        if make is not None and accepts is not None and accepts(head) is True:
            stream.seek(0)
            return make(stream, "")
    raise FormatError(f"not a picture of a kind that is read: save it as one of {', '.join(KINDS)}")


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        size = f"{width} x {height} = {width * height / 1e6:.0f} Mpx"
        raise FormatError(f"image is {size}, over {MOST_PIXELS / 1e6:.0f} Mpx; make it smaller")
    if min(width, height) < LEAST_SIDE:
        raise FormatError(
            f"image is {width} x {height}, under {LEAST_SIDE} x {LEAST_SIDE}; nobody is seen in it"
        )


def _is_16_bits(image: Image.Image) -> bool:
    """Whether the file has more bits than most pictures in memory; asked before they are decoded."""
    tiles = getattr(image, "tile", ())
    raw = tiles[0].args if tiles else ""
    named = raw if isinstance(raw, str) else raw[0] if isinstance(raw, tuple) and raw else ""
    return ";16" in str(named)


def _pixels(image: Image.Image) -> U8 | U16:
    """Decoded pixels (H, W, C). Colours of print are refused: what they look like is a guess."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    mode = _EXACTLY.get(image.mode, image.mode)
    if mode not in _AS_THEY_ARE:
        raise FormatError(f"image has {image.mode} pixels; save it as RGB with 8 bits a colour")
    if "transparency" in image.info:  # one colour, or places in a palette, that cannot be seen
        mode = "RGBA"
    pixels: U8 = np.array(image if image.mode == mode else image.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation; upright where it cannot be read, or was seen to while decoding, as of TIFF."""
    try:
        found = image.getexif().get(_ORIENTATION, UPRIGHT)
    except _COMPLAINTS:
        return UPRIGHT
    return found if isinstance(found, int) and found in range(1, 9) else UPRIGHT


def _profile(image: Image.Image) -> str:
    """What the colour profile in a file calls itself."""
    content = image.info.get("icc_profile")
    if not isinstance(content, bytes) or not content:
        return ""
    try:
        if len(content) > _MOST_PROFILE:
            raise ValueError("a profile of megabytes")
        name = ImageCms.ImageCmsProfile(io.BytesIO(content)).profile.profile_description or ""
    except _COMPLAINTS:
        return "unreadable"
    shown = "".join(letter for letter in name if letter.isprintable()).strip()
    return shown[:_LONGEST_NAME] or "nameless"
