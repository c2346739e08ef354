"""Two processes learn what one learns from the whole batch: losses, gradients and weights, step for step.

In double precision, so that nothing but a fault can make a difference: in single precision Adam makes whole
steps of what rounding leaves of gradients that are 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from stepping_people import ALONE, RECIPE, Shown, network, people, show_people
from torch import Tensor
from training_ranks import Heard, in_ranks

from recon import losses
from recon.data.batch import Batch
from recon.recipe import Source, TrainRequest
from recon.training.processes import Processes, opened
from recon.training.stepping import Plan, Stepped, Stepper

STEPS, BATCH, RANKS = 3, 4, 2


@dataclass(frozen=True)
class Case:
    """A phase, and in how many passes each process takes its part of a batch."""

    phase: int
    passes: int


CASES = (Case(1, 1), Case(2, 2))


@dataclass(frozen=True)
class Learnt:
    """What steps came to, and the network before and after."""

    steps: list[Stepped]
    before: dict[str, Tensor]
    after: dict[str, Tensor]


@dataclass(frozen=True)
class Rank:
    """What a process learnt, case by case; and a step in which another one had no numbers."""

    learnt: list[Learnt]
    spoilt: Stepped
    moved: set[str]


def learnt(case: Case, processes: Processes) -> Learnt:
    """What this process's part of every step comes to."""
    plan = Plan(replace(RECIPE, batch=BATCH), losses.default(), case.phase, 10)
    stepper = Stepper(network(case.phase).double(), plan, processes)
    before = {name: tensor.clone() for name, tensor in stepper.network.state_dict().items()}
    steps = [stepper.step(_part(step, case, processes)) for step in range(STEPS)]
    return Learnt(steps, before, stepper.network.state_dict())


def _part(step: int, case: Case, processes: Processes) -> list[Batch]:
    """Of each pass over the batch, the people of this process."""
    numbers = torch.arange(BATCH).add(BATCH * step).reshape(case.passes, processes.ranks, -1)
    return [people(*own, kind=torch.float64) for own in numbers[:, processes.rank].tolist()]


def spoilt(processes: Processes) -> tuple[Stepped, set[str]]:
    """A step in which the last process has a person without numbers, and the weights that it moved."""
    stepper = Stepper(network(2), Plan(RECIPE, losses.default(), 2, 10), processes)
    before = {name: tensor.clone() for name, tensor in stepper.network.named_parameters()}
    batch = people(processes.rank)
    assert isinstance(batch, Shown)
    if processes.rank == processes.ranks - 1:
        batch.ready.depth_B2HW[0, :, 131, 131] = math.inf
    stepped = stepper.step([batch])
    after = stepper.network.named_parameters()
    return stepped, {name for name, tensor in after if not torch.equal(tensor, before[name])}


def learnt_in_rank(folder: Path) -> Rank:
    """What one of two processes learns."""
    request = TrainRequest((Source("demo"),), folder, replace(RECIPE, batch=BATCH), device="cpu")
    patch = pytest.MonkeyPatch()
    show_people(patch)
    with patch.context(), opened(request, Heard()) as processes:
        return Rank([learnt(case, processes) for case in CASES], *spoilt(processes))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Rank]:
    """What each of two processes learns."""
    folder = tmp_path_factory.mktemp("ranks")
    return in_ranks(RANKS, folder, learnt_in_rank, folder)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_processes_learn_as_one(case: Case, parts: list[Rank], monkeypatch: pytest.MonkeyPatch) -> None:
    show_people(monkeypatch)
    whole = learnt(case, ALONE)
    first, second = (part.learnt[CASES.index(case)] for part in parts)
    assert first.steps == second.steps
    for one, other in zip(whole.steps, first.steps, strict=True):
        assert one.is_finite
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-8)
        assert other.terms == pytest.approx(one.terms, rel=1e-5)  # which are told in single precision
        assert other.loss == pytest.approx(one.loss, rel=1e-6)
        assert other.rate == one.rate
    for name, tensor in whole.after.items():
        assert torch.equal(first.after[name], second.after[name]), name
        assert torch.equal(first.before[name], whole.before[name]), name
        assert float((first.after[name] - tensor).abs().max()) < 1e-6, name
    moved = [
        float((whole.after[n] - t).abs().max()) for n, t in whole.before.items() if n.endswith("weight")
    ]
    assert max(moved) > 1e-3  # a thousand times what they may differ by


def test_without_numbers_in_one_process_no_process_moves(parts: list[Rank]) -> None:
    for part in parts:
        assert not part.spoilt.is_finite
        assert not math.isfinite(part.spoilt.loss)
        assert not math.isfinite(part.spoilt.grad_norm)
        assert part.moved == set()
