"""Solids drawn as maps: an outline seen from above, and how high and low the solid reaches inside it.

Refuses to know what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial import cKDTree

from pipeline.records import F32, F64
from pipeline.synth.solids import Vector

HeightMap = Callable[[F64, F64], F64]  # places u, v of any shape to heights of that shape

_STEP = 0.001
_MARGIN = 0.030  # how far a chart reaches beyond its outline
_BESIDE = 0.015  # five widths of the widest ridge: farther from its line nothing is left of one


def closed_curve(corners: Sequence[Vector] | F64, samples: int = 768) -> F64:
    """A smooth closed curve (samples, 2) through the corners."""
    places = np.array([*corners, corners[0]], dtype=np.float64)
    steps = np.sqrt(np.linalg.norm(np.diff(places, axis=0), axis=1))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    spline = CubicSpline(along, places, bc_type="periodic")
    return np.asarray(spline(np.linspace(0, along[-1], samples, endpoint=False)))


def outward(curve: F64) -> F64:
    """Unit normals (M, 2) of a closed curve, away from its inside."""
    following = np.roll(curve, -1, axis=0)
    turn = np.sign((curve[:, 0] * following[:, 1] - curve[:, 1] * following[:, 0]).sum())
    along = following - np.roll(curve, 1, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) * turn
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def signed_distance(curve: F64, places: F64) -> F64:
    """Distance (N,) of places (N, 2) to a smooth closed polygon (M, 2), negative inside."""
    _, nearest = cKDTree(curve).query(places, workers=-1)
    best = np.full(len(places), np.inf)
    for start in (nearest, nearest - 1):
        a = curve[start]
        along = np.roll(curve, -1, axis=0)[start] - a
        t = np.clip(((places - a) * along).sum(1) / (along**2).sum(1), 0, 1)
        best = np.minimum(best, np.linalg.norm(places - a - t[:, None] * along, axis=1))
    beyond = ((places - curve[nearest]) * outward(curve)[nearest]).sum(1) > 0
    return np.where(beyond, best, -best)


@dataclass(frozen=True)
class Chart:
    """Values on a regular grid over a plane: `values` (rows, columns, K) from `low` in steps of `step`."""

    low: tuple[float, float]
    step: float
    values: F32

    @staticmethod
    def draw(low: F64, high: F64, maps: Callable[[F64, F64], Sequence[F64]]) -> Chart:
        """Maps of the plane between two corners: their values at places u, v (rows, columns)."""
        u, v = np.meshgrid(*(np.arange(a, b, _STEP) for a, b in zip(low, high, strict=True)), indexing="ij")
        values = np.stack(maps(u, v), axis=-1)
        return Chart((float(low[0]), float(low[1])), _STEP, np.ascontiguousarray(values, dtype=np.float32))

    def at(self, u: F32, v: F32) -> tuple[F32, F32]:
        """Values (K, N) at places u, v, and how far the places lie off the chart (N,)."""
        rows, columns, kinds = self.values.shape
        a = (u - np.float32(self.low[0])) * np.float32(1 / self.step)
        b = (v - np.float32(self.low[1])) * np.float32(1 / self.step)
        i, j = np.clip(a, 0, rows - 1.001), np.clip(b, 0, columns - 1.001)
        off = np.sqrt((a - i) ** 2 + (b - j) ** 2) * np.float32(self.step)
        row, column = i.astype(np.int32), j.astype(np.int32)
        p, q = (i - row)[:, None], (j - column)[:, None]
        flat = self.values.reshape(-1, kinds)
        start = row * columns + column
        first = np.take(flat, start, axis=0)
        first = first + q * (np.take(flat, start + 1, axis=0) - first)
        second = np.take(flat, start + columns, axis=0)
        second = second + q * (np.take(flat, start + (columns + 1), axis=0) - second)
        return (first + p * (second - first)).T, off


def under_line(corners: F64) -> Chart:
    """Distance to what lies under a smooth line through the corners (M, 2), which run forwards.

    Beyond its ends the line goes on level.
    """
    low, high = corners.min(axis=0) - 0.1, corners.max(axis=0) + 0.2
    at = np.arange(low[0] - 0.1, high[0] + 0.1, 5e-4)
    line = np.stack([at, profile(at, *corners.T)], axis=1)
    line = np.vstack([line, [[at[-1], low[1] - 1.0], [at[0], low[1] - 1.0]]])  # closed far below

    def maps(u: F64, v: F64) -> Sequence[F64]:
        return (signed_distance(line, np.stack([u.ravel(), v.ravel()], axis=1)).reshape(u.shape),)

    return Chart.draw(low, high, maps)


def profile(at: F64, places: Vector, values: Vector) -> F64:
    """A smooth curve through values at rising places, level beyond its ends."""
    return np.asarray(PchipInterpolator(places, values)(np.clip(at, places[0], places[-1])))


def beside(u: F64, v: F64, corners: Sequence[Vector]) -> F64:
    """Distance of places to a smooth open line through the corners; infinite beyond `_BESIDE`."""
    places = np.array(corners, dtype=np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    line = CubicSpline(along, places)(np.linspace(0, along[-1], max(int(along[-1] / 2e-4), 2)))
    places = np.stack([u.ravel(), v.ravel()], axis=1)
    away = cKDTree(line).query(places, distance_upper_bound=_BESIDE, workers=-1)[0]
    return np.asarray(away.reshape(u.shape))


def mound(u: F64, v: F64, centre: Vector, size: Vector, turn: float = 0.0) -> F64:
    """A smooth hill, 1 at its centre, e^-1 at its size; `turn` is the angle of its first axis from u."""
    c, s = np.cos(turn), np.sin(turn)
    a = ((u - centre[0]) * c + (v - centre[1]) * s) / size[0]
    b = ((v - centre[1]) * c - (u - centre[0]) * s) / size[1]
    return np.asarray(np.exp(-a * a - b * b))


def ridge(distance: F64, width: float) -> F64:
    """1 on a line, e^-1 at the width beside it."""
    return np.asarray(np.exp(-((distance / width) ** 2)))


def _slope(heights: F64) -> F64:
    """How steep a map (rows, columns) is."""
    return np.asarray(np.hypot(*np.gradient(heights, _STEP)))


@dataclass(frozen=True)
class Slab:
    """A solid between two height maps inside an outline. Chart values: outline, middle, half,
    rounding, and the cosine of the steeper side's slope, which makes heights distances.

    `lower_rounding` limits the rounding of the lower edge, where it is sharper than the upper one.
    """

    chart: Chart
    lower_rounding: float

    @staticmethod
    def draw(
        curve: F64, top: HeightMap, bottom: HeightMap, rounding: float, lower_rounding: float | None = None
    ) -> Slab:
        """From an outline (M, 2) and two height maps; the rounding is kept within the thickness.

        Then at mid height the outline alone decides and both roundings agree.
        """

        def maps(u: F64, v: F64) -> Sequence[F64]:
            upper, lower = top(u, v), bottom(u, v)
            half = np.maximum((upper - lower) / 2, 1e-4)
            cosine = 1 / np.hypot(1, np.maximum(_slope(upper), _slope(lower)))
            kept = np.minimum(rounding, 0.95 * half * cosine)
            places = np.stack([u.ravel(), v.ravel()], axis=1)
            return signed_distance(curve, places).reshape(u.shape), (upper + lower) / 2, half, kept, cosine

        chart = Chart.draw(curve.min(axis=0) - _MARGIN, curve.max(axis=0) + _MARGIN, maps)
        return Slab(chart, rounding if lower_rounding is None else lower_rounding)

    def distance(self, u: F32, v: F32, height: F32) -> F32:
        """Signed distance (N,), a little short where the maps are steep."""
        (outline, middle, half, rounding, cosine), off = self.chart.at(u, v)
        below = np.minimum(rounding, np.float32(self.lower_rounding))
        rounding = np.where(height < middle, below, rounding)
        side = outline + off + rounding
        face = (np.abs(height - middle) - half) * cosine + rounding
        outside = np.sqrt(np.maximum(side, 0) ** 2 + np.maximum(face, 0) ** 2)
        return np.asarray(outside + np.minimum(np.maximum(side, face), 0) - rounding, dtype=np.float32)
