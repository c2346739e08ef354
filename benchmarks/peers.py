"""What other renderers need for the same pictures, each in a process and a Python of its own.

python benchmarks/peers.py MESH.ply FOLDER [--yaws DEGREES ...]     pyrender alone

pyrender draws the front only, colour without light and depth, and writes two PNG files a view: it has no
way to keep the farthest surface. `measure` runs it, or benchmarks/published.py, in any Python that has what
they need, since pyrender asks for versions that a project may not want beside its own:

    python -m venv peers && peers/bin/pip install pyrender trimesh embreex scipy pillow

Loads nothing of this project.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import numpy.typing as npt
import trimesh
from PIL import Image

SIZE = 2048
FIELD_OF_VIEW = 50.0
STEPS = 32.0
NOT_INSTALLED = 3  # the exit status of a program that lacks a library
PYRENDER, PUBLISHED = (Path(__file__).with_name(name) for name in ("peers.py", "published.py"))
Draw = Callable[[Path, Path, Sequence[float]], dict[str, float]]


class Clock:
    """Seconds by step, each the sum of all the times that the step was taken."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time within as this step's."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


def measure(program: Path, mesh: Path, folder: Path, yaws: Sequence[float], python: str) -> dict[str, Any]:
    """What a program (PYRENDER or PUBLISHED) says after drawing a PLY from these sides into a folder.

    `steps` are seconds by step, summed over views, `cpu` the seconds of all cores, `mb` the most memory;
    where a library is missing there is only `missing`, which says how to install it.
    """
    command = [python, str(program), str(mesh), str(folder), "--yaws", *(f"{yaw:g}" for yaw in yaws)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own programs
    if done.returncode == NOT_INSTALLED:
        return {"missing": done.stderr.strip()}
    if done.returncode:
        raise RuntimeError(f"{program.name}: {done.stderr.strip()[-2000:]}")
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


def need(*names: str) -> None:
    """End the program, and say how to go on, where a library is missing."""
    if missing := [name for name in names if not find_spec(name)]:
        print(
            f"not installed: {' '.join(missing)}; {sys.executable} -m pip install {' '.join(missing)}",
            file=sys.stderr,
        )
        raise SystemExit(NOT_INSTALLED)


def answer(draw: Draw, about: str | None) -> None:
    """Read the command line, draw, and print what it took as one line of JSON."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mesh", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--yaws", type=float, nargs="+", default=[-30.0])
    wish = parser.parse_args()
    before = time.process_time()
    steps = draw(wish.mesh, wish.folder, wish.yaws)
    print(json.dumps({"steps": steps, "cpu": time.process_time() - before, "mb": peak() / (1 << 20)}))


def peak() -> int:
    """The most bytes that this program has had in memory, not counting whoever started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def render_views(mesh_path: Path, folder: Path, yaws: Sequence[float]) -> dict[str, float]:
    """Seconds by step to draw a PLY's front from these sides (degrees), two PNG files a view."""
    need("pyrender")
    pyrender = import_module("pyrender")
    clock = Clock()
    with clock.step("load"):
        mesh = trimesh.load(mesh_path, process=False)
    with clock.step("scene"):
        reach = float(np.abs(mesh.vertices - mesh.centroid).max()) * 2.8
        centred = np.diag([1 / reach, 1 / reach, 1 / reach, 1.0])
        centred[:3, 3] = -mesh.centroid / reach
        scene = pyrender.Scene(bg_color=[0, 0, 0, 0])
        person = scene.add(pyrender.Mesh.from_trimesh(mesh))
        pose = np.eye(4)
        pose[2, 3] = 1.0
        camera = pyrender.PerspectiveCamera(np.radians(FIELD_OF_VIEW), znear=0.3, zfar=1.7, aspectRatio=1.0)
        scene.add(camera, pose=pose)
    with clock.step("context"):
        renderer = pyrender.OffscreenRenderer(SIZE, SIZE)
    for yaw in yaws:
        with clock.step("draw"):
            turn = trimesh.transformations.rotation_matrix(np.radians(yaw), [0, 1, 0])
            scene.set_pose(person, turn @ centred)
            color, depth = renderer.render(scene, flags=pyrender.RenderFlags.FLAT)
        with clock.step("encode"):
            stored = encoded(depth)
        with clock.step("write"):
            for name, picture in (("color", color), ("depth", stored)):
                Image.fromarray(picture).save(folder / f"{yaw:g}_{name}_front.png", compress_level=1)
    renderer.delete()
    return dict(clock.seconds)


def encoded(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Depth along the axis, 0 = nothing, as the ray's length in 16 bits."""
    half = np.float32(np.tan(np.radians(FIELD_OF_VIEW / 2)))
    across = ((np.arange(SIZE, dtype=np.float32) + 0.5) * (2 / SIZE) - 1) * half
    length = depth * np.sqrt(1 + across**2 + across[:, None] ** 2)
    stored = ((length - 1) * (SIZE / 2 / half) + SIZE / 2) * STEPS
    return np.where(depth > 0, np.rint(stored), 0).astype(np.uint16)


if __name__ == "__main__":
    answer(render_views, __doc__)
