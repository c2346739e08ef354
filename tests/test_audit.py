"""What status counts and verify finds: each kind of fault, planted in a small dataset."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from manifest_rows import reject_row, scan_row, view_row

import cli
from manifests import fold, journal
from manifests.files import Facts
from manifests.lock import BuildLock
from manifests.read import open_manifest
from pipeline import audit
from pipeline.audit import CHECKSUM, LENGTH, MISSING, STRAY
from pipeline.config import ListRequest
from pipeline.formats.digest import digest_of_file
from pipeline.rows import FILES, SourceFile, ViewRow
from pipeline.store import Workspace

CONFIG = json.dumps({"light": "studio", "seed": 7, "occlusion": False, "size": 64})
IDS = ("00003", "00004", "00005")


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """Three scans of two views whose files are there, another that was rejected, one not built yet."""
    space = Workspace(tmp_path, "2K2K")
    for scan in (*IDS, "00008", "00009"):
        path = tmp_path / f"obj/2K2K/train/{scan}/{scan}.ply"
        path.parent.mkdir(parents=True)
        path.write_text("ply")
    for scan in IDS:
        source = f"obj/2K2K/train/{scan}/{scan}.ply"
        moment = scan_row().made_at
        os.utime(tmp_path / source, (moment.timestamp(), moment.timestamp()))
        row = scan_row(scan, sources=(SourceFile(source, 3, moment, "0" * 32),))
        journal.record(space.manifests, row, [_made(space, view_row(scan, yaw)) for yaw in (0, 10)])
    journal.reject(space.manifests, reject_row("00009"))
    _fold(space)
    return space


def _made(work: Workspace, row: ViewRow) -> ViewRow:
    """A view whose files are written, and its row agrees."""
    known: dict[str, Any] = {}
    for name in FILES:
        if place := getattr(row, name):
            path = work.absolute(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(place)
            known |= {f"{name}_bytes": len(place), f"{name}_blake2b": digest_of_file(path)}
    return replace(row, **known)


def _fold(work: Workspace) -> None:
    with BuildLock(work.manifests) as lock:
        fold.fold(lock, Facts("2K2K", config=CONFIG))


def _status(work: Workspace) -> audit.Status:
    return audit.status(ListRequest("2K2K", work.root))


def test_status_counts_what_is_there(work: Workspace) -> None:
    found = _status(work)
    views = open_manifest(work.manifests).views().to_pylist()
    assert (found.scans, found.views, found.up_to_date, found.missing, found.waiting) == (3, 6, 6, 0, 0)
    assert found.rejected == {"MeshError": 1}
    assert found.stale == {}
    assert found.unbuilt == 1
    assert found.bytes == sum(len(row[name]) for row in views for name in FILES if row[name])


def test_status_says_why_a_view_is_stale(work: Workspace) -> None:
    for scan, other in (("00003", {"light": "ring"}), ("00004", {"seed": 8}), ("00004", {"width": 128})):
        yaw = 10 if "width" in other else 0
        path = journal.record(work.manifests, scan_row(scan), [_made(work, view_row(scan, yaw, **other))])
        assert path.exists()
    assert _status(work).waiting == 3
    _fold(work)
    (work.root / "obj/2K2K/train/00005/00005.ply").write_text("another")
    work.absolute(str(view_row("00003", 10).depth_front)).unlink()
    found = _status(work)
    assert found.stale == {"light changed": 1, "seed changed": 1, "size changed": 1, "source changed": 2}
    assert (found.up_to_date, found.missing) == (0, 1)
    assert not found.is_whole


def test_a_view_is_in_no_other_light_if_it_is_in_none(work: Workspace) -> None:
    bare = dict.fromkeys(("shaded_front", "shaded_front_bytes", "shaded_front_blake2b"))
    dark = _made(work, view_row("00003", 0, seed=8, **bare))
    journal.record(work.manifests, scan_row("00003"), [dark])
    journal.record(work.manifests, scan_row("00004"), [_made(work, view_row("00004", 0, seed=8))])
    _fold(work)
    assert _status(work).stale == {"seed changed": 1}
    config = json.dumps(json.loads(CONFIG) | {"passes": ["color", "depth", "shaded-back"]})
    journal.reject(work.manifests, reject_row("00009"))
    with BuildLock(work.manifests) as lock:
        fold.fold(lock, Facts("2K2K", config=config))
    assert _status(work).stale == {}


def test_a_sound_dataset_has_no_faults(work: Workspace) -> None:
    found = audit.verify(work, checksums=True)
    assert found.faults == ()
    assert (found.views, found.files) == (6, 6 * 5)
    assert list(audit.verdict_lines(found)) == ["2K2K: 6 views, 30 files: all is as it says"]


def test_verify_finds_each_kind_of_fault_and_repair_forgets_the_rows(work: Workspace) -> None:
    broken = [view_row("00003", 0), view_row("00003", 10), view_row("00004", 0)]
    gone, longer, changed = (work.absolute(str(row.depth_front)) for row in broken)
    gone.unlink()
    longer.write_text("longer than it was" * 10)
    text = changed.read_text()
    changed.write_text(text[:-1] + "?")
    (gone.parent / "stranger.png").touch()
    (gone.parents[1] / "other_0_y_0_x").mkdir()
    (gone.parents[1] / "other_0_y_0_x" / "of another dataset.png").touch()
    expected = {(MISSING, "00003"), (LENGTH, "00003"), (STRAY, "")}
    assert {(f.kind, "".join(f.key[:1])) for f in audit.verify(work).faults} == expected
    found = audit.verify(work, checksums=True, repair=True)
    assert {(f.kind, "".join(f.key[:1])) for f in found.faults} == {*expected, (CHECKSUM, "00004")}
    assert len(found.faults) == 4
    assert found.forgotten == 3
    kept = open_manifest(work.manifests).views(["scan", "view"]).to_pylist()
    assert [row["scan"] for row in kept] == ["00004", "00005", "00005"]
    assert {fault.kind for fault in audit.verify(work).faults} == {STRAY}, "the files are without rows now"


def test_the_digest_is_that_of_b2sum(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_of_file(tmp_path / "a") == "cf4ab791c62b8d2b2109c90275287816"


def test_the_commands_say_it_and_end_with_3(work: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", str(work.root))
    assert cli.main(["status", "2K2K", *data]) == 3
    told = capsys.readouterr().out
    assert "2K2K: 3 scans, 6 views" in told
    assert "up to date: 6 views\nrejected: 1 scans, MeshError\nnot built yet: 1 scans\n" in told
    journal.reject(work.manifests, reject_row("00008"))
    _fold(work)
    assert cli.main(["status", "2K2K", *data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {"MeshError": 2}
    assert cli.main(["verify", "2K2K", *data, "--checksums"]) == 0
    work.absolute(str(view_row("00003", 0).depth_front)).unlink()
    assert cli.main(["verify", "2K2K", *data, "--json"]) == 3
    told_json = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [fault["kind"] for fault in told_json["faults"]] == [MISSING]
    assert cli.main(["verify", "2K2K", *data, "--repair"]) == 3
    assert "forgotten: 1 view" in capsys.readouterr().out
    assert cli.main(["verify", "nothing", *data]) == 1
    assert "is not there" in capsys.readouterr().err
