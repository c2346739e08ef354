"""Shoes as solids around a foot that stands flat: sole, upper, collar, laces; and their colours.

Refuses to know what is in them: the caller unites a ballerina with the bare foot, a boot with a leg.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.records import F32
from pipeline.synth.foot import AXES, ORIGIN, framed
from pipeline.synth.last import STYLES, Last, Style, last_of, style_of
from pipeline.synth.near import near_box, outside_box
from pipeline.synth.noise import fractal, noise
from pipeline.synth.skeleton import FLOOR
from pipeline.synth.solids import (
    FAR,
    Vector,
    box,
    bump,
    cone,
    in_frame,
    mirrored,
    ramp,
    smooth_max,
    smooth_min,
)
from pipeline.synth.traits import Colour

LOW = np.array([0.058, FLOOR - 0.026, -0.106])
HIGH = np.array([0.202, FLOOR + 0.226, 0.202])
_MARGIN = 0.02
_LACE = 0.0025
_MELT = 0.020  # between the collar and the rest of the upper
_GROOVE = np.float32(0.0009)  # depth of the furrows around a sole
_ROW_WIDTH = 0.017  # half the distance of the two eyelets of a pair

_MIDDLE = -0.006  # where the middle of the lacing lies, outwards

Place = tuple[float, float, float]
Piece = tuple[Place, Place]

UPPER, SOLE, LACES, SEAM, LINING = range(5)


def sole_of(style: str) -> float:
    """How far the shoe's underside lies below the foot's."""
    return style_of(style).sole


def _panels(style: Style, local: F32) -> F32:
    """How deep points lie inside the raised panels of the upper (N,), metres, negative outside."""
    u, h, f = local
    side = np.abs(u - np.float32(_MIDDLE))
    total = np.full_like(u, -FAR)
    if "toe" in style.trim:
        total = np.maximum(
            total, np.hypot(u + np.float32(0.002), f - np.float32(0.108)) - np.float32(0.072)
        )
        total[f < 0.09] = -FAR
    if "heel" in style.trim:
        slant = np.float32(0.92) * (np.float32(-0.012) - f) + np.float32(0.4) * (np.float32(0.055) - h)
        total = np.maximum(total, np.minimum(slant, np.float32(0.068) - h))
    if "stripe" in style.trim:
        slant = np.float32(0.85) * (f - np.float32(0.045)) - np.float32(0.53) * (h - np.float32(0.03))
        total = np.maximum(total, np.minimum(np.float32(0.007) - np.abs(slant), side - np.float32(0.02)))
    if "lacing" in style.trim:
        first, last = _lacing(style)
        ends = np.minimum(f - np.float32(first), np.float32(last) - f)
        strip = np.minimum(side - np.float32(0.010), np.float32(0.026) - side)
        total = np.maximum(total, np.minimum(ends, strip))
    return np.asarray(total, dtype=np.float32)


def _lacing(style: Style) -> tuple[float, float]:
    """Where the lacing begins and ends, forwards."""
    upright = any(float(row[2]) > 0 for row in style.eyelets)
    return (0.020 if upright else float(style.eyelets[0][0]) - 0.012), float(style.eyelets[-1][0]) + 0.010


def _relief(style: Style, local: F32) -> F32:
    """How far panels and seams move the upper outwards (N,)."""
    u, _, f = local
    total = np.zeros_like(u)
    if style.trim:
        total += np.float32(0.0007) * ramp(_panels(style, local), -0.0012, 0.0012)
    if style.cap:
        total -= bump(_cap(style, local), 0.0, 0.0016) * np.float32(0.0007)
        total -= bump(_cap(style, local), 0.0042, 0.0014) * np.float32(0.0005)
    if style.eyelets:
        first, last = _lacing(style)
        throat = np.minimum(
            np.float32(0.009) - np.abs(u - np.float32(_MIDDLE)), np.float32(last - 0.006) - f
        )
        throat = np.minimum(throat, f - np.float32(first + 0.008))
        total -= ramp(throat, -0.002, 0.003) * np.float32(0.0014)
    return np.asarray(total, dtype=np.float32)


def _cap(style: Style, local: F32) -> F32:
    """How far points lie in front of the seam across the toes (N,)."""
    return np.asarray(
        local[2] - np.float32(style.cap) + np.float32(4.0) * (local[0] + np.float32(0.004)) ** 2
    )


@dataclass(frozen=True)
class Parts:
    """Distances (N,) of the parts of one shoe."""

    sole: F32
    upper: F32
    laces: F32
    opening: F32  # negative where the shoe is hollowed out


def _parts(last: Last, name: str, local: F32) -> Parts:
    style = last.style
    u, h, f = local
    body, collar = _bare(last, local)
    laces = _laces(name, local) if style.eyelets else np.full_like(u, FAR)
    (line,), _ = last.topline.at(f, h)
    near = np.flatnonzero(np.abs(body) < np.float32(0.006))
    if len(near):
        body[near] -= _relief(style, local[:, near])
    body = smooth_max(body, line, 0.004)
    opening = smooth_max(collar + np.float32(style.wall), -(line + np.float32(style.depth)), 0.003)
    if style.depth > 0:
        body = smooth_max(body, -opening, 0.003)
    if style.tongue:
        body = smooth_min(body, _tongue(style, local), 0.003)
    sole = last.sole.distance(u, f, h)
    for groove in style.grooves:
        close = np.abs(sole) < np.float32(0.005)
        sole += (close * bump(h, groove, 0.0022) * _GROOVE).astype(np.float32)
    return Parts(sole, body, laces, opening)


def _tongue(style: Style, local: F32) -> F32:
    """Distance (N,) to the tongue that looks out of the lacing."""
    root, top = (np.array([_MIDDLE * 0.6, h, f]) for f, h in style.tongue)
    seen = in_frame(
        local, (root + top) / 2, ((1.0, 0.0, 0.0), top - root, np.cross(top - root, (1.0, 0.0, 0.0)))
    )
    curved = seen.copy()
    curved[2] += np.float32(8.0) * seen[0] * seen[0]
    curved[1] += np.float32(14.0) * seen[0] * seen[0]
    return box(curved, (0.0, 0.0, 0.0), (0.021, float(np.linalg.norm(top - root)) / 2, 0.0036), 0.0034)


def _shoe(last: Last, name: str, local: F32) -> F32:
    parts = _parts(last, name, local)
    return smooth_min(smooth_min(parts.upper, parts.sole, 0.0012), parts.laces, 0.0025)


def _bare(last: Last, local: F32) -> tuple[F32, F32]:
    """Distance (N,) to the upper with its collar before it is cut open, and to the collar alone."""
    upper = last.upper.distance(local[0], local[2], local[1])
    if last.collar is None:
        return upper, np.full_like(upper, FAR)
    collar = last.collar.distance(local, 0.006)
    return smooth_min(upper, collar, _MELT), collar


def _on_top(last: Last, row: Vector, side: float, lift: float) -> Place:
    """A place on the upper: out of a row's place within, along its angle, `side` off the middle."""
    f, h, angle = (float(v) for v in row)
    ahead = np.array([0.0, np.cos(angle), np.sin(angle)])
    root = np.array([_MIDDLE, h, f])
    out = np.linspace(0.16, 0.0, 1200)[:, None]
    for _ in range(2):  # straight out, then leaning to the side, so that the ray cannot miss
        ray = root + out * ahead
        reach = float(out[np.argmax(_bare(last, ray.T.astype(np.float32))[0] < 0), 0])
        straight = reach * ahead + np.array([side, 0.0, 0.0])
        ahead = straight / np.linalg.norm(straight) if ahead[0] == 0 else ahead
    place = root + (reach + lift) * ahead
    return float(place[0]), float(place[1]), float(place[2])


def _path(*places: Place) -> list[Piece]:
    return list(pairwise(places))


@lru_cache(maxsize=8)
def _lace_pieces(name: str) -> tuple[Piece, ...]:
    """Straight pieces of the laces, lying on the upper: crossings, the lowest bar, and a bow."""
    last = last_of(name)
    rows = last.style.eyelets

    def at(row: Vector, side: float, lift: float) -> Place:
        return _on_top(last, row, side, lift)

    def moved(side: float, forwards: float, lift: float) -> Place:
        f, h, angle = rows[0]
        off = (f + forwards * np.cos(angle), h - forwards * np.sin(angle), angle)
        return at(off, side, lift)

    pieces: list[Piece] = []
    for a, b in pairwise(rows):
        between = tuple((p + q) / 2 for p, q in zip(a, b, strict=True))
        for sign, lift in ((1, 0.0010), (-1, -0.0005)):
            pieces += _path(
                at(a, sign * _ROW_WIDTH, 0.0003), at(between, 0.0, lift), at(b, -sign * _ROW_WIDTH, 0.0003)
            )
    pieces += _path(*(at(rows[-1], side, 0.0004) for side in (-_ROW_WIDTH, 0.0, _ROW_WIDTH)))
    knot = moved(0.0, -0.003, 0.0024)
    for s in (1, -1):
        bow = [moved(s * side, *rest) for side, *rest in _BOW]
        pieces += _path(knot, *bow, knot)
        pieces += _path(knot, *(moved(s * side, *rest) for side, *rest in _TAIL))
        pieces += _path(at(rows[0], -s * _ROW_WIDTH, 0.0003), knot)
    return tuple(pieces)


# off the middle, down the instep, above it
_BOW = ((0.012, -0.003, 0.0036), (0.024, 0.000, 0.0034), (0.030, 0.006, 0.0014), (0.029, 0.011, 0.0008),
        (0.022, 0.012, 0.0010), (0.010, 0.005, 0.0020))  # fmt: skip
_TAIL = ((0.009, 0.010, 0.0020), (0.016, 0.020, 0.0010), (0.021, 0.031, 0.0006), (0.028, 0.038, 0.0006))


def _laces(name: str, local: F32) -> F32:
    """Distance (N,) to the laces; far from them 1."""
    pieces = _lace_pieces(name)
    ends = np.array(pieces)
    low, high = ends.min(axis=(0, 1)) - 0.012, ends.max(axis=(0, 1)) + 0.012
    total = np.full(local.shape[1], FAR, dtype=np.float32)
    near = np.flatnonzero(outside_box(local, low, high) < 0)
    if len(near):
        some = np.ascontiguousarray(local[:, near])
        best = np.full(len(near), FAR, dtype=np.float32)
        for start, end in pieces:
            best = np.minimum(best, cone(some, start, end, (_LACE, _LACE)))
        total[near] = best
    return total


def shoe(points: F32, style: str) -> F32:
    """Signed distance (N,) to a pair of shoes; far from them that of their boxes, which is shorter."""
    last = last_of(style)
    return near_box(
        mirrored(points), LOW, HIGH, _MARGIN, lambda p: _shoe(last, style, in_frame(p, ORIGIN, AXES))
    )


def shoe_zone(points: F32, style: str) -> npt.NDArray[np.int8]:
    """What each point on the skin of a shoe belongs to (N,): UPPER, SOLE, LACES, SEAM or LINING."""
    last = last_of(style)
    local = framed(points)
    parts = _parts(last, style, local)
    zone = np.full(points.shape[1], UPPER, dtype=np.int8)
    inside = _panels(last.style, local)
    trim = (inside > 0) if last.style.trim else np.zeros(len(zone), dtype=bool)
    if last.style.cap:
        trim |= np.abs(_cap(last.style, local) - np.float32(0.002)) < np.float32(0.003)
    if "rim" in last.style.trim:
        (line,), _ = last.topline.at(local[2], local[1])
        trim |= line > -0.003
    zone[trim] = SEAM
    if last.style.depth > 0:
        zone[parts.opening < np.float32(0.0015)] = LINING
    if last.style.tongue:
        zone[_tongue(last.style, local) < np.float32(0.0008)] = UPPER
    zone[parts.sole < parts.upper] = SOLE
    zone[parts.laces < np.minimum(parts.upper, parts.sole)] = LACES
    return zone


def paint_shoe(points: F32, style: str, colour: Colour, second: Colour, seed: int) -> F32:
    """Colours (N, 3) sRGB of points on the skin of a pair of shoes."""
    zone = shoe_zone(points, style)
    made = style_of(style)
    main, other = np.array(colour), np.array(second)
    palette = np.stack([main, other, other * 0.9 + 0.1, main * 0.72 + other * 0.28, main * 0.4 + 0.05])
    if made.grain == "leather":
        palette[SOLE] = np.array([0.16, 0.12, 0.10])
        palette[LACES] = main * 0.45
        palette[SEAM] = main * 0.82
    shade = palette.astype(np.float32)[zone]
    local = framed(points)
    if made.grain == "leather":
        worn = 1 + 0.10 * fractal(points, 0.006, 3, seed) + 0.06 * fractal(points, 0.06, 2, seed + 7)
    else:
        worn = 1 + 0.08 * noise(points, 0.0030, seed) + 0.06 * fractal(points, 0.05, 2, seed + 7)
    dirt = ramp(local[1], 0.012, -made.sole) * (0.35 + 0.35 * fractal(points, 0.03, 3, seed + 13))
    dirt = np.where(zone == SOLE, dirt, 0.15 * dirt)[:, None].astype(np.float32)
    earth = np.array([0.30, 0.26, 0.21], dtype=np.float32)
    mixed = shade * worn[:, None] * (1 - dirt) + earth * dirt
    if made.trim:
        stitch = bump(_panels(made, local), 0.0022, 0.0012) * ((zone == SEAM) | (zone == UPPER))
        mixed = mixed + stitch[:, None] * np.float32(0.25) * (other.astype(np.float32) - mixed)
    return np.asarray(np.clip(mixed, 0, 1), dtype=np.float32)


__all__ = ["HIGH", "LOW", "STYLES", "paint_shoe", "shoe", "shoe_zone", "sole_of"]
