"""`scan2k verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.commands.options import data_option
from pipeline.commands.progress import reporting


@click.command()
@click.argument("dataset")
@data_option
@click.option("--checksums", is_flag=True, help="Read every file, and compare its checksum.")
@click.option(
    "--repair", is_flag=True, help="Forget the broken rows, so that the next build makes them again."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def verify(dataset: str, data: Path, checksums: bool, repair: bool, as_json: bool) -> None:
    """Compare the manifest of DATASET with its files, both ways.

    Every row must have its files, as long as it says, and every file its row. Lists what is wrong; exit
    code 3 if anything is. A file that no row names is listed and left alone.

    \b
    Examples:
      scan2k verify 2K2K --data /mnt/data
      scan2k verify 2K2K --checksums --repair
    """
    from pipeline import audit
    from pipeline.store import Workspace

    with reporting(f"verifying {dataset}"):
        found = audit.verify(Workspace(data, dataset), checksums, repair)
    click.echo(json.dumps(audit.verdict_json(found)) if as_json else "\n".join(audit.verdict_lines(found)))
    if found.faults:
        raise click.exceptions.Exit(3)
