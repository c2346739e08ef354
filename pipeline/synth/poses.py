"""The poses people stand in, each drawn anew by seed within what looks natural.

Refuses to know meshes; a shape is asked for only because hands have to find hips and thighs on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.errors import ConfigError
from pipeline.records import F64
from pipeline.synth.stance import Contact, PoseValues, Stance

Random = np.random.Generator

# movements of `synergies`
_CURL, _FAN, _THUMB, _APART = 0, 1, 2, 6
_LEFT_AND_RIGHT = ("left", "right")


def _idle_hands(stance: Stance, random: Random, curl: float = 0.12) -> None:
    for side in _LEFT_AND_RIGHT:
        amounts = {_CURL: curl + 0.10 * random.standard_normal(), _THUMB: 0.1 * random.standard_normal()}
        stance.hand(side, {**amounts, _FAN: 0.12 * random.uniform(-0.5, 1)})


def _idle_head(stance: Stance, random: Random, reach: float = 6.0) -> None:
    yaw, nod, tilt = reach * random.uniform(-1, 1, 3) * (1.0, 0.6, 0.4)
    stance.turn("neck", x=0.4 * nod, y=0.4 * yaw, z=0.5 * tilt)
    stance.turn("head", x=0.6 * nod, y=0.6 * yaw, z=0.5 * tilt)


def _lean_on_a_leg(stance: Stance, random: Random, most: float = 1.0) -> None:
    """Weight on one leg: hips tilt, the free knee bends, the spine rights itself."""
    free = _LEFT_AND_RIGHT[int(random.integers(2))]
    sign = 1.0 if free == "left" else -1.0
    amount = most * random.uniform(0.3, 1.0)
    tilt = 2.6 * amount
    stance.turn("pelvis", z=-sign * tilt, y=sign * 2.0 * amount)
    for side in _LEFT_AND_RIGHT:
        stance.turn(f"{side}_hip", z=sign * tilt)
    stance.limb(free, "hip", x=-9 * amount, y=6 * amount, z=3 * amount)
    stance.limb(free, "knee", x=14 * amount)
    stance.limb(free, "ankle", x=-5 * amount)
    stance.turn("spine1", z=sign * 0.9 * tilt, y=-sign * amount)
    stance.turn("spine3", z=sign * 0.6 * tilt, y=-sign * amount)
    stance.turn("neck", z=-sign * 0.5 * tilt)


def _open_stance(stance: Stance, random: Random, apart: float = 2.0) -> None:
    """Feet a little apart, toes a little out."""
    for side in _LEFT_AND_RIGHT:
        spread = apart + random.uniform(-0.8, 0.8)
        stance.limb(side, "hip", y=2.0 + 1.5 * random.standard_normal(), z=spread)
        stance.limb(side, "ankle", z=-spread)


def _hanging_arms(stance: Stance, random: Random) -> None:
    for side in _LEFT_AND_RIGHT:
        stance.hang_arm(
            side,
            lower=random.uniform(74, 78),
            forward=random.uniform(-4, 8),
            twist=random.uniform(-4, 10),
            elbow=random.uniform(10, 24),
        )


def _t_pose(_stance: Stance, _random: Random) -> None:
    """The rest pose, hands relaxed."""


def _a_pose(stance: Stance, random: Random) -> None:
    _open_stance(stance, random, 4.5)
    for side in _LEFT_AND_RIGHT:
        lower = random.uniform(42, 50)
        stance.hang_arm(side, lower, forward=random.uniform(0, 5), twist=0, elbow=random.uniform(4, 12))
    _idle_hands(stance, random, -0.1)
    _idle_head(stance, random, 2.0)


def _standing(stance: Stance, random: Random) -> None:
    _lean_on_a_leg(stance, random)
    _open_stance(stance, random)
    _hanging_arms(stance, random)
    _idle_hands(stance, random)
    _idle_head(stance, random)


def _walking(stance: Stance, random: Random) -> None:
    """Caught as the front heel lands."""
    front, back = _LEFT_AND_RIGHT if random.integers(2) else _LEFT_AND_RIGHT[::-1]
    sign = 1.0 if front == "left" else -1.0
    stride = random.uniform(0.85, 1.15)
    stance.turn("pelvis", x=2.0, y=-sign * 5 * stride)
    stance.turn("spine1", y=sign * 4 * stride)
    stance.turn("spine3", x=1.0, y=sign * 6 * stride)
    stance.turn("neck", x=-2.0, y=-sign * 4 * stride)
    stance.limb(front, "hip", x=-27 * stride, y=5, z=1)
    stance.limb(front, "knee", x=7 * stride)
    stance.limb(front, "ankle", x=-3)
    stance.limb(back, "hip", x=15 * stride, y=3, z=1)
    stance.limb(back, "knee", x=24 * stride)
    stance.limb(back, "ankle", x=4 * stride)
    stance.limb(back, "foot", x=-24 * stride)
    stance.hang_arm(front, random.uniform(72, 76), -22 * stride, 4, random.uniform(12, 20))
    stance.hang_arm(back, random.uniform(72, 76), 20 * stride, 4, random.uniform(26, 38))
    _idle_hands(stance, random, 0.2)
    _idle_head(stance, random, 4.0)


def _arms_up(stance: Stance, random: Random) -> None:
    _open_stance(stance, random, 4.0)
    _lean_on_a_leg(stance, random, 0.4)
    stance.turn("spine2", x=-3.0)
    for side in _LEFT_AND_RIGHT:
        raise_by = random.uniform(52, 66)
        stance.hang_arm(
            side, -raise_by, random.uniform(0, 10), random.uniform(-30, -15), random.uniform(14, 32)
        )
        stance.hand(side, {_CURL: -0.25, _FAN: random.uniform(0.1, 0.35)})
    _idle_head(stance, random, 5.0)


_HIP = Contact(
    place=(0.208, 1.030, -0.065),
    elbow=(0.9, 0.05, -0.45),
    fingers=(-0.09, -0.60, 0.86),
    palm=(-0.96, -0.11, -0.10),
)
# fingers nearly straight, the thumb laid beside them: what lies on a hip
_FLAT = {_CURL: -0.42, _FAN: 0.1, _THUMB: -0.7, _APART: -0.35}


def _hands_on_hips(stance: Stance, random: Random) -> None:
    _lean_on_a_leg(stance, random, 0.7)
    _open_stance(stance, random, 4.0)
    for side in _LEFT_AND_RIGHT:
        stance.limb(side, "collar", z=-4 + random.uniform(-1, 2), y=2)
        stance.reach(side, _HIP)
        stance.hand(side, {**_FLAT, _CURL: _FLAT[_CURL] + 0.04 * random.standard_normal()})
    _idle_head(stance, random)


_SMALL_OF_BACK = Contact(
    place=(0.075, 1.075, -0.112),
    elbow=(0.80, -0.15, -0.55),
    fingers=(-0.97, -0.12, 0.02),
    palm=(0.05, 0.0, -1.0),
)


def _arm_behind_back(stance: Stance, random: Random) -> None:
    behind, other = _LEFT_AND_RIGHT if random.integers(2) else _LEFT_AND_RIGHT[::-1]
    _lean_on_a_leg(stance, random, 0.6)
    _open_stance(stance, random)
    stance.limb(behind, "collar", z=-3, y=6)
    stance.reach(behind, _SMALL_OF_BACK)
    lower = random.uniform(74, 78)
    stance.hang_arm(other, lower, random.uniform(0, 8), random.uniform(-4, 8), random.uniform(10, 24))
    _idle_hands(stance, random)
    _idle_head(stance, random)


_THIGH = Contact(
    place=(0.108, 0.660, 0.113),
    elbow=(0.75, -0.1, -0.65),
    fingers=(-0.16, -0.06, 0.98),
    palm=(-0.10, -1.0, -0.05),
)


def _sitting(stance: Stance, random: Random) -> None:
    stance.turn("pelvis", x=-3.0)
    stance.turn("spine1", x=4.0 + random.uniform(-2, 2))
    stance.turn("spine3", x=3.0 + random.uniform(-2, 2))
    stance.turn("neck", x=-2.0)
    for side in _LEFT_AND_RIGHT:
        apart = random.uniform(5, 10)
        stance.limb(side, "hip", x=-84 + random.uniform(-2, 2))
        stance.limb(side, "hip", y=apart)
        stance.limb(side, "knee", x=86 + random.uniform(-4, 4))
        stance.limb(side, "ankle", x=random.uniform(-2, 3))
    for side in _LEFT_AND_RIGHT:
        stance.limb(side, "collar", z=-6)
        stance.reach(side, _THIGH)
        stance.hand(side, {_CURL: -0.12 + 0.05 * random.standard_normal(), _FAN: 0.15})
    _idle_head(stance, random)


def _looking_sideways(stance: Stance, random: Random) -> None:
    sign = 1.0 if random.integers(2) else -1.0
    turn = random.uniform(0.8, 1.1)
    _lean_on_a_leg(stance, random, 0.8)
    _open_stance(stance, random)
    for name, yaw in (("spine1", 3), ("spine2", 4), ("spine3", 5), ("neck", 19), ("head", 27)):
        stance.turn(name, y=sign * turn * yaw)
    stance.turn("head", x=random.uniform(-5, 4), z=random.uniform(-3, 3))
    for eye in ("left_eye", "right_eye"):
        stance.turn(eye, y=sign * 10 * turn)
    _hanging_arms(stance, random)
    _idle_hands(stance, random)


_MAKERS: dict[str, Callable[[Stance, Random], None]] = {
    "t-pose": _t_pose,
    "a-pose": _a_pose,
    "standing": _standing,
    "walking": _walking,
    "arms-up": _arms_up,
    "hands-on-hips": _hands_on_hips,
    "arm-behind-back": _arm_behind_back,
    "sitting": _sitting,
    "looking-sideways": _looking_sideways,
}
POSES: tuple[str, ...] = tuple(_MAKERS)


def pose(name: str, seed: int, betas: F64 | None = None) -> PoseValues:
    """The named pose as the seed draws it, for betas (10,) on the neutral template (or the average)."""
    if name not in _MAKERS:
        raise ConfigError(f"no pose {name!r}; take one of {', '.join(POSES)}")
    stance = Stance(np.zeros(10) if betas is None else np.asarray(betas, dtype=np.float64))
    _MAKERS[name](stance, np.random.default_rng([0x905E, seed, POSES.index(name)]))
    return stance.values()
