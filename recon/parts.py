"""Where the twelve parts of a person lie: similarities from keypoints, of which any may be missing.

Refuses to know how large image and windows are, who found the keypoints, and what becomes of parts that
are absent.

Coordinates are the image's own extent as [-1, 1]. A part's canvas has the same extent; its similarity moves
the image so that the part's keypoints come to lie near fixed places in the middle of it.
Legend of suffixes: B batch, K keypoints, F fingers of a hand, P parts, S points that a part may have;
2 is x and y, 23 a 2 x 3 matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from recon.windows import Placement

KEYPOINTS = 31
LEFT_KNUCKLES, RIGHT_KNUCKLES = KEYPOINTS, KEYPOINTS + 1  # the middle of each hand's, as one point more
_HANDS = (23, 27), 4  # where each hand's knuckles start, and how many there are
_PIXEL = 2 / 2048  # points that lie closer together fix no direction
_FAR = 8.0  # a keypoint so many half images away is not one
_MOST_SCALE = 8.0  # a part that is so much larger or smaller than its window is not in the keypoints


@dataclass(frozen=True, slots=True)
class Part:
    """A part's points and the places they should come to; one that `shrinks` is never enlarged."""

    points: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    shrinks: bool = True


def _upright(points: tuple[int, ...], *heights: float, x: float = 0.0, shrinks: bool = True) -> Part:
    return Part(points, tuple((x, y) for y in heights), shrinks)


_TORSO = ((-1 / 9, -1 / 6), (1 / 9, -1 / 6), (-1 / 12, 1 / 6), (1 / 12, 1 / 6))
_UPPER_ARM, _FOREARM = (-3 / 16, 1 / 16), (-2 / 9, 0, 1 / 18)
_THIGH, _SHIN, _LEG_X = (-5 / 32, 3 / 32), (-9 / 64, 9 / 64), 3 / 128
_FOOT = (1 / 24, 1 / 24, -1 / 24, -1 / 24)
LAYOUT: tuple[Part, ...] = (
    Part((4, 3), ((-1 / 12, 1 / 24), (1 / 12, 1 / 24))),  # the face, by its ears
    Part((6, 5, 12, 11), _TORSO, shrinks=False),
    _upright((5, 7), *_UPPER_ARM),
    _upright((7, 9, LEFT_KNUCKLES), *_FOREARM),
    _upright((6, 8), *_UPPER_ARM),
    _upright((8, 10, RIGHT_KNUCKLES), *_FOREARM),
    _upright((11, 13), *_THIGH, x=-_LEG_X),
    _upright((13, 15), *_SHIN, x=-_LEG_X),
    _upright((12, 14), *_THIGH, x=_LEG_X),
    _upright((14, 16), *_SHIN, x=_LEG_X),
    _upright((17, 18, 19, 15), *_FOOT, shrinks=False),
    _upright((20, 21, 22, 16), *_FOOT, shrinks=False),
)
_SLOTS = max(len(part.points) for part in LAYOUT)


def _filled(rows: list[list[float]]) -> Tensor:
    return torch.tensor([row + [0.0] * (_SLOTS - len(row)) for row in rows])


@cache
def _layout(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points, which of them count (P, S), places (P, S, 2) and what shrinks (P,), copied there once."""
    points_PS = _filled([[*map(float, part.points)] for part in LAYOUT]).long()
    used_PS = _filled([[1.0] * len(part.points) for part in LAYOUT]).bool()
    places = [_filled([[place[axis] for place in part.places] for part in LAYOUT]) for axis in (0, 1)]
    shrinks_P = torch.tensor([part.shrinks for part in LAYOUT])
    points_PS, used_PS, places_PS2, shrinks_P = (
        table.to(device) for table in (points_PS, used_PS, torch.stack(places, -1), shrinks_P)
    )
    return points_PS, used_PS, places_PS2, shrinks_P


def normalised(pixels_BK2: Tensor, size: int) -> Tensor:
    """Pixels (B, K, 2) of an image `size` pixels square, as parts of its extent in [-1, 1]."""
    return 2 * pixels_BK2 / size - 1


def place_parts(keypoints_BK2: Tensor, valid_BK: Tensor) -> Placement:
    """Where the parts of each person lie, by keypoints (B, 31, 2) in [-1, 1] and which of them are known.

    A part is absent if what is known of it fixes no similarity. Its matrices are then the identity, and
    do not depend on the keypoints.
    """
    # In half precision a part would jump by pixels; nor is any product of matrices left to autocast.
    exact = torch.promote_types(keypoints_BK2.dtype, torch.float32)
    points_BK2, valid_BK = _with_knuckles(*_known(keypoints_BK2.to(exact), valid_BK))
    index_PS, used_PS, _, _ = _layout(points_BK2.device)
    points_BPS2 = points_BK2[:, index_PS]
    weight_BPS = (valid_BK[:, index_PS] & used_PS).to(points_BK2)
    places_BPS2 = _shrunk(points_BPS2, weight_BPS)
    return _fitted(points_BPS2, places_BPS2, weight_BPS)


def _known(keypoints_BK2: Tensor, valid_BK: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints with 0 for each that is not known or is no place near the image, and which are known."""
    near_BK = (keypoints_BK2.abs() <= _FAR).all(-1)  # which NaN is not
    valid_BK = valid_BK.bool() & near_BK
    return torch.where(valid_BK[..., None], keypoints_BK2, 0.0), valid_BK


def _with_knuckles(points_BK2: Tensor, valid_BK: Tensor) -> tuple[Tensor, Tensor]:
    """The keypoints, and beside them the middle of each hand's knuckles and whether it is known.

    Knuckles stand in a row at even distances. Their middle is taken from a line through those that are
    known, so that it stays where it is when one at the end of the row is missing.
    """
    starts, count = _HANDS
    middles, known = [points_BK2], [valid_BK]
    row_F = torch.arange(count, dtype=points_BK2.dtype, device=points_BK2.device) - (count - 1) / 2
    for start in starts:
        weight_BF = valid_BK[:, start : start + count].to(points_BK2)
        number_B1 = weight_BF.sum(1, keepdim=True).clamp(min=1)
        mean_B1 = (weight_BF * row_F).sum(1, keepdim=True) / number_B1
        away_BF = weight_BF * (row_F - mean_B1)
        spread_B1 = away_BF.square().sum(1, keepdim=True)
        share_BF = weight_BF / number_B1 - mean_B1 * away_BF / torch.where(spread_B1 > 0, spread_B1, 1.0)
        middles.append((share_BF[..., None] * points_BK2[:, start : start + count]).sum(1, keepdim=True))
        known.append(weight_BF.any(1, keepdim=True))
    return torch.cat(middles, 1), torch.cat(known, 1)


def _shrunk(points_BPS2: Tensor, weight_BPS: Tensor) -> Tensor:
    """The places (B, P, S, 2), drawn together for parts that are shorter than their places are apart.

    The length (here squared) is that between the first and the last known point of a part.
    """
    _, _, places_PS2, shrinks_P = _layout(points_BPS2.device)
    places_BPS2 = places_PS2.to(points_BPS2).expand_as(points_BPS2)
    known_BPS = weight_BPS > 0
    order_S = torch.arange(_SLOTS, device=points_BPS2.device)
    first_BP = torch.where(known_BPS, order_S, _SLOTS - 1).amin(-1)
    last_BP = torch.where(known_BPS, order_S, 0).amax(-1)
    ends_BP22 = torch.stack((first_BP, last_BP), -1)[..., None].expand(-1, -1, -1, 2)
    length_BP, full_BP = (
        (ends[..., 1, :] - ends[..., 0, :]).square().sum(-1).clamp(min=_PIXEL**2)
        for ends in (points_BPS2.gather(2, ends_BP22), places_BPS2.gather(2, ends_BP22))
    )
    is_short_BP = shrinks_P & (length_BP < full_BP)
    ratio_BP = torch.where(is_short_BP, length_BP / full_BP, 1.0)
    return places_BPS2 * ratio_BP.sqrt()[..., None, None]


def _fitted(points_BPS2: Tensor, places_BPS2: Tensor, weight_BPS: Tensor) -> Placement:
    """The similarities that take points to places in weighed least squares, where there is one."""
    weight_BPS1 = weight_BPS[..., None]
    number_BP1 = weight_BPS1.sum(2).clamp(min=1)
    from_BP2, to_BP2 = ((weight_BPS1 * at).sum(2) / number_BP1 for at in (points_BPS2, places_BPS2))
    px, py = (weight_BPS1 * (points_BPS2 - from_BP2[:, :, None])).unbind(-1)
    qx, qy = (weight_BPS1 * (places_BPS2 - to_BP2[:, :, None])).unbind(-1)
    spread_BP = (px * px + py * py).sum(-1)
    apart_BP = spread_BP > _PIXEL**2
    divisor_BP = torch.where(apart_BP, spread_BP, 1.0)
    a_BP, b_BP = (px * qx + py * qy).sum(-1) / divisor_BP, (px * qy - py * qx).sum(-1) / divisor_BP
    square_BP = a_BP * a_BP + b_BP * b_BP
    present_BP = apart_BP & (square_BP > _MOST_SCALE**-2) & (square_BP < _MOST_SCALE**2)
    # Absent parts leave here, before anything is divided by what may be 0.
    a_BP, b_BP = torch.where(present_BP, a_BP, 1.0), torch.where(present_BP, b_BP, 0.0)
    square_BP = torch.where(present_BP, square_BP, 1.0)
    from_BP2, to_BP2 = (torch.where(present_BP[..., None], at, 0.0) for at in (from_BP2, to_BP2))
    return Placement(
        _similarity(a_BP, b_BP, from_BP2, to_BP2),
        _similarity(a_BP / square_BP, -b_BP / square_BP, to_BP2, from_BP2),
        present_BP,
    )


def _similarity(a: Tensor, b: Tensor, start_2: Tensor, end_2: Tensor) -> Tensor:
    """Matrices (..., 2, 3) that turn and scale by (a, b) and take one point to another."""
    x, y = start_2.unbind(-1)
    end_x, end_y = end_2.unbind(-1)
    rows = (a, -b, end_x - (a * x - b * y)), (b, a, end_y - (b * x + a * y))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
