"""Scores of maps: by hand for a few pixels, and unchanged by what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, ScanError
from recon.metrics.maps import AFFINE, compare_depths, compare_normals
from recon.metrics.normals import angles_deg

INSIDE = np.array([[True, True, True], [True, True, False]])


def test_angles_are_summed_up_over_the_pixels_that_count() -> None:
    angles = np.array([[1.0, 11.25, 22.5], [30.0, 60.0, 90.0]])
    found = compare_normals(angles, INSIDE)
    assert found.pixels == 5
    assert found.mean_deg == pytest.approx(124.75 / 5)
    assert found.median_deg == 22.5
    assert (found.within_11_25_deg, found.within_22_5_deg, found.within_30_deg) == (0.4, 0.6, 0.8)


def test_normals_turned_by_an_angle_score_that_angle() -> None:
    turn = np.radians(20.0)
    true, made = torch.zeros(3, 4, 5), torch.zeros(3, 4, 5)
    true[2], made[2], made[0] = 1, float(np.cos(turn)), float(np.sin(turn))
    angles = angles_deg((made + 1) / 2, (true + 1) / 2)[0].numpy()
    found = compare_normals(angles, np.ones((4, 5), dtype=bool))
    assert found.mean_deg == pytest.approx(20, abs=1e-3)
    assert (found.within_11_25_deg, found.within_22_5_deg) == (0, 1)


def test_depths_are_compared_as_they_are() -> None:
    true = np.array([[1.0, 2.0, 4.0], [5.0, 10.0, 0.0]])
    made = true + np.array([[0.1, -0.2, 0.4], [0.5, -1.0, 99.0]])
    found = compare_depths(made, true, INSIDE, cm_per_unit=100.0)
    assert found.pixels == 5
    assert found.abs_rel == pytest.approx(0.1)
    assert found.rmse_cm == pytest.approx(100 * np.sqrt((0.01 + 0.04 + 0.16 + 0.25 + 1) / 5))
    assert (found.fit, found.scale, found.shift_cm) == ("none", 1.0, 0.0)


@given(st.floats(0.1, 10), st.floats(-3, 3))
def test_scale_and_shift_do_not_matter_after_a_fit(scale: float, shift: float) -> None:
    draw = np.random.default_rng(0)
    true = draw.uniform(1, 3, (2, 3))
    made = true + 0.05 * draw.normal(size=(2, 3))
    first = compare_depths(made, true, INSIDE, cm_per_unit=10.0, fit=AFFINE)
    other = compare_depths(scale * made + shift, true, INSIDE, cm_per_unit=10.0, fit=AFFINE)
    assert other.rmse_cm == pytest.approx(first.rmse_cm, rel=1e-6)
    assert other.abs_rel == pytest.approx(first.abs_rel, rel=1e-6)
    assert other.scale * scale == pytest.approx(first.scale, rel=1e-6)


def test_a_fit_is_that_of_least_squares() -> None:
    draw = np.random.default_rng(1)
    made, true = draw.uniform(1, 3, (2, 20, 20))
    found = compare_depths(made, true, np.ones((20, 20), dtype=bool), cm_per_unit=1.0, fit=AFFINE)
    scale, shift = np.polyfit(made.ravel(), true.ravel(), 1)
    assert (found.scale, found.shift_cm) == pytest.approx((scale, shift))
    assert found.rmse_cm == pytest.approx(np.sqrt(((scale * made + shift - true) ** 2).mean()))


def test_a_flat_map_is_shifted_only() -> None:
    true, made = np.array([[1.0, 2.0, 3.0]]), np.full((1, 3), 0.1)
    assert made.mean() != made[0, 0]  # its mean is rounded, so that it seems to vary
    found = compare_depths(made, true, true > 0, cm_per_unit=1.0, fit=AFFINE)
    assert (found.scale, found.shift_cm) == pytest.approx((1.0, 1.9))
    assert found.rmse_cm == pytest.approx(np.sqrt(2 / 3))


def test_maps_without_anybody_are_refused() -> None:
    nobody = np.zeros((2, 3), dtype=bool)
    with pytest.raises(ScanError, match="no pixel counts"):
        compare_normals(np.zeros((2, 3)), nobody)
    with pytest.raises(ScanError, match="no pixel counts"):
        compare_depths(np.ones((2, 3)), np.ones((2, 3)), nobody, cm_per_unit=1.0)
    with pytest.raises(ScanError, match="true depth is 0 in places that count"):
        compare_depths(np.ones((2, 3)), np.zeros((2, 3)), INSIDE, cm_per_unit=1.0)
    with pytest.raises(ConfigError, match="'cubic' is not known"):
        compare_depths(np.ones((2, 3)), np.ones((2, 3)), INSIDE, cm_per_unit=1.0, fit="cubic")
