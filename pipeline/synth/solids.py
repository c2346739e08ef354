"""Signed distances of simple solids, and how they melt into each other.

Points are (3, N) float32, rows x, y, z; every distance is (N,), negative inside, exact or a little short
near the surface. Refuses to know what a body is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from pipeline.records import F32, F64

Vector = Sequence[float] | F32 | F64
Distance = Callable[[F32], F32]


def mirrored(points: F32) -> F32:
    """The points with x made positive: what is built on the left stands on the right too."""
    folded = points.copy()
    np.abs(points[0], out=folded[0])
    return folded


def in_frame(points: F32, origin: Vector, rows: Sequence[Vector]) -> F32:
    """Points in the frame whose axes are the three given directions (made unit length)."""
    axes = np.array(rows, dtype=np.float64)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    place = axes @ np.array(origin, dtype=np.float64)
    moved = axes.astype(np.float32) @ points
    return np.asarray(moved - place.astype(np.float32)[:, None], dtype=np.float32)


def sphere(points: F32, centre: Vector, radius: float) -> F32:
    """Distance to a sphere."""
    x, y, z = (points[i] - np.float32(centre[i]) for i in range(3))
    return np.asarray(np.sqrt(x * x + y * y + z * z) - np.float32(radius))


def ellipsoid(points: F32, centre: Vector, radii: Vector) -> F32:
    """Distance to an ellipsoid along the axes, first order near the surface."""
    x, y, z = ((points[i] - np.float32(centre[i])) * np.float32(1 / radii[i]) for i in range(3))
    a, b, c = x * x, y * y, z * z
    k0 = np.sqrt(a + b + c)
    ra, rb, rc = (np.float32(1 / r**2) for r in radii)
    k1 = np.sqrt(a * ra + b * rb + c * rc)
    return np.asarray(k0 * (k0 - np.float32(1)) / np.maximum(k1, np.float32(1e-9)), dtype=np.float32)


def cone(points: F32, start: Vector, end: Vector, radii: tuple[float, float]) -> F32:
    """Distance to a capsule whose radius goes from one value to the other."""
    a = np.array(start, dtype=np.float32)
    along = np.array(end, dtype=np.float32) - a
    x, y, z = (points[i] - a[i] for i in range(3))
    t = (x * along[0] + y * along[1] + z * along[2]) * np.float32(1 / float(along @ along))
    np.clip(t, 0, 1, out=t)
    x, y, z = x - t * along[0], y - t * along[1], z - t * along[2]
    reach = np.sqrt(x * x + y * y + z * z)
    return np.asarray(reach - (np.float32(radii[0]) + t * np.float32(radii[1] - radii[0])))


def box(points: F32, centre: Vector, half: Vector, rounding: float) -> F32:
    """Distance to a box of the given half sizes with rounded edges (rounding within the size)."""
    q = [np.abs(points[i] - np.float32(centre[i])) - np.float32(half[i] - rounding) for i in range(3)]
    outside = np.sqrt(sum(np.maximum(v, 0) ** 2 for v in q))
    inside = np.minimum(np.maximum(np.maximum(q[0], q[1]), q[2]), 0)
    return np.asarray(outside + inside - np.float32(rounding), dtype=np.float32)


@dataclass(frozen=True)
class Loft:
    """A solid swept along y through cross-sections that are superellipses, front and back apart.

    Each station: y, centre x, centre z, half width, half depth to the front (+z), half depth to the
    back, exponent (2 is an ellipse, more is boxier). Between stations everything is a smooth cubic.
    """

    stations: Sequence[Vector]
    samples: int = 512

    def __post_init__(self) -> None:
        table = np.array(self.stations, dtype=np.float64)
        order = np.argsort(table[:, 0])
        heights = table[order, 0]
        fine = np.linspace(heights[0], heights[-1], self.samples)
        values = PchipInterpolator(heights, table[order, 1:])(fine)
        object.__setattr__(self, "_low", float(heights[0]))
        object.__setattr__(self, "_step", float(fine[1] - fine[0]))
        object.__setattr__(self, "_values", np.ascontiguousarray(values.T, dtype=np.float32))

    def at(self, y: F32) -> F32:
        """Centre x, centre z, width, front, back, exponent at each height (6, N); ends go on."""
        low, step, values = self._low, self._step, self._values  # type: ignore[attr-defined]
        place = np.clip((y - np.float32(low)) * np.float32(1 / step), 0, self.samples - 1.001)
        index = place.astype(np.int32)
        part = place - index
        first = values[:, index]
        return np.asarray(first + part * (values[:, index + 1] - first), dtype=np.float32)

    def distance(self, points: F32, cap: float = 0.02) -> F32:
        """Distance to the swept solid, its two ends cut flat and rounded by `cap`."""
        x, y, z = points
        centre_x, centre_z, width, front, back, power = self.at(y)
        dx = np.abs(x - centre_x)
        dz = z - centre_z
        depth = np.where(dz > 0, front, back)
        dz = np.abs(dz)
        tiny = np.float32(1e-9)
        q = ((dx / width) ** power + (dz / depth) ** power + tiny) ** (1 / power)
        reach = np.sqrt(dx * dx + dz * dz)
        side = np.where(q > 1e-3, reach * (1 - 1 / np.maximum(q, 1e-3)), -np.minimum(width, depth))
        low = self._low  # type: ignore[attr-defined]
        high = low + self._step * (self.samples - 1)  # type: ignore[attr-defined]
        ends = np.abs(y - np.float32((low + high) / 2)) - np.float32((high - low) / 2)
        return smooth_max(np.asarray(side, dtype=np.float32), ends, cap)


def smooth_min(a: F32, b: F32, width: float) -> F32:
    """The union of two solids with a fillet; nothing changes where they differ by over `width`."""
    if width <= 0:
        return np.minimum(a, b)
    h = np.maximum(np.float32(width) - np.abs(a - b), 0)
    return np.asarray(np.minimum(a, b) - h * h * np.float32(0.25 / width), dtype=np.float32)


def smooth_max(a: F32, b: F32, width: float) -> F32:
    """The intersection of two solids with a rounded edge; `smooth_max(a, -b)` carves b out of a."""
    return -smooth_min(-a, -b, width)


def bump(values: F32, centre: float, half_width: float) -> F32:
    """1 at the centre, falling smoothly to 0 at the half width (a raised quartic)."""
    t = np.maximum(1 - ((values - np.float32(centre)) * np.float32(1 / half_width)) ** 2, 0)
    return np.asarray(t * t, dtype=np.float32)


def ramp(values: F32, low: float, high: float) -> F32:
    """0 below `low`, 1 above `high`, smooth between (low may be the greater: then it falls)."""
    t = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


@dataclass(frozen=True)
class Part:
    """One solid of a union: where it is, how it melts into what came before, and its distance."""

    low: Vector
    high: Vector
    melt: float
    distance: Distance

    def misses(self, low: F32, high: F32, reach: float) -> bool:
        """Whether no point of the box can be changed by this part, at distances up to `reach`."""
        grown = reach + self.melt
        before = np.any(np.subtract(self.low, grown) > high)
        return bool(before or np.any(np.add(self.high, grown) < low))


FAR = np.float32(1.0)


def unite(parts: Sequence[Part], points: F32, reach: float) -> F32:
    """Smooth union of the parts near the points; those further than `reach` are passed over.

    Exact where the result is under `reach`: a part whose box, grown by its melt and the reach, misses
    the points' own box cannot matter there.
    """
    low, high = points.min(axis=1), points.max(axis=1)
    total = np.full(points.shape[1], FAR, dtype=np.float32)
    for part in parts:
        if part.misses(low, high, reach):
            continue
        total = smooth_min(total, part.distance(points), part.melt)
    return total
