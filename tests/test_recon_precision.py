"""In half precision places stay exact, depth is not rounded, and everything stays near single precision."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from oracle import drawn_by_rule, published_placement

from recon.network import FARTHEST, Network, Prediction, Shape, Surfaces
from recon.unets import RaiseDepth, Refiner
from recon.windows import WINDOWS, laid_back, landings, window_views

SIZE = 256
HALVES = [(torch.bfloat16, 8.0), (torch.float16, 1.0)]  # and how much coarser each is
halves = pytest.mark.parametrize(("half", "coarseness"), HALVES, ids=["bf16", "fp16"])


@cache
def network() -> Network:
    made = Network(Shape(SIZE, 8))
    shapes = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    made.load_state_dict(drawn_by_rule(shapes))
    return made.eval()


@cache
def predicted(half: torch.dtype | None = None) -> Prediction:
    image = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode(), torch.autocast("cpu", half, enabled=half is not None):
        made: Prediction = network()(image, published_placement())
    return made


def surfaces(made: Prediction) -> list[Surfaces]:
    assert made.fine is not None
    return [made.low, made.fine.surfaces]


@halves
def test_depth_normals_and_masks_are_nearly_those_of_single_precision(
    half: torch.dtype, coarseness: float
) -> None:
    rough, exact = predicted(half), predicted()
    for made, true in zip(surfaces(rough), surfaces(exact), strict=True):
        assert made.depth_B2HW.dtype == made.mask_logit_B1HW.dtype == torch.float32
        inner = (true.depth_B2HW > 0) & (true.depth_B2HW < FARTHEST)
        off = (made.depth_B2HW - true.depth_B2HW).abs()[inner]
        assert off.median() < 5e-3 * coarseness * true.depth_B2HW.std()
        assert (made.mask_B1HW - true.mask_B1HW).abs().mean() < 1e-3 * coarseness
    assert rough.fine is not None
    assert exact.fine is not None
    assert torch.equal(rough.fine.covered_B1HW, exact.fine.covered_B1HW)
    normals = [
        (rough.low_normals_B6hw, exact.low_normals_B6hw),
        (rough.fine.normals_B6HW, exact.fine.normals_B6HW),
        *((rough.part_normals[name], exact.part_normals[name]) for name in WINDOWS),
    ]
    for made_normals, true_normals in normals:
        assert made_normals.dtype == torch.float32
        assert (made_normals - true_normals).abs().mean() < 5e-4 * coarseness


@halves
def test_depth_that_differs_by_less_than_half_precision_is_told_apart(
    half: torch.dtype, coarseness: float
) -> None:
    refiner = network().refiner
    assert isinstance(refiner, Refiner)
    raised = refiner.depth[0]
    assert isinstance(raised, RaiseDepth)
    depth = torch.full((1, 2, 8, 8), 2.25)
    nearer = depth + coarseness / 4096  # a quarter of what half precision can tell
    assert torch.equal(depth.to(half), nearer.to(half))
    with torch.no_grad(), torch.autocast("cpu", half):
        found = raised(nearer) - raised(depth)
        expected = raised(depth + 1) - raised(depth)
    assert found.dtype == torch.float32
    assert (found.abs() > 0).float().mean() == (expected.abs() > 0).float().mean() > 0.2


@halves
def test_windows_of_a_rounded_image_lie_where_they_would_lie_in_an_exact_one(
    half: torch.dtype, coarseness: float
) -> None:
    del coarseness
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 2048, 2048, generator=generator).to(half)
    place = published_placement()
    shape = (64, 48)
    seen = window_views(image, place, shape)
    assert torch.equal(seen, window_views(image.float(), place, shape))
    views = {
        name: torch.rand(1, len(range(12)[w.parts]), 6, *w.at(SIZE), generator=generator).to(half)
        for name, w in WINDOWS.items()
    }
    where = landings(place, SIZE)
    made = laid_back(views, place, where, SIZE)
    exact = laid_back({name: view.float() for name, view in views.items()}, place, where, SIZE)
    assert all(torch.equal(rounded, whole) for rounded, whole in zip(made, exact, strict=True))
