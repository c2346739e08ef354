"""Joints in JSON: kp3ds of 2K2K, Joint3D of THuman 2 and RenderPeople, and OpenPose's of pictures.

Each record names the order its rows are in. Refuses to know which row is which joint.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.atomic import write_text
from pipeline.errors import FormatError
from pipeline.formats.numbers import exactly, flat, read_json
from pipeline.records import F64, Bool, ImageJoints, Joints

_DIGITS = 9  # significant ones, whatever the unit
KP3DS = 118
WHOLE_BODY = (133, 135)  # what COCO-WholeBody's order has, and with two more at its end
KP3DS_ORDER = "openpose-118"  # 25 body, 21 left hand, 21 right hand, 51 face
WHOLE_BODY_ORDER = "coco-wholebody"
OPENPOSE_ORDER = "openpose-137"  # 25 body, 21 left hand, 21 right hand, 70 face
_OPENPOSE_PARTS = {
    "pose_keypoints_2d": 25,
    "hand_left_keypoints_2d": 21,
    "hand_right_keypoints_2d": 21,
    "face_keypoints_2d": 70,
}
_MOST_PEOPLE = 1_000


def write_kp3ds(path: Path, joints: F64, confidence: F64) -> None:
    """Write 25 body, 2 x 21 hand and 51 face joints (118, 3) with their confidence (118,)."""
    if joints.shape != (KP3DS, 3):
        raise FormatError(f"{path.name}: joints are {joints.shape}; ({KP3DS}, 3) is what the file holds")
    rows = np.concatenate([joints, confidence[:, None]], axis=1)
    write_text(path, json.dumps(_short(rows)) + "\n")


def write_joint3d(path: Path, joints: F64, visible: Bool) -> None:
    """Write joints (N, 3) and whether each is known (N,)."""
    content = {"joint3d": _short(joints), "visible": [int(v) for v in visible]}
    write_text(path, json.dumps(content) + "\n")


def read_kp3ds(path: Path) -> Joints:
    """The 118 joints of a kp3ds file."""
    content = read_json(path)
    try:
        rows = exactly(content, "the file", (KP3DS, 4))
        return Joints(rows[:, :3], _confidence(rows[:, 3]), KP3DS_ORDER)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def read_joint3d(path: Path) -> Joints:
    """The 133 or 135 joints of a Joint3D file."""
    content = read_json(path)
    try:
        if not isinstance(content, dict) or "joint3d" not in content or "visible" not in content:
            raise FormatError("is not an object of joint3d and visible")
        visible = flat(content["visible"], "visible", max(WHOLE_BODY))
        if len(visible) not in WHOLE_BODY:
            raise FormatError(f"visible has {len(visible)} numbers; 133 or 135 are needed")
        points = exactly(content["joint3d"], "joint3d", (len(visible), 3))
        return Joints(points, _confidence(visible), WHOLE_BODY_ORDER)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def read_openpose(path: Path) -> tuple[ImageJoints, ...]:
    """All people in an OpenPose file; a part of the body that it leaves out has confidence 0."""
    content = read_json(path)
    try:
        people = content.get("people") if isinstance(content, dict) else None
        if not isinstance(people, list) or len(people) > _MOST_PEOPLE:
            raise FormatError("has no list of people")
        return tuple(_person(person, f"person {number}") for number, person in enumerate(people))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _person(person: object, name: str) -> ImageJoints:
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        raise FormatError(f"{name} has no pose_keypoints_2d")
    rows = np.concatenate(
        [
            exactly(person[part], f"{name}: {part}", (count, 3))
            if person.get(part)
            else np.zeros((count, 3))
            for part, count in _OPENPOSE_PARTS.items()
        ]
    )
    return ImageJoints(rows[:, :2], _confidence(rows[:, 2]), OPENPOSE_ORDER)


def _confidence(values: F64) -> F64:
    if values.min() < 0:
        raise FormatError(f"a confidence is {values.min():g}; 0 is the least there is")
    return values


def _short(rows: F64) -> list[list[float]]:
    return [[float(f"{value:.{_DIGITS}g}") for value in row] for row in rows]
