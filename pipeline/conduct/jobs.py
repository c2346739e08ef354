"""Jobs: what is needed of scans, in portions of a few views each, handed out as they are asked for.

A portion is what is lost when a worker dies, and what a worker does before it can be given something else.
The next portion of a scan is handed out when the one before came back: its alignment is known by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipeline.conduct.needs import Need
from pipeline.conduct.steps import Made
from pipeline.graph.plan import Job

VIEWS = 8  # of a job


class Jobs:
    """The jobs of some needs; once `is_over`, only those of scans that were begun."""

    def __init__(self, needs: Iterator[Need], is_over: Callable[[], bool]) -> None:
        self._needs, self._is_over = needs, is_over
        self._rest: dict[str, deque[Need]] = {}  # of scans that were begun
        self._ready: deque[Job] = deque()

    @property
    def is_through(self) -> bool:
        """Whether no more scans are begun, and none is in hand; any thread may ask."""
        return self._is_over() and not self._rest

    def take(self) -> Job | None:
        """The next job; None = there is none, until one comes back."""
        if self._ready:
            return self._ready.popleft()
        need = None if self._is_over() else next(self._needs, None)
        if need is None:
            return None
        first, *rest = _portions(need)
        self._rest[need.subject.id] = deque(rest)
        return self._job(first)

    def back(self, job: Job, made: Made) -> int:
        """A job came back: how many views of its scan are left to hand out, or will not be."""
        scan = job.item.subject.id
        rest = self._rest[scan]
        left = sum(len(need.wants) for need in rest)
        if made.row and rest:
            self._ready.append(self._job(replace(rest.popleft(), earlier=made.row, is_same=True)))
        else:
            del self._rest[scan]
        return left

    def _job(self, need: Need) -> Job:
        left = len(self._rest[need.subject.id])
        return Job(f"{need.subject.id}/{left}" if left else need.subject.id, need)


def _portions(need: Need) -> Iterator[Need]:
    """The need in portions; the first knows all rows of the scan, the others those of their own views."""
    places = {(row.view, row.projection): row for row in need.rows}
    for start in range(0, len(need.wants), VIEWS):
        wants = need.wants[start : start + VIEWS]
        theirs = [places.get((want.place.view, want.place.projection)) for want in wants]
        own = tuple(row for row in theirs if row)
        yield replace(need, wants=wants, rows=own if start else need.rows)
