"""The journal and its folding: what was recorded is there, once, and the latest, whatever interrupts."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_rows import FACTS, later, reject_row, scan_row, view_row

from manifests import files, fold, journal
from manifests.files import Facts
from manifests.lock import FolderLock
from manifests.read import open_manifest
from manifests.schema import SCANS, VIEWS, Kind, rows_of, table_of
from pipeline.errors import ManifestError
from pipeline.rows import RejectRow, ScanRow, ViewRow


def _fold(folder: Path) -> int:
    with FolderLock(folder) as lock:
        return fold.fold(lock, FACTS)


def _rows(folder: Path) -> tuple[list[ScanRow], list[ViewRow], list[RejectRow]]:
    manifest = open_manifest(folder)
    return (
        rows_of(ScanRow, manifest.scans()),
        rows_of(ViewRow, manifest.views()),
        rows_of(RejectRow, manifest.rejects()),
    )


def test_recorded_scans_are_in_the_manifest_after_folding(tmp_path: Path) -> None:
    for scan in ("00005", "00003"):
        journal.record(tmp_path, scan_row(scan), [view_row(scan, 10), view_row(scan, -10)])
    journal.reject(tmp_path, reject_row("00004"))
    assert _fold(tmp_path) == 3
    scans, views, rejects = _rows(tmp_path)
    assert scans == [scan_row("00003"), scan_row("00005")]
    assert views == [view_row(scan, yaw) for scan in ("00003", "00005") for yaw in (-10, 10)]
    assert rejects == [reject_row("00004")]
    assert journal.entries(tmp_path) == []
    assert open_manifest(tmp_path).facts == FACTS


def test_an_empty_journal_makes_an_empty_manifest_and_leaves_a_full_one(tmp_path: Path) -> None:
    assert _fold(tmp_path) == 0
    assert _rows(tmp_path) == ([], [], [])
    journal.record(tmp_path, scan_row(), [view_row()])
    _fold(tmp_path)
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("*.parquet")}
    assert _fold(tmp_path) == 0
    assert {path.name: path.stat().st_ino for path in tmp_path.glob("*.parquet")} == before


def test_a_later_view_takes_the_place_of_the_same_view_alone(tmp_path: Path) -> None:
    journal.record(tmp_path, scan_row(), [view_row(yaw=0), view_row(yaw=10)])
    _fold(tmp_path)
    flat = view_row(yaw=0, projection="orthographic")
    newer, newest = view_row(yaw=10, key="b" * 32), view_row(yaw=10, key="c" * 32)
    journal.record(tmp_path, scan_row(vertices=7), [newer, flat])
    journal.record(tmp_path, scan_row(vertices=8), [newest])
    _fold(tmp_path)
    scans, views, _ = _rows(tmp_path)
    assert scans == [scan_row(vertices=8)]
    assert views == [flat, view_row(yaw=0), newest]


def test_a_rejected_scan_keeps_its_rows_and_loses_the_reject_when_it_is_made_again(tmp_path: Path) -> None:
    journal.record(tmp_path, scan_row(), [view_row()])
    journal.reject(tmp_path, reject_row("00003", detail="first"))
    journal.reject(tmp_path, reject_row("00003", detail="second"))
    _fold(tmp_path)
    assert _rows(tmp_path) == ([scan_row()], [view_row()], [reject_row("00003", detail="second")])
    journal.record(tmp_path, scan_row(), [view_row(yaw=10)])
    _fold(tmp_path)
    assert _rows(tmp_path) == ([scan_row()], [view_row(yaw=0), view_row(yaw=10)], [])


def test_a_reject_may_have_a_name_that_could_be_no_id(tmp_path: Path) -> None:
    for name in ("../../up", "a/b", "x" * 300, "ü\u3000 ~"):
        journal.reject(tmp_path, reject_row(name))
    _fold(tmp_path)
    assert [row.scan for row in _rows(tmp_path)[2]] == sorted(["../../up", "a/b", "x" * 300, "ü\u3000 ~"])


def test_forgotten_rows_are_gone_and_the_others_stay(tmp_path: Path) -> None:
    for scan in ("1", "2"):
        journal.record(tmp_path, scan_row(scan), [view_row(scan, 0), view_row(scan, 10)])
    _fold(tmp_path)
    with FolderLock(tmp_path) as lock:
        fold.forget(
            lock, VIEWS, [("1", view_row("1", 10).view, "perspective"), ("9", "none", "perspective")]
        )
        fold.forget(lock, SCANS, [("2",)])
    scans, views, _ = _rows(tmp_path)
    assert scans == [scan_row("1")]
    assert views == [view_row("1", 0), view_row("2", 0), view_row("2", 10)]
    assert open_manifest(tmp_path).facts == FACTS


def test_a_view_of_another_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="a view of 2 was recorded with scan 1"):
        journal.record(tmp_path, scan_row("1"), [view_row("2")])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_entry_stops_the_fold_and_is_named(tmp_path: Path) -> None:
    path = journal.record(tmp_path, scan_row(), [view_row()])
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=path.name):
        _fold(tmp_path)
    assert journal.entries(tmp_path) != []


def test_entries_cleared_in_part_change_nothing_when_folded_again(tmp_path: Path) -> None:
    journal.reject(tmp_path, reject_row("00003"))
    journal.record(tmp_path, scan_row(), [view_row(key="b" * 32)])
    journal.record(tmp_path, scan_row(), [view_row(key="c" * 32)])
    noted = journal.entries(tmp_path)
    kept = [(entry.path, entry.path.read_bytes()) for entry in noted]
    _fold(tmp_path)
    before = _rows(tmp_path)
    removed: list[Path] = []
    journal.clear(tmp_path, noted)  # what is removed in which order
    for path, content in kept:
        path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, missing_ok=False: removed.append(path))
        journal.clear(tmp_path, noted)
    for count in range(len(removed) + 1):
        for path, content in kept:
            path.write_bytes(content)
        for path in removed[:count]:
            path.unlink()
        _fold(tmp_path)
        assert _rows(tmp_path) == before


KEYS = st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([-10, 0, 10]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(KEYS, max_size=9), min_size=1, max_size=5),
    st.lists(KEYS, max_size=4),
    st.integers(1, 9),
)
def test_merging_is_what_a_dictionary_does(
    chunks: list[list[tuple[str, int]]], gone: list[tuple[str, int]], group: int
) -> None:
    """Against a dict: any old rows, cut anywhere, any new ones, and any that are to go."""
    old = {view_key(row): row for row in (view_row(scan, yaw) for scan, yaw in chunks[0])}
    fresh = {view_key(row): row for chunk in chunks[1:] for row in (new_row(*pair) for pair in chunk)}
    leaving = {view_key(view_row(*pair)) for pair in gone}
    before, added = (table_of(ViewRow, [rows[key] for key in sorted(rows)]) for rows in (old, fresh))
    parts = [before.slice(i, group) for i in range(0, before.num_rows, group)]
    news = [added.slice(i, group + 1) for i in range(0, added.num_rows, group + 1)]
    absent = pa.array(["\0".join(key) for key in sorted(leaving)], pa.string())
    merged = pa.concat_tables(fold.merged(VIEWS, parts, iter(news), absent))
    expected = {key: row for key, row in old.items() if key not in leaving} | fresh
    assert rows_of(ViewRow, merged) == [expected[key] for key in sorted(expected)]


def view_key(row: ViewRow) -> tuple[str, str, str]:
    return row.scan, row.view, row.projection


def new_row(scan: str, yaw: int) -> ViewRow:
    return view_row(scan, yaw, key="f" * 32, made_at=later(1))


def test_row_groups_have_one_size_and_stay_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_ROWS", 5)
    monkeypatch.setattr(fold, "_SCANS_AT_ONCE", 2)
    for start in (0, 1, 2):
        for number in range(start, 12, 3):
            journal.record(
                tmp_path, scan_row(f"{number:05d}"), [view_row(f"{number:05d}", yaw) for yaw in (0, 10)]
            )
        _fold(tmp_path)
    with files.TableFile(tmp_path / "views.parquet", VIEWS) as file:
        sizes = [file.group(number).num_rows for number in range(file.groups)]
        reaches = [file.reach(number) for number in range(file.groups)]
    assert sizes == [5, 5, 5, 5, 4]
    assert reaches == sorted(reaches, key=str)
    assert [row.scan for row in _rows(tmp_path)[1]] == [f"{n:05d}" for n in range(12) for _ in range(2)]


FORKING = """
import os, signal, sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from manifest_rows import FACTS, reject_row, scan_row, view_row
from manifests import fold, journal
from manifests.lock import FolderLock

def work(folder, first, told):
    with FolderLock(folder) as lock:
        fold.fold(lock, FACTS)
        for number in range(first, first + 500):
            scan = f"{{number % 40:05d}}"
            if number % 7 == 0:
                journal.reject(folder, reject_row(scan, detail=str(number)))
            else:
                views = [view_row(scan, yaw, seed=number) for yaw in (0, 10)]
                journal.record(folder, scan_row(scan, vertices=number), views)
            os.write(told, f"{{number}} ".encode())
            if number % 5 == 0:
                fold.fold(lock, FACTS)

for line in sys.stdin:
    first, delay = line.split()
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        work(Path({folder!r}), int(first), told)
    said = os.read(heard, 4096)
    time.sleep(float(delay))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    while more := os.read(heard, 4096):
        said += more
    os.close(heard)
    print(said.decode(), flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_nothing_recorded_is_lost_or_wrong(tmp_path: Path) -> None:
    """kill -9 at 50 random moments, while scans are recorded and folded; a model in a dict agrees."""
    rng = random.Random(0)
    done = 0
    path = [str(place) for place in (Path(__file__).parents[1], Path(__file__).parent)]
    command = (sys.executable, "-c", FORKING.format(path=path, folder=str(tmp_path)))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killing:
        assert killing.stdin
        assert killing.stdout
        for _ in range(50):
            print(done, rng.random() * 0.15, file=killing.stdin, flush=True)
            told = [int(number) for number in killing.stdout.readline().split()]
            assert told, "nothing was recorded"
            _fold(tmp_path)
            found = [row.vertices for row in _rows(tmp_path)[0]]
            found += [int(row.detail) for row in _rows(tmp_path)[2]]
            done = max(told[-1], *found) + 1  # one more may have been recorded than was told
            assert done <= told[-1] + 2
            _require_model(tmp_path, done)
        killing.stdin.close()


def test_what_interrupted_writes_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    journal.record(tmp_path, scan_row(), [view_row()])
    litter = [tmp_path / ".a.tmp", tmp_path / "journal" / ".b.tmp"]
    fresh = tmp_path / "journal" / ".c.tmp"
    for path in (*litter, fresh):
        path.write_text("half")
    for path in litter:
        os.utime(path, (1, 1))
    _fold(tmp_path)
    assert list(tmp_path.rglob(".*.tmp")) == [fresh]


def test_what_is_recorded_while_a_fold_runs_is_there_after_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(path: Path, kind: Kind, facts: Facts, tables: Iterable[pa.Table]) -> int:
        if kind is VIEWS:
            journal.record(tmp_path, scan_row("2"), [view_row("2")])
        return files.write_table(path, kind, facts, tables)

    journal.record(tmp_path, scan_row("1"), [view_row("1")])
    monkeypatch.setattr(fold, "write_table", meanwhile)
    assert _fold(tmp_path) == 1
    monkeypatch.undo()
    assert [row.scan for row in _rows(tmp_path)[0]] == ["1"]
    assert _fold(tmp_path) == 1
    assert _rows(tmp_path)[:2] == ([scan_row("1"), scan_row("2")], [view_row("1"), view_row("2")])


def _require_model(folder: Path, done: int) -> None:
    scans: dict[str, ScanRow] = {}
    views: dict[tuple[str, int], ViewRow] = {}
    rejects: dict[str, RejectRow] = {}
    for number in range(done):
        scan = f"{number % 40:05d}"
        if number % 7 == 0:
            rejects[scan] = reject_row(scan, detail=str(number))
            continue
        rejects.pop(scan, None)
        scans[scan] = scan_row(scan, vertices=number)
        views |= {(scan, yaw): replace(view_row(scan, yaw), seed=number) for yaw in (0, 10)}
    expected = ([s for _, s in sorted(scans.items())], [v for _, v in sorted(views.items())])
    assert _rows(folder) == (*expected, [r for _, r in sorted(rejects.items())])


def test_what_is_folded_is_written_for_good_before_the_journal_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.record(tmp_path, scan_row(), [view_row()])
    monkeypatch.setattr(fold, "clear", lambda folder, done: pytest.fail("cleared too soon"))
    monkeypatch.setattr(fold, "write_table", _full_disk)
    with pytest.raises(OSError, match="disk full"), FolderLock(tmp_path) as lock:
        fold.fold(lock, FACTS)
    assert len(journal.entries(tmp_path)) == 1


def _full_disk(*_: object) -> None:
    raise OSError("disk full")
