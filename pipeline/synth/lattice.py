"""A signed distance sampled on the points of a grid, but only near the surface.

The grid is cut into blocks. First every block's corner is sampled, then, in the blocks the surface may
cross, every other point, every other of those, down to the single cell, each time only where the coarser
values allow the surface to be. Each point is sampled exactly once, in chunks that lie close together.
Refuses to know triangles.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.records import F32, F64, I32, Bool
from pipeline.synth.solids import Distance, Vector

Array = npt.NDArray[Any]
_STEPS = tuple(d for d in product((0, 1), repeat=3) if any(d))
_NOWHERE: I32 = np.zeros((0, 3), dtype=np.int32)
_LAYER = {-1: slice(0, 1), 0: slice(None), 1: slice(-1, None)}
_BATCH = 1 << 22  # samples handled at once: small enough for memory, large enough for speed
# Where the surface crosses a cube, the corners' distances, each cut off at one side, are at most 0.88 sides
# on average. Asking for less misses cubes that are barely cut; following the surface finds those again.
_NEAR = 0.8


def _spread_bits(values: I32) -> I32:
    """Ten bits, two empty places between each."""
    v = values.astype(np.int32)
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        v = (v | v << shift) & np.int32(mask)
    return v


def _compact_order(places: I32) -> I32:
    """An order of places (N, 3) in which neighbours in the order are neighbours in space."""
    code = sum(_spread_bits(places[:, i]) << i for i in range(3))
    return np.argsort(np.asarray(code), kind="stable").astype(np.int32)


def corners_of(points: Array) -> list[Array]:
    """Views (n, m, m, m) of a batch of point grids (n, m+1, m+1, m+1): corner 0 to 7 of each cube."""
    cut = (slice(None, -1), slice(1, None))
    return [points[:, cut[i], cut[j], cut[k]] for k, j, i in product((0, 1), repeat=3)]


def any_corner(flags: Bool) -> Bool:
    """Whether any corner of each cube is flagged: (n, m+1, m+1, m+1) to (n, m, m, m)."""
    flags = flags[:, 1:] | flags[:, :-1]
    flags = flags[:, :, 1:] | flags[:, :, :-1]
    return np.asarray(flags[:, :, :, 1:] | flags[:, :, :, :-1])


def _is_near(points: F32, side: float) -> Bool:
    """Whether the surface may cross each cube of the given side; a cube with an unknown corner: no."""
    reach = np.float32(side)
    total = sum(np.clip(c, -reach, reach) for c in corners_of(points))
    return np.asarray(np.abs(total) <= np.float32(8 * _NEAR * side))


@dataclass(frozen=True)
class Sampling:
    """How a distance is asked for.

    `coarse`: the widest spacing in metres; a distance must be about right up to this, and beyond it any
    greater value will do. `chunk`: points asked for at once. `jobs`: threads; they change no byte.
    """

    coarse: float = 0.06
    chunk: int = 40_000
    jobs: int = 2


DEFAULT = Sampling()


class Lattice:
    """Samples of one distance function in a box: `values` (blocks, side, side, side), NaN unknown.

    Everything at the edge of the box counts as outside, so the surface closes there.
    """

    def __init__(
        self, distance: Distance, low: Vector, high: Vector, cell: float, sampling: Sampling
    ) -> None:
        self.distance, self.cell, self.sampling = distance, cell, sampling
        self.side = 1 << int(np.clip(np.floor(np.log2(max(sampling.coarse / cell, 1))), 0, 4))
        extent = np.subtract(high, low, dtype=np.float64)
        self.count = np.ceil((np.ceil(extent / cell) + 2) / self.side).astype(int) + 1
        self.low: F64 = (np.add(low, high) - (self.count - 1) * self.side * cell) / 2
        self.samples = 0
        self.slots = np.full(self.count, -1, dtype=np.int32)
        self.blocks = np.zeros((0, 3), dtype=np.int32)
        self.values = np.zeros((0, self.side, self.side, self.side), dtype=np.float32)
        self._start()
        self._refine()
        self._follow()

    def batches(self) -> Iterator[I32]:
        """The blocks' numbers, some at a time."""
        step = max(1, _BATCH // (self.side + 1) ** 3)
        for first in range(0, len(self.blocks), step):
            yield np.arange(first, min(first + step, len(self.blocks)), dtype=np.int32)

    def beside(self, slots: I32, step: tuple[int, ...]) -> I32:
        """The number of each block's neighbour in a direction; -1 where there is none."""
        places = self.blocks[slots] + np.array(step, dtype=np.int32)
        inside = np.all((places >= 0) & (places < self.count), axis=1)
        found = np.full(len(slots), -1, dtype=np.int32)
        found[inside] = self.slots[tuple(places[inside].T)]
        return found

    def padded(self, array: Array, slots: I32, stride: int = 1) -> Array:
        """A per-block array with the first layers of the neighbours beyond (n, m+1, m+1, m+1).

        Where there is no neighbour: NaN for floats, -1 for integers.
        """
        m = self.side // stride
        missing = np.nan if array.dtype.kind == "f" else -1
        out = np.full((len(slots), m + 1, m + 1, m + 1), missing, dtype=array.dtype)
        out[:, :m, :m, :m] = array[slots[0] : slots[-1] + 1, ::stride, ::stride, ::stride]
        for step in _STEPS:
            found = self.beside(slots, step)
            here = np.flatnonzero(found >= 0)
            there = [0 if s else slice(None, None, stride) for s in step]
            to = [m if s else slice(0, m) for s in step]
            out[(here, *to)] = array[(found[here], *there)]
        return out

    def _allocate(self, places: I32) -> None:
        """Make room for the blocks at these places (N, 3) that have none yet."""
        inside = np.all((places >= 0) & (places < self.count), axis=1)
        places = np.unique(places[inside], axis=0).astype(np.int32)
        places = places[self.slots[tuple(places.T)] < 0]
        places = places[_compact_order(places)]
        self.slots[tuple(places.T)] = len(self.blocks) + np.arange(len(places), dtype=np.int32)
        self.blocks = np.concatenate([self.blocks, places])
        room = np.full((len(places), *self.values.shape[1:]), np.nan, dtype=np.float32)
        self.values = np.concatenate([self.values, room]) if len(self.values) else room

    def _sample(self, places: I32) -> F32:
        """Distances at grid places (N, 3), a chunk at a time, never twice and always in order."""

        def one(first: int) -> F32:
            some = places[first : first + self.sampling.chunk]
            points = np.ascontiguousarray((self.low + some * self.cell).T, dtype=np.float32)
            edge = np.any((some <= 0) | (some >= (self.count - 1) * self.side), axis=1)
            values = self.distance(points)
            return np.where(edge, np.maximum(values, np.float32(self.cell)), values)

        self.samples += len(places)
        starts = range(0, len(places), self.sampling.chunk)
        if not starts:
            return np.zeros(0, dtype=np.float32)
        with ThreadPoolExecutor(self.sampling.jobs) as pool:
            return np.concatenate(list(pool.map(one, starts)))

    def _start(self) -> None:
        """Sample the corner of every block, and make room where the surface may be."""
        places = np.argwhere(self.slots < 0).astype(np.int32)
        places = places[_compact_order(places)]
        coarse = np.empty(self.count, dtype=np.float32)
        coarse[tuple(places.T)] = self._sample(places * np.int32(self.side))
        near = np.argwhere(_is_near(coarse[None], self.side * self.cell)[0])
        self._allocate(np.concatenate([near + step for step in product((0, 1), repeat=3)]))
        self.values[:, 0, 0, 0] = coarse[tuple(self.blocks.T)]

    def _refine(self) -> None:
        """Halve the spacing until it is one cell."""
        stride = self.side
        while stride > 1:
            wanted = np.zeros(self.values.shape, dtype=np.bool_)
            for slots in self.batches():
                near = _is_near(self.padded(self.values, slots, stride), stride * self.cell)
                self._want(wanted, slots, near, stride)
            self._fill(wanted)
            stride //= 2

    def _want(self, wanted: Bool, slots: I32, cubes: Bool, stride: int) -> None:
        """Ask for the 27 points at half the stride of each flagged cube."""
        half = stride // 2
        m = self.side // half
        points = np.zeros((len(slots), m + 1, m + 1, m + 1), dtype=np.bool_)
        for i, j, k in product((0, 1, 2), repeat=3):
            points[:, i : i + m - 1 : 2, j : j + m - 1 : 2, k : k + m - 1 : 2] |= cubes
        self._share(wanted, slots, points, half)

    def _share(self, wanted: Bool, slots: I32, points: Bool, stride: int) -> None:
        """Put flags of padded blocks where their points live: here or in the neighbours."""
        m = self.side // stride
        for step in product((0, 1), repeat=3):
            found = self.beside(slots, step)
            here = np.flatnonzero(found >= 0)
            there = [0 if s else slice(None, None, stride) for s in step]
            taken = [m if s else slice(0, m) for s in step]
            wanted[(found[here], *there)] |= points[(here, *taken)]

    def _fill(self, wanted: Bool) -> None:
        """Sample what is wanted and not known."""
        wanted &= np.isnan(self.values)
        flat = np.flatnonzero(wanted)
        slot, *local = np.unravel_index(flat, self.values.shape)
        places = self.blocks[slot] * np.int32(self.side) + np.stack(local, axis=1).astype(np.int32)
        self.values.reshape(-1)[flat] = self._sample(places)

    def _follow(self) -> None:
        """Complete every cell the surface crosses, and go on wherever that leads."""
        while True:
            wanted = np.zeros(self.values.shape, dtype=np.bool_)
            missing = [_NOWHERE]
            for slots in self.batches():
                points = self.padded(self.values, slots)
                crossed = any_corner(points < 0) & any_corner(points >= 0)
                missing.append(self._missing(slots, crossed))
                crossed &= any_corner(np.isnan(points))
                if crossed.any():
                    corners = np.zeros(points.shape, dtype=np.bool_)
                    for view in corners_of(corners):
                        np.logical_or(view, crossed, out=view)
                    self._share(wanted, slots, corners, 1)
            places = np.concatenate(missing)
            if len(places):
                self._allocate(places)
            elif wanted.any():
                self._fill(wanted)
            else:
                return

    def _missing(self, slots: I32, crossed: Bool) -> I32:
        """Places (N, 3) without a block, next to a side of a block that the surface comes to."""
        places = [_NOWHERE]
        for step in product((-1, 0, 1), repeat=3):
            here = np.flatnonzero(self.beside(slots, step) < 0)
            layer = [_LAYER[s] for s in step]
            met = here[crossed[(slice(None), *layer)][here].any(axis=(1, 2, 3))]
            places.append(self.blocks[slots[met]] + np.array(step, dtype=np.int32))
        found = np.concatenate(places)
        return np.asarray(found[np.all((found >= 0) & (found < self.count), axis=1)])
