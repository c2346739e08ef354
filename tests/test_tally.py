"""The tally of a build: everything that comes in is in one sum, and is told once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from building import Heard
from manifest_rows import scan_row

from pipeline.conduct.logbook import Logbook
from pipeline.conduct.needs import Count, Need, Want
from pipeline.conduct.standing import Standing, Summary
from pipeline.conduct.steps import Made
from pipeline.conduct.tally import Tally
from pipeline.records import Fault, Subject
from pipeline.rows import Place, RejectRow, ScanRow


class Counted:
    """A tally and all that it tells."""

    def __init__(self, folder: Path, kept: Count | None = None, skipped: tuple[str, ...] = ()) -> None:
        rows = tuple(SimpleNamespace(reason=reason) for reason in skipped)
        facts = SimpleNamespace(facts=SimpleNamespace(dataset="2K2K"))
        needs = SimpleNamespace(
            kept=kept or Count(),
            total=Count(3, 30, 150),
            skipped=cast(tuple[RejectRow, ...], rows),
            manifest=facts,
        )
        self.standing, self.heard = Standing(), Heard()
        self.book = Logbook(folder, self.heard.say)
        self.tally = Tally(cast(Any, needs), self.standing, self.heard, self.book)

    def summary(self, stopped: bool = False) -> Summary:
        return self.tally.summary(1.5, stopped, {})

    def log(self) -> str:
        assert self.book.path
        return self.book.path.read_text()


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    found = Counted(tmp_path, Count(2, 9, 40))
    found.standing.begin(3, 30)
    return found


def need(scan: str, views: int) -> Need:
    """A portion of a scan's views."""
    place = Place("v", "perspective", 0.0, 0.0)
    wants = (Want(place, frozenset({"depth_front"})),) * views
    return Need(Subject("2K2K", scan, "train"), None, "", None, False, (), wants, ("new scan", "file gone"))


def plain(scan: str) -> ScanRow:
    """A row without warnings."""
    return replace(scan_row(scan), warnings=())


def fault(scan: str, reason: str = "MeshError") -> Fault:
    return Fault("2K2K", scan, "render", reason, f"{scan} has no colours")


def test_a_scan_in_portions_is_one_scan_and_told_when_it_is_whole(counted: Counted) -> None:
    row = plain("a")
    counted.tally.made(need("a", 8), Made(row, 8, 40), is_done=False)
    assert not counted.heard.lines and counted.summary().scans_made == 0
    counted.tally.made(need("a", 3), Made(row, 3, 15), is_done=True)
    (line,) = counted.heard.lines
    assert line.startswith("a: 11 views made (new scan, file gone); ")
    assert line in counted.log()
    done = counted.summary()
    assert (done.scans_made, done.views_made, done.images) == (1, 11, 55)
    assert (done.scans_kept, done.views_kept) == (2, 9)


def test_what_was_up_to_date_after_all_is_kept(counted: Counted) -> None:
    counted.tally.made(need("a", 4), Made(plain("a"), 1, 2), is_done=True)
    counted.tally.made(need("b", 5), Made(plain("b"), 0, 0), is_done=True)
    done = counted.summary()
    assert (done.scans_made, done.views_made, done.images) == (1, 1, 2)
    assert (done.scans_kept, done.views_kept) == (3, 9 + 3 + 5)
    assert counted.heard.lines[0].startswith("a: 1 view made (")
    assert counted.heard.lines[1].startswith("b: up to date after all (")


def test_views_of_a_scan_that_is_refused_are_neither_made_nor_kept(counted: Counted) -> None:
    counted.tally.made(need("a", 8), Made(scan_row("a"), 8, 40), is_done=False)
    counted.tally.refused(fault("a"), 12)
    counted.tally.refused(fault("b", "WorkerDied"), 10)
    counted.tally.refused(fault("c"))
    done = counted.summary()
    assert done.rejects == {("render", "MeshError"): 2, ("render", "WorkerDied"): 1}
    assert (done.scans_made, done.views_made, done.views_kept, done.has_faults) == (0, 8, 9, True)
    assert counted.heard.lines == [f"{scan}: not used: {scan} has no colours" for scan in "abc"]
    snapshot = counted.standing.snapshot()
    assert (snapshot.views, snapshot.views_made, snapshot.rejected) == (30 - 22, 8, 3)
    assert counted.log().count("reject ") == 3


def test_a_warning_about_the_device_is_said_once(counted: Counted) -> None:
    for scan, warning in (("a", "no card"), ("b", "no card"), ("c", "old driver"), ("d", "")):
        counted.tally.made(need(scan, 1), Made(scan_row(scan), 1, 1, warning=warning), is_done=True)
    said = [line for line in counted.heard.lines if line.startswith("warning: ")]
    assert said == ["warning: no card", "warning: old driver"]


def test_warnings_about_a_scan_are_told_apart(counted: Counted) -> None:
    row = replace(scan_row("a"), warnings=("two fronts", "odd size"))
    counted.tally.made(need("a", 1), Made(row, 1, 1), is_done=True)
    assert counted.heard.lines[1:] == ["a: warning: two fronts", "a: warning: odd size"]
    assert "warning" not in counted.heard.lines[0]
    assert counted.log().count("WARNING a: ") == 2


def test_who_is_left_out_is_no_fault_now_or_before(tmp_path: Path) -> None:
    counted = Counted(tmp_path, skipped=("Excluded", "Excluded"))
    counted.tally.refused(fault("a", "Excluded"), 3)
    assert (counted.summary().skipped_rejects, counted.summary().has_faults) == (0, False)
    counted = Counted(tmp_path, skipped=("Excluded", "MeshError"))
    assert (counted.summary().skipped_rejects, counted.summary().has_faults) == (1, True)


def test_how_it_ends_is_told_to_everybody(counted: Counted) -> None:
    counted.tally.ending("finishing")
    assert counted.heard.lines == ["finishing"] and "finishing" in counted.log()
    assert counted.standing.snapshot().doing == "finishing"


def test_a_build_is_stopped_early_if_anything_is_left(counted: Counted) -> None:
    counted.tally.made(need("a", 8), Made(plain("a"), 8, 40), is_done=True)
    counted.tally.made(need("b", 8), Made(plain("b"), 8, 40), is_done=False)
    counted.tally.refused(fault("named badly"))
    counted.tally.refused(fault("c"), 14)
    assert counted.summary(stopped=True).stopped and not counted.summary().stopped
    counted.tally.made(need("b", 6), Made(plain("b"), 6, 30), is_done=True)
    assert not counted.summary(stopped=True).stopped
