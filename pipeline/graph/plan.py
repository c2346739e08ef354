"""The plan: which steps there are, what each needs, and what comes of carrying them out.

A plan is data. serial.py and cluster.py carry out the same one and nobody can tell from the outcomes which
of them did. Refuses to know what a step does, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Protocol, Self


@dataclass(frozen=True)
class Step:
    """One verb of a plan: `run(errand, item, *results)`, with the results of the steps that it needs."""

    name: str
    run: Callable[..., Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What a plan is carried out for: an item, and the name that shows what is done where."""

    name: str
    item: Any


@dataclass(frozen=True)
class Outcome:
    """What came of a job: what the last step returned, or the step at which it took its workers with it."""

    job: Job
    value: Any = None
    lost: str | None = None


@dataclass(frozen=True)
class CrewFacts:
    """How a crew stands: how many work, in how much memory all in all, where to look, and at how much.

    `cut_short` are jobs whose workers went amid them, so that they may have left half of something.
    """

    workers: int
    memory_bytes: int
    dashboard: str | None
    in_flight: int
    cut_short: int = 0


Plan = Sequence[Step]
Take = Callable[[], Job | None]


class Crew(Protocol):
    """Who carries out a plan."""

    def __enter__(self) -> Self:
        """Ready to work."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Go home."""

    def carry_out(self, plan: Plan, errand: Any, take: Take) -> Iterator[Outcome]:  # noqa: ANN401
        """The outcomes of the jobs that `take` gives, as they come in.

        It is asked whenever somebody is free; None means nothing now. It ends when there is nothing and
        nothing is in flight. What a step raises is raised here, and what is in flight is dropped.
        """

    def standing(self) -> CrewFacts:
        """How it stands; any thread may ask, often."""

    def stop(self) -> None:
        """Drop everything at once; any thread may say so."""


@dataclass(frozen=True)
class Carried:
    """A job on its way: what goes from one step to the next, and never leaves the worker that has it."""

    plan: tuple[Step, ...]
    errand: Any
    item: Any
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> Any:  # noqa: ANN401
        """What the last step returned."""
        return self.results[self.plan[-1].name]

    def onward(self) -> Carried:
        """The job one step further on."""
        step = self.plan[len(self.results)]
        value = step.run(self.errand, self.item, *(self.results[name] for name in step.needs))
        return replace(self, results={**self.results, step.name: value})


def checked(plan: Plan) -> tuple[Step, ...]:
    """The plan, if each of its steps needs only those before it."""
    known: set[str] = set()
    for step in plan:
        if step.name in known or not known.issuperset(step.needs):
            raise ValueError(f"step {step.name} of the plan is there twice, or needs what is not before it")
        known.add(step.name)
    if not known:
        raise ValueError("the plan has no steps")
    return tuple(plan)
