"""`scan2k export`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands.options import data_option
from pipeline.commands.progress import reporting
from pipeline.config import EXPORTS, ExportRequest

_MOST_SHOWN = 20


@click.command()
@click.argument("dataset")
@data_option
@click.option("--to", metavar="NAME", required=True, help=f"One of {', '.join(EXPORTS)}.")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to; DATA/list for lists, DATA/export/DATASET/NAME for shards if not given.",
)
@click.option(
    "--shard-mb", metavar="N", type=int, default=ExportRequest.shard_mb, help="Megabytes of files a shard."
)
def export(dataset: str, data: Path, to: str, out: Path | None, shard_mb: int) -> None:
    """Write DATASET in a form that others read.

    `lists` are those of the published 2K2K training code, `webdataset` are tar files, `hf` is a folder
    that Hugging Face's `datasets` loads, `croissant` describes the manifest's tables. Images are copied as
    they are. An interrupted export is run again and goes on. Exit code 3 if files are missing or broken.

    \b
    Examples:
      scan2k export 2K2K --to lists --data /mnt/data
      scan2k export 2K2K --to webdataset --out /mnt/shards --shard-mb 500
      scan2k export demo --to hf
    """
    from pipeline.export import errand

    request = ExportRequest(dataset, to, data, out, shard_mb)
    with reporting(f"exporting {dataset}") as report:
        done = errand.export(request, report)
    if done.faults:
        click.echo("\n".join(done.faults[:_MOST_SHOWN]))
        more = f", {_MOST_SHOWN} of them shown" if len(done.faults) > _MOST_SHOWN else ""
        click.echo(f"not exported: {len(done.faults)} files are missing or broken{more}; see scan2k verify")
        raise click.exceptions.Exit(3)
    click.echo("\n".join(done.lines()))
