"""What the model is told to get better at: every term of both phases, by name.

Refuses to know how weights are changed, and where images come from.

A term is a mean over people, and each person's share depends on that person alone: batches of any size, and
of several processes, come to the same. Names are group/what/side; all terms of a phase are simply added.
Legend of suffixes: B batch, P parts, N images, C channels, H and W of the image, h and w of an eighth of it
or of a window; 2 is front and back, 6 the normals of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from recon.network import SHRINK, Prediction, Surfaces, nothing
from recon.normals import published_normals, slopes, true_normals
from recon.windows import WINDOWS, Placement, window_views

Terms = dict[str, Tensor]
SIDES = ("front", "back")
_NORMALS, _L1, _SSIM = 0.5, 0.85, 0.15  # the normals' share, and what it is made of
_DEPTH, _CONSISTENCY = 0.85, 0.15
_TAPS, _SIGMA = 5, 1.5  # the window in which images are compared
_STEADY = 0.01**2, 0.03**2  # keep the comparison of dark and of flat windows from dividing by 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What stands for the normals of a depth map, and how much an arm counts.

    `normals` are what is learnt and `slopes` what holds predicted depth together, both of depth
    (B, 2, H, W) and mask (B, 1, H, W). Parts that share a network count once, or each if they `add_up`.
    """

    normals: Callable[[Tensor, Tensor], Tensor]
    slopes: Callable[[Tensor, Tensor], Tensor]
    add_up: bool


def paper() -> Profile:
    """As published for batches of one, but for two faults.

    The mask's logits are not squashed twice, and true slopes at its edge lead to the wanted background.
    """
    return Profile(published_normals, published_normals, add_up=True)


def default() -> Profile:
    """True normals, the same at every scale."""
    return Profile(true_normals, slopes, add_up=False)


@dataclass(frozen=True, slots=True)
class Targets:
    """What the first phase should predict: normals of parts by window (B, P, 6, h, w), the whole, depth."""

    part_normals: Mapping[str, Tensor]
    place: Placement
    low_normals_B6hw: Tensor
    low_depth_B2hw: Tensor


@torch.no_grad()
def targets(depth_B2HW: Tensor, place: Placement, profile: Profile) -> Targets:
    """What the first phase should predict, from depth (B, 2, H, W) that is 0 where there is nobody."""
    depth_B2HW = depth_B2HW.float()
    size = depth_B2HW.shape[-1]
    middle = SHRINK // 2 - 1
    low_depth_B2hw = depth_B2HW[:, :, middle::SHRINK, middle::SHRINK]
    with _unrounded(depth_B2HW):
        normals_B6HW = profile.normals(depth_B2HW, mask_of(depth_B2HW))
        low_normals_B6hw = profile.normals(low_depth_B2hw, mask_of(low_depth_B2hw))
        parts = {
            name: window_views(normals_B6HW, place.of(window), window.at(size))
            for name, window in WINDOWS.items()
        }
    return Targets(parts, place, low_normals_B6hw, low_depth_B2hw)


def mask_of(depth_B2HW: Tensor) -> Tensor:
    """Where there is somebody (B, 1, H, W)."""
    return (depth_B2HW > 0).all(1, keepdim=True)


def first_phase(prediction: Prediction, wanted: Targets, profile: Profile) -> Terms:
    """Normals of the parts and of the whole; depth, its consistency and mask at an eighth of the size."""
    terms: Terms = {}
    with _unrounded(wanted.low_depth_B2hw):
        for name, window in WINDOWS.items():
            present_BP = wanted.place.of(window).present_BP
            made, true = prediction.part_normals[name].float(), wanted.part_normals[name]
            terms |= _normal_terms(name, made, true, present_BP, profile.add_up)
        made, true = prediction.low_normals_B6hw[:, None].float(), wanted.low_normals_B6hw[:, None]
        somebody = torch.ones_like(true[:, :, 0, 0, 0], dtype=torch.bool)
        terms |= _normal_terms("low", made, true, somebody, False)
        return terms | _surface_terms("low", prediction.low, wanted.low_depth_B2hw, profile)


def second_phase(surfaces: Surfaces, depth_B2HW: Tensor, profile: Profile) -> Terms:
    """Depth, its consistency and mask at full size; depth (B, 2, H, W) is 0 where there is nobody."""
    with _unrounded(depth_B2HW):
        return _surface_terms("full", surfaces, depth_B2HW.float(), profile)


def _unrounded(tensor: Tensor) -> torch.autocast:
    """While this lasts, autocast leaves everything in the precision that it is in."""
    return torch.autocast(tensor.device.type, enabled=False)


def total(terms: Terms) -> Tensor:
    """The one number that a phase makes smaller."""
    return torch.stack([*terms.values()]).sum()


def _normal_terms(
    name: str, made_BP6hw: Tensor, true_BP6hw: Tensor, present_BP: Tensor, add_up: bool
) -> Terms:
    counts_BP1 = present_BP.to(made_BP6hw)[..., None]
    share_BP1 = counts_BP1 / counts_BP1.sum(1, keepdim=True).clamp(min=1)
    # What an absent part's network made of nothing is not even looked at: it may be anything.
    seen_BP6hw = torch.where(present_BP[:, :, None, None, None], made_BP6hw, true_BP6hw)
    sides = (*present_BP.shape, len(SIDES), 3, *made_BP6hw.shape[3:])
    seen_BP23hw, true_BP23hw = seen_BP6hw.reshape(sides), true_BP6hw.reshape(sides)
    l1_BP2 = (seen_BP23hw - true_BP23hw).abs().mean((3, 4, 5))
    unlike_BP2 = 1 - ssim(seen_BP23hw.flatten(0, 2), true_BP23hw.flatten(0, 2)).view_as(l1_BP2)
    l1_2 = (l1_BP2 * (counts_BP1 if add_up else share_BP1)).sum(1).mean(0)
    unlike_2 = (unlike_BP2 * share_BP1).sum(1).mean(0)
    terms_2 = _NORMALS * (_L1 * l1_2 + _SSIM * unlike_2)
    return {f"normals/{name}/{side}": term for side, term in zip(SIDES, terms_2.unbind(), strict=True)}


def _surface_terms(name: str, surfaces: Surfaces, true_B2HW: Tensor, profile: Profile) -> Terms:
    mask_B1HW = mask_of(true_B2HW)
    made_B2HW = surfaces.depth_B2HW.float()
    wanted_B2HW = torch.where(mask_B1HW, true_B2HW, nothing(true_B2HW))
    with torch.no_grad():
        true_B6HW = profile.slopes(wanted_B2HW, mask_B1HW)
    made_B6HW = profile.slopes(made_B2HW, mask_B1HW)
    terms = {
        f"depth/{name}/{side}": _DEPTH * functional.smooth_l1_loss(made, wanted)
        for side, made, wanted in _sides(made_B2HW, wanted_B2HW, axis=1)
    }
    for side, made, true in _sides(made_B6HW, true_B6HW, axis=1):
        terms[f"consistency/{name}/{side}"] = _CONSISTENCY * functional.smooth_l1_loss(made, true)
    logit_B1HW = surfaces.mask_logit_B1HW.float()
    terms[f"mask/{name}"] = functional.binary_cross_entropy_with_logits(
        logit_B1HW, mask_B1HW.to(logit_B1HW)
    )
    return terms


def _sides(made: Tensor, true: Tensor, *, axis: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Front and back, of channels that hold one after the other."""
    yield from zip(SIDES, made.chunk(2, axis), true.chunk(2, axis), strict=True)


def ssim(first_NCHW: Tensor, second_NCHW: Tensor) -> Tensor:
    """How alike images with values in [0, 1] are in structure (N,), from 0 to 1.

    Channels count alike, and one that is of opposite structure counts 0.
    """
    x, xx, xy = _smoothed(torch.stack((first_NCHW, first_NCHW**2, first_NCHW * second_NCHW))).unbind()
    y, yy = _smoothed(torch.stack((second_NCHW, second_NCHW**2))).unbind()
    light = (2 * x * y + _STEADY[0]) / (x * x + y * y + _STEADY[0])
    structure = (2 * (xy - x * y) + _STEADY[1]) / (xx - x * x + yy - y * y + _STEADY[1])
    return (light * structure).mean((2, 3)).relu().mean(1)


def _smoothed(images: Tensor) -> Tensor:
    """Means over the last two axes under a Gaussian window, wherever it lies inside the image.

    Sums rather than convolutions: a GPU may round those to fewer digits than differences of squares need.
    """
    taps = [math.exp(-0.5 * ((tap - _TAPS // 2) / _SIGMA) ** 2) for tap in range(_TAPS)]
    for axis in (-2, -1):
        length = images.shape[axis] - _TAPS + 1
        shifted = (images.narrow(axis, tap, length) for tap in range(_TAPS))
        first, *others = (image * (tap / sum(taps)) for image, tap in zip(shifted, taps, strict=True))
        images = sum(others, first)
    return images
