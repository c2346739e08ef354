"""The live display of a build on a terminal. Refuses to count anything itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.commands.screen import Screen, bar, fact, row

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from pipeline.conduct.standing import Snapshot, Standing


class Display(Screen):
    """Shows a build on a terminal while it lasts."""

    def __init__(self, title: str, console: Console) -> None:
        super().__init__(title, console)
        self._standing: Standing | None = None

    def scan(self, text: str) -> None:
        """A line about one scan: the display counts it, and that is enough."""

    def warn(self, text: str) -> None:
        """A line about something odd."""
        for line in self._few.of("warning", text):
            self.say(line)

    def follow(self, standing: Standing) -> None:
        """Show from now on how far this is."""
        self._standing = standing

    def rows(self) -> Iterator[RenderableType]:
        """How far the build is now."""
        from pipeline.conduct.wording import time_text

        yield self._head()
        if self._standing is None:
            return
        found = self._standing.snapshot()
        if found.begun:
            left = "" if found.seconds_left is None else f"{time_text(found.seconds_left)} left"
            yield bar(found.views_made, found.views, int(100 * found.share), left)
            yield from _facts(found)
        if found.doing:
            yield row((found.doing, "bold" if found.begun else ""))


def _facts(found: Snapshot) -> Iterator[RenderableType]:
    """The counts, a line for each kind."""
    from pipeline.conduct.wording import bytes_text, rate_text, reasons_text

    rate = [] if found.views_a_second is None else [rate_text(found.views_a_second)]
    kept = [f"{found.views_kept:,} kept"] if found.views_kept else []
    yield fact(
        "views", f"{found.views_made:,} of {found.views:,}", *rate, f"{found.images:,} images", *kept
    )
    hands = (f"{found.in_flight:,} in hand", f"{found.waiting:,} waiting")
    yield fact("scans", f"{found.scans_made:,} of {found.scans:,}", *hands)
    if found.rejected:
        yield fact("rejects", f"{found.rejected:,}", reasons_text(found.rejects), style="yellow")
    memory = [bytes_text(found.memory_bytes)] if found.memory_bytes else []
    address = [found.dashboard] if found.dashboard else []
    crew = [f"{found.workers:,}"] if found.workers else []
    if crew or memory or address:
        yield fact("workers" if crew else "memory", *crew, *memory, *address)
