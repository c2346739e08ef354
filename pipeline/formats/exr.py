"""OpenEXR: ray lengths and normals as 32-bit floating point, to bytes and back, row 0 at the top.

Always the whole picture: common readers hand on the data window alone, and forget where it lies. Refuses
to know what the numbers mean, and files that no writer of depth makes: tiles, deep pixels, several parts,
packings that lose.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import OpenEXR

from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.bounded import read_whole
from pipeline.formats.window import check_pixels, whole
from pipeline.records import F32, Window

MOST_PIXELS = 1 << 26  # 8192 x 8192
_DEPTH, _NORMAL = ("Z",), ("N.X", "N.Y", "N.Z")
_PACKING = OpenEXR.ZIP_COMPRESSION  # PIZ is smaller for depth, larger for normals, and twice as slow
_LOSSLESS = (
    OpenEXR.NO_COMPRESSION,
    OpenEXR.RLE_COMPRESSION,
    OpenEXR.ZIPS_COMPRESSION,
    OpenEXR.ZIP_COMPRESSION,
    OpenEXR.PIZ_COMPRESSION,
)


def encode_exr(pixels: F32, window: Window | None = None) -> bytes:
    """The file of depth (h, w) as channel Z, or of normals (h, w, 3) as N.X, N.Y and N.Z."""
    names = {(): _DEPTH, (3,): _NORMAL}.get(pixels.shape[2:])
    if pixels.ndim < 2 or names is None or pixels.dtype != np.float32:
        raise ValueError(f"EXR is not written of {pixels.dtype} {pixels.shape}")
    planes = pixels.reshape(*pixels.shape[:2], -1)
    channels = {name: whole(planes[:, :, i], window) for i, name in enumerate(names)}
    stream = BytesIO()
    header = {"compression": _PACKING, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels, num_threads=0) as file:
        file.write(stream)
    return stream.getvalue()


def read_exr_depth(path: Path) -> F32:
    """The ray lengths (H, W) in a file."""
    return _read(path, _DEPTH)[0]


def read_exr_normals(path: Path) -> F32:
    """The normals (H, W, 3) in a file."""
    return np.stack(_read(path, _NORMAL), axis=2)


def _read(path: Path, names: tuple[str, ...]) -> list[F32]:
    """The named channels (H, W), after a look at the header alone."""
    with blaming(path):
        if not path.is_file():
            raise FormatError("is not a file")
    most = MOST_PIXELS * 4 * len(names)
    content = read_whole(path, most)
    with blaming(path):
        try:
            with OpenEXR.File(BytesIO(content), separate_channels=True, header_only=True) as file:
                _check(file, names)
            with OpenEXR.File(BytesIO(content), separate_channels=True, num_threads=0) as file:
                if not file.parts:  # the library leaves out what it cannot read
                    raise FormatError("not a readable EXR file: its pixels are damaged or missing")
                channels = file.channels()
                return [np.array(channels[name].pixels, dtype=np.float32) for name in names]
        except (RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
            raise FormatError(f"not a readable EXR file: {error}") from error


def _check(file: OpenEXR.File, names: tuple[str, ...]) -> None:
    """Refuse what is too large or of another kind, before its pixels are unpacked."""
    header = file.header()
    least, last = header["dataWindow"]
    width, height = (int(b) - int(a) + 1 for a, b in zip(least, last, strict=True))
    check_pixels(width, height, MOST_PIXELS)
    if len(file.parts) != 1 or header["type"] != OpenEXR.scanlineimage:
        raise FormatError("image is not one part of scan lines; save it so")
    if header["compression"] not in _LOSSLESS:
        raise FormatError(f"image is packed by {header['compression'].name}; save it with ZIP")
    channels = header["channels"]
    found = tuple(sorted(channel.name for channel in channels))
    if found != names:
        raise FormatError(f"image has channels {', '.join(found)}; {', '.join(names)} are needed")
    if any((channel.xSampling, channel.ySampling) != (1, 1) for channel in channels):
        raise FormatError("image has channels of another resolution; save them as large as the picture")
