"""How a training is shown while it lasts: a few live lines on a terminal, plain lines elsewhere.

Refuses to count anything itself. Of several processes only the first one talks.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TextIO, cast

from pipeline.commands.lines import Few, Unbroken, ticking

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from recon.training.watch import Pace, Watch

_A_SECOND = 2  # times that it is drawn
_WIDEST = 76  # columns, so that none of the lines wraps when a window is made smaller, to 80
_SPARE = 4  # columns to the right, where terminals write ^C
_LABEL = 9  # columns of what a number is of
_BEFORE = "getting ready"  # before the first step: manifests, weights, the device
_USUAL = "training"  # what needs no word beside it


@contextmanager
def watching_training(title: str) -> Iterator[Watch]:
    """Somebody to tell how a training goes, who shows it on standard error until the end."""
    from rich.console import Console

    from recon.training.notes import Silence

    if not is_first_process():
        yield Silence()
        return
    stream = Unbroken(sys.stderr)
    console = Console(file=cast(TextIO, stream), highlight=False, markup=False)
    if console.is_interactive:
        with TrainingDisplay(title, console) as display:
            yield display
        return
    with ticking(TrainingLines(title, stream.line)) as watch:
        yield watch


def is_first_process() -> bool:
    """Is this the one of the processes that torchrun started, if it did, that talks?"""
    return os.environ.get("RANK", "0") == "0"


class TrainingLines:
    """Tells in plain lines, as logs of other programs and files like them."""

    def __init__(self, title: str, echo: Callable[[str], None]) -> None:
        self._title, self._echo = title, echo
        self._few = Few()
        self._pace: Pace | None = None

    def say(self, text: str) -> None:
        """A line that must be seen."""
        self._echo(text)

    def warn(self, text: str) -> None:
        """A line about something odd."""
        for line in self._few.of("warning", text):
            self._echo(f"warning: {line}")

    def pace(self, pace: Pace) -> None:
        """How far it is now."""
        self._pace = pace

    def pulse(self) -> None:
        """Tell how far it is now."""
        self._echo(f"{self._title}: {line_of(self._pace) if self._pace else _BEFORE}")


class TrainingDisplay:
    """Shows a training on a terminal; what must be seen scrolls by above, and is all that stays."""

    def __init__(self, title: str, console: Console) -> None:
        self._title, self._console = title, console
        self._few = Few()
        self._pace: Pace | None = None
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
        self._print(text, "")

    def warn(self, text: str) -> None:
        """A line about something odd."""
        for line in self._few.of("warning", text):
            self._print(f"warning: {line}", "yellow")

    def pace(self, pace: Pace) -> None:
        """How far it is now."""
        self._pace = pace

    def frame(self) -> RenderableType:
        """The lines as they are now."""
        from rich.console import Group
        from rich.constrain import Constrain

        width = max(min(self._console.width - _SPARE, _WIDEST), 1)
        return Constrain(Group(*self._rows(self._pace)), width)

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        from pipeline.conduct.wording import printable

        self._console.print(Text(printable(text), style))

    def _rows(self, pace: Pace | None) -> Iterator[RenderableType]:
        from pipeline.conduct.wording import time_text

        time_gone = time_text(time.monotonic() - self._began)
        yield _row((self._title, "bold"), f"   {time_gone}   ", (_doing(pace), "bold"))
        if pace is not None:
            yield _bar(pace)
            yield _fact("phase", f"{pace.phase}", *_where(pace))
            yield _fact("loss", _number(pace.loss))
            yield _fact("of which", *_terms(pace))
            yield _fact("speed", *_speed(pace))


def line_of(pace: Pace) -> str:
    """How far a training is, in one line of a log."""
    parts = [f"phase {pace.phase}", *_where(pace), _doing(pace)]
    parts += [f"loss {_number(pace.loss)} ({', '.join(_terms(pace))})", *_speed(pace), _left(pace)]
    return ", ".join(part for part in parts if part)


def _doing(pace: Pace | None) -> str:
    if pace is None:
        return _BEFORE
    return "" if pace.doing == _USUAL else pace.doing


def _where(pace: Pace) -> tuple[str, str]:
    return f"epoch {pace.epoch:,} of {pace.epochs:,}", f"step {pace.step:,} of {pace.steps:,}"


def _terms(pace: Pace) -> list[str]:
    return [f"{name} {_number(value)}" for name, value in pace.terms.items()]


def _number(value: float) -> str:
    """Three digits, also where the last ones are 0, so that a line stands still."""
    return f"{value:#.3g}".rstrip(".")


def _speed(pace: Pace) -> tuple[str, str, str]:
    """Samples, the share of time that went by waiting, and memory."""
    from pipeline.conduct.wording import bytes_text

    by_the_minute = pace.samples_a_second < 0.1
    number = pace.samples_a_second * (60 if by_the_minute else 1)
    unit = "minute" if by_the_minute else "second"
    return (
        f"{_number(number)} samples a {unit}",
        f"{100 * pace.wait_share:.0f} % waiting for data",
        bytes_text(pace.memory_bytes),
    )


def _left(pace: Pace) -> str:
    from pipeline.conduct.wording import time_text

    return "" if pace.seconds_left is None else f"{time_text(pace.seconds_left)} left"


def _bar(pace: Pace) -> RenderableType:
    """How much of the phase is done, and how long its rest takes."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    total = max(pace.epochs * pace.steps, 1)
    done = min((pace.epoch - 1) * pace.steps + pace.step, total)
    left = _left(pace)
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    grid.add_row(
        ProgressBar(total=total, completed=done), f"  {100 * done // total:3} %{left and f', {left}'}"
    )
    return grid


def _fact(name: str, *said: str) -> RenderableType:
    return _row((f"{name:{_LABEL}}", "dim"), "   ".join(said))


def _row(*parts: str | tuple[str, str]) -> RenderableType:
    """One line of texts, each with its style; what does not fit is cut off."""
    from rich.text import Text

    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
