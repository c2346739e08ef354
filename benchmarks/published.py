"""The published renderer of 2K2K as a program to be measured: the same work by the same means, retold.

python benchmarks/published.py MESH.ply FOLDER [--yaws DEGREES ...]

For each view it turns the person vertex by vertex, sends a ray through each of 2048 x 2048 pixels with
trimesh and embree, takes all hits, and goes through them one by one: a pixel's first and last give depth
and the mean colour of the triangle's corners. The shaded picture is drawn apart from that, by pyrender, in
360 spot lights. What was a loop in Python is one here, and what was vectorised is vectorised. Two things
differ, both in its favour: trimesh, embree and NumPy are today's; and Pillow writes the PNG files, at
OpenCV's own level of deflate. Where pyrender is missing nothing is shaded, and the answer has no step
`shade`. Loads nothing of this project, so any Python that has the libraries will do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import numpy.typing as npt
import trimesh
from peers import Clock, answer, need
from PIL import Image
from scipy.spatial.transform import Rotation

SIZE = 2048
FIELD_OF_VIEW = 50.0
STEPS = 32.0
LIGHTS = 360
F64 = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8 | np.uint16]


def render_views(mesh_path: Path, folder: Path, yaws: Sequence[float]) -> dict[str, float]:
    """Seconds by step to draw a PLY from these sides (degrees), five PNG files a view."""
    need("embreex")
    clock = Clock()
    with clock.step("load"):
        mesh = trimesh.load(mesh_path)
    for yaw in yaws:
        with clock.step("turn"):
            person = turned(mesh, yaw)
        pictures = cast(person, clock)
        if find_spec("pyrender"):
            with clock.step("shade"):
                pictures["shaded_front"] = shade(person) * (pictures["depth_front"] > 0)[..., None]
        with clock.step("write"):
            for name, picture in pictures.items():
                Image.fromarray(picture).save(folder / f"{yaw:g}_{name}.png", compress_level=1)
    return dict(clock.seconds)


def turned(mesh: trimesh.Trimesh, yaw: float) -> trimesh.Trimesh:
    """The person centred, scaled and turned by degrees: one rotation object a vertex, as published."""
    places = np.array(mesh.vertices - mesh.centroid)
    places /= np.maximum(np.max(places), np.abs(np.min(places))) * 2.8
    moved, axis = np.zeros_like(places), np.array([0, 1, 0])
    for i in range(places.shape[0]):
        rotation = Rotation.from_rotvec(np.radians(yaw) * axis)
        moved[i, :] = rotation.apply(places[i, :])
    return trimesh.Trimesh(vertices=moved, faces=mesh.faces, vertex_colors=mesh.visual.vertex_colors)


def cast(person: trimesh.Trimesh, clock: Clock) -> dict[str, Picture]:
    """Colour and depth, front and back, by casting rays."""
    with clock.step("cast"):
        scene = person.scene()
        scene.set_camera(
            angles=(0, 0, 0), center=(0, 0, 0), distance=1, resolution=[SIZE, SIZE], fov=[FIELD_OF_VIEW] * 2
        )
        origins, along, pixels = scene.camera_rays()
        places, ray, triangle = person.ray.intersects_location(origins, along, multiple_hits=True)
        lengths = trimesh.util.diagonal_dot(places - origins[0], along[ray])
        colors = person.visual.face_colors[triangle]
        steps = (lengths - 1) * (SIZE / (2 * np.tan(np.radians(FIELD_OF_VIEW / 2)))) + SIZE / 2
    with clock.step("sort"):
        return sort(pixels[ray], steps, colors)


def sort(pixels: npt.NDArray[np.int64], steps: F64, colors: Picture) -> dict[str, Picture]:
    """The first and the last hit of every pixel, found by looking at each hit in turn."""
    far, near = np.zeros((SIZE, SIZE), np.float32), np.full((SIZE, SIZE), SIZE, np.float32)
    color_far, color_near = (np.zeros((SIZE, SIZE, 3), np.float32) for _ in range(2))
    for i in range(pixels.shape[0]):
        u, v = pixels[i, 0], pixels[i, 1]
        if steps[i] > far[v, u]:
            color_far[v, u] = colors[i, 0:3] / 255.0
            far[v, u] = steps[i]
        if steps[i] < near[v, u]:
            near[v, u] = steps[i]
            color_near[v, u] = colors[i, 0:3] / 255.0
    near = near * (near != SIZE)
    surfaces = {"front": (color_near, near), "back": (color_far, far)}
    found: dict[str, Picture] = {}
    for side, (color, depth) in surfaces.items():
        found[f"color_{side}"] = (np.flip(color, 0) * 255).astype(np.uint8)
        found[f"depth_{side}"] = (np.flip(depth, 0) * STEPS).astype(np.uint16)
    return found


def shade(person: trimesh.Trimesh) -> Picture:
    """The front in magenta light, drawn with a renderer made for this one picture."""
    pyrender = import_module("pyrender")
    scene = pyrender.Scene(ambient_light=[0.01, 0.01, 0.1], bg_color=[0.0, 0.0, 0.0])
    scene.add(pyrender.Mesh.from_trimesh(person, smooth=False))
    pose = np.eye(4)
    pose[2, 3] = 1.0
    scene.add(pyrender.PerspectiveCamera(yfov=np.radians(FIELD_OF_VIEW), aspectRatio=1.0), pose=pose)
    rng = np.random.default_rng(0)
    light = pyrender.SpotLight(
        color=np.array([1.0, rng.uniform(0.7, 0.8), 1.0]),
        intensity=float(rng.integers(8, 10)),
        innerConeAngle=np.pi / 10,
        outerConeAngle=np.pi / 6,
    )
    for degrees in rng.integers(0, 360, LIGHTS):
        around = np.eye(4)
        around[:3, :3] = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
        around[:3, 3] = around[:3, 2] * 2.0
        scene.add(light, pose=around)
    color, _ = pyrender.OffscreenRenderer(SIZE, SIZE).render(scene)
    return np.asarray(color)


def main() -> None:
    """Draw, and print as JSON how long each step took, the seconds of all cores, and the peak of memory."""
    answer(render_views, __doc__)


if __name__ == "__main__":
    main()
