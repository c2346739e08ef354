"""Where a crew works: processes of this machine, or a cluster that others keep; jobs.py has Slurm's.

Here clusters are started and ended, and told how to behave. Refuses to know what they are for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker

import dask
import psutil
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, Security, Worker, get_worker
from distributed.comm.core import connect
from distributed.system import MEMORY_LIMIT

from pipeline.errors import ConfigError

_LOG = logging.getLogger(__name__)
WORKER_MEMORY = 1_500_000_000  # bytes that a worker needs for a million vertices in 2048 x 2048 pixels
_SHARE = 0.9  # of the machine's memory, between all local workers
_ENDED = 0.95  # of its memory, at which a worker is ended
_HUSHED = (
    "distributed",
    "distributed.client",
    "distributed.gc",
    "tornado",
    "tornado.application",
    "bokeh",
    "dask_jobqueue",
)
_SPAWN = "distributed.nanny.pre-spawn-environ"
_QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}  # what a worker has to say, the driver hears anyhow
SETTINGS = {
    "distributed.scheduler.allowed-failures": 1000,  # the roster counts
    "distributed.scheduler.work-stealing": False,  # every task is bound to its worker
    "distributed.worker.memory.target": False,  # there is nothing to spill, and a paused worker
    "distributed.worker.memory.spill": False,  # whose memory nothing frees would wait for ever
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": _ENDED,
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin": ["localhost", "127.0.0.1"],
    "distributed.diagnostics.nvml": False,
    "distributed.admin.low-level-log-length": 100,  # or messages of a thousand jobs are kept
    "distributed.admin.tick.limit": "1h",  # code that keeps the interpreter to itself is no news
}


@dataclass
class Site:
    """A cluster: its client, its dashboard, at most how many of its workers to use, and how it ends.

    `why` says why no worker may have come, `kill` ends at once whatever workers run here, and `close` what
    is left. `tend` is called every few seconds, and starts workers anew that went for good.
    """

    client: Client
    dashboard: str | None
    most: int | None
    why: Callable[[], str]
    kill: Callable[[], None]
    close: Callable[[], None]
    tend: Callable[[], None] = lambda: None


def prepare_worker() -> None:
    """Make the worker that this runs in one of ours, however it was started.

    It says goodbye when it is told to end, and never waits for memory that nothing frees.
    """
    worker = get_worker()
    manager = worker.memory_manager
    manager.memory_target_fraction = manager.memory_spill_fraction = False
    manager.memory_pause_fraction = False
    loop: asyncio.AbstractEventLoop = worker.loop.asyncio_loop  # type: ignore[attr-defined]

    def listen() -> None:
        with suppress(RuntimeError, ValueError):  # in a thread, where signals do not come
            loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(_leave(worker)))

    loop.call_soon_threadsafe(listen)


async def _leave(worker: Worker) -> None:
    """End this process, as one that was told to: or as one that dies, if it is its memory's fault."""
    limit = worker.memory_manager.memory_limit
    if not limit or psutil.Process().memory_info().rss < _ENDED * _ENDED * limit:
        await worker.close(timeout=2, executor_wait=False, nanny=False, reason="SIGTERM")
    os._exit(128 + signal.SIGTERM)


class _Ear(logging.Handler):
    """What Dask last complained of; that there is a handler keeps it off the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it: the message, or what was raised."""
        raised = record.exc_info[1] if record.exc_info else None
        self.heard = repr(raised) if raised else record.getMessage()


def workers_for(cores: int, memory: int) -> int:
    """How many workers a machine takes: one a core, as each draws in software, if it has the memory."""
    return max(1, min(cores, memory // WORKER_MEMORY))


def workers_here() -> int:
    """How many workers this machine takes now."""
    return workers_for(CPU_COUNT, psutil.virtual_memory().available)


def local(count: int, environment: Mapping[str, str]) -> Site:
    """Processes of this machine, one thread each. They go when this process goes, however it goes.

    Between them they may take nine tenths of the machine's memory; one that takes more than its share is
    ended, and another started in its place. Whoever talks to them has a certificate that is made for this
    build alone: without, anybody on this machine could have them run anything.
    """
    stack = ExitStack()
    ear = stack.enter_context(hushed())
    stack.enter_context(dask.config.set(SETTINGS))
    stack.enter_context(_told({**dask.config.get(_SPAWN), **_QUIET, **environment}))
    with without_interrupts():
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=Security.temporary(),
                dashboard_address="127.0.0.1:0",
                silence_logs=False,
                memory_limit=int(_SHARE * MEMORY_LIMIT / count),
            )
        except (OSError, RuntimeError) as error:
            stack.close()
            raise ConfigError(f"no workers can be started here: {error}") from error
        client = Client(cluster, name="scan2k", set_as_default=False)

    def kill() -> None:
        for nanny in list(cluster.workers.values()):
            nanny.close_gracefully()  # or it would start another in its place
            if nanny.pid:
                with suppress(ProcessLookupError):
                    os.kill(nanny.pid, signal.SIGKILL)

    def close() -> None:
        with stack:
            client.close()
            cluster.close()

    return Site(
        client=client,
        dashboard=cluster.dashboard_link,
        most=None,
        why=lambda: _local_why(ear),
        kill=kill,
        close=close,
        tend=lambda: cluster.scale(count),
    )


def existing(address: str, workers: int | None, patience: float) -> Site:
    """A cluster that somebody else keeps, or as many workers of it; tls:// needs Dask's settings for it."""
    stack = ExitStack()
    stack.enter_context(hushed())
    try:
        asyncio.run(_reach(address, patience))  # a client that cannot is not to be got rid of
        with without_interrupts(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            client = Client(address, timeout=patience, name="scan2k", set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        stack.close()
        advice = "start one with `dask scheduler`, or name another"
        raise ConfigError(f"no scheduler answers at {address}: {error}; {advice}") from error
    for warning in said:
        _LOG.warning("%s", warning.message)

    def close() -> None:
        with stack:
            client.close()

    advice = f"start some with `dask worker {address}`, in an environment that has this scan2k"
    return Site(client, client.dashboard_link, workers, lambda: advice, lambda: None, close)


async def _reach(address: str, patience: float) -> None:
    """See that a scheduler answers."""
    comm = await connect(address, timeout=patience, **Security().get_connection_args("client"))
    await comm.close()


def _local_why(ear: _Ear) -> str:
    heard = f"Dask says: {ear.heard}" if ear.heard else "the machine may be too busy; raise the patience"
    return f"{heard}; --workers 0 builds in this process"


@contextmanager
def _told(environment: dict[str, str]) -> Iterator[None]:
    """Processes that Dask starts meanwhile have this in their environment, and for that ours has it too."""
    before = {name: os.environ.get(name) for name in environment}
    try:
        with dask.config.set({_SPAWN: environment}):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def hushed() -> Iterator[_Ear]:
    """Dask's loggers write to no terminal meanwhile, but hand on what they have as others do."""
    ear = _Ear()
    loggers = [logging.getLogger(name) for name in _HUSHED]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [ear], True
        logger.setLevel(logging.WARNING)
    try:
        yield ear
    finally:
        for logger, handlers, propagate, level in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Threads that begin meanwhile, and all processes they ever start, do not hear Ctrl-C.

    A terminal sends it to workers and driver alike, and the driver alone decides what it means.
    """
    resource_tracker.ensure_running()  # whose start would undo the mask, if it were later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
