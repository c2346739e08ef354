"""A body's joints in the formats that scans come with.

Pure tables and arrays: 144 joints in the order of the smplx package in, the joints of a format out. Refuses
to know files.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F64, BodyParameters
from pipeline.synth.rig import deform, pose_vectors, posed_joints, rotations
from pipeline.synth.template import CONTOUR_TURNS, SPECIAL, template

JOINTS = 144
# keypoints on the surface, in the order in which the smplx package appends them to the 55 joints
_SURFACE = (
    "nose", "reye", "leye", "rear", "lear",
    "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
    "lthumb", "lindex", "lmiddle", "lring", "lpinky",
    "rthumb", "rindex", "rmiddle", "rring", "rpinky",
)  # fmt: skip
_FACE, _CONTOUR = tuple(range(76, 127)), tuple(range(127, 144))
_NECK_CHAIN = (12, 9, 6, 3, 0)  # from the neck to the pelvis


def _hand(wrist: int, first: int, tips: int) -> tuple[int, ...]:
    """21 joints of a hand: wrist, then thumb, index, middle, ring and pinky from the root to the tip."""
    index, middle, pinky, ring, thumb = (range(first + 3 * f, first + 3 * f + 3) for f in range(5))
    out = [wrist]
    for tip, finger in enumerate((thumb, index, middle, ring, pinky)):
        out += [*finger, tips + tip]
    return tuple(out)


_LEFT_HAND, _RIGHT_HAND = _hand(20, 25, 66), _hand(21, 40, 71)
# nose, neck, right arm, left arm, middle of the hips, right leg, left leg, eyes, ears, feet
BODY_25 = (
    55, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65,
)  # fmt: skip
KP3DS = (*BODY_25, *_LEFT_HAND, *_RIGHT_HAND, *_FACE)
# nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, feet, the left one before the right one
_COCO_BODY = (55, 57, 56, 59, 58, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8, 60, 61, 62, 63, 64, 65)
WHOLE_BODY = (*_COCO_BODY, *_CONTOUR, *_FACE, *_LEFT_HAND, *_RIGHT_HAND)


def smplx_joints(body: BodyParameters) -> F64:
    """The 144 joints (144, 3) that the smplx package gives for a body, in the scan's coordinates.

    55 joints, 21 keypoints on the surface, 51 places on the face, and the 17 of its outline as it is seen
    from the front.
    """
    surface = template()
    row = _contour_row(body)
    faces = np.concatenate([surface.landmark_faces, surface.contour_faces[row]])
    weights = np.concatenate([surface.landmark_weights, surface.contour_weights[row]])
    numbers = np.concatenate([[SPECIAL[name] for name in _SURFACE], surface.faces[faces].reshape(-1)])
    moved = deform(surface.vertices[numbers], body).astype(np.float64)
    corners = moved[len(_SURFACE) :].reshape(-1, 3, 3)
    marks = np.einsum("nc,nci->ni", weights.astype(np.float64), corners)
    return np.concatenate([posed_joints(body), moved[: len(_SURFACE)], marks])


def kp3ds(joints: F64) -> F64:
    """The joints (118, 3) of a 2K2K kp3ds file, of 144: BODY_25, left hand, right hand, face."""
    return np.asarray(joints[list(KP3DS)])


def whole_body(joints: F64) -> F64:
    """The joints (133, 3) of COCO-WholeBody, of 144: body, feet, outline and face, both hands."""
    return np.asarray(joints[list(WHOLE_BODY)])


def _contour_row(body: BodyParameters) -> int:
    """Which row of the outline shows: by the turn of the neck about the vertical, whole degrees."""
    local = rotations(pose_vectors(body)[list(_NECK_CHAIN)])
    turn = np.eye(3)
    for matrix in local:
        turn = matrix @ turn
    angle = np.arctan2(-turn[2, 0], np.hypot(turn[0, 0], turn[1, 0]))
    most = max(CONTOUR_TURNS)
    return CONTOUR_TURNS.index(int(np.clip(np.round(np.degrees(angle)), -most, most)))
