"""Builds that are carried out in other ways, or cut short and gone on with: always the same in the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from building import Heard, build
from whole import add_people, begun, copy_scans, files, noted, rows, wait_for, workers_of

from manifests.read import open_manifest
from manifests.schema import VIEWS
from pipeline import audit
from pipeline import build as whole_build
from pipeline.conduct.jobs import VIEWS as PORTION
from pipeline.conduct.wording import STOPPING
from pipeline.config import RenderRequest
from pipeline.graph.plan import Job, Outcome, Plan, Take
from pipeline.graph.serial import Serial
from pipeline.store import Workspace

DATASET, SIZE, PEOPLE = "2K2K", 64, 8
YAWS = tuple(float(yaw) for yaw in range(-55, 55, 10))  # more than one portion of a scan
ASKED = ("--yaws", ",".join(f"{yaw:g}" for yaw in YAWS), "--size", str(SIZE))


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small people as one process makes them without a break."""
    data = tmp_path_factory.mktemp("serial")
    folder = add_people(data, PEOPLE - 1)
    (folder / "00004" / "00004.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    done = build(request(data))
    assert (done.views_made, done.rejects) == ((PEOPLE - 2) * len(YAWS), {("align", "FormatError"): 1})
    return data


@pytest.fixture
def data(serial: Path, tmp_path: Path) -> Path:
    """A data folder with the same people, and nothing made of them."""
    return copy_scans(serial, tmp_path)


def request(data: Path) -> RenderRequest:
    return RenderRequest(DATASET, data, yaws=YAWS, size=SIZE)


def assert_same(data: Path, serial: Path) -> None:
    """The same images to the byte, the same lists and rows, and no other file, whole or not."""
    assert files(data) == files(serial)
    assert rows(data) == rows(serial)
    assert not audit.verify(Workspace(data, DATASET), checksums=True).faults
    assert noted(data) == 0


def views_in(data: Path) -> int:
    return open_manifest(data / "manifests" / DATASET).counts[VIEWS.name]


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


class Killer(Heard):
    """Kills one worker as soon as a scan was made."""

    def __init__(self) -> None:
        super().__init__()
        self.killed: list[int] = []
        self.scan = self._scan

    def _scan(self, text: str) -> None:
        self.lines.append(text)
        if not self.killed:
            worker = workers_of(os.getpid())[0]
            worker.kill()
            self.killed.append(worker.pid)


def test_workers_make_what_one_process_makes_though_one_is_killed(data: Path, serial: Path) -> None:
    heard = Killer()
    done = build(request(data), heard, workers=2)
    assert heard.killed
    assert (done.views_made, done.rejects) == ((PEOPLE - 2) * len(YAWS), {("align", "FormatError"): 1})
    assert_same(data, serial)
    assert workers_of(os.getpid()) == []


def test_a_build_that_is_killed_goes_on_where_it_was(data: Path, serial: Path) -> None:
    with begun(data, *ASKED, "--workers", "2") as first:
        wait_for(first, "views made")
        workers = workers_of(first.pid)
        first.kill()
    assert len(workers) == 2
    assert gone(workers), "workers outlive their build"
    assert noted(data) > 0
    done = build(request(data))
    assert 0 < done.views_kept <= done.views_kept + done.views_made == (PEOPLE - 2) * len(YAWS)
    assert done.views_kept >= len(YAWS)
    assert_same(data, serial)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupt_finishes_the_scans_in_hand(data: Path, serial: Path, workers: int) -> None:
    with begun(data, *ASKED, "--workers", str(workers)) as first:
        wait_for(first, "views made")
        os.killpg(first.pid, signal.SIGINT)  # as a terminal does
        out, err = first.communicate(timeout=60)
    assert first.returncode == 130, err
    assert STOPPING in err and "Traceback" not in err
    assert out.startswith("2K2K: stopped early; the same command goes on from here\n")
    assert noted(data) == 0
    made = views_in(data)
    assert 0 < made < (PEOPLE - 2) * len(YAWS)
    assert made % len(YAWS) == 0, "a scan in hand was left"
    assert len(files(data)) == 6 * made + 4
    assert build(request(data)).views_kept == made
    assert_same(data, serial)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_interrupt_stops_at_once_and_damages_nothing(
    data: Path, serial: Path, workers: int
) -> None:
    long = (*ASKED[:-1], "1024")  # a scan in hand takes a second and more
    with begun(data, *long, "--workers", str(workers)) as first:
        wait_for(first, "views made")
        os.killpg(first.pid, signal.SIGINT)
        wait_for(first, STOPPING)
        os.killpg(first.pid, signal.SIGINT)
        out, err = first.communicate(timeout=60)
    assert (first.returncode, out, err.strip()) == (130, "", "scan2k: interrupted")
    assert noted(data) > 0 and views_in(data) == 0
    if not workers:
        assert not [*data.glob("PERS/**/.*")], "half a file is left"
    build(request(data))
    assert_same(data, serial)


class Losing(Serial):
    """A crew whose workers die twice of the second portion of one scan."""

    def carry_out(self, plan: Plan, errand: object, take: Take) -> Iterator[Outcome]:
        lost: list[Job] = []

        def others() -> Job | None:
            job = take()
            if job and job.name == "00002":
                lost.append(job)
                return take()
            return job

        yield from super().carry_out(plan, errand, others)
        yield from (Outcome(job, lost="render") for job in lost)


def test_a_scan_that_kills_workers_is_a_reject_and_the_rest_is_made(
    data: Path, serial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_build, "open_crew", lambda terms: Losing())
    heard = Heard()
    done = build(request(data), heard)
    assert done.rejects == {("align", "FormatError"): 1, ("render", "WorkerDied"): 1}
    lacking = len(YAWS) - PORTION
    assert (done.scans_made, done.views_made) == (PEOPLE - 3, (PEOPLE - 2) * len(YAWS) - lacking)
    assert any("00002: not used: its worker died twice" in line for line in heard.lines)
    assert views_in(data) == done.views_made
    monkeypatch.undo()
    again = build(request(data))
    assert (again.views_made, again.skipped_rejects, again.has_faults) == (0, 2, True)
    again = build(request(data), retry_rejects=True)
    assert (again.scans_made, again.views_made) == (1, lacking)
    assert_same(data, serial)
