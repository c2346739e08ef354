"""People before a backdrop of one colour: what of a picture is backdrop, found from its border inwards.

Refuses to guess: a border of many colours is not plain, and says how plain it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.records import U8, Bool

PLAIN = 0.75  # of the border must be of one colour; a person who is cut off covers the rest
MOST_SPREAD = 12  # levels of 255 that the border of a plain backdrop is off its colour
_EXACT = 2  # levels that one of exactly one colour is off
_LOSSY = 16  # and one that was compressed, where it meets somebody: of 4 to 32, best on JPEG of 50 to 95 %
_NOISE = 0.1  # of its outline's length: where as many pixels are a level or two off, it was compressed
_MANY = 2.0  # times the border's own spread that a backdrop may be off
_HOLE = 2e-4  # of the picture: what is enclosed, and no smaller, is backdrop seen between arm and body


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """The colour of a border, and the mask (H, W) of all before it; None if it is not plain.

    `spread` is how far, in levels, PLAIN of the border are from that colour, or less.
    """

    color: tuple[int, int, int]
    spread: int
    mask: Bool | None


def plain_backdrop(picture: U8) -> Backdrop:
    """The backdrop of a picture (H, W, 3), if its border is of one colour.

    What is like the border and joined with it is backdrop. What is enclosed is too where it is of just as
    little variation as the border, and not small.
    """
    border = np.concatenate([picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]])
    color = np.median(border, axis=0).astype(np.int16)
    spread = int(np.quantile(np.abs(border - color).max(axis=1), PLAIN))
    named = (int(color[0]), int(color[1]), int(color[2]))
    if spread > MOST_SPREAD:
        return Backdrop(named, spread, None)
    off = _distance(picture, named)
    found = _joined(off, spread, _EXACT)
    if spread or _is_lossy(off, found):
        found = _joined(off, spread, spread * _MANY + _LOSSY)
    return Backdrop(named, spread, ~found)


def _joined(off: U8, spread: int, tolerance: float) -> Bool:
    """The backdrop (H, W), whose colour is at most so far off: what the border reaches, and holes."""
    labels, count = ndimage.label(off <= tolerance)
    is_backdrop = np.zeros(count + 1, dtype=np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        is_backdrop[edge] = True
    like = np.bincount(labels[off <= (spread + tolerance) / 2], minlength=count + 1)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    is_backdrop |= (size >= _HOLE * off.size) & (like >= PLAIN * size)
    is_backdrop[0] = False  # what is like nothing at the border
    return np.asarray(is_backdrop[labels])


def _is_lossy(off: U8, found: Bool) -> bool:
    """Whether a backdrop (H, W) is a little off its colour near somebody, as compression leaves it."""
    outline = np.count_nonzero(found[1:] != found[:-1]) + np.count_nonzero(found[:, 1:] != found[:, :-1])
    return bool(np.count_nonzero(found & (off > 0)) > _NOISE * outline)


def _distance(picture: U8, color: tuple[int, int, int]) -> U8:
    """How far the colour of each pixel is from one (H, W): the most of any channel."""
    most: U8 = np.zeros(picture.shape[:2], dtype=np.uint8)
    for channel, level in enumerate(color):
        values, one = picture[..., channel], np.uint8(level)
        np.maximum(most, np.maximum(values, one) - np.minimum(values, one), out=most)
    return most
