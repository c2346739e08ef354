"""How long scan-list takes: python benchmarks/scan_list.py [--people N] [--json FILE] [LAYOUT ...]

Each layout gets a data folder of empty files with as many people, and a process of its own. `first` is the
look just after the files were made, `again` the best of three; both find the names in the system's memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.config import ListRequest
from pipeline.listing import as_json, lines, scan_list

PEOPLE = 100_000
AGAIN = 3


def _twok2k(number: int) -> Iterator[str]:
    folder = f"obj/2K2K/train/{number:06d}"
    yield from (f"{folder}/{name}" for name in (f"{number:06d}.ply", "smplx.json", "kp3ds.json"))
    yield f"{folder}/smplx10475_rigid_mesh.obj"


def _thuman2(number: int) -> Iterator[str]:
    name = f"{number:06d}"
    yield from (f"obj/THuman2/data/{name}/{file}" for file in (f"{name}.obj", "material0.jpeg"))
    yield from (f"obj/THuman2/smplx/{name}/{file}" for file in ("smplx_param.pkl", "mesh_smplx.obj"))
    yield f"Joint3D/THuman2/{name}.json"


def _renderpeople(number: int) -> Iterator[str]:
    name = f"rp_somebody_posed_{number:06d}"
    yield from (f"obj/RP/{name}_OBJ/{file}" for file in (f"{name}_100k.obj", f"tex/{name}_dif_8k.jpg"))
    yield f"Joint3D/RP/{name}.json"


def _huge100k(number: int) -> Iterator[str]:
    folder = f"HuGe100K/flux_batch{number % 9 + 1}/images{number // 9 % 10}"
    name = f"Kenya_female_fit_smart casual_20~30 years old_{number}"
    yield from (
        f"{folder}/{file}" for file in (f"videos/{name}.mp4", f"videos/{name}.jpg", f"param/{name}.npy")
    )


def _folder(number: int) -> Iterator[str]:
    yield from (f"obj/folder/{number:06d}{ending}" for ending in (".ply", ".json", ".joints.json"))


TREES: dict[str, tuple[str, Callable[[int], Iterator[str]]]] = {
    "2k2k": ("2K2K", _twok2k),
    "thuman2": ("THuman2", _thuman2),
    "renderpeople": ("RP", _renderpeople),
    "huge100k": ("HuGe100K", _huge100k),
    "folder": ("folder", _folder),
}


def grow(root: Path, layout: str, people: int) -> int:
    """Make the empty files of so many people; how many they are."""
    known, count = set[str](), 0
    for number in range(people):
        for name in TREES[layout][1](number):
            folder = name.rpartition("/")[0]
            if folder not in known:
                (root / folder).mkdir(parents=True, exist_ok=True)
                known.add(folder)
            (root / name).touch()
            count += 1
    return count


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(layout: str, people: int) -> dict[str, float | str]:
    """Seconds to find everybody, and to say so as a table and as JSON; peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = grow(root, layout, people)
        request = ListRequest(TREES[layout][0], root)
        first = _timed(lambda: scan_list(request))
        again = min(_timed(lambda: scan_list(request)) for _ in range(AGAIN))
        found = scan_list(request)
        table = _timed(lambda: "\n".join(lines(found)))
        program = _timed(lambda: json.dumps(as_json(found)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "layout": layout,
        "people": len(found.subjects),
        "files": files,
        "first": round(first, 2),
        "again": round(again, 2),
        "table": round(table, 2),
        "json": round(program, 2),
        "peak_mb": round(peak),
    }


def main() -> None:
    """Measure each layout, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layouts", nargs="*", default=list(TREES))
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        print(json.dumps(measure(wish.layouts[0], wish.people)))
        return
    rows = []
    for layout in wish.layouts:
        command = [sys.executable, __file__, "--one", "--people", str(wish.people), layout]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  this file
        rows.append(json.loads(answer.stdout))
        if len(rows) == 1:
            print("".join(f"{name:>14}" for name in rows[0]))
        print("".join(f"{value:>14}" for value in rows[-1].values()))
    if wish.json:
        wish.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
