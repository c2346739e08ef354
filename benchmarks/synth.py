"""How long a synthetic person takes, step by step: python benchmarks/synth.py [--json FILE] [VERTICES ...]

Each size runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from pipeline.formats.obj import write_obj
from pipeline.formats.ply import write_ply
from pipeline.geometry.mesh import vertex_normals
from pipeline.records import F32, Mesh
from pipeline.synth import surface
from pipeline.synth.atlas import size_for, texture_of, unwrap
from pipeline.synth.defects import NONE
from pipeline.synth.figure import Figure, figure_of
from pipeline.synth.person import draw
from pipeline.synth.scan import Cast, in_chunks, pose

SIZES = (20_000, 200_000, 1_000_000)
SEED, PERSON = 0, 1
STEPS = ("extract", "paint", "deform", "ply", "atlas", "obj")


class Watched:
    """A figure that counts what is asked of it."""

    def __init__(self, figure: Figure) -> None:
        self.figure, self.points = figure, 0

    def distance(self, points: F32) -> F32:
        """The figure's distance."""
        self.points += points.shape[1]
        return self.figure.distance(points)


def measure(vertices: int) -> dict[str, float]:
    """Seconds of each step, peak memory in MB, and distances asked for per vertex."""
    traits = draw(SEED, PERSON)
    figure = figure_of(traits)
    watched = Watched(figure)
    marks = [time.perf_counter()]
    smooth, faces = surface.extract_count(watched.distance, figure.low, figure.high, vertices)
    marks.append(time.perf_counter())
    normals = vertex_normals(smooth, faces)
    heights = in_chunks(lambda p, n: figure.relief(p.T, n.T), smooth, normals)
    colors = in_chunks(lambda p, n: figure.paint(p.T, n.T), smooth, normals)
    spread = in_chunks(lambda p: figure.spread(p.T), smooth)
    marks.append(time.perf_counter())
    cast = Cast(smooth + normals * heights[:, None], faces, colors, spread)
    skin = pose(cast, figure.body, NONE, traits.seed).skin
    marks.append(time.perf_counter())
    with tempfile.TemporaryDirectory() as folder:
        write_ply(Path(folder) / "scan.ply", Mesh(skin.vertices, skin.faces, skin.colors))
        marks.append(time.perf_counter())
        atlas = unwrap(skin.rest, skin.faces, size_for(len(skin.rest)))
        texture = texture_of(atlas, skin.faces, skin.colors)
        marks.append(time.perf_counter())
        first = np.zeros(len(skin.faces), dtype=np.int32)
        mesh = Mesh(
            skin.vertices,
            skin.faces,
            uvs=atlas.uvs,
            face_uvs=atlas.face_uvs,
            textures=(texture,),
            face_textures=first,
        )
        write_obj(Path(folder) / "scan.obj", mesh)
        marks.append(time.perf_counter())
    seconds = {name: marks[i + 1] - marks[i] for i, name in enumerate(STEPS)}
    return {
        "vertices": len(skin.vertices),
        "wanted": vertices,
        **{name: round(value, 3) for name, value in seconds.items()},
        "person": round(sum(seconds[name] for name in STEPS[:4]), 3),
        "distances_a_vertex": round(watched.points / len(smooth), 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Measure each size, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vertices", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        print(json.dumps(measure(wish.vertices[0])))
        return
    rows = []
    for size in wish.vertices:
        command = [sys.executable, __file__, "--one", str(size)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  this file
        rows.append(json.loads(answer.stdout))
        if len(rows) == 1:
            print(
                "".join(
                    f"{name:>20}" if name == "distances_a_vertex" else f"{name:>10}" for name in rows[0]
                )
            )
        print("".join(f"{v:>20}" if k == "distances_a_vertex" else f"{v:>10}" for k, v in rows[-1].items()))
    if wish.json:
        wish.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
