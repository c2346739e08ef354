"""Backgrounds: cut from the user's images, by the drawn numbers alone; or drawn, and then all different."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ConfigError
from recon.data.backgrounds import Backgrounds
from recon.data.scenes import scene


def _save(path: Path, width: int, height: int, value: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([across % 256, down % 256, np.full_like(across, value or 7)], axis=2)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def _drawn(number: int) -> np.random.Generator:
    return np.random.default_rng(number)


def test_a_picture_is_a_part_of_an_image_as_it_is(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 200, 160)
    corners = set()
    for number in range(40):
        picture, bad = Backgrounds((tmp_path,)).picture(_drawn(number), 64)
        assert not bad
        left, top = (int(x) for x in picture[0, 0, :2])
        assert np.array_equal(picture[5, :, 0], np.arange(left, left + 64))
        assert np.array_equal(picture[:, 5, 1], np.arange(top, top + 64))
        corners.add((left, top))
    assert max(left for left, _ in corners) > 110
    assert max(top for _, top in corners) > 75
    assert len(corners) > 35


def test_an_image_that_is_too_small_is_enlarged(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 40, 16)
    picture, _ = Backgrounds((tmp_path,)).picture(_drawn(1), 64)
    assert picture.shape == (64, 64, 3)
    steps = np.diff(picture[:, 30, 1].astype(int))
    assert set(steps.tolist()) <= {0, 1}
    assert (picture[0, 0, 1], picture[-1, 0, 1]) == (0, 15)


def test_images_are_found_in_folders_below_always_in_the_same_order(tmp_path: Path) -> None:
    for name in ("b/x.JPG", "a/y.jpeg", "z.png", "notes.txt.png/kept.png"):
        _save(tmp_path / name, 80, 80, value=len(name) * 9)
    (tmp_path / "notes.txt").write_text("no image")
    found = Backgrounds((tmp_path,))
    assert found.images == 4
    assert found.digest == Backgrounds((tmp_path,)).digest
    seen = {int(found.picture(_drawn(n), 32)[0][0, 0, 2]) // 3 for n in range(60)}
    assert len(seen) >= 3
    _save(tmp_path / "more.png", 80, 80)
    assert found.digest != Backgrounds((tmp_path,)).digest


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no \.jpg or \.png image"):
        Backgrounds((tmp_path,))
    with pytest.raises(ConfigError, match="is no folder"):
        Backgrounds((tmp_path / "none",))


def test_an_image_that_cannot_be_read_is_named_and_another_taken(tmp_path: Path) -> None:
    _save(tmp_path / "good.png", 64, 64)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no more")
    backgrounds = Backgrounds((tmp_path,))
    said = []
    for number in range(20):
        picture, bad = backgrounds.picture(_drawn(number), 64)
        assert np.array_equal(picture[0, :, 0], np.arange(64))
        said += [str(error) for error in bad]
    assert said
    assert all(str(broken) in text for text in said)


def test_with_nothing_but_broken_images_rooms_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    picture, bad = Backgrounds((tmp_path,)).picture(_drawn(0), 64)
    assert picture.shape == (64, 64, 3)
    assert bad


@pytest.mark.parametrize("side", [128, 512])
def test_drawn_rooms_are_all_different_and_neither_flat_nor_burnt_out(side: int) -> None:
    rooms = [Backgrounds().picture(_drawn(number), side)[0] for number in range(24)]
    assert all(room.shape == (side, side, 3) and room.dtype == np.uint8 for room in rooms)
    means = np.array([room.mean((0, 1)) for room in rooms])
    assert means.std(0).min() > 15
    assert np.median([room.std() for room in rooms]) > 8
    burnt = [((room == 0) | (room == 255)).mean() for room in rooms]
    assert np.mean(burnt) < 0.01
    edges = [np.abs(np.diff(room.astype(int), axis=0)).max() for room in rooms]
    assert np.mean(np.array(edges) > 30) > 0.5  # most have a line or a thing


def test_a_room_is_a_function_of_what_is_drawn() -> None:
    assert np.array_equal(scene(_drawn(3), 64), scene(_drawn(3), 64))
    assert not np.array_equal(scene(_drawn(3), 64), scene(_drawn(4), 64))
