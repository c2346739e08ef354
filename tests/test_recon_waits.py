"""A step of training hardly ever waits for the device: numbers are made there, and not asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from oracle import published_placement
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from recon import losses
from recon.network import Network, Shape
from recon.parts import KEYPOINTS, place_parts

SIZE = 256
# A list that becomes a tensor is copied to the device, and each of the others needs an answer from there.
WAITING = {"lift_fresh", "_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero"}


class Waits(TorchDispatchMode):
    """Notes operations for which the host and a device wait for each other."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        del types
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(at is not None and at.dtype == torch.bool for at in args[1])
        if by_mask or name in WAITING:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("profile", [losses.default(), losses.paper()], ids=["default", "paper"])
@pytest.mark.parametrize("phase", [1, 2])
def test_a_step_waits_for_nothing_but_where_parts_come_to_lie(phase: int, profile: losses.Profile) -> None:
    network = Network(Shape(SIZE, 4), refines=phase == 2).train()
    place, image, depth = published_placement(), torch.rand(1, 3, SIZE, SIZE), torch.rand(1, 2, SIZE, SIZE)
    with Waits() as waits:
        made = network(image, place)
        if made.fine is None:
            terms = losses.first_phase(made, losses.targets(depth, place, profile), profile)
        else:
            terms = losses.second_phase(made.fine.surfaces, depth, profile)
        torch.autograd.backward(losses.total(terms))
    assert not waits.seen


def test_parts_are_placed_without_waiting() -> None:
    keypoints, known = torch.rand(2, KEYPOINTS, 2), torch.ones(2, KEYPOINTS, dtype=torch.bool)
    place_parts(keypoints, known)  # the first time, the layout is copied to the device
    with Waits() as waits:
        place_parts(keypoints, known)
    assert not waits.seen


WAITS: dict[str, Callable[[Tensor], object]] = {
    "a list": lambda tensor: tensor.new_tensor((1, 2)),
    "a number": lambda tensor: tensor.sum().item(),
    "by a mask": lambda tensor: tensor[tensor > 0],
}


@pytest.mark.parametrize("kind", WAITS)
def test_what_waits_is_noticed(kind: str) -> None:
    with Waits() as waits:
        WAITS[kind](torch.rand(3))
    assert waits.seen
