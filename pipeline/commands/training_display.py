"""How a training is shown while it lasts: a few live lines on a terminal, plain lines elsewhere.

Refuses to count anything itself. Of several processes only the first one talks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.commands.lines import Few
from pipeline.commands.screen import Screen, bar, fact, shown

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from recon.training.watch import Pace, Watch

_BEFORE = "getting ready"  # before the first step: manifests, weights, the device
_USUAL = "training"  # what needs no word beside it


@contextmanager
def watching_training(title: str) -> Iterator[Watch]:
    """Somebody to tell how a training goes, who shows it on standard error until the end."""
    from recon.training.notes import Silence

    if not is_first_process():
        yield Silence()
        return
    with shown(title, TrainingDisplay, TrainingLines) as watch:
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


class TrainingDisplay(Screen):
    """Shows a training on a terminal; what must be seen scrolls by above, and is all that stays."""

    def __init__(self, title: str, console: Console) -> None:
        super().__init__(title, console)
        self._pace: Pace | None = None

    def warn(self, text: str) -> None:
        """A line about something odd."""
        for line in self._few.of("warning", text):
            self._print(f"warning: {line}", "yellow")

    def pace(self, pace: Pace) -> None:
        """How far it is now."""
        self._pace = pace

    def rows(self) -> Iterator[RenderableType]:
        """How far the training is now."""
        pace = self._pace
        yield self._head("   ", (_doing(pace), "bold"))
        if pace is not None:
            total = max(pace.epochs * pace.steps, 1)
            done = min((pace.epoch - 1) * pace.steps + pace.step, total)
            yield bar(done, total, 100 * done // total, _left(pace))
            yield fact("phase", f"{pace.phase}", *_where(pace))
            yield fact("loss", _number(pace.loss))
            yield fact("of which", *_terms(pace))
            yield fact("speed", *_speed(pace))


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
