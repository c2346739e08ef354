"""Warnings come when something goes wrong, once, and never in a training that is well."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.errors import CheckpointError, TrainingError
from recon.recipe import Recipe
from recon.training.looks import HEADS
from recon.training.signs import IDLE_STEPS, LOOKS, MEMORY, MOST_SKIPPED, STEPS, WAITS, Signs

NAMES = ["2K2K/00003/2K2K_0_y_-30_x", "2K2K/00007/2K2K_0_y_0_x"]
Heads = Mapping[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True)
class Step:
    loss: float = 1.0
    terms: Mapping[str, float] = field(default_factory=lambda: {"normals/arm/back": 0.4, "mask/low": 0.6})
    grad_norm: float = 2.0
    rate: float = 1e-4
    seen: Sequence[float] = ()


def told(signs: Signs, steps: Iterable[Step]) -> list[str]:
    return [line for step in steps for line in signs.seen(step, NAMES)]


def well(count: int) -> list[Step]:
    return [Step()] * count


def predicted(others: Heads | None = None, pixels: float = 1000.0) -> Step:
    """A step whose heads are all well but these: blank share and spread by head and side."""
    rows = [(others or {}).get(name, (0.3, 0.1)) for name in HEADS]
    return Step(seen=[number * pixels for blank, spread in rows for number in (1, blank, spread)])


def test_a_long_training_that_is_well_is_not_warned_of() -> None:
    draw = random.Random(4)
    signs = Signs(Recipe())
    for number in range(20_000):
        at = number % 5000  # the rate begins again, and the loss rises with it
        usual = (0.3 + 3 * math.exp(-number / 2000)) * (1.5 if at < 300 and number > 5000 else 1.0)
        loss, norm = (usual * draw.lognormvariate(0, spread) for spread in (0.5, 1.0))
        heads = {name: (draw.uniform(0, 0.97), 0.003) for name in HEADS}
        step = replace(predicted(heads), loss=loss, grad_norm=norm, rate=1e-4 * (1 - at / 5000))
        assert signs.seen(step, NAMES) == []
        assert signs.waited(draw.uniform(0, 0.9)) == []


def test_a_loss_that_leaves_its_level_is_told_of_once() -> None:
    signs = Signs(Recipe())
    assert told(signs, well(50)) == []
    assert told(signs, [Step(loss=4.1)] * (STEPS - 1)) == []
    (line,) = told(signs, [Step(loss=4.1)])
    assert line.startswith("the loss is 4.1, over 4 times its usual 1, for 5 steps")
    assert "--init-from" in line
    assert told(signs, [Step(loss=100.0)] * 1000) == []


def test_it_is_told_of_again_once_it_had_gone_away() -> None:
    signs = Signs(Recipe())
    rise = [Step(loss=9.0)] * STEPS
    assert len(told(signs, [*well(50), *rise])) == 1
    assert len(told(signs, [*well(STEPS - 1), *rise])) == 0
    assert len(told(signs, [*well(STEPS), *rise])) == 1


def test_a_level_that_was_left_is_not_forgotten() -> None:
    signs = Signs(Recipe())
    assert len(told(signs, [*well(50), *[Step(loss=9.0)] * 1000])) == 1
    assert len(told(signs, [*well(STEPS), *[Step(loss=9.0)] * STEPS])) == 1


def test_single_high_losses_are_no_sign() -> None:
    signs = Signs(Recipe())
    assert told(signs, [*well(50), *([Step(loss=50.0)] * (STEPS - 1) + well(1)) * 200]) == []


def test_the_first_steps_are_not_measured_by_themselves() -> None:
    assert told(Signs(Recipe()), [Step(loss=0.01), *[Step(loss=9.0)] * 19]) == []


def test_the_usual_loss_is_that_of_late() -> None:
    signs = Signs(Recipe())
    told(signs, [Step(loss=8.0)] * 300 + [Step(loss=1.0)] * MEMORY)
    (line,) = told(signs, [Step(loss=5.0)] * STEPS)
    assert "usual 1," in line


def test_a_gradient_that_leaves_its_level_is_told_of() -> None:
    signs = Signs(Recipe())
    assert told(signs, [*well(50), *[Step(grad_norm=39.0)] * STEPS]) == []
    (line,) = told(signs, [*well(50), *[Step(grad_norm=41.0)] * STEPS])
    assert line.startswith("the gradient is 41, over 20 times its usual 2")


@pytest.mark.parametrize(("head", "side"), HEADS)
def test_a_head_that_is_dead_is_told_of_by_name(head: str, side: str) -> None:
    is_depth = head == "depth"
    what = f"{side} depth is" if is_depth else f"{side} {head} normals are"
    blank, same = (
        ("at one end", "the same everywhere") if is_depth else ("black", "all alike in a component")
    )
    for dead, how in (((0.99, 0.1), f"{blank} on 99% of people"), ((0.0, 0.001), same)):
        signs = Signs(Recipe())
        steps = [predicted({(head, side): dead})] * LOOKS
        assert told(signs, steps[1:]) == []
        (line,) = told(signs, steps[:1])
        expected = f"{what} {how}: for 200 steps, so nothing is learnt there; begin again with a lower rate"
        assert line == expected
        assert told(signs, steps) == []


def test_heads_that_die_together_are_told_of_together() -> None:
    dead = predicted(dict.fromkeys([("arm", "front"), ("low", "back"), ("depth", "back")], (1.0, 0.0)))
    (line,) = told(Signs(Recipe(profile="paper")), [dead] * LOOKS)
    assert line.startswith(
        "front arm normals are black on 100% of people; back low normals are black on 100% of people; "
        "back depth is at one end on 100% of people: for 200 steps"
    )
    assert line.endswith("begin again with the default profile, whose heads cannot die, or a lower rate")


def test_a_head_that_saw_nobody_is_not_judged() -> None:
    steps = [predicted({("face", "front"): (1.0, 0.0)}, pixels=40)] * (2 * LOOKS)
    assert told(Signs(Recipe()), steps) == []


def test_a_head_that_lives_now_and_then_is_not_dead() -> None:
    steps = [*[predicted({("shoe", "back"): (1.0, 0.0)})] * (LOOKS - 1), predicted()] * 5
    assert told(Signs(Recipe()), steps) == []


BROKEN = Step(
    loss=math.nan, terms={"normals/arm/back": math.nan, "mask/low": 0.6, "depth/low/front": math.inf}
)


def test_a_loss_that_is_no_number_stops_and_says_where() -> None:
    signs = Signs(Recipe())
    signs.saved(Path("runs/a/phase1/last.pt"))
    with pytest.raises(TrainingError) as stopped:
        signs.seen(BROKEN, NAMES)
    assert str(stopped.value) == (
        "the loss is nan in normals/arm/back, depth/low/front, for 2K2K/00003/2K2K_0_y_-30_x, "
        "2K2K/00007/2K2K_0_y_0_x; the last checkpoint, runs/a/phase1/last.pt, is as it was: start anew "
        "from it by --init-from, at a lower rate"
    )


def test_of_many_samples_the_first_are_named() -> None:
    with pytest.raises(TrainingError, match=r"for s0, s1, .*, s7 and 56 more; there is no checkpoint yet"):
        Signs(Recipe()).seen(BROKEN, [f"s{number}" for number in range(64)])


def test_a_loss_whose_terms_are_numbers_is_none_by_their_sum() -> None:
    with pytest.raises(TrainingError, match="the loss is inf in the sum of its terms"):
        Signs(Recipe()).seen(Step(loss=math.inf), NAMES)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gradient_that_is_no_number_stops(precision: str) -> None:
    with pytest.raises(TrainingError, match="the gradient is inf, for 2K2K/00003"):
        Signs(Recipe(precision=precision)).seen(Step(grad_norm=math.inf), NAMES)


def test_steps_that_a_scaler_skips_are_no_sign_unless_it_never_ends() -> None:
    signs = Signs(Recipe(precision="fp16"))
    skipped = Step(grad_norm=math.inf)
    for _ in range(10):
        assert told(signs, [*[skipped] * MOST_SKIPPED, *well(1)]) == []
    told(signs, [skipped] * MOST_SKIPPED)
    with pytest.raises(
        TrainingError, match=f"is inf for {MOST_SKIPPED + 1} steps, whatever its scale, .* bf16"
    ):
        signs.seen(skipped, NAMES)
    with pytest.raises(TrainingError, match="the loss is nan"):
        Signs(Recipe(precision="fp16")).seen(BROKEN, NAMES)


def test_skipped_steps_are_remembered() -> None:
    first, second = Signs(Recipe(precision="fp16")), Signs(Recipe(precision="fp16"))
    told(first, [Step(grad_norm=math.inf)] * MOST_SKIPPED)
    second.load_state_dict(first.state_dict())
    with pytest.raises(TrainingError, match="whatever its scale"):
        second.seen(Step(grad_norm=math.inf), NAMES)


def test_a_rate_of_nothing_is_told_of() -> None:
    signs = Signs(Recipe())
    assert told(signs, [*[Step(rate=0.0)] * (IDLE_STEPS - 1), Step(rate=1e-12)]) == []
    (line,) = told(signs, [Step(rate=0.0)] * 50)
    assert line.startswith("the learning rate was 0 for 10 steps")


def test_waiting_for_most_of_the_time_is_told_of() -> None:
    signs = Signs(Recipe())
    lines = [line for _ in range(3 * WAITS) for line in signs.waited(0.51)]
    assert len(lines) == 1
    assert lines[0].startswith("51% of the time") and "--workers" in lines[0]
    assert [line for _ in range(3 * WAITS) for line in signs.waited(0.5)] == []


def test_what_was_remembered_goes_on_at_any_step() -> None:
    steps = [
        *well(30),
        *[Step(loss=9.0, rate=0.0)] * 3,
        *[predicted({("low", "back"): (1.0, 0.0)})] * LOOKS,
    ]
    steps += [*[Step(loss=9.0, rate=0.0)] * 20, *well(9), *[Step(loss=9.0)] * 9]
    alone = Signs(Recipe())
    expected = [alone.seen(step, NAMES) for step in steps]
    assert sum(map(len, expected)) == 4
    for cut in range(0, len(steps), 7):
        first, second = Signs(Recipe()), Signs(Recipe())
        found = [first.seen(step, NAMES) for step in steps[:cut]]
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert found + [second.seen(step, NAMES) for step in steps[cut:]] == expected


def test_a_memory_of_nothing_is_that_of_a_beginner() -> None:
    signs = Signs(Recipe())
    signs.load_state_dict({})
    assert signs.state_dict() == Signs(Recipe()).state_dict()


@pytest.mark.parametrize("state", [{"past": {}}, {"past": 1}, {"past": {"loss": ["x"], "gradient": []}}])
def test_a_memory_of_another_kind_is_refused(state: Mapping[str, object]) -> None:
    signs = Signs(Recipe())
    with pytest.raises(CheckpointError, match="are not this version's"):
        signs.load_state_dict({"alarms": {}, "skipped": 0, **state})
    assert signs.state_dict() == Signs(Recipe()).state_dict()
