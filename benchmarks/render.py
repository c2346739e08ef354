"""Seconds a view, from scan to five files, beside the published way and pyrender on the same people.

python benchmarks/render.py [--people N] [--data DIR] [--peers PYTHON] [--processes N ...] [--json FILE]

Ours is the build's own `load`, `align` and `render` stages at 2048 x 2048, in one process, then in several:
each first draws a scan to warm up, and the clock runs from when all are ready until the last is done. The
split by step is of a run of its own, in which GL is waited for after every step. The published way and
pyrender run in the Python that --peers names (see benchmarks/peers.py); what is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from peers import PUBLISHED, PYRENDER, Clock, measure, peak

from pipeline import datasets
from pipeline.config import DEFAULT_YAWS, RenderRequest
from pipeline.datasets.layouts import layout_of
from pipeline.formats import image
from pipeline.keys import Keys
from pipeline.records import Cleaning, Subject
from pipeline.render import renderer, sight, upload
from pipeline.render.kernels import Kernel
from pipeline.stages import align, load
from pipeline.stages import render as stage
from pipeline.store import Workspace
from pipeline.synth.layouts import SynthRequest, write_people

DATASET = "2K2K"
VIEWS = len(DEFAULT_YAWS)
MILLION = 1_000_000
MB = 1 << 20
P = ParamSpec("P")
T = TypeVar("T")


def subjects(data: Path) -> tuple[Workspace, tuple[Subject, ...]]:
    """The people of a data folder."""
    work = Workspace(data, DATASET)
    return work, datasets.survey(work, layout_of(DATASET)).subjects


def draw(studio: stage.Studio, work: Workspace, people: Sequence[Subject], clock: Clock) -> None:
    """All views of some people, from file to files."""
    request = RenderRequest(DATASET, work.root)
    columns = frozenset(shot.column for shot in stage.shots_of(request))
    wanted = dict.fromkeys(Keys(request, work).places, columns)
    for subject in people:
        with clock.step("load"):
            cleaned = load.run(work, subject, Cleaning())
        with clock.step("align"):
            alignment = align.run(work, subject, cleaned)
        with clock.step("render"):
            studio.run(cleaned.mesh, subject, alignment, wanted, "")


def work_off(data: Path, device: int | None, split: bool) -> None:
    """Draw the people whose numbers come on standard input; say what it took on standard output."""
    work, people = subjects(data)
    clock = Clock()
    if split:
        watch(clock)
    with stage.Studio(work, RenderRequest(DATASET, data, gl_device=device)) as studio:
        draw(studio, work, people[:1], Clock())
        clock.seconds.clear()
        print("ready", flush=True)
        mine = [people[int(word)] for word in sys.stdin.readline().split()]
        before = time.process_time()
        draw(studio, work, mine, clock)
    found = {"steps": dict(clock.seconds), "cpu": time.process_time() - before, "mb": peak() / MB}
    print(json.dumps(found), flush=True)


def watch(clock: Clock) -> None:
    """Count the time within the parts of a render, wherever they are called from."""

    def counted(part: Callable[P, T], step: str) -> Callable[P, T]:
        @wraps(part)
        def within(*given: P.args, **named: P.kwargs) -> T:
            with clock.step(step):
                return part(*given, **named)

        return within

    def timed(owner: object, name: str, step: str) -> None:
        setattr(owner, name, counted(getattr(owner, name), step))

    run_groups = Kernel.run_groups

    def waited_for(kernel: Kernel, across: int, down: int = 1) -> None:
        run_groups(kernel, across, down)
        kernel._context.finish()

    timed(stage, "aligned", "place")
    for name in ("__enter__", "add_normals", "add_paint"):
        timed(upload.Upload, name, "upload")
    setattr(Kernel, "run_groups", waited_for)  # noqa: B010  a plain assignment is refused by the types
    for owner, name in ((sight.Sight, "place"), (sight.Sight, "look"), (renderer.Renderer, "_resolve")):
        timed(owner, name, "draw")
    timed(renderer.Renderer, "_read", "read back")
    image._ENCODERS[".png"] = counted(image._ENCODERS[".png"], "encode (in threads)")
    timed(stage, "write_image", "encode and write (in threads)")


def ours(data: Path, processes: int, device: int | None, split: bool = False) -> dict[str, Any]:
    """What so many processes take for all people, who are dealt out among them."""
    _, people = subjects(data)
    shares = [range(i, len(people), processes) for i in range(processes)]
    command = [sys.executable, __file__, "--data", str(data), "--worker"]
    command += [f"--device={device}"] * (device is not None) + ["--split"] * split
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  itself
        for _ in shares
    ]
    for worker in workers:
        assert worker.stdout is not None
        if worker.stdout.readline().strip() != "ready":
            raise SystemExit("a worker did not start")
    start = time.perf_counter()
    for worker, share in zip(workers, shares, strict=True):
        assert worker.stdin is not None
        worker.stdin.write(" ".join(map(str, share)) + "\n")
        worker.stdin.flush()
    said = [json.loads(worker.communicate()[0]) for worker in workers]
    seconds = time.perf_counter() - start
    views = len(people) * VIEWS
    steps = {name: sum(s["steps"].get(name, 0) for s in said) / views for name in said[0]["steps"]}
    cpu = sum(s["cpu"] for s in said) / views
    return {
        "processes": processes,
        "seconds": seconds / views,
        "cpu": cpu,
        "mb": max(s["mb"] for s in said),
        "steps": steps,
    }


def peer(program: Path, mesh: Path, yaws: Sequence[float], python: str) -> dict[str, Any]:
    """What another renderer takes a view; `missing` says how to get it."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(program, mesh, Path(folder), yaws, python)
    if "missing" in found:
        return found
    total = sum(found["steps"].values())
    steps = {name: seconds / len(yaws) for name, seconds in found["steps"].items()}
    return {
        "seconds": total / len(yaws),
        "cpu": found["cpu"] / len(yaws),
        "mb": found["mb"],
        "steps": steps,
    }


def shown(name: str, found: dict[str, Any]) -> str:
    """One row of the table."""
    if "missing" in found:
        return f"| {name} | {found['missing']} | | | |"
    seconds = found["seconds"]
    return f"| {name} | {seconds:.3f} | {1 / seconds:.2f} | {found['cpu']:.2f} | {found['mb']:.0f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument(
        "--data", type=Path, help="where people are, or are made; a temporary folder if not given"
    )
    parser.add_argument(
        "--peers", default=sys.executable, help="the Python that has pyrender, trimesh and embreex"
    )
    parser.add_argument("--processes", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--device", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--split", action="store_true", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.worker:
        work_off(wish.data, wish.device, wish.split)
        return
    data = wish.data or Path(tempfile.mkdtemp())
    try:
        write_people(
            SynthRequest(data, wish.people, 0, "2k2k", MILLION), lambda text: print(text, file=sys.stderr)
        )
        report(compare(data, wish), wish.json)
    finally:
        if wish.data is None:
            shutil.rmtree(data)


def compare(data: Path, wish: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Every way to draw the same people."""
    work, people = subjects(data)
    mesh = work.absolute(people[0].mesh or "")
    found = {
        "published way (trimesh, embree)": peer(PUBLISHED, mesh, DEFAULT_YAWS[:1], wish.peers),
        "pyrender, front only": peer(PYRENDER, mesh, DEFAULT_YAWS, wish.peers),
    }
    for count in wish.processes:
        found[f"scan2k, {count} process{'es' * (count > 1)}"] = ours(data, count, wish.device)
    found["by step"] = ours(data, 1, wish.device, split=True)
    return found


def report(found: dict[str, dict[str, Any]], path: Path | None) -> None:
    """Print the tables, and write the numbers."""
    split = found["by step"]
    print(
        "| | seconds a view | views a second | CPU seconds a view | MB a process |\n|---|---|---|---|---|"
    )
    for name, row in found.items():
        if row is not split:
            print(shown(name, row))
    print("\n| step | seconds a view |\n|---|---|")
    for name, seconds in split["steps"].items():
        print(f"| {name} | {seconds:.4f} |")
    if path:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
