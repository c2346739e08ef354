"""A pose being made: joints turned by angles, hands brought to places on the body.

Knows limbs and how they bend; refuses to know which poses there are, and meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.records import F64, BodyParameters
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.shape import full_betas, shaped_joints
from pipeline.synth.skeleton import FLOOR, JOINT_INDEX, PARENTS
from pipeline.synth.synergies import hand_moving

_BODY_JOINTS = 25  # all but the fingers
# how much of a turn of the hand about the forearm happens along the forearm
_FOREARM_TWIST = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class PoseValues:
    """The rotations of a pose, axis-angle, hands relative to the mean: the fields of `BodyParameters`."""

    global_orient: F64  # (3,)
    body_pose: F64  # (21, 3)
    jaw_pose: F64  # (3,)
    leye_pose: F64  # (3,)
    reye_pose: F64  # (3,)
    left_hand_pose: F64  # (15, 3)
    right_hand_pose: F64  # (15, 3)


@dataclass(frozen=True)
class Contact:
    """Where a left hand goes: a place at rest it rides on, and its direction in the world.

    The wrist goes to `place` (x, height above the floor, z); the elbow leans towards `elbow`; `fingers` and
    `palm` are the ways they point. The right hand takes the mirror image.
    """

    place: tuple[float, float, float]
    elbow: tuple[float, float, float]
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]


def _frame(first: F64, second: F64) -> F64:
    """Orthonormal columns (3, 3): along the first, along what the second adds, across both."""
    one = first / np.linalg.norm(first)
    two = second - (second @ one) * one
    two = two / np.linalg.norm(two)
    return np.stack([one, two, np.cross(one, two)], axis=1)


def _swing(start: F64, end: F64) -> F64:
    """The shortest rotation (3, 3) from one direction to another."""
    one, two = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(one, two)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3)
    return np.asarray(Rotation.from_rotvec(axis / sine * np.arctan2(sine, one @ two)).as_matrix())


def _twist(matrix: F64, axis: F64) -> float:
    """By how much (radians) a rotation turns about an axis."""
    x, y, z, w = Rotation.from_matrix(matrix).as_quat()
    angle = 2 * np.arctan2(np.array([x, y, z]) @ axis / np.linalg.norm(axis), w)
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


class Stance:
    """Local rotations of the joints, built up turn by turn for one body shape on the neutral template."""

    def __init__(self, betas: F64) -> None:
        self._betas = betas
        self._turns = np.tile(np.eye(3), (_BODY_JOINTS, 1, 1))
        self._hands = {"left": np.zeros((15, 3)), "right": np.zeros((15, 3))}

    def turn(self, name: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> None:
        """Turn a joint further, by degrees about its parent's z, then x, then y."""
        extra = Rotation.from_euler("zxy", [z, x, y], degrees=True).as_matrix()
        joint = JOINT_INDEX[name]
        self._turns[joint] = extra @ self._turns[joint]

    def limb(self, side: str, part: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> None:
        """Turn a joint of one side, by the left one's angles or their mirror image."""
        sign = 1.0 if side == "left" else -1.0
        self.turn(f"{side}_{part}", x, sign * y, sign * z)

    def hang_arm(self, side: str, lower: float, forward: float, twist: float, elbow: float) -> None:
        """An arm lowered from the T (below zero: raised), swung to the front, turned about itself, bent."""
        collar = 0.12 * lower if lower > 0 else 0.32 * lower
        self.limb(side, "collar", z=-collar)
        self.limb(side, "shoulder", x=twist)
        self.limb(side, "shoulder", z=-(lower - collar))
        self.limb(side, "shoulder", x=-forward)
        self.limb(side, "elbow", y=-elbow)

    def hand(self, side: str, amounts: dict[int, float]) -> None:
        """Move the fingers of one side, by number of movement."""
        self._hands[side] = self._hands[side] + hand_moving(amounts, side)

    def reach(self, side: str, contact: Contact) -> None:
        """Turn shoulder, elbow and wrist of one side so that the hand is where the contact says."""
        sign = 1.0 if side == "left" else -1.0
        mirror = np.array([sign, 1.0, 1.0])
        shoulder, elbow, wrist = (JOINT_INDEX[f"{side}_{n}"] for n in ("shoulder", "elbow", "wrist"))
        for joint in (shoulder, elbow, wrist):
            self._turns[joint] = np.eye(3)
        body = self._body()
        start = posed_joints(body)[shoulder]
        place = np.add(contact.place, (0.0, FLOOR, 0.0)) * mirror
        target = deform(place[None].astype(np.float32), body)[0].astype(np.float64)
        rest = shaped_joints(full_betas("neutral", self._betas))
        upper, fore = rest[elbow] - rest[shoulder], rest[wrist] - rest[elbow]
        bent = _elbow(start, target, np.array(contact.elbow) * mirror, upper, fore)

        hinge = np.array([0.0, -sign, 0.0])  # bending the forearm to the front turns about this
        ahead, onward = bent - start, target - bent
        world = _frame(ahead, np.cross(ahead, onward)) @ _frame(upper, hinge).T
        bend = _swing(fore, world.T @ onward)
        hand_rest = _frame(np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]))
        hand = _frame(np.array(contact.fingers) * mirror, np.array(contact.palm) * mirror) @ hand_rest.T
        flex = (world @ bend).T @ hand
        axis = fore / np.linalg.norm(fore)
        along = Rotation.from_rotvec(axis * _FOREARM_TWIST * _twist(flex, axis)).as_matrix()
        self._turns[shoulder] = self._world(PARENTS[shoulder]).T @ world
        self._turns[elbow] = bend @ along
        self._turns[wrist] = along.T @ flex

    def values(self) -> PoseValues:
        """The pose as it stands."""
        vectors = Rotation.from_matrix(self._turns).as_rotvec()
        return PoseValues(
            global_orient=vectors[0],
            body_pose=vectors[1:22],
            jaw_pose=vectors[22],
            leye_pose=vectors[23],
            reye_pose=vectors[24],
            left_hand_pose=self._hands["left"],
            right_hand_pose=self._hands["right"],
        )

    def _world(self, joint: int) -> F64:
        matrix = self._turns[joint]
        while joint:
            joint = int(PARENTS[joint])
            matrix = self._turns[joint] @ matrix
        return np.asarray(matrix)

    def _body(self) -> BodyParameters:
        now = self.values()
        return BodyParameters(
            gender="neutral",
            betas=self._betas,
            expression=np.zeros(10),
            global_orient=now.global_orient,
            body_pose=now.body_pose,
            jaw_pose=now.jaw_pose,
            leye_pose=now.leye_pose,
            reye_pose=now.reye_pose,
            left_hand_pose=now.left_hand_pose,
            right_hand_pose=now.right_hand_pose,
        )


def _elbow(start: F64, target: F64, towards: F64, upper: F64, fore: F64) -> F64:
    """Where the elbow goes between shoulder and wrist; a target out of reach is moved into it."""
    long, short = float(np.linalg.norm(upper)), float(np.linalg.norm(fore))
    along = target - start
    reach = float(np.clip(np.linalg.norm(along), abs(long - short) * 1.01, (long + short) * 0.999))
    along = along / np.linalg.norm(along)
    near = (long**2 - short**2 + reach**2) / (2 * reach)
    aside = towards - (towards @ along) * along
    aside = aside / np.linalg.norm(aside)
    return np.asarray(start + near * along + np.sqrt(max(long**2 - near**2, 0.0)) * aside)
