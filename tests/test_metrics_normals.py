from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from recon.metrics.inside import mean_inside
from recon.metrics.normals import angles_deg, has_normal


def directions(*shape: int) -> Tensor:
    """Unit vectors all over the sphere (*shape, 3, 5, 7)."""
    draw = torch.Generator().manual_seed(3)
    return functional.normalize(torch.randn(*shape, 3, 5, 7, generator=draw, dtype=torch.float64), dim=-3)


def turned(normals: Tensor, degrees: float) -> Tensor:
    """Each normal turned by as much, each towards another side."""
    other = directions(*normals.shape[:-3]).roll(1, -1)
    aside = functional.normalize(other - (other * normals).sum(-3, keepdim=True) * normals, dim=-3)
    return normals * math.cos(math.radians(degrees)) + aside * math.sin(math.radians(degrees))


def encoded(normals: Tensor) -> Tensor:
    return ((normals + 1) / 2).float()


@pytest.mark.parametrize("degrees", [0.0, 0.01, 1.0, 20.0, 90.0, 179.0, 180.0])
def test_an_angle_is_that_by_which_normals_were_turned(degrees: float) -> None:
    normals = directions(2, 4)
    angles = angles_deg(encoded(turned(normals, degrees)), encoded(normals))
    assert angles.shape == (2, 4, 1, 5, 7)
    torch.testing.assert_close(angles, torch.full_like(angles, degrees), atol=2e-4, rtol=0)


def test_an_angle_does_not_depend_on_the_length_of_what_was_predicted() -> None:
    normals = directions(2)
    angles = angles_deg(encoded(0.3 * turned(normals, 30.0)), encoded(normals))
    torch.testing.assert_close(angles, torch.full_like(angles, 30.0), atol=1e-3, rtol=0)


@pytest.mark.parametrize("nothing", [0.0, 0.5, math.nan, math.inf])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_prediction_that_says_nothing_is_as_bad_as_guessing(nothing: float, kind: torch.dtype) -> None:
    true = encoded(directions(2))
    angles = angles_deg(torch.full_like(true, nothing, dtype=kind), true)
    torch.testing.assert_close(angles, torch.full_like(angles, 90.0))


def test_guessing_comes_to_ninety_degrees() -> None:
    draw = torch.Generator().manual_seed(5)
    guesses = functional.normalize(torch.randn(3, 200, 200, generator=draw), dim=0)
    ahead = torch.tensor((0.5, 0.5, 1.0))[:, None, None].expand(3, 200, 200)
    assert float(angles_deg(encoded(guesses), ahead).mean()) == pytest.approx(90, abs=0.5)


def test_there_is_a_normal_wherever_one_is_not_all_zero() -> None:
    normals = directions(2)
    normals[0, :, 1, 2] = torch.tensor((-1.0, -1.0, -1.0)) / math.sqrt(3)
    some = encoded(normals)
    some[1, :, 3, 4] = 0.0
    there = has_normal(some)
    assert there.shape == (2, 1, 5, 7)
    assert not there[1, 0, 3, 4]
    assert int(there.sum()) == 2 * 5 * 7 - 1


def test_a_mean_is_of_each_persons_own_pixels() -> None:
    values = torch.tensor([[1.0, 2.0, 30.0], [4.0, math.nan, math.inf], [7.0, 8.0, 9.0]])
    inside = torch.tensor([[True, True, False], [True, False, False], [False, False, False]])
    found = mean_inside(values.view(3, 1, 3), inside.view(3, 1, 3))
    torch.testing.assert_close(found, torch.tensor([1.5, 4.0, math.nan]), equal_nan=True)
