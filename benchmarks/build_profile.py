"""Where the time of a build in one process goes, by what it is for.

python benchmarks/build_profile.py FILE STARTED render DATASET --workers 0 [OPTION ...]

Carries out the command line and writes seconds by name to FILE as JSON; STARTED is `time.time()` when this
program was started. Every moment of the main thread counts as one thing: the innermost of those below that
it is in. Threads that encode and write are looked at beside.

`making` is the time from the first scan to the last, without that in which GL starts. A moment of it is
`outside` when the main thread neither reads or cleans a scan, aligns it, nor has it drawn, nor waits for
its files to be encoded and written; and `idle` when no thread encodes or writes meanwhile, either.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

Span = tuple[str, float, float]  # what for, from, to
LOAD, ALIGN, DRAW, WAIT = "read and clean", "align", "draw", "wait for encoding and writing"
GL, JOBS = "GL starts", "jobs, display and log"
WORK = (LOAD, ALIGN, DRAW, WAIT)  # what a build is for
ASIDE = "digests of scans' files", "keypoints", "frames handed over", "rows and journal", JOBS
ONCE = (
    "start of Python",
    GL,
    "survey",
    "needs",
    "fold",
    "lists and description",
    "all else",
    "end of Python",
)


class Timeline:
    """What a program was at, moment by moment: in its main thread, and in others."""

    def __init__(self, started: float) -> None:
        self.main: list[Span] = []
        self.beside: list[tuple[float, float]] = []
        self._within = [ONCE[0]]
        self._since = started
        self._thread = threading.get_ident()

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Within, this is what the thread is at."""
        began = time.time()
        if threading.get_ident() != self._thread:
            yield
            self.beside.append((began, time.time()))
            return
        self._turn(began)
        self._within.append(name)
        try:
            yield
        finally:
            self._turn(time.time())
            self._within.pop()

    def _turn(self, now: float) -> None:
        """Close what was begun."""
        self.main.append((self._within[-1], self._since, now))
        self._since = now

    def seconds(self) -> dict[str, float]:
        """Seconds by name."""
        found: dict[str, float] = defaultdict(float)
        for name, began, ended in self.main:
            found[name] += ended - began
        return dict(found)

    def idle(self) -> float:
        """Seconds in which the main thread was at something aside, and nobody encoded or wrote."""
        busy = sorted(self.beside)
        total = 0.0
        for name, began, ended in self.main:
            if name in ASIDE:
                total += ended - began - _covered(began, ended, busy)
        return total


def _covered(began: float, ended: float, spans: list[tuple[float, float]]) -> float:
    """How much of a time is in any of some spans, sorted by their beginning."""
    covered, reached = 0.0, began
    for start, stop in spans:
        if start >= ended:
            break
        if stop > reached:
            covered += min(stop, ended) - max(start, reached)
            reached = min(stop, ended)
    return covered


def watch(line: Timeline) -> None:
    """Have all that a build is made of say when it is at work, wherever it is called from."""
    from manifests import journal  # noqa: PLC0415  imports are a part of what is timed
    from pipeline import build  # noqa: PLC0415
    from pipeline.render.kernels import Kernel  # noqa: PLC0415
    from pipeline.render.renderer import Renderer  # noqa: PLC0415
    from pipeline.stages import align, inspect, keypoints, load, record  # noqa: PLC0415
    from pipeline.stages import render as stage  # noqa: PLC0415

    parts: list[tuple[object, str, str]] = [
        (build, "render", "all else"),
        *((build, "survey_of", "survey"), (build, "needs_of", "needs"), (build, "fold", "fold")),
        *((build, "_describe", "lists and description"), (build, "_make", JOBS)),
        *((stage, "pick_device", GL), (Renderer, "__enter__", GL), (Renderer, "__exit__", GL)),
        (Kernel, "__init__", GL),
        *((load, "run", LOAD), (align, "run", ALIGN)),
        *((stage, "aligned", DRAW), (stage, "kept_openness", DRAW)),
        *((stage, "_drawn", WAIT), (stage, "_leave", WAIT), (stage, "write_image", "")),
        *((inspect, "run", ASIDE[0]), (keypoints, "run", ASIDE[1]), (stage.Studio, "run", ASIDE[2])),
        *((record, "scan_row", ASIDE[3]), (record, "view_rows", ASIDE[3]), (journal, "record", ASIDE[3])),
    ]
    for owner, name, what in parts:
        setattr(owner, name, _timed(line, getattr(owner, name), what))
    setattr(Renderer, "shoot", _timed_steps(line, Renderer.shoot, DRAW))  # noqa: B010  the types refuse it


def _timed(line: Timeline, part: Callable[..., Any], what: str) -> Callable[..., Any]:
    @wraps(part)
    def within(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        with line.at(what):
            return part(*given, **named)

    return within


def _timed_steps(line: Timeline, part: Callable[..., Iterator[Any]], what: str) -> Callable[..., Any]:
    """The same of a generator: only while it is asked for the next."""

    @wraps(part)
    def within(*given: Any, **named: Any) -> Iterator[Any]:  # noqa: ANN401
        steps = part(*given, **named)
        while True:
            with line.at(what):
                step = next(steps, None)
            if step is None:
                return
            yield step

    return within


def summary(line: Timeline, views: int) -> dict[str, Any]:
    """Seconds by name, and the shares."""
    seconds = Counter(line.seconds())
    making = sum(seconds[name] for name in (*WORK, *ASIDE))
    outside = sum(seconds[name] for name in ASIDE)
    return {
        "views": views,
        "seconds": sum(seconds.values()),
        "making": making,
        "outside_share": outside / making if making else 0.0,
        "idle_share": line.idle() / making if making else 0.0,
        "work": {name: seconds[name] for name in WORK},
        "aside": {name: seconds[name] for name in ASIDE},
        "once": {name: seconds[name] for name in ONCE},
    }


def main() -> None:
    """Carry out the command line, and write what it took."""
    path, started, *command = sys.argv[1:]
    line = Timeline(float(started))
    import cli  # noqa: PLC0415
    from pipeline.conduct.tally import Tally  # noqa: PLC0415

    views: list[int] = []
    made = Tally.made

    def counted(tally: Tally, need: Any, done: Any, is_done: bool) -> None:  # noqa: ANN401
        views.append(done.views)
        made(tally, need, done, is_done)

    setattr(Tally, "made", counted)  # noqa: B010  the types refuse it
    watch(line)
    code = cli.main(command)
    with line.at(ONCE[-1]):
        found = summary(line, sum(views))
    Path(path).write_text(json.dumps(found), encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()
