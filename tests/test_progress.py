from __future__ import annotations

import os
import pty
import re
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from test_standing import Clock

from pipeline.commands.display import Display
from pipeline.commands.lines import Few, PlainWatch, Unbroken, ticking
from pipeline.commands.progress import reporting, watching
from pipeline.conduct.standing import Standing

TITLE = "rendering 2K2K"
_END = "no more"


@pytest.fixture
def standing() -> Standing:
    """A build that is midway: 126 views and a reject in the last 63 seconds, 399 views to come."""
    clock = Clock()
    standing = Standing(clock)
    standing.begin(scans=100, views=700, views_kept=70)
    standing.crew(
        workers=2, memory_bytes=2_340_000_000, dashboard="http://127.0.0.1:8787/status", in_flight=8
    )
    for _ in range(42):
        clock.now += 3.5
        standing.made(scan_done=True, views=7, images=35)
    standing.rejected("MeshError", 7)
    return standing


def screen(said: str) -> list[str]:
    """What a terminal shows after these characters; those that the display does not use are refused."""
    rows, row, column = [""], 0, 0
    tokens = re.findall(r"\x1b\[\??[0-9;]*[a-zA-Z]|\r|\n|[^\x1b\r\n]", said)
    assert "".join(tokens) == said
    for token in tokens:
        if token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif token == "\x1b[2K":
            rows[row] = ""
        elif token == "\x1b[1A":
            row -= 1
        elif not token.startswith("\x1b"):
            rows[row] = rows[row][:column].ljust(column) + token + rows[row][column + 1 :]
            column += 1
        else:
            assert token in {"\x1b[?25l", "\x1b[?25h"} or token.endswith("m"), token
    return [text.rstrip() for text in rows]


def console(width: int = 80, environ: dict[str, str] | None = None) -> tuple[Console, StringIO]:
    written = StringIO()
    terminal = {"TERM": "xterm-256color", **(environ or {})}
    return Console(
        file=written, force_terminal=True, width=width, height=24, highlight=False, _environ=terminal
    ), written


def frame(display: Display, width: int = 80) -> list[str]:
    shown, written = console(width)
    shown.print(display.frame())
    return screen(written.getvalue())[:-1]


def test_a_frame_has_all_the_numbers_and_fits(standing: Standing) -> None:
    display = Display(TITLE, console()[0])
    display.follow(standing)
    title, bar, *facts = frame(display)
    assert title.startswith(f"{TITLE}   ")
    assert re.fullmatch(r"━+[╸╺]?━+   42 %, 3 min 09 s left", bar)
    assert facts == [
        "views    294 of 693   2 views a second   1,470 images   70 kept",
        "scans    42 of 100   8 in hand   49 waiting",
        "rejects  1   1 MeshError",
        "workers  2   2.3 GB   http://127.0.0.1:8787/status",
    ]
    assert all(len(line) <= 76 for line in (title, bar, *facts))


def test_the_bar_is_as_long_as_what_is_made(standing: Standing) -> None:
    shown, written = console(environ={"NO_COLOR": "1"})  # without colours the rest of the bar is blank
    display = Display(TITLE, shown)
    display.follow(standing)
    shown.print(display.frame())
    bar = screen(written.getvalue())[1]
    whole = 76 - len("   42 %, 3 min 09 s left") - 1
    assert bar.count("━") == pytest.approx(whole * 294 / 693, abs=1)


@pytest.mark.parametrize("width", [20, 40, 79, 80, 81, 200])
def test_no_line_reaches_the_end_of_the_terminal_or_is_longer_than_a_small_one(
    standing: Standing, width: int
) -> None:
    for reason in "ABCDEFG":
        standing.rejected(f"{reason}MeshError", 7)
    standing.doing("finishing the scans in hand; " * 5)
    display = Display("rendering a dataset with a rather long name " * 3, console(width)[0])
    display.follow(standing)
    lines = frame(display, width)
    assert len(lines) == 7
    assert max(len(line) for line in lines) <= min(width - 4, 76)


def test_before_a_build_begins_the_frame_says_what_it_is_at() -> None:
    display = Display(TITLE, console()[0])
    assert len(frame(display)) == 1
    standing = Standing()
    display.follow(standing)
    assert len(frame(display)) == 1
    standing.doing("reading the manifest")
    assert frame(display)[1:] == ["reading the manifest"]


def test_what_is_not_known_is_not_shown() -> None:
    display, standing = Display(TITLE, console()[0]), Standing(Clock())
    display.follow(standing)
    standing.begin(4, 28)
    _, bar, *facts = frame(display)
    assert bar.endswith("    0 %")
    assert facts == ["views    0 of 28   0 images", "scans    0 of 4   0 in hand   4 waiting"]
    standing.crew(0, 850_000_000, None, 1)
    assert frame(display)[-1] == "memory   850 MB"


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, ZeroDivisionError])
def test_a_display_leaves_what_was_said_and_nothing_else(
    standing: Standing, ending: type[BaseException] | None
) -> None:
    shown, written = console()
    streams = sys.stdout, sys.stderr
    try:
        with Display(TITLE, shown) as display:
            display.follow(standing)
            display.say("first")
            display.scan("00003: 7 views")
            display.warn("00007: not used: [bold]\x1b[2J :smile:")
            assert sys.stdout is streams[0]
            print("from a library", file=sys.stderr)
            if ending:
                raise ending
    except (KeyboardInterrupt, ZeroDivisionError) as error:
        assert type(error) is ending
    assert (sys.stdout, sys.stderr) == streams
    assert "294 of 693" in written.getvalue()
    left = screen(written.getvalue())
    assert left[:3] == ["first", r"00007: not used: [bold]\x1b[2J :smile:", "from a library"]
    assert not any(left[3:])
    assert written.getvalue().rindex("\x1b[?25l") < written.getvalue().index("\x1b[?25h")
    assert written.getvalue().index("\x1b[?25h") < written.getvalue().index("first")  # if it is killed now


def test_of_many_warnings_the_first_are_shown() -> None:
    shown, written = console()
    display = Display(TITLE, shown)
    for number in range(1000):
        display.warn(f"{number}")
    assert written.getvalue().splitlines() == [*(str(n) for n in range(20)), "more warnings are in the log"]


def test_few_counts_each_kind_for_itself() -> None:
    few = Few(most=2)
    shown = [few.of(kind, str(n)) for n in range(4) for kind in ("scan", "warning")]
    assert shown == [
        *(["0"], ["0"], ["1"], ["1"]),
        *(["more scans are in the log"], ["more warnings are in the log"], [], []),
    ]


def test_plain_lines_say_the_same_numbers(standing: Standing) -> None:
    said: list[str] = []
    watch = PlainWatch(TITLE, said.append)
    watch.pulse()
    watch.follow(Standing())
    watch.pulse()
    watch.follow(standing)
    watch.pulse()
    watch.pulse()
    line = (
        f"{TITLE}, 2 min 27 s: 294 of 693 views, 42 of 100 scans, 2 views a second, 3 min 09 s left, "
        "1 rejected (1 MeshError), 8 in hand, 49 waiting, 2 workers, 2.3 GB"
    )
    dashboard = f"{TITLE}: the workers are shown at http://127.0.0.1:8787/status"
    assert said == [TITLE, TITLE, dashboard, line, line]


def test_a_small_build_is_told_scan_by_scan_and_a_large_one_is_not() -> None:
    said: list[str] = []
    watch = PlainWatch(TITLE, said.append)
    for number in range(100_000):
        watch.scan(f"scan {number}")
        if number % 10 == 0:
            watch.warn(f"reject {number}")
    watch.say("the end")
    assert [text for text in said if text.startswith("scan")] == [f"scan {n}" for n in range(20)]
    assert [text for text in said if text.startswith("reject")] == [f"reject {10 * n}" for n in range(20)]
    assert len(said) == 20 + 20 + 2 + 1


def test_ticks_come_first_after_a_while_and_then_again_and_again() -> None:
    said: list[str] = []
    thrice = threading.Event()

    def echo(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            thrice.set()

    with ticking(PlainWatch(TITLE, echo), first=0.001, every=0.002):
        assert thrice.wait(60)
    after = len(said)
    assert set(said) == {TITLE}
    with ticking(PlainWatch(TITLE, echo), first=3600):
        pass  # and does not wait for it
    assert len(said) == after


def test_a_request_that_is_refused_at_once_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="refused"), reporting(TITLE):
        raise ValueError("refused")
    with pytest.raises(ValueError, match="refused"), watching(TITLE):
        raise ValueError("refused")
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_plain_lines_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with watching(TITLE) as watch:
        watch.say("grün\x1b[2J")
        watch.scan("00003: 7 views")
        assert capsys.readouterr() == ("", "grün\\x1b[2J\n00003: 7 views\n")


class Terminal:
    """A real one, of which this is the other end; where it stands for standard error, tests say."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.stream = os.fdopen(slave, "w")

    def hang_up(self) -> None:
        os.close(self._master)
        self._master = -1

    def read(self) -> str:
        self.stream.write(_END)
        self.stream.flush()
        said = ""
        while not said.endswith(_END):
            said += os.read(self._master, 1 << 16).decode()
        return said.removesuffix(_END)

    def close(self) -> None:
        if self._master >= 0:
            self.hang_up()
        with suppress(OSError):  # what was not heard any more
            self.stream.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    yield terminal
    terminal.close()


def test_a_terminal_gets_a_display(
    terminal: Terminal, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with watching(TITLE) as watch:
        watch.follow(standing)
        watch.say("warning: no card")
    said = terminal.read()
    assert "294 of 693" in said
    assert [line for line in screen(said) if line] == ["warning: no card"]


def test_a_terminal_that_can_only_write_lines_gets_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setenv("TERM", "dumb")
    with reporting(TITLE) as report:
        report("reading")
    with watching(TITLE) as watch:
        watch.say("warning: no card")
    assert terminal.read() == "reading\r\nwarning: no card\r\n"


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_a_terminal_that_goes_away_ends_nothing(
    terminal: Terminal, standing: Standing, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setenv("TERM", kind)
    with watching(TITLE) as watch:
        watch.follow(standing)
        terminal.hang_up()
        watch.say("who hears it?")
        with pytest.raises(OSError, match="Input/output error"):
            os.write(terminal.stream.fileno(), b"?")


def test_a_pipe_that_is_closed_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    said = 0
    with suppress(OSError), os.fdopen(writer, "w") as stream:
        unbroken = Unbroken(stream)
        unbroken.line("who hears it?")
        said = unbroken.write("nobody")
    assert said == 6


def test_a_full_disk_ends_nothing() -> None:
    said = False
    with suppress(OSError), Path("/dev/full").open("w") as stream:
        Unbroken(stream).line("lost")
        said = True
    assert said
