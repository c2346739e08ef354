"""The 55 joints of the body model at rest: names, parents, places.

The rest pose is a T: y up, the person faces +z, the person's left is +x, palms down, thumbs forward,
metres. The names and their order are those of the SMPL-X file format; the places are this project's.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F64, I32

FLOOR = -1.30  # y under the soles; the origin lies in the upper belly, as in the SMPL-X format

_BODY = """pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3
left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow
right_elbow left_wrist right_wrist jaw left_eye right_eye""".split()
_FINGERS = ("index", "middle", "pinky", "ring", "thumb")
JOINT_NAMES: tuple[str, ...] = (
    *_BODY,
    *(f"{side}_{f}{n}" for side in ("left", "right") for f in _FINGERS for n in (1, 2, 3)),
)
JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}

_BODY_PARENTS = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15,
)  # fmt: skip
_HAND_PARENTS = tuple(
    wrist if n == 0 else 25 + 15 * side + 3 * finger + n - 1
    for side, wrist in enumerate((20, 21))
    for finger in range(5)
    for n in range(3)
)
PARENTS: I32 = np.array(_BODY_PARENTS + _HAND_PARENTS, dtype=np.int32)

# (x, height above the floor, z); the left side only, the right one is its mirror image
_MIDDLE = {
    "pelvis": (0.0, 0.955, 0.0),
    "spine1": (0.0, 1.065, -0.005),
    "spine2": (0.0, 1.195, -0.015),
    "spine3": (0.0, 1.265, -0.012),
    "neck": (0.0, 1.440, -0.030),
    "head": (0.0, 1.545, -0.012),
    "jaw": (0.0, 1.597, 0.004),
}
_LEFT = {
    "hip": (0.088, 0.905, -0.003),
    "knee": (0.102, 0.485, -0.005),
    "ankle": (0.110, 0.078, -0.035),
    "foot": (0.122, 0.022, 0.095),
    "collar": (0.055, 1.400, -0.005),
    "shoulder": (0.172, 1.412, -0.018),
    "elbow": (0.442, 1.405, -0.030),
    "wrist": (0.690, 1.405, -0.015),
    "eye": (0.0315, 1.622, 0.070),
}
_KNUCKLES = {  # first joint; direction; lengths of the three phalanges
    "index": ((0.785, 1.408, 0.021), (1.0, -0.02, 0.10), (0.041, 0.024, 0.022)),
    "middle": ((0.788, 1.410, 0.000), (1.0, -0.02, 0.02), (0.045, 0.028, 0.023)),
    "ring": ((0.781, 1.408, -0.020), (1.0, -0.02, -0.06), (0.042, 0.026, 0.023)),
    "pinky": ((0.770, 1.404, -0.038), (1.0, -0.02, -0.15), (0.033, 0.019, 0.021)),
    "thumb": ((0.715, 1.396, 0.012), (0.76, -0.24, 0.60), (0.045, 0.033, 0.028)),
}


def _finger(name: str) -> F64:
    """The three joints of a left finger and its tip (4, 3), y above the floor."""
    start, direction, lengths = _KNUCKLES[name]
    unit = np.array(direction) / np.linalg.norm(direction)
    return np.asarray(np.array(start) + np.concatenate([[0.0], np.cumsum(lengths)])[:, None] * unit)


def _rest() -> tuple[F64, F64]:
    """Joints (55, 3) and finger tips (2, 5, 3): left then right, fingers in the order of the names."""
    places = dict(_MIDDLE)
    tips = np.zeros((2, 5, 3))
    for s, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        mirror = np.array([sign, 1.0, 1.0])
        for name, place in _LEFT.items():
            places[f"{side}_{name}"] = tuple(mirror * place)
        for f, name in enumerate(_FINGERS):
            chain = _finger(name) * mirror
            tips[s, f] = chain[3]
            for n in range(3):
                places[f"{side}_{name}{n + 1}"] = tuple(chain[n])
    lift = np.array([0.0, FLOOR, 0.0])
    return np.array([places[name] for name in JOINT_NAMES]) + lift, tips + lift


REST: F64
FINGER_TIPS: F64
REST, FINGER_TIPS = _rest()
