"""Clothes as solids over the body at rest: each garment has a cut, and what lies under it is covered.

A garment is filled, as it is in a fused scan: its hems are steps, not thin sheets; only skirts and the
tails of coats are hollow. Refuses to know colours (fabric.py) and wrinkles (folds.py). Points are mirrored
and above the floor, as in anatomy.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.records import F32
from pipeline.synth.solids import Loft, bump, cone, ellipsoid, ramp, smooth_max, smooth_min
from pipeline.synth.traits import Garment

TOPS = ("tshirt", "shirt", "coat")
BOTTOMS = ("trousers", "shorts", "skirt")

_CLEARANCE = {
    "tshirt": 0.006,
    "shirt": 0.006,
    "coat": 0.019,
    "trousers": 0.006,
    "shorts": 0.007,
    "skirt": 0.010,
}
_LAYER = 0.003  # metres between one garment and the next
WALL = 0.012  # thickness of what hangs free, where a scan's samples are close enough not to lose it


@dataclass(frozen=True)
class Beneath:
    """What a garment lies over, at its points: distances to the bare limbs and to clothes put on before."""

    limbs: F32
    inner: F32


def hem_height(garment: Garment, tucked: bool = False) -> float:
    """Height above the floor at which the garment ends below."""
    if tucked and garment.kind != "coat":
        return 0.99
    low, high = {
        "tshirt": (0.960, 0.880),
        "shirt": (0.930, 0.860),
        "coat": (0.780, 0.420),
        "trousers": (0.070, 0.035),
        "shorts": (0.700, 0.500),
        "skirt": (0.640, 0.330),
    }[garment.kind]
    return low + (high - low) * garment.length


def sleeve_end(garment: Garment) -> float:
    """Distance from the middle of the body (m, along the stretched arm) at which the sleeve ends."""
    if garment.kind == "tshirt":
        return 0.270 + 0.080 * garment.length
    return 0.672 if garment.kind == "shirt" else 0.678


def waist_height(garment: Garment) -> float:
    """Height above the floor of the upper edge of trousers, shorts or a skirt."""
    return 1.075 if garment.kind == "skirt" else 1.025


@lru_cache(maxsize=32)
def _top_cut(loose: float, coat: bool, tucked: bool) -> Loft:
    ease, out = 0.008 + 0.020 * loose, 0.022 if coat else 0.0
    drop = 0.0 if tucked else 1.0
    flare = 0.05 + 0.05 * loose if coat else 0.0
    return Loft(
        (
            (0.38, 0, 0.000, 0.205 + out + flare, 0.150 + out + flare, 0.150 + out + flare, 2.3),
            (0.70, 0, 0.000, 0.195 + out + flare / 3, 0.134 + out, 0.140 + out, 2.3),
            (0.90, 0, 0.000, 0.178 + ease * drop + out, 0.112 + ease * drop + out, 0.141 + out, 2.5),
            (0.98, 0, 0.002, 0.171 + ease * drop + out, 0.111 + ease * drop + out, 0.122 + out, 2.4),
            (
                1.05,
                0,
                0.005,
                0.150 + 1.5 * ease * drop + out,
                0.104 + ease * drop + out,
                0.095 + ease * drop + out,
                2.4,
            ),
            (1.12, 0, 0.002, 0.146 + 1.4 * ease + out, 0.104 + ease + out, 0.088 + ease + out, 2.4),
            (1.20, 0, -0.006, 0.152 + ease + out, 0.108 + ease + out, 0.094 + ease + out, 2.4),
            (1.29, 0, -0.017, 0.162 + ease + out, 0.112 + ease + out, 0.098 + ease + out, 2.4),
            (1.35, 0, -0.023, 0.160 + out, 0.098 + out, 0.094 + out, 2.3),
            (1.41, 0, -0.029, 0.118 + out, 0.070 + out, 0.074 + out, 2.2),
            (1.45, 0, -0.030, 0.080 + out / 2, 0.058 + out / 2, 0.062 + out, 2.0),
            (1.50, 0, -0.028, 0.064 + out / 2, 0.052 + out / 2, 0.054 + out, 2.0),
        )
    )


@lru_cache(maxsize=32)
def _sleeve_cut(loose: float, coat: bool, short: bool) -> Loft:
    ease, out = 0.004 + 0.012 * loose, 0.012 if coat else 0.0
    end = 0.016 * loose if short else 0.0
    return Loft(
        (
            (0.13, -0.020, 1.394, 0.058 + out, 0.043 + out / 2, 0.062 + out, 2.1),
            (0.19, -0.018, 1.404, 0.059 + ease / 2 + out, 0.048 + out / 2, 0.060 + ease + out, 2.1),
            (0.27, -0.018, 1.407, 0.055 + ease + end + out, 0.046 + out, 0.056 + ease + end + out, 2.0),
            (0.36, -0.022, 1.406, 0.051 + ease + end + out, 0.043 + out, 0.048 + ease + end + out, 2.0),
            (0.44, -0.028, 1.403, 0.050 + ease + out, 0.042 + out, 0.046 + ease + out, 2.0),
            (0.53, -0.023, 1.404, 0.049 + ease + out, 0.042 + out, 0.044 + ease + out, 2.0),
            (0.61, -0.017, 1.404, 0.042 + ease + out, 0.036 + out, 0.037 + ease + out, 2.0),
            (0.645, -0.015, 1.405, 0.039 + ease + out, 0.033 + out, 0.034 + ease + out, 2.0),
            (0.66, -0.015, 1.405, 0.036 + out, 0.030 + out, 0.030 + out, 2.0),
            (0.70, -0.015, 1.405, 0.036 + out, 0.030 + out, 0.030 + out, 2.0),
        )
    )


@lru_cache(maxsize=32)
def _hip_cut(loose: float) -> Loft:
    ease = 0.004 + 0.008 * loose
    return Loft(
        (
            (0.80, 0, -0.002, 0.160 + ease, 0.080 + ease, 0.085 + ease, 2.2),
            (0.86, 0, -0.002, 0.174 + ease, 0.097 + ease, 0.108 + ease, 2.3),
            (0.92, 0, -0.001, 0.176 + ease, 0.104 + ease, 0.119 + ease, 2.4),
            (0.98, 0, 0.002, 0.170 + ease / 2, 0.106 + ease / 2, 0.106 + ease / 2, 2.4),
            (1.03, 0, 0.004, 0.156, 0.104, 0.092, 2.4),
            (1.06, 0, 0.005, 0.150, 0.101, 0.088, 2.4),
        )
    )


@lru_cache(maxsize=32)
def _leg_cut(loose: float, short: bool) -> Loft:
    ease, wide = 0.006 + 0.014 * loose, 0.024 * loose + (0.014 if short else 0.0)
    foot = ease + wide / 2
    return Loft(
        (
            (0.93, 0.090, -0.002, 0.084 + ease, 0.094 + ease, 0.096 + ease, 2.1),
            (0.86, 0.093, -0.002, 0.086 + ease, 0.093 + ease, 0.096 + ease, 2.1),
            (0.76, 0.096, 0.000, 0.080 + ease + wide / 4, 0.084 + ease, 0.084 + ease, 2.1),
            (0.62, 0.100, 0.002, 0.066 + ease + wide / 2, 0.070 + ease + wide / 3, 0.069 + ease, 2.1),
            (0.49, 0.102, -0.002, 0.056 + ease + wide / 2, 0.058 + ease, 0.058 + ease + wide / 3, 2.1),
            (0.35, 0.105, -0.014, 0.057 + ease + wide / 2, 0.052 + ease, 0.063 + ease, 2.0),
            (0.20, 0.108, -0.022, 0.049 + ease + wide, 0.048 + foot, 0.057 + foot, 2.0),
            (0.09, 0.111, -0.022, 0.047 + ease + wide, 0.052 + foot, 0.060 + foot, 2.0),
            (0.02, 0.112, -0.020, 0.047 + ease + wide, 0.056 + foot, 0.062 + foot, 2.0),
        )
    )


@lru_cache(maxsize=32)
def _skirt_cut(loose: float) -> Loft:
    flare = 0.02 + 0.13 * loose
    return Loft(
        (
            (0.30, 0, 0.000, 0.200 + flare, 0.150 + flare, 0.165 + flare, 2.1),
            (0.62, 0, 0.000, 0.194 + flare / 2, 0.135 + flare / 2, 0.150 + flare / 2, 2.2),
            (0.84, 0, 0.000, 0.186 + flare / 8, 0.120 + flare / 8, 0.149 + flare / 8, 2.4),
            (0.92, 0, 0.000, 0.183, 0.116, 0.149, 2.5),
            (0.99, 0, 0.002, 0.172, 0.114, 0.124, 2.4),
            (1.04, 0, 0.005, 0.156, 0.108, 0.094, 2.4),
            (1.09, 0, 0.005, 0.150, 0.105, 0.091, 2.4),
        )
    )


def _neck_hole(points: F32, garment: Garment) -> F32:
    """The space left open around the neck: negative inside."""
    x, h, z = points
    if garment.kind == "tshirt":
        a, b, sag = 0.080 + 0.008 * garment.looseness, 0.080, 0.018 * garment.looseness
    elif garment.kind == "shirt":
        a, b, sag = 0.066, 0.060, 0.0
    else:
        a, b, sag = 0.076, 0.066, 0.0
    forward = (z + np.float32(b - 0.044)) * np.float32(1 / b)
    opening = np.sqrt((x * np.float32(1 / a)) ** 2 + forward**2 + np.float32(1e-6))
    lowered = h - np.float32(1.395 - sag) - np.maximum(-z - np.float32(0.02), 0) * np.float32(0.95)
    return smooth_max((opening - 1) * np.float32(b), -lowered, 0.03)


def _collar(points: F32) -> F32:
    """A folded shirt collar: a stand around the neck and two points lying on the chest."""
    x, h, z = points
    ring = np.sqrt((x / np.float32(0.068)) ** 2 + ((z + np.float32(0.024)) / np.float32(0.063)) ** 2)
    lean = (h - np.float32(1.455)) * np.float32(-0.35) + z * np.float32(0.12)
    wall = np.abs((ring - 1) * np.float32(0.065) - lean - np.float32(0.004)) - np.float32(0.0045)
    top = h - np.float32(1.485) + np.maximum(z, 0) * np.float32(0.62)
    point = np.abs(x - np.float32(0.052))  # the tips of the collar lie this far from the middle
    foot = np.float32(1.428) - h - ramp(z, -0.01, 0.03) * (np.float32(0.046) - np.float32(0.85) * point)
    opened = np.float32(0.010) - x + (h - np.float32(1.44)) * np.float32(0.10)
    front = np.where(z > 0, opened, np.float32(-0.02))
    return smooth_max(smooth_max(smooth_max(wall, top, 0.004), foot, 0.004), front, 0.004)


def _buttons(points: F32, low: float, high: float, depth: Loft, lift: float) -> F32:
    """A row of buttons down the front, on the cut's own surface."""
    x, h, z = points
    nearest = np.clip(np.round((h - np.float32(low)) / np.float32(0.085)), 0, int((high - low) / 0.085))
    height = nearest * np.float32(0.085) + np.float32(low)
    cut = depth.at(height)
    front = cut[1] + cut[3] + np.float32(lift)
    radial = np.sqrt(x * x + (h - height) ** 2) - np.float32(0.0062)
    return smooth_max(radial, np.abs(z - front) - np.float32(0.003), 0.002)


def _opening(points: F32, garment: Garment) -> F32:
    """The open front of a coat: negative where it lets the layer below be seen."""
    x, h, z = points
    gap = 0.030 + 0.055 * garment.looseness
    width = np.float32(gap) + ramp(h, 1.00, 1.40) * np.float32(0.025) + ramp(h, 0.9, 0.4) * np.float32(0.03)
    return smooth_max(x - width, np.float32(0.01) - z, 0.01)


def top(points: F32, beneath: Beneath, garment: Garment, *, tucked: bool, wall: float = WALL) -> F32:
    """T-shirt, shirt or coat (N,)."""
    x, h, _ = points
    coat, short = garment.kind == "coat", garment.kind == "tshirt"
    cut = _top_cut(garment.looseness, coat, tucked and not coat)
    along = np.ascontiguousarray(np.stack([points[2], x, h]))
    sleeve = _sleeve_cut(garment.looseness, coat, short).distance(along, cap=0.0)
    cloth = smooth_min(cut.distance(points, cap=0.0), sleeve, 0.05)
    cloth = _over(cloth, beneath, garment) - _bands(points, garment, tucked)
    hem, cuff = h - np.float32(hem_height(garment, tucked)), np.float32(sleeve_end(garment)) - x
    if coat:
        cloth = _sheet(cloth, h, wall)
    cloth = smooth_max(smooth_max(cloth, -hem, 0.004), -cuff, 0.004)
    cloth = smooth_max(cloth, -_neck_hole(points, garment), 0.006)
    if garment.kind == "shirt":
        cloth = smooth_min(cloth, _collar(points), 0.003)
        low = hem_height(garment, tucked) + 0.06
        cloth = smooth_min(cloth, _buttons(points, low, 1.40, cut, 0.001), 0.001)
    if coat:
        cloth = smooth_max(cloth, -_opening(points, garment), 0.012)
        cloth = smooth_min(cloth, _lapel(points), 0.006)
    return cloth


def _lapel(points: F32) -> F32:
    """A coat's collar: a rolled ring behind the neck that runs down into two lapels."""
    x, h, z = points
    neck = np.sqrt((x / np.float32(0.083)) ** 2 + ((z + np.float32(0.030)) / np.float32(0.072)) ** 2)
    height = np.float32(1.452) - np.maximum(z + np.float32(0.03), 0) * np.float32(0.55)
    ring = np.sqrt(((neck - 1) * np.float32(0.075)) ** 2 + ((h - height) * np.float32(0.55)) ** 2)
    ring = smooth_max(ring - np.float32(0.0125), np.float32(-0.005) - x + np.maximum(z, 0) * 0.9, 0.01)
    left = cone(points, (0.070, 1.415, 0.040), (0.052, 1.23, 0.118), (0.015, 0.006))
    return smooth_min(ring, left, 0.02)


def _bands(points: F32, garment: Garment, tucked: bool) -> F32:
    """Where a hem, cuff, placket or neckband makes the cloth double (metres of extra thickness)."""
    x, h, z = points
    end, hem = sleeve_end(garment), hem_height(garment, tucked)
    thick = np.float32(0.0016)
    extra = ramp(x, end - 0.022, end - 0.018) + ramp(h, hem + 0.022, hem + 0.018)
    if garment.kind == "tshirt":
        extra += ramp(_neck_hole(points, garment), 0.020, 0.016)
    if garment.kind == "shirt":
        extra += ramp(x, end - 0.060, end - 0.056) * np.float32(1.4)
        extra += ramp(x, 0.0185, 0.0165) * ramp(z, 0.0, 0.02)
    return np.asarray(extra * thick, dtype=np.float32)


def _sheet(cloth: F32, h: F32, wall: float) -> F32:
    """What hangs free below the hips made hollow: a wall instead of a block."""
    cavity = cloth + np.float32(wall) + ramp(h, 0.80, 0.95) * np.float32(0.2)
    return smooth_max(cloth, -cavity, 0.004)


def _over(cloth: F32, beneath: Beneath, garment: Garment) -> F32:
    """The cloth kept off the skin and outside what is worn beneath."""
    cloth = smooth_min(cloth, beneath.limbs - np.float32(_CLEARANCE[garment.kind]), 0.012)
    return smooth_min(cloth, beneath.inner - np.float32(_LAYER), 0.006)


def bottom(points: F32, beneath: Beneath, garment: Garment, *, wall: float = WALL) -> F32:
    """Trousers, shorts or a skirt (N,)."""
    _, h, z = points
    waist = waist_height(garment)
    if garment.kind == "skirt":
        cloth = _skirt_cut(garment.looseness).distance(points, cap=0.0)
        band = ramp(h, 1.030, 1.036) * np.float32(0.002)
        cloth = _over(cloth, beneath, garment) - band
    else:
        short = garment.kind == "shorts"
        legs = _leg_cut(garment.looseness, short).distance(points, cap=0.0)
        cloth = smooth_min(_hip_cut(garment.looseness).distance(points, cap=0.02), legs, 0.04)
        cloth = _over(cloth, beneath, garment)
        cloth = cloth - ramp(h, 0.985, 0.990) * np.float32(0.0018)
        fly = bump(points[0], 0.0, 0.018) * ramp(h, 0.87, 0.90) * ramp(z, 0, 0.03)
        cloth = cloth - fly * np.float32(0.002)
    hem = h - np.float32(hem_height(garment))
    if garment.kind == "skirt":
        cloth = _sheet(cloth, h, wall)
    cloth = cloth - ramp(hem, 0.028, 0.024) * np.float32(0.0016)
    cloth = smooth_max(cloth, h - np.float32(waist), 0.006)
    return smooth_max(cloth, -hem, 0.004)


def belt(points: F32, inner: F32) -> F32:
    """A belt with its buckle, worn over everything beneath."""
    x, h, _ = points
    strap = smooth_max(inner - np.float32(0.0035), np.abs(h - np.float32(1.005)) - np.float32(0.016), 0.003)
    buckle = ellipsoid(points, (0.0, 1.005, 0.118), (0.022, 0.019, 0.007))
    return np.where(x < 0.03, smooth_min(strap, buckle, 0.002), strap)
