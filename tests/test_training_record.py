from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recon.training import record
from recon.training.record import Moment, Record, lines
from recon.training.snapshot import Position
from recon.training.stepping import Stepped
from recon.training.validation import Scores

STEPS = 3  # an epoch


def stepped(loss: float = 0.5) -> Stepped:
    return Stepped(loss, {"depth/low/front": loss, "mask/low": 1 / 3}, 2.0, 1e-4)


def scores(loss: float = 0.25) -> Scores:
    return Scores(loss, {"mask/low": loss}, {"mask_iou/low": 0.9}, 12, {"depth_error/low/front": 1})


def add_steps(kept: Record, phase: int, numbers: range) -> None:
    """Steps of a phase by their number, from 0, and after each epoch its validation."""
    for number in numbers:
        moment = Moment(phase, number // STEPS + 1, number % STEPS + 1, STEPS)
        kept.step(moment, stepped(number / 7))
        if moment.step == STEPS:
            kept.validated(moment, scores(number / 9))


def written(path: Path, phase: int, steps: int) -> None:
    with Record(path) as kept:
        kept.begin(phase, Position())
        add_steps(kept, phase, range(steps))


def strictly(text: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    line: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return line


def test_a_line_says_when_and_what(tmp_path: Path) -> None:
    path = tmp_path / "run" / "metrics.jsonl"
    with Record(path) as kept:
        kept.begin(1, Position())
        kept.step(Moment(1, 2, 3, 40), stepped())
        kept.validated(Moment(1, 2, 40, 40), scores())
        kept.note(Moment(1, 2, 40, 40), "warning", "the head is dead")
    step, validation, note = (strictly(text) for text in path.read_bytes().splitlines())
    assert step == {
        "kind": "step", "phase": 1, "epoch": 2, "step": 3, "steps": 40, "loss": 0.5, "rate": 1e-4,
        "grad_norm": 2.0, "terms": {"depth/low/front": 0.5, "mask/low": 0.333333333},
    }  # fmt: skip
    assert validation == {
        "kind": "validation", "phase": 1, "epoch": 2, "step": 40, "steps": 40, "loss": 0.25,
        "terms": {"mask/low": 0.25}, "metrics": {"mask_iou/low": 0.9}, "samples": 12,
        "undefined": {"depth_error/low/front": 1},
    }  # fmt: skip
    assert note["kind"] == "warning"
    assert note["text"] == "the head is dead"
    assert [*lines(path)] == [step, validation, note]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_null(tmp_path: Path, wrong: float) -> None:
    path = tmp_path / "metrics.jsonl"
    with Record(path) as kept:
        kept.begin(1, Position())
        kept.step(Moment(1, 1, 1, 3), stepped(wrong))
    line = strictly(path.read_bytes())
    assert line["loss"] is None
    assert line["terms"]["depth/low/front"] is None


def test_numbers_of_single_precision_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    values = np.random.default_rng(2).lognormal(0, 20, 200).astype(np.float32)
    with Record(path) as kept:
        kept.begin(1, Position())
        for number, value in enumerate(values.tolist()):
            kept.step(Moment(1, 1, number + 1, 200), stepped(value))
    assert np.array_equal(np.array([line["loss"] for line in lines(path)], dtype=np.float32), values)


def test_a_line_is_in_the_file_when_it_was_added(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Record(path) as kept:
        kept.begin(1, Position())
        for number in range(3):
            add_steps(kept, 1, range(number, number + 1))
            assert path.read_bytes().count(b"\n") == number + 1 + (number == 2)


@pytest.mark.parametrize(
    ("at", "steps"),
    [
        (Position(0, 0), 0),
        (Position(0, 2), 2),
        (Position(0, 3), 3),
        (Position(1, 0), 3),
        (Position(1, 1), 4),
    ],
)
def test_what_came_after_the_checkpoint_is_forgotten(tmp_path: Path, at: Position, steps: int) -> None:
    path, wanted = tmp_path / "metrics.jsonl", tmp_path / "wanted.jsonl"
    written(path, 1, 8)
    written(wanted, 1, steps)
    with Record(path) as kept:
        kept.begin(1, at)
        assert path.read_bytes() == wanted.read_bytes()


def test_a_run_that_was_cut_and_resumed_leaves_the_same_lines(tmp_path: Path) -> None:
    path, whole = tmp_path / "metrics.jsonl", tmp_path / "whole.jsonl"
    written(whole, 1, 9)
    written(path, 1, 8)
    with Record(path) as kept:
        kept.begin(1, Position(1, 2))
        add_steps(kept, 1, range(5, 9))
    assert path.read_bytes() == whole.read_bytes()


def test_phases_do_not_forget_each_other(tmp_path: Path) -> None:
    path, first = tmp_path / "metrics.jsonl", tmp_path / "first.jsonl"
    written(path, 1, 5)
    written(first, 1, 5)
    written(path, 2, 4)
    with Record(path) as kept:
        kept.begin(2, Position())
    assert path.read_bytes() == first.read_bytes()


def test_a_cut_at_any_byte_costs_only_the_line_that_was_being_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 3)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with Record(path) as kept:
            kept.begin(1, Position(9))
            kept.note(Moment(1, 9, 1, 3), "warning", "went on")
        read = path.read_bytes().splitlines(keepends=True)
        # A line whose end alone is missing is not lost.
        done = max([end for end in ends if end - 1 <= cut], default=0)
        assert b"".join(read[:-1]) == whole[:done]
        assert strictly(read[-1])["text"] == "went on"


@pytest.mark.parametrize(
    "text",
    [
        b"\0\0\0\0",
        b"\xff\xfe",
        b"3",
        b"[]",
        b"null",
        b'{"kind": 1}',
        b'{"kind": "step", "phase": 1}',
        b'{"kind": "step", "phase": 1, "epoch": 1, "step": 1, "steps": 0}',
    ],
)
def test_what_is_not_a_line_is_left_out(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2)
    whole = path.read_bytes()
    path.write_bytes(text + b"\n" + whole)
    assert len([*lines(path)]) == 2
    with Record(path) as kept:
        kept.begin(1, Position(5))
    assert path.read_bytes() == whole


def test_there_are_no_lines_without_a_file(tmp_path: Path) -> None:
    assert [*lines(tmp_path / "none.jsonl")] == []


def test_forgetting_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 5)
    whole = path.read_bytes()

    def fails(line: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "_encoded", fails)
    with Record(path) as kept, pytest.raises(OSError, match="No space"):
        kept.begin(1, Position(0, 2))
    assert path.read_bytes() == whole
    assert [*tmp_path.iterdir()] == [path]


WRITES = """
import sys
from pathlib import Path
from recon.training.record import Moment, Record
class At: epoch = step = 0
kept = Record(Path(sys.argv[1]))
kept.begin(1, At())
for number in range(10**9):
    kept.note(Moment(1, 1, number + 1, 10**9), "note", "x" * 300)
    if number == 200:
        print("torch" in sys.modules, flush=True)
"""


def test_a_process_that_is_killed_leaves_every_line_that_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITES, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"False\n"  # a record is written and read without torch
        os.kill(process.pid, signal.SIGKILL)
    steps = [line["step"] for line in lines(path)]
    assert len(steps) > 200
    assert steps == [*range(1, len(steps) + 1)]
