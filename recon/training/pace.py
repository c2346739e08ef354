"""How far a training is, how fast, and how long the rest takes. Refuses to show it."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from recon.training.watch import TRAINING, Pace

Thing = TypeVar("Thing")

_RECENT = 60.0  # seconds that count as now
_KEEP = 0.9  # of a smoothed number, when the next comes


@dataclass(frozen=True, slots=True)
class _Mark:
    """How things stood at a moment: seconds, samples seen and seconds waited so far."""

    at: float
    samples: int
    waited: float


class Pacer:
    """Keeps the time of one phase. It is told of every step, and of what is waited for."""

    def __init__(self, phase: int, epochs: int, steps: int, batch: int, device: torch.device) -> None:
        self._phase, self._epochs, self._steps, self._batch = phase, epochs, steps, batch
        self._device = device
        self._began = self._now()
        self._done, self._waited = 0, 0.0
        self._marks = deque([_Mark(self._began, 0, 0.0)])
        self._smoothed: dict[str, float] = {}
        self._latest = Pace(phase, 1, epochs, 0, steps, TRAINING, 0.0, {}, 0.0, 0.0, 0, None)

    @staticmethod
    def _now() -> float:
        return time.monotonic()

    def waiting(self, things: Iterable[Thing]) -> Iterator[Thing]:
        """The same things; the time until each comes is time that was waited."""
        iterator = iter(things)
        while True:
            began = self._now()
            try:
                thing = next(iterator)
            except StopIteration:
                return
            self._waited += self._now() - began
            yield thing

    def stepped(self, epoch: int, step: int, loss: float, terms: Mapping[str, float]) -> Pace:
        """How far it is after a step; both count from 1."""
        self._done += 1
        self._marks.append(_Mark(self._now(), self._done * self._batch, self._waited))
        while len(self._marks) > 2 and self._marks[-1].at - self._marks[1].at > _RECENT:
            self._marks.popleft()
        self._smooth({"loss": loss, **by_group(terms)})
        seconds, samples, waited = self._recently()
        smoothed = dict(self._smoothed)
        self._latest = Pace(
            phase=self._phase,
            epoch=epoch,
            epochs=self._epochs,
            step=step,
            steps=self._steps,
            doing=TRAINING,
            loss=smoothed.pop("loss"),
            terms=smoothed,
            samples_a_second=samples / seconds,
            wait_share=waited / seconds,
            memory_bytes=memory_bytes(self._device),
            seconds_left=self._left(epoch, step),
        )
        return self._latest

    def resume(self, epoch: int, step: int) -> None:
        """It begins after this step of this epoch; both count from 1."""
        self._latest = replace(self._latest, epoch=epoch, step=step)

    def doing(self, what: str) -> Pace:
        """The same as after the last step, while something else is done."""
        return replace(self._latest, doing=what)

    def _recently(self) -> tuple[float, int, float]:
        first, last = self._marks[0], self._marks[-1]
        return max(last.at - first.at, 1e-9), last.samples - first.samples, last.waited - first.waited

    def _left(self, epoch: int, step: int) -> float:
        """Seconds until this phase's end, if all goes on as it went since this process began."""
        to_do = (self._epochs - epoch) * self._steps + self._steps - step
        return (self._now() - self._began) / self._done * to_do

    def _smooth(self, numbers: Mapping[str, float]) -> None:
        for name, number in numbers.items():
            before = self._smoothed.get(name, number)
            self._smoothed[name] = _KEEP * before + (1 - _KEEP) * number


def by_group(terms: Mapping[str, float]) -> dict[str, float]:
    """The sums of terms that begin alike: normals, depth, consistency, mask."""
    sums: dict[str, float] = {}
    for name, value in terms.items():
        group = name.partition("/")[0]
        sums[group] = sums.get(group, 0.0) + value
    return sums


def memory_bytes(device: torch.device) -> int:
    """The most memory this process had so far: of the card if it trains on one, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
