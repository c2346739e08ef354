"""Means over those pixels that count. Refuses to know what is averaged.

Legend of suffixes: B batch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mean_inside(values: Tensor, inside: Tensor) -> Tensor:
    """The mean of each person's values (B, ...) where it is inside (B, ...); NaN where nothing is.

    What lies outside may be anything, even no number.
    """
    counted = torch.where(inside, values, 0.0)
    sums_B = counted.flatten(1).sum(1)
    counts_B = inside.flatten(1).sum(1)
    return sums_B / counts_B
