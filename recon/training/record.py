"""What happened in a training, moment by moment: a file of JSON lines that outlives any cut.

Every line has `kind`, `phase`, `epoch`, `step` and `steps` (of an epoch). What is no number is null. There
are no times: a training that was cut and resumed leaves the same lines as one that was not. Refuses to know
what the numbers mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeGuard

from pipeline.atomic import replacing

if TYPE_CHECKING:
    from recon.training.snapshot import Position
    from recon.training.stepping import Stepped
    from recon.training.validation import Scores

STEP, VALIDATION = "step", "validation"
_DIGITS = 9  # tell any two numbers of single precision apart

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """After which step of which epoch of a phase, of `steps` an epoch; epochs and steps count from 1."""

    phase: int
    epoch: int
    step: int
    steps: int


_MOMENT = tuple(item.name for item in fields(Moment))


class Record:
    """The file as it is added to: each line is in the file when it was added. One process writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def begin(self, phase: int, at: Position) -> None:
        """Goes on in a phase from where it is: what it had after that is forgotten, and torn lines too.

        Must come before anything is added. Other phases' lines stay.
        """
        self.close()
        with replacing(self._path, filled=True) as stream:
            for line in lines(self._path):
                if not _is_later(line, phase, at):
                    stream.write(_encoded(line))
        self._stream = self._path.open("ab")

    def step(self, moment: Moment, stepped: Stepped) -> None:
        """Adds what a step came to."""
        numbers = {"loss": stepped.loss, "rate": stepped.rate, "grad_norm": stepped.grad_norm}
        self._add(STEP, moment, {**numbers, "terms": stepped.terms})

    def validated(self, moment: Moment, scores: Scores) -> None:
        """Adds how good the network is by now."""
        self._add(VALIDATION, moment, asdict(scores))

    def note(self, moment: Moment, kind: str, text: str) -> None:
        """Adds words, such as a warning."""
        self._add(kind, moment, {"text": text})

    def close(self) -> None:
        """Closes the file; `begin` opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, kind: str, moment: Moment, values: Mapping[str, object]) -> None:
        assert self._stream is not None, "a phase begins before anything happens in it"
        self._stream.write(_encoded({"kind": kind, **asdict(moment), **_plain(values)}))
        self._stream.flush()


def lines(path: Path) -> Iterator[Line]:
    """The lines of a record, in their order; none without a file. What a cut left half written is none."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        for text in stream:
            try:
                line = json.loads(text, parse_constant=lambda _: None)
            except ValueError:
                continue
            if _is_line(line):
                yield line


def _is_line(line: object) -> TypeGuard[Line]:
    """Does it say what it is and of which moment?"""
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
        return False
    moment = [line.get(name) for name in _MOMENT]
    return all(type(number) is int for number in moment) and line["steps"] > 0


def _is_later(line: Line, phase: int, at: Position) -> bool:
    """Does a line belong to the phase, after that position?"""
    return bool(line["phase"] == phase and (line["epoch"] - 1, line["step"]) > (at.epoch, at.step))


def _encoded(line: Line) -> bytes:
    return json.dumps(line, allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever JSON has
    """Values as JSON has them, in no more digits than they mean."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
