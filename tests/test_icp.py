"""Motions between surfaces: known ones come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from solids import ball, box

from pipeline.errors import AlignmentError
from pipeline.geometry.icp import STILL, Motion, by_moments, by_nearest
from pipeline.records import F64
from recon.metrics.samples import sample
from recon.metrics.shapes import Shape

seeds = st.integers(0, 2**32 - 1)


def uneven() -> Shape:
    """A surface that lies upon itself in one way only: an egg with bumps."""
    egg = ball(1.0, rounds=4)
    x, y, z = egg.places.T
    bumps = 1 + 0.2 * np.sin(3 * x + 1) * np.cos(2 * y) + 0.15 * np.sin(4 * z + x)
    return Shape(egg.places * bumps[:, None] * [0.5, 1.0, 0.3], egg.faces)


def small_motion(seed: int, scale: float) -> Motion:
    draw = np.random.default_rng(seed)
    axis, shift = draw.normal(size=(2, 3))
    turn = Rotation.from_rotvec(0.15 * axis / np.linalg.norm(axis)).as_matrix()
    return Motion(scale, turn, 0.05 * shift / np.linalg.norm(shift))


def back(motion: Motion) -> Motion:
    """What undoes a motion."""
    turn = motion.rotation.T
    return Motion(1 / motion.scale, turn, -turn @ motion.shift / motion.scale)


@given(seeds, st.booleans())
@settings(max_examples=4, deadline=None)
def test_a_known_motion_is_undone(seed: int, sized: bool) -> None:
    true, motion = uneven(), small_motion(seed, 1.08 if sized else 1.0)
    points = sample(true.places, true.faces, 600, seed).points
    found = by_nearest(motion.moved(points), true.surface, sized=sized)
    wanted = back(motion)
    assert found.at_rest
    assert found.rounds > 1
    assert found.motion.scale == pytest.approx(wanted.scale, abs=1e-3 if sized else 1e-12)
    np.testing.assert_allclose(found.motion.rotation, wanted.rotation, atol=2e-3)
    np.testing.assert_allclose(found.motion.shift, wanted.shift, atol=2e-3)
    assert found.rms < 1e-3


def test_a_rigid_motion_keeps_the_scale_that_it_began_with() -> None:
    true = uneven()
    points = sample(true.places, true.faces, 300, 0).points
    found = by_nearest(points / 2, true.surface, Motion(2.0, np.eye(3), np.array([0.02, 0.0, 0.01])))
    assert found.motion.scale == 2.0
    np.testing.assert_allclose(found.motion.shift, 0, atol=1e-3)


def test_what_lies_there_already_is_left_alone() -> None:
    true = uneven()
    points = sample(true.places, true.faces, 300, 0).points
    found = by_nearest(points, true.surface)
    assert (found.rounds, found.at_rest) == (1, True)
    np.testing.assert_allclose(found.motion.moved(points), points, atol=1e-12)


def test_the_same_points_give_the_same_motion() -> None:
    true, motion = uneven(), small_motion(5, 1.0)
    points = motion.moved(sample(true.places, true.faces, 200, 0).points)
    first, second = (by_nearest(points, true.surface, sized=True).motion for _ in range(2))
    assert first.scale == second.scale
    assert (first.rotation == second.rotation).all()
    assert (first.shift == second.shift).all()


@given(seeds, st.floats(0.1, 10))
@settings(max_examples=15, deadline=None)
def test_scale_and_shift_of_a_surface_come_back(seed: int, scale: float) -> None:
    true, shift = uneven(), np.random.default_rng(seed).normal(size=3)
    made = (true.places * scale + shift).astype(np.float32)
    found = by_moments((made, true.faces), (true.places.astype(np.float32), true.faces))
    assert found.scale == pytest.approx(1 / scale, rel=1e-5)
    np.testing.assert_allclose(found.shift, -shift / scale, atol=1e-4)


def test_scale_and_shift_do_not_depend_on_how_a_surface_is_cut_into_triangles() -> None:
    def by_hand(half: F64) -> float:
        # The mean of x * x over a box: faces across x lie at half, the four others go from -half to half.
        areas = 8 * np.array([half[1] * half[2], half[0] * half[2], half[0] * half[1]])
        means = [[h * h if i == j else h * h / 3 for i, h in enumerate(half)] for j in range(3)]
        return float(np.sqrt(areas @ np.sum(means, axis=1) / areas.sum()))

    half = np.array([0.5, 1.0, 2.0])
    long, cube = box((-0.5, -1, -2), (0.5, 1, 2)), box((2, 2, 2), (3, 3, 3))
    found = by_moments(*((s.places.astype(np.float32), s.faces) for s in (long, cube)))
    assert found.scale == pytest.approx(by_hand(np.full(3, 0.5)) / by_hand(half), rel=1e-6)
    np.testing.assert_allclose(found.shift, [2.5, 2.5, 2.5], atol=1e-6)


def test_points_in_one_place_are_refused() -> None:
    with pytest.raises(AlignmentError, match="4 points are in one place"):
        by_nearest(np.ones((4, 3)), uneven().surface, STILL)
