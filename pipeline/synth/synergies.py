"""How hands move: the relaxed hand, and the directions in which fingers move together.

Refuses to know bodies: a hand is (15, 3) axis-angle rotations in the order of the SMPL-X format.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.records import F64
from pipeline.synth.skeleton import JOINT_INDEX, REST

FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # the format's order
COEFFICIENTS = 12  # how many the thuman2 layout stores
_SIZE = 45
_MIRROR = np.tile([1.0, -1.0, -1.0], 15)  # a rotation seen in the mirror that swaps left and right

# how far each joint of the relaxed hand is bent, radians
_RELAXED = {
    "index": (0.16, 0.34, 0.18),
    "middle": (0.22, 0.42, 0.22),
    "ring": (0.27, 0.46, 0.24),
    "pinky": (0.30, 0.44, 0.24),
    "thumb": (0.12, 0.14, 0.16),
}
_CURL = (0.55, 0.70, 0.46)  # a curl, joint after joint from the knuckle
_LONG = ("index", "middle", "ring", "pinky")
_FAN = {"index": 0.55, "middle": 0.10, "ring": -0.35, "pinky": -0.75}
_PALM = np.array([0.0, -1.0, 0.0])  # where the left palm faces at rest


@lru_cache(maxsize=1)
def bend_axes() -> F64:
    """Axis (15, 3) about which each left phalanx bends towards the palm."""
    axes = np.zeros((15, 3))
    for f, finger in enumerate(FINGERS):
        first = JOINT_INDEX[f"left_{finger}1"]
        along = REST[first + 2] - REST[first]
        if finger == "thumb":
            towards = REST[JOINT_INDEX["left_pinky1"]] + 0.02 * _PALM - REST[first + 2]
        else:
            towards = _PALM
        axis = np.cross(along, towards)
        axes[3 * f : 3 * f + 3] = axis / np.linalg.norm(axis)
    return axes


def _bend(amounts: dict[str, tuple[float, float, float]]) -> F64:
    """Rotations (45,) that bend the named left fingers by the given angles."""
    angles = np.zeros(15)
    for finger, values in amounts.items():
        f = FINGERS.index(finger)
        angles[3 * f : 3 * f + 3] = values
    return np.asarray((bend_axes() * angles[:, None]).reshape(-1))


def _turn(finger: str, joint: int, axis: tuple[float, float, float]) -> F64:
    out = np.zeros((15, 3))
    out[3 * FINGERS.index(finger) + joint] = axis
    return np.asarray(out.reshape(-1))


def _movements() -> list[F64]:
    """Left-hand movements (45,), the most telling first."""
    fan = sum(_turn(f, 0, (0.0, -amount, 0.0)) for f, amount in _FAN.items())
    return [
        _bend(dict.fromkeys(_LONG, _CURL)),
        np.asarray(fan),
        _bend({"thumb": (0.30, 0.50, 0.60)}),
        _bend({"index": _CURL}),
        _bend({"pinky": _CURL}),
        _bend({"middle": _CURL}),
        _turn("thumb", 0, (0.0, -0.8, -0.2)),
        _bend(dict.fromkeys(_LONG, (0.8, -0.3, -0.2))),
        _turn("thumb", 0, (0.8, 0.1, -0.5)),
        _bend({"index": (0.8, -0.4, -0.2)}),
        _bend(dict.fromkeys(_LONG, (0.0, 0.4, -0.6))),
        _bend({"thumb": (-0.3, 0.2, 0.6)}),
    ]


@lru_cache(maxsize=2)
def components(side: str) -> F64:
    """Orthonormal rows (45, 45): the movements first, then whatever completes the basis."""
    if side == "right":
        return np.asarray(components("left") * _MIRROR)
    rows: list[F64] = []
    for candidate in (*_movements(), *np.eye(_SIZE)):
        rest = np.array(candidate)
        for _ in range(2):  # twice: once is not orthogonal to the last digit
            for row in rows:
                rest = rest - (rest @ row) * row
        length = float(np.sqrt(rest @ rest))
        if length > 1e-6 and len(rows) < _SIZE:
            rows.append(rest / length)
    return np.array(rows)


def hand_mean(side: str) -> F64:
    """The relaxed hand (15, 3), measured from the flat one."""
    mean = _bend(_RELAXED)
    return np.asarray(mean * _MIRROR if side == "right" else mean).reshape(15, 3)


def hand_from_pca(coefficients: F64, side: str) -> F64:
    """Rotations (15, 3) relative to the mean hand, from any number of coefficients up to 45."""
    return np.asarray(coefficients @ components(side)[: len(coefficients)]).reshape(15, 3)


def hand_to_pca(hand: F64, side: str) -> F64:
    """The first 12 coefficients of a hand (15, 3); what they cannot say is dropped."""
    return np.asarray(components(side)[:COEFFICIENTS] @ hand.reshape(-1))


def hand_moving(amounts: dict[int, float], side: str) -> F64:
    """A hand (15, 3) relative to the mean: movements by number, 1 being a full one, summed."""
    moves = _movements()
    left = sum((value * moves[k] for k, value in amounts.items()), np.zeros(_SIZE))
    return np.asarray(left * _MIRROR if side == "right" else left).reshape(15, 3)
