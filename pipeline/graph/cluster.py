"""The plan carried out on Dask, by processes of this machine, of a Slurm cluster, or of a cluster there is.

The only file that knows Dask. Each job is a chain of tasks bound to one worker, and a worker has one job at
a time: what a step leaves in its process is there for the next step, a death is the fault of one job, and
what the scheduler holds grows with the workers and not with the scans. Refuses to know what a step does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import logging
import math
import pickle
import queue
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter, methodcaller
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psutil
from distributed import Future, KilledWorker
from distributed.client import ClosedClientError
from toolz import compose

from pipeline.errors import ConfigError
from pipeline.graph.plan import Carried, CrewFacts, Job, Outcome, Plan, Step, Take, checked
from pipeline.graph.roster import Roster
from pipeline.graph.sites import Site, prepare_worker

_LOG = logging.getLogger(__name__)
_LOOK = 5.0  # seconds between looks at who the scheduler thinks is there
_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)


@dataclass(frozen=True)
class _Came:
    """A worker is there."""

    address: str


@dataclass(frozen=True)
class _Leaves:
    """A worker says goodbye."""

    address: str


@dataclass(frozen=True)
class _Went:
    """A worker is gone, and with it these tasks; `expected` means it was sent away."""

    address: str
    tasks: frozenset[str]
    expected: bool


@dataclass(frozen=True)
class _Done:
    """A chain of tasks came to its end: with a value, or with what was raised."""

    chain: _Chain
    value: Any
    error: BaseException | None


@dataclass(eq=False)
class _Chain:
    """The tasks of one job on one worker, in order, each with its step; and what the last one returns."""

    address: str
    tasks: dict[str, str]
    last: Future[Any]

    def step_at(self, tasks: frozenset[str]) -> str:
        """The step that was carried out when these tasks were lost."""
        return next((step for task, step in reversed(self.tasks.items()) if task in tasks), "the first")


class Crew:
    """The workers of a site, wherever they are; `patience` is how many seconds to wait for any at all.

    What happens elsewhere comes in as events through one queue; whoever draws the outcomes heeds them.
    """

    def __init__(self, site: Site, patience: float) -> None:
        self._site, self._client, self._patience = site, site.client, patience
        self._roster = Roster(site.most)
        self._events: queue.SimpleQueue[_Came | _Leaves | _Went | _Done | None] = queue.SimpleQueue()
        self._chains: dict[str, _Chain] = {}  # by the worker's address
        self._missing: set[str] = set()
        self._serials = itertools.count()
        self._token = secrets.token_hex(3)  # others may have jobs of these names on the same scheduler
        self._alone_since = self._looked = time.monotonic()
        self._memory = 0
        self._stopped = False

    def __enter__(self) -> Self:
        self._client.subscribe_topic("all", self._hear)
        self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind or self._stopped or self._chains:
            self.stop()
        with suppress(ClosedClientError):  # or the scheduler cannot tell us that we are gone, and complains
            self._client.unsubscribe_topic("all")
        self._site.close()

    def carry_out(self, plan: Plan, errand: Any, take: Take) -> Iterator[Outcome]:  # noqa: ANN401
        """The outcomes of the jobs that `take` gives, in the order in which they come in."""
        steps = checked(plan)
        brief = pickle.dumps((steps, errand))
        try:
            while not self._stopped:
                more = self._hand_out(steps, brief, take)
                if not more and not self._roster.in_flight:
                    return
                outcome = self._heed(self._next())
                if outcome:
                    yield outcome
        finally:
            self._drop()

    def standing(self) -> CrewFacts:
        """How the crew stands: its memory is that of some seconds ago."""
        memory = psutil.Process().memory_info().rss + self._memory
        roster = self._roster
        return CrewFacts(roster.workers, memory, self._site.dashboard, roster.in_flight, roster.cut_short)

    def stop(self) -> None:
        """Drop everything; workers of this machine end at once, others when they are told to."""
        self._stopped = True
        self._events.put(None)
        self._site.kill()

    def _hand_out(self, steps: tuple[Step, ...], brief: bytes, take: Take) -> bool:
        """Give a job to everybody who is free; are there more?"""
        while address := self._roster.someone_free():
            job = self._roster.to_repeat() or take()
            if job is None:
                return False
            self._roster.give(address, job)
            self._chains[address] = self._submit(steps, brief, job, address)
        return True

    def _submit(self, steps: tuple[Step, ...], brief: bytes, job: Job, address: str) -> _Chain:
        """A job's tasks, on their way to a worker.

        Nothing in them is of this program, so that neither the scheduler nor a worker need have it to take
        them: where it is missing, it is the first step that fails.
        """
        mark = f"{self._token}.{next(self._serials)}"
        tasks = {f"{step.name}-{job.name}-{mark}": step.name for step in steps}
        onward: list[Callable[[Any], Any]] = [methodcaller("onward") for _ in tasks]
        onward[0] = compose(onward[0], pickle.loads)
        onward[-1] = compose(attrgetter("value"), onward[-1])
        before = [
            pickle.dumps(_Sealed(brief, pickle.dumps(job.item))),
            *tasks,
        ]  # named, a task is its result
        graph = {task: (run, it) for task, run, it in zip(tasks, onward, before, strict=False)}
        (last,) = self._client.get(graph, list(tasks)[-1:], workers=[address], sync=False)
        chain = _Chain(address, tasks, last)
        assert self._client.loop  # as long as it is open
        self._client.loop.add_callback(self._await, chain)
        return chain

    async def _await(self, chain: _Chain) -> None:
        """Put what comes of a chain in with the other events; runs in Dask's thread."""
        try:
            self._events.put(_Done(chain, await chain.last, None))
        except BaseException as error:  # it is raised where outcomes are drawn
            self._events.put(_Done(chain, None, error))

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take what the scheduler says of workers in with the other events; runs in Dask's thread."""
        said = event[1]
        if said.get("action") == "add-worker":
            self._came(said["worker"])
        elif said.get("action") == "remove-worker":
            tasks = frozenset({*said["processing-tasks"], *said["lost-computed-tasks"]})
            self._events.put(_Went(said["worker"], tasks, said["expected"]))

    def _came(self, address: str) -> None:
        """Listen to a worker, and take in that it is there."""
        self._client.subscribe_topic(address, partial(self._hear_worker, address))
        self._events.put(_Came(address))

    def _hear_worker(self, address: str, event: tuple[float, dict[str, Any]]) -> None:
        """Take in that a worker says goodbye; runs in Dask's thread."""
        if event[1].get("action") == "closing-worker":
            self._events.put(_Leaves(address))

    def _next(self) -> _Came | _Leaves | _Went | _Done | None:
        """The next event, or None for want of any; looks around from time to time."""
        now = time.monotonic()
        if now >= self._looked + _LOOK:
            self._look()
        if self._roster.workers:
            self._alone_since = now
        elif now > self._alone_since + self._patience:
            raise ConfigError(f"no worker came within {self._patience:g} s: {self._site.why()}")
        wait = min(_LOOK, self._alone_since + self._patience - now)
        with suppress(queue.Empty):
            return self._events.get(timeout=max(wait, 0.01))
        return None

    def _heed(self, event: _Came | _Leaves | _Went | _Done | None) -> Outcome | None:
        """Do what an event asks for; the outcome, if it is one."""
        if isinstance(event, _Came):
            self._roster.arrive(event.address)
            self._looked = -math.inf  # see what it takes
        elif isinstance(event, _Leaves):
            self._roster.send_off(event.address)
        elif isinstance(event, _Went):
            return self._part(event)
        elif isinstance(event, _Done) and self._chains.get(event.chain.address) is event.chain:
            return self._receive(event)
        return None

    def _part(self, event: _Went) -> Outcome | None:
        """A worker is gone: its job is repeated, or lost."""
        chain = self._chains.pop(event.address, None)
        died = not event.expected and not self._roster.is_off(event.address)
        if chain is None:
            return self._roster.leave(event.address, None)
        self._client.cancel([chain.last], force=True)
        step = chain.step_at(event.tasks)
        outcome = self._roster.leave(event.address, step if died else None)
        ended = "died" if died else "was ended"
        _LOG.warning("worker %s %s at %s", event.address, ended, ", ".join(chain.tasks))
        return outcome

    def _receive(self, event: _Done) -> Outcome | None:
        """A chain came to its end."""
        address, error = event.chain.address, event.error
        if isinstance(error, KilledWorker):
            return None  # that the worker is gone is said apart
        if isinstance(error, _CANCELLED):
            raise ConfigError(f"the connection to the scheduler was lost: {self._site.why()}") from error
        if error and _is_foreign(error):
            raise ConfigError(_foreign(urlsplit(address).hostname or address, error)) from error
        if error:
            raise error
        del self._chains[address]
        return Outcome(self._roster.finish(address), event.value)

    def _look(self) -> None:
        """See to it that all are here, compare them with whom the scheduler knows, and weigh them."""
        self._looked = time.monotonic()
        self._site.tend()
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self._memory = sum(worker["metrics"].get("memory", 0) for worker in workers.values())
        known = self._roster.addresses()
        for address in workers.keys() - known:
            self._came(address)
        gone = known - workers.keys()
        for address in gone & self._missing:  # twice: the first time, word of it may be on its way
            self._events.put(_Went(address, frozenset(), expected=True))
        self._missing = gone

    def _drop(self) -> None:
        """Nobody has a job any more."""
        chains, self._chains = self._chains, {}
        self._roster.drop()
        if chains and not self._stopped:
            self._client.cancel([chain.last for chain in chains.values()], force=True)


@dataclass(frozen=True)
class _Sealed:
    """A job on its way to a worker: what it is for, and its item, as bytes that are opened there."""

    brief: bytes
    item: bytes

    def onward(self) -> Carried:
        """The job after its first step."""
        try:
            steps, errand = _opened(self.brief)
            carried = Carried(steps, errand, pickle.loads(self.item))  # noqa: S301  the driver's own
        except (ImportError, AttributeError) as error:
            raise ConfigError(_foreign(socket.gethostname(), error)) from error
        return carried.onward()


@lru_cache(maxsize=1)
def _opened(brief: bytes) -> tuple[tuple[Step, ...], Any]:
    """Plan and errand, opened once in each worker and not for every job."""
    prepare_worker()
    opened: tuple[tuple[Step, ...], Any] = pickle.loads(brief)  # noqa: S301  the driver's own
    return opened


def _is_foreign(error: BaseException) -> bool:
    """Whether a worker could not even begin, for want of this program or for another version of it."""
    lacks_it = isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == "pipeline"
    return lacks_it or (isinstance(error, AttributeError) and f"{_Sealed.__name__}'" in str(error))


def _foreign(where: str, error: BaseException) -> str:
    """What to say of a worker that does not know this program."""
    return f"the worker on {where} does not have this scan2k: {error}; install the same version there"
