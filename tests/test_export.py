"""Exports: the published lists as a loader walks them, shards that are made once, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pytest
from exports import YAWS, dataset, filled, folded
from manifest_rows import later, scan_row, view_row
from PIL import Image

import cli
from manifests import journal
from manifests.read import open_manifest
from pipeline.config import ExportRequest
from pipeline.errors import ConfigError, ManifestError
from pipeline.export import errand
from pipeline.export.chosen import Choice
from pipeline.export.errand import Exported
from pipeline.export.plan import Plan, plan
from pipeline.store import Workspace


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A dataset that no test changes."""
    return dataset(tmp_path_factory.mktemp("built"))


@pytest.fixture
def work(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    shutil.copytree(built.root, tmp_path / "data")
    return Workspace(tmp_path / "data", "2K2K")


def _export(work: Workspace, to: str, **asked: object) -> Exported:
    request = replace(ExportRequest("2K2K", to, work.root), **asked)  # type: ignore[arg-type]
    return errand.export(request, lambda _: None)


def _full(_: Path, durable: bool) -> BinaryIO:
    """A file on a disk that has no room."""
    assert durable
    return Path("/dev/full").open("wb")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_published_loader_finds_all_that_the_lists_name(work: Workspace) -> None:
    done = _export(work, "lists")
    assert dict(done.views) == {"train": 4, "val": 2, "test": 0}
    rows = open_manifest(work.manifests).views().to_pylist()
    by_line = {row["shaded_front"]: row for row in rows}
    lines = (work.root / "list/2K2K_all.txt").read_text().splitlines()
    assert len(lines) == 6
    for line in lines:
        shaded, plain, depth = (str(work.root) + part for part in line.split(" "))
        row = by_line[os.path.relpath(shaded, work.root)]
        view, scan = row["view"], row["scan"]
        assert line == (
            f"/PERS/COLOR/SHADED/{view}/{scan}_front.png /PERS/COLOR/NOSHADING/{view}/{scan}_front.png "
            f"/PERS/DEPTH/{view}/{scan}_front.png"
        )
        with Image.open(shaded) as color, Image.open(plain) as bare, Image.open(depth) as stored:
            assert (color.mode, bare.mode, stored.mode) == ("RGB", "RGB", "I;16")
            assert color.size == bare.size == stored.size == (row["width"], row["height"])
            steps = np.asarray(stored)
        # The published formula is the row's own: 32 steps to a pixel's width at distance 1.
        lengths = (steps[steps > 0] - row["depth_offset"]) / row["depth_scale"] + row["depth_near"]
        published = (steps[steps > 0] / 32 - row["height"] / 2) / row["depth_focal"] + 1
        assert np.allclose(lengths, published, rtol=0, atol=1e-12)
        keypoints = np.load(str(work.root) + f"/PERS/keypoint/{view}/{scan}_front.npy")
        valid = np.array(row["keypoints_valid"])
        assert keypoints.shape == (31, 3)
        assert np.array_equal(keypoints[:, 2], valid)
        uv = np.reshape(row["keypoints_uv"], (31, 2))
        assert np.array_equal(keypoints[valid, :2], uv[valid])
        assert not keypoints[~valid].any()


def test_lists_divide_the_views_by_split_in_the_manifests_order(work: Workspace) -> None:
    _export(work, "lists")
    named = {
        split: [line.split("/")[-1][:5] for line in work.list_file(split).read_text().splitlines()]
        for split in ("all", "train", "val", "test")
    }
    assert named == {
        "all": ["00003", "00003", "00004", "00004", "00006", "00006"],
        "train": ["00003", "00003", "00006", "00006"],
        "val": ["00004", "00004"],
        "test": [],
    }


def test_lists_name_only_what_the_published_loader_can_read(tmp_path: Path) -> None:
    parallel = dataset(tmp_path / "a", projection="orthographic")
    without = dataset(tmp_path / "b", color_front=None, color_front_bytes=None, color_front_blake2b=None)
    floats = dataset(tmp_path / "c", depth_coding="float32")
    for work in (parallel, without, floats):
        with pytest.raises(ManifestError, match="no view of 2K2K has shaded, color and depth as PNG"):
            _export(work, "lists")
        assert not any((work.root / "list").iterdir())


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_the_same_manifest_gives_the_same_bytes(work: Workspace, tmp_path: Path, to: str) -> None:
    _export(work, to, out=tmp_path / "a")
    _export(work, to, out=tmp_path / "b")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_an_interrupted_export_goes_on_where_it_was(
    work: Workspace, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errand, "_MEGABYTE", 30_000)
    whole, out = tmp_path / "whole", tmp_path / "out"
    shards = _export(work, to, out=whole, shard_mb=1).made
    assert shards >= 4
    content = Choice.content
    seen: list[str] = []

    def interrupted(self: Choice, row: dict[str, object], file: str) -> bytes:
        seen.append(file)
        if len(seen) == 8:
            raise KeyboardInterrupt
        return content(self, row, file)

    with monkeypatch.context() as patch:
        patch.setattr(Choice, "content", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _export(work, to, out=out, shard_mb=1)
    (out / f".{'0' * 32}.tmp").write_bytes(b"what kill -9 leaves")
    there = [p for p in out.rglob("*") if p.suffix in (".tar", ".parquet")]
    assert there
    assert not (out / "README.md").exists()
    again = _export(work, to, out=out, shard_mb=1)
    assert (again.made, again.kept) == (shards - len(there), len(there))
    assert _bytes(out) == _bytes(whole)


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_only_shards_whose_views_changed_are_made_again(
    work: Workspace, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errand, "_MEGABYTE", 30_000)
    first = _export(work, to, out=tmp_path / "out", shard_mb=1)
    views = [filled(work, view_row("00004", yaw, made_at=later(60), seed=9)) for yaw in YAWS]
    journal.record(work.manifests, scan_row("00004"), views)
    folded(work)
    second = _export(work, to, out=tmp_path / "out", shard_mb=1)
    assert (second.made, second.kept) == (first.made // 3, first.made - first.made // 3)
    larger = _export(work, to, out=tmp_path / "out", shard_mb=100)
    assert larger.made == 2  # one a split
    left = [p for p in (tmp_path / "out").rglob("*") if p.suffix in (".tar", ".parquet")]
    assert len(left) == 2
    assert _export(work, to, out=tmp_path / "out", shard_mb=100).made == 0


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_a_build_that_ends_meanwhile_leaves_no_shard_of_mixed_rows(
    work: Workspace, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(choice: Choice, most_bytes: int) -> Plan:
        found = plan(choice, most_bytes)
        journal.record(work.manifests, scan_row("00002"), [filled(work, view_row("00002", split="train"))])
        folded(work)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(errand, "plan", overtaken)
        with pytest.raises(ManifestError, match="changed while it was exported"):
            _export(work, to, out=tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if "train" in path.name]
    assert dict(_export(work, to, out=tmp_path / "out").views) == {"train": 5, "val": 2, "test": 0}


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_pictures_of_other_formats_travel_as_they_are(tmp_path: Path, to: str) -> None:
    exr = {f"depth_{side}": f"PERS/DEPTH/{{view}}/{{scan}}_{side}.exr" for side in ("front", "back")}
    work = dataset(tmp_path / "data", depth_coding="float32", **exr)
    done = _export(work, to, out=tmp_path / "out")
    assert dict(done.views) == {"train": 4, "val": 2, "test": 0}
    (shard,) = (path for path in (tmp_path / "out").rglob("*train-0*"))
    content = (work.root / "PERS/DEPTH/2K2K_0_y_0_x/00003_front.exr").read_bytes()
    assert content in shard.read_bytes()
    assert ("`depth_front`" in (tmp_path / "out/README.md").read_text()) is (to == "hf")


def test_a_folder_with_something_else_in_it_is_left_alone(work: Workspace, tmp_path: Path) -> None:
    note = tmp_path / "out/note.txt"
    note.parent.mkdir()
    note.write_text("mine")
    with pytest.raises(ConfigError, match=r"something else in it, such as 'note.txt'"):
        _export(work, "webdataset", out=note.parent)
    assert _bytes(note.parent) == {"note.txt": b"mine"}


def test_an_export_of_another_kind_is_not_overwritten(work: Workspace, tmp_path: Path) -> None:
    _export(work, "webdataset", out=tmp_path / "out")
    before = _bytes(tmp_path / "out")
    with pytest.raises(ConfigError, match="holds another export"):
        _export(work, "hf", out=tmp_path / "out")
    assert _bytes(tmp_path / "out") == before


def test_a_shard_that_somebody_else_put_there_is_not_overwritten(work: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _export(work, "webdataset", out=out)
    ledger = json.loads((out / "export.json").read_text())
    ledger["shards"] = ledger["shards"][1:]
    (out / "export.json").write_text(json.dumps(ledger))
    with pytest.raises(ConfigError, match="was not made by this export"):
        _export(work, "webdataset", out=out)


@pytest.mark.parametrize("name", ["../list/2K2K_all.txt", "/etc/hostname"])
def test_a_ledger_cannot_have_other_files_removed(work: Workspace, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    _export(work, "webdataset", out=out)
    ledger = json.loads((out / "export.json").read_text())
    ledger["shards"].append({"name": name, "digest": "0"})
    (out / "export.json").write_text(json.dumps(ledger))
    with pytest.raises(ConfigError, match="not in its folder"):
        _export(work, "webdataset", out=out)


@pytest.mark.parametrize("to", ["lists", "webdataset", "hf"])
def test_missing_images_are_named_and_nothing_is_written(
    work: Workspace, tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    view = f"2K2K_0_y_{YAWS[1]}_x"
    (work.root / f"PERS/DEPTH/{view}/00004_front.png").unlink()
    with (work.root / f"PERS/COLOR/SHADED/{view}/00006_front.png").open("ab") as file:
        file.write(b"more")
    code = cli.main(["export", "2K2K", "--to", to, "--data", str(work.root), "--out", str(tmp_path / "o")])
    said = capsys.readouterr().out
    assert code == 3
    assert f"00004 {view} perspective: depth_front PERS/DEPTH/{view}/00004_front.png is not there" in said
    assert f"shaded_front PERS/COLOR/SHADED/{view}/00006_front.png has " in said
    assert "2 files are missing or broken; see scan2k verify" in said
    assert not (tmp_path / "o").exists() or not any((tmp_path / "o").iterdir())


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_an_image_with_other_bytes_is_never_shipped(work: Workspace, tmp_path: Path, to: str) -> None:
    path = work.root / "PERS/DEPTH/2K2K_0_y_0_x/00004_front.png"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    done = _export(work, to, out=tmp_path / "out")
    assert [fault.split(": ")[0] for fault in done.faults] == ["00004 2K2K_0_y_0_x perspective"]
    assert "another checksum" in done.faults[0]
    assert not [p for p in (tmp_path / "out").rglob("*") if "val" in p.name or p.suffix == ".tmp"]


def test_rows_cannot_lead_out_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"1234")
    work = dataset(tmp_path / "data")
    shutil.rmtree(work.manifests)
    (tmp_path / "data/x").mkdir()
    dataset(tmp_path / "data", color_back="x/../../secret.png")
    done = _export(work, "webdataset", out=tmp_path / "out")
    assert len(done.faults) == 6
    assert all(fault.endswith("is not below the data folder") for fault in done.faults)


def test_a_dataset_without_a_manifest_is_told_which_there_are(
    work: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", "THuman2", "--to", "hf", "--data", str(work.root)]) == 2
    assert "has no manifest of 'THuman2'; there are: 2K2K" in capsys.readouterr().err
    assert cli.main(["export", "2K2K", "--to", "hf", "--data", str(work.root / "PERS")]) == 2
    assert "`scan2k render` makes one" in capsys.readouterr().err
    assert cli.main(["export", "2K2K", "--to", "zarr", "--data", str(work.root)]) == 2
    assert "choose from lists, webdataset, hf, croissant" in capsys.readouterr().err


def test_a_manifest_of_another_dataset_is_refused(work: Workspace) -> None:
    work.manifests.rename(work.manifests.with_name("other"))
    with pytest.raises(ConfigError, match="is the manifest of '2K2K', not of 'other'"):
        errand.export(ExportRequest("other", "lists", work.root), lambda _: None)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(ConfigError, match=r"has 0.10 MB free, and the shards to be written take"):
        _export(work, "hf", out=tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("to", ["webdataset", "hf"])
def test_a_disk_that_is_full_is_told_with_the_shards_name(
    work: Workspace, to: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(errand, "replacing", _full)
    assert cli.main(["export", "2K2K", "--to", to, "--data", str(work.root)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "2K2K/" in said
    assert "train-0" in said
    assert said.endswith("No space left on device")


def test_progress_and_the_result_are_told(work: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "2K2K", "--to", "webdataset", "--data", str(work.root)]) == 0
    told = capsys.readouterr()
    assert "2K2K-train-000000.tar (1 of 1): 4 views" in told.err
    assert "test: no views" in told.err
    assert "views of rejected scans (1 " in told.err
    assert told.out.startswith("views: train 4, val 2, test 0\nfiles: 2 written, ")
    out = work.root / "export/2K2K/webdataset"
    assert {p.name for p in out.iterdir()} == {
        "2K2K-train-000000.tar", "2K2K-val-000000.tar", "README.md", "export.json"
    }  # fmt: skip
    with tarfile.open(out / "2K2K-val-000000.tar") as tar:
        assert {name.split("/")[0] for name in tar.getnames()} == {"00004"}
