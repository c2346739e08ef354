"""Scores of pictures, against scikit-image and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pipeline.errors import ScanError
from recon.metrics.pictures import compare_pictures


@given(st.integers(0, 2**32 - 1), st.integers(11, 40), st.integers(11, 40))
@settings(max_examples=10, deadline=None)
def test_scores_are_those_of_scikit_image(seed: int, height: int, width: int) -> None:
    draw = np.random.default_rng(seed)
    true = draw.random((height, width, 3))
    made = (true + 0.2 * draw.normal(size=true.shape)).clip(0, 1)
    found = compare_pictures(made, true)
    expected = structural_similarity(  # type: ignore[no-untyped-call]
        made,
        true,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )
    assert found.ssim == pytest.approx(expected, abs=1e-9)
    decibels = peak_signal_noise_ratio(true, made, data_range=1.0)  # type: ignore[no-untyped-call]
    assert found.psnr_db == pytest.approx(decibels, abs=1e-9)
    assert (found.width, found.height) == (width, height)


def test_flat_pictures_differ_by_their_light_only() -> None:
    found = compare_pictures(np.full((16, 20, 3), 0.5), np.full((16, 20, 3), 0.6))
    assert found.psnr_db == pytest.approx(20.0)
    assert found.ssim == pytest.approx((2 * 0.3 + 1e-4) / (0.25 + 0.36 + 1e-4))


def test_the_same_picture_is_perfect_and_its_negative_is_below_nothing() -> None:
    picture = np.random.default_rng(0).random((32, 32, 3))
    same, negative = compare_pictures(picture, picture), compare_pictures(1 - picture, picture)
    assert same.psnr_db == float("inf")
    assert same.ssim == pytest.approx(1.0)
    assert negative.ssim < -0.5


def test_pictures_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ScanError, match="both must be"):
        compare_pictures(np.zeros((16, 16, 3)), np.zeros((16, 17, 3)))
    with pytest.raises(ScanError, match="pictures are 30 x 10; SSIM needs 11 pixels each way"):
        compare_pictures(np.zeros((10, 30, 3)), np.zeros((10, 30, 3)))
