"""A batch as the network wants it: colours changed, backgrounds behind people, edges blended.

Works on whatever device the batch is on, and draws nothing: all that is random comes with the batch.
What is jittered is the person alone: what is black at the end must be as black as it is for whoever uses
the model, and backgrounds differ enough.

Legend of suffixes: B batch, C channels, H and W of the image, h and w of the cut around the person; 2 is
front and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from recon.data.batch import Batch
from recon.parts import normalised, place_parts
from recon.recipe import Recipe
from recon.windows import Placement

_LUMA = (0.299, 0.587, 0.114)
_BLUR = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # a Gaussian of five taps, as binomials
_NEAREST = 2.0**-14  # network depth of what is nearer than the network can say: it is not nothing


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Images in [-1, 1], network depth with 0 where there is nobody, and where the parts are."""

    image_B3HW: Tensor
    depth_B2HW: Tensor
    place: Placement


@torch.no_grad()
def prepared(batch: Batch, recipe: Recipe) -> Prepared:
    """What the network is given, and what it should find."""
    depth_B2hw = decoded(batch.stored_B2hw, batch.coding_B2)
    mask_B1hw = depth_B2hw[:, :1] > 0
    person_B3hw = jittered(batch.color_Bhw3.permute(0, 3, 1, 2), mask_B1hw, batch.jitter_B3)
    image_B3HW = _backgrounds(batch)
    behind_B3hw = torch.stack([image_B3HW[b, :, *box] for b, box in enumerate(_boxes(batch))])
    mixed_B3hw = torch.where(mask_B1hw, person_B3hw, behind_B3hw)
    if recipe.softened and batch.background_Bhw3 is not None:
        has_B111 = batch.has_background_B[:, None, None, None]
        mixed_B3hw = torch.where(edge(mask_B1hw) & has_B111, softened(mixed_B3hw), mixed_B3hw)
    depth_B2HW = depth_B2hw.new_zeros(len(batch), 2, batch.size, batch.size)
    for b, box in enumerate(_boxes(batch)):
        image_B3HW[b, :, *box] = mixed_B3hw[b]
        depth_B2HW[b, :, *box] = depth_B2hw[b]
    place = place_parts(normalised(batch.keypoints_BK2, batch.size), batch.valid_BK)
    return Prepared(image_B3HW.sub_(0.5).div_(0.5), depth_B2HW, place)


def decoded(stored_B2hw: Tensor, coding_B2: Tensor) -> Tensor:
    """Network depth; 0 where there is nothing at the front or at the back."""
    stored_B2hw = stored_B2hw.float()
    slope_B111, shift_B111 = coding_B2[:, :, None, None, None].unbind(1)
    depth_B2hw = (stored_B2hw * slope_B111 + shift_B111).clamp(min=_NEAREST)
    return torch.where((stored_B2hw > 0).all(1, keepdim=True), depth_B2hw, 0.0)


def jittered(color_B3hw: Tensor, mask_B1hw: Tensor, jitter_B3: Tensor) -> Tensor:
    """Colours (uint8) in [0, 1], first brightened, then contrasted to the person's mean, then saturated."""
    brightness_B111, contrast_B111, saturation_B111 = jitter_B3[:, :, None, None, None].unbind(1)
    mean_B111 = brightness_B111 * _mean_grey(color_B3hw, mask_B1hw)
    image_B3hw = color_B3hw.float() * (brightness_B111 / 255)
    image_B3hw = (image_B3hw * contrast_B111 + (1 - contrast_B111) * mean_B111).clamp(0, 1)
    grey_B1hw = _grey(image_B3hw)
    return (image_B3hw * saturation_B111 + (1 - saturation_B111) * grey_B1hw).clamp(0, 1)


def edge(mask_B1hw: Tensor) -> Tensor:
    """Pixels next to the silhouette's edge, on both sides of it."""
    mask_B1hw = mask_B1hw.float()
    return functional.max_pool2d(mask_B1hw, 3, 1, 1) + functional.max_pool2d(-mask_B1hw, 3, 1, 1) > 0


def softened(image_B3hw: Tensor) -> Tensor:
    """The median of nine pixels, and of that a Gaussian of five by five."""
    image_B3hw = _median(functional.pad(image_B3hw, (1,) * 4, "replicate"))
    for axis in (-2, -1):
        length = image_B3hw.shape[axis]
        padded = functional.pad(image_B3hw, (0, 0, 2, 2) if axis == -2 else (2, 2, 0, 0), "replicate")
        taps = [padded.narrow(axis, tap, length) * share for tap, share in enumerate(_BLUR)]
        image_B3hw = torch.stack(taps).sum(0)
    return image_B3hw


def _mean_grey(color_B3hw: Tensor, mask_B1hw: Tensor) -> Tensor:
    """Mean of the person's grey (B, 1, 1, 1), of whole numbers: the same in a cut of any size."""
    sums_B3 = torch.where(mask_B1hw, color_B3hw, 0).sum((2, 3), dtype=torch.int64)
    count_B = mask_B1hw.sum((1, 2, 3)).clamp(min=1)
    return _grey(sums_B3[:, :, None, None].double()).float() / (255 * count_B[:, None, None, None])


def _grey(image_B3hw: Tensor) -> Tensor:
    red, green, blue = image_B3hw.unbind(1)
    return (red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2])[:, None]


def _backgrounds(batch: Batch) -> Tensor:
    """What people stand before (B, 3, H, W) in [0, 1]."""
    if batch.background_Bhw3 is None:
        blank = batch.jitter_B3.new_empty(len(batch), 3, batch.size, batch.size)
        return blank.contiguous(memory_format=torch.channels_last).zero_()
    behind_B3hw = batch.background_Bhw3.permute(0, 3, 1, 2).float() / 255
    return functional.interpolate(
        behind_B3hw, size=(batch.size, batch.size), mode="bilinear", align_corners=False
    )


def _boxes(batch: Batch) -> list[tuple[slice, slice]]:
    """Where in the image each cut lies."""
    high, wide = batch.color_Bhw3.shape[1:3]
    return [(slice(top, top + high), slice(left, left + wide)) for top, left in batch.corners]


def _median(image: Tensor) -> Tensor:
    """Medians of 3 x 3 pixels; one pixel less comes back on every side.

    Columns of three are sorted once for the three squares that each is in; the median of a square is that
    of the highest low, the middle one of the middles, and the lowest high.
    """
    low, middle, high = _sorted(image[..., :-2, :], image[..., 1:-1, :], image[..., 2:, :])
    lows, middles, highs = ([x[..., :-2], x[..., 1:-1], x[..., 2:]] for x in (low, middle, high))
    highest_low = torch.maximum(torch.maximum(lows[0], lows[1]), lows[2])
    lowest_high = torch.minimum(torch.minimum(highs[0], highs[1]), highs[2])
    return _sorted(highest_low, _sorted(*middles)[1], lowest_high)[1]


def _sorted(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three values of each place, lowest first."""
    a, b = torch.minimum(a, b), torch.maximum(a, b)
    b, c = torch.minimum(b, c), torch.maximum(b, c)
    return torch.minimum(a, b), torch.maximum(a, b), c
