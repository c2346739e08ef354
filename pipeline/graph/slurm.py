"""What Slurm says, by its own programs: whether jobs can be had here, and what became of those there are.

Refuses to submit or cancel a job, and to know Dask.
"""

from __future__ import annotations

import difflib
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.graph.profile import Profile, log_of

_PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo")
_ANSWER_SECONDS = 60  # Slurm's own programs give up sooner
_ENDED = frozenset(
    {"COMPLETING", "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
)
_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "SUSPENDED"})
_TAIL_BYTES = 4096
_LONGEST_LINE = 300
_HINTS = {
    "PartitionDown": "the partition takes jobs but starts none; ask who runs it, or name another",
    "PartitionInactive": "the partition takes no jobs; name another",
    "PartitionTimeLimit": "the partition has a shorter limit: lower walltime",
    "PartitionNodeLimit": "the partition does not give a job that much: lower cores, memory or gpus",
    "Resources": "all is taken: wait longer, or ask for less",
    "Priority": "others come first: wait longer, or ask for less",
    "ReqNodeNotAvail": "the nodes are down or reserved",
    "InvalidAccount": "give another account",
    "InvalidQOS": "give another qos",
    "JobHeldUser": "release them with scontrol release",
    "JobHeldAdmin": "ask who runs the cluster",
}


@dataclass(frozen=True)
class Standing:
    """Where a job is, in Slurm's words: its state, and why it is not further."""

    state: str
    reason: str

    @property
    def is_alive(self) -> bool:
        """Whether it will still run, or runs."""
        return self.state not in _ENDED


def check(profile: Profile) -> None:
    """Refuse a profile that cannot be right on this machine and its cluster."""
    missing = [program for program in _PROGRAMS if not shutil.which(program)]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} cannot be found here; start a build with --cluster slurm where jobs can "
            "be submitted, such as on a login node"
        )
    interfaces = [name for _, name in socket.if_nameindex()]
    if profile.interface and profile.interface not in interfaces:
        raise ConfigError(f"interface is {profile.interface!r}; this machine has {', '.join(interfaces)}")
    there = _ask("sinfo", "--noheader", "--format=%R").split()
    for partition in profile.partition.split(",") if profile.partition else ():
        if partition not in there:
            close = difflib.get_close_matches(partition, there, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(there)}"
            raise ConfigError(f"partition is {partition!r}, which Slurm does not have; {hint}")


def try_out(script: str) -> None:
    """Refuse a job's script that Slurm would not take; nothing is submitted."""
    _ask("sbatch", "--test-only", script=script)


def standings() -> Mapping[str, Standing] | None:
    """All jobs of this user that are waiting or running, by number; None if Slurm does not answer now."""
    try:
        lines = _ask("squeue", "--me", "--noheader", "--format=%A|%T|%r").splitlines()
    except ConfigError:
        return None
    told = [line.strip().split("|", 2) for line in lines if line.count("|") >= 2]
    return {number: Standing(state, reason) for number, state, reason in told}


def why_nobody_came(jobs: Collection[str], logs: Path) -> str:
    """Why these jobs have no worker, in one line that says what to do; `logs` is where to they print."""
    known = standings()
    if known is None:
        return "Slurm does not answer; see what `squeue` says"
    waiting = [job for job in jobs if job in known and known[job].state in _WAITING]
    ended = [job for job in jobs if job not in known or not known[job].is_alive]
    running = [job for job in jobs if job not in waiting and job not in ended]
    reasons = Counter(known[job].reason for job in waiting).most_common()
    told = [f"{_count(number)} waiting, {_reason(reason)}" for reason, number in reasons]
    if running:
        told.append(f"{_count(len(running))} running without workers {_printed(running[-1], logs)}")
    if ended:
        told.append(f"{_count(len(ended))} ended without workers {_printed(ended[-1], logs)}")
    return "; ".join(told) or "no job was submitted"


def _reason(reason: str) -> str:
    """What Slurm says of a job that waits, and what to do about it."""
    if reason == "None":
        return "Slurm does not say why yet"
    return f"Slurm says {reason}{f': {_HINTS[reason]}' if reason in _HINTS else ''}"


def _printed(job: str, logs: Path) -> str:
    """What a job printed last."""
    path = log_of(job, logs)
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return f"(there is no {path}: do the nodes see this folder?)"
    except OSError as error:
        return f"({path} cannot be read: {error.strerror})"
    said = [line.strip() for line in lines if line.strip()]
    last = "".join(letter if letter.isprintable() else " " for letter in said[-1]) if said else ""
    return f"({path} ends with: {last[:_LONGEST_LINE]})" if last else f"({path} is empty)"


def _count(jobs: int) -> str:
    return "1 job is" if jobs == 1 else f"{jobs} jobs are"


def _ask(*command: str, script: str | None = None) -> str:
    """What one of Slurm's programs prints; its own complaint is the error."""
    try:
        done = subprocess.run(  # noqa: S603  these programs, and no shell
            command, input=script, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"Slurm does not answer: {error}") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ConfigError(f"{command[0]} refuses: {'; '.join(said) or f'exit code {done.returncode}'}")
    return done.stdout
