"""The head is one closed solid of human measure; hair and paint keep to their places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import ndimage

from pipeline.records import F32, F64
from pipeline.synth import complexion, hair, head
from pipeline.synth.face import EYE, EYE_RADIUS
from pipeline.synth.skeleton import FLOOR, REST
from pipeline.synth.traits import Face, Hair, Traits

TEMPLATE = Face()
LIFT = np.array([0, FLOOR, 0])
TRAITS = [f.name for f in fields(Face)]
EXTREMES = [
    Face(**dict.fromkeys(TRAITS, 1.0)),
    Face(**dict.fromkeys(TRAITS, -1.0)),
    Face(nose_length=1, nose_width=-1, lips=1, brow=-1, jaw=1, chin=-1, cheeks=1, eyes=-1, ears=1),
]


def columns(points: F64) -> F32:
    return np.ascontiguousarray(np.atleast_2d(points).T, dtype=np.float32)


def at_height(*points: tuple[float, float, float]) -> F32:
    return columns(np.array(points) + LIFT)


def somewhere(count: int, seed: int = 0) -> F32:
    draw = np.random.default_rng(seed)
    return columns(draw.uniform(head.LOW, head.HIGH, (count, 3)))


def on_surface(count: int, face: Face = TEMPLATE) -> F64:
    points = somewhere(count)
    near = np.abs(head.head(points, face)) < 0.004
    return head.project(points[:, near].T.astype(np.float64), face, steps=6)


def extent(axis: int, start: tuple[float, float, float], face: Face = TEMPLATE) -> float:
    """Where the solid ends along a ray from a place inside, outwards along +x, +y or +z."""
    steps = np.arange(0, 0.16, 0.0005)
    points = np.tile(np.array(start) + LIFT, (len(steps), 1))
    points[:, axis] += steps
    inside = head.head(columns(points), face) < 0
    assert inside[0]
    return float(start[axis] + steps[np.flatnonzero(inside)[-1]])


@pytest.mark.parametrize(
    ("axis", "start", "expected", "tolerance"),
    [
        (1, (0, 1.65, -0.01), 1.730, 0.003),  # top of the skull
        (0, (0, 1.65, -0.015), 0.077, 0.003),  # half width of the skull
        (2, (0, 1.660, 0), 0.090, 0.003),  # forehead
        (2, (0, 1.515, 0.075), 0.085, 0.004),  # chin
        (2, (0, 1.580, 0.05), 0.114, 0.005),  # tip of the nose
        (2, (EYE[0], EYE[1], 0.06), EYE[2] + EYE_RADIUS, 0.0006),  # eyeball
        (0, (0, 1.46, -0.025), 0.056, 0.004),  # neck
    ],
)
def test_the_template_has_the_measures_of_a_person(
    axis: int, start: tuple[float, float, float], expected: float, tolerance: float
) -> None:
    assert extent(axis, start) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("face", [TEMPLATE, *EXTREMES])
def test_head_is_one_solid_without_cavities(face: Face) -> None:
    axes = [np.arange(head.LOW[i] - 0.01, head.HIGH[i] + 0.01, 0.0035, dtype=np.float32) for i in range(3)]
    grid = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])
    inside = head.head(grid, face).reshape([len(a) for a in axes]) < 0
    assert ndimage.label(inside)[1] == 1
    assert ndimage.label(~inside)[1] == 1
    edge = inside.copy()
    edge[1:-1, 1:-1, 1:-1] = False
    assert not edge.any()


@pytest.mark.parametrize("face", [TEMPLATE, *EXTREMES])
def test_head_is_symmetric(face: Face) -> None:
    points = somewhere(20_000)
    np.testing.assert_array_equal(
        head.head(points, face), head.head(points * np.array([[-1], [1], [1]], dtype=np.float32), face)
    )


def test_distance_is_first_order_near_the_surface() -> None:
    points = somewhere(120_000)
    points = points[:, np.abs(head.head(points, TEMPLATE)) < 0.005]
    step = np.float32(2e-4)
    slope = np.stack(
        [
            (head.head(points + step * e, TEMPLATE) - head.head(points - step * e, TEMPLATE)) / (2 * step)
            for e in np.eye(3, dtype=np.float32)[:, :, None]
        ]
    )
    size = np.linalg.norm(slope, axis=0)
    # what is left lies on the middle of thin sheets, as the ears, and at the lip and lid rims
    assert np.mean((size > 0.6) & (size < 1.3)) > 0.975


def test_pieces_agree_with_the_whole() -> None:
    points = somewhere(60_000)
    whole = head.head(points, TEMPLATE)
    order = np.lexsort((points[0] // 0.03, points[1] // 0.03, points[2] // 0.03))
    pieces = np.empty_like(whole)
    for part in np.array_split(order, 200):
        pieces[part] = head.head(points[:, part], TEMPLATE)
    near = np.abs(whole) < 0.006
    np.testing.assert_allclose(pieces[near], whole[near], atol=2e-6)
    np.testing.assert_array_equal(np.sign(pieces), np.sign(whole))


@pytest.mark.parametrize("name", TRAITS)
def test_a_trait_moves_the_face_by_millimetres(name: str) -> None:
    points = columns(on_surface(60_000))
    moved = np.abs(head.head(points, replace(TEMPLATE, **{name: 1.0}))).max()
    assert 0.0004 < moved < 0.008


@pytest.mark.parametrize("face", [TEMPLATE, *EXTREMES])
def test_landmarks_lie_on_the_surface_in_ibug_order(face: Face) -> None:
    found = head.landmarks(face)
    for places in found.values():
        np.testing.assert_allclose(head.head(columns(places), face), 0, atol=2e-4)
    marks, jaw = found["face"], found["jaw"]
    assert marks.shape == (51, 3)
    assert jaw.shape == (17, 3)
    opposite = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 10, 11, 12, 13, 18, 17, 16, 15, 14]
    opposite += [28, 27, 26, 25, 30, 29, 22, 21, 20, 19, 24, 23]
    opposite += [37, 36, 35, 34, 33, 32, 31, 42, 41, 40, 39, 38, 47, 46, 45, 44, 43, 50, 49, 48]
    np.testing.assert_allclose(marks[opposite] * [-1, 1, 1], marks, atol=1e-4)
    np.testing.assert_allclose(jaw[::-1] * [-1, 1, 1], jaw, atol=1e-4)
    assert np.all(np.diff(jaw[:, 0]) > 0)  # from the person's right to the left
    brow, eye, nose, mouth = (marks[i][:, 1].mean() for i in ([2], [20, 23], [13], [34, 40]))
    assert brow > eye > nose > mouth > jaw[8, 1]
    assert found["nose"][2] > marks[np.r_[0:13, 19:51], 2].max()
    np.testing.assert_allclose(found["eyes"][0, :2], REST[23, :2], atol=1e-6)


@pytest.mark.parametrize("style", [s for s in hair.STYLES if s != "bald"])
def test_hair_covers_the_crown_and_leaves_the_face(style: str) -> None:
    cut = Hair(style=style)
    on_top = at_height((0, 1.731, -0.02), (0.03, 1.722, -0.02), (0, 1.66, -0.106))
    assert np.all(hair.hair(on_top, cut, 5) < 0)
    face = columns(np.concatenate([head.landmarks(TEMPLATE)["face"], head.landmarks(TEMPLATE)["eyes"]]))
    assert np.all(hair.hair(face, cut, 5) > 0.001)
    draw = np.random.default_rng(1)
    box = columns(draw.uniform(np.subtract(hair.LOW, 0.03), np.add(hair.HIGH, 0.03), (60_000, 3)))
    outside = np.any((box < np.array(hair.LOW)[:, None]) | (box > np.array(hair.HIGH)[:, None]), axis=0)
    assert np.all(hair.hair(box, cut, 5)[outside] > 0)


@pytest.fixture(scope="module")
def bearded() -> tuple[F32, F32, tuple[int, ...]]:
    """A grid of 3 mm (3, N), the distance of a bearded head there (N,), and the grid's shape."""
    low, high = np.minimum(hair.LOW, head.LOW), np.maximum(hair.HIGH, head.HIGH)
    axes = [np.arange(low[i], high[i], 0.003, dtype=np.float32) for i in range(3)]
    grid = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])
    beard = hair.beard(grid, TEMPLATE, Hair(beard="full"), 0)
    return grid, np.minimum(head.head(grid, TEMPLATE), beard), tuple(len(a) for a in axes)


@pytest.mark.parametrize("style", [s for s in hair.STYLES if s != "bald"])
def test_hair_grows_out_of_the_head_without_floating_bits(
    style: str, bearded: tuple[F32, F32, tuple[int, ...]]
) -> None:
    grid, distance, shape = bearded
    union = np.minimum(distance, hair.hair(grid, Hair(style=style), 0))
    assert ndimage.label(union.reshape(shape) < 0)[1] == 1


def test_a_bald_head_has_no_hair_and_a_shaven_chin_no_beard() -> None:
    points = somewhere(1000)
    assert np.all(hair.hair(points, Hair(style="bald"), 0) >= 1)
    assert np.all(hair.beard(points, TEMPLATE, Hair(beard="stubble"), 0) >= 1)


@pytest.mark.parametrize("face", [TEMPLATE, *EXTREMES])
def test_a_beard_covers_chin_and_lip_but_not_the_mouth(face: Face) -> None:
    full = Hair(beard="full")
    jaw, marks = head.landmarks(face)["jaw"], head.landmarks(face)["face"]
    assert np.all(hair.beard(columns(jaw[4:13]), face, full, 3) < 0)
    bare = np.r_[0:14, 19:31, 31, 37, 43:51]
    assert np.all(hair.beard(columns(marks[bare]), face, full, 3) > 0)


def test_relief_of_hair_is_strand_sized() -> None:
    points = columns(on_surface(60_000))
    for style in hair.STYLES:
        push = hair.hair_relief(points, points, Hair(style=style), 2)
        assert 0.0001 < push.std() < 0.001
        assert np.abs(push).max() < 0.002


def test_skin_is_painted_where_it_belongs() -> None:
    person = Traits(seed=4, eye_colour=(0.2, 0.4, 0.6), hair=Hair(style="bald"), woman=True)
    marks = head.landmarks(person.face)["face"]
    eye = head.landmarks(person.face)["eyes"][0]
    lip = marks[40] + np.array([0.006, 0.004, 0])
    high = np.array([0.03, 1.67 + FLOOR, 0.08])
    aside, below = np.array([0.0042, 0, 0]), np.array([0.0085, 0, -0.003])
    spots = [eye, eye + aside, eye + below, lip, marks[7], high]
    pupil, iris, white, red, brow, skin = complexion.paint_skin(columns(np.array(spots)), person)
    assert pupil.max() < 0.1
    assert iris[2] > iris[0] + 0.1
    assert white.min() > 0.6
    assert red[0] / red[1] > skin[0] / skin[1] * 1.15
    assert brow.mean() < 0.6 * skin.mean()
    np.testing.assert_allclose(skin, person.skin, atol=0.12)


def test_a_mans_beard_shadow_darkens_the_chin_only() -> None:
    woman = Traits(seed=4, hair=Hair(style="bald"), woman=True)
    spots = at_height((0.02, 1.52, 0.08), (0.0, 1.67, 0.09))
    smooth, shaven = (complexion.paint_skin(spots, replace(woman, woman=w)) for w in (True, False))
    assert shaven[0].mean() < smooth[0].mean() - 0.02
    np.testing.assert_array_equal(shaven[1], smooth[1])


@pytest.mark.parametrize("style", hair.STYLES)
def test_paint_depends_on_nothing_but_the_point(style: str) -> None:
    person = Traits(seed=9, hair=Hair(style=style, beard="full"))
    points = columns(on_surface(20_000))
    order = np.random.default_rng(3).permutation(points.shape[1])
    paints: list[Callable[[F32], F32]] = [
        lambda p: complexion.paint_skin(p, person),
        lambda p: complexion.paint_hair(p, p, person.hair, person.seed),
        lambda p: hair.hair(p, person.hair, person.seed),
        lambda p: hair.beard(p, person.face, person.hair, person.seed),
    ]
    for paint in paints:
        whole = paint(points)
        assert np.isfinite(whole).all()
        shuffled = paint(np.ascontiguousarray(points[:, order]))
        np.testing.assert_allclose(shuffled, whole[order], atol=1e-6)


def test_people_differ_by_seed() -> None:
    points = columns(on_surface(20_000))
    first, second = (complexion.paint_skin(points, Traits(seed=s)) for s in (1, 2))
    assert np.abs(first - second).mean() > 0.003
    assert np.all((first >= 0) & (first <= 1))
