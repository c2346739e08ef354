"""A bald head with its face, ears and upper neck as a signed distance, and the landmarks on it.

Refuses to know hair, colour and pose.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.records import F32, F64
from pipeline.synth import ear as ears
from pipeline.synth import face as features
from pipeline.synth.skeleton import FLOOR
from pipeline.synth.solids import (
    Loft,
    Part,
    Vector,
    cone,
    ellipsoid,
    ramp,
    smooth_max,
    smooth_min,
    unite,
)
from pipeline.synth.traits import Face

LOW = (-0.105, 1.43 + FLOOR, -0.125)
HIGH = (0.105, 1.745 + FLOOR, 0.130)
_NECK_END = 1.44
_JAW_LINE = (  # from the chin up to the ear, on the left
    (0.000, 1.5070, 0.0800), (0.014, 1.5085, 0.0770), (0.027, 1.5130, 0.0650), (0.037, 1.5210, 0.0500),
    (0.047, 1.5320, 0.0330), (0.056, 1.5450, 0.0170), (0.061, 1.5620, 0.0080), (0.066, 1.5850, 0.0090),
    (0.070, 1.6100, 0.0130),
)  # fmt: skip
_JAW_PLANE = np.array([0.10, -0.845, -0.535]) / np.linalg.norm([0.10, -0.845, -0.535])


@lru_cache(maxsize=64)
def _mask(face: Face) -> Loft:
    """The mass of the face from under the chin to the forehead: centre, width and depth by height."""
    jaw, cheek, chin = 0.0035 * face.jaw, 0.0025 * face.cheeks, 0.003 * face.chin
    rows = (
        (1.485, 0.018, 0.0420 + jaw, 0.0590 + chin, 2.1),
        (1.507, 0.018, 0.0480 + jaw, 0.0625 + chin, 2.1),
        (1.530, 0.017, 0.0540 + jaw, 0.0665 + chin * 0.6, 2.15),
        (1.555, 0.016, 0.0590 + jaw, 0.0700, 2.15),
        (1.575, 0.020, 0.0630 + 0.6 * jaw, 0.0690, 2.15),
        (1.600, 0.026, 0.0680 + cheek, 0.0565, 2.2),
        (1.622, 0.022, 0.0690 + cheek, 0.0590, 2.25),
        (1.645, 0.010, 0.0680, 0.0755, 2.25),
        (1.665, 0.006, 0.0600, 0.0730, 2.2),
        (1.685, 0.004, 0.0440, 0.0580, 2.2),
    )
    return Loft([(h, 0.0, z, w, f, 0.050, p) for h, z, w, f, p in rows])


@lru_cache(maxsize=64)
def _neck(face: Face) -> Loft:
    """The neck, a little stronger under a strong jaw."""
    wide = 1 + 0.05 * face.jaw
    rows = (
        (1.420, -0.030, 0.0600, 0.054, 0.058, 2.2),
        (1.450, -0.026, 0.0550, 0.053, 0.056, 2.15),
        (1.480, -0.022, 0.0515, 0.052, 0.058, 2.1),
        (1.520, -0.016, 0.0495, 0.050, 0.064, 2.1),
        (1.560, -0.010, 0.0500, 0.048, 0.072, 2.1),
        (1.610, -0.006, 0.0500, 0.046, 0.080, 2.1),
    )
    return Loft([(h, 0.0, z, w * wide, f, b, p) for h, z, w, f, b, p in rows])


def skull(p: F32) -> F32:
    """The cranium alone; p has heights above the floor."""
    back = ellipsoid(p, (0, 1.6420, -0.0190), (0.0768, 0.0860, 0.0880))
    front = ellipsoid(p, (0, 1.6500, 0.0170), (0.0655, 0.0740, 0.0725))
    return smooth_min(back, front, 0.03)


def _core(p: F32, face: Face) -> F32:
    """Skull and face above the jaw line, without relief."""
    mask = _mask(face).distance(p, cap=0.035)
    # the plane of the jaw: from under the chin up to its angle
    a, b, c = (np.float32(v) for v in _JAW_PLANE)
    low, front = np.float32(1.5070 - 0.0015 * face.chin), np.float32(0.0740)
    under = a * p[0] + b * (p[1] - low) + c * (p[2] - front)
    return smooth_min(skull(p), smooth_max(mask, under, 0.013), 0.014)


def visage(p: F32, face: Face) -> F32:
    """Skull and face with its relief, above the jaw line."""
    push, flat = features.relief_of(face).at(p[0], p[1])
    weight = ramp(p[2], 0.0, 0.045)
    moved = np.stack([p[0], p[1], p[2] - push * weight])
    return np.asarray(_core(moved, face) * (1 - weight + weight * flat), dtype=np.float32)


def bare(p: F32) -> F32:
    """The average skull, face and neck without relief and features: what hair stands on."""
    return smooth_min(_core(p, Face()), _neck(Face()).distance(p, cap=0.01), 0.016)


def _throat(p: F32, face: Face) -> F32:
    """Neck, the muscle from behind the ear to the breast bone, and the Adam's apple."""
    total = _neck(face).distance(p, cap=0.01)
    muscle = cone(p, (0.0530, 1.585, -0.028), (0.0150, 1.425, 0.0240), (0.0100, 0.0085))
    total = smooth_min(total, muscle, 0.016)
    apple = 0.0015 + 0.0015 * face.jaw
    bump = ellipsoid(p, (0, 1.487, 0.0225 + apple), (0.0090, 0.0140, 0.0090))
    return smooth_min(total, bump, 0.014)


def _parts(face: Face) -> tuple[Part, ...]:
    size = 1 + 0.12 * face.ears
    return (
        Part((0, 1.49, -0.12), (0.085, 1.74, 0.105), 0.0, lambda p: visage(p, face)),
        Part((0, 1.42, -0.10), (0.075, 1.60, 0.045), 0.016, lambda p: _throat(p, face)),
        Part((0, 1.56, 0.07), (0.025, 1.64, 0.125), 0.0095, lambda p: features.nose(p, face)),
        Part((0.012, 1.605, 0.05), (0.052, 1.64, 0.086), 0.0070, features.eyelids),
        Part((0.055, 1.57, -0.035), (0.105, 1.645, 0.02), 0.0045, lambda p: ears.ear(p, size)),
    )


def _reaches(p: F32, low: Vector, high: Vector) -> bool:
    """Whether the points' own box comes within two centimetres of the box from low to high."""
    below, above = p.min(axis=1) > np.add(high, 0.02), p.max(axis=1) < np.subtract(low, 0.02)
    return not bool(np.any(below) or np.any(above))


def _cut(total: F32, p: F32, face: Face) -> F32:
    """Nostrils and the openings of the eyes cut in, the eyeballs put back."""
    if _reaches(p, (0, 1.56, 0.085), (0.015, 1.58, 0.11)):
        total = smooth_max(total, -features.nostril(p, face), 0.002)
    if _reaches(p, (0.01, 1.608, 0.05), (0.052, 1.636, 0.09)):
        total = smooth_max(total, -features.eye_opening(p, face), 0.0018)
        total = smooth_min(total, features.eyeball(p), 0.0006)
    return total


def head(points: F32, face: Face) -> F32:
    """Signed distance (N,) of the bald head with face, ears and neck, cut flat at the neck's end."""
    p = np.stack([np.abs(points[0]), points[1] - np.float32(FLOOR), points[2]])
    total = _cut(unite(_parts(face), p, 0.045), p, face)
    return smooth_max(total, np.float32(_NECK_END) - p[1], 0.004)


def _gradient(points: F64, face: Face) -> tuple[F64, F64]:
    """Distance (N,) and its gradient (N, 3) at points (N, 3)."""
    step = 2e-4
    moves = np.concatenate([np.zeros((1, 3)), step * np.eye(3), -step * np.eye(3)])
    around = (points[:, None, :] + moves).reshape(-1, 3)
    values = head(np.ascontiguousarray(around.T, dtype=np.float32), face).reshape(-1, 7).astype(np.float64)
    return values[:, 0], (values[:, 1:4] - values[:, 4:7]) / (2 * step)


def project(points: F64, face: Face, steps: int = 12) -> F64:
    """Points (N, 3) moved onto the surface along the gradient of its distance."""
    places = np.array(points, dtype=np.float64)
    for _ in range(steps):
        distance, slope = _gradient(places, face)
        scale = np.maximum(np.sum(slope * slope, axis=1), 0.25)
        places -= 0.9 * (distance / scale)[:, None] * slope
    return places


def _seen(x: F64, height: F64, face: Face) -> F64:
    """Where a ray from the front, along -z at (x, height), meets the surface (N, 3)."""
    places = np.stack([x, height + FLOOR, np.full(x.shape, HIGH[2])], axis=1)
    for _ in range(60):
        places[:, 2] -= 0.7 * head(np.ascontiguousarray(places.T, dtype=np.float32), face)
    return places


def _half_face(face: Face) -> dict[str, F64]:
    """Places (x, height) on the left half: brow, nostrils, eye and mouth, from the inside out."""
    wide, drop = 1 + 0.14 * face.nose_width, -0.0022 * face.nose_length
    lids = features.EYE[0] + 0.0146 * np.array([-0.97, -0.33, 0.33, 0.97])
    upper, lower = features.lid_edges(lids, face)
    lips = np.array([0.0, 0.0048, 0.0140, features.MOUTH_HALF - 0.0006])
    line = features.mouth_line(lips)
    over, under = features.lip_edges(lips, face.lips)
    brow = np.array(features.BROW)
    return {
        "brow": np.stack([brow[:, 0], brow[:, 1] + 0.0012 * face.brow], axis=1),
        "bridge": np.stack([np.zeros(4), np.array([1.6250, 1.6100, 1.5950, 1.5800 + drop])], axis=1),
        "nostrils": np.stack([np.array([0.0, 0.0065, 0.0115 * wide]), 1.5700 + drop * np.ones(3)], axis=1),
        "upper_lid": np.stack([lids, upper], axis=1),
        "lower_lid": np.stack([lids, lower], axis=1),
        "mouth_line": np.stack([lips, line], axis=1),
        "upper_lip": np.stack([lips, line + over], axis=1),
        "lower_lip": np.stack([lips, line - under], axis=1),
    }


def _flipped(places: F64) -> F64:
    return np.asarray(places[::-1] * np.array([-1.0, 1.0]))


def landmarks(face: Face) -> dict[str, F64]:
    """Named places on the surface, in the rest pose.

    `face` (51, 3) and `jaw` (17, 3) follow the iBUG 68 order (the jaw's 17 come first there), `nose` (3,)
    is its tip; `eyes` and `ears` (2, 3) are the fronts of the eyeballs and the tragi, left then right.
    """
    at = _half_face(face)
    brow, nostrils = at["brow"], at["nostrils"]
    up, low = at["upper_lid"], at["lower_lid"]
    line, over, under = at["mouth_line"], at["upper_lip"], at["lower_lip"]
    mirror = np.array([-1.0, 1.0])
    right_eye = np.concatenate([up[::-1], low[1:3]]) * mirror
    left_eye = np.concatenate([up, low[2:0:-1]])
    corner = line[3:]
    outer = [corner * mirror, _flipped(over[1:3]), over[:3], corner, under[2::-1], under[1:3] * mirror]
    parted = np.array([0.0, 0.0004])
    inner_over, inner_under = line[:3] + parted, line[:3] - parted
    inner = [
        line[3:] * np.array([-0.93, 1.0]),
        inner_over[2:] * mirror,
        inner_over[:1],
        inner_over[2:],
        line[3:] * np.array([0.93, 1.0]),
        inner_under[2:],
        inner_under[:1],
        inner_under[2:] * mirror,
    ]
    flat = [
        _flipped(brow),
        brow,
        at["bridge"],
        _flipped(nostrils[1:]),
        nostrils,
        right_eye,
        left_eye,
        *outer,
        *inner,
    ]
    places = np.concatenate(flat)
    left = np.array(_JAW_LINE) + np.array([0.0, FLOOR, 0.0])
    jaw = np.concatenate([left[:0:-1] * np.array([-1.0, 1.0, 1.0]), left])
    sides = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    tragus = np.array(ears.TRAGUS) + np.array([0.0, FLOOR, 0.0])
    found = _seen(places[:, 0], places[:, 1], face)
    front = _seen(np.array([features.EYE[0], -features.EYE[0]]), np.full(2, features.EYE[1]), face)
    return {
        "face": found,
        "jaw": project(jaw, face),
        "nose": found[13],
        "eyes": front,
        "ears": project(tragus * sides, face),
    }
