"""The plan carried out in this process, one job after the other. Refuses to start another process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.graph.plan import Carried, CrewFacts, Outcome, Plan, Take, checked

_STATM = Path("/proc/self/statm")


class Serial:
    """A crew of one: whoever calls it."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def carry_out(self, plan: Plan, errand: Any, take: Take) -> Iterator[Outcome]:  # noqa: ANN401
        """The outcomes of the jobs that `take` gives, in its order."""
        steps = checked(plan)
        while not self._stopped and (job := take()):
            self._in_flight = 1
            try:
                carried = Carried(steps, errand, job.item)
                for _ in steps:
                    carried = carried.onward()
            finally:
                self._in_flight = 0
            yield Outcome(job, carried.value)

    def standing(self) -> CrewFacts:
        """How this process stands."""
        pages = int(_STATM.read_text().split()[1])
        return CrewFacts(1, pages * resource.getpagesize(), None, self._in_flight)

    def stop(self) -> None:
        """Take no further job; the one in hand is this thread's own business."""
        self._stopped = True
