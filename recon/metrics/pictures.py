"""How alike pictures are: PSNR, and SSIM as first published. Refuses to know what they show.

This SSIM (Wang et al. 2004) is that of tables: 11 Gaussian taps, sigma 1.5, K = 0.01 and 0.03, variances of
the population, windows that lie inside the picture, the mean over them and over channels, and not cut off
below 0. The one that networks learn from, in `recon.losses`, has a smaller window and is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ScanError
from pipeline.records import F32, F64

_TAPS, _SIGMA = 11, 1.5
_STEADY = (0.01**2, 0.03**2)


@dataclass(frozen=True, slots=True)
class PictureScores:
    """Two pictures with values from 0 to 1 compared; `psnr_db` is infinite where they are the same."""

    width: int
    height: int
    psnr_db: float
    ssim: float


def compare_pictures(made: F32 | F64, true: F32 | F64) -> PictureScores:
    """How alike pictures (H, W, C) with values in [0, 1] are, over all pixels."""
    if made.shape != true.shape or made.ndim != 3:
        raise ScanError(
            f"pictures are {made.shape} and {true.shape}; both must be (H, W, C) and equally large"
        )
    height, width = made.shape[:2]
    if min(height, width) < _TAPS:
        raise ScanError(f"pictures are {width} x {height}; SSIM needs {_TAPS} pixels each way")
    x, y = (np.asarray(picture, dtype=np.float64) for picture in (made, true))
    return PictureScores(width, height, psnr_db(x, y), ssim(x, y))


def psnr_db(made: F64, true: F64) -> float:
    """The peak, 1, over the root mean squared difference, in decibels."""
    square = float(((made - true) ** 2).mean())
    return float(-10 * np.log10(square)) if square > 0 else float("inf")


def ssim(made: F64, true: F64) -> float:
    """How alike pictures (H, W, C) with values in [0, 1] are in structure, from -1 to 1."""
    x, y = _smoothed(made), _smoothed(true)
    xx, yy, xy = (_smoothed(of) for of in (made * made, true * true, made * true))
    light = (2 * x * y + _STEADY[0]) / (x * x + y * y + _STEADY[0])
    structure = (2 * (xy - x * y) + _STEADY[1]) / (xx - x * x + yy - y * y + _STEADY[1])
    return float((light * structure).mean())


def _smoothed(picture: F64) -> F64:
    """Means (H - 10, W - 10, C) under a Gaussian window, wherever it lies inside the picture."""
    taps = np.exp(-0.5 * ((np.arange(_TAPS) - _TAPS // 2) / _SIGMA) ** 2)
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(picture, _TAPS, axis=axis)
        picture = windows @ (taps / taps.sum())
    return picture
