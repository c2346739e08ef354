"""A cluster's profile: what each Slurm job asks for, read from a small TOML file, each typo an error.

    partition = "gpu"
    cores = 8              # of a job
    memory = "64G"         # of a job
    walltime = "08:00:00"
    workers = 2            # processes of a job
    gpus = 1               # of a job
    jobs = 10              # at most, at a time

Refuses to ask Slurm anything, and to know Dask besides the names of its options.
"""

from __future__ import annotations

import difflib
import math
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.graph.entries import ENTRIES, GIB, Refused, folder

_ORPHAN_SECONDS = 60  # without a scheduler after which a worker ends, and its job with it
_EXAMPLES = {"cores": "such as cores = 8", "memory": 'such as memory = "64G"'}


@dataclass(frozen=True)
class Profile:
    """What each job asks Slurm for, and how many of them there are.

    Of one job: `cores`, `memory` in bytes, `workers` (processes, which share both), `gpus` of `gpu_type`,
    `walltime` in seconds (None = as long as the partition lets it). What else sbatch is told is in
    `directives`, and `prologue` has lines of shell to run before the workers start. From `jobs_least` to
    `jobs` jobs are kept at a time. `python` is what starts a worker (None = the one that runs here). Driver
    and workers talk over `interface` (None = chosen), to `scheduler_port`, and show themselves at
    `dashboard_port` (0 = any that is free). What jobs print goes to `logs` (None = the build's own folder).
    """

    cores: int
    memory: int
    workers: int = 1
    jobs: int = 1
    jobs_least: int = 1
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    walltime: int | None = None
    gpus: int = 0
    gpu_type: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    scheduler_port: int = 0
    dashboard_port: int = 0
    logs: Path | None = None

    def __post_init__(self) -> None:
        if self.workers > self.cores:
            raise ConfigError(
                f"workers is {self.workers}, over cores, {self.cores}; each takes one or more"
            )
        if self.memory < GIB * self.workers:
            have = f"memory is {self.memory / GIB:.3g} GiB for workers = {self.workers}"
            raise ConfigError(f"{have}; each takes at least 1 GiB, and some 4 for a million vertices")
        if self.jobs_least > self.jobs:
            raise ConfigError(f"jobs_least is {self.jobs_least}, over jobs, {self.jobs}; raise jobs")
        if self.gpu_type and not self.gpus:
            raise ConfigError(f"gpu_type is {self.gpu_type!r}, and gpus is 0; say how many a job gets")


def read_profile(path: Path) -> Profile:
    """The profile in a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no profile {path}; docs/cluster.md shows one") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not text in UTF-8; write it anew") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; make it readable") from error
    return parse_profile(text, str(path))


def parse_profile(text: str, named: str) -> Profile:
    """The profile that a file's text is; `named` is what errors call the file."""
    try:
        said = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and a number with too many digits
        raise ConfigError(f"{named}: {error}; a line is KEY = VALUE, with text in quotes") from error
    except RecursionError as error:
        raise ConfigError(f"{named}: is nested too deeply; a line is KEY = VALUE") from error
    values: dict[str, Any] = {}
    for key, value in said.items():
        if key not in ENTRIES:
            raise ConfigError(f"{named}: there is no key {_shown(key)}{_hint(key)}")
        try:
            values[key] = ENTRIES[key](value)
        except Refused as error:
            raise ConfigError(f"{named}: {key} is {_shown(value)}; {error}") from error
    for key in ("cores", "memory"):
        if key not in values:
            raise ConfigError(f"{named}: does not say {key}, what one job gets of it; {_EXAMPLES[key]}")
    try:
        return Profile(**values)
    except ConfigError as error:
        raise ConfigError(f"{named}: {error}") from error


def options_of(profile: Profile, logs: Path) -> dict[str, Any]:
    """The keyword arguments of a dask_jobqueue.SLURMCluster, all but its security.

    What jobs print goes to `logs` if the profile does not say where to. A worker has one thread, for GL.
    """
    logs = profile.logs or logs
    try:
        folder(str(logs))
    except Refused as error:
        advice = "has white space or special characters in it; name another folder as `logs` in the profile"
        raise ConfigError(f"{logs}, where jobs would print to, {advice}") from error
    options: dict[str, Any] = {
        "cores": profile.workers,
        "processes": profile.workers,
        "memory": f"{profile.memory}B",
        "python": shlex.quote(profile.python or sys.executable),
        "death_timeout": _ORPHAN_SECONDS,
        "worker_extra_args": ["--no-dashboard"],
        "job_script_prologue": list(profile.prologue),
        "job_directives_skip": ["#SBATCH"],  # it writes none of its own: paths there are not quoted
        "job_extra_directives": directives_of(profile, logs),
        "scheduler_options": {
            "port": profile.scheduler_port,
            "dashboard_address": f"127.0.0.1:{profile.dashboard_port}",
        },
    }
    if profile.interface:
        options["interface"] = profile.interface
    return options


def directives_of(profile: Profile, logs: Path) -> list[str]:
    """What sbatch is told of a job, an option a line.

    Slurm may not start a job again by itself: whoever asked for it does, and then knows its number.
    """
    megabytes = math.ceil(profile.memory / 1024**2)
    kind = f"{profile.gpu_type}:" if profile.gpu_type else ""
    told = {
        "--job-name": "scan2k",
        "--partition": profile.partition,
        "--account": profile.account,
        "--qos": profile.qos,
        "--ntasks": 1,
        "--cpus-per-task": profile.cores,
        "--mem": f"{megabytes}M",
        "--time": profile.walltime and _span(profile.walltime),
        "--gres": profile.gpus and f"gpu:{kind}{profile.gpus}",
        "--output": log_of("%j", Path(str(logs).replace("%", "%%"))),
    }
    own = [f"{key}={value}" for key, value in told.items() if value]
    return [*own, "--no-requeue", *profile.directives]


def log_of(job: str, logs: Path) -> Path:
    """Where to a job prints, by its number."""
    return logs / f"job-{job}.log"


def _span(seconds: int) -> str:
    """A length of time as sbatch reads it: DAYS-HOURS:MINUTES:SECONDS."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    return f"{days}-{hours % 24:02}:{minutes % 60:02}:{seconds % 60:02}"


def _hint(said: str) -> str:
    """What may have been meant."""
    close = difflib.get_close_matches(said, ENTRIES, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; choose from {', '.join(ENTRIES)}"


def _shown(value: object) -> str:
    """A value in one short line."""
    text = repr(value) if isinstance(value, str | list | dict) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
