"""`scan2k checkpoint`."""

from __future__ import annotations

from pathlib import Path

import click

_PUBLISHED = "published"


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="NAME",
    type=click.Choice([_PUBLISHED]),
    help="Write the weights, under the names and in the form of the published 2K2K code: published.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="The file to write them to.")
def checkpoint(path: Path, to: str | None, out: Path | None) -> None:
    """Say what the checkpoint at PATH holds, or write its weights for others.

    Of a training: how far it is, its recipe, what it learns from and its scores. Published weights are
    known too. Nothing in the file is run, and a file that is there already is never overwritten.

    \b
    Examples:
      scan2k checkpoint runs/first/phase2/best.pt
      scan2k checkpoint runs/first/phase2/best.pt --to published --out weights.pt
    """
    if (to is None) != (out is None):
        raise click.UsageError(f"--to {_PUBLISHED} and --out FILE go together: what to write, and where")
    from recon import inspection

    if out is None:
        click.echo("\n".join(inspection.lines(path)))
        return
    for warning in inspection.publish(path, out):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{out}: the weights of {path}, in the published form")
