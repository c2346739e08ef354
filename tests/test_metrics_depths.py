from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from training_rows import ball, seen

from pipeline.geometry.camera import portrait_camera
from recon.metrics.depths import depth_errors
from recon.metrics.inside import mean_inside
from recon.metrics.masks import overlap
from recon.rays import network_depth


def front_of_ball(radius: float) -> tuple[Tensor, Tensor]:
    """Network depth (1, 1, H, W), and where there is any."""
    lengths = torch.from_numpy(seen(ball(radius), 0.0, portrait_camera(128)).front)[None, None]
    return network_depth(lengths).float(), lengths > 0


def test_a_surface_that_is_moved_along_its_rays_is_off_by_that() -> None:
    true, inside = front_of_ball(0.3)
    moved = true + (network_depth(torch.tensor(1.0042)) - network_depth(torch.tensor(1.0)))
    found = mean_inside(depth_errors(moved, true), inside)
    torch.testing.assert_close(found, torch.tensor([4.2]), atol=1e-3, rtol=0)


def test_a_ball_within_another_is_off_by_the_way_between_them() -> None:
    (true, _), (made, inside) = front_of_ball(0.3), front_of_ball(0.2)
    # A ray that passes the centre at `a` meets a ball at sqrt(1 - a^2) - sqrt(r^2 - a^2) from the camera.
    at = (np.arange(128) + 0.5) / 64 - 1
    tangents = (at**2 + at[:, None] ** 2) * math.tan(math.radians(25)) ** 2
    squares = torch.from_numpy(tangents / (1 + tangents))
    apart = (0.3**2 - squares).clamp(min=0).sqrt() - (0.2**2 - squares).clamp(min=0).sqrt()
    wanted = mean_inside(1000 * apart[None, None], inside)
    found = mean_inside(depth_errors(made, true), inside)
    assert 100 < float(wanted) < 200
    torch.testing.assert_close(found, wanted.float(), atol=1e-3, rtol=0)


def test_the_side_to_which_a_surface_is_off_does_not_matter() -> None:
    a, b = torch.tensor([1.0, 3.0]), torch.tensor([3.0, 1.0])
    torch.testing.assert_close(depth_errors(a, b), depth_errors(b, a))
    assert (depth_errors(a, b) > 0).all()


def test_a_depth_that_is_no_number_is_as_far_off_as_can_be() -> None:
    assert depth_errors(torch.tensor([math.nan]), torch.tensor([2.0])).tolist() == [math.inf]


def disc(middle: float, radius: float) -> Tensor:
    at = (torch.arange(400) + 0.5) / 200 - 1
    return ((at - middle).square() + at[:, None].square() < radius**2)[None, None]


@pytest.mark.parametrize("apart", [0.0, 0.25, 0.5, 0.75, 1.2])
def test_discs_overlap_by_their_lens_over_the_rest(apart: float) -> None:
    radius = 0.5
    reach = min(apart / (2 * radius), 1.0)
    lens = 2 * radius**2 * (math.acos(reach) - reach * math.sqrt(1 - reach**2))
    wanted = lens / (2 * math.pi * radius**2 - lens)
    found = overlap(disc(-apart / 2, radius), disc(apart / 2, radius))
    assert float(found) == pytest.approx(wanted, abs=4e-3)


def test_an_overlap_is_each_persons_own() -> None:
    full, none = torch.ones(1, 1, 4, 4, dtype=torch.bool), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    found = overlap(torch.cat((full, none, full, none)), torch.cat((full, full, none, none)))
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, 0.0, math.nan]), equal_nan=True)
