"""Ray lengths as 16-bit numbers and back. Refuses to know files."""

from __future__ import annotations

import numpy as np

from pipeline.geometry.camera import DISTANCE
from pipeline.records import F32, F64, U16, Camera

STEPS = 32.0  # stored steps to a pixel of the focal plane


def encode(length: F32, camera: Camera) -> U16:
    """Ray lengths (H, W), 0 = nothing, as `((d - 1) * f + c) * 32`, rounded to the nearest.

    A length beyond what 16 bits hold takes the nearest value that is not "nothing".
    """
    stored = np.zeros(length.shape, dtype=np.uint16)
    hit = length > 0
    steps = ((length[hit].astype(np.float64) - DISTANCE) * camera.fx + camera.cx) * STEPS
    stored[hit] = np.clip(np.rint(steps), 1, np.iinfo(np.uint16).max).astype(np.uint16)
    return stored


def decode(stored: U16, camera: Camera) -> F64:
    """Ray lengths (H, W) from stored depth; 0 = nothing."""
    lengths = (stored.astype(np.float64) / STEPS - camera.cx) / camera.fx + DISTANCE
    return np.where(stored > 0, lengths, 0.0)
