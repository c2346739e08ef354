"""Backgrounds that are drawn: rooms with walls, floors and things, out of focus by chance.

They need look like nothing real; they must differ, and have edges and colours that are not the person's.
Refuses to know files.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from pipeline.records import F32, U8

_COARSE = 16  # pixels of a surface for one that is drawn
_LEAST = 16  # side of what is drawn, however small the picture
_OCTAVES = (2, 5, 11, 24)  # cells of noise to a side
_DARKEST, _LIGHTEST = 10, 245  # so that grain neither ends at black nor wraps
_GRAIN = 9  # at most, of 255
_TILE = 32  # rows of grain that are drawn
_FOCUS = (1, 2, 2, 4)  # how many times smaller a scene is drawn


def scene(draw: np.random.Generator, side: int) -> U8:
    """A picture (side, side, 3), by the numbers that are drawn."""
    focus = min(int(draw.choice(_FOCUS)), max(side // _LEAST, 1))
    drawn = side // focus
    picture = _surface(draw, drawn)
    if draw.random() < 0.75:
        _lay_floor(draw, picture)
    for _ in range(draw.integers(0, 5)):
        _place_thing(draw, picture)
    picture = enlarged(picture, side)
    _add_grain(draw, picture)
    return picture


def _surface(draw: np.random.Generator, side: int) -> U8:
    """Light that falls off over a wall, its stains and its cloth: noise at several scales."""
    small = max(side // _COARSE, _LEAST)
    tone = draw.uniform(30, 225) + draw.normal(0, draw.choice((6, 20, 45)), 3)
    field = np.zeros((small, small, 3), dtype=np.float32)
    strength = draw.uniform(4, 35)
    for cells in _OCTAVES:
        grey, tint = draw.normal(0, 1, (cells, cells, 1)), draw.normal(0, 0.25, (cells, cells, 3))
        field += _smooth((grey + tint).astype(np.float32) * np.float32(strength), small)
        strength *= draw.uniform(0.3, 0.8)
    return enlarged(np.clip(field + tone, _DARKEST, _LIGHTEST).astype(np.uint8), side)


def _lay_floor(draw: np.random.Generator, picture: U8) -> None:
    """Another surface below a line that may slope."""
    side = len(picture)
    floor = _surface(draw, side)
    heights = draw.uniform(0.45, 0.95) * side + np.linspace(-1, 1, side) * draw.normal(0, 0.05) * side
    first, last = (int(np.clip(edge, 0, side)) for edge in (heights.min(), heights.max() + 1))
    picture[last:] = floor[last:]
    below = np.arange(first, last)[:, None] > heights
    np.copyto(picture[first:last], floor[first:last], where=below[..., None])


def _place_thing(draw: np.random.Generator, picture: U8) -> None:
    """Something upright with straight edges: a door, a picture on the wall, a cupboard, the next wall."""
    side = len(picture)
    left, width = draw.uniform(-0.2, 1.0) * side, draw.exponential(0.25) * side
    top, height = draw.uniform(-0.3, 0.9) * side, draw.exponential(0.5) * side
    columns = slice(max(int(left), 0), max(int(left + width), 0))
    rows = slice(max(int(top), 0), max(int(top + height), 0))
    part = picture[rows, columns]
    if not part.size:
        return
    if draw.random() < 0.5:  # as the wall, in another light
        part[:] = np.clip(part * np.float32(draw.uniform(0.5, 1.3)), _DARKEST, _LIGHTEST).astype(np.uint8)
    else:
        high, wide = part.shape[:2]
        part[:] = _surface(draw, max(high, wide))[:high, :wide]


def _add_grain(draw: np.random.Generator, picture: U8) -> None:
    """What a sensor adds: the same few rows again and again, which nobody sees."""
    side = len(picture)
    grain = draw.standard_normal((_TILE, side, 3), dtype=np.float32) * np.float32(
        draw.uniform(0, _GRAIN / 4)
    )
    wrapped = np.rint(grain).clip(-_GRAIN, _GRAIN).astype(np.int8).view(np.uint8)
    for top in range(0, side, _TILE):
        rows = picture[top : top + _TILE]
        rows += wrapped[: len(rows)]  # less than nothing wraps to what subtracts as much


def _smooth(field: F32, side: int) -> F32:
    """Noise (n, n, C) as a soft picture (side, side, C)."""
    cells = torch.from_numpy(field).permute(2, 0, 1)[None]
    soft = functional.interpolate(cells, size=(side, side), mode="bicubic", align_corners=False)
    found: F32 = soft[0].permute(1, 2, 0).numpy()
    return found


def enlarged(picture: U8, side: int) -> U8:
    """A picture at another size, soft between its pixels."""
    if len(picture) == side:
        return picture
    pixels = torch.from_numpy(picture)[None].permute(0, 3, 1, 2)
    larger = functional.interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False)
    return np.ascontiguousarray(larger.permute(0, 2, 3, 1)[0].numpy())
