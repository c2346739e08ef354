"""Bodies checked against scans: right ones stay, misplaced ones are put right, wrong ones refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MeshError
from pipeline.geometry.fit import (
    AS_GIVEN,
    BAD,
    CORRECTED,
    FROM_SHAPE,
    GOOD,
    Suspect,
    Target,
    check_fit,
    moved,
    moved_body,
    readings,
    sample,
    trusted,
)
from pipeline.geometry.transform import rotation_of, turn_y
from pipeline.records import BodyParameters, Mesh, Similarity
from pipeline.synth.defects import Defects, placed
from pipeline.synth.figure import figure_of
from pipeline.synth.person import draw
from pipeline.synth.rig import posed_joints
from pipeline.synth.scan import Cast, cast, pose, registered
from pipeline.synth.traits import Traits

PEOPLE = {"trousers": (5, 1), "coat": (5, 4), "skirt": (5, 3), "sitting": (5, 5)}


@cache
def cast_of(seed: int, index: int) -> tuple[Traits, Cast, BodyParameters]:
    traits = draw(seed, index)
    figure = figure_of(traits)
    return traits, cast(figure, 6000), figure.body


def person(name: str, defects: Defects) -> tuple[Mesh, BodyParameters]:
    """A scan and the body in it."""
    traits, surface, body = cast_of(*PEOPLE[name])
    body = placed(body, defects, traits.seed)
    skin = pose(surface, body, defects, traits.seed).skin
    return Mesh(skin.vertices, skin.faces), body


def suspect(body: BodyParameters) -> Suspect:
    place = body.translation + body.scale * body.transl
    return Suspect("parameters", registered(body), body.scale, place, posed_joints(body))


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(
    "defects",
    [
        Defects(),
        Defects(centimetres=True, yaw=True, origin=True),
        Defects(holes=True, fragments=True, floor=True),
    ],
    ids=["clean", "elsewhere", "damaged"],
)
def test_a_right_fit_is_left_alone(name: str, defects: Defects) -> None:
    scan, body = person(name, defects)
    fit = check_fit(suspect(body), Target(scan))
    assert (fit.verdict, fit.correction, fit.reading) == (GOOD, None, AS_GIVEN)
    assert fit.surface_mm < 27
    assert fit.given_mm == fit.surface_mm
    assert fit.joints_outside_mm is not None and fit.joints_outside_mm < 12  # finger tips, between samples
    assert trusted(body, fit) is body


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(
    ("scale", "shift"), [(0.43, (0.3, 1.2, -0.4)), (1.12, (0.0, 0.0, 0.0)), (2.2, (9, -8, 7))]
)
def test_a_misplaced_body_is_put_where_it_belongs(
    name: str, scale: float, shift: tuple[float, float, float]
) -> None:
    scan, body = person(name, Defects(yaw=True))
    wrong = moved_body(body, Similarity(scale, shift))
    lost = replace(suspect(wrong), place=None)  # as if nobody knew how the numbers came to be
    fit = check_fit(lost, Target(scan))
    assert (fit.verdict, fit.reading) == (CORRECTED, FROM_SHAPE)
    right = trusted(wrong, fit)
    assert right is not None
    assert right.scale == pytest.approx(body.scale, rel=0.02)
    assert np.linalg.norm(posed_joints(right) - posed_joints(body), axis=1).max() < 0.035
    np.testing.assert_allclose(right.global_orient, body.global_orient)


@pytest.mark.parametrize("name", PEOPLE)
def test_a_place_counted_before_the_scale_is_recognised_and_mended_exactly(name: str) -> None:
    scan, body = person(name, Defects(yaw=True, origin=True))
    ours = moved_body(body, Similarity(0.45, (0.1, 0.6, -0.2)))
    there = Mesh((scan.vertices * 0.45 + np.array([0.1, 0.6, -0.2])).astype(np.float32), scan.faces)
    read_wrong = replace(ours, translation=ours.translation / ours.scale)  # what the other batch would hold
    fit = check_fit(suspect(read_wrong), Target(there))
    assert (fit.verdict, fit.reading) == (CORRECTED, "place counted before the scale")
    right = trusted(read_wrong, fit)
    assert right is not None
    np.testing.assert_allclose(posed_joints(right), posed_joints(ours), atol=1e-9)


def test_each_reading_undoes_its_mistake() -> None:
    vertices, scale = np.random.default_rng(0).normal(size=(5, 3)), 0.45
    place = np.array([1.0, -2.0, 3.0])
    here = vertices * scale + place
    meant = ((vertices + place) * scale, vertices * scale + place / scale, vertices + place)
    for (_, change), expected in zip(readings(scale, place), meant, strict=True):
        np.testing.assert_allclose(moved(here, change), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["trousers", "coat", "sitting"])
def test_a_body_turned_sideways_is_refused(name: str) -> None:
    scan, body = person(name, Defects())
    surface = registered(body)
    middle = surface.vertices.mean(axis=0)
    side = ((surface.vertices - middle) @ turn_y(np.pi / 2).T + middle).astype(np.float32)
    fit = check_fit(Suspect("parameters", Mesh(side, surface.faces), 1.0), Target(scan))
    assert (fit.verdict, fit.correction) == (BAD, None)
    assert trusted(body, fit) is None


def test_a_body_in_another_pose_is_refused() -> None:
    scan, own = person("sitting", Defects())
    other = replace(person("trousers", Defects())[1], transl=own.transl)
    fit = check_fit(suspect(other), Target(scan))
    assert fit.verdict == BAD
    assert fit.surface_p99_mm > 100


def test_a_scan_turned_inside_out_is_judged_the_same() -> None:
    scan, body = person("trousers", Defects())
    flipped = Mesh(scan.vertices, np.ascontiguousarray(scan.faces[:, ::-1]))
    first, second = (check_fit(suspect(body), Target(mesh)) for mesh in (scan, flipped))
    assert first.verdict == second.verdict == GOOD
    assert second.surface_mm == pytest.approx(first.surface_mm, rel=0.1)


def test_millimetres_are_the_bodys_own_whatever_the_units_of_the_scan() -> None:
    fits = [
        check_fit(suspect(body), Target(scan))
        for scan, body in (person("trousers", Defects(centimetres=c)) for c in (False, True))
    ]
    assert fits[1].surface_mm == pytest.approx(fits[0].surface_mm, rel=1e-3)
    assert fits[1].box_mm == pytest.approx(fits[0].box_mm, rel=1e-2)


def test_a_distance_is_the_distance() -> None:
    """Two square plates, one 30 mm before the other: every point is that far away."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    near = Mesh((corners + np.array([0, 0, 0.03])).astype(np.float32), faces)
    fit = check_fit(
        Suspect("plate", near, 1.0, None, np.array([[0.0, 1.5, 0.0]])), Target(Mesh(corners, faces))
    )
    assert fit.given_mm == pytest.approx(30, abs=1.5)
    assert fit.scan_mm == pytest.approx(30, abs=5)  # the body has fewer points
    assert fit.box_mm == pytest.approx(30, abs=15)
    assert fit.joints_outside_mm == pytest.approx(500, abs=20)


@given(st.integers(0, 2**32 - 1))
def test_a_moved_body_is_the_body_moved(seed: int) -> None:
    rng = np.random.default_rng(seed)
    body = replace(cast_of(5, 1)[2], transl=rng.normal(size=3), translation=rng.normal(size=3), scale=0.7)
    change = Similarity(float(rng.uniform(0.1, 3)), tuple(rng.normal(size=3)))
    expected = moved(posed_joints(body), change)
    np.testing.assert_allclose(posed_joints(moved_body(body, change)), expected, atol=1e-9)


def test_samples_lie_on_the_surface_evenly() -> None:
    """Two triangles, one with three times the area of the other, tilted: a quarter of the points on one."""
    turn = rotation_of(np.array([0.4, 1.0, -0.3]))
    flat = np.array([[0, 0, 0], [3, 0, 0], [0, 2, 0], [0, 0, 5], [1, 0, 5], [0, 2, 5]], dtype=np.float64)
    vertices = (flat @ turn.T).astype(np.float32)
    points, normals = sample(vertices, np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32), 4000)
    x, y, z = (points @ turn).T
    first = z < 1
    assert first.sum() == 3000
    np.testing.assert_allclose(z, np.where(first, 0, 5), atol=1e-5)
    np.testing.assert_allclose(normals @ turn, np.tile([0, 0, 1], (4000, 1)), atol=1e-6)
    width = np.where(first, 3, 1)
    assert (x >= -1e-6).all() and (y >= -1e-6).all() and (x / width + y / 2 <= 1 + 1e-6).all()
    assert x[first].mean() == pytest.approx(1, abs=0.02) and y[first].mean() == pytest.approx(
        2 / 3, abs=0.02
    )


def test_a_surface_without_area_is_refused() -> None:
    with pytest.raises(MeshError, match="zero area"):
        sample(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32), 10)
