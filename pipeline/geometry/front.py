"""Where a person faces: one answer from each kind of evidence, and how far the answers are apart.

A front is an angle about the vertical: whoever bows or leans keeps doing so. Refuses to know where evidence
came from and which is to be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pipeline.errors import AlignmentError
from pipeline.geometry.procrustes import rotation_between, scale_between
from pipeline.records import F32, F64, Angle, Front, Joints, Torso

FIRM = 0.9  # vertices that go with the pelvis to this share move as it does, whatever hips and spine do
_FEWEST_FIRM = 12  # vertices; a coarser model has to do with the firmest it has
# left and right shoulder, left and right hip, nose, by the order that the joints are in
LANDMARKS = {"openpose-118": (5, 2, 12, 9, 0), "coco-wholebody": (5, 6, 11, 12, 0)}
_UPRIGHT = 0.05  # a forward direction with less than this along the floor has no heading


def heading(rotation: F64) -> float:
    """Where a body turned by a rotation (3, 3) faces: radians about +y, 0 = +z, a quarter turn = +x."""
    return _heading(np.asarray(rotation) @ np.array([0.0, 0.0, 1.0]))


def _heading(forward: F64) -> float:
    along = float(np.hypot(forward[0], forward[2]))
    if not along > _UPRIGHT * float(np.linalg.norm(forward)):
        raise AlignmentError("the person faces straight up or down; there is no front to turn to")
    return float(np.arctan2(forward[0], forward[2]))


def torso_motion(registered: F32, torso: Torso) -> tuple[F64, float]:
    """How a body of the model's vertices is turned (3, 3) and how much larger it is than the model.

    Both by the vertices that go with its pelvis.
    """
    count = len(torso.rest)
    if len(registered) != count:
        raise AlignmentError(
            f"the registered mesh has {len(registered)} vertices, the body model {count}; "
            "they must be of one kind"
        )
    threshold = min(FIRM, float(np.sort(torso.pelvis)[-min(_FEWEST_FIRM, count)]))
    firm = torso.pelvis >= threshold
    source, target = (p[firm].astype(np.float64) for p in (torso.rest, registered))
    weights = torso.pelvis[firm].astype(np.float64)
    return rotation_between(source, target, weights), scale_between(source, target, weights)


def landmarks_of(joints: Joints) -> F64:
    """Left and right shoulder, left and right hip, and nose (5, 3); NaN = unknown."""
    if joints.convention not in LANDMARKS:
        raise AlignmentError(
            f"joints in the order {joints.convention!r} have no known shoulders; "
            f"orders are {', '.join(LANDMARKS)}"
        )
    rows = list(LANDMARKS[joints.convention])
    return np.where(joints.confidence[rows, None] > 0, joints.points[rows], np.nan)


def facing(landmarks: F64) -> F64:
    """The unit direction (3,) ahead, from left and right shoulder, left and right hip, and nose (5, 3).

    NaN = not known; either pair will do. Hips turn as the root does and shoulders, being wider, shake less:
    the directions across both count the same. The nose stands in for an end of the trunk.
    """
    shoulders, hips, nose = landmarks[0:2], landmarks[2:4], landmarks[4]
    across = [_unit(pair[0] - pair[1]) for pair in (shoulders, hips)]
    known = [direction for direction in across if np.isfinite(direction).all()]
    if not known:
        raise AlignmentError("joints have neither both shoulders nor both hips; one pair is needed")
    left = np.sum(known, axis=0)
    ahead = np.cross(left, _up(shoulders.mean(axis=0), hips.mean(axis=0), nose))
    if not np.linalg.norm(ahead) > 1e-6:
        raise AlignmentError("shoulders and hips lie on a line; there is no front to find")
    return _unit(ahead)


def _up(shoulders: F64, hips: F64, nose: F64) -> F64:
    """From the hips to the shoulders as far as they are known, and along the vertical where nothing is."""
    for top, bottom in ((shoulders, hips), (nose, hips), (nose, shoulders)):
        if np.isfinite(top - bottom).all() and np.linalg.norm(top - bottom) > 0:
            return _unit(top - bottom)
    return np.array([0.0, 1.0, 0.0])


def joints_heading(landmarks: F64) -> float:
    """Where the person with these five landmarks (5, 3) faces, in radians."""
    return _heading(facing(landmarks))


def is_backward(landmarks: F64) -> bool:
    """Whether the nose lies behind the shoulders, as it does where left and right were mistaken."""
    middle = landmarks[0:2].mean(axis=0)
    ahead = float(facing(landmarks) @ (landmarks[4] - middle))
    width = float(np.linalg.norm(landmarks[0] - landmarks[1]))
    return ahead < -0.1 * width  # NaN, where one of them is not known, is not behind


def _unit(vector: F64) -> F64:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length) if length > 0 else np.full(3, np.nan)


def angles_between(fronts: Sequence[Front]) -> tuple[Angle, ...]:
    """How far any two fronts are apart, the short way round."""
    return tuple(
        Angle(a.source, b.source, abs(float(np.degrees(np.angle(np.exp(1j * (a.yaw - b.yaw)))))))
        for a, b in combinations(fronts, 2)
    )
