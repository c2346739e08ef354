"""Cameras: which pixel a point falls on, and which ray a pixel looks along.

Refuses to know how a picture is drawn.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F64, Camera

FIELD_OF_VIEW = 50.0  # degrees, across the whole picture
DISTANCE = 1.0  # from the camera to the origin, which is the person's centre


def portrait_camera(size: int, parallel: bool = False) -> Camera:
    """The camera of every view: at (0, 0, 1), looking along -z, up +y, `size` pixels square.

    A parallel one shows as much, in the plane of the person's centre.
    """
    rotation = np.diag([1.0, -1.0, -1.0])
    focal = size / (2 * np.tan(np.radians(FIELD_OF_VIEW) / 2))
    return Camera(
        width=size,
        height=size,
        fx=focal,
        fy=focal,
        cx=size / 2,
        cy=size / 2,
        rotation=rotation,
        translation=-rotation @ np.array([0.0, 0.0, DISTANCE]),
        parallel=parallel,
    )


def position(camera: Camera) -> F64:
    """Where the camera is in the world (3,)."""
    return np.asarray(-camera.rotation.T @ camera.translation)


def project(points: F64, camera: Camera) -> F64:
    """World points (N, 3) as pixels and ray length (N, 3): u, v, distance from the camera.

    A parallel camera's rays start on its plane. Points on or behind that plane have no image and come back
    as NaN.
    """
    seen = points @ camera.rotation.T + camera.translation
    z = np.where(seen[:, 2] > 0, seen[:, 2], np.nan)
    away = np.where(np.isnan(z), np.nan, 1.0) if camera.parallel else z
    u = camera.fx * seen[:, 0] / away + camera.cx
    v = camera.fy * seen[:, 1] / away + camera.cy
    length = z if camera.parallel else np.where(np.isnan(z), np.nan, np.linalg.norm(seen, axis=1))
    return np.stack([u, v, length], axis=1)


def rays(camera: Camera) -> tuple[F64, F64]:
    """Where each pixel's ray starts and its unit direction, in the world (H, W, 3)."""
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    nothing, ahead = np.zeros_like(u), np.ones_like(u)
    if camera.parallel:
        starts, seen = np.stack([x, y, nothing], axis=-1), np.stack([nothing, nothing, ahead], axis=-1)
    else:
        starts, seen = np.zeros((*u.shape, 3)), np.stack([x, y, ahead], axis=-1)
    directions = seen / np.linalg.norm(seen, axis=-1, keepdims=True)
    return (starts - camera.translation) @ camera.rotation, directions @ camera.rotation
