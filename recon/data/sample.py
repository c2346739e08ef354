"""One view's pictures as they are learnt from: decoded, brought to size, and cut to where the person is.

Refuses to draw anything at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import FormatError
from pipeline.formats.exr import read_exr_depth
from pipeline.formats.image import read_color, read_grey16
from pipeline.records import F32, U8, U16, Bool
from recon.data.choice import View
from recon.data.sift import FLOATS
from recon.rays import network_depth

MARGIN = 4  # pixels around the person, for what is done to edges

Number = TypeVar("Number", bound=np.generic)
Span = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Where the person is in a picture: colour (h, w, 3), stored depth (2, h, w), and the corner of both.

    Network depth is `stored * slope + shift`, where stored depth is not 0. Keypoints are in pixels.
    """

    color: U8
    depth: npt.NDArray[Any]  # of uint16 or float32
    top: int
    left: int
    coding: tuple[float, float]  # slope, shift
    keypoints_uv: F32
    keypoints_valid: Bool


def read(view: View, size: int) -> Sample:
    """A view at `size` pixels, which its own size is a multiple of."""
    times = view.size // size
    front, back = (_depth(path, view) for path in view.depths)
    rows, columns = box = _box(front, times, view.depths[0])
    color = read_color(view.color)
    _require_size(view.color, color, view.size)
    middle = max(times // 2 - 1, 0)
    depth = np.stack([side[box][middle::times, middle::times] for side in (front, back)])
    return Sample(
        color=_shrunk(color[box], front[box], times),
        depth=depth,
        top=rows.start // times,
        left=columns.start // times,
        coding=_coding(view),
        keypoints_uv=view.keypoints_uv / np.float32(times),
        keypoints_valid=view.keypoints_valid,
    )


def _depth(path: Path, view: View) -> U16 | F32:
    """Depth as it is stored (H, W)."""
    stored = read_exr_depth(path) if view.coding == FLOATS else read_grey16(path)
    _require_size(path, stored, view.size)
    if stored.dtype == np.float32 and not np.isfinite(stored).all():
        raise FormatError(f"{path}: holds lengths that are no numbers")
    return stored


def _require_size(path: Path, pixels: npt.NDArray[Number], size: int) -> None:
    if pixels.shape[:2] != (size, size):
        height, width = pixels.shape[:2]
        raise FormatError(f"{path}: image is {width} x {height}; its row says {size} x {size}")


def _coding(view: View) -> tuple[float, float]:
    """Slope and shift that take stored depth to network depth."""
    near, scale, offset = (0.0, 1.0, 0.0) if view.coding == FLOATS else (view.near, view.scale, view.offset)
    stored = torch.tensor((0.0, 1.0), dtype=torch.float64)
    shift, end = network_depth((stored - offset) / scale + near).tolist()
    return end - shift, shift


def _box(front: U16 | F32, times: int, path: Path) -> Span:
    """Where anything is seen, and a margin around it, in whole pixels of the smaller picture."""
    spans = []
    for axis in (1, 0):
        seen = np.flatnonzero(front.max(axis=axis))
        if not len(seen):
            raise FormatError(f"{path}: shows nobody")
        first, last = seen[0] // times - MARGIN, seen[-1] // times + MARGIN
        spans.append(slice(max(int(first), 0) * times, min((int(last) + 1) * times, front.shape[0])))
    return spans[0], spans[1]


def _shrunk(color: U8, front: U16 | F32, times: int) -> U8:
    """The picture `times` smaller: means of what shows the person, whose colour is not the black around."""
    if times == 1:
        return color
    seen = _summed((front > 0)[..., None], times)
    mean = _summed(color, times) / np.maximum(seen, 1)
    return np.rint(mean).astype(np.uint8)


def _summed(pixels: U8 | Bool, times: int) -> F32:
    """Sums of squares of pixels (h, w, C)."""
    down = np.zeros((pixels.shape[0] // times, *pixels.shape[1:]), dtype=np.uint16)
    for row in range(times):
        down += pixels[row::times]
    across = np.zeros((down.shape[0], pixels.shape[1] // times, pixels.shape[2]), dtype=np.float32)
    for column in range(times):
        across += down[:, column::times]
    return across
