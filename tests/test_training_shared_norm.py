"""Batch norm over processes: the usual one on one of them, and on two that of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from training_ranks import Heard, in_ranks

from recon.network import Network, Shape
from recon.recipe import Source, TrainRequest
from recon.training.processes import opened
from recon.training.shared_norm import SharedNorm, with_shared_norm

PEOPLE, CHANNELS = 4, 6
SHARES = (3, 1)  # of the people, in two processes


@pytest.fixture
def _alone(tmp_path: Path) -> Iterator[None]:
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


alone = pytest.mark.usefixtures("_alone")


def norms(momentum: float | None = 0.1) -> tuple[nn.BatchNorm2d, SharedNorm]:
    """The usual one and ours, of the same weights."""
    generator = torch.Generator().manual_seed(1)
    both = nn.BatchNorm2d(CHANNELS, momentum=momentum), nn.BatchNorm2d(CHANNELS, momentum=momentum)
    for norm in both:
        generator.manual_seed(1)
        with torch.no_grad():
            norm.weight.copy_(torch.rand(CHANNELS, generator=generator) + 0.5)
            norm.bias.copy_(torch.randn(CHANNELS, generator=generator))
    with_shared_norm(nn.Sequential(both[1]))
    assert isinstance(both[1], SharedNorm)
    return both[0], both[1]


def images(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images whose channels lie far from 0, and what is wanted of what becomes of them."""
    generator = torch.Generator().manual_seed(seed)
    shape = (PEOPLE, CHANNELS, 5, 7)
    scale = torch.arange(1.0, CHANNELS + 1)[:, None, None]
    image = torch.randn(shape, generator=generator) * scale + 20 * scale
    return image, torch.randn(shape, generator=generator)


def worked(norm: nn.BatchNorm2d, image: Tensor, wanted: Tensor) -> list[Tensor]:
    """What comes out, what goes back to input, weight and bias, and what is remembered."""
    image = image.detach().requires_grad_()
    norm.zero_grad()
    made = norm(image)
    (made.float() * wanted + made.float().square() * 0.5).sum().backward()
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    assert image.grad is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    remembered = [norm.running_mean.clone(), norm.running_var.clone()]
    return [made.detach(), image.grad, norm.weight.grad.clone(), norm.bias.grad.clone(), *remembered]


def check_alike(found: list[Tensor], true: list[Tensor], within: float) -> None:
    for one, other in zip(found, true, strict=True):
        assert one.dtype == other.dtype
        assert float((one - other).abs().max()) <= within * float(other.abs().max())


@alone
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_on_one_process_it_is_the_usual_one(momentum: float | None, layout: torch.memory_format) -> None:
    usual, shared = norms(momentum)
    for seed in range(3):
        image, wanted = (tensor.to(memory_format=layout) for tensor in images(seed))
        check_alike(worked(shared, image, wanted), worked(usual, image, wanted), 2e-5)
    assert shared.num_batches_tracked == usual.num_batches_tracked == 3


@alone
def test_in_half_precision_it_still_counts_in_full() -> None:
    usual, shared = norms()
    image, wanted = images()
    found = worked(shared, image.bfloat16(), wanted)
    check_alike(found, worked(usual, image.bfloat16(), wanted), 2**-7)
    check_alike(found[-2:], worked(norms()[0], image.bfloat16().float(), wanted)[-2:], 1e-5)


@alone
def test_its_gradients_are_those_of_what_it_does() -> None:
    shared = norms()[1].double()
    image = images()[0][:2, :, :2, :3].double().requires_grad_()

    def made(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(shared, {"weight": weight, "bias": bias}, (image,))
        return out

    parameters = [parameter.detach().requires_grad_() for parameter in (shared.weight, shared.bias)]
    assert torch.autograd.gradcheck(made, (image, *parameters))


@alone
def test_it_evaluates_and_recomputes_without_remembering() -> None:
    usual, shared = norms()
    image, wanted = images()
    shared.track_running_stats = False
    made = worked(shared, image, wanted)[0]
    assert shared.running_mean is not None
    assert not shared.running_mean.any()
    assert shared.num_batches_tracked == 0
    check_alike([made], worked(usual, image, wanted)[:1], 1e-5)
    shared.load_state_dict(usual.state_dict())
    shared.eval()
    usual.eval()
    assert torch.equal(shared(image), usual(image))


def test_a_network_keeps_its_names_and_tensors() -> None:
    network = Network(Shape(256, 4))
    before = network.state_dict(keep_vars=True)
    with_shared_norm(network)
    after = network.state_dict(keep_vars=True)
    assert list(before) == list(after)
    assert all(before[name] is after[name] for name in before)
    kinds = {type(module) for module in network.modules() if isinstance(module, nn.BatchNorm2d)}
    assert kinds == {SharedNorm}


def share(folder: Path) -> list[list[Tensor]]:
    """What one of two processes makes of its part of the people, in full and in half precision."""
    request = TrainRequest((Source("demo"),), folder, device="cpu")
    with opened(request, Heard()) as processes:
        own = slice(0, SHARES[0]) if processes.is_first else slice(SHARES[0], None)
        found = []
        shared = norms()[1]
        for seed, kind in enumerate((torch.float32, torch.float32, torch.bfloat16)):
            image, wanted = images(seed)
            found.append(worked(shared, image[own].to(kind), wanted[own]))
        return found


def test_in_two_processes_it_is_the_usual_one_of_the_whole_batch(tmp_path: Path) -> None:
    parts = in_ranks(2, tmp_path, share, tmp_path)
    usual = norms()[0]
    for seed, (kind, within) in enumerate(
        [(torch.float32, 2e-5), (torch.float32, 2e-5), (torch.bfloat16, 2**-7)]
    ):
        image, wanted = images(seed)
        true = worked(usual, image.to(kind), wanted)
        first, second = (part[seed] for part in parts)
        made = [torch.cat(pair) for pair in zip(first[:2], second[:2], strict=True)]
        weights = [one + other for one, other in zip(first[2:4], second[2:4], strict=True)]
        check_alike([*made, *weights, *first[4:]], [*true[:4], *true[4:]], within)
        assert all(torch.equal(one, other) for one, other in zip(first[4:], second[4:], strict=True))
