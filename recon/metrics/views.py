"""Everything that is measured of the views of people, by name, for each person alone.

Names are metric/what/side: `low` is the whole person at an eighth of the size, `parts` all parts that are
there, `merged` the parts laid back, `full` the refined surfaces. Normals are compared as they are learnt,
which is what the profile says; those of refined surfaces are always true ones. Refuses to average over
people.

Legend of suffixes: B batch, P parts, C channels, H and W of the image, h and w of an eighth of it or of a
window; 2 is front and back, 6 the normals of both.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recon.losses import SIDES, Profile, mask_of, targets
from recon.metrics.depths import depth_errors
from recon.metrics.inside import mean_inside
from recon.metrics.masks import overlap
from recon.metrics.normals import angles_deg, has_normal
from recon.network import Fine, Prediction, Surfaces
from recon.normals import true_normals
from recon.windows import WINDOWS, Placement, window_views

NORMAL_ANGLE, DEPTH_ERROR, MASK_IOU = "normal_angle_deg", "depth_error", "mask_iou"
_WHOLE = 1 - 1e-4  # of a window's pixel must lie where there are normals; at edges they are half nothing

Measures = dict[str, Tensor]


@torch.no_grad()
def measured(prediction: Prediction, depth_B2HW: Tensor, place: Placement, profile: Profile) -> Measures:
    """Each metric of each person (B,), NaN where it means nothing; depth is 0 where there is nobody."""
    wanted = targets(depth_B2HW, place, profile)
    true_B6HW = profile.normals(depth_B2HW, mask_of(depth_B2HW))
    true_B6hw = wanted.low_normals_B6hw
    return {
        **_angles("low", prediction.low_normals_B6hw, true_B6hw, _there(true_B6hw)),
        **_part_angles(prediction.part_normals, wanted.part_normals, _there(true_B6HW), place),
        **_surfaces("low", prediction.low, wanted.low_depth_B2hw),
        **(_fine(prediction.fine, depth_B2HW, true_B6HW) if prediction.fine is not None else {}),
    }


def _there(normals_B6HW: Tensor) -> Tensor:
    """Where there are normals of front and of back (B, 2, H, W)."""
    return torch.cat([has_normal(side) for side in normals_B6HW.chunk(2, 1)], 1)


def _angles(what: str, made_B6HW: Tensor, true_B6HW: Tensor, there_B2HW: Tensor) -> Measures:
    sides = zip(SIDES, made_B6HW.chunk(2, 1), true_B6HW.chunk(2, 1), there_B2HW.chunk(2, 1), strict=True)
    return {
        f"{NORMAL_ANGLE}/{what}/{side}": mean_inside(angles_deg(made, true), there)
        for side, made, true, there in sides
    }


def _part_angles(
    made: Mapping[str, Tensor], true: Mapping[str, Tensor], there_B2HW: Tensor, place: Placement
) -> Measures:
    """Over the pixels of all parts of a person; absent parts have none."""
    pixels: dict[str, list[tuple[Tensor, Tensor]]] = {side: [] for side in SIDES}
    for name, window in WINDOWS.items():
        views = window_views(there_B2HW.float(), place.of(window), window.at(there_B2HW.shape[-1]))
        normals = zip(SIDES, made[name].chunk(2, 2), true[name].chunk(2, 2), views.chunk(2, 2), strict=True)
        for side, made_BP3hw, true_BP3hw, share_BP1hw in normals:
            angles_BP1hw = angles_deg(made_BP3hw, true_BP3hw)
            pixels[side].append((angles_BP1hw.flatten(1), (share_BP1hw >= _WHOLE).flatten(1)))
    return {
        f"{NORMAL_ANGLE}/parts/{side}": mean_inside(*(torch.cat(each, 1) for each in zip(*of, strict=True)))
        for side, of in pixels.items()
    }


def _surfaces(what: str, made: Surfaces, depth_B2HW: Tensor) -> Measures:
    mask_B1HW = mask_of(depth_B2HW)
    errors_B2HW = depth_errors(made.depth_B2HW, depth_B2HW)
    found = {
        f"{DEPTH_ERROR}/{what}/{side}": mean_inside(errors_B1HW, mask_B1HW)
        for side, errors_B1HW in zip(SIDES, errors_B2HW.chunk(2, 1), strict=True)
    }
    return {**found, f"{MASK_IOU}/{what}": overlap(made.mask_B1HW > 0.5, mask_B1HW)}


def _fine(fine: Fine, depth_B2HW: Tensor, learnt_B6HW: Tensor) -> Measures:
    mask_B1HW = mask_of(depth_B2HW)
    true_B6HW = true_normals(depth_B2HW, mask_B1HW)
    made_B6HW = true_normals(fine.surfaces.depth_B2HW.float(), mask_B1HW)
    return {
        **_angles("merged", fine.normals_B6HW, learnt_B6HW, _there(learnt_B6HW) & fine.covered_B1HW),
        **_angles("full", made_B6HW, true_B6HW, _there(true_B6HW)),
        **_surfaces("full", fine.surfaces, depth_B2HW),
    }
