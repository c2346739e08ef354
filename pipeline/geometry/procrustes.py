"""The motion that takes one set of points nearest to another, in the sense of least squares.

Refuses to know what the points are, and to match them: row n of one belongs to row n of the other.
"""

from __future__ import annotations

import numpy as np

from pipeline.errors import AlignmentError
from pipeline.records import F64, Similarity

_FLAT = 1e-9  # of the points' spread: with less across than that, the turn about their line is anybody's


def rotation_between(source: F64, target: F64, weights: F64) -> F64:
    """The rotation (3, 3) that best takes points (N, 3) to others, each about its mean; never a mirror."""
    share = _shares(weights)
    a, b = source - share @ source, target - share @ target
    left, spread, right = np.linalg.svd((b * share[:, None]).T @ a)
    if not spread[1] > _FLAT * spread[0]:
        raise AlignmentError(f"{len(source)} points lie on a line; a rotation needs three that do not")
    mirrored = np.sign(np.linalg.det(left @ right))
    return np.asarray(left @ np.diag([1.0, 1.0, mirrored]) @ right)


def scale_between(source: F64, target: F64, weights: F64) -> float:
    """How much larger points (N, 3) are than others, by their spread about the mean, however turned."""
    share = _shares(weights)
    a, b = source - share @ source, target - share @ target
    return float(np.sqrt((share @ (b * b).sum(axis=1)) / (share @ (a * a).sum(axis=1))))


def unturned_between(source: F64, target: F64, weights: F64) -> Similarity:
    """The scale and shift that best take points (N, 3) to others, without a turn."""
    share = _shares(weights)
    from_mean, to_mean = share @ source, share @ target
    a, b = source - from_mean, target - to_mean
    scale = float((share @ (a * b).sum(axis=1)) / (share @ (a * a).sum(axis=1)))
    x, y, z = (float(v) for v in to_mean - scale * from_mean)
    return Similarity(scale, (x, y, z))


def _shares(weights: F64) -> F64:
    total = float(weights.sum())
    if not (weights >= 0).all() or not total > 0:
        raise AlignmentError(f"weights sum to {total:g}; none may be negative and one must be above 0")
    return np.asarray(weights / total, dtype=np.float64)
