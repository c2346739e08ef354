"""How far each point of space belongs to each joint: skin weights as a smooth function, not a table.

Every joint has a gate, 0 on its parent's side and 1 on its own; a point's share of a subtree is the product
of the gates on the way down, and a joint's weight is what its children leave of its share. So the weights
sum to one everywhere, on the skin and off it. Refuses to know meshes, shapes and poses.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F32
from pipeline.synth.skeleton import JOINT_INDEX, PARENTS, REST

CHUNK = 1 << 16
JOINTS = len(PARENTS)

_ARM = ("collar", "shoulder", "elbow", "wrist")
_FINGERS = ("index", "middle", "ring", "pinky")  # from the thumb's side outwards
_PHALANGES = tuple(f"{f}{n}" for f in (*_FINGERS, "thumb") for n in (1, 2, 3))
_ARM_ROWS = tuple(
    np.array([JOINT_INDEX[f"{side}_{name}"] for name in (*_ARM, *_PHALANGES)]) for side in ("left", "right")
)
_LEG_ROWS = tuple(
    np.array([JOINT_INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot")])
    for side in ("left", "right")
)
_WRIST, _HAND = _ARM.index("wrist"), len(_ARM)

# half widths of the blends, metres: about the thickness of the limb
_SPINE_BLEND, _NECK_BLEND, _HEAD_BLEND = 0.065, 0.045, 0.035
_COLLAR_BLEND, _SHOULDER_BLEND, _ELBOW_BLEND, _WRIST_BLEND = 0.060, 0.060, 0.045, 0.028
_GROIN_BLEND, _SEAT_BLEND, _KNEE_BLEND, _ANKLE_BLEND, _BALL_BLEND = 0.055, 0.090, 0.055, 0.032, 0.025
_PHALANX_BLENDS = (0.014, 0.009, 0.008)
_EYE_RADIUS, _EYE_BLEND = 0.0128, 0.0006
_LEG_GAP = 0.012  # half width of the blend from one leg to the other between the thighs


def skin_weights(points: F32, spread: float | F32 = 0.0) -> F32:
    """Weights (N, 55) of the joints at points (N, 3): none negative, each row sums to one.

    `spread` (a number or (N,), metres) widens the blend between the legs: a skirt's cloth follows both.
    """
    out = np.empty((JOINTS, len(points)), dtype=np.float32)
    for start in range(0, len(points), CHUNK):
        stop = start + CHUNK
        part = spread[start:stop] if isinstance(spread, np.ndarray) else spread
        out[:, start:stop] = weights_of(subtree_shares(points[start:stop], part))
    return out.T


def weights_of(shares: F32) -> F32:
    """What each joint keeps (55, N) of its subtree's share (55, N)."""
    weights = shares.copy()
    for joint in range(1, JOINTS):
        weights[PARENTS[joint]] -= shares[joint]
    return np.maximum(weights, 0, out=weights)


def subtree_shares(points: F32, spread: float | F32 = 0.0) -> F32:
    """How much (55, N) of each point (N, 3) moves with each joint or anything below it."""
    x, y, z = (np.ascontiguousarray(points[:, i], dtype=np.float32) for i in range(3))
    side = np.abs(x)
    shares = np.zeros((JOINTS, len(points)), dtype=np.float32)
    shares[0] = 1
    _trunk(shares, side, y, z)
    _head(shares, x, y, z)
    _legs(shares, x, y, z, spread)
    _arms(shares, x, side, y, z)
    return shares


def _step(values: F32, half: float | F32) -> F32:
    """0 below minus the half width, 1 above it, smooth between, one half at zero."""
    t = np.clip(values * (np.float32(0.5) / np.asarray(half, dtype=np.float32)) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def _place(name: str) -> tuple[np.float32, np.float32, np.float32]:
    x, y, z = REST[JOINT_INDEX[name]].astype(np.float32)
    return x, y, z


def _trunk(shares: F32, side: F32, y: F32, z: F32) -> None:
    """The three spine joints one above the other, and the neck across its oblique root."""
    above = shares[0]
    for name in ("spine1", "spine2", "spine3"):
        above = above * _step(y - _place(name)[1], _SPINE_BLEND)
        shares[JOINT_INDEX[name]] = above
    _, height, depth = _place("neck")
    # the throat's root lies lower than the nape's, and what lies over the shoulders is not the neck's
    beside = np.maximum(side - np.float32(0.05), 0)
    rise = (y - height) + np.float32(0.45) * (z - depth) - np.float32(0.6) * beside
    shares[JOINT_INDEX["neck"]] = above * _step(rise, _NECK_BLEND)


def _head(shares: F32, x: F32, y: F32, z: F32) -> None:
    """Head, jaw and eyes, only where the neck has a share at all."""
    neck = shares[JOINT_INDEX["neck"]]
    near = np.flatnonzero(neck > 0)
    if not len(near):
        return
    x, y, z = x[near], y[near], z[near]
    _, height, depth = _place("head")
    ahead = z - depth
    # the boundary drops steeply to the front, so that the chin is all head, and rises gently to the nape
    slope = np.float32(0.4) + np.float32(0.5) * _step(ahead, 0.04)
    head = neck[near] * _step((y - height) + slope * ahead, _HEAD_BLEND)
    shares[JOINT_INDEX["head"], near] = head
    shares[JOINT_INDEX["jaw"], near] = head * _jaw_gate(x, y, z)
    for name in ("left_eye", "right_eye"):
        ex, ey, ez = _place(name)
        reach = np.sqrt((x - ex) ** 2 + (y - ey) ** 2 + (z - ez) ** 2)
        shares[JOINT_INDEX[name], near] = head * _step(_EYE_RADIUS - reach, _EYE_BLEND)


MOUTH = (0.0, 0.252, 0.095)  # where the lips meet


def _jaw_gate(x: F32, y: F32, z: F32) -> F32:
    """1 on the lower lip and chin, 0 above the lips and behind the jaw's branch."""
    _, mouth_height, mouth_depth = (np.float32(v) for v in MOUTH)
    ahead = z - mouth_depth
    lip_line = mouth_height - np.float32(0.35) * np.minimum(ahead, 0)
    # sharp between the lips, soft across the cheeks
    away = np.sqrt(x * x + np.minimum(ahead, 0) ** 2)
    half = np.float32(0.003) + np.float32(0.017) * _step(away - np.float32(0.035), 0.020)
    return _step(lip_line - y, half) * _step(z - np.float32(0.030), 0.030)


def _legs(shares: F32, x: F32, y: F32, z: F32, spread: float | F32) -> None:
    """Hips, knees, ankles and balls of the feet; both legs share what lies between them."""
    hip_x, hip_y, _ = _place("left_hip")
    near = np.flatnonzero(y < hip_y + np.float32(0.20))
    if not len(near):
        return
    width = spread[near] if isinstance(spread, np.ndarray) else np.float32(spread)
    x, y, z = x[near], y[near], z[near]
    side = np.minimum(np.abs(x), np.float32(0.16))
    front = _step(z + np.float32(0.01), 0.06)
    # the fold of the groin climbs outwards, from the crotch to the crest of the hip
    fold = hip_y - np.float32(0.03) + np.float32(0.02) * front + np.float32(0.85) * (side - hip_x)
    half = np.float32(_SEAT_BLEND) + np.float32(_GROIN_BLEND - _SEAT_BLEND) * front
    leg = _step(fold - y, half) * (1 - shares[JOINT_INDEX["spine1"], near])
    knee = leg * _step(_place("left_knee")[1] - y, _KNEE_BLEND)
    _, ankle_y, ankle_z = _place("left_ankle")
    ankle = knee * _step((ankle_y - y) + np.float32(0.25) * (z - ankle_z), _ANKLE_BLEND)
    ball = ankle * _step(z - _place("left_foot")[2], _BALL_BLEND)
    gap = np.float32(_LEG_GAP) + width + np.float32(0.05) * _step(y - (hip_y - np.float32(0.08)), 0.05)
    left = _step(x, gap)
    for rows, share in zip(_LEG_ROWS, (left, 1 - left), strict=True):
        shares[np.ix_(rows, near)] = np.stack([leg, knee, ankle, ball]) * share


def _arms(shares: F32, x: F32, side: F32, y: F32, z: F32) -> None:
    """Collars, arms and hands, worked out once for the left and put on the side each point is on."""
    near = np.flatnonzero((shares[JOINT_INDEX["spine3"]] > 0) & (side > 0))
    if not len(near):
        return
    rest = shares[JOINT_INDEX["spine3"], near] - shares[JOINT_INDEX["neck"], near]
    chain = _arm_chain(rest, side[near], y[near], z[near])
    for rows, mine in zip(_ARM_ROWS, (x[near] > 0, x[near] < 0), strict=True):
        shares[np.ix_(rows, near[mine])] = chain[:, mine]


def _arm_chain(rest: F32, side: F32, y: F32, z: F32) -> F32:
    """Shares (19, N) of collar, shoulder, elbow, wrist and the phalanges of a left arm."""
    chain = np.zeros((_HAND + len(_PHALANGES), len(side)), dtype=np.float32)
    collar_x, collar_y, _ = _place("left_collar")
    outward = np.float32(0.7) * ((side - collar_x - np.float32(0.035)) + (y - collar_y + np.float32(0.015)))
    # nothing of the collars on the breastbone, where left meets right
    chain[0] = rest * _step(outward, _COLLAR_BLEND) * _step(side - np.float32(0.03), 0.03)
    shoulder_x, shoulder_y, _ = _place("left_shoulder")
    # oblique: the armpit belongs to the trunk, the top of the shoulder to the arm
    outward = np.float32(0.86) * (side - shoulder_x) + np.float32(0.5) * (y - shoulder_y)
    below = _step(y - (shoulder_y - np.float32(0.155)), 0.045)
    chain[1] = chain[0] * _step(outward, _SHOULDER_BLEND) * below
    chain[2] = chain[1] * _step(side - _place("left_elbow")[0], _ELBOW_BLEND)
    chain[3] = chain[2] * _step(side - _place("left_wrist")[0], _WRIST_BLEND)
    hand = np.flatnonzero(side > _place("left_wrist")[0])
    if len(hand):
        chain[_HAND:, hand] = _fingers(np.stack([side[hand], y[hand], z[hand]])) * chain[_WRIST, hand]
    return chain


def _finger_line(name: str) -> tuple[F32, F32, F32]:
    """First joint (3,), unit direction (3,), places of the three joints along it."""
    joints = np.array([_place(f"left_{name}{n}") for n in (1, 2, 3)], dtype=np.float32)
    along = joints[2] - joints[0]
    unit = along / np.float32(np.linalg.norm(along))
    return joints[0], unit, (joints - joints[0]) @ unit


def _fingers(points: F32) -> F32:
    """Shares (15, N) of the phalanges at points (3, N) of a left hand, the hand itself being one."""
    lines = {name: _finger_line(name) for name in (*_FINGERS, "thumb")}
    thumb = _thumb_share(points, lines)
    sideways = []
    for name in _FINGERS:
        start, unit, _ = lines[name]
        sideways.append(start[2] + unit[2] / unit[0] * (points[0] - start[0]))
    left = 1 - thumb
    out = np.zeros((15, points.shape[1]), dtype=np.float32)
    for f, name in enumerate((*_FINGERS, "thumb")):
        start, unit, stations = lines[name]
        along = _dot(unit, points - start[:, None])
        if name == "thumb":
            share = thumb
        elif name == _FINGERS[-1]:
            share = left
        else:
            between = (sideways[f] + sideways[f + 1]) / 2
            half = np.float32(0.0045) - np.float32(0.0025) * _step(along - np.float32(0.02), 0.012)
            share = left * _step(points[2] - between, half)
            left = left - share
        for n in range(3):
            share = share * _step(along - stations[n], _PHALANX_BLENDS[n])
            out[3 * f + n] = share
    return out


def _thumb_share(points: F32, lines: dict[str, tuple[F32, F32, F32]]) -> F32:
    """1 nearer the thumb's line than the palm's and the index finger's, 0 the other way round."""
    start, unit, stations = lines["thumb"]
    wrist = np.array(_place("left_wrist"), dtype=np.float32)
    to_thumb = _reach(points, start, start + unit * (stations[2] + np.float32(0.03)))
    to_palm = np.full(points.shape[1], 1, dtype=np.float32)
    for name in ("index", "middle", "ring"):
        knuckle, ahead, _ = lines[name]
        to_palm = np.minimum(to_palm, _reach(points, wrist, knuckle))
        to_palm = np.minimum(to_palm, _reach(points, knuckle, knuckle + ahead * np.float32(0.1)))
    return _step(to_palm - to_thumb, 0.012)


def _dot(vector: F32, points: F32) -> F32:
    """Scalar products (N,) of one vector (3,) with points (3, N)."""
    return np.asarray(vector[0] * points[0] + vector[1] * points[1] + vector[2] * points[2])


def _reach(points: F32, start: F32, end: F32) -> F32:
    """Distance (N,) of points (3, N) to a segment."""
    along = end - start
    offset = points - start[:, None]
    t = np.clip(_dot(along, offset) / np.float32(along @ along), 0, 1)
    return np.asarray(np.linalg.norm(offset - along[:, None] * t, axis=0), dtype=np.float32)
