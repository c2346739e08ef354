"""Carries points from the person at rest into a body's shape, expression and pose.

The mathematics of the SMPL-X format, word for word, but for any point of space instead of a table of
vertices: what this does to the template's vertices is what the written body model does to them. Refuses to
know meshes and files.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.records import F32, F64, BodyParameters
from pipeline.synth.shape import add_bumps, full_betas, shape_transforms, shaped_joints
from pipeline.synth.skeleton import JOINT_NAMES, PARENTS, REST
from pipeline.synth.synergies import hand_mean
from pipeline.synth.weights import CHUNK, subtree_shares, weights_of

Index = npt.NDArray[np.intp]
JOINTS = len(PARENTS)
# How much of the thickness that blending loses at a bent joint is given back. At 90 degrees blending leaves
# cos 45 degrees of it, so 1 / cos 45 - 1 would give back all.
_KEPT = 0.41
_KEPT_AT = {"elbow": 0.22, "knee": 0.26}  # all of it would make knobs of these
_STIFF = ("jaw", "left_eye", "right_eye")


def rotations(vectors: F64) -> F64:
    """Rotation matrices (N, 3, 3) of axis-angle vectors (N, 3)."""
    angle = np.linalg.norm(vectors, axis=1)
    safe = np.where(angle > 0, angle, 1.0)
    x, y, z = (vectors / safe[:, None]).T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.asarray(np.eye(3) + sine * skew + (1 - cosine) * (skew @ skew))


def pose_vectors(body: BodyParameters) -> F64:
    """All 55 rotations (55, 3) of a body, axis-angle, the relaxed hands added."""
    parts = (
        body.global_orient[None],
        body.body_pose.reshape(21, 3),
        body.jaw_pose[None],
        body.leye_pose[None],
        body.reye_pose[None],
        body.left_hand_pose.reshape(15, 3) + hand_mean("left"),
        body.right_hand_pose.reshape(15, 3) + hand_mean("right"),
    )
    return np.concatenate(parts).astype(np.float64)


def _chain(matrices: F64, joints: F64) -> tuple[F64, F64]:
    """World rotation (55, 3, 3) and place (55, 3) of each joint, given its own rotation and rest place."""
    turns, places = np.empty_like(matrices), np.empty_like(joints)
    turns[0], places[0] = matrices[0], joints[0]
    for joint in range(1, JOINTS):
        parent = PARENTS[joint]
        turns[joint] = turns[parent] @ matrices[joint]
        places[joint] = places[parent] + turns[parent] @ (joints[joint] - joints[parent])
    return turns, places


def posed_joints(body: BodyParameters) -> F64:
    """The 55 joints (55, 3) of a body, in the scan's coordinates."""
    joints = shaped_joints(full_betas(body.gender, body.betas))
    _, places = _chain(rotations(pose_vectors(body)), joints)
    return np.asarray((places + body.transl) * body.scale + body.translation)


def deform(points: F32, body: BodyParameters, spread: float | F32 = 0.0) -> F32:
    """Points (N, 3) around the person at rest, carried along with a body into the scan's coordinates.

    `spread` is that of `skin_weights`: how widely the blend between the legs reaches, for skirts.
    """
    motion = _Motion(body)
    out = np.empty((len(points), 3), dtype=np.float32)
    for start in range(0, len(points), CHUNK):
        stop = start + CHUNK
        part = spread[start:stop] if isinstance(spread, np.ndarray) else spread
        out[start:stop] = motion.carry(points[start:stop], part).T
    return out


class _Motion:
    """One body's motion of space, its tables worked out once."""

    def __init__(self, body: BodyParameters) -> None:
        self.full = full_betas(body.gender, body.betas)
        self.expression = np.asarray(body.expression, dtype=np.float64)
        matrices = rotations(pose_vectors(body))
        joints = shaped_joints(self.full)
        turns, places = _chain(matrices, joints)
        offsets = places - np.einsum("jab,jb->ja", turns, joints) + body.transl
        turns, offsets = turns * body.scale, offsets * body.scale + body.translation
        table = np.concatenate([shape_transforms(self.full), turns.reshape(JOINTS, 9), offsets], axis=1)
        self.table = np.ascontiguousarray(table.T, dtype=np.float32)  # (18, 55)
        # the symmetric part of I - R: how far a joint is bent, across its axis
        self.bends = (np.eye(3) - (matrices + matrices.transpose(0, 2, 1)) / 2).astype(np.float32)

    def carry(self, points: F32, spread: float | F32) -> F32:
        """Where points (n, 3) go (3, n)."""
        shares = subtree_shares(points, spread)
        weights = weights_of(shares)
        place = np.ascontiguousarray(points.T, dtype=np.float32)
        blend = _blend(self.table, weights)
        moved = place + blend[:3] * place + blend[3:6]
        add_bumps(moved, place, weights, self.full, self.expression)
        for joint in BENDING:
            if np.any(np.abs(self.bends[joint]) > 1e-7):
                near, lever = levers(place, shares[joint], joint)
                moved[:, near] += np.einsum("ab,bn->an", self.bends[joint], lever)
        turns = blend[6:15].reshape(3, 3, -1)
        return np.asarray(np.einsum("abn,bn->an", turns, moved) + blend[15:18])


def _blend(table: F32, weights: F32) -> F32:
    """The tables (K, 55) of the joints blended by weights (55, N), as (K, N).

    Joint by joint over the points it moves: the same sum in any process, whatever the number of threads.
    """
    out = np.zeros((len(table), weights.shape[1]), dtype=np.float32)
    for joint in range(JOINTS):
        near = np.flatnonzero(weights[joint])
        if len(near):
            out[:, near] += table[:, joint, None] * weights[joint, near]
    return out


BENDING = tuple(j for j in range(1, JOINTS) if JOINT_NAMES[j] not in _STIFF)  # whose bending is corrected


def levers(points: F32, share: F32, joint: int) -> tuple[Index, F32]:
    """Where (n,) a joint's blend lies among points (3, N), and the arms (3, n) its bending works on.

    The correction is (I - sym R) @ lever: across the axis of the bend it gives back the thickness that
    blending takes, most where the blend is half and half, nothing outside it.
    """
    near = np.flatnonzero((share > 0) & (share < 1))
    kept = _KEPT_AT.get(JOINT_NAMES[joint].partition("_")[2], _KEPT)
    half = share[near] * (1 - share[near]) * np.float32(4 * kept)
    return near, np.asarray((points[:, near] - REST[joint].astype(np.float32)[:, None]) * half)
