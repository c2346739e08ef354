"""A part of a picture at another size, resampled once: soft where it grows, means where it shrinks.

Refuses to know what the channels mean. The first pixel covers 0 to 1 of either axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from pipeline.records import F32, U8

_ROWS = 128  # that are made at once, so that no whole photograph is held in floating point


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a picture, which may reach out of it."""

    left: float
    top: float
    width: float
    height: float


def resampled(
    pixels: npt.NDArray[np.generic], box: Box, shape: tuple[int, int], weight: U8 | None = None
) -> F32:
    """The box of a picture (H, W, C) as one of `shape` (h, w, C); 0 outside of the picture.

    A triangle of two pixels' width, of the coarser of both grids, is what every pixel is a mean by: so a
    box of whole pixels at its own size is a copy. With `weight` (H, W), 255 = 1, pixels count by theirs.
    """
    down = _means(box.top, box.height / shape[0], shape[0], pixels.shape[0])
    across = _means(box.left, box.width / shape[1], shape[1], pixels.shape[1])
    return _applied(pixels, down, across, weight)


def stretched(pixels: npt.NDArray[np.generic], shape: tuple[int, int]) -> F32:
    """A whole picture (H, W, C) as one of `shape` (h, w, C); means at its border are of what there is."""
    axes = [_means(0.0, old / new, new, old) for old, new in zip(pixels.shape, shape, strict=False)]
    down, across = (csr_array(means / means.sum(axis=1)[:, None]) for means in axes)
    return _applied(pixels, down, across, None)


def _applied(pixels: npt.NDArray[np.generic], down: csr_array, across: csr_array, weight: U8 | None) -> F32:
    """Means along both axes."""
    shape, channels = (down.shape[0], across.shape[0]), pixels.shape[2]
    made: F32 = np.zeros((*shape, channels), dtype=np.float32)
    columns = _used(across)
    narrow = across[:, columns]
    for start in range(0, shape[0], _ROWS):
        some = down[start : start + _ROWS]
        rows = _used(some)
        part = pixels[rows, columns].astype(np.float32)
        if weight is not None:
            part *= weight[rows, columns, None].astype(np.float32) / 255
        lower = some[:, rows] @ part.reshape(part.shape[0], part.shape[1] * channels)
        turned = lower.reshape(some.shape[0], part.shape[1], channels).transpose(1, 0, 2)
        both = narrow @ np.ascontiguousarray(turned).reshape(part.shape[1], some.shape[0] * channels)
        made[start : start + _ROWS] = both.reshape(shape[1], some.shape[0], channels).transpose(1, 0, 2)
    return made


def _means(start: float, step: float, count: int, length: int) -> csr_array:
    """How much each of `length` pixels counts for each of `count` new ones (count, length)."""
    reach = max(step, 1.0)
    middle = start + (np.arange(count) + 0.5) * step - 0.5  # in steps from pixel centre to pixel centre
    taps = np.ceil(middle - reach).astype(np.int64)[:, None] + np.arange(int(2 * reach) + 2)
    share = np.maximum(1 - np.abs(taps - middle[:, None]) / reach, 0)
    share /= share.sum(axis=1, keepdims=True)
    counts = (taps >= 0) & (taps < length) & (share > 0)
    rows = np.broadcast_to(np.arange(count)[:, None], taps.shape)
    return csr_array(
        (share[counts].astype(np.float32), (rows[counts], taps[counts])), shape=(count, length)
    )


def _used(means: csr_array) -> slice:
    """The pixels that count for anything."""
    if not means.nnz:
        return slice(0, 0)
    return slice(int(means.indices.min()), int(means.indices.max()) + 1)
