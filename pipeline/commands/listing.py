"""`scan2k scan-list`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.commands.options import data_option, layout_option, listed
from pipeline.config import ListRequest, SplitShares


def _shares(ctx: click.Context, param: click.Parameter, value: str) -> SplitShares:
    """Shares of train, val and test, separated by commas."""
    try:
        train, val, test = (float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not three shares such as 0.9,0.05,0.05", ctx, param
        ) from None
    return SplitShares(train, val, test)


@click.command("scan-list")
@click.argument("dataset")
@data_option
@layout_option
@click.option(
    "--shares",
    metavar="TRAIN,VAL,TEST",
    callback=_shares,
    default=listed((SplitShares.train, SplitShares.val, SplitShares.test)),
    help="Of the people whose split the release does not say.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def scan_list(dataset: str, data: Path, layout: str | None, shares: SplitShares, as_json: bool) -> None:
    """Say who is in DATASET, what each has and what each lacks.

    Looks at names only, so a hundred thousand people take seconds, and a file that is there may still be
    broken. DATASET is `2K2K`, `THuman2`, `RP`, `HuGe100K`, `folder` or `demo`; with --layout it may be any
    folder of DATA/obj.

    \b
    Examples:
      scan2k scan-list 2K2K --data /mnt/data
      scan2k scan-list our-scans --layout folder
      scan2k scan-list HuGe100K --json > people.json
    """
    from pipeline import listing

    found = listing.scan_list(ListRequest(dataset, data, layout, shares))
    if as_json:
        click.echo(json.dumps(listing.as_json(found)))
    else:
        click.echo("\n".join(listing.lines(found)))
