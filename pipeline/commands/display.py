"""The live display of a build on a terminal: a few lines that are drawn again twice a second.

What must be seen scrolls by above them; they leave nothing behind, however the build ends. Refuses to count
anything itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pipeline.commands.lines import Few

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from pipeline.conduct.standing import Snapshot, Standing

_A_SECOND = 2  # times that it is drawn
_WIDEST = 76  # columns, so that none of the lines wraps when a window is made smaller, to 80
_SPARE = 4  # columns to the right, where terminals write ^C
_LABEL = 9  # columns of what a number is of


class Display:
    """Shows a build on a terminal while it lasts."""

    def __init__(self, title: str, console: Console) -> None:
        self._title, self._console = title, console
        self._few = Few()
        self._standing: Standing | None = None
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
        from rich.text import Text

        from pipeline.conduct.wording import printable

        self._console.print(Text(printable(text)))

    def scan(self, text: str) -> None:
        """A line about one scan: the display counts it, and that is enough."""

    def warn(self, text: str) -> None:
        """A line about something odd."""
        for line in self._few.of("warning", text):
            self.say(line)

    def follow(self, standing: Standing) -> None:
        """Show from now on how far this is."""
        self._standing = standing

    def frame(self) -> RenderableType:
        """The lines as they are now."""
        from rich.console import Group
        from rich.constrain import Constrain

        found = self._standing.snapshot() if self._standing else None
        width = max(min(self._console.width - _SPARE, _WIDEST), 1)
        return Constrain(Group(*self._rows(found)), width)

    def _rows(self, found: Snapshot | None) -> Iterator[RenderableType]:
        from pipeline.conduct.wording import time_text

        yield _row((self._title, "bold"), f"   {time_text(time.monotonic() - self._began)}")
        if found is None:
            return
        if found.begun:
            yield _bar(found)
            yield from _facts(found)
        if found.doing:
            yield _row((found.doing, "bold" if found.begun else ""))


def _bar(found: Snapshot) -> RenderableType:
    """How much is made, and how long the rest takes."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from pipeline.conduct.wording import time_text

    left = "" if found.seconds_left is None else f", {time_text(found.seconds_left)} left"
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    grid.add_row(
        ProgressBar(total=max(found.views, 1), completed=found.views_made),
        f"  {int(100 * found.share):3} %{left}",
    )
    return grid


def _facts(found: Snapshot) -> Iterator[RenderableType]:
    """The counts, a line for each kind."""
    from pipeline.conduct.wording import bytes_text, rate_text, reasons_text

    rate = [] if found.views_a_second is None else [rate_text(found.views_a_second)]
    kept = [f"{found.views_kept:,} kept"] if found.views_kept else []
    yield _fact(
        "views", f"{found.views_made:,} of {found.views:,}", *rate, f"{found.images:,} images", *kept
    )
    hands = (f"{found.in_flight:,} in hand", f"{found.waiting:,} waiting")
    yield _fact("scans", f"{found.scans_made:,} of {found.scans:,}", *hands)
    if found.rejected:
        yield _fact("rejects", f"{found.rejected:,}", reasons_text(found.rejects), style="yellow")
    memory = [bytes_text(found.memory_bytes)] if found.memory_bytes else []
    address = [found.dashboard] if found.dashboard else []
    crew = [f"{found.workers:,}"] if found.workers else []
    if crew or memory or address:
        yield _fact("workers" if crew else "memory", *crew, *memory, *address)


def _fact(name: str, *said: str, style: str = "") -> RenderableType:
    return _row((f"{name:{_LABEL}}", "dim"), ("   ".join(said), style))


def _row(*parts: str | tuple[str, str]) -> RenderableType:
    """One line of texts, each with its style; what does not fit is cut off."""
    from rich.text import Text

    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
