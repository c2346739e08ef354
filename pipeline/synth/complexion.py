"""The colours of skin, lips, eyes, brows and hair, per vertex.

Colours are sRGB in 0..1 and unlit, except that creases are a little darker. Refuses to know clothes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from pipeline.records import F32
from pipeline.synth import ear as ears
from pipeline.synth import face as features
from pipeline.synth import foot, hand
from pipeline.synth import hair as locks
from pipeline.synth.noise import fractal, noise
from pipeline.synth.skeleton import FLOOR, JOINT_INDEX, REST
from pipeline.synth.solids import bump, ramp
from pipeline.synth.traits import Colour, Face, Hair, Traits

_BLUSH = (  # x, h, z, radius, strength: where blood shows through the skin
    (0.044, 1.594, 0.062, 0.024, 0.50),
    (0.0, 1.579, 0.112, 0.013, 0.45),
    (0.014, 1.577, 0.096, 0.010, 0.45),
    (0.082, 1.608, -0.010, 0.036, 0.70),
    (0.0, 1.512, 0.085, 0.018, 0.30),
    (0.032, 1.612, 0.078, 0.016, 0.25),
)


def _rgb(red: float, green: float, blue: float) -> F32:
    """Three channels as an array."""
    return np.array([red, green, blue], dtype=np.float32)


_FLUSHED = (0.95, 0.80, 0.77)  # what redder skin keeps of each channel
_NAIL = np.array((0.93, 0.76, 0.72), dtype=np.float32)


def _mix(colour: F32, other: F32 | Colour, weight: F32) -> F32:
    """From one colour to another by weights (N,)."""
    target = np.asarray(other, dtype=np.float32)
    return np.asarray(colour + (target - colour) * weight[:, None], dtype=np.float32)


def _near(p: F32, centre: tuple[float, float, float], radius: float) -> F32:
    """1 at a place, falling to 0 at twice the radius."""
    x, y, z = (p[i] - np.float32(centre[i]) for i in range(3))
    t = np.maximum(1 - (x * x + y * y + z * z) * np.float32(0.25 / radius**2), 0)
    return np.asarray(t * t, dtype=np.float32)


def _base(points: F32, traits: Traits) -> F32:
    """Skin with its mottling, warm where blood is near, darker at the elbows."""
    seed = traits.seed * 97
    skin = np.array(traits.skin, dtype=np.float32)
    light = 0.030 * fractal(points, 0.05, 3, seed + 1) + 0.022 * noise(points, 0.004, seed + 4)
    light += 0.018 * noise(points, 0.0018, seed + 5)
    red = 0.35 * fractal(points, 0.03, 3, seed + 6)
    p = np.stack([np.abs(points[0]), points[1] - np.float32(FLOOR), points[2]])
    for x, h, z, radius, strength in _BLUSH:
        red += strength * _near(p, (x, h, z), radius)
    side = np.stack([np.abs(points[0]), points[1], points[2]])
    for name, radius, strength in _joints():
        place = tuple(float(v) for v in REST[JOINT_INDEX[name]])
        red += strength * _near(side, (place[0], place[1], place[2]), radius)
    elbow = REST[JOINT_INDEX["left_elbow"]]
    light -= 0.05 * _near(side, (float(elbow[0]), float(elbow[1]), float(elbow[2]) - 0.04), 0.03)
    tint = np.array([0.045, -0.055, -0.050], dtype=np.float32) * (0.45 + 0.55 * skin.mean() / 0.62)
    colour = skin * (1 + light[:, None]) + tint * red[:, None]
    spots = noise(points, 0.0024, seed + 9) + 0.3 * noise(points, 0.06, seed + 10)
    freckled = np.random.default_rng([seed, 3]).random()
    many = 1.02 - 0.45 * max(freckled - 0.6, 0)
    return _mix(colour, skin * _rgb(0.72, 0.58, 0.50), ramp(spots, many, many + 0.2) * 0.5)


def _joints() -> list[tuple[str, float, float]]:
    """Joints whose skin is redder, how far around, and how much."""
    fingers = [
        (f"left_{f}{n}", 0.010, 0.45) for f in ("index", "middle", "ring", "pinky") for n in (1, 2, 3)
    ]
    return [("left_knee", 0.05, 0.35), ("left_elbow", 0.035, 0.3), *fingers]


def _brows(colour: F32, p: F32, traits: Traits) -> F32:
    line = np.array(features.BROW)
    x = np.abs(p[0])
    middle = np.interp(x, line[:, 0], line[:, 1]).astype(np.float32) + np.float32(0.0012 * traits.face.brow)
    full = 1.0 if traits.woman else 1.25
    half = np.interp(x, line[:, 0], np.array([0.0028, 0.0034, 0.0028, 0.0019, 0.0008]) * full).astype(
        np.float32
    )
    out = (x < 0.0545) & (x > 0.0085) & (p[2] > 0.03)
    hairs = noise(np.stack([p[0] + p[1] * 0.5, p[1] * 0.4, p[2]]), 0.0011, traits.seed + 61)
    cover = ramp(np.abs(p[1] - middle) - half + hairs * 0.0008, 0.0010, -0.0010) * out
    cover *= ramp(x, 0.0085, 0.0135) * ramp(x, 0.0545, 0.0490) * (0.80 + 0.25 * hairs)
    dark = (
        np.array(traits.hair.colour, dtype=np.float32) * 0.72
        + np.array(traits.skin, dtype=np.float32) * 0.05
    )
    return _mix(colour, dark, np.clip(cover, 0, 1) * 0.9)


def _lips(colour: F32, p: F32, traits: Traits) -> F32:
    x = np.abs(p[0]).astype(np.float64)
    line = features.mouth_line(x)
    upper, lower = features.lip_edges(x, traits.face.lips)
    over = np.where(p[1] > line, p[1] - line - upper, line - p[1] - lower).astype(np.float32)
    front = ramp(p[2], 0.06, 0.07)
    red = ramp(over, 0.0010, -0.0012) * front * ramp(x.astype(np.float32), 0.0262, 0.0235)
    skin = np.array(traits.skin, dtype=np.float32)
    tone = skin * _rgb(0.90, 0.64, 0.66) if traits.woman else skin * _rgb(0.90, 0.70, 0.70)
    grain = 1 + 0.06 * noise(np.stack([p[0], p[1] * 0.25, p[2]]), 0.0014, traits.seed + 63)
    colour = _mix(colour, tone * grain[:, None], red * 0.85)
    part = np.exp(-(((p[1] - line) / 0.0010) ** 2)).astype(np.float32) * front
    return _mix(
        colour,
        skin * _rgb(0.40, 0.22, 0.20),
        part * ramp(x.astype(np.float32), 0.0275, 0.0235) * 0.85,
    )


def _eyes(colour: F32, p: F32, traits: Traits) -> F32:
    """White, iris, pupil, corners and the dark rims of the lids."""
    x = np.abs(p[0])
    upper, lower = (v.astype(np.float32) for v in features.lid_edges(x.astype(np.float64), traits.face))
    gap = np.maximum(p[1] - upper, lower - p[1])
    front = (p[2] > 0.055) & (x > 0.010) & (x < 0.052)
    dx, dy = x - np.float32(features.EYE[0] - 0.0003), p[1] - np.float32(features.EYE[1])
    reach = np.sqrt(dx * dx + dy * dy)
    white = np.tile(_rgb(0.88, 0.86, 0.84), (len(x), 1))
    corner = np.maximum(ramp(x, 0.0225, 0.0175), 0.6 * ramp(x, 0.042, 0.046))
    white = _mix(white, (0.78, 0.52, 0.48), corner * 0.75)
    white = _mix(white, (0.60, 0.53, 0.50), ramp(p[1] - upper, -0.0026, 0.0) * 0.75)
    iris = np.array(traits.eye_colour, dtype=np.float32)
    turn = np.arctan2(dy, dx)
    rays = noise(np.stack([np.cos(turn), np.sin(turn), reach * 40]), 0.16, traits.seed + 65)
    disc = iris * (1 + 0.25 * rays + 0.35 * bump(reach, 0.0030, 0.0016))[:, None]
    disc = _mix(disc, iris * 0.35, ramp(reach, 0.0044, 0.0056))
    disc = _mix(disc, (0.02, 0.02, 0.02), ramp(reach, 0.0027, 0.0019))
    eye = _mix(white, disc, ramp(reach, 0.0062, 0.0053))
    colour = _mix(colour, eye, ramp(gap, 0.0005, -0.0003) * front)
    lash = _rgb(0.07, 0.045, 0.04)
    strong = 0.95 if traits.woman else 0.75
    top = np.exp(-(((p[1] - upper - 0.0004) / 0.0011) ** 2)) * strong
    bottom = np.exp(-(((lower - p[1] - 0.0002) / 0.0009) ** 2)) * 0.40 * strong
    within = (
        ramp(x, 0.0165, 0.0205) * ramp(x, 0.0478, 0.0462) * ramp(p[2], 0.0735, 0.0765 - 0.4 * (x > 0.035))
    )
    colour = _mix(colour, lash, np.asarray(np.maximum(top, bottom) * within * front, dtype=np.float32))
    crease = np.exp(-(((p[1] - upper - 0.0042) / 0.0010) ** 2)) * within * front * (p[1] > features.EYE[1])
    return _mix(colour, colour * _rgb(0.70, 0.60, 0.58), np.asarray(crease * 0.55, dtype=np.float32))


@lru_cache(maxsize=64)
def _hollows(face: Face) -> features.Relief:
    """How far each place of the face's relief lies below its surroundings."""
    relief = features.relief_of(face)
    return features.Relief(gaussian_filter(relief.height, 7.0) - relief.height, relief.flatness, relief.low)


def _creases(colour: F32, p: F32, traits: Traits) -> F32:
    """Darker and warmer where the face folds in: relief, nostrils, ears, sockets."""
    x = np.abs(p[0])
    folded = np.stack([x, p[1], p[2]])
    depth, _ = _hollows(traits.face).at(x, p[1])
    shade = np.clip(depth / 0.0022, -0.35, 1) * ramp(p[2], 0.045, 0.065) * 0.22
    hole = features.nostril(folded, traits.face)
    shade = np.maximum(shade, _near(folded, (0.0185, 1.6285, 0.080), 0.007) * 0.22)
    shade = np.maximum(shade, ears.hollows(folded, 1 + 0.12 * traits.face.ears) * 0.5)
    colour = _mix(colour, colour * _rgb(0.62, 0.46, 0.42), np.asarray(shade, dtype=np.float32))
    inner = ramp(hole, 0.0014, 0.0002) * ramp(p[2], 0.085, 0.090)
    return _mix(colour, colour * _rgb(0.30, 0.17, 0.15), inner * np.float32(0.9))


def _shadow_of_hair(colour: F32, p: F32, traits: Traits) -> F32:
    """Beard shadow, stubble and the roots under the hair."""
    seed = traits.seed
    hair = np.array(traits.hair.colour, dtype=np.float32)
    grain = noise(p, 0.0016, seed + 67) * 0.5 + 0.5
    strength = {"none": 0.0 if traits.woman else 0.16, "stubble": 0.50, "full": 0.8}[traits.hair.beard]
    if strength:
        cover = ramp(locks.chin_hair(p, seed), -0.006, 0.008) * ramp(p[2], -0.005, 0.01)
        colour = _mix(colour, hair * 0.9, cover * np.float32(strength) * (0.55 + 0.45 * grain))
    if traits.hair.style != "bald":
        cover = ramp(locks.scalp(p, traits.hair.style, seed), -0.003, 0.004) * ramp(p[1], 1.54, 1.56)
        colour = _mix(colour, hair, cover * (0.75 + 0.25 * grain))
    return colour


def _extremities(points: F32, colour: F32) -> None:
    """Redden the knuckles and lighten the nails of hands and feet, in place."""
    for far, nails, creases in (
        (np.abs(points[0]) > 0.66, hand.nails, hand.knuckles),
        (points[1] < FLOOR + 0.06, foot.toe_nails, None),
    ):
        index = np.flatnonzero(far)
        if not index.size:
            continue
        place, part = np.ascontiguousarray(points[:, index]), colour[index]
        if creases is not None:
            part = _mix(part, part * np.array(_FLUSHED, dtype=np.float32), creases(place) * np.float32(0.6))
        colour[index] = _mix(part, part * np.float32(0.55) + _NAIL * np.float32(0.45), nails(place))


def paint_skin(points: F32, traits: Traits) -> F32:
    """Colours (N, 3) of skin at points (3, N) of the body and head at rest."""
    colour = _base(points, traits)
    _extremities(points, colour)
    p = points - np.array([[0], [FLOOR], [0]], dtype=np.float32)
    of_head = (p[1] > 1.475) & (np.abs(p[0]) < 0.115)
    for where, steps in (
        (of_head, (_creases, _shadow_of_hair)),
        (of_head & (p[2] > 0.03), (_lips, _brows, _eyes)),
    ):
        index = np.flatnonzero(where)
        if index.size:
            place, part = np.ascontiguousarray(p[:, index]), colour[index]
            for paint in steps:
                part = paint(part, place, traits)
            colour[index] = part
    return np.clip(colour, 0, 1)


def paint_hair(points: F32, normals: F32, hair: Hair, seed: int) -> F32:
    """Colours (N, 3) of hair: strands lighter and darker along the flow, dark between the locks."""
    p = np.stack([points[0], points[1] - np.float32(FLOOR), points[2]])
    base = np.array(hair.colour, dtype=np.float32)
    value = 1 + 0.30 * locks.strands(p, hair, seed) + 0.10 * noise(p, 0.03, seed + 71)
    value += 0.12 * np.clip(normals[1], -1, 1)
    if hair.style not in ("bald", "buzz"):
        value *= 0.62 + 0.42 * locks.locks(p, hair, seed)
    warm = _rgb(1.05, 1.0, 0.93)
    streak = noise(p, 0.02, seed + 72)[:, None]
    return np.asarray(np.clip(base * value[:, None] * warm**streak, 0, 1), dtype=np.float32)
