"""Turning and scaling: where a scan's centre, size and front are, and how a view turns the person.

Refuses to know where the evidence came from.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F32, F64, Alignment

FILL = 2.8  # a scan's farthest coordinate ends up at 1 / FILL
REACH = 3**0.5 / FILL  # so no aligned vertex is farther than this from the origin


def turn_y(angle: float) -> F64:
    """Rotation about +y by radians (3, 3): takes +z towards +x."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def turn_x(angle: float) -> F64:
    """Rotation about +x by radians (3, 3): takes +y towards +z."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def view_turn(yaw: float, pitch: float) -> F64:
    """How a view turns the aligned person (3, 3): first by yaw, then by pitch, both in degrees."""
    return np.asarray(turn_x(np.radians(pitch)) @ turn_y(np.radians(yaw)))


def rotation_of(axis_angle: F64) -> F64:
    """The rotation (3, 3) about the direction of `axis_angle` (3,) by its length."""
    angle = float(np.linalg.norm(axis_angle))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = np.asarray(axis_angle, dtype=np.float64) / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))


def front_yaw(global_orient: F64) -> float:
    """Where a body with this root rotation faces: radians about +y, 0 = +z, a quarter turn = +x."""
    forward = rotation_of(global_orient) @ np.array([0.0, 0.0, 1.0])
    return float(np.arctan2(forward[0], forward[2]))


def scale_about(vertices: F32, centre: F64) -> float:
    """The factor that takes the farthest coordinate from `centre` to 1 / FILL."""
    reach = max(
        max(float(column.max()) - c, c - float(column.min()))
        for column, c in zip(vertices.T, centre, strict=True)
    )
    return 1.0 / (FILL * float(reach))


def aligned(vertices: F32, alignment: Alignment) -> F32:
    """Vertices (V, 3) centred, scaled, and turned so that the person faces +z."""
    turn = turn_y(-alignment.front_yaw) * alignment.scale
    moved = np.empty_like(vertices)
    step = 1 << 18
    for start in range(0, len(vertices), step):
        moved[start : start + step] = (
            vertices[start : start + step].astype(np.float64) - np.array(alignment.centre)
        ) @ turn.T
    return moved
