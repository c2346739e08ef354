"""Overlays: the right colour at the right place, full or hollow, and small files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.formats.overlay import SIZE, write_overlay
from pipeline.geometry.keypoints import BONES, NAMES, SIDES
from pipeline.records import F64, U8, Keypoints

GREY = 90


def keypoints(uv: F64, valid: object = True, visible: object = True) -> Keypoints:
    flags = [np.broadcast_to(np.asarray(flag), 31).astype(np.bool_) for flag in (valid, visible)]
    return Keypoints(uv, np.ones(31), np.ones(31), flags[0], flags[0] & flags[1], ("test",) * 31)


def spread() -> F64:
    """Positions (31, 2) far from each other, in a picture of 1000 x 1000."""
    row, column = np.divmod(np.arange(31), 6)
    return np.stack([column * 150.0 + 100, row * 150.0 + 100], axis=1)


def drawn(folder: Path, marks: Keypoints, bones: Sequence[tuple[int, int]] = ()) -> U8:
    """The overlay over a grey picture that has nothing black to crop."""
    picture = np.full((1000, 1000, 3), GREY, dtype=np.uint8)
    write_overlay(folder / "a.jpg", picture, marks, bones, SIDES)
    return np.asarray(Image.open(folder / "a.jpg").convert("RGB"))


def middle(picture: U8, uv: F64) -> U8:
    """The colours (N, 3) at positions."""
    column, row = np.floor(uv * SIZE / 1000).astype(int).T
    return np.asarray(picture[row, column])


def test_sides_have_colours_of_their_own(tmp_path: Path) -> None:
    color = middle(drawn(tmp_path, keypoints(spread())), spread()).astype(int)
    red_over_blue = color[:, 0] - color[:, 2]
    left, right = np.array(SIDES) == "left", np.array(SIDES) == "right"
    assert left.sum() == right.sum() == 15 and NAMES[0] == "nose"
    assert (red_over_blue[left] > 120).all()
    assert (red_over_blue[right] < -120).all()
    assert color[0].min() > 200


def test_what_is_hidden_is_hollow_and_what_is_not_known_is_not_drawn(tmp_path: Path) -> None:
    known, shown = np.arange(31) % 3 != 0, np.arange(31) % 3 == 1
    picture = drawn(tmp_path, keypoints(spread(), known, shown))
    spot = middle(picture, spread()).astype(int)
    assert (np.abs(spot[shown] - GREY).max(axis=1) > 100).all()
    assert (np.abs(spot[~shown] - GREY).max(axis=1) < 60).all(), "only a ring around it"
    patches = [
        picture[int(v) - 6 : int(v) + 7, int(u) - 6 : int(u) + 7].astype(int)
        for u, v in spread() * SIZE / 1000
    ]
    marked = np.array([np.abs(patch - GREY).max() > 40 for patch in patches])
    np.testing.assert_array_equal(marked, known)


def test_bones_join_only_what_is_known(tmp_path: Path) -> None:
    uv = spread()
    known = np.ones(31, dtype=bool)
    known[7] = False
    picture = drawn(tmp_path, keypoints(uv, known), [(0, 1), (6, 7)])
    between = middle(picture, np.array([(uv[0] + uv[1]) / 2, (uv[6] + uv[7]) / 2])).astype(int)
    assert np.abs(between[0] - GREY).max() > 60
    assert np.abs(between[1] - GREY).max() < 20


def test_the_picture_is_cropped_to_the_person(tmp_path: Path) -> None:
    picture = np.zeros((2048, 2048, 3), dtype=np.uint8)
    picture[500:1500, 900:1100] = 200
    uv = np.tile([[1000.0, 600.0]], (31, 1))
    write_overlay(tmp_path / "a.jpg", picture, keypoints(uv), BONES, SIDES)
    image = np.asarray(Image.open(tmp_path / "a.jpg").convert("L")).astype(int)
    assert image.shape[0] == SIZE and image.shape[1] == pytest.approx(SIZE * 301 / 1101, abs=2)
    rows = np.flatnonzero(image[:, image.shape[1] // 4] > 100)
    assert rows[0] == pytest.approx(SIZE * 51 / 1101, abs=2)


def test_files_are_small_and_the_same_again(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(100, 140, size=(1024, 1024, 3)).astype(np.uint8)
    for name in "ab":
        write_overlay(tmp_path / f"{name}.jpg", noise, keypoints(spread()), BONES, SIDES)
    content = (tmp_path / "a.jpg").read_bytes()
    assert content == (tmp_path / "b.jpg").read_bytes()
    assert len(content) < 80_000


def test_a_black_picture_is_kept_whole(tmp_path: Path) -> None:
    black = np.zeros((100, 100, 3), dtype=np.uint8)
    write_overlay(tmp_path / "a.jpg", black, keypoints(spread() / 10), BONES, SIDES)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (SIZE, SIZE)
