"""Evaluate a function of space only where it matters: near a box.

Refuses to know what is in the box.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.records import F32
from pipeline.synth.solids import FAR, Distance, Vector


def outside_box(points: F32, low: Vector, high: Vector) -> F32:
    """How far points lie outside a box along the axis where they do most (N,), negative inside it.

    It is never longer than the distance to anything within the box.
    """
    total = np.full(points.shape[1], -FAR, dtype=np.float32)
    for axis in range(3):
        np.maximum(total, np.float32(low[axis]) - points[axis], out=total)
        np.maximum(total, points[axis] - np.float32(high[axis]), out=total)
    return total


def near_box(points: F32, low: Vector, high: Vector, margin: float, distance: Distance) -> F32:
    """The distance (N,) within the margin of the box; beyond it that of the box."""
    total = outside_box(points, low, high)
    near = np.flatnonzero(total < margin)
    if len(near):
        total[near] = distance(np.ascontiguousarray(points[:, near]))
    return total


def mask_in_box(points: F32, low: Vector, high: Vector, mask: Callable[[F32], F32]) -> F32:
    """The mask (N,) within a box a little wider than the given one, 0 elsewhere."""
    total = np.zeros(points.shape[1], dtype=np.float32)
    near = np.flatnonzero(outside_box(points, low, high) < 0.004)
    if len(near):
        total[near] = mask(np.ascontiguousarray(points[:, near]))
    return total
