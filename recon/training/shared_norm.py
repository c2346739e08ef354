"""Batch norm whose statistics are those of all processes, so that a batch may be spread over them.

Keeps for the way back what the usual one keeps: the input, mean and variance. Refuses to know what it
normalises, and whether it is worth it: one process alone uses the usual one.

Legend of suffixes: B batch, C channels, H height, W width, R processes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class Statistics(NamedTuple):
    """Mean and variance of each channel (C,) over all processes, and of how many values (1,)."""

    mean_C: Tensor
    variance_C: Tensor
    count_1: Tensor


class SharedNorm(nn.BatchNorm2d):
    """Like nn.BatchNorm2d, under the same names; in training all processes have to call it alike."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, input: Tensor) -> Tensor:
        """The input (B, C, H, W), normalised over all processes or, in evaluation, by what was seen."""
        if not self.training:
            return super().forward(input)
        seen = shared_statistics(input, self.running_var)
        if self.track_running_stats:
            self._remember(seen)
        made: Tensor = _Normalised.apply(input, self.weight, self.bias, *seen, self.eps)  # type: ignore[no-untyped-call]
        return made

    @torch.no_grad()
    def _remember(self, seen: Statistics) -> None:
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        unbiased_C = seen.variance_C * (seen.count_1 / (seen.count_1 - 1))
        self.running_mean.lerp_(seen.mean_C, share)
        self.running_var.lerp_(unbiased_C, share)


@torch.no_grad()
def shared_statistics(input_BCHW: Tensor, like_C: Tensor) -> Statistics:
    """Over the inputs of all processes, in the precision of `like`, whatever the input's."""
    # Given somewhere to write in that precision, it also counts in it, without a copy of the input.
    mean_C, variance_C = torch.batch_norm_update_stats(
        input_BCHW, torch.zeros_like(like_C), torch.ones_like(like_C), 0.0
    )
    count_1 = mean_C.new_tensor([input_BCHW.numel() // input_BCHW.shape[1]])
    own = torch.cat((mean_C, variance_C, count_1))
    each = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(each, own)
    mean_RC, variance_RC, count_R1 = torch.stack(each).tensor_split((len(mean_C), 2 * len(mean_C)), 1)
    # Not by sums of squares: their difference would be mostly rounding where the mean is large.
    total_1 = count_R1.sum(0)
    mean_C = (mean_RC * count_R1).sum(0) / total_1
    spread_RC = variance_RC + (mean_RC - mean_C).square()
    return Statistics(mean_C, (spread_RC * count_R1).sum(0) / total_1, total_1)


class _Normalised(torch.autograd.Function):
    """Normalised by given statistics, of which the way back knows that they came from the input."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917  one for each thing that a gradient may be asked of
        ctx: Any,  # noqa: ANN401  torch says nothing about it
        input_BCHW: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        mean_C: Tensor,
        variance_C: Tensor,
        count_1: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(input_BCHW, weight_C, mean_C, variance_C, count_1)
        ctx.eps = eps
        return functional.batch_norm(input_BCHW, mean_C, variance_C, weight_C, bias_C, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, towards_BCHW: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Sums over all processes for the input; weight and bias get this process's own."""
        input_BCHW, weight_C, mean_C, variance_C, count_1 = ctx.saved_tensors
        _, weight_grad_C, bias_grad_C = torch.ops.aten.native_batch_norm_backward(
            towards_BCHW,
            input_BCHW,
            weight_C,
            mean_C,
            variance_C,
            None,
            None,
            False,  # the statistics are given
            ctx.eps,
            (False, True, True),
        )
        sums_2C = torch.stack((weight_grad_C, bias_grad_C))
        distributed.all_reduce(sums_2C)
        scale_C = weight_C * (variance_C + ctx.eps).rsqrt()
        along_C, level_C = -scale_C * sums_2C / count_1
        # scale * (towards - level - along * normalised), each half of it in one pass and counted in full.
        zero_C, one_C = torch.zeros_like(mean_C), torch.ones_like(mean_C)
        grad_BCHW = functional.batch_norm(towards_BCHW, zero_C, one_C, scale_C, level_C, eps=0.0)
        grad_BCHW += functional.batch_norm(input_BCHW, mean_C, variance_C, along_C, zero_C, eps=ctx.eps)
        return grad_BCHW, weight_grad_C, bias_grad_C, None, None, None, None


def with_shared_norm(network: nn.Module) -> None:
    """Lets every batch norm of a network share its statistics; names and tensors stay as they are."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedNorm
