"""Profiles of clusters: every key taken, every fault one line, and what sbatch is told."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.graph.entries import ENTRIES
from pipeline.graph.profile import Profile, directives_of, options_of, parse_profile, read_profile

LEAST = 'cores = 4\nmemory = "16G"\n'
EVERY_KEY = """
cores = 16
memory = "128G"
workers = 4
jobs = 12
jobs_least = 2
partition = "gpu,gpu-long"
account = "humans"
qos = "high"
walltime = "1-12:30:05"
gpus = 2
gpu_type = "a100"
directives = ["--exclude=node7", "--constraint='ssd&amd'"]
prologue = ["module load mesa", "export LP_NUM_THREADS=4"]
python = "/opt/my env/bin/python"
interface = "ib0"
scheduler_port = 8786
dashboard_port = 8787
logs = "/shared/logs"
"""


def test_every_key_is_taken() -> None:
    profile = parse_profile(EVERY_KEY, "p.toml")
    assert profile == Profile(
        cores=16,
        memory=128 * 1024**3,
        workers=4,
        jobs=12,
        jobs_least=2,
        partition="gpu,gpu-long",
        account="humans",
        qos="high",
        walltime=((24 + 12) * 60 + 30) * 60 + 5,
        gpus=2,
        gpu_type="a100",
        directives=("--exclude=node7", "--constraint='ssd&amd'"),
        prologue=("module load mesa", "export LP_NUM_THREADS=4"),
        python="/opt/my env/bin/python",
        interface="ib0",
        scheduler_port=8786,
        dashboard_port=8787,
        logs=Path("/shared/logs"),
    )
    assert all(f"\n{key} = " in EVERY_KEY for key in ENTRIES)


def test_cores_and_memory_are_all_that_must_be_said() -> None:
    assert parse_profile(LEAST, "p.toml") == Profile(cores=4, memory=16 * 1024**3)


@pytest.mark.parametrize(
    ("text", "gib"), [("1024M", 1), ("2G", 2), ("2 GB", 2), ("2GiB", 2), ("1.5G", 1.5), ("1T", 1024)]
)
def test_memory_is_counted_as_slurm_counts_it(text: str, gib: float) -> None:
    assert parse_profile(f'cores = 1\nmemory = "{text}"', "p.toml").memory == gib * 1024**3


@pytest.mark.parametrize(
    ("text", "told"), [("08:00:00", "0-08:00:00"), ("2-00:30", "2-00:30:00"), ("100:00:00", "4-04:00:00")]
)
def test_a_walltime_reaches_sbatch_as_the_same_length_of_time(text: str, told: str) -> None:
    profile = parse_profile(f'{LEAST}walltime = "{text}"', "p.toml")
    assert f"--time={told}" in directives_of(profile, Path("/logs"))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("partitoin = 'a'", "there is no key 'partitoin'; did you mean 'partition'?"),
        ("queue = 'a'", "there is no key 'queue'; choose from cores, memory, workers, jobs"),
        ("[slurm]", "there is no key 'slurm'; choose from cores"),
        ("cores = 0", "cores is 0; it must be a whole number from 1 to 1,024"),
        ("cores = true", "cores is True; it must be a whole number"),
        ("cores = 2.0", "cores is 2.0; it must be a whole number"),
        ("cores = '8'", "cores is '8'; it must be a whole number"),
        ("memory = 64", "memory is 64; it must be a number with M, G or T in quotes"),
        ("memory = '64'", "memory is '64'; it must be a number with M, G or T"),
        ("memory = '-1G'", "memory is '-1G'; it must be"),
        (f"memory = '{'9' * 400}T'", "memory is '9{56}\\.\\.\\.; it must be"),
        ("memory = '0G'", "memory is 0 GiB for workers = 1; each takes at least 1 GiB"),
        ("memory = '3G'\nworkers = 4", "memory is 3 GiB for workers = 4; each takes at least 1 GiB"),
        ("workers = 5", "workers is 5, over cores, 4; each takes one or more"),
        ("jobs = 2\njobs_least = 3", "jobs_least is 3, over jobs, 2; raise jobs"),
        ("partition = ''", "partition is ''; it must be a name in quotes"),
        ("partition = '-a'", "partition is '-a'; it must be a name"),
        ("account = 'a b'", "account is 'a b'; it must be a name"),
        ('qos = "a\\nb"', r"qos is 'a\\nb'; it must be a name"),
        ("walltime = 08:00:00", "walltime is 08:00:00; it must be in quotes"),
        ("walltime = '08:00'", "walltime is '08:00'; it must be in quotes, as \"HOURS:MINUTES:SECONDS\""),
        ("walltime = '00:99:00'", "walltime is '00:99:00'; it must be"),
        ("walltime = '00:00:30'", "walltime is '00:00:30'; it must be .* a minute or more"),
        ("gpu_type = 'a100'", "gpu_type is 'a100', and gpus is 0; say how many a job gets"),
        ("gpus = -1", "gpus is -1; it must be a whole number from 0 to 64"),
        ("directives = '--x'", "directives is '--x'; it must be a list of options of sbatch"),
        ("directives = ['exclusive']", "directives is \\['exclusive'\\]; it must be a list of options"),
        ("directives = ['--mem=4G']", "directives is .*; --mem has a key of its own: memory"),
        ("directives = ['-p gpu']", "directives is .*; -p has a key of its own: partition"),
        ('prologue = ["a\\nb"]', "prologue is .*; it must be a list of lines of shell"),
        ("prologue = [1]", "prologue is \\[1\\]; it must be a list of lines of shell"),
        ("python = 'venv/bin/python'", "python is 'venv/bin/python'; it must be a full path"),
        ("logs = 'logs'", "logs is 'logs'; it must be a full path"),
        ("logs = '/a b'", "logs is '/a b'; it must be a full path in quotes, without white space"),
        ("scheduler_port = 70000", "scheduler_port is 70000; it must be a whole number from 0 to 65,535"),
        ("cores 4", "Expected '=' after a key"),
        (f"cores = {'1' * 5000}", "Exceeds the limit"),
        (f"qos = {'[' * 5000}", "is nested too deeply"),
    ],
)
def test_a_fault_is_one_line_that_names_key_value_and_what_is_allowed(line: str, fault: str) -> None:
    first = line.split(" ", maxsplit=1)[0]
    rest = "".join(f"{said}\n" for said in LEAST.splitlines() if not said.startswith(f"{first} "))
    with pytest.raises(ConfigError, match=f"^p.toml: {fault}") as caught:
        parse_profile(rest + line, "p.toml")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("key", ["cores", "memory"])
def test_what_a_job_needs_must_be_said(key: str) -> None:
    rest = "".join(f"{line}\n" for line in LEAST.splitlines() if not line.startswith(key))
    with pytest.raises(ConfigError, match=f"^p.toml: does not say {key}, .*such as {key} = "):
        parse_profile(rest, "p.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    there = tmp_path / "p.toml"
    with pytest.raises(ConfigError, match=f"there is no profile {there}; docs/cluster.md shows one"):
        read_profile(there)
    there.write_bytes(b'account = "M\xfcller"')
    with pytest.raises(ConfigError, match=f"{there}: is not text in UTF-8"):
        read_profile(there)
    with pytest.raises(ConfigError, match=f"{tmp_path}: cannot be read: Is a directory"):
        read_profile(tmp_path)
    there.write_text(f"\ufeff{LEAST}", encoding="utf-8")
    assert read_profile(there) == parse_profile(LEAST, "")


def test_sbatch_is_told_what_the_profile_says() -> None:
    told = directives_of(parse_profile(EVERY_KEY, "p.toml"), Path("/50%/logs"))
    assert told == [
        "--job-name=scan2k",
        "--partition=gpu,gpu-long",
        "--account=humans",
        "--qos=high",
        "--ntasks=1",
        "--cpus-per-task=16",
        "--mem=131072M",
        "--time=1-12:30:05",
        "--gres=gpu:a100:2",
        "--output=/50%%/logs/job-%j.log",
        "--no-requeue",
        "--exclude=node7",
        "--constraint='ssd&amd'",
    ]


def test_sbatch_is_told_nothing_that_the_profile_leaves_to_it() -> None:
    told = directives_of(parse_profile(LEAST, "p.toml"), Path("/logs"))
    assert [line.split("=")[0] for line in told] == [
        "--job-name",
        "--ntasks",
        "--cpus-per-task",
        "--mem",
        "--output",
        "--no-requeue",
    ]


def test_workers_share_a_job_with_a_thread_each() -> None:
    options = options_of(parse_profile(EVERY_KEY, "p.toml"), Path("/build"))
    assert options["cores"] / options["processes"] == 1
    assert options["processes"] == 4
    assert options["memory"] == f"{128 * 1024**3}B"
    assert shlex.split(options["python"]) == ["/opt/my env/bin/python"]
    assert "--output=/shared/logs/job-%j.log" in options["job_extra_directives"]
    assert options["interface"] == "ib0"
    assert options["scheduler_options"] == {"port": 8786, "dashboard_address": "127.0.0.1:8787"}


def test_workers_run_what_runs_here_and_print_into_the_builds_folder_unless_told_otherwise() -> None:
    options = options_of(parse_profile(LEAST, "p.toml"), Path("/build"))
    assert shlex.split(options["python"]) == [sys.executable]
    assert "--output=/build/job-%j.log" in options["job_extra_directives"]
    with pytest.raises(ConfigError, match=r"/my data, where jobs would print to, .*`logs` in the profile"):
        options_of(parse_profile(LEAST, "p.toml"), Path("/my data"))


def test_the_page_shows_every_key_and_only_profiles_that_are_taken() -> None:
    page = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len([parse_profile(text, "docs/cluster.md") for text in shown]) == 2
    (table,) = re.findall(r"\| key \|.*?\n\n", page, re.DOTALL)
    keys = [
        key for row in table.split("\n")[2:] if row for key in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert sorted(keys) == sorted(ENTRIES)
