"""A few lines at the end of a terminal that are drawn again twice a second, and what they are made of.

What must be seen scrolls by above them; they leave nothing behind, however the work ends. Refuses to know
what the work is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TextIO, TypeVar, cast

from pipeline.commands.lines import Few, Unbroken, ticking

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from pipeline.commands.lines import Pulsing

    Shows = TypeVar("Shows", bound="Screen")
    Tells = TypeVar("Tells", bound=Pulsing)

_A_SECOND = 2  # times that it is drawn
_WIDEST = 76  # columns, so that none of the lines wraps when a window is made smaller, to 80
_SPARE = 4  # columns to the right, where terminals write ^C
_LABEL = 9  # columns of what a number is of


class Screen:
    """Shows some work on a terminal while it lasts; what is shown is `rows`."""

    def __init__(self, title: str, console: Console) -> None:
        self._title, self._console = title, console
        self._few = Few()
        self._began = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(
            console=self._console,
            get_renderable=self.frame,
            refresh_per_second=_A_SECOND,
            transient=True,
            redirect_stdout=False,  # results may go to a file
        )
        self._live.start(refresh=True)
        self._console.show_cursor(True)  # what is killed or suspended cannot bring it back
        return self

    def __exit__(self, *ended: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that must be seen."""
        self._print(text)

    def frame(self) -> RenderableType:
        """The lines as they are now."""
        from rich.console import Group
        from rich.constrain import Constrain

        width = max(min(self._console.width - _SPARE, _WIDEST), 1)
        return Constrain(Group(*self.rows()), width)

    def rows(self) -> Iterable[RenderableType]:
        """What the lines are now."""
        raise NotImplementedError

    def _print(self, text: str, style: str = "") -> None:
        from rich.text import Text

        from pipeline.conduct.wording import printable

        self._console.print(Text(printable(text), style))

    def _head(self, *more: str | tuple[str, str]) -> RenderableType:
        """The title, and how long it takes already."""
        from pipeline.conduct.wording import time_text

        gone = time_text(time.monotonic() - self._began)
        return row((self._title, "bold"), f"   {gone}", *more)


@contextmanager
def shown(
    title: str,
    screen: Callable[[str, Console], Shows],
    lines: Callable[[str, Callable[[str], None]], Tells],
) -> Iterator[Shows | Tells]:
    """A screen on a terminal, plain lines now and then elsewhere; both on standard error until the end."""
    from rich.console import Console

    stream = Unbroken(sys.stderr)
    console = Console(file=cast(TextIO, stream), highlight=False, markup=False)
    if console.is_interactive:
        with screen(title, console) as drawn:
            yield drawn
        return
    with ticking(lines(title, stream.line)) as told:
        yield told


def bar(done: int, total: int, percent: int, left: str) -> RenderableType:
    """How much is done, and how long the rest takes."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    said = f", {left}" if left else ""
    grid.add_row(ProgressBar(total=max(total, 1), completed=done), f"  {percent:3} %{said}")
    return grid


def fact(name: str, *said: str, style: str = "") -> RenderableType:
    """A line of numbers about one thing."""
    return row((f"{name:{_LABEL}}", "dim"), ("   ".join(said), style))


def row(*parts: str | tuple[str, str]) -> RenderableType:
    """One line of texts, each with its style; what does not fit is cut off."""
    from rich.text import Text

    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
