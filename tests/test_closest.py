"""Nearest places: in closed form, and against a slow search that shares no formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from solids import ball, box, rough

from pipeline.errors import MeshError
from pipeline.geometry.closest import Surface
from pipeline.records import F64

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Slow:
    """All triangles for each point, one after the other."""

    corners: F64  # (F, 3, 3)

    def distance(self, point: F64) -> float:
        """The nearest of all corners, and of the feet on sides and planes that are inside of them."""
        found = [np.linalg.norm(self.corners - point, axis=2).min()]
        for a, b in ((0, 1), (1, 2), (2, 0)):
            start, side = self.corners[:, a], self.corners[:, b] - self.corners[:, a]
            length = np.linalg.norm(side, axis=1)
            some = length > 0
            unit = side[some] / length[some, None]
            along = ((point - start[some]) * unit).sum(axis=1)
            on = (along > 0) & (along < length[some])
            found += [*np.linalg.norm(np.cross(point - start[some], unit)[on], axis=1)]
        normal = np.cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0])
        size = np.linalg.norm(normal, axis=1)
        for corners, unit in zip(
            self.corners[size > 1e-12], normal[size > 1e-12] / size[size > 1e-12, None], strict=True
        ):
            height = float((point - corners[0]) @ unit)
            foot = point - height * unit
            turns = [
                np.cross(corners[(i + 1) % 3] - corners[i], foot - corners[i]) @ unit for i in range(3)
            ]
            if min(turns) > 0:
                found.append(abs(height))
        return float(min(found))


@given(seeds, st.integers(1, 150))
@settings(max_examples=25, deadline=None)
def test_distances_are_those_of_a_slow_search(seed: int, count: int) -> None:
    shape, draw = rough(seed, count), np.random.default_rng(seed)
    points = 2 * draw.normal(size=(12, 3))
    points[:6] = shape.places[draw.integers(0, 3 * count, 6)] + 0.01 * draw.normal(size=(6, 3))
    slow = Slow(shape.places[shape.faces])
    near = shape.surface.nearest(points)
    np.testing.assert_allclose(near.distance, [slow.distance(p) for p in points], atol=1e-9)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_a_place_lies_on_the_triangle_that_is_named(seed: int) -> None:
    shape, draw = rough(seed, 400), np.random.default_rng(seed)
    points = 2 * draw.normal(size=(50, 3))
    near = shape.surface.nearest(points)
    np.testing.assert_allclose(np.linalg.norm(points - near.place, axis=1), near.distance, atol=1e-12)
    for place, face in zip(near.place, near.face, strict=True):
        assert Slow(shape.places[shape.faces[[face]]]).distance(place) < 1e-9


def test_distances_to_a_box_are_those_of_its_formula() -> None:
    points = np.random.default_rng(0).uniform(-3, 3, (500, 3))
    half = np.array([0.5, 1.0, 1.5])
    over = np.abs(points) - half
    expected = np.abs(np.linalg.norm(over.clip(0), axis=1) + np.minimum(over.max(axis=1), 0))
    found = box((-0.5, -1, -1.5), (0.5, 1, 1.5)).surface.nearest(points)
    np.testing.assert_allclose(found.distance, expected, atol=1e-14)


def test_points_far_inside_and_outside_of_a_ball_find_it() -> None:
    sphere = ball(1.0, rounds=5)
    units = np.random.default_rng(1).normal(size=(300, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    radii = np.array([0.0, 0.3, 0.9, 1.1, 3.0, 100.0])[np.arange(300) % 6]
    found = sphere.surface.nearest(units * radii[:, None])
    # Between its corners the ball of triangles is lower than the sphere by this at most.
    sides = np.linalg.norm(np.diff(sphere.places[sphere.faces[:, [0, 1, 2, 0]]], axis=1), axis=2)
    sag = 1 - np.sqrt(1 - sides.max() ** 2 / 3)
    assert (np.abs(found.distance - np.abs(1 - radii)) <= sag * 1.01).all()
    assert np.abs(found.distance - np.abs(1 - radii)).max() > sag / 100


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_distances_do_not_depend_on_where_everything_is(seed: int) -> None:
    shape, draw = rough(seed, 300), np.random.default_rng(seed)
    points, turn = draw.normal(size=(40, 3)), Rotation.random(random_state=draw).as_matrix()
    shift = 100 * draw.normal(size=3)
    there = Surface(3 * shape.places @ turn.T + shift, shape.faces).nearest(3 * points @ turn.T + shift)
    np.testing.assert_allclose(there.distance, 3 * shape.surface.nearest(points).distance, atol=1e-9)


def test_a_few_large_triangles_among_many_small_ones_are_found() -> None:
    sphere, floor = ball(0.1, rounds=4), np.array([[-9, -1, -9], [9, -1, -9], [0, -1, 18.0]])
    faces = np.concatenate([sphere.faces, [np.arange(3) + len(sphere.places)]]).astype(np.int32)
    surface = Surface(np.concatenate([sphere.places, floor]), faces)
    found = surface.nearest(np.array([[3.0, -0.5, 1.0], [0, -0.8, 0], [0, 0.5, 0]]))
    np.testing.assert_allclose(found.distance, [0.5, 0.2, 0.4], atol=1e-12)
    assert (found.face == len(faces) - 1).tolist() == [True, True, False]


def test_no_points_have_no_nearest_places() -> None:
    found = ball(1.0, rounds=1).surface.nearest(np.zeros((0, 3)))
    assert (found.distance.shape, found.face.shape, found.place.shape) == ((0,), (0,), (0, 3))


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(MeshError, match="1 of 2 points are not finite"):
        ball(1.0, rounds=1).surface.nearest(np.array([[0.0, 0, 0], [np.nan, 0, 0]]))
    with pytest.raises(MeshError, match="mesh has no faces"):
        Surface(np.zeros((3, 3)), np.zeros((0, 3), dtype=np.int32))
