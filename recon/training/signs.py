"""Early warnings: what goes wrong in a training while something can still be done about it.

Refuses to know how a step is made, and to change anything. A warning comes once, and again only after what
it is about has gone away.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from pipeline.errors import CheckpointError, TrainingError
from recon.recipe import FP16, PAPER, Recipe
from recon.training.looks import DEPTH, Look, looks

BLANK_SHARE, LEAST_SPREAD, LOOKS = 0.98, 0.002, 200  # of a head that is dead, so many looks in a row
LOSS_TIMES, NORM_TIMES, STEPS = 4.0, 20.0, 5  # over its running median, so many steps in a row
MEMORY, ENOUGH = 200, 20  # steps that a median is of, and how many there must be
MOST_SKIPPED, IDLE_STEPS = 30, 10  # in a row
WAIT_SHARE, WAITS = 0.5, 50
_NAMED = 8  # samples and terms in a message


class Step(Protocol):
    """What came of a step."""

    @property
    def loss(self) -> float:
        """All terms together."""

    @property
    def terms(self) -> Mapping[str, float]:
        """What the loss is the sum of, by name."""

    @property
    def grad_norm(self) -> float:
        """How long the gradient was, before it was shortened."""

    @property
    def rate(self) -> float:
        """The learning rate."""

    @property
    def seen(self) -> Sequence[float]:
        """The statistics of what was predicted; none if nobody looked."""


@dataclass(slots=True)
class Alarm:
    """Rings once when something was so for long enough, and is quiet until it was not for as long."""

    count: int = 0
    rung: bool = False

    def rings(self, is_so: bool, patience: int) -> bool:
        """Whether to tell now that it is so, for `patience` times in a row."""
        self.count = self.count + 1 if is_so != self.rung else 0
        if self.count < patience:
            return False
        self.count, self.rung = 0, not self.rung
        return self.rung


@dataclass(slots=True)
class Level:
    """What a number usually is: its median of late. What is far over that does not move it."""

    times: float
    past: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))

    @property
    def usual(self) -> float:
        """The median; infinite as long as too little is known."""
        return median(self.past) if len(self.past) >= ENOUGH else math.inf

    def is_left(self, value: float) -> bool:
        """Is this far over it?"""
        is_over = value > self.times * self.usual
        if not is_over:
            self.past.append(value)
        return is_over


class Signs:
    """Who is asked after every step whether all is well."""

    def __init__(self, recipe: Recipe) -> None:
        self._skips = recipe.precision == FP16  # its scale is found by trying
        self._can_die = recipe.profile == PAPER
        self._levels = {"loss": Level(LOSS_TIMES), "gradient": Level(NORM_TIMES)}
        self._alarms: dict[str, Alarm] = {}
        self._skipped = 0
        self._last: Path | None = None

    def saved(self, path: Path) -> None:
        """Where the last good checkpoint is."""
        self._last = path

    def seen(self, step: Step, names: Sequence[str]) -> list[str]:
        """What there is to warn of after a step with samples of these names."""
        self._require_numbers(step, names)
        found = [self._rising("loss", step.loss)]
        if math.isfinite(step.grad_norm):
            found.append(self._rising("gradient", step.grad_norm))
        if step.seen:
            found.append(self._dead(step.seen))
        found.append(self._idle(step.rate))
        return [line for line in found if line]

    def waited(self, share: float) -> list[str]:
        """What there is to warn of when this share of the time went by waiting for data."""
        if not self._rings("waiting", share > WAIT_SHARE, WAITS):
            return []
        return [
            f"{share:.0%} of the time goes by waiting for images, over {WAIT_SHARE:.0%}: give more "
            "--workers, or keep the data on a faster disk"
        ]

    def state_dict(self) -> dict[str, Any]:
        """All that is remembered, as plain values."""
        return {
            "past": {name: list(level.past) for name, level in self._levels.items()},
            "alarms": {name: [alarm.count, alarm.rung] for name, alarm in self._alarms.items()},
            "skipped": self._skipped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what was remembered; from nothing, if nothing was."""
        if not state:
            return
        try:
            past = {name: [float(value) for value in state["past"][name]] for name in self._levels}
            alarms = {str(name): Alarm(int(n), bool(rung)) for name, (n, rung) in state["alarms"].items()}
            skipped = int(state["skipped"])
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise CheckpointError("the checkpoint's early warnings are not this version's") from problem
        for name, level in self._levels.items():
            level.past = deque(past[name], maxlen=MEMORY)
        self._alarms, self._skipped = alarms, skipped

    def _rings(self, name: str, is_so: bool, patience: int) -> bool:
        return self._alarms.setdefault(name, Alarm()).rings(is_so, patience)

    def _rising(self, name: str, value: float) -> str:
        """What there is to tell of a number that leaves its usual level, if anything."""
        level = self._levels[name]
        if not self._rings(name, level.is_left(value), STEPS):
            return ""
        return (
            f"the {name} is {value:.3g}, over {level.times:g} times its usual {level.usual:.3g}, for "
            f"{STEPS} steps: if it does not come back, start anew from an older checkpoint by --init-from, "
            "at a lower rate"
        )

    def _require_numbers(self, step: Step, names: Sequence[str]) -> None:
        """Stops where loss or gradient are no numbers, but for steps that a scaler skips."""
        if math.isfinite(step.loss) and math.isfinite(step.grad_norm):
            self._skipped = 0
            return
        if math.isfinite(step.loss) and self._skips and self._skipped < MOST_SKIPPED:
            self._skipped += 1
            return
        raise TrainingError(f"{self._fault(step)}, for {_few(names)}; {self._advice()}")

    def _fault(self, step: Step) -> str:
        """Which numbers are none."""
        if math.isfinite(step.loss):
            if self._skips:
                return f"the gradient is {step.grad_norm} for {MOST_SKIPPED + 1} steps, whatever its scale"
            return f"the gradient is {step.grad_norm}"
        broken = [name for name, value in step.terms.items() if not math.isfinite(value)]
        return f"the loss is {step.loss} in {_few(broken) or 'the sum of its terms'}"

    def _advice(self) -> str:
        """What to do when it went wrong."""
        start = "there is no checkpoint yet, so begin again"
        if self._last is not None:
            start = f"the last checkpoint, {self._last}, is as it was: start anew from it by --init-from"
        return f"{start}, at a lower rate{' or in bf16' if self._skips else ''}"

    def _dead(self, seen: Sequence[float]) -> str:
        """What there is to tell of heads that predict nothing any more, if anything."""
        found = []
        for (head, side), look in looks(seen).items():
            is_blank = look.blank_share > BLANK_SHARE
            is_dead = is_blank or look.spread < LEAST_SPREAD
            if self._rings(f"{head} {side}", is_dead, LOOKS):
                found.append(_death(head, side, look, is_blank))
        if not found:
            return ""
        advice = "the default profile, whose heads cannot die, or " if self._can_die else ""
        return (
            f"{'; '.join(found)}: for {LOOKS} steps, so nothing is learnt there; begin again with {advice}"
            "a lower rate"
        )

    def _idle(self, rate: float) -> str:
        """What there is to tell of the learning rate, if anything."""
        if not self._rings("idle", rate <= 0, IDLE_STEPS):
            return ""
        return (
            f"the learning rate was 0 for {IDLE_STEPS} steps: nothing is learnt; look at the recipe's rate"
        )


def _death(head: str, side: str, look: Look, is_blank: bool) -> str:
    """How one side of a head is dead."""
    if head == DEPTH:
        how = f"at one end on {look.blank_share:.0%} of people" if is_blank else "the same everywhere"
        return f"{side} depth is {how}"
    share = f"black on {look.blank_share:.0%} of people"
    return f"{side} {head} normals are {share if is_blank else 'all alike in a component'}"


def _few(names: Sequence[str]) -> str:
    """The first names, and how many there are more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
