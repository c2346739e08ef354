"""The relief of a face and its features: what a sculptor adds to the masses of a head.

Works in metres with heights above the floor, on the left half (x >= 0); what is built there stands on
the right too. Refuses to know the skull, the neck and the hair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.ndimage import map_coordinates

from pipeline.records import F32, F64
from pipeline.synth.solids import Loft, Vector, cone, ellipsoid, in_frame, smooth_min, sphere
from pipeline.synth.traits import Face

EYE = (0.0315, 1.622, 0.070)
EYE_RADIUS = 0.0122
MOUTH_HALF = 0.0255
BROW = ((0.0105, 1.6384), (0.022, 1.6424), (0.036, 1.6450), (0.047, 1.6425), (0.053, 1.6375))  # x, h
_LID_START = 0.002
_CELL = 0.0005
_LOW = (-0.004, 1.46)  # x, h of the relief's first cell
_SIZE = (200, 500)


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """A height over the plane and how much steeper than flat it is, on a grid of half millimetres."""

    height: F32
    flatness: F32
    low: tuple[float, float]

    @staticmethod
    def of(height: F64, low: tuple[float, float]) -> Relief:
        """The relief of heights (A, B) whose first cell lies at `low`."""
        slope = np.gradient(height, _CELL)
        flatness = 1 / np.sqrt(1 + slope[0] ** 2 + slope[1] ** 2)
        return Relief(height.astype(np.float32), flatness.astype(np.float32), low)

    def at(self, a: F32, b: F32) -> tuple[F32, F32]:
        """Height and flatness (N,) at places; beyond the grid its border goes on."""
        scale = np.float32(1 / _CELL)
        place = np.stack([(a - np.float32(self.low[0])) * scale, (b - np.float32(self.low[1])) * scale])
        height, flatness = (
            map_coordinates(table, place, order=1, mode="nearest", prefilter=False)
            for table in (self.height, self.flatness)
        )
        return height, flatness


def grid(low: tuple[float, float], size: tuple[int, int]) -> tuple[F64, F64]:
    """Both coordinates (A, B) of a relief's cells."""
    a, b = (low[i] + _CELL * np.arange(size[i]) for i in range(2))
    first, second = np.meshgrid(a, b, indexing="ij")
    return first, second


def mouth_line(x: F64) -> F64:
    """Height where the lips part, by |x|: a dip under the middle of the upper lip, corners level."""
    return np.asarray(
        1.5518 - 0.0012 * np.exp(-((x / 0.005) ** 2)) + 0.0008 * np.exp(-(((x - 0.011) / 0.006) ** 2))
    )


def lip_edges(x: F64, lips: float) -> tuple[F64, F64]:
    """How far the red reaches above and below the mouth line, by |x|; 0 beyond the corners."""
    t = np.clip(x / MOUTH_HALF, 0, 1)
    upper = 0.0086 * (1 - t**1.6) - 0.0016 * np.exp(-((x / 0.0028) ** 2))
    lower = 0.0112 * (1 - t**2.2)
    full = 1 + 0.25 * lips
    return np.maximum(upper * full, 0), np.maximum(lower * full, 0)


def lid_edges(x: F64, face: Face) -> tuple[F64, F64]:
    """Heights of the upper and the lower lid's rim, by |x|; they cross at the corners of the eye."""
    t = (x - EYE[0]) / 0.0146
    wide = 1 + 0.14 * face.eyes
    axis = EYE[1] - 0.0006 + 0.0009 * t
    inner = 1 - t * t
    bow = np.sign(inner) * np.abs(inner) ** 0.8
    upper = axis + 0.0053 * wide * bow * (1 - 0.16 * t)
    lower = axis - 0.0046 * wide * bow * (1 + 0.14 * t)
    return upper, lower


# x, h (mm, h over 1.5 m), spread along and across, angle of the long side (degrees), height in mm
Stroke = tuple[float, float, float, float, float, float]


def _strokes(face: Face) -> list[Stroke]:
    """The soft pushes (and, below zero, dents) that make the planes of a face."""
    brow = 2.6 + 1.2 * face.brow
    cheek = 2.4 + 1.6 * face.cheeks
    return [
        (0, 139, 9, 6, 0, 0.6 + 0.6 * face.brow),  # glabella
        (16, 139.5, 8, 4.6, 10, brow * 0.7),  # brow ridge, inner half
        (33, 142.5, 9, 5.0, 0, brow * 0.9),
        (47, 138, 8, 5.0, -32, brow * 1.0),  # and its outer end
        (33, 123, 12.0, 7.5, 0, -4.8 - 0.4 * face.brow),  # socket
        (17, 125, 4.6, 7, 0, -5.5),  # inner corner beside the nose
        (48, 121, 6, 6.5, 0, -2.0),  # outer corner
        (33, 111, 10, 4.0, 0, 1.0),  # below the lower lid
        (46, 103, 12, 8, -25, cheek),  # cheekbone
        (26, 94, 9, 12, 0, 2.0 + 0.8 * face.cheeks),  # cheek beside the nose
        (44, 64, 11, 15, 0, -2.0 + 1.5 * face.cheeks),  # hollow below the cheekbone
        (0, 57, 20, 14, 0, 8.6),  # the teeth behind the lips
        (22.5, 70, 3.6, 12, -35, -1.1),  # nasolabial fold
        (0, 65.5, 2.4, 5.5, 0, -1.3),  # philtrum
        (4.8, 65, 1.7, 5.0, 8, 0.6),
        (28.0, 51.5, 3.5, 4.5, 0, -1.6),  # corners of the mouth
        (0, 36.5, 12, 4.4, 0, -3.0),  # under the lower lip
        (0, 19, 12, 10, 0, 4.4 + 2.4 * face.chin),  # chin
        (0, 13, 2.5, 5, 0, -0.5),
        (29, 25, 9, 8, 35, -0.8),  # beside the chin
        (26, 166, 12, 10, 0, 0.9),  # the two bosses of the forehead
        (58, 150, 8, 13, 10, -2.2),  # temple
    ]


def _lips(x: F64, h: F64, face: Face) -> F64:
    """Heights that the red of the lips and the line between them add."""
    side = np.abs(x)
    line = mouth_line(side)
    upper, lower = lip_edges(side, face.lips)
    taper = np.clip(1 - (side / (MOUTH_HALF + 0.0005)) ** 2, 0, 1) ** 0.7
    above = np.maximum(h - line, 0) / np.maximum(upper, 0.0022)
    below = np.maximum(line - h, 0) / np.maximum(lower, 0.0022)
    swell = 0.0042 * (1 + 0.35 * face.lips)
    edge = 1 / (1 + np.exp((above - 0.92) * 9)) * (h >= line) + 1 / (1 + np.exp((below - 0.86) * 6)) * (
        h < line
    )
    crown = 0.55 + 0.45 * np.exp(-(((above - 0.30) / 0.40) ** 2)) * np.exp(-(((below - 0.42) / 0.45) ** 2))
    gap = np.abs(h - line)
    ends = np.clip(1.08 - (side / (MOUTH_HALF + 0.002)) ** 4, 0, 1)
    part = np.exp(-((gap / 0.0012) ** 2)) * 0.0030 + np.exp(-((gap / 0.0030) ** 2)) * 0.0014 * taper
    return np.asarray(swell * edge * crown * taper - part * ends)


@lru_cache(maxsize=64)
def relief_of(face: Face) -> Relief:
    """How far the face stands out (towards +z) over the head's masses, by |x| and h."""
    x, h = grid(_LOW, _SIZE)
    total = np.zeros_like(x)
    for centre, up, along, across, angle, push in _strokes(face):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        for mirror in (1, -1) if centre > 0 else (1,):
            dx, dh = (mirror * x * 1e3 - centre), (h - 1.5) * 1e3 - up
            u, v = (c * dx + s * dh) / along, (c * dh - s * dx) / across
            total += push * 1e-3 * np.exp(-0.5 * (u * u + v * v))
    return Relief.of(total + _lips(x, h, face), _LOW)


@lru_cache(maxsize=64)
def _lid_table(face: Face) -> F32:
    """Rims of the upper and the lower lid (2, n) from `_LID_START` on, every half millimetre."""
    return np.stack(lid_edges(np.arange(_LID_START, 0.062, _CELL), face)).astype(np.float32)


def eyelids(p: F32) -> F32:
    """The bulge of the lids over the eyeball, still closed."""
    return ellipsoid(p, (EYE[0] + 0.0005, EYE[1] + 0.0006, EYE[2] - 0.0026), (0.0180, 0.0132, 0.0162))


def eye_opening(p: F32, face: Face) -> F32:
    """The almond between the lids, cut back to behind the front of the eyeball."""
    table = _lid_table(face)
    place = np.clip((p[0] - np.float32(_LID_START)) * np.float32(1 / _CELL), 0, table.shape[1] - 1.001)
    index = place.astype(np.int32)
    part = place - index
    upper, lower = (row[index] + part * (row[index + 1] - row[index]) for row in table)
    gap = np.maximum(p[1] - upper, lower - p[1]) * np.float32(0.85)
    return np.asarray(np.maximum(gap, np.float32(EYE[2] - 0.006) - p[2]))


def eyeball(p: F32) -> F32:
    """The eyeball and the wet tissue that fills the corners of the eye."""
    filling = ellipsoid(p, (EYE[0] - 0.0005, EYE[1] - 0.0005, 0.0652), (0.0205, 0.0090, 0.0125))
    return smooth_min(sphere(p, EYE, EYE_RADIUS), filling, 0.002)


@lru_cache(maxsize=64)
def _bridge(face: Face) -> Loft:
    """The pyramid of the nose by height: half width at the cheek and how far it stands out."""
    out, wide, drop = 0.0022 * face.nose_length, 1 + 0.14 * face.nose_width, -0.0022 * face.nose_length
    rows = (
        (1.5705 + drop, 0.0125, 0.0250 + out, 2.0),
        (1.5765 + drop, 0.0150, 0.0325 + out, 1.9),
        (1.5835 + drop, 0.0148, 0.0345 + out, 1.85),
        (1.5950, 0.0142, 0.0310 + 0.7 * out, 1.8),
        (1.6100, 0.0128, 0.0240 + 0.3 * out, 1.8),
        (1.6250, 0.0100, 0.0172, 1.8),
        (1.6400, 0.0090, 0.0150, 1.9),
    )
    return Loft([(h, 0.0, 0.072, w * wide, f, 0.012, q) for h, w, f, q in rows], samples=256)


def nose(p: F32, face: Face) -> F32:
    """Bridge, ball, wings and the bar between the nostrils."""
    out, wide, drop = 0.0022 * face.nose_length, 1 + 0.14 * face.nose_width, -0.0022 * face.nose_length
    body = _bridge(face).distance(p, cap=0.005)
    ball = ellipsoid(p, (0.0, 1.5797 + drop, 0.1012 + out), (0.0092 * wide, 0.0088, 0.0098))
    body = smooth_min(body, ball, 0.011)
    axis = ((0.93, 0.0, -0.36), (0.0, 1.0, 0.0), (0.36, 0.0, 0.93))
    local = in_frame(p, (0.0121 * wide, 1.5757 + drop, 0.0930 + 0.4 * out), axis)
    wing = ellipsoid(local, (0, 0, 0), (0.0050, 0.0072, 0.0125))
    body = smooth_min(body, wing, 0.0065)
    bar = cone(p, (0, 1.5732 + drop * 0.5, 0.0930), (0, 1.5745 + drop, 0.1030 + out), (0.0038, 0.0042))
    return smooth_min(body, bar, 0.005)


def nostril(p: F32, face: Face) -> F32:
    """The hollow to be cut into the underside of the nose."""
    out, wide, drop = 0.0022 * face.nose_length, 1 + 0.14 * face.nose_width, -0.0022 * face.nose_length
    axis = ((0.92, 0, -0.38), (0.1, 0.97, 0.22), (0.38, -0.22, 0.92))
    local = in_frame(p, (0.0060 * wide, 1.5710 + drop, 0.0978 + 0.5 * out), axis)
    return ellipsoid(local, (0, 0, 0), (0.0030, 0.0042, 0.0058))


def polyline_distance(a: F64, b: F64, points: Sequence[Vector]) -> tuple[F64, F64]:
    """Distance to a broken line in the plane and how far along it (0..1) the nearest place is."""
    line = np.array(points, dtype=np.float64)
    best, along = np.full(a.shape, np.inf), np.zeros(a.shape)
    count = len(line) - 1
    for i in range(count):
        d = line[i + 1] - line[i]
        t = np.clip(((a - line[i, 0]) * d[0] + (b - line[i, 1]) * d[1]) / (d @ d), 0, 1)
        reach = (a - line[i, 0] - t * d[0]) ** 2 + (b - line[i, 1] - t * d[1]) ** 2  # squared
        nearer = reach < best
        np.copyto(best, reach, where=nearer)
        np.copyto(along, (i + t) / count, where=nearer)
    return np.sqrt(best), along


def signed_outline(a: F64, b: F64, outline: Sequence[tuple[float, float]]) -> F64:
    """Signed distance to a closed outline in the plane (first point repeated last), negative inside."""
    reach, _ = polyline_distance(a, b, outline)
    odd = np.zeros(a.shape, dtype=bool)
    for (x0, y0), (x1, y1) in pairwise(outline):
        if y0 != y1:
            odd ^= ((y0 > b) != (y1 > b)) & (a < x0 + (b - y0) * (x1 - x0) / (y1 - y0))
    return np.where(odd, -reach, reach)
