"""Rows that find the joints from the vertices, exactly, for every shape the template can take.

Refuses to know which joints and shapes there are: it solves for what it is given.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F32, F64

_NEAR = 320  # vertices that a joint is found from
_NEGLIGIBLE = 1e-4  # of a direction's own size: what is left of it after the others is rounding


def joint_regressor(vertices: F32, directions: F32, joints: F64, motions: F64) -> F32:
    """The regressor (J, V): sparse rows that take vertices to joints, and directions to their motions.

    Vertices (V, 3) with directions (K, V, 3); joints (J, 3) with motions (K, J, 3). Each row sums to one: a
    mean of the nearest vertices, changed as little as exactness allows.
    """
    out = np.zeros((len(joints), len(vertices)), dtype=np.float32)
    for j, joint in enumerate(joints):
        away = np.linalg.norm(vertices - joint, axis=1)
        near = np.sort(np.argsort(away, kind="stable")[:_NEAR])
        rows = np.concatenate([vertices[near].T - joint[:, None], *directions[:, near].transpose(0, 2, 1)])
        wanted = np.concatenate([np.zeros(3), *motions[:, j]])
        rows = np.concatenate([np.ones((1, len(near))), rows]).astype(np.float64)
        closeness = np.exp(-((away[near] / max(float(away[near].min()), 0.01)) ** 2) / 2) + 1e-3
        out[j, near] = _least_change(rows, np.concatenate([[1.0], wanted]), closeness / closeness.sum())
    return out


def _least_change(rows: F64, wanted: F64, start: F64) -> F64:
    """The x nearest to the start with rows @ x = wanted: Gram-Schmidt, the same sums in any process."""
    base, values = np.zeros((0, rows.shape[1])), np.zeros(0)
    for row, value in zip(rows, wanted, strict=True):
        size = np.sqrt(np.einsum("i,i", row, row))
        rest, left = row, value - np.einsum("i,i", row, start)
        for _ in range(2):
            part = np.einsum("ki,i->k", base, rest)
            rest = rest - np.einsum("k,ki->i", part, base)
            left = left - np.einsum("k,k", part, values)
        length = np.sqrt(np.einsum("i,i", rest, rest))
        if length > _NEGLIGIBLE * size:
            base = np.concatenate([base, rest[None] / length])
            values = np.append(values, left / length)
    return np.asarray(start + np.einsum("k,ki->i", values, base))
