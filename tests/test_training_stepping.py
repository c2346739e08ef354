"""Steps: the textbook's, in any passes; nothing moves without numbers; who goes on from a file goes on."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from stepping_people import ALONE, RECIPE, SIZE, Shown, network, people, show_people, stepper
from torch import Tensor, nn

from pipeline.errors import ConfigError
from recon import losses
from recon.data.augment import Prepared
from recon.data.batch import Batch
from recon.network import Network, Prediction
from recon.recipe import BF16, FP16
from recon.training.schedule import rate_at
from recon.training.stepping import Plan, Stepper


@pytest.fixture(autouse=True)
def _shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    show_people(monkeypatch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def copied(state: Any) -> Any:  # noqa: ANN401
    """A state as it comes out of a file."""
    written = io.BytesIO()
    torch.save(state, written)
    written.seek(0)
    return torch.load(written, weights_only=True)


def flat(state: Any) -> dict[str, Any]:  # noqa: ANN401
    """All that a state holds, by path."""
    if isinstance(state, dict):
        parts = state.items()
    elif isinstance(state, list):
        parts = dict(enumerate(state)).items()
    else:
        return {"": state}
    return {f"{key}/{path}": leaf for key, part in parts for path, leaf in flat(part).items()}


def check_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(flat(one)) == list(flat(other))
    for (path, first), second in zip(flat(one).items(), flat(other).values(), strict=True):
        assert torch.equal(first, second) if isinstance(first, Tensor) else first == second, path


def by_hand(learner: Network, passes: list[Batch], optimiser: torch.optim.Adam, clip: float) -> list[float]:
    """A step of the first phase as a textbook has it; loss and norm."""
    optimiser.zero_grad()
    loss = torch.zeros(())
    for batch in passes:
        assert isinstance(batch, Shown)
        ready = batch.ready
        wanted = losses.targets(ready.depth_B2HW, ready.place, losses.default())
        made = learner(ready.image_B3HW, ready.place)
        loss = loss + losses.total(losses.first_phase(made, wanted, losses.default())) / len(passes)
    torch.autograd.backward(loss)
    gradients = [weight.grad for weight in learner.parameters() if weight.grad is not None]
    norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
    for gradient in gradients:
        gradient.mul_(min(1.0, clip / norm) if clip else 1.0)
    optimiser.step()
    return [float(loss.detach()), norm]


@pytest.mark.parametrize("clip", [0.0, 10.0])
def test_steps_are_the_textbooks_in_any_passes(clip: float) -> None:
    plan = Plan(replace(RECIPE, clip=clip), losses.default(), 1, 10)
    learner, other = Stepper(network(1).double(), plan, ALONE), network(1).double()
    optimiser = torch.optim.Adam(other.parameters(), RECIPE.rate)
    for step in range(2):
        passes = [people(2 * step, kind=torch.float64), people(2 * step + 1, kind=torch.float64)]
        stepped = learner.step(passes)
        optimiser.param_groups[0]["lr"] = rate_at(step, 10, RECIPE)
        loss, norm = by_hand(other, passes, optimiser, clip)
        assert stepped.loss == pytest.approx(loss, rel=1e-6)
        assert stepped.grad_norm == pytest.approx(norm, rel=1e-8)
        assert norm > 2 * clip
    true = other.state_dict()
    for name, tensor in learner.network.state_dict().items():
        assert float((tensor - true[name]).abs().max()) < 1e-6, name


def test_terms_add_up_and_the_rate_follows_its_schedule() -> None:
    learner = stepper(recipe=replace(RECIPE, warm_up_epochs=0.2))
    for step in range(3):
        stepped = learner.step([people(step)])
        assert stepped.loss == pytest.approx(sum(stepped.terms.values()))
        assert stepped.rate == rate_at(step, 10, learner.plan.recipe)
        assert stepped.is_finite
        assert len(stepped.terms) == 17
    assert learner.steps_done == 3


def test_the_second_phase_moves_the_refiner_and_nothing_else() -> None:
    learner = stepper(2)
    before = copied(learner.network.state_dict())
    stepped = learner.step([people(0), people(1)])
    assert {name.split("/")[1] for name in stepped.terms} == {"full"}
    after = learner.network.state_dict()
    moved = {name.split(".")[0] for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == {"refiner"}


@pytest.mark.parametrize("phase", [1, 2])
def test_nothing_moves_without_numbers(phase: int) -> None:
    learner = stepper(phase)
    learner.step([people(0)])
    before = copied(learner.state_dict())
    bad = people(0)
    assert isinstance(bad, Shown)
    bad.ready.depth_B2HW[0, :, 131, 131] = math.inf  # where the small depth has a pixel too
    stepped = learner.step([people(1), bad])
    assert not stepped.is_finite
    assert not math.isfinite(stepped.loss)
    after = learner.state_dict()
    assert after.pop("steps") == before.pop("steps") + 1
    for state in (before, after):
        for name in [*state["network"]]:
            if "running" in name or "num_batches" in name:
                del state["network"][name]
    check_same(before, after)
    assert learner.step([people(1)]).is_finite


@pytest.mark.parametrize("phase", [1, 2])
def test_one_that_goes_on_from_a_file_goes_on_the_same(phase: int) -> None:
    straight, begun = stepper(phase), stepper(phase)
    for step in range(2):
        straight.step([people(step)])
        begun.step([people(step)])
    resumed = stepper(phase, seed=9)
    state = copied(begun.state_dict())
    for moments in state["optimiser"]["state"].values():  # as files may hold them that know no other layout
        moments["exp_avg"] = moments["exp_avg"].contiguous()
    resumed.load_state_dict(state)
    for step in range(2, 4):
        assert straight.step([people(step)]) == resumed.step([people(step)])
    check_same(straight.state_dict(), resumed.state_dict())


def test_predicting_leaves_no_trace_and_learning_goes_on() -> None:
    learner, undisturbed = stepper(), stepper()
    for step in range(2):
        before = copied(learner.state_dict())
        prediction, shown = learner.predict(people(7, 8))
        check_same(before, learner.state_dict())
        assert not prediction.low_normals_B6hw.requires_grad
        assert shown.depth_B2HW.shape == (2, 2, SIZE, SIZE)
        terms = learner.terms(prediction, shown)
        assert learner.step([people(step)]) == undisturbed.step([people(step)])
        assert terms.keys() == learner.terms(*learner.predict(people(7, 8))).keys()


def test_what_looks_at_predictions_sees_the_last_pass() -> None:
    def look(prediction: Prediction, shown: Prepared) -> Tensor:
        assert not torch.is_grad_enabled()
        return torch.stack([prediction.low.depth_B2HW.mean(), shown.depth_B2HW.mean()])

    learner = Stepper(network(1), Plan(RECIPE, losses.default(), 1, 10, look=look), ALONE)
    passes = [people(0), people(3)]
    last = passes[1]
    assert isinstance(last, Shown)
    seen = learner.step(passes).seen
    assert len(seen) == 2
    assert seen[1] == pytest.approx(float(last.ready.depth_B2HW.mean()))
    assert stepper().step(passes).seen == ()


def test_in_bf16_weights_stay_whole_and_the_loss_is_about_the_same() -> None:
    half = stepper(recipe=replace(RECIPE, precision=BF16))
    exact, rounded = stepper().step([people(0)]), half.step([people(0)])
    assert rounded.loss != exact.loss
    assert rounded.loss == pytest.approx(exact.loss, rel=0.05)
    assert {weight.dtype for weight in half.network.parameters()} == {torch.float32}
    assert half.predict(people(0))[0].low_normals_B6hw.dtype == torch.float32


def test_in_fp16_a_gradient_that_overflows_lowers_its_scale_until_it_does_not() -> None:
    learner = stepper(recipe=replace(RECIPE, precision=FP16))
    state = copied(learner.state_dict())
    state["scaler"]["scale"] = 2.0**100
    learner.load_state_dict(state)
    stepped = learner.step([people(0)])
    assert math.isfinite(stepped.loss)
    assert not math.isfinite(stepped.grad_norm)
    assert learner.state_dict()["scaler"]["scale"] == 2.0**99
    assert not learner.state_dict()["optimiser"]["state"]
    state["scaler"]["scale"] = 2.0
    learner.load_state_dict(state)
    assert learner.step([people(0)]).is_finite
    exact = stepper().step([people(0)])
    assert stepped.loss == pytest.approx(exact.loss, rel=0.05)
    assert learner.state_dict()["optimiser"]["state"]


def test_gradients_in_fp16_are_told_without_their_scale() -> None:
    norms = []
    for scale in (1.0, 4096.0):
        learner = stepper(2, recipe=replace(RECIPE, precision=FP16))
        state = copied(learner.state_dict())
        state["scaler"]["scale"] = scale
        learner.load_state_dict(state)
        norms.append(learner.step([people(0)]).grad_norm)
    assert norms[0] == pytest.approx(norms[1], rel=0.05)


@pytest.mark.parametrize("phase", [1, 2])
def test_recomputing_learns_the_same(phase: int) -> None:
    kept = stepper(phase)
    recomputing = Stepper(network(phase), Plan(RECIPE, losses.default(), phase, 10, recompute=True), ALONE)
    for step in range(2):
        assert kept.step([people(step)]) == recomputing.step([people(step)])
    check_same(kept.state_dict(), recomputing.state_dict())


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*given: object, **named: object) -> None:
        raise RuntimeError("no compiler\nof any kind")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(ConfigError, match="cannot be compiled on cpu: no compiler; install") as caught:
        Stepper(network(1), Plan(RECIPE, losses.default(), 1, 10, compiled=True), ALONE)
    assert "\n" not in str(caught.value)


def test_every_network_of_the_model_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []

    def noted(part: nn.Module, **_: object) -> None:
        compiled.append(part)

    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(nn.Module, "compile", noted)
    learner = Stepper(network(2), Plan(RECIPE, losses.default(), 2, 10, compiled=True), ALONE)
    inside = [weight for part in compiled for weight in part.parameters()]
    assert {id(weight) for weight in inside} == {id(weight) for weight in learner.network.parameters()}
