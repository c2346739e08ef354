"""HuGe100K's NPY files: a SMPL-X body in 189 numbers, and the camera of every picture of it.

Refuses to know the pictures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.bounded import read_whole
from pipeline.formats.npy import parse_npy
from pipeline.formats.numbers import exactly
from pipeline.formats.parameters import body_of
from pipeline.records import Camera, Capture

WIDTH, HEIGHT = 640, 896  # of the pictures; the files do not say it
_ORDER = {
    "scale": 1, "transl": 3, "global_orient": 3, "body_pose": 63, "betas": 10, "left_hand_pose": 45,
    "right_hand_pose": 45, "jaw_pose": 3, "leye_pose": 3, "reye_pose": 3, "expression": 10,
}  # fmt: skip
_MOST_CAMERAS = 1_000
_SQUARE = 1e-3  # how far a camera's axes may be from square


def read_capture(path: Path) -> Capture:
    """The body and the cameras in a parameter file."""
    raw = read_whole(path)
    try:
        content = parse_npy(raw)
        named = content[0] if isinstance(content, list) and len(content) == 1 else None
        if not isinstance(named, dict) or not {"smpl_params", "poses"} <= named.keys():
            raise FormatError("is not an object of smpl_params and poses")
        poses = named["poses"]
        if not isinstance(poses, list | tuple) or not 0 < len(poses) <= _MOST_CAMERAS:
            raise FormatError("poses is not a list of cameras")
        cameras = tuple(_camera(pose, f"camera {number}") for number, pose in enumerate(poses))
        return _capture(named["smpl_params"], cameras)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _capture(numbers: object, cameras: tuple[Camera, ...]) -> Capture:
    row = exactly(numbers, "smpl_params", (sum(_ORDER.values()),))
    parts = np.split(row, np.cumsum(list(_ORDER.values()))[:-1])
    values = dict(zip(_ORDER, parts, strict=True))
    scale, transl = values.pop("scale").item(), values.pop("transl")
    return Capture(body_of(dict(values), "neutral"), cameras, scale, transl)


def _camera(pose: object, name: str) -> Camera:
    """One camera: its matrix from the world (x right, y down, z forward), focal lengths and centre."""
    if not isinstance(pose, list | tuple) or len(pose) != 2:
        raise FormatError(f"{name} is not a pair of a matrix and four numbers")
    matrix = exactly(pose[0], f"{name}: its matrix", (4, 4))
    fx, fy, cx, cy = exactly(pose[1], f"{name}: its lengths", (4,)).tolist()
    turn = matrix[:3, :3]
    skew = np.abs(turn @ turn.T - np.eye(3)).max() if np.abs(turn).max() < 2 else np.inf
    if skew > _SQUARE or np.linalg.det(turn) < 0 or np.abs(matrix[3] - [0, 0, 0, 1]).max() > _SQUARE:
        raise FormatError(f"{name} has a matrix that is not a turn and a move")
    if min(fx, fy) <= 0:
        raise FormatError(f"{name} has a focal length of {min(fx, fy):g}; it must be above 0")
    return Camera(WIDTH, HEIGHT, fx, fy, cx, cy, turn, matrix[:3, 3])
