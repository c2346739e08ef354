"""Where pixels' rays end: a picture's points in space. Refuses to know what is seen there."""

from __future__ import annotations

import numpy as np

from pipeline.records import F32, F64, Camera


def unproject(u: F64, v: F64, lengths: F64, camera: Camera) -> F32:
    """World points (N, 3) of places in a picture, u right and v down in pixels, and lengths of rays (N,).

    The opposite of `project`.
    """
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    if camera.parallel:
        seen = np.stack([x, y, lengths])
    else:
        away = lengths / np.sqrt(x * x + y * y + 1)
        seen = np.stack([x * away, y * away, away])
    seen -= camera.translation[:, None]
    return np.ascontiguousarray((camera.rotation.T @ seen).T, dtype=np.float32)
