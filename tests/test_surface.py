"""The surface extractor: closed, outward, where the distance says, and the same however it is cut up."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pipeline.errors import MeshError
from pipeline.records import F32, I32
from pipeline.synth.cubes import COUNTS, EDGES, TRIANGLES
from pipeline.synth.lattice import Lattice, Sampling
from pipeline.synth.noise import fractal
from pipeline.synth.solids import Distance
from pipeline.synth.surface import extract, extract_count

Side = tuple[tuple[int, int], tuple[int, int]]  # from one crossed edge to another
BOX = (-0.6, -0.6, -0.6), (0.6, 0.6, 0.6)


def ball(points: F32) -> F32:
    return np.asarray(np.sqrt((points * points).sum(axis=0)) - np.float32(0.5))


def thin(points: F32) -> F32:
    """A rod of 12 mm radius with a plate of 10 mm on it."""
    x, y, z = points
    rod = np.maximum(np.sqrt(y * y + z * z) - np.float32(0.012), np.abs(x) - np.float32(0.5))
    plate = np.maximum(np.maximum(np.abs(x), np.abs(y)) - np.float32(0.3), np.abs(z) - np.float32(0.005))
    return np.asarray(np.minimum(rod, plate))


def directed_edges(faces: I32, count: int) -> np.ndarray:
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    return np.sort(pairs[:, 0] * count + pairs[:, 1])


def assert_closed(vertices: F32, faces: I32) -> None:
    """Each directed edge once, and its opposite once: closed, two faces an edge, turned one way."""
    ahead = directed_edges(faces, len(vertices))
    assert np.all(np.diff(ahead) > 0)
    assert np.array_equal(ahead, directed_edges(faces[:, ::-1], len(vertices)))
    assert np.array_equal(np.unique(faces), np.arange(len(vertices)))


def volume(vertices: F32, faces: I32) -> float:
    a, b, c = vertices.astype(np.float64)[faces.T]
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)


def area(vertices: F32, faces: I32) -> float:
    a, b, c = vertices.astype(np.float64)[faces.T]
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_every_case_is_bounded_by_the_edges_its_corners_differ_on() -> None:
    for case in range(256):
        crossed = {e for e, (c, a) in enumerate(EDGES) if (case >> c & 1) != (case >> (c | 1 << a) & 1)}
        used = set(TRIANGLES[case, : COUNTS[case]].reshape(-1).tolist())
        assert used == crossed


def test_two_cubes_always_close_on_their_common_face() -> None:
    """All 2^12 pairs of neighbours: the sides left open on the common face cancel exactly."""

    def open_sides(case: int, axis: int, far: int) -> list[Side]:
        sides = []
        for t in TRIANGLES[case, : COUNTS[case]]:
            for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0])):
                if all(EDGES[e][1] != axis and (EDGES[e][0] >> axis & 1) == far for e in (a, b)):
                    ends = [(EDGES[e][0] & ~(1 << axis), EDGES[e][1]) for e in (a, b)]
                    sides.append((ends[0], ends[1]))
        return sides

    for axis in range(3):
        by_face: dict[int, set[frozenset[Side]]] = {}
        for case in range(256):
            face = sum((case >> c & 1) << (c & ~(1 << axis)) for c in range(8) if c >> axis & 1)
            sides = open_sides(case, axis, 1)
            assert len(set(sides)) == len(sides)
            by_face.setdefault(face, set()).add(frozenset(sides))
        for case in range(256):
            face = sum((case >> c & 1) << c for c in range(8) if not c >> axis & 1)
            assert by_face[face] == {frozenset((b, a) for a, b in open_sides(case, axis, 0))}


@pytest.mark.parametrize("seed", range(4))
def test_noise_gives_a_closed_surface(seed: int) -> None:
    surface = extract(lambda p: fractal(p, 0.3, 3, seed) * np.float32(0.3), *BOX, 0.03)
    assert_closed(*surface)
    assert volume(*surface) > 0.05


@pytest.mark.parametrize("cell", [0.08, 0.02, 0.01])
def test_a_ball_is_found_where_it_is(cell: float) -> None:
    vertices, faces = extract(ball, *BOX, cell)
    assert_closed(vertices, faces)
    off = np.abs(np.linalg.norm(vertices, axis=1) - 0.5)
    assert off.max() < 0.03 * cell + cell**2 / 4
    assert volume(vertices, faces) == pytest.approx(np.pi / 6, rel=3 * cell**2 + 1e-4)
    assert area(vertices, faces) == pytest.approx(np.pi, rel=3 * cell**2 + 1e-3)


def test_the_cut_into_chunks_and_threads_changes_no_byte() -> None:
    one = extract(thin, *BOX, 0.008, Sampling(jobs=1))
    for other in (Sampling(jobs=2), Sampling(jobs=2, chunk=999)):
        for a, b in zip(one, extract(thin, *BOX, 0.008, other), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("distance", [ball, thin])
def test_sampling_near_the_surface_finds_what_sampling_everywhere_finds(distance: Distance) -> None:
    cell = 0.0121
    sparse, dense = (Lattice(distance, *BOX, cell, Sampling(coarse=c)) for c in (0.05, 1e-9))
    assert sparse.samples < dense.samples / 3
    known = [set(map(tuple, np.round(extract(distance, *BOX, cell, Sampling(coarse=c))[0], 6).tolist()))
             for c in (0.05, 1e-9)]  # fmt: skip
    shift = (sparse.low - dense.low) / cell
    assert np.allclose(shift, np.round(shift)), "the two grids must lie on each other"
    assert known[0] == known[1]


def test_no_point_is_sampled_twice_and_few_are_sampled() -> None:
    seen = []

    def watched(points: F32) -> F32:
        seen.append(points.copy())
        return ball(points)

    vertices, _ = extract(watched, *BOX, 0.01, Sampling(jobs=1))
    points = np.concatenate(seen, axis=1).T
    assert len(np.unique(points, axis=0)) == len(points)
    assert len(points) < 6 * len(vertices)


def test_far_values_need_only_be_large() -> None:
    def vague(points: F32) -> F32:
        value = ball(points)
        return np.where(np.abs(value) > 0.06, np.sign(value), value).astype(np.float32)

    assert extract(vague, *BOX, 0.01)[0].tobytes() == extract(ball, *BOX, 0.01)[0].tobytes()


def test_what_the_coarse_grid_misses_is_followed() -> None:
    def steep(points: F32) -> F32:
        return np.asarray(ball(points) * np.float32(4))

    lattices = [Lattice(f, *BOX, 0.01, Sampling()) for f in (steep, ball)]
    assert lattices[0].samples < 0.9 * lattices[1].samples
    found, expected = (extract(f, *BOX, 0.01)[0] for f in (steep, ball))
    assert len(found) == len(expected)
    assert cKDTree(expected).query(found)[0].max() < 1e-5


def test_only_the_largest_piece_stays_and_cavities_go() -> None:
    def several(points: F32) -> F32:
        shell = np.maximum(ball(points), -(ball(points) + np.float32(0.2)))
        away = np.sqrt(((points - np.float32(0.5)) ** 2).sum(axis=0)) - np.float32(0.05)
        return np.asarray(np.minimum(shell, away))

    vertices, faces = extract(several, *BOX, 0.02)
    assert_closed(vertices, faces)
    assert volume(vertices, faces) == pytest.approx(np.pi / 6, rel=0.01)


def test_the_box_closes_what_sticks_out_of_it() -> None:
    low, high = (-0.2, -0.6, -0.6), (0.2, 0.6, 0.6)
    vertices, faces = extract(ball, low, high, 0.02)
    assert_closed(vertices, faces)
    assert np.abs(vertices[:, 0]).max() < 0.35


@pytest.mark.parametrize("vertices", [3000, 20_000, 60_000])
def test_the_count_is_what_was_asked(vertices: int) -> None:
    surface = extract_count(ball, *BOX, vertices)
    assert_closed(*surface)
    assert len(surface[0]) == pytest.approx(vertices, rel=0.03)


def test_nothing_to_find_is_said() -> None:
    with pytest.raises(MeshError, match="no surface"):
        extract(lambda p: np.ones(p.shape[1], dtype=np.float32), *BOX, 0.1)
