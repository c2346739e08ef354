"""The colours of cloth: weave, patterns, seams and wear. Points are above the floor, not mirrored.

Refuses to know shapes: a pattern runs along the stretched limbs of the rest pose, as cloth is cut.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F32
from pipeline.synth.clothes import TOPS, hem_height, sleeve_end, waist_height
from pipeline.synth.noise import fractal, noise
from pipeline.synth.solids import bump, ramp
from pipeline.synth.traits import Colour, Garment

_YOKE = 1.375  # height above the floor of the seam between a top's body and its shoulders


def _mix(base: F32, colour: Colour, amount: F32) -> F32:
    """Base colours (N, 3) moved towards one colour by amounts (N,)."""
    target = np.array(colour, dtype=np.float32)
    return np.asarray(base + (target - base) * amount[:, None], dtype=np.float32)


def _cut_lines(points: F32, garment: Garment) -> tuple[F32, F32]:
    """Where each point lies on its piece of cloth: along the piece, and around it (metres)."""
    x, h, z = points
    side = np.abs(x)
    if garment.kind in TOPS:
        on_sleeve = side > np.float32(0.185) - np.float32(0.25) * (h - np.float32(1.40))
        sleeve = np.arctan2(z + np.float32(0.02), h - np.float32(1.405)) * np.float32(0.055)
        panel = np.arctan2(x / np.float32(0.17), np.abs(z + np.float32(0.02)) / np.float32(0.12))
        yoke = h > np.float32(_YOKE)
        trunk = np.where(yoke, x, panel * np.float32(0.15))
        along = np.where(yoke, h - np.float32(0.8) * np.abs(z + np.float32(0.03)), h)
        return np.where(on_sleeve, side, along), np.where(on_sleeve, sleeve, trunk)
    return h, np.arctan2(side - np.float32(0.1), z) * np.float32(0.075)


def _square(values: F32, period: float, share: float) -> F32:
    """1 on stripes that take `share` of each period, with soft edges of a millimetre."""
    phase = values / np.float32(period)
    away = np.abs(phase - np.round(phase)) * np.float32(period)
    edge = 0.5 * period * share
    return ramp(away, edge + 0.0008, edge - 0.0008)


def _pattern(points: F32, garment: Garment, seed: int) -> F32:
    along, around = _cut_lines(points, garment)
    base = np.broadcast_to(np.array(garment.colour, dtype=np.float32), (points.shape[1], 3)).copy()
    if garment.pattern == "stripes":
        period = 0.024 + 0.006 * (seed % 5)
        return _mix(base, garment.second, _square(along, period, 0.42))
    if garment.pattern == "checks":
        period = 0.045 + 0.008 * (seed % 3)
        both = np.float32(0.55) * (_square(along, period, 0.5) + _square(around, period, 0.5))
        thin = _square(along + np.float32(period / 2), period, 0.06)
        thin = np.maximum(thin, _square(around + np.float32(period / 2), period, 0.06))
        return _mix(_mix(base, garment.second, both), (0.95, 0.95, 0.92), thin * np.float32(0.6))
    if garment.pattern == "dots":
        period = 0.026
        row = np.round(along / np.float32(period))
        shifted = around + (row % 2) * period / 2
        away = np.hypot(along - row * period, shifted - np.round(shifted / period) * period)
        return _mix(base, garment.second, ramp(np.asarray(away, dtype=np.float32), 0.0062, 0.0050))
    return base


def _denim(base: F32, points: F32, seed: int) -> F32:
    """Washed denim: pale on the thighs, the knees and the seat, with a vertical slub."""
    _, h, z = points
    front = ramp(z, 0.02, 0.07)
    worn = front * (bump(h, 0.72, 0.22) * np.float32(0.55) + bump(h, 0.49, 0.10) * np.float32(0.35))
    worn = worn + ramp(z, -0.08, -0.11) * bump(h, 0.88, 0.14) * np.float32(0.35)
    worn = worn + np.float32(0.10) * fractal(points, 0.10, 3, seed)
    stretch = np.array([[0.0022], [0.05], [0.0022]], dtype=np.float32)
    slub = noise(np.asarray(points / stretch, dtype=np.float32), 1.0, seed + 3)
    shade = base * (1 + np.float32(0.09) * slub)[:, None]
    return _mix(shade, (0.72, 0.78, 0.86), np.clip(worn, 0, 0.7))


def _line(distance: F32, width: float = 0.0021) -> F32:
    """1 on a line, from the distance to it."""
    return ramp(np.abs(distance), width, width * 0.4)


def _seams(points: F32, garment: Garment) -> F32:
    """Where seams and hems run (N,) in [0, 1]."""
    x, h, z = points
    side = np.abs(x)
    hem = _line(h - np.float32(hem_height(garment) + 0.024))
    if garment.kind in TOPS:
        armhole = _line(side - np.float32(0.182) - np.float32(0.2) * (np.float32(1.41) - h)) * ramp(
            h, 1.2, 1.3
        )
        cuff = _line(side - np.float32(sleeve_end(garment) - (0.058 if garment.kind == "shirt" else 0.020)))
        flank = _line(z + np.float32(0.008)) * ramp(h, 1.30, 1.25) * ramp(side, 0.24, 0.22)
        if garment.kind == "shirt":
            flank = np.maximum(flank, _line(h - np.float32(_YOKE)) * ramp(side, 0.19, 0.18))
        return np.asarray(np.maximum.reduce((hem, armhole, cuff, flank)))
    flank = _line(z - np.float32(0.002)) * ramp(side, 0.12, 0.13)
    if garment.kind == "skirt":
        return np.asarray(np.maximum.reduce((hem, flank, _line(h - np.float32(1.033)))))
    waist = _line(h - np.float32(waist_height(garment) - 0.038))
    pocket = _line(np.hypot(side - np.float32(0.175), h - np.float32(0.995)) - np.float32(0.075))
    pocket = pocket * ramp(z, 0.02, 0.03) * ramp(h, 0.987, 0.98)
    seat = np.maximum(np.abs(side - np.float32(0.085)) / 0.052, np.abs(h - np.float32(0.905)) / 0.062)
    seat = _line((seat - 1) * np.float32(0.055)) * ramp(z, -0.05, -0.06)
    fly = _line(x - np.float32(0.022)) * ramp(z, 0.03, 0.05) * ramp(h, 0.89, 0.90) * ramp(h, 0.99, 0.985)
    middle = _line(x) * ramp(h, 0.84, 0.85) * ramp(h, 0.99, 0.985)
    lines = (hem, flank, waist, pocket, seat, fly, middle)
    return np.asarray(np.maximum.reduce(lines), dtype=np.float32)


def paint_cloth(points: F32, garment: Garment, seed: int) -> F32:
    """sRGB colours (N, 3) in [0, 1] of one garment."""
    colours = _pattern(points, garment, seed)
    seams = _seams(points, garment)
    if garment.pattern == "denim":
        colours = _denim(colours, points, seed)
        colours = _mix(colours, (0.74, 0.52, 0.28), seams * np.float32(0.7))
    else:
        colours = colours * (1 - np.float32(0.30) * seams)[:, None]
    weave = noise(points, 0.0021, seed + 61) * np.float32(0.045) + noise(
        points, 0.0060, seed + 62
    ) * np.float32(0.02)
    shade = 1 + weave + np.float32(0.05) * fractal(points, 0.16, 3, seed + 63)
    return np.asarray(np.clip(colours * shade[:, None], 0, 1), dtype=np.float32)


def paint_belt(points: F32, seed: int) -> F32:
    """sRGB colours (N, 3) of a leather belt with a metal buckle."""
    x, h, z = points
    grain = 1 + np.float32(0.12) * fractal(points, 0.006, 3, seed + 71)
    leather = np.array((0.24, 0.14, 0.08), dtype=np.float32) * grain[:, None]
    ring = np.maximum(np.abs(x) / np.float32(0.021), np.abs(h - np.float32(1.005)) / np.float32(0.018))
    metal = ramp(ring, 0.62, 0.70) * ramp(ring, 1.02, 0.98) * ramp(z, 0.10, 0.11)
    return _mix(leather, (0.70, 0.68, 0.62), metal)
