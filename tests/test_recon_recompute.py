"""Making activations again changes nothing but the memory: loss, gradients and statistics stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from oracle import published_placement
from torch import Tensor, nn

from recon.network import Network, Shape
from recon.recompute import recomputed

SIZE = 256


@dataclass(frozen=True)
class Learnt:
    """What a pass gives: the loss, gradients and buffers by name, and bytes kept for the way back."""

    loss: Tensor
    tensors: dict[str, Tensor]
    kept: int


def learnt(phase: int, half: torch.dtype | None, *, recompute: bool) -> Learnt:
    torch.manual_seed(3)
    network = Network(Shape(SIZE, 8), refines=phase == 2).train()
    if phase == 2:
        network.refine_only()
    network.recompute(recompute)
    image = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with torch.autocast("cpu", half, enabled=half is not None):
            made = network(image, published_placement(2))
        losses = [normals.square().mean() for normals in made.part_normals.values()]
        losses += [made.low.depth_B2HW.mean(), made.low.mask_logit_B1HW.square().mean()]
        if made.fine is not None:
            surfaces = made.fine.surfaces
            losses += [surfaces.depth_B2HW.mean(), surfaces.mask_logit_B1HW.square().mean()]
    loss = torch.stack(losses).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {n: weight.grad for n, weight in network.named_parameters() if weight.grad is not None}
    return Learnt(loss.detach(), gradients | dict(network.named_buffers()), sum(storages.values()))


@pytest.mark.parametrize("half", [None, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize(("phase", "share"), [(1, 0.1), (2, 0.4)])
def test_recomputing_learns_the_same_and_keeps_less(
    phase: int, share: float, half: torch.dtype | None
) -> None:
    plain, frugal = (learnt(phase, half, recompute=recompute) for recompute in (False, True))
    assert torch.equal(plain.loss, frugal.loss)
    assert plain.tensors.keys() == frugal.tensors.keys()
    differing = [name for name, tensor in plain.tensors.items() if not tensor.equal(frugal.tensors[name])]
    assert not differing
    assert frugal.kept < share * plain.kept


NORMS: dict[str, Callable[[], nn.BatchNorm2d]] = {
    "usual": lambda: nn.BatchNorm2d(4),
    "of the mean of all": lambda: nn.BatchNorm2d(4, momentum=None),
    "without statistics": lambda: nn.BatchNorm2d(4, track_running_stats=False),
    "held still": lambda: nn.BatchNorm2d(4).eval(),
}


@pytest.mark.parametrize("kind", NORMS)
def test_every_batch_norm_takes_note_of_a_batch_once(kind: str) -> None:
    image = 3 + torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    found = []
    for run in (recomputed, lambda module, image: module(image)):
        norm = NORMS[kind]()
        before = norm.momentum
        for _ in range(2):
            run(norm, image.clone().requires_grad_()).square().sum().backward()
        assert norm.momentum == before
        found.append({name: tensor.clone() for name, tensor in norm.named_buffers()})
    assert found[0].keys() == found[1].keys()
    assert all(tensor.equal(found[1][name]) for name, tensor in found[0].items())
