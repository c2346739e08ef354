"""What is said while a command works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

import click

Report = Callable[[str], None]

_PATIENCE = 2.0  # seconds after which something must have been said


@contextmanager
def reporting(title: str) -> Iterator[Report]:
    """Something to call with one line of progress: a live line on a terminal, plain lines elsewhere.

    Elsewhere the title comes too, but only after a while, so that a request refused at once stays one line.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if console.is_terminal:
        with console.status(title):
            yield console.print
        return
    after_a_while = Timer(_PATIENCE, click.echo, (title,), {"err": True})
    after_a_while.daemon = True
    after_a_while.start()
    try:
        yield lambda text: click.echo(text, err=True)
    finally:
        after_a_while.cancel()
