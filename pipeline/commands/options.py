"""Options that several commands have, and the lists that one option may carry."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from pipeline.config import RenderRequest

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=RenderRequest.data,
    help="The data folder.",
)
layout_option = click.option(
    "--layout",
    metavar="NAME",
    default=None,
    help="2k2k, thuman2, renderpeople, huge100k or folder; without it, as DATASET's name says.",
)


def angles(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Degrees, separated by commas or spaces."""
    try:
        return tuple(float(part) for part in _parts(value))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a list of degrees such as -30,0,30", ctx, param
        ) from None


def names(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    """Names, separated by commas or spaces."""
    return tuple(_parts(value))


def _parts(value: str) -> list[str]:
    return value.replace(",", " ").split()


def listed(numbers: Iterable[float]) -> str:
    """Numbers as an option says them."""
    return ",".join(f"{number:g}" for number in numbers)
