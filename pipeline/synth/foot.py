"""Bare feet below the shin, flat on the floor in the rest pose, and masks for painting them.

Refuses to know of shoes and legs. Both feet come from one left foot, built in its own frame: outwards
(away from the other foot), up from the floor, forwards along the toes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.records import F32, F64
from pipeline.synth.digit import Crease, Digit, Nail
from pipeline.synth.near import near_box
from pipeline.synth.outline import Slab, beside, closed_curve, mound, profile, ridge
from pipeline.synth.skeleton import FLOOR
from pipeline.synth.solids import Loft, bump, ellipsoid, in_frame, mirrored, smooth_max, smooth_min

LOW = np.array([0.068, FLOOR - 0.001, -0.092])
HIGH = np.array([0.184, FLOOR + 0.118, 0.172])
_MARGIN = 0.02
_TURN = np.radians(6.0)  # the toes look outwards
ORIGIN = (0.110, FLOOR, -0.035)
AXES = (
    (np.cos(_TURN), 0.0, -np.sin(_TURN)),
    (0.0, 1.0, 0.0),
    (np.sin(_TURN), 0.0, np.cos(_TURN)),
)


def framed(points: F32) -> F32:
    """World points (3, N) of either side in the left foot's frame: outwards, up, forwards."""
    return in_frame(mirrored(points), ORIGIN, AXES)


def world(place: tuple[float, float, float]) -> F32:
    """A place of the left foot's frame in the world (3,)."""
    return np.asarray(np.array(ORIGIN) + np.array(place) @ np.array(AXES), dtype=np.float32)


# root and tip (outwards, up, forwards), radius at both
_TOES = (
    ((-0.0300, 0.0170, 0.138), (-0.0250, 0.0104, 0.2040), 0.0125, 0.0132),
    ((-0.0065, 0.0170, 0.142), (-0.0005, 0.0078, 0.2010), 0.0080, 0.0086),
    ((0.0082, 0.0165, 0.136), (0.0142, 0.0076, 0.1930), 0.0079, 0.0084),
    ((0.0212, 0.0155, 0.127), (0.0285, 0.0074, 0.1820), 0.0077, 0.0082),
    ((0.0330, 0.0145, 0.114), (0.0422, 0.0074, 0.1680), 0.0077, 0.0084),
)


def _toe(number: int) -> Digit:
    root, tip, base, end = _TOES[number]
    length = float(np.linalg.norm(np.subtract(tip, root)))
    if number == 0:
        shape = (
            (-0.010, 0.90, 0.95, 0.9, 0.0),
            (0.30, 0.95, 0.98, 1.0, 0.0),
            (0.48, 1.02, 0.95, 1.0, 0.0),
            (0.66, 1.06, 0.86, 0.95, 0.0),
            (0.82, 0.98, 0.66, 0.92, 0.0),
        )
        creases = (Crease(0.5 * length, 0.0005, 0.002, 1), Crease(0.52 * length, 0.0010, 0.003, -1))
        nail = Nail(0.66 * length, 0.985 * length, 0.74, 0.0006)
    else:
        shape = (
            (-0.010, 0.90, 0.90, 0.9, 0.0),
            (0.28, 0.92, 0.95, 1.0, 0.0015),
            (0.50, 0.98, 1.02, 0.9, 0.0030),
            (0.66, 0.98, 0.92, 0.9, 0.0018),
            (0.84, 1.02, 0.76, 0.95, 0.0),
        )
        creases = (Crease(0.5 * length, 0.0004, 0.0015, 1), Crease(0.60 * length, 0.0012, 0.0030, -1))
        nail = Nail(0.80 * length, 0.99 * length, 0.68, 0.0005)
    direction = tuple(np.subtract(tip, root))
    stations = []
    for share, width, above, below, lift in shape:
        radius = base + (end - base) * np.clip(share, 0, 1)
        along = share if share < 0 else share * length
        stations.append((along, width * radius, above * radius, below * radius, lift))
    cap = length - stations[-1][0]
    return Digit(root, direction, (0.0, 1.0, 0.0), tuple(stations), cap, creases, nail)


# the sole seen from above (outwards, forwards): heel, inner side, ball, webs of the toes, outer side
_OUTLINE = [
    (0.000, -0.0475), (-0.0185, -0.0430), (-0.0305, -0.0300), (-0.0310, -0.0050), (-0.0290, 0.0300),
    (-0.0310, 0.0620), (-0.0385, 0.0950), (-0.0460, 0.1250), (-0.0470, 0.1400), (-0.0400, 0.1540),
    (-0.0280, 0.1600), (-0.0140, 0.1640), (-0.0010, 0.1640), (0.0120, 0.1590), (0.0240, 0.1510),
    (0.0360, 0.1420), (0.0460, 0.1290), (0.0505, 0.1120), (0.0485, 0.0850), (0.0430, 0.0550),
    (0.0380, 0.0250), (0.0340, -0.0050), (0.0305, -0.0300), (0.0185, -0.0430),
]  # fmt: skip


def _top(u: F64, f: F64) -> F64:
    """Height of the upper side at places outwards and forwards."""
    crest = profile(
        f,
        (-0.05, 0.0, 0.03, 0.05, 0.07, 0.10, 0.125, 0.145, 0.165, 0.18),
        (0.030, 0.062, 0.072, 0.067, 0.058, 0.0455, 0.037, 0.030, 0.023, 0.017),
    )
    off = u - profile(f, (0.0, 0.08, 0.15), (-0.004, -0.014, -0.016))
    top = crest - 6.7 * profile(f, (0.08, 0.15), (1.5, 0.6)) * off**2
    for root, tip, _, _ in _TOES:
        start = (0.35 * root[0] - 0.007, 0.045)
        tendon = [start, (0.7 * root[0] - 0.003, 0.095), (root[0], root[2]), (tip[0], tip[2])]
        top = top + 0.0008 * ridge(beside(u, f, tendon), 0.0030) * profile(f, (0.05, 0.08), (0.0, 1.0))
        top = top + 0.0020 * mound(u, f, (root[0], root[2] - 0.004), (0.0065, 0.0100))
    return np.asarray(top)


def _bottom(u: F64, f: F64) -> F64:
    """Height of the sole: the arch rises from the inner side, the webs lie above the pads of the toes.

    Elsewhere it reaches below the floor, which cuts it off.
    """
    arch = mound(u, f, (-0.036, 0.052), (0.030, 0.040))
    web = profile(f + 0.35 * np.maximum(u, 0), (0.150, 0.172), (0.0, 0.007))
    return np.asarray(0.021 * arch + web - 0.004)


@lru_cache(maxsize=1)
def _sole() -> Slab:
    return Slab.draw(closed_curve(_OUTLINE), _top, _bottom, 0.026, 0.009)


# the top is slimmer than the shin that it ends in
# height, outwards, forwards, half width, half depth to the front and to the back, exponent
_ANKLE = Loft(
    (
        (0.0, 0.0, 0.004, 0.0180, 0.036, 0.0400, 2.0),
        (0.010, 0.0, 0.004, 0.0205, 0.038, 0.0468, 2.0),
        (0.025, 0.0, 0.004, 0.0225, 0.040, 0.0505, 2.0),
        (0.045, 0.0, 0.003, 0.0240, 0.042, 0.0475, 2.0),
        (0.065, 0.0, 0.000, 0.0268, 0.0420, 0.0410, 1.9),
        (0.085, 0.0, -0.004, 0.0295, 0.0400, 0.0345, 1.85),
        (0.095, 0.0, -0.005, 0.0290, 0.0360, 0.0310, 1.9),
        (0.106, 0.0, -0.005, 0.0260, 0.0320, 0.0270, 2.0),
        (0.118, 0.0, -0.005, 0.0215, 0.0265, 0.0230, 2.0),
    )
)


@lru_cache(maxsize=1)
def _digits() -> tuple[Digit, ...]:
    return tuple(_toe(number) for number in range(5))


def _left(local: F32) -> F32:
    """Distance to the left foot for points of its frame near it."""
    u, h, f = local
    total = smooth_min(_sole().distance(u, f, h), _ANKLE.distance(local, 0.012), 0.030)
    inner = ellipsoid(local, (-0.0235, 0.083, 0.003), (0.0105, 0.0150, 0.0135))
    outer = ellipsoid(local, (0.0240, 0.069, -0.009), (0.0100, 0.0150, 0.0115))
    total = smooth_min(total, np.minimum(inner, outer), 0.016)
    hollow = bump(np.abs(u), 0.029, 0.016) * bump(h, 0.080, 0.034) * bump(f, -0.031, 0.020)
    total += np.float32(0.0055) * hollow
    toes = _digits()[0].distance(local)
    for toe in _digits()[1:]:
        toes = smooth_min(toes, toe.distance(local), 0.0015)
    total = smooth_min(total, toes, 0.008)
    return smooth_max(total, -h, 0.003)


def foot(points: F32) -> F32:
    """Signed distance (N,) to both bare feet; far from them that of their boxes, which is shorter."""
    return near_box(mirrored(points), LOW, HIGH, _MARGIN, lambda p: _left(in_frame(p, ORIGIN, AXES)))


def toe_nails(points: F32) -> F32:
    """1 on the toe nails, 0 elsewhere (N,), for points on the skin."""
    local = framed(points)
    return np.asarray(np.max([digit.nail_mask(local) for digit in _digits()], axis=0))


BIG_TOE: F32 = world(_TOES[0][1])
SMALL_TOE: F32 = world(_TOES[4][1])
HEEL: F32 = world((0.0, 0.022, -0.0535))
