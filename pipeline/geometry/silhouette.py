"""The silhouettes of people in a mask: which is the one that is meant, and whether it is whole.

Refuses to know where the mask is from.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pipeline.records import F64, Bool

SIDES = ("left", "top", "right", "bottom")
_SOMEBODY = 0.25  # of the largest piece's area: a piece as large is another person
_SPECK = 1e-3  # of the chosen piece's area: a smaller one is noise
_TOUCH = 2e-3  # of a side's length: a silhouette that touches more of it goes on outside


def chosen(mask: Bool, points: F64 | None = None) -> tuple[Bool, int]:
    """The mask (H, W) of one person, and how many people there are.

    That is the one on whom most of the points (N, 2) lie, or else the largest. Pieces too small to be
    people are the chosen one's, and specks nobody's.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if not count:
        return mask, 0
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    people = np.flatnonzero(areas >= _SOMEBODY * areas.max())
    hits = _hits(labels, count, points) if points is not None else np.zeros(count + 1, dtype=np.int64)
    person = max(people.tolist(), key=lambda piece: (hits[piece], areas[piece]))
    kept = areas >= _SPECK * areas[person]
    kept[people] = False
    kept[person] = True
    return kept[labels], len(people)


def cut_sides(mask: Bool) -> tuple[str, ...]:
    """The sides of the picture at which a silhouette (H, W) is cut off."""
    edges = (mask[:, 0], mask[0], mask[:, -1], mask[-1])
    found = (np.count_nonzero(edge) > _TOUCH * len(edge) for edge in edges)
    return tuple(side for side, is_cut in zip(SIDES, found, strict=True) if is_cut)


def _hits(labels: np.typing.NDArray[np.int32], pieces: int, points: F64) -> np.typing.NDArray[np.int64]:
    """On how many points each piece lies (pieces + 1,)."""
    column, row = np.floor(points).astype(np.int64).T
    height, width = labels.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.bincount(labels[row[inside], column[inside]], minlength=pieces + 1)
