"""What is asked of Slurm, asked of a real one, which tests/slurm.py starts where its programs are."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slurm import Slurm, wait_until
from slurm_steps import halve, quote, tell, wait_for

from pipeline.errors import ConfigError
from pipeline.graph import batch
from pipeline.graph import slurm as asked
from pipeline.graph.crew import Terms, open_crew
from pipeline.graph.plan import Crew, Job, Outcome, Step
from pipeline.graph.profile import Profile, directives_of

PLAN = (Step("halve", halve), Step("tell", tell, needs=("halve",)))
WAIT = (Step("wait", wait_for),)
STEPS = {"PYTHONPATH": str(Path(__file__).parent), "SAID": "it's a test"}
SMALL = Profile(cores=1, memory=1024**3, interface="lo")


def script(profile: Profile, logs: Path, *lines: str) -> str:
    """A job's script with what the profile tells sbatch."""
    told = (f"#SBATCH {line}" for line in directives_of(profile, logs))
    return "\n".join(["#!/bin/bash", *told, *lines, ""])


def submit(slurm: Slurm, folder: Path, profile: Profile, *lines: str) -> str:
    """Submit a job, and say its number."""
    place = folder / "job.sh"
    place.write_text(script(profile, folder, *lines))
    return slurm.ask("sbatch", "--parsable", str(place)).strip()


def test_a_machine_without_slurm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        ConfigError, match=r"^sbatch, squeue, scancel, sinfo cannot be found here; .* login node"
    ):
        asked.check(SMALL)
    assert asked.standings() is None
    assert "Slurm does not answer" in asked.why_nobody_came(["1"], Path("/logs"))


@pytest.mark.slurm
@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        (Profile(1, 1024**3, partition="mian"), "partition is 'mian', .* did you mean 'main'"),
        (Profile(1, 1024**3, partition="main,gpu"), "partition is 'gpu', .* choose from main, closed"),
        (Profile(1, 1024**3, interface="ib9"), "interface is 'ib9'; this machine has .*lo"),
    ],
)
@pytest.mark.usefixtures("slurm")
def test_what_the_cluster_does_not_have_is_refused(profile: Profile, fault: str) -> None:
    asked.check(SMALL)
    asked.check(Profile(1, 1024**3, partition="closed,main", interface="lo"))
    with pytest.raises(ConfigError, match=fault):
        asked.check(profile)


@pytest.mark.slurm
@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        (Profile(1, 2**40), "sbatch refuses: .*Requested node configuration is not available"),
        (Profile(64, 2**30), "sbatch refuses: .*Requested node configuration is not available"),
        (Profile(1, 2**30, gpus=3), "sbatch refuses: .*Requested node configuration is not available"),
        (Profile(1, 2**30, gpus=1, gpu_type="a100"), "sbatch refuses: .*"),
        (Profile(1, 2**30, directives=("--constraint=ssd",)), "sbatch refuses: .*Invalid feature"),
        (Profile(1, 2**30, directives=("--partition-of-mine=x",)), "sbatch refuses: .*unrecognized option"),
    ],
)
def test_what_slurm_would_not_take_is_refused_without_a_job(
    slurm: Slurm, profile: Profile, fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault) as caught:
        asked.try_out(script(profile, slurm.folder, "true"))
    assert len(str(caught.value).splitlines()) == 1
    assert slurm.jobs() == {}


@pytest.mark.slurm
def test_a_job_gets_what_the_profile_says(slurm: Slurm) -> None:
    profile = Profile(
        cores=3,
        memory=2 * 1024**3,
        walltime=1800,
        partition="main",
        gpus=1,
        gpu_type="card",
        directives=("--comment='two words'",),
    )
    asked.try_out(script(profile, slurm.folder, "true"))
    job = submit(slurm, slurm.folder, profile, "sleep 60")
    told = slurm.ask("scontrol", "show", "job", job)
    for fact in (
        "JobName=scan2k",
        "Requeue=0",
        "TimeLimit=00:30:00",
        "Partition=main",
        "CPUs/Task=3",
        "MinMemoryNode=2G",
        "gres:gpu:card:1",
        "Comment=two words",
        f"StdOut={slurm.folder}/job-{job}.log",
    ):
        assert fact in told


@pytest.mark.slurm
def test_why_nobody_came_is_told_of_jobs_that_wait_run_and_ended(slurm: Slurm, tmp_path: Path) -> None:
    waits = submit(slurm, tmp_path, Profile(1, 1024**3, partition="closed"), "true")
    long = submit(slurm, tmp_path, Profile(1, 1024**3, walltime=7200), "true")
    runs = submit(slurm, tmp_path, SMALL, "echo still here", "sleep 60")
    ends = submit(slurm, tmp_path, SMALL, "echo first", "python-of-nowhere", "exit 3")
    mute = submit(slurm, tmp_path, SMALL, f"rm {tmp_path}/job-$SLURM_JOB_ID.log")
    wait_until(lambda: {*slurm.jobs()} == {waits, long, runs} and runs in slurm.running(), "jobs end")
    prints = tmp_path / f"job-{runs}.log"
    wait_until(lambda: prints.exists() and prints.read_text(), "the job prints")

    def why(job: str) -> str:
        return asked.why_nobody_came([job], tmp_path)

    standings = asked.standings()
    assert standings
    assert {*standings} == {waits, long, runs}
    assert standings[waits].is_alive
    assert standings[runs].is_alive
    assert why(waits).startswith("1 job is waiting, Slurm says PartitionDown: the partition takes jobs but")
    assert "PartitionTimeLimit: the partition has a shorter limit: lower walltime" in why(long)
    assert (
        why(runs) == f"1 job is running without workers ({tmp_path}/job-{runs}.log ends with: still here)"
    )
    assert "1 job is ended without workers" in why(ends)
    assert "python-of-nowhere: command not found)" in why(ends)
    assert f"there is no {tmp_path}/job-{mute}.log: do the nodes see this folder?" in why(mute)
    both = asked.why_nobody_came([waits, waits, ends, runs], tmp_path)
    assert both.startswith("2 jobs are waiting, ")
    assert "; 1 job is running" in both
    assert "; 1 job is ended" in both
    assert asked.why_nobody_came([], tmp_path) == "no job was submitted"


def crew(profile: Profile, logs: Path, patience: float = 60.0) -> Crew:
    """A crew whose workers are jobs, and can import the steps."""
    return open_crew(Terms("slurm", None, patience, profile, logs, STEPS))


def jobs_of(items: Iterator[object]) -> Callable[[], Job | None]:
    """Jobs of a plan, one for each item."""
    named = (Job(f"{number:05}", item) for number, item in enumerate(items))
    return lambda: next(named, None)


@pytest.mark.slurm
def test_a_job_cancelled_in_the_middle_changes_no_outcome(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_LOOK", 1.0)
    two = replace(SMALL, cores=2, memory=4 * 1024**3, workers=2, jobs=2, gpus=1, walltime=1800)
    outcomes: list[Outcome] = []

    def numbers() -> set[str]:
        return {outcome.value[1] for outcome in outcomes}

    # There is more to do until a job has done some of it that was not there when the first was cancelled.
    items = itertools.takewhile(lambda item: item < 1000 and len(numbers()) < 3, itertools.count())
    with crew(two, tmp_path) as those:
        for outcome in those.carry_out(PLAN, 0.1, jobs_of(items)):
            outcomes.append(outcome)
            if len(outcomes) == 6:
                slurm.cancel(slurm.running()[0])
            assert len(slurm.jobs()) <= 3  # one of them is on its way out
        assert those.standing().workers >= 2
    wait_until(lambda: not slurm.jobs(), "all jobs end with the crew")
    assert not [*tmp_path.glob("certificate*")]

    def said(outcome: Outcome) -> tuple[str, float]:
        assert outcome.lost is None
        return outcome.job.name, outcome.value[0]

    with open_crew(Terms(workers=0)) as alone:
        serial = [*map(said, alone.carry_out(PLAN, 0.0, jobs_of(iter(range(len(outcomes))))))]
    assert sorted(map(said, outcomes)) == serial
    assert len(numbers()) == 3


@pytest.mark.slurm
def test_a_job_cancelled_is_not_the_fault_of_what_its_worker_had_in_hand(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_LOOK", 0.5)

    def begun() -> int:
        return len([*tmp_path.glob("begun*")])

    def interfere() -> None:
        try:
            wait_until(lambda: begun() == 1, "it is begun")
            slurm.cancel(*slurm.running())
            wait_until(lambda: begun() == 2, "it is begun again")
            slurm.cancel(*slurm.running())
            wait_until(lambda: begun() == 3, "it is begun once more")
        finally:
            (tmp_path / "go").touch()

    watcher = threading.Thread(target=interfere)
    watcher.start()
    with crew(SMALL, tmp_path) as those:
        outcomes = [*those.carry_out(WAIT, tmp_path, jobs_of(iter(["go"])))]
        watcher.join()
        assert [outcome.lost for outcome in outcomes] == [None]
        assert [outcome.value for outcome in outcomes] == slurm.running()
    assert begun() == 3


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_workers_find_what_the_build_and_the_profile_say_of_their_environment(tmp_path: Path) -> None:
    told = replace(SMALL, prologue=("export SAID=more",), gpus=1, gpu_type="card")
    for profile, said in ((SMALL, "it's a test"), (told, "more")):
        with crew(profile, tmp_path) as those:
            outcomes = those.carry_out((Step("quote", quote),), None, jobs_of(iter(["SAID"])))
            assert [outcome.value for outcome in outcomes] == [said]


@pytest.mark.slurm
def test_jobs_with_nothing_to_do_are_let_go(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_LOOK", 0.3)
    monkeypatch.setattr(batch, "IDLE_LOOKS", 2)
    left: list[str] = []

    def release() -> None:
        try:
            wait_until(lambda: len(slurm.jobs()) == 1, "two of three jobs go")
            left.extend(slurm.jobs())
        finally:
            (tmp_path / "go").touch()

    def items() -> Iterator[str]:
        while len([*tmp_path.glob("begun*")]) < 3:
            yield ""
        watcher.start()
        yield "go"

    watcher = threading.Thread(target=release)
    with crew(replace(SMALL, jobs=3), tmp_path) as those:
        *_, last = those.carry_out(WAIT, tmp_path, jobs_of(items()))
        watcher.join()
        assert left == [last.value]
    assert len([*tmp_path.glob("job-*.log")]) == 3  # no other was asked for in their place


@pytest.mark.slurm
def test_a_job_that_waits_for_ever_ends_the_wait_with_slurms_reason(slurm: Slurm, tmp_path: Path) -> None:
    closed = replace(SMALL, partition="closed", jobs=2)
    with (
        pytest.raises(ConfigError, match=r"no worker came within 1 s: 2 jobs are waiting, .*PartitionDown"),
        crew(closed, tmp_path, patience=1.0) as those,
    ):
        next(those.carry_out(PLAN, 0.0, jobs_of(iter(range(3)))))
    assert slurm.jobs() == {}


@pytest.mark.slurm
def test_jobs_that_end_at_once_are_asked_for_three_times_and_quoted(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_LOOK", 0.2)
    broken = replace(SMALL, prologue=("echo no module mesa; exit 1",))
    with (
        pytest.raises(ConfigError, match=r"1 job is ended without workers .* ends with: no module mesa\)"),
        crew(broken, tmp_path, patience=5.0) as those,
    ):
        next(those.carry_out(PLAN, 0.0, jobs_of(iter(range(3)))))
    assert len([*tmp_path.glob("job-*.log")]) == 3


@pytest.mark.slurm
def test_what_slurm_refuses_is_refused_before_anything_is_started(slurm: Slurm, tmp_path: Path) -> None:
    for wrong in (replace(SMALL, memory=2**40), replace(SMALL, partition="gpu")):
        with pytest.raises(ConfigError, match=r"not available|does not have"):
            crew(wrong, tmp_path)
    assert slurm.jobs() == {}
    assert not [*tmp_path.glob("certificate*")]


def test_no_more_jobs_are_asked_for_than_so_many_workers_need() -> None:
    ten = Profile(cores=4, memory=2**34, workers=4, jobs=10, jobs_least=3)
    assert [batch.fewer(ten, workers).jobs for workers in (1, 4, 5, 40, 41, None)] == [1, 1, 2, 10, 10, 10]
    assert [batch.fewer(ten, workers).jobs_least for workers in (1, 5, 9, 40)] == [1, 2, 3, 3]


DRIVER = """
import sys
from dataclasses import replace
from pathlib import Path
from test_slurm import PLAN, SMALL, crew, jobs_of

if __name__ == "__main__":
    with crew(replace(SMALL, jobs=2), Path(sys.argv[1])) as those:
        for outcome in those.carry_out(PLAN, 0.1, jobs_of(iter(range(10_000)))):
            print(those.standing().workers, flush=True)
"""


@pytest.mark.slurm
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_job_outlives_a_driver_however_it_ends(
    slurm: Slurm, tmp_path: Path, end: signal.Signals
) -> None:
    place = tmp_path / "driver.py"
    place.write_text(DRIVER)
    command = [sys.executable, str(place), str(tmp_path)]
    root = str(Path(__file__).parents[1])
    environment = {**slurm.environment(), "PYTHONPATH": f"{STEPS['PYTHONPATH']}:{root}"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as driver:
        assert driver.stdout
        assert b"2\n" in driver.stdout  # both are there
        driver.send_signal(end)
    wait_until(lambda: not slurm.jobs(), "all jobs end")
