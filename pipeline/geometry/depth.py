"""Ray lengths as 16-bit numbers and back. Refuses to know files."""

from __future__ import annotations

import numpy as np

from pipeline.geometry.camera import DISTANCE
from pipeline.records import F32, F64, U16, Camera

_STEPS = 32.0  # stored steps to a pixel of the focal plane
_FULL_SIZE = 2048  # pixels; larger pictures take its code, for their own would not fit 16 bits
_LEAST, _MOST = 1, np.iinfo(np.uint16).max  # 0 is "nothing"


def coding_of(camera: Camera) -> tuple[float, float, float]:
    """How a camera's ray lengths are stored: `(length - first) * second + third`."""
    steps = _STEPS * min(1.0, _FULL_SIZE / camera.width)
    return DISTANCE, camera.fx * steps, camera.cx * steps


def encode(length: F32, camera: Camera) -> U16:
    """Ray lengths (H, W), 0 = nothing, as `((d - 1) * f + c) * 32`, rounded to the nearest.

    A length beyond what 16 bits hold takes the nearest value that is not "nothing".
    """
    near, scale, middle = coding_of(camera)
    stored = np.zeros(length.shape, dtype=np.uint16)
    hit = length > 0
    steps = (length[hit].astype(np.float64) - near) * scale + middle
    stored[hit] = np.clip(np.rint(steps), _LEAST, _MOST).astype(np.uint16)
    return stored


def decode(stored: U16, camera: Camera) -> F64:
    """Ray lengths (H, W) from stored depth; 0 = nothing."""
    near, scale, middle = coding_of(camera)
    lengths = (stored.astype(np.float64) - middle) / scale + near
    return np.where(stored > 0, lengths, 0.0)
