"""Plans carried out by processes of this machine: as in this process, whatever befalls a worker."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from graph_steps import PLAN, WHERE, Fake, carry_out, giver, jobs_of, noted

from pipeline.errors import ConfigError, MeshError
from pipeline.graph import sites
from pipeline.graph.crew import Terms, open_crew
from pipeline.graph.plan import Crew, Job, Outcome
from pipeline.graph.serial import Serial

ALL = ["look", "work", "tell"]


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with open_crew(Terms(workers=2, environment={"LP_NUM_THREADS": "7"})) as made:
        yield made


def serial(folder: Path, items: list[Fake]) -> list[Outcome]:
    """What comes of items in this process."""
    folder.mkdir()
    with Serial() as one:
        return carry_out(one, folder, items)


def test_a_crew_does_what_one_process_does(crew: Crew, tmp_path: Path) -> None:
    items = [Fake(number, seconds=0.01 * (number % 3)) for number in range(12)]
    assert carry_out(crew, tmp_path, items) == serial(tmp_path / "serial", items)
    assert [noted(tmp_path, number) for number in range(12)] == [ALL] * 12


def test_jobs_go_to_both_workers_which_find_what_they_are_told(crew: Crew) -> None:
    found = {o.value for o in crew.carry_out(WHERE, None, giver(jobs_of(range(30))))}
    assert len({process for process, _ in found}) == 2
    assert {threads for _, threads in found} == {"7"}


def test_there_are_as_many_in_flight_as_workers_and_they_are_counted(crew: Crew, tmp_path: Path) -> None:
    waiting, done, most = jobs_of([Fake(number) for number in range(10)]), 0, 0

    def take() -> Job | None:
        assert 10 - len(waiting) - done == crew.standing().in_flight < 2
        return waiting.pop() if waiting else None

    for _ in crew.carry_out(PLAN, tmp_path, take):
        most = max(most, 10 - len(waiting) - done)
        done += 1
        facts = crew.standing()
        assert facts.workers == 2
        assert facts.memory_bytes > Serial().standing().memory_bytes + 2 * 30_000_000
        assert facts.dashboard
        assert facts.dashboard.startswith("http://127.0.0.1:")
    assert (done, most) == (10, 2)
    assert crew.standing().in_flight == 0


def test_nothing_now_is_not_the_end_while_something_is_in_flight(crew: Crew, tmp_path: Path) -> None:
    jobs = jobs_of([Fake(0, seconds=0.1), Fake(1)])
    answers = iter([jobs[0], None, jobs[1], None, None])
    assert [o.job for o in crew.carry_out(PLAN, tmp_path, lambda: next(answers))] == jobs
    assert list(answers) == []


def test_who_kills_two_workers_is_lost_and_all_others_are_made_once(crew: Crew, tmp_path: Path) -> None:
    items = [Fake(number, kills=9 * (number == 3), seconds=0.05) for number in range(8)]
    outcomes = carry_out(crew, tmp_path, items)
    assert outcomes.pop(3) == Outcome(Job("00003/1", items[3]), lost="work")
    del items[3]
    assert [outcome.value for outcome in outcomes] == [
        (item.number, 2 * item.number, 2 * item.number + 1) for item in items
    ]
    assert noted(tmp_path, 3) == ["look", "work"] * 2
    assert [noted(tmp_path, item.number) for item in items] == [ALL] * 7


def test_a_worker_that_dies_is_replaced_and_its_scan_made(crew: Crew, tmp_path: Path) -> None:
    items = [Fake(0, kills=1), Fake(1, kills=1), Fake(2)]
    outcomes = carry_out(crew, tmp_path, items)
    assert [outcome.value for outcome in outcomes] == [(0, 0, 1), (1, 2, 3), (2, 4, 5)]
    assert noted(tmp_path, 0) == ["look", "work", *ALL]


def test_a_worker_that_is_told_to_end_does_not_count_as_dead(crew: Crew, tmp_path: Path) -> None:
    outcomes = carry_out(crew, tmp_path, [Fake(0, ends=3), Fake(1)])
    assert [outcome.value for outcome in outcomes] == [(0, 0, 1), (1, 2, 3)]
    assert noted(tmp_path, 0) == [*["look", "work"] * 3, *ALL]
    assert noted(tmp_path, 1) == ALL


def test_an_error_comes_with_its_place_and_leaves_a_crew_that_works(crew: Crew, tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"^1 is no person$") as caught:
        carry_out(crew, tmp_path, [Fake(0), Fake(1, bad=True), Fake(2)])
    assert "in work" in "".join(traceback.format_exception(caught.value))
    assert crew.standing().in_flight == 0
    assert carry_out(crew, tmp_path, [Fake(5)])[0].value == (5, 10, 11)


def test_an_interrupt_comes_through(crew: Crew, tmp_path: Path) -> None:
    take = giver(jobs_of([Fake(0, seconds=0.1)]))

    def interrupted() -> Job | None:
        if job := take():
            return job
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(crew.carry_out(PLAN, tmp_path, interrupted))
    assert crew.standing().in_flight == 0
    assert carry_out(crew, tmp_path, [Fake(6)])[0].value == (6, 12, 13)


def test_a_worker_over_its_memory_dies_of_it_and_a_crew_stops_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sites, "MEMORY_LIMIT", 500_000_000)
    outcomes, handlers = [], logging.getLogger("distributed").handlers
    with open_crew(Terms(workers=1)) as crew:
        items = [Fake(0), Fake(1, bytes=500_000_000), Fake(2), Fake(3, seconds=60)]
        for outcome in crew.carry_out(PLAN, tmp_path, giver(jobs_of(items))):
            outcomes.append(outcome)
            if len(outcomes) == 3:
                threading.Timer(0.5, crew.stop).start()
    assert [(o.job.name, o.lost) for o in outcomes] == [
        ("00000/1", None),
        ("00001/1", "work"),
        ("00002/1", None),
    ]
    assert noted(tmp_path, 3) == ["look", "work"]  # and was not waited for
    assert any("memory budget" in record.getMessage() for record in caplog.records)
    assert logging.getLogger("distributed").handlers == handlers


def test_workers_that_cannot_start_are_no_reason_to_wait(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"^no workers can be started here: "):
        open_crew(Terms(workers=1, environment={"PYTHONHOME": "/nowhere"}))
    assert "PYTHONHOME" not in os.environ
    assert "/nowhere" in capfd.readouterr().err
