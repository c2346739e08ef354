"""The processes that train together, and the device of each: one alone, or those that torchrun started.

Refuses to know what is trained. Which device it is gets said, never chosen in silence.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from pipeline.errors import ConfigError, TrainingError
from recon.recipe import AUTO, BF16, TrainRequest
from recon.training.watch import Watch

CPU, CUDA = "cpu", "cuda"
PATIENCE = timedelta(minutes=10)  # how long one process waits for the others
_A_TURN = 0.25  # seconds
_STARTER = "torchrun --nproc-per-node N"


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's device and number, and what all of them can only say together.

    All of them must ask the same questions in the same order.
    """

    device: torch.device
    rank: int = 0
    ranks: int = 1
    ranks_here: int = 1  # on this machine

    @property
    def is_first(self) -> bool:
        """Is this the one that speaks and writes?"""
        return self.rank == 0

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Numbers by name, each the mean over the processes; on the device, without waiting for it."""
        if self.ranks == 1 or not values:
            return dict(values)
        together = torch.stack([*values.values()])
        distributed.all_reduce(together)
        return dict(zip(values, (together / self.ranks).unbind(), strict=True))

    def any(self, claim: bool) -> bool:
        """Does any process claim it? All get the same answer, without waiting for a GPU."""
        if self.ranks == 1:
            return claim
        claims = torch.tensor([claim], dtype=torch.int32)
        distributed.all_reduce(claims, distributed.ReduceOp.MAX)
        return bool(claims.item())

    def gathered(self, texts: Sequence[str]) -> list[str]:
        """The texts of all processes, in their order; all get them."""
        if self.ranks == 1:
            return list(texts)
        found: list[list[str]] = [[] for _ in range(self.ranks)]
        distributed.all_gather_object(found, list(texts))
        return [text for own in found for text in own]

    def barrier(self) -> None:
        """Waits until every process is here."""
        self.any(False)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where torchrun put this process: its number among all, and among those of this machine."""

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    local_ranks: int = 1


@contextmanager
def opened(request: TrainRequest, watch: Watch) -> Iterator[Processes]:
    """The processes that torchrun started, connected until the end, or this one alone.

    One that fails closes its connections, or ends, and torchrun ends the others; without torchrun they fail
    at what they next say together, at the latest after ten minutes of waiting.
    """
    place = _place()
    device = _device(request.device, place)
    _share(request, place)
    if place.rank == 0:
        watch.say(_told(device, place))
        if device.type == CUDA and request.recipe.precision == BF16:
            _warn_of_slow_bf16(device, watch)
    if device.type == CUDA:
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True  # all steps have the same shapes, so it pays to try
    threads = torch.get_num_threads()
    if place.ranks > 1:
        _connect(device, place)
    try:
        yield Processes(device, place.rank, place.ranks, place.local_ranks)
    except BaseException as problem:
        # Closing NCCL may wait for the others, who wait for this one: ending is what tells them.
        _disconnect(place.ranks > 1 and device.type == CPU)
        if _is_loss_of_others(problem):
            raise TrainingError(
                f"process {place.rank} of {place.ranks} has lost another; what ended that one is told by it"
            ) from problem
        raise
    else:
        _disconnect(place.ranks > 1)
    finally:
        torch.set_num_threads(threads)


def _place() -> _Place:
    if "RANK" not in os.environ:
        return _Place()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    texts = [os.environ.get(name, "") for name in names]
    if not all(text.isdecimal() for text in texts):
        found = ", ".join(f"{name}={text or 'nothing'}" for name, text in zip(names, texts, strict=True))
        raise ConfigError(f"the environment says {found}; start several processes by {_STARTER}")
    return _Place(*map(int, texts))


def _device(asked: str, place: _Place) -> torch.device:
    """The device that was asked for, or the first that is there, if this machine has it."""
    named = re.fullmatch(rf"{AUTO}|{CPU}|{CUDA}(?::(\d+))?", asked)
    if not named:
        raise ConfigError(f"device is {asked!r}; choose from auto, cpu, cuda, cuda:0 and so on")
    number = named[1]
    if asked == CPU or (asked == AUTO and not torch.cuda.is_available()):
        return torch.device(CPU)
    if number and place.ranks > 1:
        raise ConfigError(
            f"device is {asked}, and {place.ranks} processes cannot share it; say cuda: each takes its own"
        )
    index, there = int(number or place.local_rank), torch.cuda.device_count()
    if index >= there:
        raise ConfigError(
            f"device is {CUDA}:{index}, and torch {torch.__version__} sees {there} GPUs here; "
            + ("take one of those, or fewer processes" if there else "say cpu, or install a torch for CUDA")
        )
    return torch.device(CUDA, index)


def _share(request: TrainRequest, place: _Place) -> None:
    """Refuse a batch of which processes and passes cannot have equal parts."""
    batch, pieces = request.recipe.batch, place.ranks * request.accumulate
    if batch % pieces:
        raise ConfigError(
            f"batch is {batch}; for equal parts it must be a multiple of {pieces}, "
            f"which are {place.ranks} processes x {request.accumulate} passes"
        )


def _told(device: torch.device, place: _Place) -> str:
    beside = f", with {place.ranks} processes" if place.ranks > 1 else ""
    if device.type == CPU:
        why = "" if torch.cuda.is_available() else f"; torch {torch.__version__} sees no GPU"
        return f"trains on the CPU{beside}{why}"
    about = torch.cuda.get_device_properties(device)
    return f"trains on {device}, {about.name} with {about.total_memory / 2**30:.0f} GiB{beside}"


def _warn_of_slow_bf16(device: torch.device, watch: Watch) -> None:
    with torch.cuda.device(device):
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            watch.warn(f"{device} has no arithmetic in bf16 and imitates it slowly; fp16 is faster there")


def _connect(device: torch.device, place: _Place) -> None:
    """Meets the other processes; numbers on the host go by gloo, those on GPUs by NCCL."""
    backend = "gloo" if device.type == CPU else "cpu:gloo,cuda:nccl"
    try:
        distributed.init_process_group(backend, timeout=PATIENCE)
    except (RuntimeError, ValueError) as problem:
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise ConfigError(
            f"{place.ranks} processes did not meet: {reason}; start them by {_STARTER}"
        ) from problem
    if device.type == CPU:
        # Each would take every core, or only one, by what torchrun says.
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // place.local_ranks))


def _is_loss_of_others(problem: BaseException) -> bool:
    """Is this what is raised when another process does not answer? NCCL has a type for it, gloo none."""
    told_by_gloo = isinstance(problem, RuntimeError) and "gloo" in str(problem)
    return told_by_gloo or isinstance(problem, distributed.DistBackendError)


def _disconnect(is_connected: bool) -> None:
    """Leaves the others.

    Gloo's thread may still hold tensors of Python's from what was said last, and needs Python to let go of
    them; closing waits for that thread and keeps Python to itself. So the thread gets its turn first.
    """
    if is_connected:
        time.sleep(_A_TURN)
        distributed.destroy_process_group()
