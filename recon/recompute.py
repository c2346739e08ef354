"""Two ways to run a module that is trained: keep its activations for the backward pass, or make them again.

The second takes a fraction of the memory and one more forward pass; loss, gradients and the statistics of
batch norm are the same. Refuses to know which modules are worth it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def kept(module: nn.Module, *inputs: Tensor) -> Tensor:
    """What a module makes of its inputs; all that its gradients need is kept."""
    made: Tensor = module(*inputs)
    return made


def recomputed(module: nn.Module, *inputs: Tensor) -> Tensor:
    """The same, but only the inputs are kept; the module runs once more when gradients are asked for."""

    def twice() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _unnoticed(module)

    made: Tensor = checkpoint(
        module, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=twice
    )
    return made


@contextmanager
def _unnoticed(module: nn.Module) -> Iterator[None]:
    """Batch norms in training keep their statistics as they are: they have taken note of this batch before.

    They still go through the motions, as what they keep for gradients has to be the same both times.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d) and part.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked -= 1
