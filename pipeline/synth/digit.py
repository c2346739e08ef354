"""One finger or toe: a straight axis, cross-sections along it, a round tip, creases and a nail.

Refuses to know whose finger it is and what it hangs on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from pipeline.records import F32
from pipeline.synth.near import mask_in_box, near_box
from pipeline.synth.solids import Vector, bump, in_frame, ramp

_SAMPLES = 384
_BOXY = np.float32(0.25)  # 0 makes the sections ellipses, more makes them rounded rectangles
_SKIN = 0.003  # what is painted lies this near to the digit
_MARGIN = 0.012  # beyond this the distance is that of the box around the digit


@dataclass(frozen=True)
class Crease:
    """A furrow across the digit: where along it, how deep, how wide, and on which side (+1 up, -1 down)."""

    at: float
    depth: float
    half_width: float
    side: float


@dataclass(frozen=True)
class Nail:
    """A plate on the upper side: from root to edge along the digit, over a share of its half width."""

    root: float
    edge: float
    share: float
    height: float


@dataclass(frozen=True)
class Local:
    """Points as the digit sees them: along (metres), across and up (1 at the skin), distance."""

    along: F32
    across: F32
    up: F32
    distance: F32


@dataclass(frozen=True)
class Digit:
    """The solid. Stations: place along, half width, depth above and below the axis, rise of the axis.

    The last station is where the round tip of length `tip` begins.
    """

    origin: Vector
    direction: Vector
    up: Vector
    stations: tuple[Vector, ...]
    tip: float
    creases: tuple[Crease, ...] = ()
    nail: Nail | None = None

    def __post_init__(self) -> None:
        table = np.array(self.stations, dtype=np.float64)
        fine = np.linspace(table[0, 0], table[-1, 0], _SAMPLES)
        values = PchipInterpolator(table[:, 0], table[:, 1:])(fine)
        object.__setattr__(self, "_values", np.ascontiguousarray(values, dtype=np.float32))
        along = np.array(self.direction, dtype=np.float64)
        along /= np.linalg.norm(along)
        up = np.array(self.up, dtype=np.float64)
        up -= (up @ along) * along
        up /= np.linalg.norm(up)
        object.__setattr__(self, "_axes", np.array([along, np.cross(up, along), up]))
        start = table[0, 0] - self.tip
        ends = np.array(self.origin) + np.outer([start, table[-1, 0] + self.tip], along)
        reach = float(values[:, :3].max() + np.abs(values[:, 3]).max())
        object.__setattr__(self, "_low", ends.min(axis=0) - reach)
        object.__setattr__(self, "_high", ends.max(axis=0) + reach)

    @property
    def box(self) -> tuple[F32, F32]:
        """Corners of a box around the digit."""
        return self._low, self._high  # type: ignore[attr-defined]

    def local(self, points: F32) -> Local:
        """The digit's own view of points (3, N), without creases and nail."""
        along, across, up = in_frame(points, self.origin, self._axes)  # type: ignore[attr-defined]
        values: F32 = self._values  # type: ignore[attr-defined]
        first, last = float(self.stations[0][0]), float(self.stations[-1][0])
        inner = np.clip(along, np.float32(first), np.float32(last))
        place = (inner - np.float32(first)) * np.float32((_SAMPLES - 1.001) / (last - first))
        index = place.astype(np.int32)
        part = (place - index)[:, None]
        below = np.take(values, index, axis=0)
        rows = (below + part * (np.take(values, index + 1, axis=0) - below)).T
        up = up - rows[3]
        depth = np.where(up > 0, rows[1], rows[2])
        beyond = along - inner
        a, b, c = across / rows[0], up / depth, beyond * np.float32(1 / self.tip)
        aa, bb = a * a, b * b
        whole = aa + bb + c * c
        q = np.sqrt(np.sqrt(np.maximum(whole * whole - 2 * _BOXY * aa * bb, np.float32(1e-8))))
        reach = np.sqrt(across * across + up * up + beyond * beyond)
        core = -np.minimum(rows[0], depth)  # on the axis, where a direction outwards is lacking
        return Local(along, a, b, np.where(q > np.float32(0.1), reach * (1 - 1 / q), core))

    def relief(self, local: Local) -> F32:
        """How far creases and nail move the skin outwards (N,), metres."""
        total = np.zeros_like(local.along)
        for crease in self.creases:
            facing = ramp(local.up * np.float32(crease.side), 0.0, 0.6)
            total -= bump(local.along, crease.at, crease.half_width) * facing * np.float32(crease.depth)
        if self.nail is not None:
            q, facing = self._around(self.nail, local)
            fold = bump(q, 1.14, 0.17) * ramp(local.along, self.nail.edge - 0.001, self.nail.edge - 0.004)
            total += (ramp(q, 1.06, 0.9) - np.float32(0.8) * fold) * facing * np.float32(self.nail.height)
        return total

    def furrows(self, local: Local, widened: float) -> F32:
        """Where the creases are (N,), 1 on them, 0 beyond `widened` times their half width."""
        total = np.zeros_like(local.along)
        for crease in self.creases:
            facing = ramp(local.up * np.float32(crease.side), 0.0, 0.6)
            total = np.maximum(total, bump(local.along, crease.at, widened * crease.half_width) * facing)
        return total

    def plate(self, local: Local) -> F32:
        """Where the nail is (N,): 1 on it, 0 off it."""
        if self.nail is None:
            return np.zeros_like(local.along)
        q, facing = self._around(self.nail, local)
        return ramp(q, 1.06, 0.9) * facing

    def _around(self, nail: Nail, local: Local) -> tuple[F32, F32]:
        """Where points lie about the nail's middle, 1 at its rim (N,), and 1 on the upper side (N,)."""
        middle, half = (nail.root + nail.edge) / 2, (nail.edge - nail.root) / 2
        a = (local.along - np.float32(middle)) * np.float32(1 / half)
        b = local.across * np.float32(1 / nail.share)
        a, b = a * a, b * b
        return np.sqrt(np.sqrt(a * a + b * b)), ramp(local.up, 0.1, 0.3)

    def distance(self, points: F32) -> F32:
        """Signed distance (N,) to the digit; far from it that of its box, which is shorter."""
        low, high = self.box
        return near_box(points, low, high, _MARGIN, self._skin)

    def _skin(self, points: F32) -> F32:
        local = self.local(points)
        return local.distance - self.relief(local)

    def nail_mask(self, points: F32) -> F32:
        """1 on the nail, 0 elsewhere (N,), for points on the skin."""
        return self._painted(points, self.plate)

    def furrow_mask(self, points: F32, widened: float) -> F32:
        """1 in the creases, 0 elsewhere (N,), for points on the skin."""
        return self._painted(points, lambda local: self.furrows(local, widened))

    def _painted(self, points: F32, mask: Callable[[Local], F32]) -> F32:
        def on_skin(some: F32) -> F32:
            local = self.local(some)
            return np.where(np.abs(local.distance) < np.float32(_SKIN), mask(local), np.float32(0))

        return mask_in_box(points, *self.box, on_skin)
