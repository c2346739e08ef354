"""`scan2k status`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.commands.options import data_option, layout_option
from pipeline.config import ListRequest


@click.command()
@click.argument("dataset")
@data_option
@layout_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(dataset: str, data: Path, layout: str | None, as_json: bool) -> None:
    """Say how far DATASET is: what is up to date, stale, missing, rejected or not built yet.

    Says what a build would make if it were asked for the same as the last one, and why. Looks at names,
    sizes and times, and writes nothing. Exit code 3 if anything is left to do.

    \b
    Examples:
      scan2k status 2K2K --data /mnt/data
      scan2k status 2K2K --json
    """
    from pipeline import audit

    found = audit.status(ListRequest(dataset, data, layout))
    click.echo(json.dumps(audit.status_json(found)) if as_json else "\n".join(audit.status_lines(found)))
    if not found.is_whole:
        raise click.exceptions.Exit(3)
