from __future__ import annotations

import itertools

import pytest
import torch

from recon.training.pace import Pacer, by_group
from recon.training.watch import SAVING, TRAINING

CPU = torch.device("cpu")
TERMS = {"normals/face/front": 1.0, "normals/face/back": 2.0, "depth/low/front": 4.0}


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(Pacer, "_now", staticmethod(made))
    return made


def test_terms_that_begin_alike_are_summed() -> None:
    assert by_group(TERMS) == {"normals": 3.0, "depth": 4.0}


def test_pace_is_samples_by_seconds_and_the_rest_takes_as_long_as_before(clock: Clock) -> None:
    pacer = Pacer(phase=1, epochs=3, steps=10, batch=4, device=CPU)
    for step in range(1, 6):
        clock.at += 2.0
        pace = pacer.stepped(1, step, 7.0, TERMS)
    assert (pace.samples_a_second, pace.seconds_left) == (2.0, 25 * 2.0)
    assert (pace.loss, pace.terms, pace.doing) == (7.0, {"normals": 3.0, "depth": 4.0}, TRAINING)
    assert pacer.doing(SAVING).doing == SAVING and pacer.doing(SAVING).step == 5


def test_waiting_is_counted_and_nothing_else(clock: Clock) -> None:
    def slowly() -> itertools.count[int]:
        clock.at += 3.0
        return itertools.count()

    pacer = Pacer(phase=1, epochs=1, steps=10, batch=1, device=CPU)
    things = (slowly() for _ in range(2))
    for step, _ in enumerate(pacer.waiting(things), 1):
        clock.at += 1.0
        pace = pacer.stepped(1, step, 0.0, {})
    assert pace.wait_share == 0.75


def test_only_the_last_minute_counts_as_now(clock: Clock) -> None:
    pacer = Pacer(phase=1, epochs=1, steps=1000, batch=1, device=CPU)
    for step in range(1, 201):
        clock.at += 10.0 if step <= 100 else 1.0
        pace = pacer.stepped(1, step, float(step), {})
    assert pace.samples_a_second == pytest.approx(1.0, rel=1e-9)
    assert pace.seconds_left == pytest.approx(800 * 5.5)


def test_numbers_are_smoothed(clock: Clock) -> None:
    pacer = Pacer(phase=1, epochs=1, steps=10, batch=1, device=CPU)
    clock.at += 1
    pacer.stepped(1, 1, 0.0, {"depth/low/front": 10.0})
    clock.at += 1
    pace = pacer.stepped(1, 2, 10.0, {"depth/low/front": 0.0})
    assert pace.loss == pytest.approx(1.0) and pace.terms["depth"] == pytest.approx(9.0)
