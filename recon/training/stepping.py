"""One step of learning, on one process or on all: the weights, what moves them, and how well it goes.

Refuses to know where batches come from, how many steps there are, and what is kept of them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import ConfigError
from recon import losses
from recon.data.augment import Prepared, prepared
from recon.data.batch import Batch
from recon.network import Network, Prediction
from recon.recipe import BF16, FP16, FP32, Recipe
from recon.training.processes import Processes
from recon.training.schedule import rate_at
from recon.training.shared_norm import with_shared_norm
from recon.windows import PARTS, absent_parts

_KINDS = {FP32: torch.float32, BF16: torch.bfloat16, FP16: torch.float16}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a phase (1 or 2) of a recipe is trained.

    `look` sees the last prediction of each step of each process and says what is odd about it in a few
    numbers (N,), which come back as means. Compiled networks are faster after minutes of compiling;
    those that `recompute` take less memory and more time.
    """

    recipe: Recipe
    profile: losses.Profile
    phase: int
    steps_per_epoch: int
    compiled: bool = False
    recompute: bool = False
    look: Callable[[Prediction, Prepared], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a step came to, over all processes; the norm is that of the gradient before it is shortened."""

    loss: float
    terms: Mapping[str, float]
    grad_norm: float
    rate: float
    seen: tuple[float, ...] = ()

    @property
    def is_finite(self) -> bool:
        """Are loss and gradient numbers, so that the weights moved?

        In fp16 a gradient may overflow now and then: the next one is scaled to half of that.
        """
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


class Stepper:
    """A network that learns a phase, step by step.

    The first phase's has no refiner, the second's has one. Every process makes one, of networks alike. In
    the second phase passes differ from one whole batch: batch norm sees one pass at a time.
    """

    def __init__(self, network: Network, plan: Plan, processes: Processes) -> None:
        assert (network.refiner is not None) == (plan.phase == 2), "a refiner is for the second phase"
        self.network = network.to(device=processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plan = plan
        self.steps_done = 0
        self._processes = processes
        if plan.phase == 2:
            network.refine_only()
        network.recompute(plan.recompute)
        if plan.compiled:
            _compile(network, processes.device)
        self._parallel = _parallel(network) if processes.ranks > 1 else None
        self._learning = [weight for weight in network.parameters() if weight.requires_grad]
        self._optimiser = torch.optim.Adam(self._learning, plan.recipe.rate, fused=True)
        is_half = plan.recipe.precision == FP16
        self._scaler = torch.amp.GradScaler(processes.device.type, enabled=is_half)
        self._absent_P = torch.zeros(len(PARTS), device=processes.device)

    def step(self, batches: Sequence[Batch]) -> Stepped:
        """Learn from a process's part of a step, pass by pass; nothing moves if that gives no numbers."""
        self.network.train()
        self._optimiser.zero_grad()
        last = len(batches) - 1
        passes = [self._learn(batch, len(batches), is_last=i == last) for i, batch in enumerate(batches)]
        self._scaler.unscale_(self._optimiser)
        norm = nn.utils.clip_grad_norm_(self._learning, self.plan.recipe.clip or math.inf)
        stepped = self._told(passes, norm)
        if stepped.is_finite:
            for group in self._optimiser.param_groups:
                group["lr"] = stepped.rate
            self._optimiser.step()
        self._scaler.update()
        self.steps_done += 1
        return stepped

    def absent(self) -> dict[str, int]:
        """Parts that could not be placed, each of how many people of all processes, since last asked."""
        mean_P = self._processes.mean({"absent": self._absent_P})["absent"]
        self._absent_P = torch.zeros_like(mean_P)
        return absent_parts((mean_P * self._processes.ranks).round().long())

    @torch.no_grad()
    def predict(self, batch: Batch) -> tuple[Prediction, Prepared]:
        """What the network makes of people it does not learn from, and what it was shown."""
        self.network.eval()
        shown = self._shown(batch)
        return self._predicted(self.network, shown), shown

    def terms(self, prediction: Prediction, shown: Prepared) -> losses.Terms:
        """What is wrong with a prediction, in terms of this phase."""
        if self.plan.phase == 2:
            assert prediction.fine is not None
            return losses.second_phase(prediction.fine.surfaces, shown.depth_B2HW, self.plan.profile)
        wanted = losses.targets(shown.depth_B2HW, shown.place, self.plan.profile)
        return losses.first_phase(prediction, wanted, self.plan.profile)

    def state_dict(self) -> dict[str, Any]:
        """All that a step changes; not copies. The network's tensors are under their own names."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "steps": self.steps_done,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another one of the same plan was."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        for weight, moments in self._optimiser.state.items():
            # They are walked through side by side with the weight, so they must lie in memory like it.
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name] = torch.empty_like(weight).copy_(moments[name])
        self._scaler.load_state_dict(state["scaler"])
        self.steps_done = state["steps"]

    def _learn(self, batch: Batch, passes: int, *, is_last: bool) -> tuple[losses.Terms, Tensor | None]:
        """Adds a pass's share to the gradients; its terms, and what was seen in the last."""
        shown = self._shown(batch)
        self._absent_P += shown.place.absent_P
        with self._apart(not is_last):
            prediction = self._predicted(self._parallel or self.network, shown)
            terms = self.terms(prediction, shown)
            self._scaler.scale(losses.total(terms) / passes).backward()  # type: ignore[no-untyped-call]
        seen = None
        if is_last and self.plan.look is not None:
            with torch.no_grad():
                seen = self.plan.look(prediction, shown)
        return {name: term.detach() for name, term in terms.items()}, seen

    def _apart(self, is_apart: bool) -> AbstractContextManager[None]:
        """Gradients stay with their process until the last pass."""
        if is_apart and self._parallel is not None:
            held: AbstractContextManager[None] = self._parallel.no_sync()
            return held
        return nullcontext()

    @torch.no_grad()
    def _shown(self, batch: Batch) -> Prepared:
        return prepared(batch.to(self._processes.device), self.plan.recipe)

    def _predicted(self, run: nn.Module, shown: Prepared) -> Prediction:
        precision = self.plan.recipe.precision
        image_B3HW = shown.image_B3HW.contiguous(memory_format=torch.channels_last)
        kind = self._processes.device.type
        with torch.autocast(kind, _KINDS[precision], enabled=precision != FP32):
            made: Prediction = run(image_B3HW, shown.place)
        return made

    def _told(self, passes: Sequence[tuple[losses.Terms, Tensor | None]], norm: Tensor) -> Stepped:
        """The numbers of a step, means over passes and processes; the one time that it waits for a GPU."""
        names = [*passes[0][0]]
        each = torch.stack([torch.stack([*terms.values()]) for terms, _ in passes]).mean(0)
        seen = passes[-1][1]
        numbers = torch.cat((norm[None], each, norm.new_empty(0) if seen is None else seen.to(norm)))
        grad_norm, *means = self._processes.mean({"": numbers})[""].tolist()
        terms = dict(zip(names, means, strict=False))
        rate = rate_at(self.steps_done, self.plan.steps_per_epoch, self.plan.recipe)
        return Stepped(sum(terms.values()), terms, grad_norm, rate, tuple(means[len(names) :]))


def _parallel(network: Network) -> DistributedDataParallel:
    """Its gradients are means over processes; its statistics are the same everywhere as they come."""
    with_shared_norm(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # newer torch has another name for it, older has not
        return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)


def _compile(network: Network, device: torch.device) -> None:
    """Compiles a network, if anything can be compiled here."""
    torch.compiler.reset()  # what a phase before this one compiled counts against a limit
    try:
        torch.compile(_doubled)(torch.ones(1, device=device))
    except Exception as problem:  # every compiler fails in its own way
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise ConfigError(
            f"networks cannot be compiled on {device}: {reason}; install a C++ compiler and, for a GPU, "
            "Triton, or train without compiling"
        ) from problem
    network.compile()


def _doubled(values: Tensor) -> Tensor:
    return values * 2
