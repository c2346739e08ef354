"""A view's way from its files to what is learnt from: lengths in closed form, colours, files that lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_rows import ball, fold_people, write_person

from pipeline.errors import FormatError
from pipeline.formats.exr import encode_exr
from pipeline.formats.png import encode_png, read_png_by_rows
from pipeline.geometry.camera import portrait_camera, rays
from pipeline.records import F64
from recon.data.augment import Prepared, prepared
from recon.data.batch import Draw, batched
from recon.data.choice import View, choose
from recon.data.sample import read
from recon.rays import ray_lengths
from recon.recipe import Recipe, Source

RADIUS, CENTRE = 0.2, (0.05, -0.03, 0.1)


def _view(folder: Path, size: int = 256, depth: str = "png", chosen: int = 256) -> View:
    """A ball away from the middle of the picture."""
    write_person(folder, "one", size=size, person=ball(RADIUS, CENTRE), depth=depth)
    fold_people(folder)
    return choose((Source("spheres"),), folder, "train", (), chosen).view(0)


def _prepared(view: View, size: int = 256) -> Prepared:
    batch = batched([("one", read(view, size), Draw())], size)
    return prepared(batch, Recipe(size=size))


def _lengths(size: int) -> F64:
    """Ray lengths (2, H, W) to a ball, by the angle between each ray and the way to its middle."""
    _, ways = rays(portrait_camera(size))
    middle = np.array(CENTRE) - (0.0, 0.0, 1.0)
    along = ways @ middle
    square = RADIUS**2 - (middle @ middle - along**2)
    half = np.sqrt(np.maximum(square, 0))
    return np.where(square > 0, np.stack([along - half, along + half]), 0.0)


@pytest.mark.parametrize(("depth", "bound"), [("png", 0.5 / 8783.9), ("exr", 2e-7)])
def test_depth_of_a_ball_is_that_of_the_closed_form(tmp_path: Path, depth: str, bound: float) -> None:
    found_2HW = _prepared(_view(tmp_path, depth=depth)).depth_B2HW[0]
    wanted = _lengths(256)
    assert np.array_equal(found_2HW.numpy() > 0, wanted > 0)
    lengths = np.where(wanted > 0, ray_lengths(found_2HW).numpy(), 0.0)
    assert np.abs(lengths - wanted).max() < bound + 2e-7


@pytest.mark.parametrize("times", [2, 4])
def test_a_larger_picture_is_brought_down(tmp_path: Path, times: int) -> None:
    view = _view(tmp_path, 256 * times)
    made = _prepared(view)
    wanted = _lengths(256 * times)[:, times // 2 - 1 :: times, times // 2 - 1 :: times]
    assert np.array_equal(made.depth_B2HW[0].numpy() > 0, wanted > 0)
    lengths = np.where(wanted > 0, ray_lengths(made.depth_B2HW[0]).numpy(), 0.0)
    assert np.abs(lengths - wanted).max() < 0.5 / (8783.9 * times) + 2e-7
    assert np.allclose(read(view, 256).keypoints_uv * times, view.keypoints_uv, atol=1e-4)


def test_colour_that_is_brought_down_is_the_mean_of_the_person_alone(tmp_path: Path) -> None:
    view = _view(tmp_path, 512)
    color = np.zeros((512, 512, 3), dtype=np.uint8)
    seen = _lengths(512)[0] > 0
    color[seen] = (200, 100, 50)
    color[::2][seen[::2]] += 20
    view.color.write_bytes(encode_png(color))
    image = (_prepared(view).image_B3HW[0] + 1) * 127.5
    inner = image[:, 110:140, 120:150].permute(1, 2, 0)
    assert torch.allclose(inner, torch.tensor((210.0, 110.0, 60.0)), atol=1e-3)
    edge = image[:, torch.from_numpy(seen[::2, ::2])]  # where less than all of a pixel shows the ball
    assert edge[0].min() > 199
    assert edge[0].max() < 221


def test_colour_that_another_program_wrote_is_read_the_same(tmp_path: Path) -> None:
    view = _view(tmp_path)
    before = read(view, 256).color
    assert read_png_by_rows(view.color, 1 << 20) is not None
    Image.open(view.color).save(view.color, optimize=True)
    assert read_png_by_rows(view.color, 1 << 20) is None
    assert np.array_equal(read(view, 256).color, before)


def test_the_cut_around_a_person_lies_where_it_was(tmp_path: Path) -> None:
    view = _view(tmp_path)
    sample = read(view, 256)
    high, wide = sample.color.shape[:2]
    whole = np.zeros((2, 256, 256))
    whole[:, sample.top : sample.top + high, sample.left : sample.left + wide] = sample.depth
    assert np.array_equal(whole > 0, _lengths(256) > 0)
    assert sample.color.nbytes < 256 * 256 * 3 / 2


def test_a_person_at_the_border_of_the_picture_is_whole(tmp_path: Path) -> None:
    write_person(tmp_path, "one", person=ball(0.9, (0.3, 0.2, 0.0)))
    fold_people(tmp_path)
    view = choose((Source("spheres"),), tmp_path, "train", (), 256).view(0)
    sample = read(view, 256)
    assert (sample.top, sample.left) == (0, 0)
    assert sample.color.shape == (256, 256, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "not a readable"),
        (encode_png(np.zeros((256, 256), dtype=np.uint16)), "shows nobody"),
        (encode_png(np.ones((128, 256), dtype=np.uint16)), "image is 256 x 128; its row says 256 x 256"),
        (encode_png(np.ones((256, 256, 3), dtype=np.uint8)), "is needed"),
        (None, "is not a file"),
    ],
)
def test_depth_that_cannot_be_used_is_refused_with_its_path(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    view = _view(tmp_path)
    if content is None:
        view.depths[0].unlink()
    else:
        view.depths[0].write_bytes(content)
    with pytest.raises(FormatError, match=said) as caught:
        read(view, 256)
    assert str(view.depths[0]) in str(caught.value)


def test_colour_of_another_size_is_refused(tmp_path: Path) -> None:
    view = _view(tmp_path)
    view.color.write_bytes(encode_png(np.ones((64, 64, 3), dtype=np.uint8)))
    with pytest.raises(FormatError, match="image is 64 x 64; its row says 256 x 256"):
        read(view, 256)


def test_lengths_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    view = _view(tmp_path, depth="exr")
    lengths = np.ones((256, 256), dtype=np.float32)
    for bad in (np.nan, np.inf):
        lengths[5, 6] = bad
        view.depths[1].write_bytes(encode_exr(lengths))
        with pytest.raises(FormatError, match="lengths that are no numbers"):
            read(view, 256)


def test_what_only_one_side_shows_is_nothing_and_what_is_near_is_not(tmp_path: Path) -> None:
    view = _view(tmp_path, depth="exr")
    front = np.zeros((256, 256), dtype=np.float32)
    front[100:120, 100:120] = 0.3  # so near that network depth would be under 0
    back = np.where(front > 0, np.float32(1.0), np.float32(0.0))
    back[100] = 0.0
    for path, lengths in zip(view.depths, (front, back), strict=True):
        path.write_bytes(encode_exr(lengths))
    depth_2HW = _prepared(view).depth_B2HW[0]
    assert (depth_2HW[:, 101:120, 100:120] > 0).all()
    assert int((depth_2HW > 0).sum()) == 2 * 19 * 20


def test_depth_is_decoded_by_the_rows_own_columns(tmp_path: Path) -> None:
    view = _view(tmp_path)
    other = replace(view, near=0.5, scale=view.scale * 2, offset=view.offset + 8)
    (slope, shift), (slope2, shift2) = read(view, 256).coding, read(other, 256).coding
    stored = 5000
    lengths = ray_lengths(torch.tensor((slope * stored + shift, slope2 * stored + shift2)).double())
    assert abs(float(lengths[0]) - ((stored - view.offset) / view.scale + 1.0)) < 1e-6
    assert abs(float(lengths[1]) - ((stored - view.offset - 8) / (2 * view.scale) + 0.5)) < 1e-6
    assert slope == pytest.approx(2048 / 256 / (32 * 512), rel=1e-9)  # as published, for a smaller picture
    assert shift == pytest.approx(0.0, abs=1e-9)
