"""Volumes of closed surfaces: boxes and balls whose volumes are known, and counting by angles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from solids import ball, box

from pipeline.errors import MeshError
from pipeline.geometry.columns import Closed, Lattice, closed, shared_volumes
from pipeline.records import F64
from recon.metrics.shapes import Shape

LATTICE = Lattice((-1.98, -1.98), 0.04, (100, 100))


def solid(*shapes: Shape) -> Closed:
    """Several surfaces as one."""
    starts = np.cumsum([0, *(len(shape.places) for shape in shapes)])
    faces = np.concatenate([shape.faces + start for shape, start in zip(shapes, starts, strict=False)])
    return closed(np.concatenate([shape.places for shape in shapes]), faces.astype(np.int32))


def volume(surface: Closed, lattice: Lattice = LATTICE) -> float:
    return shared_volumes(surface, surface, lattice).first


def test_boxes_along_the_lattice_are_exact() -> None:
    first, second = solid(box((-1, -1, -1), (1, 1, 1))), solid(box((-0.6, -0.2, 0.3), (1.4, 1.8, 1.1)))
    found = shared_volumes(first, second, LATTICE)
    shared = 1.6 * 1.2 * 0.7
    np.testing.assert_allclose(found, [8, 3.2, shared, 8 + 3.2 - shared], rtol=1e-12)


@given(st.floats(-1, 1))
def test_lengths_along_a_column_are_exact_wherever_faces_are(shift: float) -> None:
    first, second = solid(box((0, 0, 0), (1, 1, 1))), solid(box((0, 0, shift), (1, 1, 1 + shift)))
    found = shared_volumes(first, second, Lattice((-0.25, -0.25), 0.5, (5, 5)))
    assert found.both / found.either == pytest.approx((1 - abs(shift)) / (1 + abs(shift)), abs=1e-12)


def test_columns_that_meet_edges_and_corners_count_once() -> None:
    # Every column of this lattice goes through the box's corners or diagonals, or along its sides.
    assert volume(solid(box((0, 0, 0), (1, 1, 1))), Lattice((-1.0, -1.0), 0.25, (13, 13))) == 1.0
    assert volume(solid(ball(1.0, rounds=0)), Lattice((-2.0, -2.0), 0.5, (9, 9))) == pytest.approx(1.5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_volume_does_not_depend_on_how_a_solid_is_turned(seed: int) -> None:
    turn = Rotation.random(random_state=np.random.default_rng(seed)).as_matrix()
    egg = ball(1.0, rounds=3)
    places = egg.places * [0.5, 1.2, 0.8]
    a, b, c = (places[egg.faces[:, i]] for i in range(3))
    exact = float((np.cross(a, b) * c).sum()) / 6
    assert volume(closed(places @ turn.T, egg.faces)) == pytest.approx(exact, rel=5e-3)


def test_two_balls_share_a_lens() -> None:
    apart = 0.7
    found = shared_volumes(solid(ball(1.0, rounds=5)), solid(ball(1.0, (0, apart, 0), rounds=5)), LATTICE)
    lens = np.pi * (4 + apart) * (2 - apart) ** 2 / 12
    assert found.first == pytest.approx(4 / 3 * np.pi, rel=3e-3)
    assert found.both == pytest.approx(lens, rel=5e-3)
    assert found.both / found.either == pytest.approx(lens / (8 / 3 * np.pi - lens), rel=5e-3)


def winding(shape: Closed, points: F64) -> F64:
    """Solid angles of all faces as seen from points (N, 3), in whole spheres (N,)."""
    a, b, c = (shape.vertices[shape.faces[:, i]] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(axis=2)
    rest = la * lb * lc + (a * b).sum(axis=2) * lc + (b * c).sum(axis=2) * la + (c * a).sum(axis=2) * lb
    return np.asarray(np.arctan2(volume, rest).sum(axis=1) / (2 * np.pi))


def test_inside_is_where_solid_angles_say_so() -> None:
    other_way = ball(0.5, (0.2, 0.1, 0), rounds=1)
    messy = solid(
        ball(0.8, (0, 0, 0.5), rounds=1),
        ball(0.8, (0.3, 0, -0.4), rounds=1),
        Shape(other_way.places, other_way.faces[:, ::-1].copy()),
        box((0.5, -0.2, -0.3), (1.5, 0.4, 0.9)),
    )
    # One place is drawn in each of many small boxes, which says more than as many drawn anywhere.
    low, size = np.array([-1.0, -1.0, -1.4]), np.array([2.6, 2.0, 3.0])
    each = np.stack(np.meshgrid(*[np.arange(24)] * 3), axis=-1).reshape(-1, 3)
    places = low + size * (each + np.random.default_rng(0).random(each.shape)) / 24
    share = (np.abs(winding(messy, places)) > 0.5).mean()
    assert volume(messy) == pytest.approx(share * size.prod(), rel=0.02)


def test_pieces_that_overlap_count_once_and_hollows_are_empty() -> None:
    outer, inner = box((-1, -1, -1), (1, 1, 1)), box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    assert volume(solid(outer, inner)) == pytest.approx(8)
    hollow = Shape(inner.places, inner.faces[:, ::-1].copy())
    assert volume(solid(outer, hollow)) == pytest.approx(7)
    inside_out = closed(outer.places, outer.faces[:, ::-1].copy())
    assert volume(inside_out) == pytest.approx(8)


def test_what_no_column_meets_encloses_nothing() -> None:
    nothing = Lattice((5.0, 5.0), 0.1, (3, 3))
    unit = solid(box((0, 0, 0), (1, 1, 1)))
    assert shared_volumes(unit, unit, nothing) == (0, 0, 0, 0)


def test_corners_that_are_there_twice_are_joined_by_place() -> None:
    unit = box((0, 0, 0), (1, 1, 1))
    soup = closed(unit.places[unit.faces].reshape(-1, 3), np.arange(36, dtype=np.int32).reshape(-1, 3))
    assert len(soup.vertices) == 8
    assert volume(soup) == pytest.approx(1)


def test_open_surfaces_are_refused() -> None:
    unit = box((0, 0, 0), (1, 1, 1))
    with pytest.raises(MeshError, match="3 of 18 edges are open"):
        closed(unit.places, unit.faces[1:])
    turned = unit.faces.copy()
    turned[0] = turned[0, ::-1]
    with pytest.raises(MeshError, match="3 of 18 edges are open"):
        closed(unit.places, turned)
