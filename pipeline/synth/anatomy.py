"""The bare body at rest as a signed distance: trunk, arms and legs, with head, hands and feet melted on.

Refuses to know about clothes, colours and who the person is: one average body, which the shape
directions of the rig make slim or heavy, woman or man. Built on the left; the right is its mirror.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F32
from pipeline.synth import foot, hand, head
from pipeline.synth.skeleton import FLOOR
from pipeline.synth.solids import Loft, Part, cone, ellipsoid, mirrored, smooth_max, smooth_min, unite
from pipeline.synth.traits import Face

REACH = 0.06  # how far from the points a part is still looked at (metres)

# height above the floor, centre x, centre z, half width, half depth to the front and to the back, power
_TRUNK = Loft(
    (
        (0.845, 0, 0.000, 0.120, 0.060, 0.060, 2.0),
        (0.875, 0, 0.000, 0.154, 0.086, 0.090, 2.2),
        (0.920, 0, 0.000, 0.171, 0.097, 0.100, 2.4),
        (0.965, 0, 0.002, 0.168, 0.102, 0.099, 2.4),
        (1.010, 0, 0.004, 0.156, 0.104, 0.090, 2.4),
        (1.050, 0, 0.005, 0.145, 0.101, 0.083, 2.4),
        (1.090, 0, 0.005, 0.140, 0.096, 0.081, 2.4),
        (1.140, 0, 0.001, 0.141, 0.097, 0.085, 2.4),
        (1.190, 0, -0.006, 0.146, 0.102, 0.091, 2.4),
        (1.240, 0, -0.012, 0.155, 0.105, 0.095, 2.4),
        (1.290, 0, -0.017, 0.161, 0.105, 0.096, 2.4),
        (1.335, 0, -0.022, 0.161, 0.096, 0.092, 2.4),
        (1.375, 0, -0.026, 0.148, 0.082, 0.081, 2.3),
        (1.410, 0, -0.029, 0.118, 0.070, 0.074, 2.2),
        (1.440, 0, -0.031, 0.078, 0.046, 0.054, 2.0),
        (1.475, 0, -0.028, 0.045, 0.034, 0.042, 2.0),
    )
)
_LEG = Loft(
    (
        (0.965, 0.085, -0.002, 0.070, 0.078, 0.074, 2.0),
        (0.910, 0.089, -0.002, 0.083, 0.088, 0.085, 2.1),
        (0.860, 0.092, -0.002, 0.085, 0.090, 0.087, 2.1),
        (0.800, 0.094, -0.001, 0.081, 0.086, 0.082, 2.1),
        (0.720, 0.097, 0.002, 0.073, 0.077, 0.074, 2.1),
        (0.640, 0.099, 0.003, 0.063, 0.066, 0.064, 2.1),
        (0.570, 0.101, 0.001, 0.055, 0.056, 0.055, 2.1),
        (0.525, 0.102, -0.001, 0.051, 0.051, 0.050, 2.1),
        (0.485, 0.102, -0.004, 0.049, 0.050, 0.046, 2.2),
        (0.445, 0.102, -0.009, 0.047, 0.045, 0.047, 2.1),
        (0.400, 0.103, -0.015, 0.050, 0.041, 0.053, 2.0),
        (0.345, 0.105, -0.019, 0.052, 0.039, 0.057, 2.0),
        (0.290, 0.106, -0.023, 0.048, 0.036, 0.051, 2.0),
        (0.230, 0.108, -0.028, 0.040, 0.033, 0.041, 2.0),
        (0.170, 0.109, -0.033, 0.034, 0.032, 0.034, 2.0),
        (0.120, 0.110, -0.037, 0.032, 0.033, 0.034, 2.0),
        (0.080, 0.110, -0.038, 0.027, 0.029, 0.031, 2.0),
    )
)
# along the arm, in the frame (across, along, up): x, centre z, centre height, half width in z, half
# height up and down, power
_ARM = Loft(
    (
        (0.120, -0.022, 1.394, 0.048, 0.036, 0.048, 2.0),
        (0.165, -0.019, 1.402, 0.053, 0.043, 0.055, 2.1),
        (0.205, -0.018, 1.407, 0.052, 0.045, 0.053, 2.1),
        (0.250, -0.018, 1.409, 0.049, 0.042, 0.047, 2.1),
        (0.300, -0.019, 1.410, 0.047, 0.041, 0.042, 2.0),
        (0.350, -0.022, 1.409, 0.046, 0.039, 0.040, 2.0),
        (0.400, -0.026, 1.407, 0.043, 0.036, 0.037, 2.0),
        (0.442, -0.030, 1.405, 0.041, 0.034, 0.035, 2.1),
        (0.475, -0.027, 1.405, 0.043, 0.036, 0.036, 2.0),
        (0.515, -0.023, 1.405, 0.044, 0.036, 0.036, 2.0),
        (0.560, -0.020, 1.405, 0.041, 0.032, 0.032, 2.0),
        (0.610, -0.017, 1.405, 0.035, 0.026, 0.027, 2.0),
        (0.655, -0.015, 1.405, 0.030, 0.022, 0.022, 2.1),
        (0.705, -0.015, 1.405, 0.029, 0.020, 0.021, 2.2),
    )
)


def trunk(points: F32) -> F32:
    """Pelvis to the root of the neck, with the masses of muscle that show; points mirrored, above floor."""
    body = _TRUNK.distance(points, cap=0.04)
    spine = cone(points, (0, 1.00, -0.108), (0, 1.34, -0.140), (0.014, 0.016))
    body = smooth_max(body, -spine, 0.05)
    for melt, distance in (
        (0.045, ellipsoid(points, (0.068, 0.905, -0.058), (0.086, 0.088, 0.072))),  # gluteus
        (0.050, ellipsoid(points, (0.078, 1.315, 0.026), (0.072, 0.062, 0.052))),  # pectoralis
        (0.050, ellipsoid(points, (0.105, 1.270, -0.060), (0.062, 0.130, 0.052))),  # latissimus
        (0.045, ellipsoid(points, (0.085, 1.345, -0.080), (0.062, 0.075, 0.038))),  # shoulder blade
        (0.040, cone(points, (0.030, 1.478, -0.054), (0.158, 1.410, -0.035), (0.024, 0.028))),  # trapezius
        (0.030, cone(points, (0.030, 1.419, 0.014), (0.160, 1.436, -0.012), (0.008, 0.010))),  # clavicle
        (0.060, ellipsoid(points, (0.0, 1.03, 0.034), (0.092, 0.110, 0.066))),  # belly
    ):
        body = smooth_min(body, distance, melt)
    return body


def leg(points: F32) -> F32:
    """Thigh to ankle with knee cap and calf; points mirrored, above floor."""
    limb = _LEG.distance(points, cap=0.02)
    for melt, distance in (
        (0.022, ellipsoid(points, (0.102, 0.492, 0.036), (0.024, 0.030, 0.018))),  # knee cap
        (0.030, ellipsoid(points, (0.088, 0.358, -0.048), (0.030, 0.085, 0.030))),  # calf, inner
        (0.030, ellipsoid(points, (0.122, 0.372, -0.046), (0.027, 0.075, 0.028))),  # calf, outer
        (0.030, ellipsoid(points, (0.082, 0.560, 0.032), (0.026, 0.060, 0.026))),  # vastus, inner
        (0.040, ellipsoid(points, (0.110, 0.690, 0.045), (0.050, 0.150, 0.036))),  # thigh, front
    ):
        limb = smooth_min(limb, distance, melt)
    return limb


def arm(points: F32) -> F32:
    """Shoulder to wrist with deltoid, biceps, elbow and forearm; points mirrored, above floor."""
    along = np.ascontiguousarray(np.stack([points[2], points[0], points[1]]))
    limb = _ARM.distance(along, cap=0.015)
    for melt, distance in (
        (0.040, ellipsoid(points, (0.190, 1.407, -0.018), (0.058, 0.043, 0.052))),  # deltoid
        (0.030, ellipsoid(points, (0.325, 1.408, 0.004), (0.075, 0.030, 0.026))),  # biceps
        (0.030, ellipsoid(points, (0.310, 1.406, -0.048), (0.085, 0.031, 0.024))),  # triceps
        (0.018, ellipsoid(points, (0.446, 1.404, -0.064), (0.022, 0.018, 0.012))),  # olecranon
        (0.030, ellipsoid(points, (0.515, 1.410, 0.004), (0.060, 0.025, 0.020))),  # forearm
    ):
        limb = smooth_min(limb, distance, melt)
    return limb


_LIMBS = (
    Part((0.0, 0.80, -0.16), (0.20, 1.50, 0.14), 0.0, trunk),
    Part((0.0, 0.05, -0.11), (0.20, 0.98, 0.12), 0.035, leg),
    Part((0.10, 1.32, -0.10), (0.72, 1.48, 0.06), 0.045, arm),
)


def limbs(points: F32) -> F32:
    """Trunk, arms and legs (N,), without head, hands and feet."""
    folded = mirrored(points)
    folded[1] -= np.float32(FLOOR)
    return unite(_LIMBS, folded, REACH)


def skin(points: F32, limbs_distance: F32, face: Face, bare_feet: bool = True) -> F32:
    """The naked, bald person (N,), from the limbs' distance at the same points."""
    parts = [
        Part(head.LOW, head.HIGH, 0.030, lambda p: head.head(p, face)),
        Part(hand.LOW, hand.HIGH, 0.012, hand.hand),
    ]
    if bare_feet:
        parts.append(Part(foot.LOW, foot.HIGH, 0.012, foot.foot))
    folded = mirrored(points)
    low, high = folded.min(axis=1), folded.max(axis=1)
    total = limbs_distance
    for part in parts:
        if not part.misses(low, high, REACH):
            total = smooth_min(total, part.distance(points), part.melt)
    return total


def bare(points: F32) -> F32:
    """The average person without clothes (N,): the surface of the body model."""
    return skin(points, limbs(points), Face())
