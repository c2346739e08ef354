from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from stepping_people import ALONE, people, show_people, stepper
from torch import Tensor
from training_ranks import Heard, in_ranks

from pipeline.errors import ManifestError
from recon.data.augment import Prepared
from recon.data.batch import Batch
from recon.metrics.views import Measures
from recon.network import Prediction
from recon.recipe import Source, TrainRequest
from recon.training import validation
from recon.training.processes import opened
from recon.training.validation import Scores, validate

NEAR = 1e-5


@pytest.fixture(autouse=True)
def unprepared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    show_people(monkeypatch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def flat(scores: Scores) -> dict[str, float]:
    return {"loss": scores.loss, **scores.terms, **scores.metrics}


@pytest.mark.parametrize("phase", [1, 2])
def test_scores_are_means_over_people_however_they_are_batched(phase: int) -> None:
    learner = stepper(phase)
    alone = [flat(validate(learner, [people(number)], ALONE)) for number in (1, 2, 3)]
    means = {name: sum(one[name] for one in alone) / 3 for name in alone[0]}
    for batches in ([people(1, 2), people(3)], [people(3, 2, 1)]):
        scores = validate(learner, batches, ALONE)
        assert scores.samples == 3
        assert flat(scores) == pytest.approx(means, rel=1e-4, abs=NEAR)
    assert any(name.endswith("/full/front") for name in means) == (phase == 2)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    scores = validate(stepper(), [people(1, 2)], ALONE)
    assert scores.loss == pytest.approx(sum(scores.terms.values()))
    assert scores.loss > 0


def test_validating_changes_nothing() -> None:
    learner = stepper(2)
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    first = validate(learner, [people(1)], ALONE)
    for name, value in learner.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(weight.grad is None for weight in learner.network.parameters())
    assert validate(learner, [people(1)], ALONE) == first


def test_the_first_prediction_is_shown() -> None:
    shown: list[tuple[Prediction, Prepared]] = []
    validate(stepper(), [people(1, 2), people(3)], ALONE, lambda *both: shown.append(both))
    ((prediction, prepared),) = shown
    assert len(prediction.low_normals_B6hw) == len(prepared.image_B3HW) == 2


def test_what_means_nothing_for_somebody_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([torch.tensor([4.0, math.nan]), torch.tensor([7.0]), torch.tensor([math.nan])])

    def measured(*_: object) -> Measures:
        some = next(values)
        return {"a": some, "b": torch.full_like(some, math.nan), "c": torch.ones_like(some)}

    monkeypatch.setattr(validation, "measured", measured)
    scores = validate(stepper(), [people(1, 2), people(3), people(4)], ALONE)
    assert scores.metrics == {"a": 5.5, "c": 1.0}
    assert scores.undefined == {"a": 2, "b": 4}
    assert scores.samples == 4


def test_a_loss_that_is_no_number_stays_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = stepper()
    right = learner.terms

    def terms(prediction: Prediction, shown: Prepared) -> dict[str, Tensor]:
        return {**right(prediction, shown), "mask/low": torch.tensor(math.nan)}

    monkeypatch.setattr(learner, "terms", terms)
    scores = validate(learner, [people(1)], ALONE)
    assert scores.loss == math.inf
    assert scores.terms["mask/low"] == math.inf
    assert not scores.undefined


def test_nobody_to_validate_with_is_refused() -> None:
    with pytest.raises(ManifestError, match="nobody to validate with"):
        validate(stepper(), [], ALONE)


SHARES: list[list[list[tuple[int, ...]]]] = [[[(1, 2)], [(3,)]], [[(2, 3), (1,)], []], [[], [(1,), (2, 3)]]]


def ranked(out: Path) -> list[dict[str, float]]:
    """One process's scores, of its part of each way to share three people out."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        show_people(patch)
        with opened(TrainRequest((Source("demo"),), out, device="cpu"), Heard()) as processes:
            learner = stepper(processes=processes)
            for shares in SHARES:
                batches: list[Batch] = [people(*numbers) for numbers in shares[processes.rank]]
                scores = validate(learner, batches, processes)
                found.append({**flat(scores), "samples": scores.samples})
    return found


def test_two_processes_score_as_one_does(tmp_path: Path) -> None:
    first, second = in_ranks(2, tmp_path, ranked, tmp_path)
    alone = validate(stepper(), [people(1, 2, 3)], ALONE)
    assert first == second
    for scores in first:
        assert scores == pytest.approx({**flat(alone), "samples": 3}, rel=1e-4, abs=NEAR)
