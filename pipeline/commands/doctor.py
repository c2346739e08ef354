"""`scan2k doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.commands.options import data_option


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(data: Path, as_json: bool) -> None:
    """Say what this machine can do.

    One screen: every EGL device with its GL, memory and disk, Python, torch and CUDA, the body model;
    and for everything missing the command that would fix it. Exit code 1 if rendering is impossible.
    """
    from pipeline import doctor as examination

    machine = examination.examine(data)
    if as_json:
        click.echo(json.dumps(examination.as_json(machine), indent=2))
    else:
        click.echo("\n".join(examination.lines(machine)))
    if not machine.can_render:
        raise click.exceptions.Exit(1)
