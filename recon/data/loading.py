"""Batches of an epoch or of a whole choice, made ahead by worker processes.

What a sample is depends on the seed, the epoch and its place in it alone: workers, processes, passes and
where an epoch is taken up again change nothing. Refuses to touch the device, beyond memory that it can copy
from.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch.utils.data import DataLoader

from pipeline.errors import ConfigError, ManifestError, TrainingError
from recon.data.backgrounds import Backgrounds
from recon.data.batch import Batch, Lost
from recon.data.choice import Choice, why_empty
from recon.data.order import Order
from recon.data.worker import NOT_FOR_WORKERS, Loaded, Samples, Ticket, start
from recon.recipe import Recipe

_MOST_LOST = 0.01  # of the views
_AHEAD = 2  # batches that each worker has ready
_MOST_WORKERS = 8
_WAIT = 2.0  # seconds in which a process that is ending has ended


@dataclass(frozen=True, slots=True)
class Lane:
    """Which part of every step one process takes, and in how many passes."""

    rank: int = 0
    ranks: int = 1
    accumulate: int = 1


_ALONE = Lane()


class Loader:
    """Batches of the chosen views, changed as the recipe says; without backgrounds plain, before black."""

    def __init__(
        self,
        choice: Choice,
        recipe: Recipe,
        *,
        backgrounds: Backgrounds | None,
        workers: int,
        lane: Lane = _ALONE,
    ) -> None:
        if not len(choice):
            raise ConfigError(why_empty(choice))
        passes = lane.ranks * lane.accumulate
        if recipe.batch % passes:
            raise ConfigError(
                f"batch is {recipe.batch}; it must be a multiple of {passes}, which is {lane.ranks} "
                f"processes x {lane.accumulate} passes"
            )
        self._choice, self._recipe, self._lane, self._workers = choice, recipe, lane, workers
        self._size = recipe.batch // passes
        self._order = Order(choice.sources, choice.views, recipe.seed)
        self._plain = Samples(choice, recipe)
        self._drawn = Samples(choice, recipe, backgrounds, spares=True)
        self._epochs: _Crew | None = None
        self._lost: dict[tuple[str, int | None], Lost] = {}
        named = f"{choice.digest} {None if backgrounds is None else backgrounds.digest}"
        self.digest = hashlib.blake2b(named.encode(), digest_size=16).hexdigest()

    @property
    def steps(self) -> int:
        """How many steps an epoch has; what the last one lacks is taken from the epoch's beginning."""
        return -(-len(self._choice) // self._recipe.batch)

    @property
    def lost(self) -> tuple[Lost, ...]:
        """Every picture that this process could not use so far, each once."""
        return tuple(self._lost.values())

    def epoch(self, number: int, start: int = 0) -> Iterator[list[Batch]]:
        """This process's part of every step of an epoch from step `start` on, pass by pass."""
        if self._epochs is None:
            self._epochs = _Crew(self._drawn, self._workers, stays=True)
        passes: list[Batch] = []
        for loaded in self._epochs.load(self._tickets(number, start)):
            batch = self._counted(loaded)
            if batch is None:
                raise ManifestError(self._complaint())
            passes.append(batch)
            if len(passes) == self._lane.accumulate:
                yield passes
                passes = []

    def all(self) -> Iterator[Batch]:
        """Every view of this process's share once, plain; those that are lost are left out."""
        mine = range(self._lane.rank, len(self._choice), self._lane.ranks)
        parts = (mine[at : at + self._size] for at in range(0, len(mine), self._size))
        crew = _Crew(self._plain, self._workers, stays=False)
        for loaded in crew.load([Ticket(0, view, view) for view in part] for part in parts):
            batch = self._counted(loaded)
            if batch is not None:
                yield batch

    def close(self) -> None:
        """End the workers that wait for the next epoch."""
        self._epochs = None

    def _tickets(self, number: int, start: int) -> Iterator[list[Ticket]]:
        """What each pass of this process loads."""
        order = self._order.epoch(number)
        mine = self._size * self._lane.accumulate
        for step in range(start, self.steps):
            first = step * self._recipe.batch + self._lane.rank * mine
            for at in range(first, first + mine, self._size):
                yield [Ticket(number, p, int(order[p % len(order)])) for p in range(at, at + self._size)]

    def _counted(self, loaded: Loaded) -> Batch | None:
        """The batch, with what is lost for the first time; too much that is lost is refused."""
        new = {(one.reason, one.view): one for one in loaded.lost}
        new = {key: one for key, one in new.items() if key not in self._lost}
        self._lost |= new
        if sum(one.view is not None for one in self._lost.values()) > _MOST_LOST * len(self._choice):
            raise ManifestError(self._complaint())
        return loaded.batch and replace(loaded.batch, lost=tuple(new.values()))

    def _complaint(self) -> str:
        views = [one for one in self._lost.values() if one.view is not None]
        return (
            f"{len(views)} of {len(self._choice)} views cannot be read, over {_MOST_LOST:.0%}; build them "
            f"again; the first is {views[0].name}: {views[0].reason}"
        )


def usual_workers(processes: int = 1) -> int:
    """How many workers each of the processes on this machine has, unless somebody says."""
    cores = len(os.sched_getaffinity(0)) // processes
    return min(max(cores - 1, 1), _MOST_WORKERS)


class _Plan:
    """Which samples are loaded together: what a DataLoader calls a batch sampler."""

    def __init__(self) -> None:
        self.batches: Iterable[list[Ticket]] = ()

    def __iter__(self) -> Iterator[list[Ticket]]:
        return iter(self.batches)


class _Crew:
    """Processes that load, as long as somebody holds this; if it `stays`, the same for every plan."""

    def __init__(self, samples: Samples, workers: int, *, stays: bool) -> None:
        self._plan = _Plan()
        self._workers: list[BaseProcess] = []
        self._loader: DataLoader[Loaded] = DataLoader(
            samples,
            batch_sampler=self._plan,
            num_workers=workers,
            collate_fn=_as_it_is,
            worker_init_fn=start,
            prefetch_factor=_AHEAD if workers else None,
            persistent_workers=stays and workers > 0,
            # A GPU that nobody has asked for is left alone.
            pin_memory=bool(torch.cuda.is_initialized()),  # type: ignore[no-untyped-call]
        )

    def load(self, batches: Iterable[list[Ticket]]) -> Iterator[Loaded]:
        """What the tickets stand for, in their order."""
        self._plan.batches = batches
        loading = self._begun()
        while True:
            try:
                loaded = next(loading, None)
            except (RuntimeError, OSError, EOFError) as error:
                gone = self._gone()
                if gone is None:
                    raise
                raise TrainingError(gone) from error
            if loaded is None:
                return
            yield loaded

    def _begun(self) -> Iterator[Loaded]:
        """The beginning of a plan, with workers that wait."""
        before = multiprocessing.active_children()
        heard = signal.getsignal(signal.SIGCHLD)
        held = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_WORKERS)  # until they know what to do
        try:
            loading = iter(self._loader)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        self._workers += [child for child in multiprocessing.active_children() if child not in before]
        # The loader would raise amid whatever is going on when a worker ends; it also sees that by itself.
        if threading.current_thread() is threading.main_thread() and heard is not None:
            signal.signal(signal.SIGCHLD, heard)
        return loading

    def _gone(self) -> str | None:
        """What to say if a worker has ended; None: all are there, and whatever is wrong says so itself."""
        for worker in self._workers:
            worker.join(_WAIT / len(self._workers))
        codes = [worker.exitcode for worker in self._workers if worker.exitcode]
        if not codes:
            return None
        if codes[0] == -signal.SIGBUS:
            return (
                "a process that loads pictures found no shared memory left; allow more in /dev/shm "
                "(docker run --shm-size=8g), or give fewer --workers"
            )
        ended = f"signal {-codes[0]}" if codes[0] < 0 else f"code {codes[0]}"
        return (
            f"a process that loads pictures was ended ({ended}), most likely for want of memory; "
            "give fewer --workers"
        )


def _as_it_is(loaded: Any) -> Any:  # noqa: ANN401  it is made whole already
    return loaded
