"""Triangles on a grid of pixels: which pixels they cover, what colour those get, and what lies between.

Refuses to know where the triangles come from.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.records import F32, F64, I32, U8

_JOBS = 2
# where a thin triangle is looked at: its corners, the middles of its sides, its own middle
_ACROSS: F64 = np.concatenate([np.eye(3), (1 - np.eye(3)) / 2, np.full((1, 3), 1 / 3)])
_STEP = 1 << 16  # triangles at once
_ENTRIES = 1 << 18  # covered pixels at once


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """Which triangle covers which pixel's centre; triangles ascend, a pixel is row * size + column."""

    triangle: I32
    pixel: I32
    size: int


def cover(corners: F64, size: int) -> Cover:
    """The pixels of a square that triangles (F, 3, 2) cover.

    Triangles that share a side never share a pixel, whichever way the side runs.
    """
    with ThreadPoolExecutor(_JOBS) as pool:
        starts = range(0, len(corners), _STEP)
        parts = list(pool.map(lambda i: _cover(corners[i : i + _STEP], size, i), starts))
    return Cover(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), size)


def _cover(corners: F64, size: int, first: int) -> tuple[I32, I32]:
    """Triangles, counted from `first`, and pixels: rows cut by the long side and one of the short ones."""
    order = np.argsort(corners[..., 1], axis=1, kind="stable")
    x0, x1, x2 = np.take_along_axis(corners[..., 0], order, axis=1).T
    y0, y1, y2 = np.take_along_axis(corners[..., 1], order, axis=1).T
    top = np.ceil(y0 - 0.5).astype(np.int64)
    rows = np.ceil(y2 - 0.5).astype(np.int64) - top
    triangle, row = _expanded(top, rows)

    def crossing(xa: F64, ya: F64, xb: F64, yb: F64) -> F64:
        slope = np.divide(xb - xa, yb - ya, out=np.zeros_like(xa), where=yb > ya)
        return np.asarray(np.repeat(xa, rows) + (centre - np.repeat(ya, rows)) * np.repeat(slope, rows))

    centre = row + 0.5
    long = crossing(x0, y0, x2, y2)
    short = np.where(centre < np.repeat(y1, rows), crossing(x0, y0, x1, y1), crossing(x1, y1, x2, y2))
    start = np.ceil(np.minimum(long, short) - 0.5).astype(np.int64)
    span, column = _expanded(start, np.ceil(np.maximum(long, short) - 0.5).astype(np.int64) - start)
    return (triangle[span] + first).astype(np.int32), (row[span] * size + column).astype(np.int32)


def _expanded(
    start: npt.NDArray[np.int64], count: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], ...]:
    """For each run its number, repeated, and start, start + 1 ... of it."""
    run = np.repeat(np.arange(len(start)), count)
    before = np.cumsum(count) - count
    return run, np.arange(len(run)) - np.repeat(before - start, count)


def filled(corners: F64, colors: U8, covered: Cover, gutter: int) -> U8:
    """A picture (size, size, 3) of triangles (F, 3, 2) with colours (F, 3, 3) at their corners.

    Colours go on for `gutter` pixels around, and all that remains has their mean.
    """
    size, pixel = covered.size, covered.pixel
    image = np.zeros((size * size, 3), dtype=np.float32)
    known = np.zeros(size * size, dtype=np.bool_)

    def fill(i: int) -> None:
        some, place = covered.triangle[i : i + _ENTRIES], pixel[i : i + _ENTRIES]
        image[place] = _blended(corners, colors, some, place, size)

    with ThreadPoolExecutor(_JOBS) as pool:
        list(pool.map(fill, range(0, len(pixel), _ENTRIES)))
    known[pixel] = True
    _touch(image, known, corners, colors, covered)
    mean = image[pixel].mean(axis=0, dtype=np.float64) if len(pixel) else np.zeros(3)
    _grow(image, known, size, gutter)
    image[~known] = mean
    return np.rint(image).astype(np.uint8).reshape(size, size, 3)


def _blended(corners: F64, colors: U8, triangle: I32, pixel: I32, size: int) -> F32:
    """Colours (N, 3) at the centres of pixels, from the triangles that cover them."""
    first, last = int(triangle[0]), int(triangle[-1]) + 1
    near = corners[first:last]
    ox, oy = near[:, 0].T
    (ax, ay), (bx, by) = (near[:, 1] - near[:, 0]).T, (near[:, 2] - near[:, 0]).T
    area = ax * by - bx * ay
    share = np.divide(1, area, out=np.zeros_like(area), where=np.abs(area) > 1e-9)
    to_v = np.stack([by * share, -bx * share]).astype(np.float32)
    to_w = np.stack([-ay * share, ax * share]).astype(np.float32)
    which = triangle - first
    row, column = np.divmod(pixel, size)
    px, py = (column + 0.5 - ox[which]).astype(np.float32), (row + 0.5 - oy[which]).astype(np.float32)
    v = np.clip(px * to_v[0, which] + py * to_v[1, which], 0, 1)
    w = np.clip(px * to_w[0, which] + py * to_w[1, which], 0, 1)
    shades = colors[first:last].astype(np.float32)
    shades[:, 1:] -= shades[:, :1]
    shades = shades[which]
    return np.asarray(shades[:, 0] + v[:, None] * shades[:, 1] + w[:, None] * shades[:, 2])


def _touch(image: F32, known: npt.NDArray[np.bool_], corners: F64, colors: U8, covered: Cover) -> None:
    """Give triangles too thin to cover a pixel those they touch that nothing else has."""
    bare = np.ones(len(corners), dtype=np.bool_)
    bare[covered.triangle] = False
    thin = np.flatnonzero(bare)
    places = np.floor(_ACROSS @ corners[thin]).astype(np.int64).reshape(-1, 2)
    shades = (_ACROSS.astype(np.float32) @ colors[thin].astype(np.float32)).reshape(-1, 3)
    pixel = places[:, 1] * covered.size + places[:, 0]
    free = np.flatnonzero(~known[pixel])
    image[pixel[free]] = shades[free]
    known[pixel] = True


def _grow(image: F32, known: npt.NDArray[np.bool_], size: int, steps: int) -> None:
    """Give unknown pixels next to known ones the mean of those, several times over."""
    shifts = [dy * size + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    grid = known.reshape(size, size)
    for _ in range(steps):
        near = grid.copy()
        near[1:] |= grid[:-1]
        near[:-1] |= grid[1:]
        sides = near.copy()
        near[:, 1:] |= sides[:, :-1]
        near[:, :-1] |= sides[:, 1:]
        near[[0, -1]] = near[:, [0, -1]] = False
        edge = np.flatnonzero(near & ~grid)
        total, count = np.zeros((len(edge), 3), dtype=np.float32), np.zeros(len(edge), dtype=np.float32)
        for shift in shifts:
            there = known[edge + shift]
            total[there] += image[edge[there] + shift]
            count += there
        image[edge] = total / count[:, None]
        known[edge] = True
