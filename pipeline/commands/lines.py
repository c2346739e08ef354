"""Plain lines about long work, for logs and files; what they are written to may go away.

Refuses to count anything itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar

if TYPE_CHECKING:
    from pipeline.conduct.standing import Standing

PATIENCE = 2.0  # seconds after which something must have been said
_EVERY = 30.0  # seconds between two lines
_MOST = 20  # lines of one kind, such as rejects; what comes after is in the log


class Unbroken:
    """A stream that may be closed at the other end: a terminal, a pipe. What is then written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def line(self, text: str) -> None:
        """Write one line now."""
        from pipeline.conduct.wording import printable

        with self._lock:
            self.write(f"{printable(text)}\n")
            self.flush()

    def write(self, text: str) -> int:
        """Write a text, and say how long it is."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Is it a terminal?"""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:
        """How letters are written."""
        return self._stream.encoding


class Pulsing(Protocol):
    """What can be asked again and again to tell how far it is."""

    def pulse(self) -> None:
        """Tell how far it is now."""


Told = TypeVar("Told", bound=Pulsing)


class PlainWatch:
    """Tells in plain lines, as logs of other programs and files like them."""

    def __init__(self, title: str, echo: Callable[[str], None]) -> None:
        self._title, self._echo = title, echo
        self._few = Few()
        self._standing: Standing | None = None
        self._dashboard: str | None = None

    def say(self, text: str) -> None:
        """A line that must be seen."""
        self._echo(text)

    def scan(self, text: str) -> None:
        """A line about one scan; the first ones show that all is as it should be."""
        for line in self._few.of("scan", text):
            self._echo(line)

    def warn(self, text: str) -> None:
        """A line about something odd."""
        for line in self._few.of("warning", text):
            self._echo(line)

    def follow(self, standing: Standing) -> None:
        """Tell from now on how far this is."""
        self._standing = standing

    def pulse(self) -> None:
        """Tell how far it is now."""
        from pipeline.conduct.wording import line_of, time_text

        if self._standing is None:
            self._echo(self._title)
            return
        found = self._standing.snapshot()
        if found.dashboard and found.dashboard != self._dashboard:
            self._dashboard = found.dashboard
            self._echo(f"{self._title}: the workers are shown at {found.dashboard}")
        time = f", {time_text(found.seconds)}" if found.begun else ""
        said = line_of(found)
        self._echo(f"{self._title}{time}: {said}" if said else self._title)


class Few:
    """Lets the first lines of each kind through, and says once that it does not the others."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._seen = most, Counter[str]()

    def of(self, kind: str, text: str) -> list[str]:
        """What to show of a line of a kind."""
        self._seen[kind] += 1
        if self._seen[kind] <= self._most:
            return [text]
        return [f"more {kind}s are in the log"] if self._seen[kind] == self._most + 1 else []


@contextmanager
def ticking(watch: Told, first: float = PATIENCE, every: float = _EVERY) -> Iterator[Told]:
    """A watch that tells how far it is after a while, and then again and again."""
    over = Event()

    def tick() -> None:
        wait = first
        while not over.wait(wait):
            watch.pulse()
            wait = every

    ticker = Thread(target=tick, name="progress", daemon=True)
    ticker.start()
    try:
        yield watch
    finally:
        over.set()
        ticker.join()
