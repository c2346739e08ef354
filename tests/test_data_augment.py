"""What is changed about images: jitter in closed form, backgrounds where nobody is, edges that blend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from recon.data.augment import decoded, edge, jittered, prepared, softened
from recon.data.batch import Batch, Draw, batched
from recon.data.sample import Sample
from recon.recipe import Recipe

SIZE = 64
RECIPE = Recipe(size=SIZE)
RNG = np.random.default_rng(5)


def _sample(top: int = 20, left: int = 24, high: int = 30, wide: int = 18) -> Sample:
    """A person that is a disc in a cut, in random colours."""
    y, x = np.mgrid[:high, :wide]
    seen = ((y - high / 2) / (high / 2 - 4)) ** 2 + ((x - wide / 2) / (wide / 2 - 4)) ** 2 < 1
    color = np.where(seen[..., None], RNG.integers(30, 256, (high, wide, 3)), 0).astype(np.uint8)
    depth = np.where(seen, np.stack([np.full(seen.shape, 20_000), np.full(seen.shape, 40_000)]), 0)
    return Sample(
        color,
        depth.astype(np.uint16),
        top,
        left,
        (1 / 16384, 0.0),
        np.full((31, 2), SIZE / 2, dtype=np.float32),
        np.ones(31, dtype=bool),
    )


def _scene() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return RNG.integers(0, 256, (SIZE // 2, SIZE // 2, 3), dtype=np.uint8)


def _batch(*draws: Draw) -> Batch:
    return batched([(f"p{i}", _sample(), draw) for i, draw in enumerate(draws)], SIZE)


def test_a_plain_sample_is_its_pixels_before_black() -> None:
    sample = _sample()
    made = prepared(batched([("one", sample, Draw())], SIZE), RECIPE)
    image = ((made.image_B3HW[0] + 1) / 2 * 255).permute(1, 2, 0).numpy()
    wanted = np.zeros((SIZE, SIZE, 3))
    wanted[20:50, 24:42] = sample.color
    assert np.abs(image - wanted).max() < 1e-4
    depth = np.zeros((2, SIZE, SIZE))
    depth[:, 20:50, 24:42] = sample.depth / 16384
    assert np.abs(made.depth_B2HW[0].numpy() - depth).max() < 1e-6
    assert made.image_B3HW.is_contiguous(memory_format=torch.channels_last)


def test_jitter_is_brightness_then_contrast_about_the_persons_mean_then_saturation() -> None:
    sample = _sample()
    seen = sample.depth[0] > 0
    brightness, contrast, saturation = 0.9, 0.75, 0.8
    color = sample.color / 255.0 * brightness
    luma = np.array((0.299, 0.587, 0.114))
    mean = (color[seen] @ luma).mean()
    wanted = contrast * color + (1 - contrast) * mean
    wanted = saturation * wanted + (1 - saturation) * (wanted @ luma)[..., None]
    factors = torch.tensor(((brightness, contrast, saturation),))
    color_B3hw = torch.from_numpy(sample.color).permute(2, 0, 1)[None]
    found = jittered(color_B3hw, torch.from_numpy(seen)[None, None], factors)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - wanted)[seen].max() < 1e-6


def test_jitter_that_brightens_stays_within_white() -> None:
    made = prepared(_batch(Draw((2.0, 2.0, 2.0))), RECIPE)
    assert made.image_B3HW.max() == 1.0
    assert made.image_B3HW.min() == -1.0


def test_before_black_what_shows_nobody_stays_black_however_it_is_jittered() -> None:
    made = prepared(_batch(Draw((0.7, 0.7, 0.7)), Draw((1.0, 0.8, 0.9), _scene())), RECIPE)
    nobody_HW = made.depth_B2HW[0, 0] == 0
    assert (made.image_B3HW[0][:, nobody_HW] == -1.0).all()
    assert (made.image_B3HW[1][:, nobody_HW] > -0.9).float().mean() > 0.8


def test_a_background_is_twice_as_large_and_behind_the_person() -> None:
    scene = np.full((SIZE // 2, SIZE // 2, 3), (10, 120, 250), dtype=np.uint8)
    batch = _batch(Draw(background=scene))
    made = prepared(batch, replace(RECIPE, softened=False))
    pixels = (made.image_B3HW[0] + 1) * 127.5
    nobody_HW = made.depth_B2HW[0, 0] == 0
    assert torch.allclose(pixels[:, nobody_HW], torch.tensor((10.0, 120.0, 250.0))[:, None], atol=1e-4)
    plain = prepared(replace(batch, background_Bhw3=None), RECIPE)
    assert torch.equal(made.image_B3HW[0][:, ~nobody_HW], plain.image_B3HW[0][:, ~nobody_HW])


def test_softening_is_a_median_of_three_and_a_gaussian_of_five_next_to_the_edge_alone() -> None:
    scene = _scene()
    batch = _batch(Draw(background=scene))
    hard, soft = (
        prepared(batch, replace(RECIPE, softened=whether)).image_B3HW[0].numpy()
        for whether in (False, True)
    )
    seen = prepared(batch, RECIPE).depth_B2HW[0, 0].numpy() > 0
    square = np.ones((3, 3))
    band = ndimage.binary_dilation(seen, square) & ~ndimage.binary_erosion(seen, square)
    assert np.array_equal(hard[:, ~band], soft[:, ~band])
    taps = np.array((1, 4, 6, 4, 1)) / 16
    for channel in range(3):
        wanted = ndimage.median_filter(hard[channel].astype(np.float64), 3, mode="nearest")
        for axis in (0, 1):
            wanted = ndimage.convolve1d(wanted, taps, axis, mode="nearest")
        assert np.abs(soft[channel] - wanted)[band].max() < 1e-6


def test_softening_where_the_image_ends_repeats_its_last_pixels() -> None:
    image = torch.rand(1, 3, 9, 7)
    wanted = ndimage.median_filter(image[0, 1].double().numpy(), 3, mode="nearest")
    for axis in (0, 1):
        wanted = ndimage.convolve1d(wanted, np.array((1, 4, 6, 4, 1)) / 16, axis, mode="nearest")
    assert np.abs(softened(image)[0, 1].numpy() - wanted).max() < 1e-6
    everywhere = edge(torch.ones(1, 1, 9, 7, dtype=torch.bool))
    assert not everywhere.any()  # the end of the image is no edge


def test_black_is_not_softened_into() -> None:
    draws = Draw(), Draw(background=_scene())
    both, alone = prepared(_batch(*draws), RECIPE), prepared(_batch(draws[0]), RECIPE)
    nobody_HW = both.depth_B2HW[0, 0] == 0
    assert (both.image_B3HW[0][:, nobody_HW] == -1.0).all()
    assert (alone.image_B3HW[0][:, nobody_HW] == -1.0).all()


def test_a_sample_is_the_same_pixels_in_any_company() -> None:
    large, small = _sample(2, 1, 60, 50), _sample()
    draw = Draw((0.9, 0.8, 0.7), _scene())
    alone = prepared(batched([("small", small, draw)], SIZE), RECIPE)
    beside = prepared(batched([("large", large, Draw()), ("small", small, draw)], SIZE), RECIPE)
    assert torch.equal(alone.image_B3HW[0], beside.image_B3HW[1])
    assert torch.equal(alone.depth_B2HW[0], beside.depth_B2HW[1])


def test_a_cut_that_grows_at_the_far_border_stays_inside() -> None:
    corner, large = _sample(SIZE - 30, SIZE - 18), _sample(0, 0, 50, 40)
    made = prepared(batched([("corner", corner, Draw()), ("large", large, Draw())], SIZE), RECIPE)
    depth = np.zeros((SIZE, SIZE))
    depth[-30:, -18:] = corner.depth[0] / 16384
    assert np.abs(made.depth_B2HW[0, 0].numpy() - depth).max() < 1e-6


def test_batches_of_both_kinds_of_depth_are_decoded_alike() -> None:
    sample = _sample()
    floats = replace(sample, depth=sample.depth.astype(np.float32) / 70_000, coding=(70_000 / 16384, 0.0))
    made = prepared(batched([("a", sample, Draw()), ("b", floats, Draw())], SIZE), RECIPE).depth_B2HW
    assert made[0].max() > 2
    assert torch.allclose(made[0], made[1], atol=1e-6)


@pytest.mark.parametrize("stored", [1, 65_535])
def test_all_that_sixteen_bits_hold_is_decoded(stored: int) -> None:
    depth = torch.from_numpy(np.full((1, 2, 1, 1), stored, dtype=np.uint16))
    found = decoded(depth, torch.tensor(((1 / 16384, 0.0),)))
    assert float(found[0, 0]) == pytest.approx(stored / 16384, rel=1e-6)
