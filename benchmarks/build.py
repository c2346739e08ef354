"""How fast builds are, what they cost beside the drawing, and what memory they take.

python benchmarks/build.py [PART ...] [--scans DIR] [--json FILE] [options of parts, see --help]

Every build is `scan2k render` in a process of its own, timed from its start to its end. The parts:

rate        Views a second of people of a million vertices, from PLY to manifest, with 0, 1 and 2 workers.
            `with start-up` is all views over all seconds of a build of --people; `running` is what --more
            people more cost, so that all that a build does once is not in it. Beside it the same people
            drawn and written in as many processes that are warm already, without digests, keypoints and
            manifest (benchmarks/render.py): no build can be faster.
profile     Where the time of such a build goes in one process (benchmarks/build_profile.py says how it is
            counted), --people and --more of them: the share outside reading, aligning, drawing, encoding
            and writing, and the seconds that a build takes once, however many scans it makes.
nothing     Builds of fake datasets (benchmarks/fake_dataset.py) that are up to date: `first` writes lists
            and description, which `again` finds. Then --dry-run with another light, for which all shaded
            images would be made again. Files and folders were made just before, so that the system still
            has them in memory; from a cold disk it takes longer.
scheduler   What Dask costs a scan (benchmarks/scheduler.py), with --fake-scans of them.
memory      A build of --scans-made small people: the memory of driver and workers in each fifth of it,
            and what it grows by from the second on, in megabytes per 100 scans of the build, by least
            squares. A scan larger than all before, or a new thread, adds once; a leak adds every time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import psutil
from fake_dataset import make_up_to_date
from render import MILLION, ours

from pipeline.config import DEFAULT_YAWS
from pipeline.store import Workspace
from pipeline.synth.layouts import SynthRequest, write_people

HERE = Path(__file__).parent
DATASET = "2K2K"
VIEWS = len(DEFAULT_YAWS)
MB = 1 << 20
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8)  # of the scans; after the first, memory should not grow
_LOOK = 1.0  # seconds between two looks at it
_DOES_IT_ALL = {0, 3}  # exit codes: done, done with rejects


class Ran(NamedTuple):
    """What a process took, and what it said. `mb` is its own peak, or that of a process it waited for."""

    seconds: float
    cpu: float
    mb: float
    said: str

    def numbers(self) -> dict[str, float]:
        """All but what was said."""
        return {"seconds": self.seconds, "cpu": self.cpu, "mb": self.mb}


def ran(command: Sequence[str]) -> Ran:
    """Run a program to its end; one that fails ends this one."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603  ours
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ends with {process.returncode}:\n{text[-2000:]}")
    return Ran(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MB, text)


def elsewhere(work: Callable[..., object], *given: object) -> None:
    """Do it in a process that then ends: a program that is started counts our memory as its own peak."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(_without_result, work, *given).result()


def _without_result(work: Callable[..., object], *given: object) -> None:
    work(*given)


def scan2k(data: Path, *options: str) -> list[str]:
    """The command that renders the dataset of a data folder."""
    return [sys.executable, str(HERE.parent / "cli.py"), "render", DATASET, "--data", str(data), *options]


@contextmanager
def people(scans: Path, count: int) -> Iterator[Path]:
    """A data folder of so many people, who are links to those in `scans`, over and over."""
    there = sorted(path for path in scans.iterdir() if path.is_dir())
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        for number in range(count):
            one, name = there[number % len(there)], f"{number:05d}"
            place = Workspace(data, DATASET).scans / name
            place.mkdir(parents=True)
            for path in one.iterdir():
                (place / path.name.replace(one.name, name)).symlink_to(path.resolve())
        yield data


@contextmanager
def scans_of(vertices: int, count: int, given: Path | None = None) -> Iterator[Path]:
    """A folder of people with so many vertices, made now unless one is given."""
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        elsewhere(write_people, SynthRequest(data, count, 0, "2k2k", vertices), str)
        yield Workspace(data, DATASET).scans


def rate(wish: argparse.Namespace) -> list[dict[str, Any]]:
    """Views a second, by how many workers there are."""
    found = []
    with people(wish.scans, wish.people + wish.more) as data:
        limits = {count: ours(data, count, None) for count in {max(number, 1) for number in wish.workers}}
    for workers in wish.workers:
        few, many = (_built(wish, count, workers) for count in (wish.people, wish.people + wish.more))
        running = VIEWS * wish.more / (many.seconds - few.seconds)
        found.append(
            {
                "workers": workers,
                "people": wish.people,
                "more": wish.more,
                "few": few.numbers(),
                "many": many.numbers(),
                "with_start_up": VIEWS * wish.people / few.seconds,
                "running": running,
                "start_up_seconds": few.seconds - VIEWS * wish.people / running,
                "cpu_seconds_a_view": (many.cpu - few.cpu) / (VIEWS * wish.more),
                "drawn_and_written": 1 / limits[max(workers, 1)]["seconds"],
            }
        )
    return found


def _built(wish: argparse.Namespace, count: int, workers: int) -> Ran:
    with people(wish.scans, count) as data:
        return ran(scan2k(data, "--workers", str(workers)))


def profile(wish: argparse.Namespace) -> dict[str, Any]:
    """Seconds by what they are for, of a build in one process."""
    with people(wish.scans, wish.people + wish.more) as data:
        path = data / "profile.json"
        command = [sys.executable, str(HERE / "build_profile.py"), str(path), str(time.time())]
        done = ran([*command, *scan2k(data, "--workers", "0")[2:]])
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found["once"]["end of Python"] = done.seconds - found["seconds"]
    return found | done.numbers()


def nothing(wish: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds and memory of builds that have nothing to do, by the dataset's size."""
    return [_nothing(int(scans), int(views)) for scans, views in (size.split("x") for size in wish.sizes)]


def _nothing(scans: int, views: int) -> dict[str, Any]:
    yaws = [int(yaw) for yaw in DEFAULT_YAWS] if views == VIEWS else range(-180, 180, 360 // views)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        elsewhere(make_up_to_date, data, scans, yaws)
        command = scan2k(data, "--yaws", ",".join(map(str, yaws)))
        first, again, dry = ran(command), ran(command), ran([*command, "--light", "ring", "--dry-run"])
    kept = f"{scans * len(yaws):,}"
    for one in (first, again):
        if "up to date" not in one.said or kept not in one.said:
            raise SystemExit(f"a build that should have nothing to do says:\n{one.said}")
    if f"{scans:,}" not in dry.said or "shaded differently" not in dry.said:
        raise SystemExit(f"a build with another light says:\n{dry.said}")
    times = {"first": first, "again": again, "another light, --dry-run": dry}
    return {"scans": scans, "views": len(yaws), **{name: one.numbers() for name, one in times.items()}}


def scheduler(wish: argparse.Namespace) -> dict[str, Any]:
    """What benchmarks/scheduler.py finds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        scans = ["--scans", str(wish.fake_scans)]
        ran([sys.executable, str(HERE / "scheduler.py"), *scans, "--json", str(path)])
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def memory(wish: argparse.Namespace) -> list[dict[str, Any]]:
    """How the memory of every process of a build goes with the scans that it makes."""
    found = list[dict[str, Any]]()
    different = min(wish.scans_made, wish.different)
    with scans_of(wish.vertices, different) as scans:
        for workers in wish.workers:
            with people(scans, wish.scans_made) as data:
                options = ["--workers", str(workers), "--size", str(wish.size)]
                found += _watched(data, scan2k(data, *options), workers, wish.scans_made)
    return found


def _watched(data: Path, command: list[str], workers: int, scans: int) -> Iterator[dict[str, Any]]:
    """The memory of a build's processes, which are looked at every second."""
    journal = Workspace(data, DATASET).manifests / "journal"
    seen: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as build:  # noqa: S603
        while build.poll() is None:
            time.sleep(_LOOK)
            done = len(list(journal.glob("*.parquet")))
            for name, process in _processes(build.pid):
                try:
                    seen[name, process.pid].append((done, process.memory_info().rss / MB))
                except psutil.NoSuchProcess:
                    continue
    if build.returncode not in _DOES_IT_ALL:
        raise SystemExit(f"{' '.join(command)} ends with {build.returncode}")
    for (name, _), points in seen.items():
        yield {"workers": workers, "process": name, **_growth(points, scans)}


def _processes(pid: int) -> Iterator[tuple[str, psutil.Process]]:
    """A build's processes and what they are; those that only look after others are left out."""
    try:
        driver = psutil.Process(pid)
        yield "driver", driver
        for child in driver.children(recursive=True):
            if any("spawn_main" in word for word in child.cmdline()):
                yield "worker", child
    except psutil.NoSuchProcess:
        return


def _growth(points: Sequence[tuple[int, float]], scans: int) -> dict[str, Any]:
    """Megabytes at the peak and in the middle of each fifth of the scans; what 100 scans add to a line."""
    done, sizes = np.array(points).T
    fifths = [sizes[(share * scans <= done) & (done < (share + 0.2) * scans)] for share in FIFTHS]
    if not all(len(fifth) for fifth in fifths):
        raise SystemExit("the build was over before it could be looked at; take more scans")
    steady = (FIFTHS[1] * scans <= done) & (done < scans)
    across = done[steady] - done[steady].mean()
    return {
        "looks": len(points),
        "peak_mb": float(sizes.max()),
        "fifths_mb": [float(np.median(fifth)) for fifth in fifths],
        "mb_a_100_scans": 100 * float(across @ sizes[steady] / (across @ across)),
    }


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "rate": rate,
    "profile": profile,
    "nothing": nothing,
    "scheduler": scheduler,
    "memory": memory,
}


def show_rate(found: list[dict[str, Any]]) -> None:
    """A row for each number of workers."""
    print("| workers | views a second, with start-up | running | drawn and written only", end="")
    print(" | start-up, seconds | CPU seconds a view |\n|---|---|---|---|---|---|")
    for row in found:
        numbers = f"{row['with_start_up']:.2f} | {row['running']:.2f} | {row['drawn_and_written']:.2f}"
        cost = f"{row['start_up_seconds']:.1f} | {row['cpu_seconds_a_view']:.2f}"
        print(f"| {row['workers']} | {numbers} | {cost} |")


def show_profile(found: dict[str, Any]) -> None:
    """A row for each thing that time goes to."""
    print("| of a build in one process | seconds | share of the making |\n|---|---|---|")
    for group in ("work", "aside"):
        for name, seconds in found[group].items():
            print(f"| {name} | {seconds:.3f} | {100 * seconds / found['making']:.2f} % |")
    for name, seconds in found["once"].items():
        print(f"| once: {name} | {seconds:.3f} | |")
    shares = (
        f"{100 * found['outside_share']:.1f} %, {100 * found['idle_share']:.1f} % with no thread at work"
    )
    print(f"\n{found['views']} views; outside of read, align, draw, encode, write: {shares}")


def show_nothing(found: list[dict[str, Any]]) -> None:
    """A row for each dataset and build."""
    print("| scans x views | build | seconds | CPU seconds | peak MB |\n|---|---|---|---|---|")
    for row in found:
        for name, took in row.items():
            if isinstance(took, dict):
                numbers = f"{took['seconds']:.1f} | {took['cpu']:.1f} | {took['mb']:.0f}"
                print(f"| {row['scans']:,} x {row['views']} | {name} | {numbers} |")


def show_scheduler(found: dict[str, Any]) -> None:
    """A row for each time that it was looked at."""
    for name in ("here", "one worker", "one worker, no certificates"):
        print(f"{name}: {', '.join(f'{what} {number:.2f}' for what, number in found[name].items())}")
    print("\n| scans | ms a scan | driver CPU ms a scan | driver MB | workers MB |\n|---|---|---|---|---|")
    for row in found["many"]:
        times = f"{row['ms_a_scan']:.1f} | {row['driver_cpu_ms_a_scan']:.1f}"
        print(f"| {row['scans']:,} | {times} | {row['driver_mb']:.0f} | {row['workers_mb']:.0f} |")


def show_memory(found: list[dict[str, Any]]) -> None:
    """A row for each process."""
    print("| workers | process | MB in the first fifth | 2nd | 3rd | 4th | 5th | peak | a 100 scans |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in found:
        sizes = " | ".join(f"{size:.0f}" for size in (*row["fifths_mb"], row["peak_mb"]))
        print(f"| {row['workers']} | {row['process']} | {sizes} | {row['mb_a_100_scans']:+.2f} |")


SHOW: dict[str, Callable[[Any], None]] = {
    "rate": show_rate,
    "profile": show_profile,
    "nothing": show_nothing,
    "scheduler": show_scheduler,
    "memory": show_memory,
}


def wished() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS), metavar="PART")
    parser.add_argument(
        "--scans", type=Path, help="a folder of people in the 2k2k layout; made if not given"
    )
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--more", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sizes", nargs="+", default=["2050x7", "100000x24"], metavar="SCANSxVIEWS")
    parser.add_argument("--fake-scans", type=int, default=100_000)
    parser.add_argument("--scans-made", type=int, default=200)
    parser.add_argument("--different", type=int, default=20, help="how many of them are not the same")
    parser.add_argument("--vertices", type=int, default=20_000, help="of those")
    parser.add_argument("--size", type=int, default=256, help="of their pictures")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure and print; `--json` keeps the numbers."""
    wish, found = wished(), dict[str, Any]()
    with ExitStack() as people_made:
        if {"rate", "profile"} & set(wish.parts):
            wish.scans = people_made.enter_context(scans_of(MILLION, wish.people, wish.scans))
        for part in wish.parts:
            found[part] = PARTS[part](wish)
            print(f"\n{part}\n", flush=True)
            SHOW[part](found[part])
            sys.stdout.flush()
            if wish.json:
                wish.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
