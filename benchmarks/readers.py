"""How long each reader takes and how much memory it needs, beside trimesh.load on the same files.

python benchmarks/readers.py [--vertices N] [--repeat N] [--json FILE]

Every reading is a process of its own, so that its peak memory is its own and nothing is warm but the file.
The time is of one call, without imports, the best of `--repeat`; the memory is what it adds to the peak.
A dash is a file that is not read.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import trimesh
from plyfile import PlyData, PlyElement

from pipeline.formats.gltf import read_gltf
from pipeline.formats.joints import read_joint3d, read_kp3ds
from pipeline.formats.obj import write_obj
from pipeline.formats.obj_read import BODY_VERTICES, read_obj, read_registered
from pipeline.formats.parameters import read_parameters, write_json, write_npz, write_pickle
from pipeline.formats.ply import read_ply, write_ply
from pipeline.records import F32, I32, U8, BodyParameters, Mesh

MILLION = 1_000_000
MB = 1 << 20
CACHE = "cache"

READERS: dict[str, Callable[[Path], object]] = {
    "triangles.ply": read_ply,
    "triangles-big-endian.ply": read_ply,
    "quads.ply": read_ply,
    "mixed.ply": read_ply,
    "text.ply": read_ply,
    "scan.obj": read_obj,
    "scan.glb": read_gltf,
    "registered.obj": read_registered,
    "parameters.json": read_parameters,
    "parameters.npz": read_parameters,
    "parameters.pkl": read_parameters,
    "kp3ds.json": read_kp3ds,
    "joint3d.json": read_joint3d,
}
CACHED = "scan.obj, from the cache"


def torus(vertices: int) -> tuple[F32, I32, I32, U8]:
    """Vertices, triangles, the quads they halve, and colours, of a ring of about so many vertices."""
    around = round(vertices**0.5)
    along = max(vertices // around, 3)
    u, v = np.meshgrid(np.arange(along) / along, np.arange(around) / around, indexing="ij")
    u, v = 2 * np.pi * u.ravel(), 2 * np.pi * v.ravel()
    ring = 1 + 0.4 * np.cos(v)
    places = np.stack([ring * np.cos(u), 0.4 * np.sin(v), ring * np.sin(u)], axis=1).astype(np.float32)
    i, j = np.divmod(np.arange(along * around), around)
    right, up = (i + 1) % along, (j + 1) % around
    corners = (i * around + j, i * around + up, right * around + up, right * around + j)
    quads = np.stack(corners, axis=1).astype(np.int32)
    triangles = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    colors = np.random.default_rng(0).integers(0, 256, places.shape, dtype=np.uint8)
    return places, triangles, quads, colors


def make(folder: Path, vertices: int) -> None:
    """One file for each reader."""
    places, triangles, quads, colors = torus(vertices)
    colored = Mesh(places, triangles, colors)
    write_ply(folder / "triangles.ply", colored)
    elements = vertex_element(places, colors)
    face = np.empty(len(triangles), dtype=[("vertex_indices", "i4", (3,))])
    face["vertex_indices"] = triangles
    faces = PlyElement.describe(face, "face")
    PlyData([elements, faces], byte_order=">").write(folder / "triangles-big-endian.ply")
    PlyData([elements, faces], text=True).write(folder / "text.ply")
    four = np.empty(len(quads), dtype=[("vertex_indices", "i4", (4,))])
    four["vertex_indices"] = quads
    PlyData([elements, PlyElement.describe(four, "face")], byte_order="<").write(folder / "quads.ply")
    write_mixed(folder / "mixed.ply", elements, triangles, quads)
    uvs = np.random.default_rng(1).random((len(places), 2)).astype(np.float32)
    write_obj(folder / "scan.obj", Mesh(places, triangles, uvs=uvs, face_uvs=triangles))
    shape = trimesh.Trimesh(places, triangles, vertex_colors=colors, process=False)
    (folder / "scan.glb").write_bytes(trimesh.Scene(shape).export(file_type="glb"))
    body_places, body_triangles, _, _ = torus(BODY_VERTICES)
    body_places = np.resize(body_places, (BODY_VERTICES, 3))
    write_obj(folder / "registered.obj", Mesh(body_places, body_triangles))
    make_small(folder)


def vertex_element(places: F32, colors: U8) -> PlyElement:
    """Places and colours as plyfile wants them."""
    names = [*((n, "f4") for n in "xyz"), *((n, "u1") for n in ("red", "green", "blue"))]
    vertex = np.empty(len(places), dtype=names)
    for i, (name, _) in enumerate(names):
        vertex[name] = (places if i < 3 else colors)[:, i % 3]
    return PlyElement.describe(vertex, "vertex")


def write_mixed(path: Path, vertex: PlyElement, triangles: I32, quads: I32) -> None:
    """A binary file of two triangles and a quad in turn, the kind that cannot be read in one step."""
    row = np.empty(len(quads) // 2, dtype=[("a", "u1"), ("b", "<i4", (3,)), ("c", "u1"), ("d", "<i4", (3,)),
                                           ("e", "u1"), ("f", "<i4", (4,))])  # fmt: skip
    row["a"], row["c"], row["e"] = 3, 3, 4
    row["b"], row["d"], row["f"] = triangles[0::4][: len(row)], triangles[1::4][: len(row)], quads[1::2]
    PlyData([vertex], byte_order="<").write(path)
    head, _, body = path.read_bytes().partition(b"end_header\n")
    more = b"element face %d\nproperty list uchar int vertex_indices\nend_header\n" % (3 * len(row))
    path.write_bytes(head + more + body + row.tobytes())


def make_small(folder: Path) -> None:
    """Parameters and joints."""
    hands, ten, three = np.zeros((15, 3)), np.zeros(10), np.zeros(3)
    body = BodyParameters(
        gender="neutral",
        betas=ten,
        expression=ten,
        body_pose=np.zeros((21, 3)),
        left_hand_pose=hands,
        right_hand_pose=hands,
        global_orient=three,
        jaw_pose=three,
        leye_pose=three,
        reye_pose=three,
    )
    write_json(folder / "parameters.json", body)
    write_npz(folder / "parameters.npz", body)
    write_pickle(folder / "parameters.pkl", body, np.zeros(12), np.zeros(12))
    (folder / "kp3ds.json").write_text(json.dumps(np.ones((118, 4)).tolist()))
    joints = {"joint3d": np.ones((133, 3)).tolist(), "visible": [1] * 133}
    (folder / "joint3d.json").write_text(json.dumps(joints))


def read_once(path: Path, how: str) -> dict[str, float]:
    """Seconds of one reading, and MB that it adds to the peak."""
    cache = path.parent / CACHE
    read = READERS.get(path.name, read_obj)
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: read(path),
        "cached": lambda: read_obj(path, cache),
        "trimesh": lambda: trimesh.load(path, process=False),
    }
    before = peak()
    start = time.perf_counter()
    result = calls[how]()
    seconds = time.perf_counter() - start
    del result
    return {"seconds": seconds, "mb": (peak() - before) / MB}


def peak() -> int:
    """The most bytes that this program has had in memory, not counting whoever started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def best(path: Path, how: str, repeat: int) -> dict[str, float] | None:
    """The fastest of some readings, each in a new process; None where the file cannot be read so."""
    command = [sys.executable, __file__, "--one", str(path), "--how", how]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found: list[dict[str, float]] = []
    for _ in range(repeat):
        answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603  this file
        if answer.returncode:
            return None
        found.append(json.loads(answer.stdout))
    return min(found, key=lambda one: one["seconds"])


def measure(folder: Path, repeat: int) -> list[dict[str, object]]:
    """A row for each file, printed as it comes."""
    print(f"{'file':28}{'MB':>8}{'ours s':>10}{'ours MB':>10}{'trimesh s':>11}{'trimesh MB':>12}")
    rows: list[dict[str, object]] = []
    for name in (*READERS, CACHED):
        path = folder / name.split(",")[0]
        how = "cached" if name == CACHED else "ours"
        if how == "cached":
            best(path, how, 1)  # which fills it
        mesh = path.suffix in {".ply", ".obj", ".glb"}
        ours, theirs = best(path, how, repeat), best(path, "trimesh", repeat) if mesh else None
        rows.append({"file": name, "mb": path.stat().st_size / 1e6, "ours": ours, "trimesh": theirs})
        print(
            f"{name:28}{path.stat().st_size / 1e6:8.2f}{shown(ours, 10, 10)}{shown(theirs, 11, 12)}",
            flush=True,
        )
    return rows


def shown(found: dict[str, float] | None, first: int, second: int) -> str:
    """Seconds and MB in their columns."""
    if found is None:
        return f"{'-':>{first}}{'-':>{second}}"
    return f"{found['seconds']:{first}.4f}{found['mb']:{second}.1f}"


def main() -> None:
    """Make the files, read each with both, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vertices", type=int, default=MILLION)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--how", default="ours", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        print(json.dumps(read_once(wish.one, wish.how)))
        return
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), wish.vertices)
        rows = measure(Path(name), wish.repeat)
    if wish.json:
        wish.json.write_text(json.dumps({"vertices": wish.vertices, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
