"""Lights that others measured: radiance in spherical harmonics, as arrays of many rooms are given away.

What is read is handed on as it stands. Refuses to know how such light is put to use.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.bounded import read_whole
from pipeline.formats.npy import parse_npy
from pipeline.records import F64

_ORDER = "radiance in the harmonics 1, y, z, x, xy, yz, 3zz-1, xz, xx-yy, orthonormal"
_MOST = 1e6  # what is larger is no light that a picture shows


def read_harmonics(path: Path) -> F64:
    """The lights (K, 9, 3) of an NPY file: linear RGB of nine harmonics, grey where it has none."""
    content = read_whole(path)
    with blaming(path):
        return _lights(parse_npy(content))


def _lights(content: object) -> F64:
    if not isinstance(content, np.ndarray) or content.dtype.kind not in "iuf":
        raise FormatError(f"holds no array of numbers; it takes (K, 9, 3): {_ORDER}")
    if content.shape[-2:] == (9, 3) and content.ndim in (2, 3):
        lights = content.reshape(-1, 9, 3)
    elif content.ndim == 2 and content.shape[1] == 9:
        lights = np.repeat(content[:, :, None], 3, axis=2)
    else:
        raise FormatError(f"is {content.shape}; it takes (K, 9, 3), (9, 3) or, for grey, (K, 9): {_ORDER}")
    if not len(lights):
        raise FormatError("has no lights")
    lights = lights.astype(np.float64)
    bad = ~(np.abs(lights) <= _MOST).all(axis=(1, 2))
    if bad.any():
        raise FormatError(f"light {int(bad.argmax())} has numbers that are not finite, or over {_MOST:g}")
    dark = (lights[:, 0] <= 0).any(axis=1)
    if dark.any():
        which = int(dark.argmax())
        raise FormatError(
            f"light {which} begins with {lights[which, 0].tolist()}; the first is the mean over all "
            f"directions, and must be positive: {_ORDER}"
        )
    return lights
