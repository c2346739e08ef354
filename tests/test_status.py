"""What status says of a dataset: the same as a dry run, without writing anything."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from building import Heard, build
from manifest_rows import reject_row, scan_row
from up_to_date import Folder, add_scan, up_to_date

import cli
from manifests import files, journal
from manifests.files import Facts, write_table
from manifests.lock import FolderLock
from manifests.read import open_manifest
from manifests.schema import KINDS, REJECTS, SCANS, VIEWS, table_of
from manifests.sums import sums_of
from pipeline import audit
from pipeline.build import plan
from pipeline.conduct import staleness as why
from pipeline.config import ListRequest, RenderRequest
from pipeline.errors import ConfigError
from pipeline.rows import FILES
from pipeline.stages.inspect import refusal_of, stamp_of, wishes_of
from pipeline.store import Workspace
from pipeline.synth.layouts import SynthRequest, write_people
from pipeline.version import code_version

WHOLE = audit.Status(
    dataset="2K2K",
    scans=2,
    views=4,
    up_to_date=4,
    stale={},
    missing=0,
    unmade=0,
    rejected={},
    left_out=0,
    unbuilt=0,
    absent=0,
    unasked=0,
    waiting=0,
    bytes=4 * 5 * 1234,
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Two scans of two views."""
    return up_to_date(tmp_path, ("00003", "00007"))


def config_of(request: RenderRequest) -> str:
    """A request as a build leaves it in the manifest."""
    return json.dumps(asdict(request), default=str)


def write(folder: Folder, config: str | None = None) -> None:
    """The rows as a manifest, whose last build was asked for the folder's request, or for what is said."""
    folder.written()
    facts = Facts("2K2K", config=config_of(folder.request) if config is None else config)
    tables: tuple[tuple[Any, list[Any]], ...]
    tables = ((SCANS, folder.scans), (VIEWS, folder.views), (REJECTS, folder.rejects))
    for kind, rows in tables:
        write_table(folder.work.manifests / kind.file, kind, facts, [table_of(kind.row, rows)])


def status(folder: Folder) -> audit.Status:
    """How far the folder is; whatever there is in it stays as it is."""
    before = listing(folder.work.root)
    found = audit.status(ListRequest("2K2K", folder.work.root))
    assert listing(folder.work.root) == before, "it may be a disk that can only be read"
    return found


def listing(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in root.rglob("*")}


def touch(folder: Folder) -> None:
    path = folder.work.scans / "00003" / "00003.ply"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))


def say(folder: Folder, text: str) -> None:
    (folder.work.scans / "overrides.toml").write_text(text, encoding="utf-8")


def lose(folder: Folder, kind: str, names: str) -> None:
    for path in folder.work.root.glob(f"PERS/{kind}/2K2K_0_y_0_x/{names}"):
        path.unlink()


def drop_row(folder: Folder) -> None:
    folder.views.pop(0)


def drop_scan(folder: Folder) -> None:
    folder.scans.pop(0)
    folder.views = folder.views[2:]


def refuse(folder: Folder, reason: str = "MeshError", **other: object) -> None:
    """The first scan as one that could not be used when it was looked at as it is."""
    drop_scan(folder)
    found = folder.survey()
    (person,) = (person for person in found.subjects if person.id == "00003")
    wishes = wishes_of(folder.work, folder.request)
    stamp = stamp_of(folder.work, person, found.overrides.get("00003"), wishes)
    row = reject_row("00003", reason=reason, code_version=code_version())
    stamped = replace(row, stamp=refusal_of(stamp, folder.request))
    folder.rejects.append(replace(stamped, **other))  # type: ignore[arg-type]


def leave_out(folder: Folder) -> None:
    say(folder, "[00003]\nexclude = true\n")
    refuse(folder, "Excluded")


def see_no_more(folder: Folder) -> None:
    shutil.rmtree(folder.work.scans / "00003")


def refuse_and_keep(folder: Folder) -> None:
    """The same, and the rows of when it could be used are still there."""
    scans, views = list(folder.scans), list(folder.views)
    refuse(folder)
    folder.scans, folder.views = scans, views


def touch_refuse_and_keep(folder: Folder) -> None:
    touch(folder)
    refuse_and_keep(folder)


def refuse_and_touch(folder: Folder) -> None:
    refuse(folder)
    touch(folder)


def refuse_and_see_no_more(folder: Folder) -> None:
    refuse(folder)
    see_no_more(folder)


Doing = Callable[[Folder], object]
# What happens, what the last build was asked for besides, and what status says otherwise than at first.
CHANGES: dict[str, tuple[Doing | None, dict[str, Any], dict[str, Any]]] = {
    "nothing": (None, {}, {}),
    "a newer mesh": (touch, {}, {"up_to_date": 2, "stale": {why.CHANGED: 2}}),
    "a word of the user's": (
        lambda f: say(f, "[00003]\nyaw = 5"), {}, {"up_to_date": 2, "stale": {why.CHANGED: 2}},
    ),
    "another light": (None, {"light": "ring"}, {"up_to_date": 0, "stale": {why.RELIT: 4}}),
    "light that nothing is in": (None, {"light": "ring", "passes": ("color", "depth")}, {}),
    "another size": (None, {"size": 65}, {"up_to_date": 0, "stale": {why.REDRAWN: 4}}),
    "another format": (None, {"image_format": "jxl"}, {"up_to_date": 0, "stale": {why.REFORMED: 4}}),
    "masks": (None, {"passes": ("color", "mask")}, {"up_to_date": 0, "stale": {why.UNMADE: 4}}),
    "other keypoints": (None, {"compat_keypoints": True}, {"up_to_date": 0, "stale": {why.REMARKED: 4}}),
    "another yaw": (None, {"yaws": (-30.0, 0.0, 30.0)}, {"unmade": 2}),
    "fewer yaws": (None, {"yaws": (0.0,)}, {"up_to_date": 2, "unasked": 2}),
    "another camera": (
        None, {"projections": ("orthographic",)}, {"up_to_date": 0, "unmade": 4, "unasked": 4},
    ),
    "two lost images of a view": (
        lambda f: lose(f, "*", "00003_back.png"), {}, {"up_to_date": 3, "missing": 1},
    ),
    "a view that is relit and lost": (
        lambda f: lose(f, "DEPTH", "*"), {"light": "flat"},
        {"up_to_date": 0, "stale": {why.RELIT: 4}, "missing": 2},
    ),
    "a lost row": (drop_row, {}, {"views": 3, "up_to_date": 3, "unmade": 1, "bytes": 3 * 5 * 1234}),
    "somebody new": (lambda f: add_scan(f.work, "00005"), {}, {"unbuilt": 1}),
    "somebody who is gone": (see_no_more, {}, {"up_to_date": 2, "absent": 1}),
    "a reject": (
        refuse, {},
        {"scans": 1, "views": 2, "up_to_date": 2, "rejected": {"MeshError": 1}, "bytes": 2 * 5 * 1234},
    ),
    "a reject that is another": (
        refuse_and_touch, {},
        {"scans": 1, "views": 2, "up_to_date": 2, "unbuilt": 1, "bytes": 2 * 5 * 1234},
    ),
    "a reject of another program": (
        lambda f: refuse(f, code_version="0.0.0"), {},
        {"scans": 1, "views": 2, "up_to_date": 2, "unbuilt": 1, "bytes": 2 * 5 * 1234},
    ),
    "a reject that is gone": (
        refuse_and_see_no_more, {},
        {"scans": 1, "views": 2, "up_to_date": 2, "rejected": {"MeshError": 1}, "bytes": 2 * 5 * 1234},
    ),
    "a reject that has rows": (
        touch_refuse_and_keep, {}, {"up_to_date": 2, "rejected": {"MeshError": 1}},
    ),
    "a reject that is none any more": (refuse_and_keep, {}, {}),
    "somebody left out": (
        leave_out, {}, {"scans": 1, "views": 2, "up_to_date": 2, "left_out": 1, "bytes": 2 * 5 * 1234},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_status_says_what_a_dry_run_would(folder: Folder, what: str) -> None:
    happen, asked, expected = CHANGES[what]
    if happen:
        happen(folder)
    folder.request = replace(folder.request, **asked)
    write(folder)
    found = status(folder)
    assert found == replace(WHOLE, **expected)
    planned = plan(folder.request, Heard())
    told = {**found.stale, why.GONE: found.missing, why.UNSEEN: found.unmade, why.NEW: found.unbuilt}
    assert {reason: count for reason, count in told.items() if count} == {
        reason: scans if reason == why.NEW else views
        for reason, (scans, views, _) in planned.reasons.items()
    }
    assert found.up_to_date == planned.views_kept
    assert found.is_whole == (not planned.scans)
    assert found == audit.status(ListRequest("2K2K", folder.work.root))


OF_IMAGES = [what for what, (happen, asked, _) in CHANGES.items() if asked or happen in (None, drop_row)]


@pytest.mark.parametrize("there", ["an empty folder", "no folder", "another's folder"])
@pytest.mark.parametrize("what", [*OF_IMAGES, "a reject", "a reject that has rows"])
def test_without_scans_they_are_taken_to_be_as_they_were(folder: Folder, what: str, there: str) -> None:
    happen, asked, expected = CHANGES[what]
    if happen:
        happen(folder)
    folder.request = replace(folder.request, **asked)
    write(folder)
    shutil.rmtree(folder.work.scans)
    if there != "no folder":
        folder.work.scans.mkdir()
    if there == "another's folder":
        (folder.work.scans / "overrides.toml").write_text("[00003]\nyaw = 5")
    found = status(folder)
    assert "the scans, and whether they changed: nobody of 2K2K is under" in "".join(found.unknown)
    nobody: dict[str, Any] = {"unbuilt": None, "absent": None, "unknown": found.unknown}
    assert found == replace(WHOLE, **expected, **nobody)


def test_scans_with_textures_are_recalled_with_them(tmp_path: Path) -> None:
    write_people(SynthRequest(tmp_path, 1, 3, "thuman2", 6_000), lambda text: None)
    wish = RenderRequest("THuman2", tmp_path, yaws=(0.0,), size=32)
    build(wish)
    there = audit.status(ListRequest("THuman2", tmp_path))
    assert (there.up_to_date, there.is_whole) == (1, True)
    shutil.rmtree(tmp_path / "obj")
    found = audit.status(ListRequest("THuman2", tmp_path))
    nobody: dict[str, Any] = {"unbuilt": None, "absent": None, "unknown": found.unknown}
    assert found == replace(there, **nobody) and len(found.unknown) == 1


def test_a_wrong_override_is_as_wrong_as_in_a_build(folder: Folder) -> None:
    write(folder)
    say(folder, "[00003]\nyuw = 5\n")
    with pytest.raises(ConfigError, match="yuw"):
        status(folder)


def test_the_layout_is_the_last_builds(tmp_path: Path) -> None:
    work = Workspace(tmp_path, "ours")
    add_scan(work, "anna")
    facts = Facts("ours", config=config_of(RenderRequest("ours", tmp_path, layout="folder")))
    for kind in KINDS:
        write_table(work.manifests / kind.file, kind, facts, ())
    found = audit.status(ListRequest("ours", tmp_path))
    assert (found.unbuilt, found.unknown) == (1, ())


def test_a_manifest_of_what_was_never_scanned_says_that_much(tmp_path: Path) -> None:
    for kind in KINDS:
        facts = Facts("HuGe100K", config='{"size": 64}')
        write_table(tmp_path / "manifests/HuGe100K" / kind.file, kind, facts, ())
    film = tmp_path / "HuGe100K/flux_batch1/images0/videos/Kenya_female_fit_jeans_20~30_7.mp4"
    film.parent.mkdir(parents=True)
    film.touch()
    found = audit.status(ListRequest("HuGe100K", tmp_path))
    assert (found.unbuilt, found.up_to_date) == (None, 0)
    assert "HuGe100K has no scans to draw" in found.unknown[0]


def test_a_build_that_runs_is_not_in_the_way(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder)
    journal.record(folder.work.manifests, scan_row("00003"), [])
    (folder.work.manifests / "journal" / "half.parquet").write_bytes(b"PAR")
    with FolderLock(folder.work.manifests):
        assert status(folder) == replace(WHOLE, waiting=2)
    assert cli.main(["status", "2K2K", "--data", str(folder.work.root)]) == 3
    assert "in the journal: 2 entries" in capsys.readouterr().out


def test_the_command_says_it_and_ends_with_3(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", str(folder.work.root))
    write(folder)
    assert cli.main(["status", "2K2K", *data]) == 0
    assert capsys.readouterr().out == "2K2K: 2 scans, 4 views, 0.00 GB\nup to date: 4 views\n"
    lose(folder, "DEPTH", "00007_front.png")
    refuse(folder, "Strange\x1b[31m")
    folder.request = replace(folder.request, seed=1, yaws=(0.0, 30.0))
    write(folder)
    assert cli.main(["status", "2K2K", *data]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "2K2K: 1 scan, 2 views, 0.00 GB",
        "up to date: 0 views",
        "stale: 1 view, shaded differently",
        "missing: files of 1 view",
        "missing: 1 view that the last build was to make",
        r"rejected: 1 scan, Strange\x1b[31m",
        "not what the last build was asked for: 1 view",
    ]
    assert cli.main(["status", "2K2K", *data, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["stale"] == {"shaded differently": 1} and told["missing"] == told["unmade"] == 1
    assert set(told) == {field.name for field in fields(audit.Status)}
    assert cli.main(["status", "THuman2", *data]) == 1
    assert "is not there" in capsys.readouterr().err


def test_sums_are_those_of_the_rows(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_ROWS", 3)
    lengths = [f"{name}_bytes" for name in FILES]
    for i, row in enumerate(folder.views):
        many = {name: (1 << 40) + i if (i + j) % 3 else None for j, name in enumerate(lengths)}
        folder.views[i] = replace(row, **many)  # type: ignore[arg-type]
    sums = sums_of(folder.written())
    assert sums.rows == {(row.view, "perspective"): 2 for row in folder.views}
    assert sums.bytes == sum(getattr(row, name) or 0 for row in folder.views for name in lengths) > 1 << 44
    assert sums_of(open_manifest(folder.work.manifests)).rows.total() == 4
