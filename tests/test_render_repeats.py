"""The same bytes whenever, wherever and in however many threads, and no memory lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

DRAWS = """
import hashlib, sys
import numpy as np
from drawing import bumpy, studio
from pipeline.geometry.presets import preset_light
from pipeline.records import Mesh

light = preset_light("studio", np.random.default_rng(0))
mesh = bumpy(5)
random = np.random.default_rng(1)
textured = Mesh(
    mesh.vertices,
    mesh.faces,
    uvs=random.uniform(-1, 2, (len(mesh.vertices), 2)).astype(np.float32),
    face_uvs=mesh.faces,
    textures=tuple(random.integers(0, 256, (30, 50, 3), dtype=np.uint8) for _ in range(2)),
    face_textures=random.integers(-1, 2, len(mesh.faces)).astype(np.int32),
)
large = Mesh(mesh.vertices * np.float32(2.5), mesh.faces[:400], mesh.colors)
openness = random.uniform(0, 1, len(mesh.vertices)).astype(np.float32)
with studio(320) as shoot:
    for _ in range(2):
        digest = hashlib.sha256()
        for one in (mesh, textured, large):
            drawn = shoot(one, 33, -12, light=light, openness=openness)
            for side in drawn.sides():
                for layer in side.__slots__:
                    digest.update(np.ascontiguousarray(getattr(side, layer)).tobytes())
        print(digest.hexdigest())
"""

LASTS = """
import gc, json, resource, sys
import numpy as np
from drawing import bumpy, WHITE
from pipeline.geometry.camera import portrait_camera
from pipeline.records import Mesh, View
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer

scans, contexts, detail = (int(word) for word in sys.argv[1:])
LAYERS = [Layer(kind, side) for kind in ("color", "shaded", "depth") for side in ("front", "back")]
VIEWS = [View(90.0, 0.0, portrait_camera(64), WHITE)]
mesh = bumpy(detail)
noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
uvs = np.zeros((len(mesh.vertices), 2), dtype=np.float32)
textured = Mesh(mesh.vertices, mesh.faces, uvs=uvs, face_uvs=mesh.faces, textures=(noise,))
openness = np.ones(len(mesh.vertices), dtype=np.float32)

def held():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def shoot(renderer, count):
    for i in range(count):
        list(renderer.shoot((mesh, textured)[i % 2], VIEWS, (None, openness)[i // 2 % 2]))

with Renderer(64, LAYERS) as renderer:
    shoot(renderer, 20)
    before = held()
    shoot(renderer, scans)
    in_scans = held() - before
for i in range(contexts + 5):
    if i == 5:
        before = held()
    with Renderer(64, LAYERS) as renderer:
        shoot(renderer, 2)
scan = mesh.vertices.nbytes + mesh.faces.nbytes
print(json.dumps({"scan": scan, "scans": in_scans, "contexts": held() - before}))
"""


def run(program: str, *words: object, **environment: str) -> str:
    place = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    done = subprocess.run(
        [sys.executable, "-c", program, *(str(word) for word in words)],
        env={**os.environ, **place, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_and_any_number_of_threads_draw_the_same_bytes() -> None:
    lines = [line for threads in "18" for line in run(DRAWS, LP_NUM_THREADS=threads).split()]
    assert len(lines) == 4
    assert len(set(lines)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_scans_and_contexts_leave_no_memory_behind() -> None:
    scans, contexts = 100, 6
    told = json.loads(run(LASTS, scans, contexts, 5))
    # The smallest buffer of a scan is a tenth of it: one lost each time would come to ten scans.
    assert told["scans"] < 3 * told["scan"], told
    assert told["contexts"] < contexts * 2**19, told
