"""Rotations between sets of points: known ones come back, and what cannot be known is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.errors import AlignmentError
from pipeline.geometry.procrustes import rotation_between, scale_between, unturned_between

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_a_known_motion_is_recovered_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(20, 3)), rng.uniform(0.1, 1, 20)
    turn, scale = Rotation.random(random_state=rng).as_matrix(), rng.uniform(0.01, 100)
    there = scale * points @ turn.T + rng.normal(size=3) * 50
    np.testing.assert_allclose(rotation_between(points, there, weights), turn, atol=1e-9)
    assert scale_between(points, there, weights) == pytest.approx(scale, rel=1e-9)


@given(seeds)
def test_noisy_points_give_what_scipy_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(20, 3)), rng.uniform(0.1, 1, 20)
    there = points @ Rotation.random(random_state=rng).as_matrix().T + 0.2 * rng.normal(size=(20, 3))
    share = weights / weights.sum()
    expected, _ = Rotation.align_vectors(there - share @ there, points - share @ points, weights)
    np.testing.assert_allclose(rotation_between(points, there, weights), expected.as_matrix(), atol=1e-6)


@given(seeds)
def test_a_mirror_image_is_never_taken_for_a_turn(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(20, 3))
    assert np.linalg.det(rotation_between(points, points * [-1, 1, 1], np.ones(20))) > 0


@given(seeds)
def test_points_on_a_plane_are_enough(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(9, 3)) * [1, 1, 0]
    turn = Rotation.random(random_state=rng).as_matrix()
    np.testing.assert_allclose(rotation_between(points, points @ turn.T, np.ones(9)), turn, atol=1e-6)


def test_points_without_weight_do_not_count() -> None:
    rng = np.random.default_rng(0)
    points, turn = rng.normal(size=(30, 3)), Rotation.from_rotvec([0.3, -2.0, 0.5]).as_matrix()
    there, weights = points @ turn.T, np.ones(30)
    there[20:], weights[20:] = rng.normal(size=(10, 3)), 0.0
    np.testing.assert_allclose(rotation_between(points, there, weights), turn, atol=1e-9)


@given(seeds)
def test_scale_and_shift_come_back_without_a_turn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, scale, shift = rng.normal(size=(20, 3)), rng.uniform(0.1, 10), rng.normal(size=3)
    found = unturned_between(points, points * scale + shift, rng.uniform(0.1, 1, 20))
    assert found.scale == pytest.approx(scale, rel=1e-9)
    assert found.place == pytest.approx(tuple(shift), abs=1e-8)


def test_what_has_no_answer_is_refused() -> None:
    line = np.outer(np.arange(5.0), [1.0, 2.0, 3.0])
    with pytest.raises(AlignmentError, match="5 points lie on a line"):
        rotation_between(line, line, np.ones(5))
    with pytest.raises(AlignmentError, match="weights sum to 0"):
        rotation_between(np.eye(3), np.eye(3), np.zeros(3))
