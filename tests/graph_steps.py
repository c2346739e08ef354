"""Steps for the tests of who carries out plans: they note what they did, and end as they are told."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import MeshError
from pipeline.graph.plan import Crew, Job, Outcome, Step, Take


@dataclass(frozen=True)
class Fake:
    """An item: how often it kills its worker, or has it told to end, and what else happens to it."""

    number: int
    kills: int = 0
    ends: int = 0
    bad: bool = False
    seconds: float = 0.0
    bytes: int = 0


def look(errand: Path, item: Fake) -> int:
    """Twice the number."""
    _note(errand, "look", item)
    return 2 * item.number


def work(errand: Path, item: Fake, looked: int) -> int:
    """One more; or the end of this process, as often as the item says."""
    times = _note(errand, "work", item)
    if item.bad:
        raise MeshError(f"{item.number} is no person")
    if times <= item.kills:
        os.kill(os.getpid(), signal.SIGKILL)
    if times <= item.ends:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
    if item.bytes:
        kept = bytearray(item.bytes)
        time.sleep(30)
        return len(kept)
    time.sleep(item.seconds)
    return looked + 1


def tell(errand: Path, item: Fake, looked: int, worked: int) -> tuple[int, int, int]:
    """All there is to tell."""
    _note(errand, "tell", item)
    return item.number, looked, worked


def where(errand: object, item: object) -> tuple[int, str]:
    """This process, and what it was told about threads."""
    return os.getpid(), os.environ.get("LP_NUM_THREADS", "")


PLAN = (Step("look", look), Step("work", work, ("look",)), Step("tell", tell, ("look", "work")))
WHERE = (Step("where", where),)


def _note(folder: Path, step: str, item: Fake) -> int:
    """Note that a step was begun; how often it was by now."""
    with (folder / f"{item.number}").open("a") as file:
        file.write(f"{step}\n")
    return noted(folder, item.number).count(step)


def noted(folder: Path, number: int) -> list[str]:
    """The steps that were begun for an item, in order."""
    path = folder / f"{number}"
    return path.read_text().split() if path.exists() else []


def jobs_of(items: Sequence[Any]) -> list[Job]:
    """A job an item, called after its place."""
    return [Job(f"{number:05d}/1", item) for number, item in enumerate(items)]


def giver(jobs: Sequence[Job]) -> Take:
    """Gives these jobs, and then nothing."""
    waiting: Iterator[Job] = iter(jobs)
    return lambda: next(waiting, None)


def carry_out(crew: Crew, folder: Path, items: Sequence[Fake]) -> list[Outcome]:
    """The outcomes for these items, in their order; each has exactly one."""
    outcomes = list(crew.carry_out(PLAN, folder, giver(jobs_of(items))))
    assert max(Counter(outcome.job.name for outcome in outcomes).values()) == 1
    assert len(outcomes) == len(items)
    return sorted(outcomes, key=lambda outcome: outcome.job.name)
