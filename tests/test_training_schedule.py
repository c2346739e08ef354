"""The learning rate: closed forms of the cosine, its warm-up and its restarts."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import pytest
import torch

from recon.recipe import PRESETS, Recipe
from recon.training.schedule import rate_at

PLAIN = Recipe(rate=0.01, restart_epochs=2, warm_up_epochs=0, decay=0.5)  # 20 steps a cycle
WARM = Recipe(rate=0.01, restart_epochs=2, warm_up_epochs=0.4, decay=0.5)  # 4 of them warm up


def curve(recipe: Recipe, steps: int = 60) -> list[float]:
    return [rate_at(step, 10, recipe) for step in range(steps)]


def test_without_a_warm_up_it_is_the_usual_cosine() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([weight], lr=0.01)
    usual = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=20)
    for step, rate in enumerate(curve(PLAIN)):
        assert rate == pytest.approx(optimiser.param_groups[0]["lr"] * 0.5 ** (step // 20))
        with warnings.catch_warnings():  # of a schedule that is stepped before its optimiser
            warnings.simplefilter("ignore")
            usual.step()


def test_it_begins_halves_and_nears_0_where_the_closed_form_says() -> None:
    rates = curve(PLAIN)
    assert rates[0] == 0.01
    assert rates[10] == pytest.approx(0.005)
    assert rates[5] == pytest.approx(0.01 * (1 + math.sqrt(0.5)) / 2)
    assert rates[19] == pytest.approx(0.01 * math.sin(math.pi / 40) ** 2)


def test_each_restart_begins_at_a_part_of_the_one_before() -> None:
    rates = curve(WARM)
    assert rates[20:40] == pytest.approx([rate / 2 for rate in rates[:20]])
    assert rates[40:60] == pytest.approx([rate / 4 for rate in rates[:20]])


def test_it_warms_up_in_even_steps_and_then_falls_for_the_rest_of_the_cycle() -> None:
    rates = curve(WARM, 20)
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert rates[4] == 0.01
    assert rates[12] == pytest.approx(0.005)  # half way from 4 to 20
    assert all(later < earlier for earlier, later in pairwise(rates[4:]))


@pytest.mark.parametrize("warm_up", [0.0, 0.01, 2.0, 7.0])
@pytest.mark.parametrize("restart", [0.001, 0.33, 2.0])
def test_no_step_is_idle_and_none_is_over_the_rate(warm_up: float, restart: float) -> None:
    recipe = Recipe(rate=0.01, restart_epochs=restart, warm_up_epochs=warm_up, decay=1.0)
    assert all(0 < rate <= 0.01 for rate in curve(recipe))


def test_the_published_one_warms_up_for_a_hundredth_of_an_epoch_and_restarts_after_five() -> None:
    recipe, steps = PRESETS["paper"].recipe, 1000
    assert rate_at(0, steps, recipe) == pytest.approx(1e-5)
    assert rate_at(9, steps, recipe) == pytest.approx(1e-4)
    assert rate_at(4999, steps, recipe) < 1e-10
    assert rate_at(5009, steps, recipe) == pytest.approx(5e-5)
    assert rate_at(25_009, steps, recipe) == pytest.approx(1e-4 / 32)
