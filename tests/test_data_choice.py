"""Choosing what is learnt from: by dataset, split and yaw; what cannot be used is left out, or refused."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from manifest_rows import FACTS, view_row
from training_rows import fold_people, write_people, write_person

from manifests.files import write_table
from manifests.schema import VIEWS, table_of
from pipeline.errors import ConfigError, ManifestError
from pipeline.rows import ViewRow
from recon.data.choice import choose, why_empty
from recon.recipe import Source

SPHERES = (Source("spheres"),)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people to train on from three sides, one to validate with, and another dataset."""
    folder = tmp_path_factory.mktemp("data")
    write_people(folder, yaws=(-30, 0, 30))
    write_people(folder, people=1, split="val")
    write_people(folder, "balls", people=1)
    return folder


def _manifest(folder: Path, *rows: ViewRow) -> Path:
    """A folder with a manifest of these rows, and without pictures."""
    write_table(folder / "manifests/spheres/views.parquet", VIEWS, FACTS, [table_of(ViewRow, rows)])
    return folder


def _row(**columns: object) -> ViewRow:
    return replace(view_row(split="train", dataset="spheres"), **columns)  # type: ignore[arg-type]


def test_views_come_with_all_that_is_needed_to_read_them(data: Path) -> None:
    choice = choose((Source("spheres"), Source("balls")), data, "train", (), 256)
    assert len(choice) == 7
    assert choice.views == {"spheres": 6, "balls": 1}
    names = [choice.view(index).name for index in range(7)]
    assert names[:2] == [f"spheres/train000/spheres_0_y_{yaw}_x" for yaw in (-30, 0)]
    assert names[6] == "balls/train000/balls_0_y_0_x"
    view = choice.view(6)
    assert (view.size, view.coding, view.near, view.offset) == (256, "uint16", 1.0, 128 * 32)
    assert all(path.is_file() for path in (view.color, *view.depths))
    assert view.keypoints_uv.shape == (31, 2)
    assert view.keypoints_valid.all()


def test_yaws_are_chosen_and_whole_turns_make_no_difference(data: Path) -> None:
    choice = choose(SPHERES, data, "train", (-30, 360), 256)
    assert sorted(choice.view(i).view for i in range(len(choice))) == sorted(
        f"spheres_0_y_{yaw}_x" for yaw in (-30, 0) for _ in range(2)
    )


def test_a_choice_is_the_same_in_another_process(data: Path) -> None:
    choice = choose(SPHERES, data, "train", (), 256)
    other = pickle.loads(pickle.dumps(choice))
    assert other.digest == choice.digest
    assert other.view(4).name == choice.view(4).name
    assert np.array_equal(other.view(4).keypoints_uv, choice.view(4).keypoints_uv)


def test_the_digest_tells_choices_apart(data: Path, tmp_path: Path) -> None:
    both = [Source("spheres", 1.0), Source("balls", 1.0)]
    row = _row(width=256, height=256, intrinsics=_portrait(256))
    digests = [
        choose(SPHERES, data, "train", (), 256).digest,
        choose(SPHERES, data, "train", (0,), 256).digest,
        choose(SPHERES, data, "val", (), 256).digest,
        choose(both, data, "train", (), 256).digest,
        choose([replace(both[0], weight=2.0), both[1]], data, "train", (), 256).digest,
        choose(SPHERES, _manifest(tmp_path / "a", row), "train", (), 256).digest,
        choose(SPHERES, _manifest(tmp_path / "b", replace(row, key="7" * 32)), "train", (), 256).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert choose(SPHERES, data, "train", (), 256).digest == digests[0]


def test_a_split_without_views_is_empty_and_says_what_there_is(data: Path) -> None:
    choice = choose(SPHERES, data, "test", (0,), 256)
    assert len(choice) == 0
    assert why_empty(choice) == "spheres has no views for test; it has 6 for train, 1 for val"


def test_what_is_not_there_is_refused_by_name(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"no view has yaw 15; there are -30, 0, 30$"):
        choose(SPHERES, data, "train", (0, 15), 256)
    with pytest.raises(ConfigError, match=r"scan2k render nobody"):
        choose((Source("nobody"),), data, "train", (), 256)
    with pytest.raises(
        ConfigError, match=r"6 views of 256 x 256 .* 512 x 512 .* render spheres --size 512"
    ):
        choose(SPHERES, data, "train", (), 512)
    with pytest.raises(IndexError, match="view 7"):
        choose(SPHERES, data, "train", (), 256).view(7)


def test_a_dataset_that_lacks_the_yaw_which_another_has_is_refused(data: Path) -> None:
    both = (Source("spheres"), Source("balls"))
    with pytest.raises(ConfigError, match=r"balls has no view for train .* wanted yaw, there are 0$"):
        choose(both, data, "train", (30,), 256)


@pytest.mark.parametrize(("width", "height"), [(768, 768), (512, 1024), (128, 128)])
def test_other_sizes_than_doubled_ones_are_refused(tmp_path: Path, width: int, height: int) -> None:
    row = _row(width=width, height=height, intrinsics=_portrait(width))
    with pytest.raises(ConfigError, match=f"1 views of {width} x {height} pixels, and 256 x 256"):
        choose(SPHERES, _manifest(tmp_path, row), "train", (), 256)


FAULTS = {
    "without shaded_front": {"shaded_front": None},
    "without depth_back": {"depth_back": None},
    "without perspective": {"projection": "orthographic"},
    "that show nobody": {"silhouette_pixels": 0},
    "with depth that is stored in no known way": {"depth_coding": "uint12"},
    "through another camera": {"intrinsics": (500.0, 0.0, 128.0, 0.0, 500.0, 128.0, 0.0, 0.0, 1.0)},
}


@pytest.mark.parametrize("reason", FAULTS)
def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path, reason: str) -> None:
    good = _row(width=256, height=256, intrinsics=_portrait(256))
    bad = replace(good, view="spheres_0_y_1_x", **FAULTS[reason])  # type: ignore[arg-type]
    choice = choose(SPHERES, _manifest(tmp_path / "both", good, bad), "train", (), 256)
    assert (len(choice), choice.left_out) == (1, {reason: 1})
    with pytest.raises(ConfigError, match=f"no view for train that can be used: 1 {reason}"):
        choose(SPHERES, _manifest(tmp_path / "bad", bad), "train", (), 256)


@pytest.mark.parametrize("coding", [{"depth_kind": "z"}, {"depth_scale": 0.0}, {"depth_scale": np.nan}])
def test_depth_of_another_kind_is_left_out(tmp_path: Path, coding: dict[str, Any]) -> None:
    row = _row(width=256, height=256, intrinsics=_portrait(256), **coding)
    with pytest.raises(ConfigError, match="can be used: 1 with"):
        choose(SPHERES, _manifest(tmp_path, row), "train", (), 256)


def test_floating_point_in_a_file_that_cannot_hold_it_is_left_out(tmp_path: Path) -> None:
    row = _row(width=256, height=256, intrinsics=_portrait(256), depth_coding="float32")
    with pytest.raises(ConfigError, match="1 with depth that is stored in no known way"):
        choose(SPHERES, _manifest(tmp_path, row), "train", (), 256)


@pytest.mark.parametrize("place", ["/etc/passwd.png", "../secret.png", "PERS/../../x.png", "a\0.png"])
@pytest.mark.parametrize("column", ["shaded_front", "depth_back"])
def test_a_path_out_of_the_data_folder_is_refused_by_name(tmp_path: Path, place: str, column: str) -> None:
    row = _row(width=256, height=256, intrinsics=_portrait(256), **{column: place})
    with pytest.raises(ManifestError, match=f"{column} of 00003/.*which leads out of the data folder"):
        choose(SPHERES, _manifest(tmp_path, row), "train", (), 256)


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    path = _manifest(tmp_path, _row()) / "manifests/spheres/views.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ManifestError, match=r"views\.parquet"):
        choose(SPHERES, tmp_path, "train", (), 256)


def test_pictures_in_jpeg_xl_are_chosen(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")
    write_person(tmp_path, "one", depth="jxl")
    fold_people(tmp_path)
    assert choose(SPHERES, tmp_path, "train", (), 256).view(0).depths[0].suffix == ".jxl"


def test_two_hundred_thousand_views_take_little_memory(tmp_path: Path) -> None:
    row = _row(width=256, height=256, intrinsics=_portrait(256))
    table = table_of(ViewRow, [row] * 10_000)
    path = tmp_path / "manifests/spheres/views.parquet"
    write_table(path, VIEWS, FACTS, [table] * 20)
    choice = choose(SPHERES, tmp_path, "train", (), 256)
    assert len(choice) == 200_000
    held = sum(table.nbytes for _, table in choice.pieces)
    assert held / len(choice) < 600
    assert choice.view(199_999).scan == "00003"


def _portrait(size: int) -> tuple[float, ...]:
    focal = size / (2 * np.tan(np.radians(25)))
    return (focal, 0.0, size / 2, 0.0, focal, size / 2, 0.0, 0.0, 1.0)
