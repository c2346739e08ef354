"""Hands from the wrist outwards, palm down in the rest pose: flesh, and masks for painting.

Refuses to know of arms, gloves and colours. Both hands come from one left hand.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from pipeline.records import F32, F64
from pipeline.synth.digit import Crease, Digit, Nail
from pipeline.synth.near import mask_in_box, near_box
from pipeline.synth.outline import Chart, Slab, beside, closed_curve, mound, profile, ridge
from pipeline.synth.skeleton import FINGER_TIPS, FLOOR, JOINT_INDEX, REST
from pipeline.synth.solids import bump, cone, mirrored, ramp, smooth_min

LOW = np.array([0.655, FLOOR + 1.345, -0.075])
HIGH = np.array([0.892, FLOOR + 1.440, 0.095])
_MARGIN = 0.02

FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # the order of the skeleton
_RADII = {
    "index": (0.0088, 0.0070),
    "middle": (0.0090, 0.0072),
    "ring": (0.0085, 0.0068),
    "pinky": (0.0075, 0.0060),
    "thumb": (0.0108, 0.0085),
}


def _joint(name: str, number: int) -> F64:
    return np.asarray(REST[JOINT_INDEX[f"left_{name}{number}"]])


def _finger(name: str) -> Digit:
    """A finger from its knuckle to its tip."""
    base, tip = _RADII[name]
    start = _joint(name, 1)
    bends = [float(np.linalg.norm(_joint(name, n) - start)) for n in (2, 3)]
    length = float(np.linalg.norm(FINGER_TIPS[0, FINGERS.index(name)] - start))
    first, second = bends
    last = length - second
    cap = 1.05 * tip
    shape = (  # along, factors of the radius: width, above, below
        (-0.010, 0.92, 0.85, 0.80),
        (0.0, 0.98, 0.98, 0.95),
        (0.50 * first, 0.96, 0.91, 1.05),
        (0.82 * first, 1.00, 0.98, 0.98),
        (first, 1.09, 1.06, 0.90),
        (first + 0.20 * (second - first), 1.02, 0.99, 0.96),
        (first + 0.55 * (second - first), 0.98, 0.90, 1.05),
        (second, 1.05, 0.97, 0.90),
        (second + 0.22 * last, 1.03, 0.90, 0.98),
        (second + 0.45 * last, 1.03, 0.82, 1.06),
        (length - cap, 0.96, 0.72, 0.95),
    )
    stations = []
    for along, width, above, below in shape:
        radius = base + (tip - base) * np.clip(along / (second + 0.4 * last), 0, 1)
        stations.append((along, width * radius, above * radius, below * radius, 0.0))
    creases = (
        Crease(0.50 * first, 0.0006, 0.0016, -1),
        Crease(first, 0.0008, 0.0018, -1),
        Crease(second, 0.0007, 0.0016, -1),
        Crease(first - 0.0030, 0.00035, 0.0014, 1),
        Crease(first, 0.00045, 0.0014, 1),
        Crease(first + 0.0030, 0.00035, 0.0014, 1),
        Crease(second, 0.0003, 0.0013, 1),
    )
    nail = Nail(second + 0.42 * last, length - 0.0006, 0.80, 0.00045)
    direction = FINGER_TIPS[0, FINGERS.index(name)] - start
    return Digit(tuple(start), tuple(direction), (0.0, 1.0, 0.0), tuple(stations), cap, creases, nail)


def _thumb() -> Digit:
    """The thumb from the middle of its metacarpal to its tip; its nail looks up and forward."""
    base, tip = _RADII["thumb"]
    start = _joint("thumb", 1)
    knuckle, bend = (float(np.linalg.norm(_joint("thumb", n) - start)) for n in (2, 3))
    length = float(np.linalg.norm(FINGER_TIPS[0, 4] - start))
    last = length - bend
    cap = 1.1 * tip
    stations = (
        (0.010, 0.0125, 0.0110, 0.0130, 0.0),
        (0.5 * knuckle, 0.0125, 0.0105, 0.0130, 0.0),
        (knuckle, 1.08 * base, 1.05 * base, 1.02 * base, 0.0),
        (knuckle + 0.45 * (bend - knuckle), 0.93 * base, 0.86 * base, 0.98 * base, 0.0),
        (bend, 0.98 * base, 0.86 * base, 0.84 * base, 0.0),
        (bend + 0.35 * last, 1.18 * tip, 0.86 * tip, 1.08 * tip, 0.0),
        (length - cap, 1.06 * tip, 0.70 * tip, 0.98 * tip, 0.0),
    )
    creases = (
        Crease(bend, 0.0008, 0.0018, -1),
        Crease(knuckle, 0.0006, 0.0020, -1),
        Crease(bend - 0.0025, 0.0004, 0.0014, 1),
        Crease(bend + 0.0010, 0.0004, 0.0014, 1),
    )
    nail = Nail(bend + 0.42 * last, length - 0.0006, 0.80, 0.0005)
    up = (-0.25, 0.72, 0.62)
    return Digit(tuple(start), tuple(FINGER_TIPS[0, 4] - start), up, stations, cap, creases, nail)


# the palm seen from above (x, z): wrist, thumb side, fold to the thumb, the three webs, little-finger side
_OUTLINE = (
    (0.664, 0.005), (0.688, 0.0085), (0.711, 0.0175), (0.732, 0.0275), (0.748, 0.0345), (0.7600, 0.0350),
    (0.772, 0.0325), (0.785, 0.0315), (0.798, 0.0270), (0.8055, 0.0125), (0.809, 0.001),
    (0.8055, -0.0095), (0.801, -0.020), (0.793, -0.0295), (0.788, -0.039), (0.779, -0.0465),
    (0.765, -0.0495), (0.742, -0.0515), (0.720, -0.0500), (0.702, -0.0430), (0.686, -0.0385),
    (0.664, -0.035), (0.660, -0.015),
)  # fmt: skip
# lines of the palm (x, z): around the ball of the thumb, across its middle, below the fingers, the wrist
_LINES = (
    ((0.776, 0.0300), (0.765, 0.0165), (0.750, 0.0040), (0.732, -0.0045), (0.711, -0.0050)),
    ((0.774, 0.0300), (0.766, 0.0150), (0.757, -0.0050), (0.747, -0.0250), (0.742, -0.0400)),
    ((0.768, -0.0490), (0.767, -0.0320), (0.773, -0.0140), (0.783, 0.0030), (0.792, 0.0100)),
    ((0.6985, -0.0400), (0.7010, -0.0150), (0.6985, 0.0100)),
)


def _top(x: F64, z: F64) -> F64:
    """Height of the back of the hand above the floor."""
    top = profile(x, (0.655, 0.685, 0.706, 0.745, 0.785, 0.797, 0.812),
                  (1.4170, 1.4198, 1.4232, 1.4200, 1.4160, 1.4115, 1.4030))  # fmt: skip
    top = top - 0.0040 * ((z + 0.008) / 0.04) ** 2
    fold = profile(x, (0.700, 0.730, 0.770, 0.790), (0.2, 1.0, 1.0, 0.0))
    top = top - 0.55 * fold * np.maximum(z - 0.0230, 0)
    top = top + 0.0022 * mound(x, z, (0.753, 0.0235), (0.017, 0.0075), 0.15)  # muscle beside the thumb
    top = top + 0.0022 * mound(x, z, (0.684, -0.0360), (0.009, 0.0070))  # end of the ulna
    for name in FINGERS[:4]:
        knuckle = _joint(name, 1)[[0, 2]]
        root = 0.8 * np.array([0.700, -0.012]) + 0.2 * knuckle
        tendon = ridge(beside(x, z, (root, 0.4 * root + 0.6 * knuckle, knuckle)), 0.0026)
        top = top + 0.0010 * tendon * profile(x, (0.712, 0.735), (0.0, 1.0))
        top = top + 0.0032 * mound(x, z, knuckle, (0.0095, 0.0072))
    for name, other in pairwise(("index", "middle", "ring", "pinky")):
        valley = (_joint(name, 1) + _joint(other, 1))[[0, 2]] / 2
        top = top - 0.0018 * mound(x, z, (valley[0] + 0.004, valley[1]), (0.014, 0.0045))
    return np.asarray(top)


def _bottom(x: F64, z: F64) -> F64:
    """Height of the palm above the floor."""
    bottom = profile(x, (0.655, 0.685, 0.706, 0.750, 0.785, 0.800, 0.812),
                     (1.3920, 1.3900, 1.3865, 1.3925, 1.3930, 1.3950, 1.3985))  # fmt: skip
    fold = profile(x, (0.700, 0.730, 0.770, 0.790), (0.0, 1.0, 1.0, 0.0))
    bottom = bottom - 0.30 * fold * np.maximum(z - 0.0230, 0)
    bottom = bottom - 0.0075 * mound(x, z, (0.733, 0.0130), (0.024, 0.0135), 0.60)  # ball of the thumb
    bottom = bottom - 0.0055 * mound(x, z, (0.727, -0.0340), (0.028, 0.0125), -0.05)
    bottom = bottom + 0.0030 * mound(x, z, (0.756, -0.008), (0.024, 0.014), -0.25)
    for name, other in pairwise(("index", "middle", "ring", "pinky")):
        pad = (_joint(name, 1) + _joint(other, 1))[[0, 2]] / 2
        bottom = bottom - 0.0022 * mound(x, z, (pad[0] + 0.006, pad[1]), (0.0085, 0.0080))
    for line in _LINES:
        bottom = bottom + 0.0010 * ridge(beside(x, z, line), 0.0013)
    return np.asarray(bottom)


@lru_cache(maxsize=1)
def _palm() -> Slab:
    return Slab.draw(closed_curve(_OUTLINE), _top, _bottom, 0.0125)


@lru_cache(maxsize=1)
def _digits() -> tuple[Digit, ...]:
    return (*(_finger(name) for name in FINGERS[:4]), _thumb())


def _left(points: F32) -> F32:
    """Distance to the left hand for points near it."""
    x, y, z = points
    palm = _palm().distance(x, z, y - np.float32(FLOOR))
    index, middle, pinky, ring, thumb = _digits()
    fingers = index.distance(points)
    for digit in (middle, ring, pinky):
        fingers = smooth_min(fingers, digit.distance(points), 0.003)
    root = cone(points, (0.712, FLOOR + 1.399, 0.004), (0.742, FLOOR + 1.390, 0.032), (0.0150, 0.0120))
    total = smooth_min(palm, root, 0.012)
    total = smooth_min(total, thumb.distance(points), 0.012)
    return smooth_min(total, fingers, 0.0075)


def hand(points: F32) -> F32:
    """Signed distance (N,) to both hands; far from them that of their boxes, which is shorter."""
    return near_box(mirrored(points), LOW, HIGH, _MARGIN, _left)


def nails(points: F32) -> F32:
    """1 on the nails, 0 elsewhere (N,), for points on the skin."""
    folded = mirrored(points)
    return np.asarray(np.max([digit.nail_mask(folded) for digit in _digits()], axis=0))


@lru_cache(maxsize=1)
def _line_chart() -> Chart:
    """Where the lines of the palm are, 1 on them, as seen from below."""

    def lines(x: F64, z: F64) -> tuple[F64]:
        return (np.max([ridge(beside(x, z, line), 0.0018) for line in _LINES], axis=0),)

    return Chart.draw(LOW[[0, 2]], HIGH[[0, 2]], lines)


def _knuckles(folded: F32) -> F32:
    height = folded[1] - np.float32(FLOOR)
    (lines,), _ = _line_chart().at(folded[0], folded[2])
    total = lines * ramp(height, 1.402, 1.396) * ramp(folded[0], 0.69, 0.70)
    for name, digit in zip(FINGERS, _digits(), strict=True):
        total = np.maximum(total, digit.furrow_mask(folded, 1.8))
        if name != "thumb":
            x, y, z = _joint(name, 1)
            away = np.hypot(folded[0] - np.float32(x), folded[2] - np.float32(z))
            total = np.maximum(total, 0.6 * bump(away, 0.0, 0.013) * ramp(folded[1], y + 0.002, y + 0.008))
    return np.asarray(total, dtype=np.float32)


def knuckles(points: F32) -> F32:
    """Where skin is redder and folded (N,), 0..1: knuckles, creases of the fingers, lines of the palm."""
    return mask_in_box(mirrored(points), LOW, HIGH, _knuckles)


FINGER_TIP_POINTS: F32 = FINGER_TIPS[0].astype(np.float32)
