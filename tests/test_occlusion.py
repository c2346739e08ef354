"""How much of the room is seen: what geometry says in closed form, and what rays say of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import trimesh
from embree import smooth_normals
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.transform import aligned
from pipeline.records import F32, F64, I32, Evidence, Light, Mesh, View
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer
from pipeline.stages.align import align
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

RAYS = 1024
Sees = Callable[[F64, I32], F32]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(64, [Layer("shaded")]) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def sees(renderer: Renderer) -> Sees:
    def openness(vertices: F64, faces: I32) -> F32:
        return renderer.openness(mesh_of(vertices, faces))

    return openness


def mesh_of(vertices: F64, faces: I32) -> Mesh:
    places = np.asarray(vertices, dtype=np.float32)
    return Mesh(places, np.asarray(faces, dtype=np.int32), np.full(places.shape, 255, dtype=np.uint8))


def together(*parts: trimesh.Trimesh) -> tuple[F64, I32]:
    whole = trimesh.util.concatenate(parts)
    return whole.vertices, whole.faces


def two_balls() -> tuple[F64, I32]:
    ball = trimesh.creation.icosphere(3, radius=0.1)
    return together(ball, ball.copy().apply_translation([0.21, 0, 0]))


def top(radius: float, height: float, tip: float) -> trimesh.Trimesh:
    """A flat disc across y, its centre first, that looks away from the tip of the cone that closes it."""
    around = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    circle = radius * np.stack([np.cos(around), 0 * around, np.sin(around)], axis=1)
    circle[:, 1] = height
    vertices = np.vstack([[[0, height, 0]], circle, [[0, tip, 0]]])
    sides = [[middle, 1 + i, 1 + (i + 1) % 128] for middle in (0, 129) for i in range(128)]
    return trimesh.Trimesh(vertices, sides, process=False)


def test_a_ball_hides_nothing_from_itself_and_a_vertex_without_faces_sees_all(sees: Sees) -> None:
    ball = trimesh.creation.icosphere(4)
    seen = sees(np.vstack([ball.vertices * 0.35, np.zeros((1, 3))]), ball.faces)
    assert seen.min() > 0.99 and seen.max() <= 1
    assert seen[-1] == 1


def test_it_does_not_matter_which_way_round_the_faces_are(sees: Sees) -> None:
    vertices, faces = two_balls()
    seen, inside_out = sees(vertices, faces), sees(vertices, faces[:, ::-1])
    np.testing.assert_allclose(seen, inside_out, atol=1e-6)
    assert seen.min() < 0.7


@pytest.mark.parametrize("away", [0.02, 0.1])
def test_a_wall_hides_up_to_half(sees: Sees, away: float) -> None:
    """At the distance d from an endless wall of height h, (1 - d / sqrt(d^2 + h^2)) / 2 is hidden."""
    floor, wall = top(0.01, 0.0, -0.01), trimesh.creation.box((2e-4, 1.0, 1.2))
    wall.apply_translation([away, 0, 0])
    expected = (1 + away / np.hypot(away, 0.5)) / 2
    assert sees(*together(floor, wall))[0] == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("height", [0.05, 0.2])
def test_a_disc_overhead_hides_its_form_factor(sees: Sees, height: float) -> None:
    """A disc of radius r at the height h takes r^2 / (r^2 + h^2) of what a level place below it sees."""
    radius = 0.1
    floor, roof = top(0.01, 0.0, -0.01), top(radius, height, height + 0.1)
    expected = height**2 / (radius**2 + height**2)
    assert sees(*together(floor, roof))[0] == pytest.approx(expected, abs=0.025)


def test_a_place_between_plates_sees_what_their_edges_leave(sees: Sees) -> None:
    """Half way along an endless strip of half width b at the height h: b / sqrt(b^2 + h^2) is hidden."""
    floor = top(0.01, 0.0, -0.01)
    plate = trimesh.creation.box((0.1, 1e-4, 1.6))
    plate.apply_translation([0, 0.05, 0])
    assert sees(*together(floor, plate))[0] == pytest.approx(1 - 0.5**0.5, abs=0.025)


def test_the_bottom_of_a_deep_cup_is_dark(sees: Sees) -> None:
    """A tube of radius r and length h lets in r^2 / (r^2 + h^2) at its bottom, here 1 / 50."""
    outline = np.array([[0, 0], [0.04, 0], [0.04, 0.28], [0.06, 0.28], [0.06, -0.05], [0, -0.05]])
    cup = trimesh.creation.revolve(outline, sections=96)
    seen = sees(cup.vertices @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), cup.faces)
    bottom = (np.hypot(*cup.vertices.T[:2]) < 1e-6) & (np.abs(cup.vertices[:, 2]) < 1e-6)
    assert bottom.sum() == 1
    assert seen[bottom] < 0.05
    assert seen[cup.vertices[:, 2] < -0.04].min() > 0.95


@pytest.fixture(scope="module")
def person() -> Mesh:
    scan = make_scan(draw(0, 1), 20_000)
    mesh = Mesh(scan.skin.vertices, scan.skin.faces, scan.skin.colors)
    return Mesh(
        aligned(mesh.vertices, align(mesh, Evidence(parameters=scan.body))), mesh.faces, mesh.colors
    )


def free_share(mesh: Mesh, vertex: int, normal: F64, scene: EmbreeScene) -> float:
    """The share of rays from a vertex that meet nothing, spread over its hemisphere by their cosines."""
    i = np.arange(RAYS)
    level, around = np.sqrt((i + 0.5) / RAYS), i * (np.pi * (3 - 5**0.5)) + vertex
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(normal, across), normal])
    parts = np.stack([level * np.cos(around), level * np.sin(around), np.sqrt(1 - level**2)], axis=1)
    starts = np.broadcast_to(mesh.vertices[vertex] + 2e-5 * normal, (RAYS, 3)).astype(np.float32)
    return float((scene.run(starts, (parts @ axes).astype(np.float32)) < 0).mean())


def test_a_person_is_as_open_as_rays_say(renderer: Renderer, person: Mesh) -> None:
    seen = renderer.openness(person)
    scene = EmbreeScene(robust=True)
    TriangleMesh(scene, person.vertices, person.faces)
    normals = smooth_normals(person.vertices, person.faces)
    some = np.random.default_rng(0).choice(len(seen), 500, replace=False)
    error = seen[some] - [free_share(person, i, normals[i], scene) for i in some]
    assert np.abs(error).mean() < 0.012
    assert np.quantile(np.abs(error), 0.98) < 0.05
    assert abs(error.mean()) < 0.004
    assert 0.8 < seen.mean() < 0.95 and seen.min() < 0.3


def test_it_is_the_same_again_and_leaves_no_trace_in_views(renderer: Renderer) -> None:
    mesh = mesh_of(*two_balls())
    light = Light(np.vstack([np.ones((1, 3)), np.zeros((8, 3))]))
    view = View(0.0, 0.0, portrait_camera(64), light)
    (before,) = renderer.shoot(mesh, [view])
    seen = renderer.openness(mesh)
    (after,) = renderer.shoot(mesh, [view])
    np.testing.assert_array_equal(before.front.shaded, after.front.shaded)
    (dimmed,) = renderer.shoot(mesh, [view], seen)
    assert before.front.shaded is not None and dimmed.front.shaded is not None
    assert dimmed.front.shaded.mean() < 0.99 * before.front.shaded.mean()
    np.testing.assert_array_equal(seen, renderer.openness(mesh))
    with Renderer(64, [Layer("shaded")]) as other:
        np.testing.assert_array_equal(seen, other.openness(mesh))
