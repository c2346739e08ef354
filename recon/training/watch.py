"""Whom a training tells how far it is. Refuses to know how that is shown, and to count anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

TRAINING, VALIDATING, SAVING = "training", "validating", "saving"


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a training is, and how fast: epochs and steps count from 1, steps within their epoch.

    `loss` and `terms` are smoothed over recent steps, `terms` by the first of their names (normals, depth,
    consistency, mask). `wait_share` is the part of the time that went by waiting for data.
    """

    phase: int
    epoch: int
    epochs: int
    step: int
    steps: int
    doing: str
    loss: float
    terms: Mapping[str, float]
    samples_a_second: float
    wait_share: float
    memory_bytes: int
    seconds_left: float | None


class Watch(Protocol):
    """Who is told: lines that must be seen, odd things, and how far it is after every step."""

    def say(self, text: str) -> None:
        """A line that must be seen."""

    def warn(self, text: str) -> None:
        """A line about something odd."""

    def pace(self, pace: Pace) -> None:
        """How far it is now."""
