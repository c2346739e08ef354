"""An ear: a cupped plate with a rolled rim, a hollow, a ridge inside the rim and a lobe.

Works in metres with heights above the floor, on the left side. Refuses to know the rest of the head.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from pipeline.records import F32, F64
from pipeline.synth.face import Relief, grid, polyline_distance, signed_outline
from pipeline.synth.solids import ellipsoid, in_frame, smooth_max, smooth_min

CENTRE = (0.0792, 1.608, -0.008)
TRAGUS = (0.0765, 1.604, 0.001)
_TILT, _FLARE = np.radians(10.0), np.radians(24.0)
_UP = np.array([0.20, np.cos(_TILT), -np.sin(_TILT)])
_OUT = np.array([np.cos(_FLARE), 0.0, np.sin(_FLARE)])
_LOW = (-0.026, -0.040)
_SIZE = (104, 160)
_REACH = (0.025, 0.039)
# in the ear's own plane, millimetres: forwards, upwards
_OUTLINE = (
    (13, 8), (14.5, 14), (13.5, 21), (9, 27), (2, 30), (-6, 29), (-12.5, 24), (-16, 16), (-17, 7),
    (-15.5, -3), (-11, -12), (-6, -19), (-2.5, -25), (1.5, -29), (6.5, -29.5), (10, -25), (10.5, -18),
    (10, -10), (11, -2), (13, 8),
)  # fmt: skip
_RIM = (
    (3, 1), (8, 4.5), (11.2, 9), (12.2, 15), (11, 20.5), (7, 25.5), (1.5, 27.6), (-5.5, 26.6),
    (-11, 22), (-14, 15), (-14.8, 7), (-13.3, -2.5), (-9.5, -10.5), (-5.5, -16),
)  # fmt: skip
_RIDGE = ((0.5, -15.5), (-4, -11.5), (-7.5, -5), (-8.5, 2), (-7, 8.5), (-4, 14), (-1, 19))
_FORK = ((-6.5, 8.5), (-1, 11), (5, 12.5))


def _frame() -> F64:
    forward = np.cross(_UP, _OUT)
    up = np.cross(_OUT, forward)
    rows = np.stack([forward, up, _OUT])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@lru_cache(maxsize=1)
def _plate() -> tuple[Relief, Relief]:
    """The height of the ear's outer side over its plane, and the signed distance to its outline."""
    a, b = (v * 1e3 for v in grid(_LOW, _SIZE))
    rim, along = polyline_distance(a, b, _RIM)
    ridge, up = polyline_distance(a, b, _RIDGE)
    fork, _ = polyline_distance(a, b, _FORK)
    height = np.zeros_like(a)
    height += (
        3.6 * np.exp(-((rim / 2.3) ** 2)) * np.clip(along * 6, 0.25, 1) * np.clip((1 - along) * 5, 0.3, 1)
    )
    height += 3.4 * np.exp(-((ridge / 2.6) ** 2)) * np.clip((1 - up) * 2.5, 0.3, 1)
    height += 2.0 * np.exp(-((fork / 2.2) ** 2))
    hollow = ((a - 1.5) / 7.0) ** 2 + ((b + 4.5) / 9.5) ** 2
    height -= 9.0 * np.exp(-(hollow**1.6))
    height += 4.6 * np.exp(-(((a - 9.8) / 2.6) ** 2) - ((b + 4.0) / 3.8) ** 2)  # tragus
    height += 2.6 * np.exp(-(((a - 3.0) / 3.0) ** 2) - ((b + 15.0) / 2.6) ** 2)  # antitragus
    height += 0.8 * np.exp(-(((a - 4) / 5) ** 2) - ((b + 23) / 5) ** 2)  # lobe
    edge = gaussian_filter(signed_outline(a, b, _OUTLINE), 2.0)
    return Relief.of(gaussian_filter(height, 1.0) * 1e-3, _LOW), Relief.of(edge * 1e-3, _LOW)


def ear(p: F32, size: float) -> F32:
    """Distance to the left ear; `size` scales it."""
    scale = np.float32(1 / size)
    local = in_frame(p, CENTRE, _frame().tolist()) * scale
    top, outline = _plate()
    height, flat = top.at(local[0], local[1])
    edge, _ = outline.at(local[0], local[1])
    beyond = [
        np.maximum(np.abs(local[i] + np.float32(0.0003)) - np.float32(_REACH[i]), 0) for i in range(2)
    ]
    edge += np.maximum(beyond[0], beyond[1])  # the outline's table ends; distance goes on
    thick = np.float32(0.0030 / size)  # or a small ear would fall between samples
    sheet = (np.abs(local[2] - height + thick) - thick) * flat
    plate = smooth_max(sheet, edge, 0.0025)
    root = ellipsoid(local, (0.005, -0.001, -0.0115), (0.0110, 0.0200, 0.0105))
    root = smooth_max(root, (local[2] - height + thick) * flat, 0.003)
    return np.asarray(smooth_min(plate, root, 0.006) * np.float32(size), dtype=np.float32)


def hollows(p: F32, size: float) -> F32:
    """How deep (0..1) in the folds of the ear each place lies, for the shade in them."""
    local = in_frame(p, CENTRE, _frame().tolist()) * np.float32(1 / size)
    height, _ = _plate()[0].at(local[0], local[1])
    within = (np.abs(local[0]) < 0.020) & (np.abs(local[1]) < 0.034) & (np.abs(local[2]) < 0.02)
    return np.asarray(np.clip((-0.0004 - height) * np.float32(180), 0, 1) * within, dtype=np.float32)
