"""Drivers that are interrupted or killed, and workers and schedulers that somebody else started."""

from __future__ import annotations

import os
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster
from graph_steps import PLAN, WHERE, Fake, carry_out, giver, jobs_of

from pipeline.errors import ConfigError
from pipeline.graph.crew import Terms, open_crew
from pipeline.graph.sites import WORKER_MEMORY, workers_for

DRIVER = """
import signal
from graph_steps import PLAN, WHERE, giver, jobs_of
from pipeline.graph.crew import Terms, open_crew

if __name__ == "__main__":
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    with open_crew(Terms(workers=2)) as crew:
        for outcome in crew.carry_out(WHERE, 0.05, giver(jobs_of(range(100_000)))):
            print(outcome.value[0], len(heard), flush=True)
"""
WORKER = """
import sys
sys.path += sys.argv.pop(1).split(":")
from distributed.cli.dask_worker import main
main()
"""
ROOT = Path(__file__).parents[1]


def test_workers_do_not_hear_an_interrupt_and_go_when_their_driver_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with (tmp_path / "errors").open("w") as errors:
        driver = subprocess.Popen(
            (sys.executable, str(script)),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )
    assert driver.stdout
    with driver:
        before = {driver.stdout.readline().split()[0] for _ in range(20)}
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
        while (line := driver.stdout.readline().split())[1] != "1":
            pass
        after = {line[0], *(driver.stdout.readline().split()[0] for _ in range(20))}
        processes = [
            p for p in psutil.process_iter() if p.pid != driver.pid and _group(p.pid) == driver.pid
        ]
        assert before <= after <= {str(process.pid) for process in processes}
        assert (tmp_path / "errors").read_text() == ""
        driver.kill()
    assert psutil.wait_procs(processes, timeout=10)[1] == []


def _group(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler that has no workers."""
    with LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def worker(scheduler: str, *folders: Path) -> subprocess.Popen[bytes]:
    """A worker started by somebody, with four threads, that knows the packages of these folders as well."""
    path = ":".join([*site.getsitepackages(), *map(str, folders)])
    command = (sys.executable, "-S", "-E", "-c", WORKER, path, scheduler, "--nthreads=4", "--no-dashboard")
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/")


def test_workers_that_others_started_do_as_ours_do(scheduler: str, tmp_path: Path) -> None:
    with worker(scheduler, ROOT, ROOT / "tests") as started:
        try:
            with open_crew(Terms(where=scheduler, patience=60)) as crew:
                outcomes = carry_out(crew, tmp_path, [Fake(0), Fake(1, ends=1), Fake(2)])
        finally:
            started.terminate()
    assert [outcome.value for outcome in outcomes] == [(0, 0, 1), (1, 2, 3), (2, 4, 5)]


def test_a_worker_without_this_program_is_named(scheduler: str) -> None:
    with worker(scheduler) as started:
        try:
            with (
                open_crew(Terms(where=scheduler, patience=60)) as crew,
                pytest.raises(
                    ConfigError, match=r"^the worker on 127\.0\.0\.1 does not have this scan2k: "
                ),
            ):
                list(crew.carry_out(WHERE, None, giver(jobs_of([0]))))
        finally:
            started.terminate()


def test_a_cluster_that_gives_no_worker_is_not_waited_for_for_ever(scheduler: str, tmp_path: Path) -> None:
    with open_crew(Terms(where=scheduler, patience=0.2)) as crew:
        assert crew.standing().workers == 0
        with pytest.raises(
            ConfigError, match=r"^no worker came within 0\.2 s: start some with `dask worker tcp://"
        ):
            carry_out(crew, tmp_path, [Fake(0)])
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_that_goes_away_ends_it(tmp_path: Path) -> None:
    kind = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, **kind) as cluster,
        open_crew(Terms(where=cluster.scheduler_address, patience=0.5)) as crew,
    ):
        jobs = jobs_of([Fake(0), Fake(1, seconds=60)])
        outcomes = crew.carry_out(PLAN, tmp_path, giver(jobs))
        assert next(outcomes).job == jobs[0]
        cluster.close()
        with pytest.raises(
            ConfigError, match=r"^(the connection to the scheduler was lost|no worker came)"
        ):
            next(outcomes)


def test_a_scheduler_that_is_not_there_is_said_to_be_not_there() -> None:
    with pytest.raises(ConfigError, match=r"^no scheduler answers at tcp://127\.0\.0\.1:1: "):
        open_crew(Terms(where="tcp://127.0.0.1:1", patience=0.2))


def test_a_machine_gets_as_many_workers_as_it_has_cores_and_memory_for() -> None:
    assert workers_for(16, 64 * WORKER_MEMORY) == 16
    assert workers_for(16, 7 * WORKER_MEMORY - 1) == 6
    assert workers_for(2, 0) == 1
