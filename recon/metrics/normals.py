"""How far predicted normals point away from the true ones. Refuses to know where either came from.

Normals are encoded as (n + 1) / 2 in three channels; all 0 is none.
Legend of suffixes: h and w of an image or a window; 3 is x, y, z.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def has_normal(encoded_3hw: Tensor) -> Tensor:
    """Where there is a normal (..., 1, h, w) among encoded ones (..., 3, h, w)."""
    return (encoded_3hw > 0).any(-3, keepdim=True)


def angles_deg(made_3hw: Tensor, true_3hw: Tensor) -> Tensor:
    """Degrees between encoded normals (..., 3, h, w), of whatever length, as (..., 1, h, w).

    None, no direction and no number all say nothing, so they count 90: what guessing comes to on average.
    """
    made_3hw, true_3hw = _unit(made_3hw), _unit(true_3hw)
    apart, together = (made_3hw - true_3hw).norm(dim=-3), (made_3hw + true_3hw).norm(dim=-3)
    # By way of the arc's cosine, angles under a few hundredths of a degree would be lost to rounding.
    return (torch.atan2(apart, together) * (360 / math.pi)).unsqueeze(-3)


def _unit(encoded_3hw: Tensor) -> Tensor:
    """Directions of length 1, or 0 where there is none."""
    encoded_3hw = encoded_3hw.float()
    says = has_normal(encoded_3hw) & encoded_3hw.isfinite().all(-3, keepdim=True)
    return functional.normalize(torch.where(says, 2 * encoded_3hw - 1, 0.0), dim=-3)
