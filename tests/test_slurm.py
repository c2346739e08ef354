"""What is asked of Slurm, asked of a real one, which tests/slurm.py starts where its programs are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm import Slurm, slurm_here, wait_until, why_not

from pipeline.errors import ConfigError
from pipeline.graph import slurm as asked
from pipeline.graph.profile import Profile, directives_of

SMALL = Profile(cores=1, memory=1024**3)


@pytest.fixture(scope="module")
def running() -> Iterator[Slurm]:
    """The one Slurm of these tests."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with slurm_here() as slurm:
        yield slurm


@pytest.fixture
def slurm(running: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """That Slurm, for this process and its children, without jobs before and after."""
    for name, value in running.variables.items():
        monkeypatch.setenv(name, value)
    yield running
    running.clear()


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
