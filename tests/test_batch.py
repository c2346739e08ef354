"""How jobs are kept at their number, with a cluster and a Slurm that only pretend."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Generator
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.graph import batch, slurm
from pipeline.graph.profile import Profile
from pipeline.graph.slurm import Standing

RUNS, WAITS, ENDED = (
    Standing("RUNNING", "None"),
    Standing("PENDING", "Priority"),
    Standing("COMPLETING", "None"),
)


class Pretended:
    """A cluster of jobs with two workers each, numbered from 1, and the Slurm they are in."""

    def __init__(self) -> None:
        self.workers: dict[str, Any] = {}
        self.new_spec = {"group": ["-0", "-1"]}
        self.scheduler = SimpleNamespace(workers={})
        self.standings: dict[str, Standing] | None = {}
        self._last = 0

    def scale(self, jobs: int) -> None:
        while len(self.workers) < jobs:
            self._last += 1
            self.workers[f"job-{self._last}"] = SimpleNamespace(job_id=str(self._last))
            self.see({**(self.standings or {}), str(self._last): WAITS})

    async def scale_down(self, jobs: Collection[str]) -> None:
        for name in jobs:
            del self.workers[name]

    def __await__(self) -> Generator[None, None, None]:
        yield from asyncio.sleep(0).__await__()

    def see(self, standings: dict[str, Standing] | None) -> None:
        self.standings = standings

    def begin(self, *jobs: int, busy: bool = True) -> None:
        """Both workers of these jobs are there, and one of them has something to do or not."""
        for job in jobs:
            self.see({**(self.standings or {}), str(job): RUNS})
            for end, processing in (("-0", busy), ("-1", False)):
                worker = SimpleNamespace(name=f"job-{job}{end}", processing=processing)
                self.scheduler.workers[worker.name] = worker

    def end(self, *jobs: int) -> None:
        """These jobs are gone, and nothing said so."""
        for job in jobs:
            self.see({number: how for number, how in (self.standings or {}).items() if number != str(job)})
            for end in ("-0", "-1"):
                self.scheduler.workers.pop(f"job-{job}{end}", None)

    @property
    def jobs(self) -> list[int]:
        return sorted(int(job.job_id) for job in self.workers.values())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    made = Pretended()
    monkeypatch.setattr(slurm, "standings", lambda: made.standings)
    return made


def kept(cluster: Pretended, jobs: int, least: int = 1) -> batch.Keeper:
    """A keeper that has asked for its jobs."""
    keeper = batch.Keeper(cluster, Profile(2, 2 * 1024**3, workers=2, jobs=jobs, jobs_least=least))
    cluster.scale(jobs)
    return keeper


def look(keeper: batch.Keeper, times: int = 1) -> None:
    for _ in range(times):
        asyncio.run(keeper.look())


def test_jobs_that_wait_or_work_are_left_alone(cluster: Pretended) -> None:
    keeper = kept(cluster, 3)
    look(keeper, 20)
    cluster.begin(1, 2)
    look(keeper, 20)
    assert cluster.jobs == [1, 2, 3]


def test_a_job_that_ended_is_asked_for_anew_however_it_ended(cluster: Pretended) -> None:
    keeper = kept(cluster, 3)
    cluster.begin(1, 2)
    cluster.end(1)  # after its workers came
    cluster.end(3)  # before
    look(keeper)
    assert cluster.jobs == [2, 4, 5]
    cluster.see({**(cluster.standings or {}), "2": ENDED})
    look(keeper)
    assert cluster.jobs == [4, 5, 6]


def test_nothing_changes_while_slurm_is_silent(cluster: Pretended) -> None:
    keeper = kept(cluster, 2)
    cluster.begin(1)
    before = cluster.standings
    cluster.see(None)
    look(keeper, 20)
    assert cluster.jobs == [1, 2]
    cluster.see(before)
    look(keeper)
    assert cluster.jobs == [1, 2]


def test_a_rest_between_two_scans_costs_no_job(cluster: Pretended) -> None:
    keeper = kept(cluster, 4)
    for _ in range(20):
        for busy in (True, False):
            cluster.begin(1, 2, busy=busy)
            look(keeper, batch.IDLE_LOOKS - 1)
    assert cluster.jobs == [1, 2, 3, 4]


def test_workers_are_waited_for_with_before_there_is_work(cluster: Pretended) -> None:
    keeper = kept(cluster, 2)
    cluster.begin(1, 2, busy=False)
    look(keeper, 50)
    assert cluster.jobs == [1, 2]


@pytest.mark.parametrize(("least", "left"), [(1, [2]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 3, 4])])
def test_when_there_is_nothing_left_to_do_jobs_go_those_that_wait_first(
    cluster: Pretended, least: int, left: list[int]
) -> None:
    keeper = kept(cluster, 4, least)
    cluster.begin(1, 2, 3)
    look(keeper)
    cluster.begin(3, busy=False)
    look(keeper)
    cluster.begin(1, busy=False)
    look(keeper, 3 * batch.IDLE_LOOKS)
    assert cluster.jobs == left


def test_a_job_that_ends_near_the_end_is_still_asked_for_anew(cluster: Pretended) -> None:
    keeper = kept(cluster, 3)
    cluster.begin(1, 2, 3)
    look(keeper)
    cluster.begin(2, 3, busy=False)
    look(keeper, batch.IDLE_LOOKS)
    assert cluster.jobs == [1]
    cluster.end(1)
    look(keeper)
    assert cluster.jobs == [4]


def test_jobs_that_never_have_a_worker_are_asked_for_three_times(cluster: Pretended) -> None:
    keeper = kept(cluster, 2)
    for _ in range(10):
        cluster.end(*cluster.jobs)
        look(keeper)
    assert cluster.jobs == []
    assert keeper.numbers() == ["5", "6"]  # the last there were


def test_one_job_with_a_worker_is_reason_enough_to_go_on_asking(cluster: Pretended) -> None:
    keeper = kept(cluster, 2)
    cluster.begin(1)
    for _ in range(10):
        cluster.end(cluster.jobs[-1])
        look(keeper)
    assert cluster.jobs == [1, 12]
