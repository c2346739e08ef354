"""Textures: the picture that a material names, found safely and decoded whole.

Refuses to leave the folder it is given, and to decode more pixels than it is told to.
"""

from __future__ import annotations

import os
import re
import struct
import unicodedata
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from pipeline.errors import FormatError
from pipeline.records import U8

MOST_PIXELS = 1 << 28  # 16384 x 16384, 268 Mpx

_KINDS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "TGA")  # TGA has no mark of its own
_HEAD = 16  # bytes that tell the kind
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_COMPLAINTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)
_ROWS = 256  # decoded rows copied at once


def locate(name: str, folder: Path, root: Path) -> Path:
    r"""The file that `name`, written in a file of `folder`, means; it lies under `root`.

    `\` is taken as `/`, and wrong case as the case of what is there. `..` may go up as far as `root`, no
    further. Absolute names are of somebody else's machine: only their last part is looked for, in `folder`.
    Symbolic links are the user's own and are followed.
    """
    place, top = _place_of(name, folder, root), _top_of(root)
    if is_file(place):
        return place
    found = top
    for part in place.relative_to(top).parts:
        try:
            entries = sorted(entry.name for entry in found.iterdir())
        except (OSError, ValueError):
            entries = []
        alike = [entry for entry in entries if _folded(entry) == _folded(part)]
        if not alike:
            raise FormatError(f"{folder}: {name!r} asks for {part!r} in {found}; put it there")
        found /= part if part in alike else alike[0]
    if not is_file(found):
        raise FormatError(f"{found}: is not a file")
    return found


def places_of(name: str, folder: Path, root: Path) -> tuple[Path, ...]:
    """Where `locate` looks for a file, whether it is there or not: as it is written, and as it is spelt.

    A name that leads outside `root` leads nowhere.
    """
    try:
        place = _place_of(name, folder, root)
    except FormatError:
        return ()
    try:
        return tuple(dict.fromkeys((place, locate(name, folder, root))))
    except FormatError:
        return (place,)


def is_there(name: str, folder: Path, root: Path) -> bool:
    """Whether `locate` would find it."""
    try:
        locate(name, folder, root)
    except FormatError:
        return False
    return True


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_texture(path: Path, most_pixels: int = MOST_PIXELS) -> U8:
    """The picture (H, W, 3), row 0 at the top; transparency is left out."""
    if path.exists() and not path.is_file():  # a pipe would be waited on for ever
        raise FormatError(f"{path}: is not a file")
    try:
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: not a readable texture: {error}; is it complete?") from error
    with stream:
        return decode_texture(stream, str(path), most_pixels)


def decode_texture(stream: BinaryIO, name: str, most_pixels: int = MOST_PIXELS) -> U8:
    """The picture (H, W, 3) in an open file, which errors call `name`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata
            with _opened(stream) as image:
                _check(image, name, most_pixels)
                image.load()
                return _copied(image)
    except FormatError:
        raise
    except MemoryError as error:
        raise FormatError(f"{name}: not enough memory for this texture; make it smaller") from error
    except _COMPLAINTS as error:
        raise FormatError(f"{name}: not a readable texture: {error}; is it complete?") from error


def _check(image: Image.Image, name: str, most_pixels: int) -> None:
    """Refuse what is too large or not of 8 bits, before it is decoded."""
    pixels = image.width * image.height
    if pixels > most_pixels:
        raise FormatError(
            f"{name}: texture is {image.width} x {image.height} = {pixels / 1e6:.0f} Mpx, "
            f"over {most_pixels / 1e6:.0f} Mpx; make it smaller or raise --max-texture-mpx"
        )
    if image.mode not in _MODES:
        raise FormatError(f"{name}: texture has {image.mode} pixels; save it with 8 bits a colour")


def _opened(stream: BinaryIO) -> Image.Image:
    """The picture, not decoded yet. `Image.open` has a limit of its own, lower than textures need."""
    Image.init()
    head = stream.read(_HEAD)
    for kind in _KINDS:
        make, accepts = Image.OPEN[kind]
        if accepts is None or accepts(head) is True:
            stream.seek(0)
            return make(stream, "")
    raise ValueError("of no known kind")


def _copied(image: Image.Image) -> U8:
    """The decoded pixels (H, W, 3), a few rows at a time, because whole copies of 16k are gigabytes."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top in range(0, image.height, _ROWS):
        strip = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        pixels[top : top + _ROWS] = np.asarray(strip.convert("RGB"))
    return pixels


def _place_of(name: str, folder: Path, root: Path) -> Path:
    """Where a name leads, as it is written."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        plain = re.split(r"[/:]", plain)[-1]
    top, place = _top_of(root), Path(os.path.normpath((folder / plain).absolute()))
    if not plain or not place.is_relative_to(top) or place == top:
        raise FormatError(f"{folder}: {name!r} does not lead to a file under {top}")
    return place


def _top_of(root: Path) -> Path:
    return Path(os.path.normpath(root.absolute()))


def _folded(name: str) -> str:
    """A file name without the differences that some file systems do not see."""
    return unicodedata.normalize("NFC", name).casefold()
