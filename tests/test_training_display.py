"""What is seen of a training while it lasts: on a terminal, in a log, and of several processes."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest
from test_progress import console, screen

from pipeline.commands.lines import ticking
from pipeline.commands.training_display import (
    TrainingDisplay,
    TrainingLines,
    is_first_process,
    line_of,
    watching_training,
)
from recon.training.watch import TRAINING, VALIDATING, Pace

TITLE = "training 2K2K"
MIDWAY = Pace(
    phase=1,
    epoch=3,
    epochs=10,
    step=412,
    steps=1000,
    doing=TRAINING,
    loss=0.6112345,
    terms={"normals": 0.3112, "depth": 0.21, "consistency": 0.01236, "mask": 0.08},
    samples_a_second=4.2134,
    wait_share=0.031,
    memory_bytes=28_300_000_000,
    seconds_left=4 * 3600 + 350,
)
LOG_LINE = (
    "phase 1, epoch 3 of 10, step 412 of 1,000, loss 0.611 (normals 0.311, depth 0.210, "
    "consistency 0.0124, mask 0.0800), 4.21 samples a second, "
    "3 % waiting for data, 28.3 GB, 4 h 06 min left"
)


def frame(pace: Pace | None, width: int = 80) -> list[str]:
    shown, written = console(width)
    display = TrainingDisplay(TITLE, shown)
    if pace is not None:
        display.pace(pace)
    shown.print(display.frame())
    return screen(written.getvalue())[:-1]


def test_a_frame_has_all_the_numbers_and_fits() -> None:
    title, bar, *facts = frame(MIDWAY)
    assert title == f"{TITLE}   0.0 s"
    assert bar.endswith("  24 %, 4 h 06 min left")
    assert facts == [
        "phase    1   epoch 3 of 10   step 412 of 1,000",
        "loss     0.611",
        "of which normals 0.311   depth 0.210   consistency 0.0124   mask 0.0800",
        "speed    4.21 samples a second   3 % waiting for data   28.3 GB",
    ]
    assert all(len(line) <= 76 for line in (title, bar, *facts))


@pytest.mark.parametrize(
    ("epoch", "step", "share"),
    [(1, 1, "0"), (1, 1000, "10"), (6, 0, "50"), (10, 999, "99"), (10, 1000, "100")],
)
def test_the_bar_is_of_the_whole_phase(epoch: int, step: int, share: str) -> None:
    bar = frame(replace(MIDWAY, epoch=epoch, step=step, seconds_left=None))[1]
    assert bar.split()[-2:] == [share, "%"]


def test_before_the_first_step_a_frame_says_so() -> None:
    assert frame(None) == [f"{TITLE}   0.0 s   getting ready"]


def test_what_is_done_between_steps_is_said() -> None:
    assert frame(replace(MIDWAY, doing=VALIDATING))[0].endswith(f"   {VALIDATING}")


@pytest.mark.parametrize("width", [20, 40, 60, 79])
def test_no_line_wraps_on_a_narrow_terminal(width: int) -> None:
    shown = frame(MIDWAY, width)
    assert len(shown) == 6
    assert max(map(len, shown)) <= width - 4


def test_a_line_of_a_log_has_all_the_numbers() -> None:
    assert line_of(MIDWAY) == LOG_LINE


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"samples_a_second": 0.05}, "3.00 samples a minute"),
        ({"samples_a_second": 123.4}, "123 samples a second"),
        ({"doing": VALIDATING}, "step 412 of 1,000, validating, loss"),
        ({"loss": 1.5e-7}, "loss 1.50e-07 ("),
        ({"loss": float("nan")}, "loss nan ("),
        ({"memory_bytes": 850_000_000}, "850 MB"),
    ],
)
def test_numbers_are_said_as_people_read_them(changed: dict[str, object], said: str) -> None:
    assert said in line_of(replace(MIDWAY, **changed))  # type: ignore[arg-type]


def test_without_a_guess_nothing_is_said_of_the_time_left() -> None:
    assert line_of(replace(MIDWAY, seconds_left=None)) == LOG_LINE.removesuffix(", 4 h 06 min left")


def test_the_display_leaves_nothing_but_what_was_said() -> None:
    shown, written = console()
    with TrainingDisplay(TITLE, shown) as display:
        display.say("learns from 700 views")
        display.pace(MIDWAY)
        display.warn("odd\x1b[2J")
    assert [line for line in screen(written.getvalue()) if line] == [
        "learns from 700 views",
        "warning: odd\\x1b[2J",
    ]


def test_a_log_gets_a_line_again_and_again() -> None:
    told: list[str] = []
    enough = Event()

    def echo(text: str) -> None:
        told.append(text)
        watch.pace(MIDWAY)
        if len(told) == 3:
            enough.set()

    watch = TrainingLines(TITLE, echo)
    with ticking(watch, first=0.0, every=0.001):
        assert enough.wait(30)
    assert told[:3] == [f"{TITLE}: getting ready", f"{TITLE}: {LOG_LINE}", f"{TITLE}: {LOG_LINE}"]


def test_a_flood_of_warnings_ends_with_where_they_are() -> None:
    told: list[str] = []
    watch = TrainingLines(TITLE, told.append)
    for number in range(30):
        watch.warn(f"view {number} is lost")
    assert told[0] == "warning: view 0 is lost"
    assert told[-1].endswith("more warnings are in the log")
    assert len(told) == 21


@pytest.mark.parametrize(("rank", "talks"), [(None, True), ("0", True), ("1", False), ("12", False)])
def test_only_the_first_of_several_processes_is_heard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: str | None, talks: bool
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_first_process() == talks
    with watching_training(TITLE) as watch:
        watch.say("said")
        watch.warn("odd")
        watch.pace(MIDWAY)
    assert capsys.readouterr().err == ("said\nwarning: odd\n" if talks else "")
