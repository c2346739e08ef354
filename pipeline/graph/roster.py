"""The roster: who is here, who has which job, and which jobs took their workers with them.

Each worker has one job at a time, so that a death is the fault of that job and of no other. Refuses to know
what a worker is, besides an address, and how one hears of it.
"""

from __future__ import annotations

from collections import Counter, deque

from pipeline.graph.plan import Job, Outcome

DEATHS = 2  # of workers, after which a job is lost
LEAVES = 10  # of workers that went as they should, after which nobody will ever finish it


class Roster:
    """Workers and their jobs; at most so many are given work at a time (None = all)."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._free: dict[str, None] = {}  # as a set that keeps its order
        self._busy: dict[str, Job] = {}
        self._off: set[str] = set()
        self._again: deque[Job] = deque()
        self._deaths: Counter[str] = Counter()
        self._leaves: Counter[str] = Counter()
        self.cut_short = 0  # jobs whose workers went amid them

    @property
    def workers(self) -> int:
        """How many are here."""
        return len(self._free) + len(self._busy)

    @property
    def in_flight(self) -> int:
        """How many jobs are given out, or wait to be given out again."""
        return len(self._busy) + len(self._again)

    def addresses(self) -> set[str]:
        """Who is here, or not quite gone."""
        return {*self._free, *self._busy, *self._off}

    def arrive(self, address: str) -> None:
        """Somebody came, who may be known already."""
        if address not in self._busy and address not in self._off:
            self._free.setdefault(address)

    def send_off(self, address: str) -> None:
        """Somebody is about to go as they should, and gets no job any more."""
        self._free.pop(address, None)
        self._off.add(address)

    def is_off(self, address: str) -> bool:
        """Whether somebody is about to go as they should."""
        return address in self._off

    def someone_free(self) -> str | None:
        """Who may be given a job, if anybody."""
        if self._most is not None and len(self._busy) >= self._most:
            return None
        return next(iter(self._free), None)

    def to_repeat(self) -> Job | None:
        """A job to be given out again, if there is one; it then must be."""
        return self._again.popleft() if self._again else None

    def give(self, address: str, job: Job) -> None:
        """Somebody who is free has this job now."""
        del self._free[address]
        self._busy[address] = job

    def finish(self, address: str) -> Job:
        """Somebody is done with a job, and free."""
        job = self._busy.pop(address)
        if address not in self._off:
            self._free[address] = None
        self._deaths.pop(job.name, None)
        self._leaves.pop(job.name, None)
        return job

    def leave(self, address: str, step: str | None) -> Outcome | None:
        """Somebody went, and has died at a step if one is named; the outcome, if a job is lost by it."""
        self._off.discard(address)
        self._free.pop(address, None)
        job = self._busy.pop(address, None)
        if job is None:
            return None
        self.cut_short += 1
        count, most = (self._deaths, DEATHS) if step else (self._leaves, LEAVES)
        count[job.name] += 1
        if count[job.name] < most:
            self._again.append(job)
            return None
        return Outcome(job, lost=step or "a step that outlasts every worker")

    def drop(self) -> None:
        """Nobody has a job any more, and none is to be repeated."""
        self._free.update(dict.fromkeys(self._busy.keys() - self._off))
        self._busy.clear()
        self._again.clear()
        self._deaths.clear()
        self._leaves.clear()
