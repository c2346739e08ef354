"""People for tests of steps: eggs before noise that need no preparation, and who learns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest
import torch
from oracle import published_placement
from torch import Tensor

from recon import losses
from recon.data.augment import Prepared
from recon.data.batch import Batch
from recon.network import Network, Shape
from recon.recipe import FP32, Recipe
from recon.training import stepping
from recon.training.processes import Processes
from recon.training.stepping import Plan, Stepper

SIZE, WIDTH = 256, 4
ALONE = Processes(torch.device("cpu"))
RECIPE = Recipe(size=SIZE, width=WIDTH, batch=2, rate=1e-3, warm_up_epochs=0, precision=FP32)


@dataclass(frozen=True)
class Shown:
    """Stands for a batch: people that need no preparation."""

    ready: Prepared

    def to(self, device: torch.device) -> Shown:
        assert device.type == "cpu"
        return self

    def __len__(self) -> int:
        return len(self.ready.image_B3HW)


def shown(batch: Batch, recipe: Recipe) -> Prepared:
    """What stands in for the preparation of batches."""
    assert recipe.size == SIZE
    return cast(Shown, batch).ready


def show_people(patch: pytest.MonkeyPatch) -> None:
    """From now on steppers are shown people that need no preparation."""
    patch.setattr(stepping, "prepared", shown)


def people(*numbers: int, kind: torch.dtype = torch.float32) -> Batch:
    """A batch of people, each by a number."""
    images, depths = zip(*(_person(number) for number in numbers), strict=True)
    ready = Prepared(torch.stack(images).to(kind), torch.stack(depths), published_placement(len(numbers)))
    return cast(Batch, Shown(ready))


def _person(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    at = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    square = 0.3 + 0.05 * (number % 5) - (at * 1.5).square() - (at[:, None] - 0.02 * number).square()
    half = square.clamp(min=0).sqrt()
    depth = torch.where(square > 0, torch.stack((2 - half, 2.2 + half)), 0.0)
    noise = torch.rand(3, SIZE // 8, SIZE // 8, generator=generator)
    behind = torch.nn.functional.interpolate(noise[None], size=SIZE, mode="bilinear")[0]
    return torch.where(square > 0, half, behind) * 2 - 1, depth


def network(phase: int, seed: int = 5) -> Network:
    torch.manual_seed(seed)
    return Network(Shape(SIZE, WIDTH), refines=phase == 2)


def stepper(
    phase: int = 1, recipe: Recipe = RECIPE, processes: Processes = ALONE, seed: int = 5
) -> Stepper:
    """One that learns a phase; 10 steps are an epoch."""
    return Stepper(network(phase, seed), Plan(recipe, losses.default(), phase, 10), processes)
