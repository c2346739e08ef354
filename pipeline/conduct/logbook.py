"""The log of a build: a text file in the data folder, one line an event, for who asks later what happened.

A line is in the file as soon as it was noted, so that a build that is killed leaves all of them. A log that
cannot be written is said once and never ends the build. Refuses to know what is shown meanwhile.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from pipeline.conduct.wording import printable
from pipeline.errors import PipelineError
from pipeline.records import Fault
from pipeline.version import code_version

KEPT = 100  # logs of one dataset, this one included
_NAME = re.compile(r"\d{8}T\d{6}Z-\d+(-\d+)?\.log")
_NEW = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_LIBRARIES = frozenset({"asyncio", "bokeh", "dask", "dask_jobqueue", "distributed", "tornado"})

Clock = Callable[[], datetime]
Warn = Callable[[str], None]


def _now() -> datetime:
    return datetime.now(UTC)


class Logbook:
    """One build's log, from any thread; `path` is None where it could not be made."""

    def __init__(self, folder: Path, warn: Warn, clock: Clock = _now) -> None:
        self._warn, self._clock = warn, clock
        self._lock = RLock()  # a signal may come while a line is written, and note another
        self._lost = 0
        self._file: int | None = None
        self.path: Path | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path, self._file = _fresh(folder, clock())
        except OSError as error:
            warn(f"there will be no log: {folder}: {_reason(error)}")

    def note(self, text: str) -> None:
        """Something that happened as it should."""
        self._write("INFO", text)

    def warn(self, text: str) -> None:
        """Something that somebody should look at."""
        self._write("WARNING", text)

    def reject(self, fault: Fault) -> None:
        """A scan that could not be used: where, why, and all that is known of it."""
        self._write("WARNING", f"reject {fault.scan}: {fault.stage}: {fault.reason}: {fault.detail}")

    def fail(self, text: str) -> None:
        """What ended the build."""
        self._write("ERROR", text)

    def table(self, lines: Sequence[str]) -> None:
        """Several lines that belong together; those after the first are indented."""
        self._write("INFO", "\n".join(lines))

    def close(self) -> None:
        """Make it reach the disk; what is noted afterwards is lost."""
        with self._lock, suppress(OSError):
            if self._file is not None:
                file, self._file = self._file, None
                try:
                    os.fsync(file)
                finally:
                    os.close(file)

    def _write(self, level: str, text: str) -> None:
        with self._lock:
            if self._file is None:
                return
            try:
                if self._lost:
                    gap = f"missing here, as there was no room: {self._lost} entries"
                    _pour(self._file, f"\n{self._line('WARNING', gap)}")
                    self._lost = 0
                _pour(self._file, self._line(level, text))
            except OSError as error:
                self._lost += 1
                if self._lost == 1:
                    self._warn(f"the log has gaps from now on: {self.path}: {_reason(error)}")

    def _line(self, level: str, text: str) -> str:
        """One event as its lines of the file."""
        stamp = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        first, *others = text.split("\n")
        return "".join(
            [f"{stamp}Z {level:7} {printable(first)}\n", *(f"    {printable(line)}\n" for line in others)]
        )


@contextmanager
def logbook(folder: Path, facts: Mapping[str, str], warn: Warn, clock: Clock = _now) -> Iterator[Logbook]:
    """A new log that begins with what is asked for and by whom, and ends with how it ended.

    What the libraries of a cluster warn of goes there instead of on the terminal; older logs than the last
    hundred are removed. `facts` are shown on top, such as the request.
    """
    book = Logbook(folder, warn, clock)
    book.note(f"scan2k {code_version()}, process {os.getpid()} on {platform.node()}")
    book.note(f"Python {platform.python_version()}, {platform.platform()}; {' '.join(sys.argv)}")
    for name, value in facts.items():
        book.note(f"{name}: {value}")
    _forget(folder, KEPT)
    try:
        with _listening(book):
            yield book
    except PipelineError as error:
        book.fail(f"ended by {type(error).__name__}: {error}")
        raise
    except (KeyboardInterrupt, SystemExit) as error:
        book.fail(f"ended by {type(error).__name__}")
        raise
    except BaseException:
        book.fail(f"ended by a fault of the program\n{traceback.format_exc().strip()}")
        raise
    else:
        book.note("ended")
    finally:
        book.close()


class _Ear(logging.Handler):
    """Takes what libraries say, from WARNING on, into a log."""

    def __init__(self, book: Logbook) -> None:
        super().__init__(logging.WARNING)
        self._book = book

    def emit(self, record: logging.LogRecord) -> None:
        """One record as one event; a message that does not fit its values is shown as it is."""
        try:
            said = self.format(record)
        except (TypeError, ValueError):
            said = f"{record.msg} {record.args}"
        say = self._book.fail if record.levelno >= logging.ERROR else self._book.warn
        say(f"{record.name}: {said}")


@contextmanager
def _listening(book: Logbook) -> Iterator[None]:
    """Until the end, what libraries warn of goes to the log.

    Those of a cluster write to the terminal otherwise, over what is shown there: through handlers of their
    own, which are set aside if they are there by now, and which they do not make where the root has one.
    """
    ear = _Ear(book)
    closed = {logger: logger.handlers for logger in _closed_loggers()}
    for logger in closed:
        logger.handlers = [ear]
    logging.root.addHandler(ear)
    try:
        yield
    finally:
        logging.root.removeHandler(ear)
        for logger, handlers in closed.items():
            logger.handlers = handlers


def _closed_loggers() -> list[logging.Logger]:
    """The cluster's loggers that hand nothing on to the root."""
    known = list(logging.root.manager.loggerDict.items())
    return [
        logger
        for name, logger in known
        if isinstance(logger, logging.Logger) and not logger.propagate and name.split(".")[0] in _LIBRARIES
    ]


def _fresh(folder: Path, when: datetime) -> tuple[Path, int]:
    """A new file that is called after the time and this process, and its descriptor."""
    stem = f"{when.strftime('%Y%m%dT%H%M%SZ')}-{os.getpid()}"
    path, turn = folder / f"{stem}.log", 1
    while True:
        try:
            return path, os.open(path, _NEW, 0o666)
        except FileExistsError:
            path, turn = folder / f"{stem}-{turn + 1}.log", turn + 1


def _pour(file: int, text: str) -> None:
    """All of a text into a file, in one piece where the disk has room."""
    rest = text.encode()
    while rest:
        rest = rest[os.write(file, rest) :]


def _forget(folder: Path, kept: int) -> None:
    """Remove all logs but the newest; what is not called as a log stays."""
    with suppress(OSError):
        for name in sorted(entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name))[:-kept]:
            with suppress(OSError):
                (folder / name).unlink()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
