"""Shape and expression: smooth displacements of space around the person at rest, linear in betas.

A component scales what hangs on each joint along the rest axes; joints ride on their parents, so lengths
add up down the limbs, and the skin weights blend the pieces. Local bumps add flesh and faces. Refuses to
know meshes and poses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.errors import ConfigError
from pipeline.records import F32, F64
from pipeline.synth.skeleton import FLOOR, JOINT_INDEX, JOINT_NAMES, PARENTS, REST

COMPONENTS = 10
SHAPE_NAMES = (
    "stature", "weight", "manliness", "leg_length", "arm_length",
    "torso_length", "shoulder_breadth", "muscle", "head_size", "belly_and_hips",
)  # fmt: skip
EXPRESSION_NAMES = (
    "smile", "mouth_open", "brow_raise", "frown", "cheek_puff",
    "pucker", "blink", "sneer", "sulk", "smirk",
)  # fmt: skip
# the gendered templates are the neutral one with a fixed step along "manliness"
GENDER_STEP = {"neutral": 0.0, "male": 1.0, "female": -1.0}

_GROUPS = {
    "hips": ("pelvis",),
    "waist": ("spine1",),
    "ribs": ("spine2",),
    "chest": ("spine3",),
    "neck": ("neck",),
    "head": ("head", "jaw", "left_eye", "right_eye"),
    "collar": ("left_collar", "right_collar"),
    "upper_arm": ("left_shoulder", "right_shoulder"),
    "forearm": ("left_elbow", "right_elbow"),
    "hand": tuple(n for i, n in enumerate(JOINT_NAMES) if i in (20, 21) or i >= 25),
    "thigh": ("left_hip", "right_hip"),
    "shin": ("left_knee", "right_knee"),
    "foot": ("left_ankle", "right_ankle", "left_foot", "right_foot"),
}
_ALL = tuple(_GROUPS)
_Scale = tuple[float, float, float]

# relative growth along x, y, z per unit of beta; arms lie along x, legs and trunk along y
_GROWTH: dict[str, dict[str, _Scale]] = {
    "stature": {
        **dict.fromkeys(_ALL, (0.034, 0.034, 0.034)),
        "head": (0.018, 0.018, 0.018),
        "hand": (0.025, 0.025, 0.025),
    },
    "weight": {
        "hips": (0.050, 0.0, 0.055),
        "waist": (0.070, 0.0, 0.065),
        "ribs": (0.055, 0.0, 0.060),
        "chest": (0.045, 0.0, 0.055),
        "neck": (0.050, 0.0, 0.045),
        "head": (0.016, 0.0, 0.006),
        "collar": (0.015, 0.050, 0.055),
        "upper_arm": (0.0, 0.080, 0.080),
        "forearm": (0.0, 0.050, 0.050),
        "hand": (0.0, 0.020, 0.015),
        "thigh": (0.060, 0.0, 0.070),
        "shin": (0.050, 0.0, 0.050),
        "foot": (0.015, 0.0, 0.005),
    },
    "manliness": {
        **dict.fromkeys(_ALL, (0.022, 0.022, 0.022)),
        "hips": (-0.010, 0.018, 0.010),
        "waist": (0.035, 0.025, 0.022),
        "ribs": (0.036, 0.022, 0.030),
        "chest": (0.045, 0.022, 0.035),
        "neck": (0.080, 0.025, 0.070),
        "head": (0.016, 0.020, 0.016),
        "collar": (0.070, 0.050, 0.040),
        "upper_arm": (0.030, 0.080, 0.080),
        "forearm": (0.032, 0.075, 0.075),
        "hand": (0.035, 0.050, 0.045),
        "thigh": (-0.005, 0.025, 0.000),
        "shin": (0.028, 0.025, 0.022),
        "foot": (0.035, 0.025, 0.040),
    },
    "leg_length": {"thigh": (0.0, 0.034, 0.0), "shin": (0.0, 0.036, 0.0), "foot": (0.010, 0.008, 0.012)},
    "arm_length": {
        "upper_arm": (0.030, 0.0, 0.0),
        "forearm": (0.032, 0.0, 0.0),
        "hand": (0.015, 0.006, 0.008),
    },
    "torso_length": {
        "hips": (0.0, 0.020, 0.0),
        "waist": (0.0, 0.035, 0.0),
        "ribs": (0.0, 0.030, 0.0),
        "chest": (0.0, 0.025, 0.0),
        "neck": (0.0, 0.020, 0.0),
    },
    "shoulder_breadth": {
        "ribs": (0.010, 0.0, 0.0),
        "chest": (0.025, 0.0, 0.0),
        "collar": (0.080, 0.0, 0.0),
    },
    "muscle": {
        "ribs": (0.015, 0.0, 0.010),
        "chest": (0.025, 0.0, 0.030),
        "neck": (0.045, 0.0, 0.035),
        "collar": (0.015, 0.050, 0.040),
        "upper_arm": (0.0, 0.070, 0.070),
        "forearm": (0.0, 0.050, 0.050),
        "thigh": (0.025, 0.0, 0.035),
        "shin": (0.030, 0.0, 0.035),
    },
    "head_size": {"neck": (0.015, 0.005, 0.015), "head": (0.028, 0.028, 0.028)},
    "belly_and_hips": {
        "hips": (0.030, 0.0, 0.020),
        "waist": (0.015, 0.0, 0.010),
        "thigh": (0.030, 0.0, 0.020),
    },
}


@dataclass(frozen=True)
class Bump:
    """A push that fades to nothing at an ellipsoid; with `pair`, its mirror image as well.

    `below_lips` restricts it to what hangs on the jaw, so that the lips part.
    """

    centre: tuple[float, float, float]  # x, height above the floor, z
    radii: tuple[float, float, float]
    push: tuple[float, float, float]
    pair: bool = True
    below_lips: bool = False


_SHAPE_BUMPS: dict[str, tuple[Bump, ...]] = {
    "weight": (
        Bump((0.0, 1.03, 0.10), (0.17, 0.19, 0.15), (0.0, -0.002, 0.017), pair=False),
        Bump((0.12, 1.05, 0.02), (0.10, 0.13, 0.13), (0.006, 0.0, 0.0)),
        Bump((0.075, 0.89, -0.11), (0.12, 0.12, 0.12), (0.0, 0.0, -0.006)),
        Bump((0.045, 1.535, 0.05), (0.05, 0.05, 0.06), (0.0025, -0.001, 0.001)),
        Bump((0.0, 1.50, 0.05), (0.06, 0.035, 0.05), (0.0, -0.003, 0.002), pair=False),
    ),
    "manliness": (
        Bump((0.078, 1.245, 0.11), (0.085, 0.09, 0.11), (0.002, 0.002, -0.014)),
        Bump((0.13, 1.10, 0.0), (0.09, 0.13, 0.16), (0.006, 0.0, 0.0)),
        Bump((0.15, 0.90, 0.0), (0.10, 0.16, 0.16), (-0.007, 0.0, 0.0)),
        Bump((0.08, 0.88, -0.11), (0.12, 0.12, 0.12), (0.0, 0.0, 0.008)),
        Bump((0.055, 1.53, 0.02), (0.05, 0.045, 0.06), (0.0030, 0.0, 0.0)),
        Bump((0.0, 1.51, 0.10), (0.04, 0.03, 0.05), (0.0, -0.001, 0.002), pair=False),
        Bump((0.025, 1.648, 0.09), (0.04, 0.018, 0.04), (0.0, 0.0, 0.0015)),
    ),
    "muscle": (
        Bump((0.075, 1.30, 0.11), (0.10, 0.08, 0.10), (0.001, 0.0, 0.006)),
        Bump((0.20, 1.43, -0.01), (0.09, 0.07, 0.09), (0.004, 0.004, 0.0)),
        Bump((0.0, 1.03, 0.10), (0.16, 0.16, 0.13), (0.0, 0.0, -0.005), pair=False),
        Bump((0.07, 1.465, -0.04), (0.08, 0.06, 0.08), (0.0, 0.004, 0.0)),
        Bump((0.08, 0.89, -0.11), (0.11, 0.11, 0.11), (0.0, 0.0, -0.005)),
    ),
    "belly_and_hips": (
        Bump((0.0, 1.02, 0.10), (0.16, 0.16, 0.14), (0.0, -0.002, 0.014), pair=False),
        Bump((0.14, 0.92, 0.0), (0.09, 0.15, 0.15), (0.008, 0.0, 0.0)),
        Bump((0.075, 0.88, -0.11), (0.12, 0.12, 0.12), (0.0, 0.0, -0.007)),
    ),
}

_EXPRESSION_BUMPS: dict[str, tuple[Bump, ...]] = {
    "smile": (
        Bump((0.027, 1.552, 0.085), (0.026, 0.022, 0.035), (0.0030, 0.0028, -0.0022)),
        Bump((0.042, 1.573, 0.075), (0.030, 0.026, 0.035), (0.0008, 0.0018, 0.0010)),
    ),
    "mouth_open": (
        Bump(
            (0.0, 1.535, 0.095), (0.048, 0.050, 0.060), (0.0, -0.0040, -0.0010), pair=False, below_lips=True
        ),
    ),
    "brow_raise": (Bump((0.030, 1.648, 0.085), (0.040, 0.026, 0.050), (0.0, 0.0030, 0.0)),),
    "frown": (Bump((0.016, 1.645, 0.090), (0.026, 0.020, 0.040), (-0.0024, -0.0020, 0.0008)),),
    "cheek_puff": (Bump((0.046, 1.553, 0.062), (0.034, 0.032, 0.045), (0.0038, 0.0, 0.0024)),),
    "pucker": (
        Bump((0.026, 1.552, 0.088), (0.022, 0.022, 0.035), (-0.0034, 0.0, 0.0010)),
        Bump((0.0, 1.552, 0.098), (0.030, 0.026, 0.040), (0.0, 0.0, 0.0035), pair=False),
    ),
    "blink": (
        Bump((0.0315, 1.630, 0.082), (0.024, 0.009, 0.028), (0.0, -0.0026, 0.0006)),
        Bump((0.0315, 1.614, 0.080), (0.024, 0.009, 0.028), (0.0, 0.0010, 0.0003)),
    ),
    "sneer": (Bump((0.014, 1.574, 0.102), (0.024, 0.024, 0.040), (0.0006, 0.0022, 0.0008)),),
    "sulk": (
        Bump((0.027, 1.550, 0.085), (0.024, 0.022, 0.035), (0.0005, -0.0030, 0.0)),
        Bump((0.0, 1.530, 0.095), (0.030, 0.022, 0.040), (0.0, 0.0014, 0.0012), pair=False),
    ),
    "smirk": (
        Bump((0.027, 1.552, 0.085), (0.026, 0.022, 0.035), (0.0030, 0.0030, -0.0020), pair=False),
        Bump((-0.030, 1.648, 0.085), (0.036, 0.024, 0.050), (0.0, 0.0024, 0.0), pair=False),
    ),
}


@lru_cache(maxsize=1)
def directions() -> tuple[F64, F64]:
    """Growth (10, 55, 3) along the rest axes around each joint, and motion of the joints (10, 55, 3)."""
    growth = np.zeros((COMPONENTS, len(PARENTS), 3))
    for k, name in enumerate(SHAPE_NAMES):
        for group, scale in _GROWTH[name].items():
            for member in _GROUPS[group]:
                growth[k, JOINT_INDEX[member]] = scale
    motion = np.zeros_like(growth)
    for joint in range(1, len(PARENTS)):
        parent = PARENTS[joint]
        motion[:, joint] = motion[:, parent] + growth[:, parent] * (REST[joint] - REST[parent])
    growth.flags.writeable = motion.flags.writeable = False
    return growth, motion


def full_betas(gender: str, betas: F64) -> F64:
    """Coefficients (10,) from the neutral template of a body given from its gender's template."""
    if gender not in GENDER_STEP:
        raise ConfigError(f"no template for gender {gender!r}; take one of {', '.join(GENDER_STEP)}")
    full = np.array(betas, dtype=np.float64)
    full[SHAPE_NAMES.index("manliness")] += GENDER_STEP[gender]
    return full


def shaped_joints(full: F64) -> F64:
    """Joints at rest (55, 3) of the shape with coefficients (10,) from the neutral template."""
    return np.asarray(REST + np.tensordot(full, directions()[1], 1))


def shape_transforms(full: F64) -> F64:
    """Displacement of space around each joint (55, 6): growth along the axes, then motion of the origin."""
    growth, motion = (np.tensordot(full, part, 1) for part in directions())
    return np.concatenate([growth, motion - growth * REST], axis=1)


def basis(points: F32, weights: F32) -> F32:
    """What one unit of each shape and each expression coefficient does (20, 3, N), at points (3, N)."""
    out = np.zeros((2 * COMPONENTS, *points.shape), dtype=np.float32)
    for k, unit in enumerate(np.eye(2 * COMPONENTS)):
        full, expression = unit[:COMPONENTS], unit[COMPONENTS:]
        table = shape_transforms(full).T.astype(np.float32)
        blend = np.einsum("kj,jn->kn", table, weights)
        out[k] = blend[:3] * points + blend[3:]
        add_bumps(out[k], points, weights, full, expression)
    return out


def add_bumps(out: F32, points: F32, weights: F32, full: F64, expression: F64) -> None:
    """Add the local bumps of shape and expression to out (3, N), at points (3, N) with weights (55, N)."""
    for names, bumps, values in (
        (SHAPE_NAMES, _SHAPE_BUMPS, full),
        (EXPRESSION_NAMES, _EXPRESSION_BUMPS, expression),
    ):
        for k, name in enumerate(names):
            if values[k]:
                for bump in bumps.get(name, ()):
                    _add_bump(out, points, weights, bump, float(values[k]))


def _add_bump(out: F32, points: F32, weights: F32, bump: Bump, amount: float) -> None:
    for sign in (1.0, -1.0) if bump.pair else (1.0,):
        centre = np.array([sign * bump.centre[0], bump.centre[1] + FLOOR, bump.centre[2]], dtype=np.float32)
        radii = np.array(bump.radii, dtype=np.float32)
        inside = np.flatnonzero(np.abs(points[1] - centre[1]) < radii[1])
        if not len(inside):
            continue
        offset = (points[:, inside] - centre[:, None]) / radii[:, None]
        height = np.maximum(1 - np.einsum("in,in->n", offset, offset), 0) ** 3
        if bump.below_lips:
            height *= weights[JOINT_INDEX["jaw"], inside]
        push = amount * np.array([sign * bump.push[0], bump.push[1], bump.push[2]])
        out[:, inside] += push.astype(np.float32)[:, None] * height
