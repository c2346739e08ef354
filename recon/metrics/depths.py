"""How far predicted surfaces are from the true ones, along the camera's rays. Refuses to know of people.

In thousandths of a unit of the world. Scans are made to fit |v| <= 1 / 2.8 about their middle, so for
somebody of 1.75 m who stands a unit is about 2.5 m, and a thousandth of it 2.5 mm.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recon.rays import ray_lengths

_THOUSANDTHS = 1000.0


def depth_errors(made: Tensor, true: Tensor) -> Tensor:
    """Differences of ray lengths, of network depths of any shape; infinite where none was predicted."""
    apart = (ray_lengths(made.float()) - ray_lengths(true.float())).abs() * _THOUSANDTHS
    return torch.where(made.isnan(), torch.inf, apart)
