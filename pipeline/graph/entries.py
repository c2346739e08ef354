"""What the value of each key of a cluster's profile may be. Refuses to know what the values are for.

An entry takes what TOML said and gives what the profile keeps, or raises Refused: what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

GIB = 1024**3
Entry = Callable[[object], Any]
_UNITS = {"M": 1024**2, "G": GIB, "T": 1024**4}
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([MGT])(?:i?B)?")
_SPAN = re.compile(r"(?:([0-9]{1,3})-)?([0-9]{1,4}):([0-9]{2})(?::([0-9]{2}))?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+/=-]*")
_OWN = {  # what sbatch is told through a key of its own, which a directive would contradict
    "partition": ("-p", "--partition"),
    "account": ("-A", "--account"),
    "qos": ("-q", "--qos"),
    "cores": ("-c", "--cpus-per-task", "-n", "--ntasks", "-N", "--nodes"),
    "memory": ("--mem", "--mem-per-cpu", "--mem-per-gpu"),
    "walltime": ("-t", "--time"),
    "jobs": ("-a", "--array"),
    "logs": ("-o", "--output", "-e", "--error"),
}


class Refused(ValueError):  # noqa: N818  it is no error until it is known of which key it speaks
    """A value that is not allowed; the text says which are."""


def number(low: int, high: int) -> Entry:
    """An entry that is a whole number from low to high."""

    def entry(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"it must be a whole number from {low} to {high:,}")
        return value

    return entry


def name(value: object) -> str:
    """A name as Slurm or the system knows it, or several with commas between them."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Refused("it must be a name in quotes, of letters, digits and _ . , : @ + / = -")
    return value


def size(value: object) -> int:
    """An amount of memory in bytes; as for Slurm, 1G is 1024M."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise Refused('it must be a number with M, G or T in quotes, such as "64G"')
    return int(float(found[1]) * _UNITS[found[2]])


def span(value: object) -> int:
    """A length of time in seconds. 08:00 is refused, which would be minutes and seconds for Slurm."""
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not found or not (found[1] or found[4]) or minutes > 59 or seconds > 59 or total < 60:
        forms = '"HOURS:MINUTES:SECONDS" or "DAYS-HOURS:MINUTES"'
        raise Refused(f"it must be in quotes, as {forms}, and a minute or more")
    return total


def program(value: object) -> str:
    """A program: a full path, or a name for the prologue to put on PATH."""
    if not _is_line(value) or ("/" in value and not value.startswith(("/", "~"))):
        raise Refused('it must be a full path in quotes, such as "/opt/scan2k/.venv/bin/python"')
    return str(Path(value).expanduser()) if "/" in value else value


def folder(value: object) -> Path:
    """A folder by its full path, which goes into a job's script unquoted."""
    if not _is_line(value) or not value.startswith(("/", "~")) or re.search(r"[^\w./~@+=:-]", value):
        raise Refused("it must be a full path in quotes, without white space or special characters")
    return Path(value).expanduser()


def shell_lines(value: object) -> tuple[str, ...]:
    """Lines of shell, such as `module load mesa`."""
    if not isinstance(value, list) or not all(_is_line(line) for line in value):
        raise Refused('it must be a list of lines of shell in quotes, such as ["module load mesa"]')
    return tuple(value)


def directives(value: object) -> tuple[str, ...]:
    """More options of sbatch; those that have a key of their own are refused."""
    if not isinstance(value, list) or not all(_is_line(line) and line.startswith("-") for line in value):
        raise Refused('it must be a list of options of sbatch in quotes, such as ["--exclude=node7"]')
    for line in value:
        option = re.split(r"[= ]", line, maxsplit=1)[0]
        key = next((key for key, options in _OWN.items() if option in options), None)
        if key:
            raise Refused(f"{option} has a key of its own: {key}")
    return tuple(value)


def _is_line(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


ENTRIES: Mapping[str, Entry] = {
    "cores": number(1, 1024),
    "memory": size,
    "workers": number(1, 1024),
    "jobs": number(1, 10_000),
    "jobs_least": number(1, 10_000),
    "partition": name,
    "account": name,
    "qos": name,
    "walltime": span,
    "gpus": number(0, 64),
    "gpu_type": name,
    "directives": directives,
    "prologue": shell_lines,
    "python": program,
    "interface": name,
    "scheduler_port": number(0, 65_535),
    "dashboard_port": number(0, 65_535),
    "logs": folder,
}
