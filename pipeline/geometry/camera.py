"""Cameras: which pixel a point falls on, and which ray a pixel looks along.

Refuses to know GL's handedness anywhere but in `world_to_clip`.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F64, Camera

FIELD_OF_VIEW = 50.0  # degrees, across the whole picture
DISTANCE = 1.0  # from the camera to the origin, which is the person's centre


def portrait_camera(size: int) -> Camera:
    """The camera of every view: at (0, 0, 1), looking along -z, up +y, `size` pixels square."""
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
    )


def position(camera: Camera) -> F64:
    """Where the camera is in the world (3,)."""
    return np.asarray(-camera.rotation.T @ camera.translation)


def project(points: F64, camera: Camera) -> F64:
    """World points (N, 3) as pixels and ray length (N, 3): u, v, distance from the camera.

    Points on or behind the camera plane have no image and come back as NaN.
    """
    seen = points @ camera.rotation.T + camera.translation
    z = np.where(seen[:, 2] > 0, seen[:, 2], np.nan)
    u = camera.fx * seen[:, 0] / z + camera.cx
    v = camera.fy * seen[:, 1] / z + camera.cy
    return np.stack([u, v, np.where(np.isnan(z), np.nan, np.linalg.norm(seen, axis=1))], axis=1)


def rays(camera: Camera) -> F64:
    """The unit direction, in the world, of each pixel's ray (H, W, 3)."""
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    seen = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], axis=-1)
    return np.asarray((seen / np.linalg.norm(seen, axis=-1, keepdims=True)) @ camera.rotation)


def world_to_clip(camera: Camera, near: float, far: float) -> F64:
    """The matrix (4, 4) to GL's clip space, with the picture's row 0 where GL counts row 0.

    GL counts rows from the bottom and pictures from the top; drawing upside down makes what is read
    back the picture itself.
    """
    w, h = camera.width, camera.height
    lens = np.array(
        [
            [2 * camera.fx / w, 0, 2 * camera.cx / w - 1, 0],
            [0, 2 * camera.fy / h, 2 * camera.cy / h - 1, 0],
            [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, 1, 0],
        ]
    )
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation, camera.translation
    return np.asarray(lens @ pose)
