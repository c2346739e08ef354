"""How well a predicted silhouette covers the true one. Refuses to know how it was predicted.

Legend of suffixes: B batch, H and W of the image.
"""

from __future__ import annotations

from torch import Tensor


def overlap(made_B1HW: Tensor, true_B1HW: Tensor) -> Tensor:
    """Pixels of both masks over pixels of either (B,), from 0 to 1; NaN where nobody is in either."""
    both_B = (made_B1HW & true_B1HW).flatten(1).sum(1)
    either_B = (made_B1HW | true_B1HW).flatten(1).sum(1)
    return both_B / either_B
