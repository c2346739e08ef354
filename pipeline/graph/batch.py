"""A site whose workers are batch jobs of Slurm, kept at the number that a profile says.

Dask starts jobs and cancels them, but notices neither one that ends nor one whose workers never come. Here
Slurm is asked for them every few seconds. Beside cluster.py and sites.py the only file that knows Dask.
Refuses to know what the jobs are for.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import shlex
import signal
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
from distributed import Client, Security

from pipeline.errors import ConfigError
from pipeline.graph import slurm
from pipeline.graph.profile import Profile, options_of
from pipeline.graph.sites import SETTINGS, Site, hushed, without_interrupts

_ROLES = ("client", "scheduler", "worker")
_LOOK = 10.0  # seconds between looks at what Slurm says
IDLE_LOOKS = 6  # in a row at which a job has nothing to do, after which it is let go
_FRUITLESS = (
    3  # times the jobs there may be, of jobs in a row without a worker, after which none is asked for
)


def open_site(profile: Profile, workers: int | None, environment: Mapping[str, str], logs: Path) -> Site:
    """Jobs of Slurm as a site, asked for but not there yet, with at most so many workers.

    Whoever talks to them has a certificate made for this build alone. While it lasts, that lies where jobs
    print to: in the profile's folder, or in `logs` if it names none. Workers find `environment` in theirs,
    unless the profile's prologue says otherwise.
    """
    profile, logs = fewer(profile, workers), profile.logs or logs
    options = options_of(profile, logs)
    exports = [f"export {key}={shlex.quote(said)}" for key, said in environment.items()]
    options["job_script_prologue"] = exports + options["job_script_prologue"]  # the user's own come later
    slurm.check(profile)
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{logs}, where jobs would print to, cannot be made: {error.strerror}") from error
    stack = ExitStack()
    ear = stack.enter_context(hushed())
    stack.enter_context(dask.config.set(SETTINGS))
    try:
        with without_interrupts():
            security = stack.enter_context(_certified(logs))
            cluster = _cluster({**options, "security": security})
            stack.callback(cluster.close)
            slurm.try_out(cluster.job_script())
            client = Client(cluster, name="scan2k", set_as_default=False)
            stack.callback(client.close)
        keeper = Keeper(cluster, profile)
        stack.callback(keeper.end)
        keeper.begin()
    except BaseException:
        stack.close()
        raise

    def why() -> str:
        heard = keeper.refusal or ear.heard
        told = slurm.why_nobody_came(keeper.numbers(), logs)
        return f"{told}; last heard: {heard}" if heard else told

    return Site(client, cluster.dashboard_link, workers, why, lambda: None, stack.close)


def fewer(profile: Profile, workers: int | None) -> Profile:
    """The profile with no more jobs than so many workers need."""
    if workers is None:
        return profile
    jobs = min(profile.jobs, math.ceil(workers / profile.workers))
    return replace(profile, jobs=jobs, jobs_least=min(jobs, profile.jobs_least))


@contextmanager
def _certified(folder: Path) -> Iterator[Security]:
    """A new certificate, in files that only this user can read, and that are gone afterwards."""
    made = Security.temporary()
    with TemporaryDirectory(prefix="certificate-", dir=folder, ignore_cleanup_errors=True) as place:
        paths = {}
        for name in ("ca_file", "worker_cert", "worker_key"):
            paths[name] = str(Path(place) / f"{name}.pem")
            Path(paths[name]).write_text(getattr(made, f"tls_{name}"))
        certificate = {f"tls_{role}_cert": paths["worker_cert"] for role in _ROLES}
        key = {f"tls_{role}_key": paths["worker_key"] for role in _ROLES}
        yield Security(require_encryption=True, tls_ca_file=paths["ca_file"], **certificate, **key)


def _cluster(options: Mapping[str, Any]) -> Any:  # noqa: ANN401  the library has no types
    """A scheduler in this process, whose workers will be jobs."""
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.slurm import SLURMCluster  # noqa: PLC0415  an extra, and it may not be there
    except ModuleNotFoundError as error:
        raise ConfigError("a build on Slurm takes dask-jobqueue; pip install 'scan2k[slurm]'") from error
    finally:
        if signal.getsignal(signal.SIGINT) is not ctrl_c:  # the import made it an exit with code 0
            signal.signal(signal.SIGINT, ctrl_c)
    numbers = itertools.count()

    class Cluster(SLURMCluster):
        """Gives no name twice: a worker whose node fell silent keeps its own for minutes."""

        def _new_worker_name(self, worker_number: int) -> str:
            return f"job-{next(numbers)}"

    try:
        return Cluster(**options, protocol="tls://", silence_logs=False)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"the scheduler cannot be started here: {error}") from error


class Keeper:
    """Keeps the jobs of a cluster at their number, in the thread of the cluster's loop.

    Dask's own way to adapt does not know that a job may have several workers, nor that it may end early.
    """

    def __init__(self, cluster: Any, profile: Profile) -> None:  # noqa: ANN401
        self.refusal = ""  # what Slurm last said when it would not take a job
        self._cluster = cluster
        self._profile = profile
        self._came: set[str] = set()  # jobs of which a worker was seen
        self._wanted = profile.jobs
        self._worked = False
        self._idle: Counter[str] = Counter()
        self._fruitless = 0
        self._numbers: list[str] = []
        self._keeping: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Ask for all jobs, and look after them from now on; refuses if none can be had."""
        self._cluster.sync(self._begin)
        if not self.numbers():
            raise ConfigError(f"Slurm takes no job: {self.refusal}")

    def end(self) -> None:
        """Look no more."""
        self._cluster.sync(self._end)

    def numbers(self) -> list[str]:
        """The numbers of the jobs there are or, if there are none, of those that ended last."""
        now = [job.job_id for job in list(self._cluster.workers.values()) if job.job_id]
        self._numbers = now or self._numbers
        return self._numbers

    async def _begin(self) -> None:
        await self._ask(self._wanted)
        self._keeping = asyncio.create_task(self._keep())

    async def _end(self) -> None:
        if self._keeping:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            await self.look()

    async def _ask(self, jobs: int, without: Collection[str] = ()) -> None:
        """Cancel jobs, and submit others until there are so many."""
        try:
            if without:
                await self._cluster.scale_down(without)
            self._cluster.scale(jobs=jobs)
            await self._cluster
        except (OSError, RuntimeError) as error:  # what sbatch said is in its last line
            self.refusal = str(error).strip().rpartition("\n")[2]

    async def look(self) -> None:
        """Do away with jobs that ended or have nothing to do, and ask for others in their place."""
        numbers = {name: job.job_id for name, job in self._cluster.workers.items()}
        known = await asyncio.to_thread(slurm.standings)
        if known is None:
            return  # nothing is known, so nothing is changed
        self.numbers()
        alive = {name for name, number in numbers.items() if number in known and known[number].is_alive}
        ended = numbers.keys() - alive
        workers = self._workers()
        self._count(ended, workers)
        spare = self._spare(alive, workers)[: max(0, len(alive) - self._profile.jobs_least)]
        if spare:
            self._wanted = len(alive) - len(spare)
        hopeless = self._fruitless >= _FRUITLESS * self._profile.jobs
        await self._ask(len(alive) - len(spare) if hopeless else self._wanted, [*ended, *spare])

    def _workers(self) -> dict[str, list[Any]]:
        """The workers that the scheduler knows, by job."""
        found: dict[str, list[Any]] = defaultdict(list)
        ends = self._cluster.new_spec.get("group", [""])
        jobs = {f"{name}{end}": name for name in self._cluster.workers for end in ends}
        for worker in self._cluster.scheduler.workers.values():
            if worker.name in jobs:
                found[jobs[worker.name]].append(worker)
        return found

    def _count(self, ended: set[str], workers: Mapping[str, list[Any]]) -> None:
        """Take in which jobs had workers, and how many ended without."""
        self._came |= workers.keys()
        if workers:
            self._fruitless = 0
        self._fruitless += len(ended - self._came)
        self._came -= ended

    def _spare(self, alive: set[str], workers: Mapping[str, list[Any]]) -> list[str]:
        """Jobs with nothing to do for some looks, once there was work; those that wait go before them."""
        busy = {name for name, those in workers.items() if any(worker.processing for worker in those)}
        self._worked = self._worked or bool(busy)
        if self._worked:
            self._idle = Counter({name: self._idle[name] + 1 for name in alive & workers.keys() - busy})
        idle = [name for name, looks in self._idle.items() if looks >= IDLE_LOOKS]
        return [*(alive - workers.keys()), *idle] if idle else []
