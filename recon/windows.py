"""The windows through which the model looks at parts of a person, and how they come back into the image.

A part's canvas is the image moved by the part's similarity; its window is the middle of that canvas. Only
windows are ever sampled, and only the box of the image that a window covers is written. Refuses to know how
a similarity is found, and what the channels mean.

Coordinates are the image's own extent as [-1, 1]; pixel centres lie half a pixel inside it.
Legend of suffixes: B batch, P parts, C channels, H and W of the image, h and w of a window, 23 a matrix of
two rows and three columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

FULL = 2048  # the image size that the published windows belong to
SMALLEST = 256  # at this size the margin of a window is one pixel
STEP = 8  # a window's sides are multiples of this: three times halved and whole
MARGIN, SIGMA = 8, 5.0  # at FULL: how far inside the window a part's weight ends, and how softly


class Landing(NamedTuple):
    """Where a part of a person comes back into the image: rows and columns that its window covers."""

    window: str
    person: int
    part: int
    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True)
class Window:
    """Parts that look alike share a network and a window of one size, in pixels at FULL."""

    parts: slice
    height: int
    width: int

    def at(self, size: int) -> tuple[int, int]:
        """Height and width for images of another size, rounded up to whole steps."""
        per_step = STEP * FULL
        return -(-self.height * size // per_step) * STEP, -(-self.width * size // per_step) * STEP


PARTS = (
    "face", "upper body", "left upper arm", "left forearm", "right upper arm", "right forearm",
    "left thigh", "left shin", "right thigh", "right shin", "left foot", "right foot",
)  # fmt: skip
WINDOWS: Mapping[str, Window] = {
    "face": Window(slice(0, 1), 368, 320),
    "upper": Window(slice(1, 2), 528, 336),
    "arm": Window(slice(2, 6), 352, 224),
    "leg": Window(slice(6, 10), 272, 256),
    "shoe": Window(slice(10, 12), 176, 128),
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the parts of each person lie: image to canvas, its inverse, and whether a part is there."""

    to_part_BP23: Tensor
    sampling_BP23: Tensor
    present_BP: Tensor

    def of(self, window: Window) -> Placement:
        """The parts of one window."""
        chosen = window.parts
        return Placement(
            self.to_part_BP23[:, chosen], self.sampling_BP23[:, chosen], self.present_BP[:, chosen]
        )

    @property
    def absent_P(self) -> Tensor:
        """Of how many people each part is absent; on the device, so that sums of it wait for nothing."""
        return (~self.present_BP).sum(0)


def absent_parts(absent_P: Tensor) -> dict[str, int]:
    """The parts that were absent of anybody, by name, and of how many people."""
    return {part: count for part, count in zip(PARTS, absent_P.tolist(), strict=True) if count}


def window_views(image_BCHW: Tensor, place: Placement, shape: tuple[int, int]) -> Tensor:
    """The image through windows of one shape, (B, P, C, h, w): bilinear, 0 outside and for absent parts."""
    batch, channels, size, _ = image_BCHW.shape
    parts = place.sampling_BP23.shape[1]
    grid_BPhw2 = _moved(place.sampling_BP23, *_window_axes(shape, size, image_BCHW.device))
    # All windows of an image in one call, one under the other: the image need not be repeated for each.
    seen = _bilinear(image_BCHW, grid_BPhw2.reshape(batch, parts * shape[0], shape[1], 2))
    seen_BPChw = seen.reshape(batch, channels, parts, *shape).transpose(1, 2)
    return torch.where(place.present_BP[:, :, None, None, None], seen_BPChw, 0.0)


def stand_ins(present_N: Tensor) -> Tensor:
    """For each of N windows the number of one that shows something: its own, or the present ones in turn.

    So that what batch norm sees of a window that shows nothing is neither blackness, which would shift its
    statistics, nor a batch of another size in every process and step. Without any present,
    they are all alike.
    """
    order_N = (~present_N).int().argsort(stable=True)  # present ones first
    turn_N = torch.arange(len(present_N), device=present_N.device) % present_N.sum().clamp(min=1)
    return torch.zeros_like(order_N).scatter(0, order_N, order_N[turn_N])


def window_weights(place: Placement, shape: tuple[int, int], size: int) -> Tensor:
    """How much each pixel of a window counts where parts overlap, (B, P, 1, h, w).

    1 in the middle of the window where it looks at the image, falling softly to 0 before the window's edge.
    """
    grid_BPhw2 = _moved(place.sampling_BP23, *_window_axes(shape, size, place.sampling_BP23.device))
    # What bilinear sampling of an image of ones would give, without the image.
    pixels_BPhw2 = ((grid_BPhw2 + 1) * size - 1) / 2
    inside_BPhw = torch.minimum(pixels_BPhw2 + 1, size - pixels_BPhw2).clamp(0, 1).prod(-1)
    margin = MARGIN * size // FULL
    inner_BPhw = inside_BPhw[..., margin:-margin, margin:-margin]
    cut_BPhw = functional.pad(inner_BPhw, (margin,) * 4)
    weights_BPhw = _blurred(cut_BPhw, margin - 1, SIGMA * size / FULL)
    return torch.where(place.present_BP[:, :, None, None], weights_BPhw, 0.0)[:, :, None]


def landings(place: Placement, size: int) -> list[Landing]:
    """Where each part that is there covers any of the image.

    The one thing that has to be known outside the device. It is best asked for first of all, before there
    is much to wait for.
    """
    limits_BP22 = torch.cat([_limits(place.of(window), window, size) for window in WINDOWS.values()], 1)
    parts = [(name, part) for name, window in WINDOWS.items() for part in range(len(PARTS[window.parts]))]
    found = []
    for person, row in enumerate(limits_BP22.tolist()):
        for (name, part), (lowest, highest) in zip(parts, row, strict=True):
            columns, rows = (slice(int(a), int(b)) for a, b in zip(lowest, highest, strict=True))
            if columns.start < columns.stop and rows.start < rows.stop:
                found.append(Landing(name, person, part, rows, columns))
    return found


def laid_back(
    views: Mapping[str, Tensor], place: Placement, where: Sequence[Landing], size: int
) -> tuple[Tensor, Tensor]:
    """What windows show, laid back: the weighed mean (B, C, H, W), and where there is any (B, 1, H, W).

    `views` are the windows by name, (B, P, C, h, w). Where no part covers the image, the mean is 0.
    """
    own = {name: place.of(WINDOWS[name]) for name in views}
    weighed = {name: _weighed(view, own[name], size) for name, view in views.items()}
    some = next(iter(weighed.values()))
    total_BCHW = some.new_zeros(some.shape[0], some.shape[2] - 1, size, size)
    weight_B1HW = some.new_zeros(some.shape[0], 1, size, size)
    for name, person, part, rows, columns in where:
        box = (rows, columns)
        laid = _laid(weighed[name][person, part], own[name].to_part_BP23[person, part], box, size)
        total_BCHW[person, :, *box] += laid[:-1] * laid[-1:]
        weight_B1HW[person, :, *box] += laid[-1:]
    covered = weight_B1HW > 0
    divisor = torch.where(covered, weight_B1HW, 1.0)
    return total_BCHW / divisor, covered


def _weighed(view_BPChw: Tensor, place: Placement, size: int) -> Tensor:
    """A window, and as one channel more how much each of its pixels counts."""
    weights_BP1hw = window_weights(place, (view_BPChw.shape[3], view_BPChw.shape[4]), size)
    return torch.cat((view_BPChw.to(_exact(view_BPChw)), weights_BP1hw), 2)


def _laid(view_Chw: Tensor, to_part_23: Tensor, box: tuple[slice, slice], size: int) -> Tensor:
    """A window as it lies in a box of the image, (C, box)."""
    rows, columns = (_centres(size, to_part_23.device)[span] for span in box)
    grid_HW2 = _moved(to_part_23, rows, columns)
    height, width = view_Chw.shape[-2:]
    x_HW, y_HW = grid_HW2.unbind(-1)
    in_window_HW2 = torch.stack((x_HW * (size / width), y_HW * (size / height)), -1)
    return _bilinear(view_Chw[None], in_window_HW2[None])[0]


def _limits(place: Placement, window: Window, size: int) -> Tensor:
    """First and last column and row of the image that windows cover, (B, P, 2, 2); none if absent."""
    dtype, device = place.sampling_BP23.dtype, place.sampling_BP23.device
    halves = (length / size for length in window.at(size))
    rows, columns = (torch.linspace(-half, half, 2, dtype=dtype, device=device) for half in halves)
    corners_BP222 = _moved(place.sampling_BP23, rows, columns)
    pixels = ((corners_BP222 + 1) * size / 2).flatten(2, 3)
    limits = torch.stack((pixels.amin(2).floor() - 1, pixels.amax(2).ceil() + 1), 2).clamp(0, size)
    return torch.where(place.present_BP[..., None, None], limits, 0.0)


def _moved(matrix_23: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Points of a grid of rows and columns moved by matrices (..., 2, 3), as (..., h, w, 2) of x and y.

    Written out rather than as a product of matrices, which autocast would round to half precision.
    """
    x, y = columns[None, :, None], rows[:, None, None]
    across, down, shift = matrix_23[..., None, None, :, :].unbind(-1)
    return across * x + down * y + shift


def _window_axes(shape: tuple[int, int], size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns of a window's pixels, in its canvas's coordinates."""
    rows, columns = (_centres(length, device) * (length / size) for length in shape)
    return rows, columns


def _centres(length: int, device: torch.device) -> Tensor:
    """Pixel centres along one axis, in [-1, 1]."""
    return (torch.arange(length, device=device) * 2 + 1) / length - 1


def _bilinear(image_BCHW: Tensor, grid_Bhw2: Tensor) -> Tensor:
    # Half precision would move what is sampled by up to eight pixels.
    exact = _exact(image_BCHW)
    return functional.grid_sample(
        image_BCHW.to(exact),
        grid_Bhw2.to(exact),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )


def _exact(tensor: Tensor) -> torch.dtype:
    """The precision of a tensor, but at least single."""
    return torch.promote_types(tensor.dtype, torch.float32)


def _blurred(image: Tensor, radius: int, sigma: float) -> Tensor:
    """A Gaussian blur of the last two axes, which end in at least `radius` zeros on every side."""
    taps = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]
    for axis in (-2, -1):
        length = image.shape[axis]
        padded = functional.pad(image, (radius, radius) if axis == -1 else (0, 0, radius, radius))
        shifted = (padded.narrow(axis, step, length) * tap for step, tap in enumerate(taps))
        image = sum(shifted, torch.zeros_like(image)) / sum(taps)
    return image
