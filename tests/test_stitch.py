"""One closed surface from two depth maps, whatever is in them."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from training_rows import Ellipsoid, ball, figure, seen

from pipeline.errors import MeshError
from pipeline.geometry.camera import portrait_camera, project, rays
from pipeline.geometry.points import unproject
from pipeline.geometry.stitch import Stitched, stitch
from pipeline.records import F32, F64, I32, Bool

SIZE = 12
HEIGHT_MM = 1750.0


def maps(seed: int, rough: float, full: float, thick: float) -> tuple[F64, F64]:
    """Anything: pixels that are there or not, and depth that jumps, or not, or whose back is in front."""
    rng = np.random.default_rng(seed)
    there = rng.random((SIZE, SIZE)) < full
    there[SIZE // 2, SIZE // 2] = True
    front = 1 + rng.normal(0, rough, there.shape)
    back = front + thick * rng.uniform(-0.1, 1, there.shape)
    back[SIZE // 2, SIZE // 2] = front[SIZE // 2, SIZE // 2] + thick
    return np.where(there, front.clip(0.2), 0), np.where(there, back.clip(0.2), 0)


anything = st.builds(
    maps,
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.003, 0.03, 0.2]),
    st.floats(0.2, 1.0),
    st.sampled_from([0.01, 0.1, 0.4]),
)


def assert_closed(faces: I32, count: int) -> None:
    """Every edge has two triangles, one each way, and every vertex one ring of them; none is idle."""
    ways = Counter((int(a), int(b)) for f in faces for a, b in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0])))
    assert set(ways.values()) == {1}
    assert all((b, a) in ways for a, b in ways)
    after: dict[int, dict[int, int]] = defaultdict(dict)
    for a, b, c in faces.tolist():
        for p, q, r in ((a, b, c), (b, c, a), (c, a, b)):
            after[p][q] = r
    assert len(after) == count
    for ring in after.values():
        start = at = next(iter(ring))
        steps = 0
        while steps == 0 or at != start:
            at, steps = ring[at], steps + 1
        assert steps == len(ring)


def volume(mesh_vertices: F32, faces: I32) -> float:
    a, b, c = (mesh_vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def euler(made: Stitched) -> int:
    return len(made.mesh.vertices) - len(made.mesh.faces) // 2


def flat(picture: list[str], thick: float = 0.1, size: int = 16) -> tuple[F64, F64]:
    """A plate: what is drawn with # is there."""
    there = np.zeros((size, size), dtype=np.bool_)
    for i, row in enumerate(picture):
        there[4 + i, 4 : 4 + len(row)] = [sign == "#" for sign in row]
    return np.where(there, 1.0, 0.0), np.where(there, 1.0 + thick, 0.0)


@settings(max_examples=60, deadline=None)
@given(anything)
def test_the_surface_is_closed_and_one_whatever_the_maps_are(pair: tuple[F64, F64]) -> None:
    made = stitch(*pair, portrait_camera(SIZE))
    assert_closed(made.mesh.faces, len(made.mesh.vertices))
    assert trimesh.Trimesh(made.mesh.vertices, made.mesh.faces, process=False).body_count == 1
    assert volume(made.mesh.vertices, made.mesh.faces) > 0
    assert np.isfinite(made.mesh.vertices).all()


@settings(max_examples=25, deadline=None)
@given(anything)
def test_every_ray_enters_the_surface_once_and_leaves_it_behind_that(pair: tuple[F64, F64]) -> None:
    camera = portrait_camera(SIZE)
    made = stitch(*pair, camera)
    corners = project(made.mesh.vertices.astype(np.float64), camera)[made.mesh.faces]
    grid = np.arange(SIZE * 4) / 4
    u, v = (axis.ravel() for axis in np.meshgrid(grid + 0.0925, grid + 0.0781))  # on no edge
    ins, outs = _crossings(corners, u, v)
    assert ((ins[0] == outs[0]) & (ins[0] <= 1)).all()
    assert (ins[1] < outs[1] + 1e-6)[ins[0] > 0].all()


def _crossings(corners: F64, u: F64, v: F64) -> list[tuple[I32, F64]]:
    """How often places in a picture lie in triangles that are seen from before, or behind, and how deep."""
    (ax, ay, a), (bx, by, b), (cx, cy, c) = (corners[:, i, :, None].transpose(1, 0, 2) for i in range(3))
    doubled = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = ((u - ax) * (cy - ay) - (v - ay) * (cx - ax)) / doubled
        t = ((bx - ax) * (v - ay) - (by - ay) * (u - ax)) / doubled
        inside = (s >= 0) & (t >= 0) & (s + t <= 1) & (np.abs(doubled) > 1e-5)
        depth = np.where(inside, (1 - s - t) / a + s / b + t / c, 0.0)  # nearly, for narrow triangles
        found = []
        for way in (doubled < 0, doubled > 0):  # y points down: the front is seen as a negative area
            mine = inside & way
            found.append((mine.sum(axis=0), np.where(mine, 1 / depth, 0.0).sum(axis=0)))
    return found


@settings(max_examples=25, deadline=None)
@given(anything)
def test_vertices_lie_where_the_maps_say(pair: tuple[F64, F64]) -> None:
    camera = portrait_camera(SIZE)
    made = stitch(*pair, camera)
    u, v, length = project(made.mesh.vertices.astype(np.float64), camera).T
    rows, columns = np.divmod(made.pixels, SIZE)
    for side, depth in enumerate(pair):
        mine = made.sides == side
        assert np.allclose(length[mine], depth[rows, columns][mine], atol=1e-6)
        off = np.maximum(np.abs(u - columns - 0.5), np.abs(v - rows - 0.5))[mine]
        assert (np.isclose(off, 0, atol=1e-4) | np.isclose(off, 0.5, atol=1e-4)).all()  # half-way at a wall
    rim = made.sides == 2
    near, far = (depth[rows, columns][rim] for depth in pair)
    slit = (np.abs(u - columns - 0.5) > 0.1) & (np.abs(v - rows - 0.5) > 0.1)
    assert np.allclose(length[rim & ~slit], ((near + far) / 2)[~slit[rim]], atol=1e-6)
    solid = (pair[0] > 0) & (pair[0] < pair[1])
    assert len(np.unique(made.pixels[~slit])) == solid.sum() - made.lost
    assert made.thin == ((pair[0] > 0) & ~solid).sum()


def test_a_lone_pixel_is_an_octahedron() -> None:
    made = stitch(*flat(["#"]), portrait_camera(16))
    assert (len(made.mesh.vertices), len(made.mesh.faces)) == (6, 8)
    assert_closed(made.mesh.faces, 6)


@pytest.mark.parametrize(
    ("picture", "number"),
    [
        (["###", "###"], 2),
        (["#####", "##.##", "#####"], 0),
        (["#####", "#.#.#", "#####"], -2),
        (["#..", "#..", "###"], 2),
    ],
)
def test_holes_go_through_and_necks_of_a_pixel_hold(picture: list[str], number: int) -> None:
    made = stitch(*flat(picture), portrait_camera(16))
    assert_closed(made.mesh.faces, len(made.mesh.vertices))
    assert (euler(made), made.pieces, made.lost) == (number, 0, 0)


def test_pixels_that_touch_at_a_corner_are_two_pieces_and_the_larger_one_stays() -> None:
    made = stitch(*flat(["##..", "##..", "..#.", "...#"]), portrait_camera(16))
    assert (euler(made), made.pieces, made.lost) == (2, 2, 2)
    assert set(made.pixels.tolist()) == {4 * 16 + 4, 4 * 16 + 5, 5 * 16 + 4, 5 * 16 + 5}


def test_a_plate_beside_a_deeper_one_has_a_wall_between_or_nothing_in_common() -> None:
    front, back = flat(["######"] * 4, thick=1.0, size=32)
    front[:, 7:][front[:, 7:] > 0] += 0.7
    back[:, 7:][back[:, 7:] > 0] += 0.7
    camera = portrait_camera(32)
    made = stitch(front, back, camera)
    assert made.pieces == 0
    whole = made.mesh.faces[(made.sides[made.mesh.faces] == 0).all(axis=1)]
    u, _, lengths = project(made.mesh.vertices.astype(np.float64), camera)[whole].transpose(2, 0, 1)
    across = np.ptp(u, axis=1) > 0.01
    assert np.ptp(lengths[across], axis=1).max() < 1e-5  # nothing slants from one to the other
    assert np.allclose(np.ptp(lengths[~across], axis=1), 0.7)  # the wall is straight
    assert np.allclose(u[~across], 7)
    assert len(u[~across]) == 2 * 3  # two triangles from row to row
    made = stitch(np.where(front > 1.2, 2.5, front), np.where(back > 2.2, 2.9, back), camera)
    assert (made.pieces, made.lost, euler(made)) == (1, 12, 2)


def test_what_is_not_a_number_or_has_its_back_in_front_is_not_there() -> None:
    front, back = flat(["####"] * 4)
    front[5, 5], back[6, 6] = np.nan, 0.5
    made = stitch(front, back, portrait_camera(16))
    assert made.thin == 1
    assert not {5 * 16 + 5, 6 * 16 + 6} & set(made.pixels.tolist())
    assert np.isfinite(made.mesh.vertices).all()


@pytest.mark.parametrize(("size", "message"), [(16, "nobody to mesh"), (12, "one size")])
def test_maps_of_nobody_and_of_another_size_are_refused(size: int, message: str) -> None:
    with pytest.raises(MeshError, match=message):
        stitch(np.zeros((16, 16)), np.zeros((16, 16)), portrait_camera(size))


@pytest.mark.parametrize("parallel", [False, True])
def test_points_are_where_rays_end(parallel: bool) -> None:
    camera = portrait_camera(9, parallel=parallel)
    starts, ways = rays(camera)
    lengths = np.random.default_rng(0).uniform(0.5, 1.5, (9, 9))
    v, u = np.indices((9, 9), dtype=np.float64).reshape(2, -1) + 0.5
    made = unproject(u, v, lengths.ravel(), camera)
    assert np.allclose(made, (starts + ways * lengths[..., None]).reshape(-1, 3), atol=1e-6)


def test_a_ball_is_round_to_its_rim_and_as_large_as_it_is() -> None:
    radius, camera = 0.25, portrait_camera(160)
    shot = seen(ball(radius), 0.0, camera)
    made = stitch(shot.front, shot.back, camera)
    away = np.abs(np.linalg.norm(made.mesh.vertices, axis=1) - radius) * camera.fx
    assert away[made.sides < 2].max() < 0.001  # pixels; it is their points that are taken
    assert np.mean(away[made.sides == 2]) < 0.03
    assert volume(made.mesh.vertices, made.mesh.faces) == pytest.approx(4 / 3 * np.pi * radius**3, rel=2e-3)


def test_a_person_is_met_within_two_millimetres_from_both_sides() -> None:
    person, camera = figure("anna"), portrait_camera(512)
    shot = seen(person, 0.0, camera)
    made = stitch(shot.front, shot.back, camera)
    high = np.ptp(made.mesh.vertices[:, 1])
    unit_mm = HEIGHT_MM / high
    mesh = trimesh.Trimesh(made.mesh.vertices.astype(np.float64), made.mesh.faces, process=False)
    points, of_face = trimesh.sample.sample_surface(mesh, 20_000, seed=0)
    off = _from_ellipsoids(points, person.shapes) * unit_mm
    assert np.percentile(off[~_along_rays(mesh)[of_face]], 95) < 2
    finer = portrait_camera(700)  # its pixels are none of ours
    _, ways = rays(finer)
    again = seen(person, 0.0, finer)
    there = again.front > 0
    true = np.concatenate([depth[there][:, None] * ways[there] for depth in (again.front, again.back)])
    true = true[:: len(true) // 8000] + np.array([0.0, 0.0, 1.0])
    assert np.percentile(_from_mesh(true, mesh) * unit_mm, 95) < 2


def _along_rays(mesh: trimesh.Trimesh) -> Bool:
    """Which faces are walls that nobody has seen."""
    ways = mesh.triangles_center - np.array([0.0, 0.0, 1.0])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return np.asarray(np.abs((mesh.face_normals * ways).sum(axis=1)) < 0.05)


def _from_ellipsoids(points: F64, shapes: tuple[Ellipsoid, ...]) -> F64:
    """How far points near the surface of some ellipsoids are from it, to first order."""
    apart = []
    for shape in shapes:
        ball = (points - shape.centre) @ shape.to_ball.T
        radius = np.linalg.norm(ball, axis=1)
        slope = np.linalg.norm(ball @ shape.to_ball, axis=1) / radius
        apart.append((radius - 1) / slope)
    return np.asarray(np.abs(np.min(apart, axis=0)))


def _from_mesh(points: F64, mesh: trimesh.Trimesh) -> F64:
    """How far points are from a mesh, by the triangles whose middles are nearest: never less than it is."""
    _, near = cKDTree(mesh.triangles_center).query(points, k=12)
    corners = mesh.triangles[near.ravel()]
    spots = trimesh.triangles.closest_point(corners, np.repeat(points, 12, axis=0))
    return np.asarray(np.linalg.norm(spots.reshape(-1, 12, 3) - points[:, None], axis=2).min(axis=1))
