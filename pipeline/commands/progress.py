"""What is said while a command works: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

import click

from pipeline.commands.lines import PATIENCE, PlainWatch
from pipeline.commands.screen import shown

if TYPE_CHECKING:
    from pipeline.conduct.standing import Watch

Report = Callable[[str], None]


@contextmanager
def reporting(title: str) -> Iterator[Report]:
    """Something to call with one line of progress: a live line on a terminal, plain lines elsewhere.

    Elsewhere the title comes too, but only after a while, so that a request refused at once stays one line.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if console.is_interactive:
        with console.status(title):
            yield console.print
        return
    after_a_while = Timer(PATIENCE, click.echo, (title,), {"err": True})
    after_a_while.daemon = True
    after_a_while.start()
    try:
        yield lambda text: click.echo(text, err=True)
    finally:
        after_a_while.cancel()


@contextmanager
def watching(title: str) -> Iterator[Watch]:
    """Somebody to tell how a build goes, who shows it on standard error until the end."""
    from pipeline.commands.display import Display

    with shown(title, Display, PlainWatch) as watch:
        yield watch
