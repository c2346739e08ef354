"""How near ambient occlusion comes to rays, and what it costs, by its number of lines and its fineness.

python benchmarks/occlusion.py [--vertices N ...] [--lines N ...] [--sizes N ...] [--json FILE]

Rays, 2048 from each of 500 vertices, are spread over the hemisphere by their cosines. Seconds are of all
cores together; the first person that a program draws is not the one that is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pipeline.geometry.transform import aligned
from pipeline.records import F64, I32, Evidence, Mesh
from pipeline.render import occlusion
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.stages.align import align
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

RAYS, VERTICES = 2048, 500
OFF = 2e-5  # from the vertex to where its rays start, along the normal


def person(vertices: int) -> Mesh:
    """A synthetic person of about so many vertices, aligned."""
    scan = make_scan(draw(0, 1), vertices)
    mesh = Mesh(scan.skin.vertices, scan.skin.faces, scan.skin.colors)
    return Mesh(
        aligned(mesh.vertices, align(mesh, Evidence(parameters=scan.body))), mesh.faces, mesh.colors
    )


def by_rays(mesh: Mesh, some: I32) -> F64:
    """The openness of some of a mesh's vertices."""
    scene = EmbreeScene(robust=True)
    TriangleMesh(scene, mesh.vertices, mesh.faces)
    normals = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).vertex_normals
    i = np.arange(RAYS)
    level, around = np.sqrt((i + 0.5) / RAYS), i * (np.pi * (3 - 5**0.5))
    parts = np.stack([level * np.cos(around), level * np.sin(around), np.sqrt(1 - level**2)], axis=1)
    shares = []
    for vertex in some:
        normal = normals[vertex]
        across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
        across /= np.linalg.norm(across)
        rays = parts @ np.stack([across, np.cross(normal, across), normal])
        starts = np.broadcast_to(mesh.vertices[vertex] + OFF * normal, rays.shape)
        shares.append((scene.run(starts.astype(np.float32), rays.astype(np.float32)) < 0).mean())
    return np.array(shares)


def measure(mesh: Mesh, lines: list[int], sizes: list[int]) -> Iterator[dict[str, float]]:
    """Errors and seconds of each choice."""
    some = np.random.default_rng(0).choice(len(mesh.vertices), VERTICES, replace=False).astype(np.int32)
    true = by_rays(mesh, some)
    with Renderer(64, [Layer("shaded")]) as renderer:
        renderer.openness(person(2_000))
        for occlusion.LINES in lines:
            for occlusion.SIZE in sizes:
                wall, cpu = time.perf_counter(), time.process_time()
                error = renderer.openness(mesh)[some] - true
                yield {
                    "vertices": len(mesh.vertices),
                    "lines": occlusion.LINES,
                    "size": occlusion.SIZE,
                    "cpu_seconds": time.process_time() - cpu,
                    "seconds": time.perf_counter() - wall,
                    "error": float(np.abs(error).mean()),
                    "error_p99": float(np.quantile(np.abs(error), 0.99)),
                    "bias": float(error.mean()),
                }


def main() -> None:
    """Print a row for each choice and person."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--vertices", type=int, nargs="+", default=[20_000, 1_000_000])
    parser.add_argument("--lines", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 768, 1024])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print("vertices   lines  size   CPU s      s   error    p99    bias")
    for vertices in options.vertices:
        for row in measure(person(vertices), options.lines, options.sizes):
            rows.append(row)
            print(
                f"{row['vertices']:9,} {row['lines']:6} {row['size']:5} {row['cpu_seconds']:7.2f} "
                f"{row['seconds']:6.2f}  {row['error']:.4f}  {row['error_p99']:.3f} {row['bias']:+.4f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
