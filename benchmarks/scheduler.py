"""What Dask costs: python benchmarks/scheduler.py [--scans N] [--workers N] [--json FILE]

Scans that are nothing, whose five steps do nothing, go through a crew on this machine: the time each takes,
and the memory of driver (with the scheduler) and workers as more and more of them are done. Each has an
item and a result of some kilobytes, as the needs and rows of eight views are. Before that, with one worker:
how long a job takes in five tasks, in one, and in this process; how long a worker waits between two steps,
and between two jobs; and the same where nobody asks for certificates.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from distributed import LocalCluster

from pipeline.graph.crew import Terms, open_crew
from pipeline.graph.plan import Crew, Job, Step, Take

STEPS = ("inspect", "align", "render", "keypoints", "rows")
MB = 1 << 20
POINTS = 10  # at which memory is looked at
WARM = 20  # jobs that no clock runs for


def nothing(errand: bytes, item: bytes, *results: Any) -> bytes:  # noqa: ANN401
    """What a step of a scan that is nothing does."""
    return item if results else b""


def clocked(errand: bytes, item: bytes, *results: Any) -> tuple[tuple[float, float], ...]:  # noqa: ANN401
    """When each step so far was begun and done."""
    now = time.perf_counter()
    return (*(results[0] if results else ()), (now, time.perf_counter()))


def plan(run: Callable[..., Any], names: tuple[str, ...]) -> tuple[Step, ...]:
    """Steps one after the other."""
    return tuple(Step(name, run, names[number - 1 : number]) for number, name in enumerate(names))


def giver(scans: int, kilobytes: int) -> Take:
    """So many jobs, and then none."""
    numbers = iter(range(scans))
    item = os.urandom(kilobytes * 1024)
    return lambda: next((Job(f"{number:06d}/1", item) for number in numbers), None)


def memory() -> tuple[float, float]:
    """Megabytes of this process, and of all that it started."""
    processes = psutil.Process().children(recursive=True)
    return _rss(psutil.Process()), sum(_rss(process) for process in processes)


def _rss(process: psutil.Process) -> float:
    size: int = process.memory_info().rss
    return size / MB


def many(scans: int, workers: int, kilobytes: int) -> Iterator[dict[str, float]]:
    """Time a scan and memory, as more and more scans are done."""
    with open_crew(Terms(workers=workers)) as crew:
        began, busy = time.perf_counter(), time.process_time()
        outcomes = crew.carry_out(plan(nothing, STEPS), b"e" * 4096, giver(scans, kilobytes))
        for done, _ in enumerate(outcomes, start=1):
            if done % max(scans // POINTS, 1) == 0:
                driver, others = memory()
                yield {
                    "scans": done,
                    "ms_a_scan": 1e3 * (time.perf_counter() - began) / done,
                    "driver_cpu_ms_a_scan": 1e3 * (time.process_time() - busy) / done,
                    "driver_mb": driver,
                    "workers_mb": others,
                }


def one(terms: Terms, jobs: int, kilobytes: int) -> dict[str, float]:
    """Milliseconds a job and between its parts, with one worker on these terms."""
    found = {}
    with open_crew(terms) as crew:
        for name, steps in (("five", STEPS), ("one", ("all",))):
            spans = _spans(crew, plan(clocked, steps), jobs, kilobytes)
            ends = [span[-1][1] for span in spans]
            found[f"{name}_ms_a_job"] = 1e3 * (ends[-1] - ends[0]) / (len(ends) - 1)
            found[f"{name}_ms_between_jobs"] = 1e3 * median(
                after[0][0] - before[-1][1] for before, after in pairwise(spans)
            )
        between = [
            later[0] - sooner[1]
            for span in _spans(crew, plan(clocked, STEPS), jobs, kilobytes)
            for sooner, later in pairwise(span)
        ]
        found["ms_between_steps"] = 1e3 * median(between)
    return found


def _spans(crew: Crew, steps: tuple[Step, ...], jobs: int, kilobytes: int) -> list[Any]:
    """When the steps of each job were begun and done."""
    take = giver(jobs + WARM, kilobytes)
    return [outcome.value for outcome in crew.carry_out(steps, b"", take)][WARM:]


def main() -> None:
    """Measure and print; `--json` keeps the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--scans", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--kilobytes", type=int, default=8)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as open_to_all:
        plain = one(Terms(where=open_to_all.scheduler_address), asked.jobs, asked.kilobytes)
    found: dict[str, Any] = {
        "here": one(Terms(workers=0), asked.jobs, asked.kilobytes),
        "one worker": one(Terms(workers=1), asked.jobs, asked.kilobytes),
        "one worker, no certificates": plain,
    }
    for name, numbers in found.items():
        print(name, {key: round(value, 2) for key, value in numbers.items()}, flush=True)
    found["many"] = []
    print(f"{'scans':>8} {'ms a scan':>10} {'CPU ms':>8} {'driver MB':>10} {'workers MB':>11}")
    for point in many(asked.scans, asked.workers, asked.kilobytes):
        found["many"].append(point)
        print(
            f"{point['scans']:8,.0f} {point['ms_a_scan']:10.2f} {point['driver_cpu_ms_a_scan']:8.2f}"
            f" {point['driver_mb']:10.1f} {point['workers_mb']:11.1f}",
            flush=True,
        )
    if asked.json:
        asked.json.write_text(json.dumps({"workers": asked.workers, **found}, indent=1))


if __name__ == "__main__":
    main()
