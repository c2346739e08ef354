"""What a network's heads make of people, in a few numbers: whether one is blank, or always the same.

Refuses to judge.

Legend of suffixes: B batch, P parts, C channels, H and W of the image, h and w of an eighth of it or of a
window; 2 is front and back, 6 the normals of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recon.losses import SIDES, mask_of
from recon.network import FARTHEST, SHRINK, Prediction
from recon.windows import WINDOWS, Placement, window_views

LOW, DEPTH = "low", "depth"
HEADS = tuple((head, side) for head in (*WINDOWS, LOW, DEPTH) for side in SIDES)
FEWEST_PIXELS = 64  # of people, or a look at a head says nothing
_EVERY = 2  # pixel of a window, along both axes, is enough
_BLACK = 0.02  # a normal whose components are all under this is none


class Shown(Protocol):
    """What a prediction should be: depth (B, 2, H, W), 0 where there is nobody, and where the parts lie."""

    @property
    def depth_B2HW(self) -> Tensor:
        """Network depth of front and back."""

    @property
    def place(self) -> Placement:
        """Where the parts lie."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one head predicts of one side of people: which share of their pixels is blank, and the spread.

    Blank are normals that are all but black, and depth at either of its ends. The spread is the standard
    deviation of the component that varies least.
    """

    blank_share: float
    spread: float


@torch.no_grad()
def statistics(prediction: Prediction, shown: Shown) -> Tensor:
    """What `looks` reads, as one small tensor; the mean of several is read as of all their people."""
    mask_B1HW = mask_of(shown.depth_B2HW)
    mask_B1hw = _thinned(mask_B1HW)
    found: list[Tensor] = []
    for name, window in WINDOWS.items():
        view_BP1hw = window_views(mask_B1HW.float(), shown.place.of(window), window.at(mask_B1HW.shape[-1]))
        inside_BP1hw = view_BP1hw[..., ::_EVERY, ::_EVERY] > 0.5
        found += _of_normals(prediction.part_normals[name][..., ::_EVERY, ::_EVERY], inside_BP1hw)
    found += _of_normals(prediction.low_normals_B6hw, mask_B1hw)
    fine = prediction.fine
    made_B2hw = prediction.low.depth_B2HW if fine is None else _thinned(fine.surfaces.depth_B2HW)
    for side_B1hw in made_B2hw.chunk(2, 1):
        found += _numbers(side_B1hw, mask_B1hw, (side_B1hw <= 0) | (side_B1hw >= FARTHEST))
    return torch.stack(found)


def looks(seen: Sequence[float]) -> dict[tuple[str, str], Look]:
    """The look at each head and side of which there was enough to see."""
    found = {}
    for name, pixels, blank, spread in zip(HEADS, seen[::3], seen[1::3], seen[2::3], strict=True):
        if pixels >= FEWEST_PIXELS:
            found[name] = Look(blank / pixels, spread / pixels)
    return found


def _thinned(image_BCHW: Tensor) -> Tensor:
    """The pixels that stand for an eighth of the size."""
    middle = SHRINK // 2 - 1
    return image_BCHW[..., middle::SHRINK, middle::SHRINK]


def _of_normals(normals: Tensor, inside: Tensor) -> Iterator[Tensor]:
    """The numbers of front and back, of normals (..., 6, h, w) where people are (..., 1, h, w)."""
    for side in normals.chunk(2, -3):
        yield from _numbers(side, inside, side.amax(-3, keepdim=True) < _BLACK)


def _numbers(values: Tensor, inside: Tensor, blank: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, blank ones, and the spread times pixels, of values (..., C, h, w) where it is inside."""
    pixels = inside.sum(dtype=torch.float32)
    axes = [axis for axis in range(values.dim()) if axis != values.dim() - 3]
    share = inside / pixels.clamp(min=1)
    # What lies outside may be anything, even no number.
    values = torch.where(inside, values, 0.0)
    mean = (values * share).sum(axes, keepdim=True)
    spread = ((values - mean).square() * share).sum(axes).amin().sqrt()
    return pixels, (inside & blank).sum(dtype=torch.float32), spread * pixels
