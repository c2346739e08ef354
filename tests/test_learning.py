"""Training learns: two people are learnt by heart, far beyond what the untrained network says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from training_rows import write_people

from recon import losses
from recon.data.choice import choose
from recon.data.loading import Loader
from recon.metrics.views import measured
from recon.network import Network, Shape
from recon.recipe import FP32, Recipe, Source
from recon.training.processes import Processes
from recon.training.stepping import Plan, Stepper

STEPS = {1: 130, 2: 150}
RECIPE = Recipe(
    size=256,
    width=8,
    batch=2,
    rate=1e-2,
    restart_epochs=STEPS[1],
    warm_up_epochs=0.0,
    precision=FP32,
    jitter=(1.0, 1.0),
    backgrounds=0.0,
)
RECIPES = {1: RECIPE, 2: replace(RECIPE, rate=2e-2, restart_epochs=STEPS[2])}
# The worse of front and back; thousandths of a unit, of which a person is some 650 tall.
REACHED = {"normal_angle_deg/parts": 20.0, "depth_error/low": 150.0}
REACHED_FINE = {"normal_angle_deg/merged": 20.0, "depth_error/full": 45.0}
UNTRAINED = {"normal_angle_deg": 60.0, "depth_error": 250.0}

Measures = dict[str, float]


@pytest.fixture(autouse=True)
def _one_core() -> Iterator[None]:
    """Two cores are slower than one where something else runs, and round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass
class Lesson:
    """One phase: the same two people, over and over."""

    phase: int
    loader: Loader

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        network = Network(Shape(RECIPE.size, RECIPE.width), refines=self.phase == 2)
        plan = Plan(RECIPES[self.phase], losses.default(), self.phase, self.loader.steps)
        self.stepper = Stepper(network, plan, Processes(torch.device("cpu")))

    def learnt(self) -> Measures:
        """How far predictions are off after all steps."""
        for epoch in range(STEPS[self.phase]):
            for batches in self.loader.epoch(epoch):
                assert self.stepper.step(batches).is_finite
        return self.faults()

    def faults(self) -> Measures:
        """How far predictions are off: of each measure the worse of front and back."""
        (batch,) = self.loader.all()
        prediction, shown = self.stepper.predict(batch)
        found: Measures = {}
        for name, people in measured(prediction, shown.depth_B2HW, shown.place, losses.default()).items():
            what = name.removesuffix("/front").removesuffix("/back")
            found[what] = max(found.get(what, 0.0), people.mean().item())
        return found


def missed(found: Measures, bounds: Measures) -> Measures:
    """What is not under its bound."""
    return {name: found[name] for name, bound in bounds.items() if not found[name] < bound}


def test_two_people_are_learnt_by_heart(tmp_path: Path) -> None:
    write_people(tmp_path, people=2, size=RECIPE.size)
    choice = choose((Source("spheres"),), tmp_path, "train", (), RECIPE.size)
    loader = Loader(choice, RECIPE, backgrounds=None, workers=0)
    first, second = Lesson(1, loader), Lesson(2, loader)

    before = first.faults() | second.faults()
    for name in (*REACHED, *REACHED_FINE):
        assert before[name] > UNTRAINED[name.partition("/")[0]], name

    rough = first.learnt()
    assert missed(rough, REACHED) == {}

    second.stepper.network.load_state_dict(first.stepper.network.state_dict(), strict=False)
    fine = second.learnt()
    assert missed(fine, REACHED_FINE) == {}
    assert {name: fine[name] for name in rough} == rough  # the refiner alone has learnt
