"""Networks keep the size of what they see, and strips of the refiner are what the whole would be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recon import unets
from recon.unets import AttentionGate, AttentionUnet, DualUnet, Refiner, initialise


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def refiner() -> Refiner:
    torch.manual_seed(2)
    made = Refiner(3, 4)
    initialise(made)
    return made.eval()


@pytest.mark.parametrize("rows", [2, 6, 16, 40, 64, 1000])
def test_strips_are_the_whole(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(unets, "STRIP", rows)
    made, depth, normals = refiner(), noise(2, 2, 8, 8), noise(2, 6, 64, 64)
    whole = made(depth, normals).detach()  # gradients are on here
    with torch.no_grad():
        strips = made(depth, normals)
    assert (whole - strips).abs().max() < 1e-5 * whole.abs().max()


def test_training_sees_the_whole_even_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unets, "STRIP", 16)
    whole, watched = refiner().train(), refiner().train()
    whole(noise(2, 2, 8, 8), noise(2, 6, 64, 64))
    with torch.no_grad():
        watched(noise(2, 2, 8, 8), noise(2, 6, 64, 64))
    for first, second in zip(whole.buffers(), watched.buffers(), strict=True):
        assert torch.equal(first, second)


def test_a_pixel_of_the_result_sees_the_guide_around_it_and_no_further() -> None:
    made, depth, normals = refiner(), noise(1, 2, 8, 8), noise(1, 6, 64, 64).requires_grad_()
    torch.autograd.backward(made(depth, normals)[0, :, 32, 32].sum())
    assert normals.grad is not None
    rows = normals.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    # 3 of its own size, then 3 of half that size, then 3 of a quarter: rows 4 k + 1 of the guide.
    assert 32 - (3 + 2 * 4 + 4 * 5) <= int(rows.min()) < 32 - 12
    assert 32 + 12 < int(rows.max()) <= 32 + (3 + 2 * 4 + 4 * 5)


def test_a_closed_gate_lets_nothing_through_and_an_open_one_everything() -> None:
    gate, raised, skip = AttentionGate(4).eval(), noise(1, 4, 8, 8), noise(1, 4, 8, 8)
    for bias, passed in ((-100.0, torch.zeros_like(skip)), (100.0, skip)):
        torch.nn.init.constant_(gate.get_parameter("weight.1.bias"), bias)
        assert torch.allclose(gate(raised, skip), passed)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 40)])
def test_a_unet_keeps_height_and_width(height: int, width: int) -> None:
    assert AttentionUnet(6, 5, 4)(noise(2, 6, height, width)).shape == (2, 5, height, width)


def test_both_inputs_of_a_dual_unet_count() -> None:
    torch.manual_seed(3)
    made, first, second = DualUnet((3, 6), 3, 4).eval(), noise(1, 3, 32, 16), noise(1, 6, 32, 16)
    both = made(first, second)
    assert both.shape == (1, 3, 32, 16)
    assert not torch.allclose(made(0 * first, second), both)
    assert not torch.allclose(made(first, 0 * second), both)
