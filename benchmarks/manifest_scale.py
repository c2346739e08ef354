"""How long manifests take: python benchmarks/manifest_scale.py [--people N] [--folded N] [--json FILE]

A manifest of N people in 24 views is made, and a journal of people spread over all of it, half of them new,
which is the worst case: no row group stays as it is. Then each question is asked in a process of its own,
whose peak of memory counts. The files lie in the system's memory when they are read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from manifest_rows import scan_row
from view_rows import YAWS, view_table

from manifests import fold, journal
from manifests.files import Facts, write_table
from manifests.lock import FolderLock
from manifests.read import open_manifest
from manifests.schema import REJECTS, SCANS, VIEWS, rows_of, table_of
from pipeline.rows import ScanRow, ViewRow

_FACTS = Facts("2K2K")
_STEP = 1000  # people whose rows are made together


def make(folder: Path, people: int, folded: int) -> None:
    """The manifest of the people with even numbers, and a journal of even and odd ones."""
    write_table(folder / SCANS.file, SCANS, _FACTS, (_scans(np.arange(people) * 2),))
    write_table(folder / REJECTS.file, REJECTS, _FACTS, ())
    parts = (np.arange(start, min(start + _STEP, people)) * 2 for start in range(0, people, _STEP))
    write_table(folder / VIEWS.file, VIEWS, _FACTS, (view_table(part, int(part[0])) for part in parts))
    numbers = np.linspace(0, 2 * people - 2, folded).astype(int) // 2 * 2 + np.arange(folded) % 2
    for number in numbers:
        views = rows_of(ViewRow, view_table(np.array([number]), int(number)))
        journal.record(folder, scan_row(f"{number:06d}"), views)


def _scans(numbers: np.ndarray) -> pa.Table:
    return table_of(ScanRow, [scan_row(f"{number:06d}") for number in numbers])


def _fold(folder: Path) -> int:
    with FolderLock(folder) as lock:
        return fold.fold(lock, _FACTS)


def _ask_all_keys(folder: Path) -> int:
    keys = open_manifest(folder).keys()
    scans = open_manifest(folder).scans(["scan"]).column(0).to_pylist()
    return sum(len(keys.of(scan)) for scan in scans)


_COLUMNS = ("scan", "view", "color_front")
QUESTIONS: dict[str, Callable[[Path], int]] = {
    "open": lambda folder: open_manifest(folder).counts["views"],
    "a person, 3 columns": lambda folder: open_manifest(folder).views(_COLUMNS, ["001234"]).num_rows,
    "a person, all columns": lambda folder: open_manifest(folder).views(scans=["001234"]).num_rows,
    "a split, 3 columns": lambda folder: open_manifest(folder).views(_COLUMNS, split="val").num_rows,
    "a split, keypoints": lambda folder: (
        open_manifest(folder).views(["keypoints_uv"], split="val").num_rows
    ),
    "keys": lambda folder: len(open_manifest(folder).keys()),
    "keys, all asked": _ask_all_keys,
    "fold": _fold,
}


def measure(folder: Path, question: str) -> dict[str, float | str]:
    """Seconds, CPU seconds and peak memory of one question in this process."""
    began, used = time.perf_counter(), time.process_time()
    rows = QUESTIONS[question](folder)
    return {
        "question": question,
        "rows": rows,
        "seconds": round(time.perf_counter() - began, 2),
        "cpu": round(time.process_time() - used, 2),
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> int:
    """Of this program alone: what getrusage says counts the parent's memory before exec too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


def main() -> None:
    """Make the manifest, ask every question, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--folded", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        print(json.dumps(measure(wish.folder, wish.one)))
        return
    with tempfile.TemporaryDirectory(dir=wish.folder) as name:
        folder = Path(name)
        began = time.perf_counter()
        make(folder, wish.people, wish.folded)
        size = (folder / VIEWS.file).stat().st_size
        made = f"{wish.people * len(YAWS):,} views made in {time.perf_counter() - began:.0f} s"
        print(f"{made}: {size / 1e6:,.0f} MB, {size / wish.people / len(YAWS):.0f} bytes a view")
        rows = []
        for question in QUESTIONS:
            command = [sys.executable, __file__, "--one", question, "--folder", name]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  this file
            rows.append(json.loads(answer.stdout))
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    if wish.json:
        wish.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
