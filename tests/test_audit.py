"""What verify finds: each kind of fault, planted in a small dataset."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from manifest_rows import scan_row, view_row

import cli
from manifests import fold, journal
from manifests.files import Facts
from manifests.lock import FolderLock
from manifests.read import open_manifest
from pipeline import audit
from pipeline.audit import CHECKSUM, LENGTH, MISSING, STRAY
from pipeline.formats.digest import digest_of_file
from pipeline.rows import FILES, ViewRow
from pipeline.store import Workspace


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """Three scans of two views whose files are there."""
    space = Workspace(tmp_path, "2K2K")
    for scan in ("00003", "00004", "00005"):
        views = [_made(space, view_row(scan, yaw)) for yaw in (0, 10)]
        journal.record(space.manifests, scan_row(scan), views)
    with FolderLock(space.manifests) as lock:
        fold.fold(lock, Facts("2K2K"))
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


def test_the_command_says_it_and_ends_with_3(work: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", str(work.root))
    assert cli.main(["verify", "2K2K", *data, "--checksums"]) == 0
    assert capsys.readouterr().out == "2K2K: 6 views, 30 files: all is as it says\n"
    work.absolute(str(view_row("00003", 0).depth_front)).unlink()
    assert cli.main(["verify", "2K2K", *data, "--json"]) == 3
    told_json = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [fault["kind"] for fault in told_json["faults"]] == [MISSING]
    assert cli.main(["verify", "2K2K", *data, "--repair"]) == 3
    assert "forgotten: 1 view" in capsys.readouterr().out
    assert cli.main(["verify", "nothing", *data]) == 1
    assert "is not there" in capsys.readouterr().err
