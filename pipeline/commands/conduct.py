"""The options of a build that say how it is carried out. An option is called as its field of Conduct."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.commands.options import names
from pipeline.config import Conduct


def _subjects(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Whom alone, separated by commas or spaces; an option without anybody is a slip, and not everybody."""
    found = () if value is None else names(ctx, param, value)
    if value is not None and not found:
        raise click.BadParameter("names nobody; leave it out for all", ctx, param)
    return found


_OPTIONS = (
    click.option(
        "--subjects",
        metavar="ID,...",
        callback=_subjects,
        help="Whom alone: ids, ranges such as 00010-00020, wildcards such as 'rp_*'; all if not given.",
    ),
    click.option(
        "--workers",
        type=int,
        metavar="N",
        help="Processes that draw; 0 = this one alone. If not given, as cores and memory allow.",
    ),
    click.option(
        "--cluster",
        metavar="local|slurm|ADDRESS",
        default=Conduct.cluster,
        help="Where they run: here, as Slurm jobs, or at a Dask scheduler such as tcp://10.0.0.5:8786.",
    ),
    click.option(
        "--profile",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="TOML file with what Slurm is to be asked for; docs/cluster.md shows one.",
    ),
    click.option(
        "--patience",
        metavar="SECONDS",
        type=int,
        default=Conduct.patience,
        help="How long to wait for a cluster that gives no worker.",
    ),
    click.option("--force", is_flag=True, help="Make again what is up to date, too."),
    click.option("--retry-rejects", is_flag=True, help="Try scans again that could not be used."),
)


def conduct_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with all of them, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
