"""Hair and beard as solids: a shell over the scalp, what hangs from it, and locks along its flow.

Refuses to know skin, clothes and pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.records import F32
from pipeline.synth import head as heads
from pipeline.synth.face import Relief, grid, signed_outline
from pipeline.synth.noise import noise
from pipeline.synth.skeleton import FLOOR
from pipeline.synth.solids import FAR, Loft, bump, cone, ellipsoid, ramp, smooth_max, smooth_min
from pipeline.synth.traits import Face, Hair

LOW = (-0.125, 1.35 + FLOOR, -0.180)
HIGH = (0.125, 1.78 + FLOOR, 0.125)
_TABLE_LOW, _TABLE_SIZE = (-0.14, 1.46), (540, 640)
# seen from the side: z, height above the floor; the closing corners lie far outside
_SCALP = (
    (0.085, 1.684), (0.070, 1.688), (0.056, 1.683), (0.046, 1.670), (0.037, 1.655), (0.028, 1.640),
    (0.025, 1.620), (0.023, 1.606), (0.010, 1.606), (0.006, 1.622), (-0.001, 1.635), (-0.014, 1.638),
    (-0.025, 1.627), (-0.030, 1.600), (-0.036, 1.570), (-0.052, 1.556), (-0.075, 1.545),
    (-0.138, 1.543), (-0.138, 1.778), (0.128, 1.778), (0.105, 1.696), (0.085, 1.684),
)  # fmt: skip
_BEARD = (
    (0.009, 1.616), (0.024, 1.614), (0.031, 1.596), (0.046, 1.580), (0.062, 1.571), (0.082, 1.570),
    (0.128, 1.5705), (0.128, 1.484), (0.038, 1.488), (0.020, 1.505), (0.006, 1.532), (0.004, 1.570),
    (0.009, 1.616),
)  # fmt: skip


@dataclass(frozen=True)
class _Style:
    """How a cut looks: thickness at the top, sides and back, the parting its locks run away from."""

    top: float
    side: float
    back: float
    parting: tuple[float, float, float, float] = (0.0, -0.055, 0.0, -0.055)  # x, z to x, z
    lock: float = 0.008  # width of a lock
    depth: float = 0.0028  # how deep the grooves between locks are
    wave: float = 0.006
    fade: float = 0.022  # how far from the hairline the hair reaches its thickness
    front: float = 0.012  # and how much farther over the forehead


_STYLES = {
    "buzz": _Style(0.0032, 0.0026, 0.0026, depth=0.0, fade=0.006),
    "short": _Style(0.0150, 0.0070, 0.0085, parting=(0.012, -0.062, 0.012, -0.050)),
    "side": _Style(0.0190, 0.0075, 0.0090, parting=(0.034, -0.050, 0.034, 0.080), lock=0.010),
    "curly": _Style(0.0250, 0.0180, 0.0200, lock=0.015, depth=0.0050, wave=0.02, fade=0.020),
    "bob": _Style(0.0150, 0.0130, 0.0140, parting=(0.0, -0.045, 0.0, -0.020), fade=0.010, front=0.0),
    "long": _Style(0.0130, 0.0120, 0.0140, parting=(0.0, -0.045, 0.0, 0.085), lock=0.011),
    "bun": _Style(0.0070, 0.0055, 0.0070, lock=0.006, depth=0.0016, wave=0.002, fade=0.010),
    "ponytail": _Style(0.0085, 0.0060, 0.0080, lock=0.007, depth=0.0018, wave=0.002, fade=0.010),
}
STYLES = ("bald", *_STYLES)
_TIED = {"bun": (1.692, -0.118), "ponytail": (1.668, -0.116)}  # height and z of the tie


def _local(points: F32) -> F32:
    """Points with heights above the floor, both sides kept apart."""
    return np.stack([points[0], points[1] - np.float32(FLOOR), points[2]])


@lru_cache(maxsize=2)
def _outline(name: str) -> Relief:
    """Signed distance to an outline seen from the side, positive inside the hair."""
    outline: Sequence[tuple[float, float]] = _SCALP if name == "scalp" else _BEARD
    z, h = grid(_TABLE_LOW, _TABLE_SIZE)
    return Relief.of(-signed_outline(z, h, outline), _TABLE_LOW)


def scalp(p: F32, style: str, seed: int) -> F32:
    """How far inside the hairline each place of the scalp is (metres, ragged); negative on bare skin."""
    inside, _ = _outline("scalp").at(p[2], p[1])
    recede = np.float32(0.004) * bump(np.abs(p[0]), 0.045, 0.022) * ramp(p[2], 0.03, 0.05)
    inside = inside - recede + noise(p, 0.011, seed + 31) * np.float32(0.0025)
    if style == "bob":  # a fringe down to above the brows
        ends = noise(p * np.array([[1], [0.2], [1]], dtype=np.float32), 0.009, seed + 32)
        fringe = np.minimum(p[1] - np.float32(1.655) - ends * np.float32(0.004), p[2] - np.float32(0.02))
        inside = np.maximum(inside, fringe)
    return np.asarray(inside, dtype=np.float32)


def _flow(p: F32, style: str, seed: int) -> F32:
    """Coordinates in which locks are columns: two across the hair, the third along it (3, N)."""
    cut = _STYLES[style]
    bend = noise(p, 0.05, seed + 5) * np.float32(cut.wave)
    if style in _TIED:
        height, z = _TIED[style]
        across, up, along = p[0], p[1] - np.float32(height), p[2]
    else:
        x0, z0, x1, z1 = (np.float32(v) for v in cut.parting)
        t = np.clip((p[2] - z0) / np.maximum(z1 - z0, np.float32(1e-6)), 0, 1)
        across, up, along = p[0] - x0 - t * (x1 - x0), p[2] - z0 - t * (z1 - z0), p[1]
    reach = np.sqrt(across * across + up * up) + np.float32(0.004)
    ring = np.float32(0.085) / reach
    shift = t * (z1 - z0) if style not in _TIED else np.float32(0)
    flow = np.stack([across * ring + bend, up * ring + shift - bend, (along - reach) * np.float32(0.13)])
    if style == "ponytail":  # its tail hangs
        hangs = (p[2] < np.float32(z - 0.003)) & (p[1] < np.float32(height + 0.005))
        tail = np.stack([p[0], p[1] * np.float32(0.1), p[2]])
        flow = np.where(hangs, tail * np.float32(1.6), flow)
    return np.asarray(flow, dtype=np.float32)


def locks(p: F32, hair: Hair, seed: int) -> F32:
    """Between 0 (the bottom of a groove between locks) and 1 (the back of a lock)."""
    cut = _STYLES[hair.style]
    if hair.style == "curly":
        value = noise(p, cut.lock, seed + 7) + 0.5 * noise(p, cut.lock * 0.55, seed + 8)
        return np.asarray(1 - np.exp(-((value * 1.7) ** 2)), dtype=np.float32)
    q = _flow(p, hair.style, seed)
    wide, fine = noise(q, cut.lock * 1.7, seed + 7), noise(q, cut.lock * 0.8, seed + 8)
    value = np.minimum(np.abs(wide) * 4.2, np.abs(fine) * 4.6 + 0.30)
    return np.asarray(1 - np.exp(-(value**2) * 1.6), dtype=np.float32)


def _tufts(p: F32, style: str, seed: int) -> F32:
    """Noise in [-1, 1] as wide as several locks, drawn out along the hair."""
    size = _STYLES[style].lock * 3.2
    return noise(p if style == "curly" else _flow(p, style, seed), size, seed + 3)


def _rise(t: F32) -> F32:
    """From 0 at 0 to 1 at 1, smooth at both."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def _thickness(p: F32, cut: _Style) -> F32:
    """How far the hair stands off the skull when whole (N,)."""
    high = ramp(p[1], 1.655, 1.715)
    back = ramp(p[2], 0.0, -0.07)
    low = np.float32(cut.side) + back * np.float32(cut.back - cut.side)
    taper = np.float32(0.45) + np.float32(0.55) * ramp(p[1], 1.54, 1.62)
    return np.asarray((low + high * (np.float32(cut.top) - low)) * taper, dtype=np.float32)


@lru_cache(maxsize=4)
def _fall(style: str) -> Loft:
    """What hangs beside and behind the neck."""
    rows = {
        "bob": (
            (1.528, -0.022, 0.074, 0.060, 0.076),
            (1.545, -0.020, 0.083, 0.062, 0.090),
            (1.575, -0.018, 0.0895, 0.060, 0.100),
            (1.620, -0.015, 0.0900, 0.055, 0.106),
            (1.660, -0.012, 0.0850, 0.050, 0.104),
            (1.690, -0.012, 0.0680, 0.040, 0.090),
        ),
        "long": (
            (1.362, -0.070, 0.066, 0.030, 0.046),
            (1.390, -0.066, 0.076, 0.034, 0.054),
            (1.440, -0.050, 0.082, 0.044, 0.062),
            (1.500, -0.034, 0.084, 0.052, 0.072),
            (1.560, -0.022, 0.0875, 0.056, 0.090),
            (1.620, -0.015, 0.0900, 0.055, 0.104),
            (1.660, -0.012, 0.0840, 0.050, 0.103),
            (1.690, -0.012, 0.0670, 0.040, 0.090),
        ),
    }[style]
    return Loft([(h, 0.0, z, w, f, b, 2.2) for h, z, w, f, b in rows])


def _curtain(p: F32, style: str, seed: int) -> F32:
    """Hanging hair, its ends and its front edge ragged."""
    sway = noise(p * np.array([[1], [0.4], [1]], dtype=np.float32), 0.028, seed + 21)
    ends = noise(p * np.array([[1], [0.15], [1]], dtype=np.float32), 0.013, seed + 22)
    bent = np.stack([p[0], p[1] + ends * ramp(p[1], 1.62, 1.54) * np.float32(0.009), p[2]])
    curtain = _fall(style).distance(bent, cap=0.016) - sway * np.float32(0.0035)
    edge = (
        np.float32(0.026) + ramp(p[1], 1.60, 1.68) * np.float32(0.032) + (sway + ends) * np.float32(0.004)
    )
    return smooth_max(curtain, p[2] - edge, 0.018)


def _extra(p: F32, hair: Hair, seed: int) -> F32 | None:
    """What stands or hangs off the shell: curtain, bun or tail."""
    if hair.style in ("bob", "long"):
        return _curtain(p, hair.style, seed)
    if hair.style == "bun":
        return ellipsoid(p, (0, 1.695, -0.124), (0.036, 0.034, 0.027))
    if hair.style == "ponytail":
        root = cone(p, (0, 1.668, -0.108), (0, 1.657, -0.134), (0.013, 0.016))
        upper = cone(p, (0, 1.657, -0.134), (0, 1.570, -0.140), (0.016, 0.023))
        lower = cone(p, (0, 1.570, -0.140), (0, 1.425, -0.124), (0.023, 0.007))
        return smooth_min(smooth_min(root, upper, 0.016), lower, 0.016)
    return None


def _misses(points: F32, low: Sequence[float], high: Sequence[float], reach: float) -> bool:
    below = points.min(axis=1) > np.add(high, reach)
    return bool(np.any(below | (points.max(axis=1) < np.subtract(low, reach))))


def hair(points: F32, hair: Hair, seed: int) -> F32:
    """Signed distance (N,) of the hair; far outside everything where there is none."""
    if hair.style == "bald" or _misses(points, LOW, HIGH, 0.02):
        return np.full(points.shape[1], FAR, dtype=np.float32)
    p = _local(points)
    cut = _STYLES[hair.style]
    base = heads.bare(np.stack([np.abs(p[0]), p[1], p[2]]))
    inside = scalp(p, hair.style, seed)
    tuft = _tufts(p, hair.style, seed)
    fade = np.float32(cut.fade) + np.float32(cut.front) * ramp(p[2], 0.02, 0.06)
    grown = _rise(
        (inside + tuft * np.float32(0.0045 if cut.depth else 0.001) + np.float32(0.001))
        / (fade + np.float32(0.001))
    )
    sunk = 0.003 + np.maximum(-inside, 0) * np.float32(0.6)  # never out of a socket or a hollow cheek
    total = (base + sunk - grown * (_thickness(p, cut) + sunk)) * np.float32(0.85)
    extra = _extra(p, hair, seed)
    if extra is not None:
        total = smooth_min(total, extra, 0.012 if hair.style in _TIED else 0.026)
    if cut.depth:
        near = np.flatnonzero(np.abs(total) < 0.012)
        q = np.ascontiguousarray(p[:, near])
        whole = grown[near] if extra is None else np.maximum(grown[near], ramp(-extra[near], -0.006, 0.0))
        total[near] += (1 - locks(q, hair, seed)) * whole * np.float32(cut.depth)
        total[near] -= tuft[near] * whole * np.float32(cut.depth * 0.9)
    return np.asarray(total, dtype=np.float32)


def chin_hair(p: F32, seed: int) -> F32:
    """How far inside a beard's outline each place is (metres, ragged), the lips left bare."""
    inside, _ = _outline("beard").at(p[2], p[1])
    lips = np.sqrt((p[0] / 0.0265) ** 2 + ((p[1] - np.float32(1.5508)) / 0.0125) ** 2) - 1
    open_lips = np.where(p[2] > 0.06, lips * np.float32(0.0125), np.float32(1))
    return np.asarray(np.minimum(inside, open_lips) + noise(p, 0.007, seed + 41) * np.float32(0.0022))


def beard(points: F32, face: Face, hair: Hair, seed: int) -> F32:
    """Signed distance (N,) of a full beard; far outside everything where there is none."""
    if hair.beard != "full" or _misses(points, (-0.09, 0.17, -0.02), (0.09, 0.34, 0.13), 0.02):
        return np.full(points.shape[1], FAR, dtype=np.float32)
    p = _local(points)
    base = heads.visage(np.stack([np.abs(p[0]), p[1], p[2]]), face)
    inside = chin_hair(p, seed)
    grown = ramp(inside, -0.0005, 0.009)
    sunk = 0.004 + np.maximum(-inside, 0) * np.float32(0.6)
    chin = ramp(p[1], 1.548, 1.525)
    thick = np.float32(0.0045) + np.float32(0.0065) * chin * ramp(p[2], 0.02, 0.07)
    total = (base + sunk - grown * (thick + sunk)) * np.float32(0.85)
    total += (1 - _beard_locks(p, seed)) * grown * np.float32(0.0018)
    return np.asarray(total, dtype=np.float32)


def _beard_locks(p: F32, seed: int) -> F32:
    q = np.stack([p[0], p[1] * np.float32(0.22) + np.abs(p[0]) * np.float32(0.1), p[2]])
    value = noise(q, 0.0055, seed + 43) + np.float32(0.6) * noise(q, 0.003, seed + 44)
    return np.asarray(1 - np.exp(-((value * np.float32(2.4)) ** 2)), dtype=np.float32)


def strands(p: F32, hair: Hair, seed: int) -> F32:
    """Fine noise in about [-1, 1] drawn out along the hair; p has heights above the floor."""
    if hair.style in ("bald", "curly"):
        return np.asarray(noise(p, 0.0035, seed + 11) * 0.6 + noise(p, 0.0017, seed + 12) * 0.5)
    q = _flow(p, hair.style, seed)
    return np.asarray(noise(q, 0.0042, seed + 11) * 0.6 + noise(q, 0.0019, seed + 12) * 0.5)


def hair_relief(points: F32, normals: F32, hair: Hair, seed: int) -> F32:
    """Displacement (N,) along the normals, in metres, that makes strands out of a hair's surface."""
    del normals
    depth = 0.0004 if hair.style in ("bald", "buzz") else 0.0010
    return np.asarray(strands(_local(points), hair, seed) * np.float32(depth), dtype=np.float32)
