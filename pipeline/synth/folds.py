"""Wrinkles of cloth, as a displacement along the surface's normal.

Where cloth folds is anatomy: across the arm at the elbow and the armpit, across the leg at groin, knee and
ankle, down from the waist in a skirt. Refuses to know colours. Points are above the floor, not mirrored,
so that no fold is repeated on the other side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.records import F32
from pipeline.synth.noise import noise
from pipeline.synth.solids import bump, ramp
from pipeline.synth.traits import Garment

_COAT_STIFFNESS = 1.6  # folds of a coat are this much broader and higher than a shirt's


def _crease(points: F32, sizes: Sequence[float], seed: int) -> F32:
    """Ridges in [-1, 1], `sizes` metres across along x, y, z; round crests and sharp valleys."""
    stretched = points / np.array(sizes, dtype=np.float32)[:, None]
    warp = noise(points, 0.11, seed + 7) * np.float32(0.6)
    value = noise(stretched + warp, 1.0, seed) + np.float32(0.45) * noise(stretched - warp, 0.5, seed + 1)
    return np.asarray(1 - np.float32(2.4) * np.sqrt(value * value + np.float32(0.004)), dtype=np.float32)


def _arm(points: F32, garment: Garment, seed: int, bend: float) -> F32:
    """Folds of the sleeves: slanting round the elbow and the upper arm, pushed up at the cuff."""
    x = np.abs(points[0])
    k = _COAT_STIFFNESS if garment.kind == "coat" else 1.0
    across = _crease(points, (0.030 * k, 0.10, 0.10), seed)
    slant = np.stack([points[0] + 0.7 * points[1], points[1], points[2] - 0.5 * points[0]])
    diagonal = _crease(slant.astype(np.float32), (0.042 * k, 0.13, 0.13), seed + 11)
    elbow = bump(x, 0.445, 0.16) * np.float32(0.0030 + 0.0030 * bend)
    cuff = bump(x, 0.610, 0.07) * np.float32(0.0026)
    upper = ramp(x, 0.16, 0.22) * np.float32(0.0016)
    reach = ramp(x, 0.14, 0.20) * np.float32(0.4 + 0.8 * garment.looseness) * np.float32(k)
    return np.asarray(
        reach * (across * (elbow + cuff) + diagonal * (upper + elbow * 0.6)), dtype=np.float32
    )


def _trunk(points: F32, garment: Garment, seed: int) -> F32:
    """Folds of a top: from the armpits, over the waist, hanging free below the chest."""
    x, h, z = np.abs(points[0]), points[1], points[2]
    k = _COAT_STIFFNESS if garment.kind == "coat" else 1.0
    around = np.sqrt(x * x + np.float32(0.07**2))  # no kink in the middle
    slant = np.stack([points[0], h + 0.4 * around + 0.15 * points[0], z])
    waist = _crease(slant.astype(np.float32), (0.16, 0.036 * k, 0.16), seed + 23)
    hang = _crease(points, (0.048 * k, 0.30, 0.075 * k), seed + 29)
    pull = np.stack([x + 0.8 * h, h - 0.8 * x, z])
    armpit = _crease(pull.astype(np.float32), (0.15, 0.030 * k, 0.11), seed + 31)
    trunk = ramp(x, 0.235, 0.19)
    amount = np.float32((0.5 + 0.9 * garment.looseness) * k)
    free = ramp(h, 1.22, 0.95) * np.float32(0.0035)
    total = waist * bump(h, 1.05, 0.17) * np.float32(0.0032) + hang * free
    total += armpit * bump(x, 0.165, 0.085) * bump(h, 1.33, 0.12) * np.float32(0.0036)
    total += hang * np.float32(0.0007)
    return np.asarray(trunk * total * amount, dtype=np.float32)


def _legs(points: F32, garment: Garment, seed: int, bend: float) -> F32:
    """Folds of trousers: round the groin, behind the knee, stacked on the shoe."""
    x, h, z = np.abs(points[0]), points[1], points[2]
    across = _crease(points, (0.12, 0.034, 0.12), seed + 41)
    slant = np.stack([points[0], h - 0.75 * (x - 0.1), z])
    groin = _crease(slant.astype(np.float32), (0.14, 0.032, 0.16), seed + 43)
    down = _crease(points, (0.05, 0.32, 0.05), seed + 47)
    front = ramp(z, -0.02, 0.04)
    knee = bump(h, 0.49, 0.16) * (np.float32(1.0) - np.float32(0.45) * front)
    total = across * knee * np.float32(0.0024 + 0.0022 * bend)
    total += across * ramp(h, 0.26, 0.07) * np.float32(0.0052)
    total += groin * bump(h, 0.86, 0.13) * np.float32(0.0030 + 0.0015 * bend)
    total += down * bump(h, 0.62, 0.30) * np.float32(0.0012)
    return np.asarray(total * np.float32(0.55 + 0.7 * garment.looseness), dtype=np.float32)


def _hanging(points: F32, garment: Garment, seed: int, start: float, height: float) -> F32:
    """Folds that widen downwards from `start`: a skirt, or the tails of a coat."""
    x, h, z = points
    angle = np.arctan2(x, z + np.float32(1e-6))
    sway = noise(points, 0.25, seed + 53) * np.float32(1.1)
    count = 5 + seed % 4
    wave = np.cos(angle * np.float32(count) + sway + np.float32(seed % 7))
    wave = wave + np.float32(0.5) * np.cos(angle * np.float32(2 * count + 3) - sway * 2)
    depth = ramp(h, start, start - 0.45) * np.float32(height * (0.4 + 1.2 * garment.looseness))
    return np.asarray(wave * depth, dtype=np.float32)


def _outward(points: F32, normals: F32) -> F32:
    """1 where a hanging cloth's surface looks out, -1 on its lining: both sides must move together."""
    facing = normals[0] * points[0] + normals[2] * points[2]
    return np.asarray(np.clip(facing * np.float32(12), -1, 1), dtype=np.float32)


def wrinkles(points: F32, normals: F32, garment: Garment, seed: int, bend: float) -> F32:
    """Displacement (N,) in metres; `bend` is how far elbows and knees are bent, 0 straight .. 1."""
    if garment.kind in ("tshirt", "shirt", "coat"):
        total = _arm(points, garment, seed, bend) + _trunk(points, garment, seed)
        if garment.kind == "coat":
            hanging = _hanging(points, garment, seed, 1.0, 0.006)
            total = (total + hanging) * np.where(points[1] < 0.9, _outward(points, normals), np.float32(1))
        return total
    if garment.kind in ("trousers", "shorts"):
        return _legs(points, garment, seed, bend)
    if garment.kind == "skirt":
        fine = _crease(points, (0.05, 0.30, 0.05), seed + 59) * np.float32(0.001)
        total = _hanging(points, garment, seed, 0.98, 0.010) + fine
        return np.asarray(total * _outward(points, normals), dtype=np.float32)
    return np.zeros(points.shape[1], dtype=np.float32)
