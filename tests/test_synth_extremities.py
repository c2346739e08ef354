from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from pipeline.errors import ConfigError
from pipeline.records import F32, F64, I32
from pipeline.synth import foot, hand, shoe
from pipeline.synth.last import last_of
from pipeline.synth.outline import Slab, closed_curve, signed_distance, under_line
from pipeline.synth.skeleton import FLOOR, JOINT_INDEX, JOINT_NAMES, REST
from pipeline.synth.solids import Distance

STYLES = sorted(shoe.STYLES)
SOLIDS: dict[str, tuple[Distance, F64, F64]] = {
    "hand": (hand.hand, hand.LOW, hand.HIGH),
    "foot": (foot.foot, foot.LOW, foot.HIGH),
    **{s: (partial(shoe.shoe, style=s), shoe.LOW, shoe.HIGH) for s in STYLES},
}


def grid(low: F64, high: F64, cell: float) -> tuple[F32, tuple[int, ...], list[float]]:
    axes = [np.arange(a - 2 * cell, b + 3 * cell, cell) for a, b in zip(low, high, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    return places.reshape(3, -1), places.shape[1:], [a[0] for a in axes]


@lru_cache(maxsize=8)
def surface(name: str, cell: float = 0.003) -> tuple[F64, I32]:
    distance, low, high = SOLIDS[name]
    points, shape, start = grid(low, high, cell)
    values = distance(points).reshape(shape)
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(cell,) * 3)  # type: ignore[no-untyped-call]
    return vertices + start, faces


def pieces(vertices: F64, faces: I32) -> int:
    pairs = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(vertices),) * 2)
    return int(connected_components(graph, directed=False)[0])


def euler(vertices: F64, faces: I32) -> int:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    kinds, uses = np.unique(edges, axis=0, return_counts=True)
    assert np.all(uses == 2), "the surface is not closed"
    return len(vertices) - len(kinds) + len(faces)


def near(name: str, spread: float) -> F32:
    vertices, _ = surface(name)
    random = np.random.default_rng(0)
    some = vertices[random.choice(len(vertices), 6000)] + random.uniform(-spread, spread, (6000, 3))
    return np.ascontiguousarray(some.T, dtype=np.float32)


def test_a_slab_over_a_circle_is_a_rounded_disc() -> None:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    curve = closed_curve(np.stack([0.05 * np.cos(angle), 0.05 * np.sin(angle)], axis=1))
    slab = Slab.draw(curve, lambda u, v: 0.02 + 0 * u, lambda u, v: -0.02 + 0 * u, 0.01)
    u, v, h = np.random.default_rng(1).uniform(-0.07, 0.07, (3, 5000)).astype(np.float32)
    side, face = np.hypot(u, v) - 0.04, np.abs(h) - 0.01
    outside = np.hypot(np.maximum(side, 0), np.maximum(face, 0))
    true = outside + np.minimum(np.maximum(side, face), 0) - 0.01
    off_centre = np.hypot(u, v) > 0.01  # a map in straight pieces cannot follow the tip of a cone
    assert np.abs(slab.distance(u, v, h) - true)[off_centre].max() < 1e-4


def test_distance_to_an_outline_is_that_to_a_circle() -> None:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)[::-1]
    curve = closed_curve(np.stack([0.3 + 0.05 * np.cos(angle), 0.05 * np.sin(angle)], axis=1))
    places = np.random.default_rng(2).uniform((0.2, -0.1), (0.4, 0.1), (2000, 2))
    true = np.hypot(places[:, 0] - 0.3, places[:, 1]) - 0.05
    assert np.abs(signed_distance(curve, places) - true).max() < 1e-5


def test_distance_under_a_level_line_is_height_above_it() -> None:
    chart = under_line(np.array([[0.0, 0.05], [0.1, 0.05]]))
    u, v = np.random.default_rng(3).uniform(-0.04, 0.14, (2, 1000)).astype(np.float32)
    assert np.allclose(chart.at(u, v)[0][0], v - 0.05, atol=1e-6)


@pytest.mark.parametrize("name", SOLIDS)
def test_distances_are_first_order_near_the_surface(name: str) -> None:
    distance = SOLIDS[name][0]
    reach = 0.002 if name in STYLES else 0.004  # a collar is 6 mm thick: nothing is 4 mm inside it
    points = near(name, reach)
    points = points[:, np.abs(distance(points)) < reach]
    step = np.float32(2.5e-4)
    slopes = []
    for axis in np.eye(3, dtype=np.float32)[:, :, None]:
        slopes.append((distance(points + step * axis) - distance(points - step * axis)) / (2 * step))
    length = np.linalg.norm(slopes, axis=0)
    assert np.mean((length > 0.6) & (length < 1.3)) > 0.98
    assert abs(np.median(length) - 1) < 0.06


@pytest.mark.parametrize("name", SOLIDS)
def test_far_distances_are_never_too_long(name: str) -> None:
    distance, low, high = SOLIDS[name]
    points = np.random.default_rng(4).uniform(low - 0.15, high + 0.15, (4000, 3))
    points[:, 0] = np.abs(points[:, 0])
    reach, _ = cKDTree(surface(name)[0]).query(points)
    given = distance(np.ascontiguousarray(points.T, dtype=np.float32))
    outside = np.any((points < low) | (points > high), axis=1)
    assert np.all(given[outside] > 0)
    assert np.all(np.abs(given) <= 1.35 * reach + 0.003)


@pytest.mark.parametrize("name", SOLIDS)
def test_right_is_the_mirror_image_of_left(name: str) -> None:
    points = near(name, 0.02)
    assert np.array_equal(
        SOLIDS[name][0](points), SOLIDS[name][0](points * np.array([[-1], [1], [1]], dtype=np.float32))
    )


@pytest.mark.parametrize("name", SOLIDS)
def test_a_side_is_one_closed_piece(name: str) -> None:
    vertices, faces = surface(name)
    assert pieces(vertices, faces) == 1
    euler(vertices, faces)


def test_a_hand_at_scan_resolution_is_a_ball_with_five_fingers() -> None:
    vertices, faces = surface("hand", 0.0015)
    assert pieces(vertices, faces) == 1
    assert euler(vertices, faces) == 2


def crossings(x: float) -> tuple[I32, int]:
    y, z = np.meshgrid(np.arange(1.34, 1.44, 5e-4) + FLOOR, np.arange(-0.07, 0.09, 5e-4), indexing="ij")
    points = np.stack([np.full(y.size, x), y.ravel(), z.ravel()]).astype(np.float32)
    parts, count = label(hand.hand(points).reshape(y.shape) < 0)
    return parts, count


def test_a_plane_through_the_middle_phalanges_cuts_four_fingers() -> None:
    for x in (0.812, 0.820, 0.835):
        assert crossings(x)[1] == 4, x
    assert crossings(0.782)[1] == 2  # the palm and the thumb
    assert crossings(0.740)[1] == 1


def test_fingers_keep_two_millimetres_apart_until_the_web() -> None:
    for x in (0.812, 0.830):
        parts, count = crossings(x)
        places = [np.argwhere(parts == k + 1) for k in range(count)]
        places.sort(key=lambda p: p[:, 1].mean())
        for one, other in pairwise(places):
            assert cKDTree(one).query(other)[0].min() * 5e-4 > 0.002


def test_joints_of_the_skeleton_lie_inside_the_flesh() -> None:
    def inside(distance: Distance, *parts: str) -> float:
        names = [n for n in JOINT_NAMES if any(part in n for part in parts)]
        places = REST[[JOINT_INDEX[n] for n in names]].T.astype(np.float32)
        return float(distance(np.ascontiguousarray(places)).max())

    assert inside(hand.hand, "index", "middle", "ring", "pinky", "thumb") < -0.004
    assert inside(foot.foot, "ankle", "foot") < -0.01


def test_named_points_lie_on_the_skin() -> None:
    assert np.abs(hand.hand(hand.FINGER_TIP_POINTS.T.copy())).max() < 5e-4
    toes = np.stack([foot.BIG_TOE, foot.SMALL_TOE, foot.HEEL], axis=1)
    assert np.abs(foot.foot(toes)).max() < 1e-3
    assert np.all(np.diff(toes[2]) < 0)  # big toe before small toe before heel


def test_nails_are_small_and_on_the_far_upper_side() -> None:
    for name, mask, count in (("hand", hand.nails, 5), ("foot", foot.toe_nails, 5)):
        vertices, faces = surface(name, 0.0015)
        on = mask(np.ascontiguousarray(vertices.T, dtype=np.float32)) > 0.5
        assert 0.005 < on.mean() < 0.05
        kept = faces[on[faces].all(axis=1)]
        assert pieces(vertices, kept) - np.sum(~np.isin(np.arange(len(vertices)), kept)) == count


def test_knuckles_redden_folds_and_spare_the_nails() -> None:
    points = np.ascontiguousarray(surface("hand", 0.0015)[0].T, dtype=np.float32)
    red = hand.knuckles(points)
    assert red.min() == 0
    assert 0.8 < red.max() <= 1
    assert 0.03 < np.mean(red > 0.3) < 0.25
    assert red[hand.nails(points) > 0.9].max() < 0.5


def test_a_foot_has_the_measures_it_was_asked_for() -> None:
    vertices = surface("foot", 0.0015)[0]
    assert abs(vertices[:, 1].min() - FLOOR) < 3e-4
    across, up, along = foot.framed(np.ascontiguousarray(vertices.T, dtype=np.float32))
    assert abs(np.ptp(along) - 0.2585) < 0.003
    ball = (along > 0.10) & (along < 0.15)
    assert abs(np.ptp(across[ball]) - 0.098) < 0.003
    ankle = (up > 0.055) & (up < 0.10) & (along < 0.02)
    inner, outer = (up[ankle][np.argmax(side * across[ankle])] for side in (-1, 1))
    assert inner > outer + 0.005


def test_a_foot_stands_on_heel_and_ball_but_not_on_its_arch() -> None:
    def clearance(across: float, along: float) -> float:
        heights = np.arange(0.0, 0.03, 2e-4)
        place = np.stack([np.full_like(heights, across), heights, np.full_like(heights, along)])
        points = (np.array(foot.ORIGIN)[:, None] + np.array(foot.AXES).T @ place).astype(np.float32)
        return float(heights[np.argmax(foot.foot(points) < 0)])

    assert max(clearance(*p) for p in ((0, -0.03), (-0.03, 0.13), (0.03, 0.12), (-0.025, 0.185))) < 0.0015
    assert clearance(-0.02, 0.055) > 0.006
    assert clearance(0.025, 0.055) < 0.003


@pytest.mark.parametrize("style", STYLES)
def test_a_shoe_holds_the_whole_foot_below_its_topline(style: str) -> None:
    points = np.ascontiguousarray(surface("foot")[0].T, dtype=np.float32)
    _, up, along = foot.framed(points)
    (line,), _ = last_of(style).topline.at(along, up)
    held = (line < -0.006 - last_of(style).style.depth) & (up > 0.003)
    assert held.sum() > 2000
    assert shoe.shoe(points[:, held], style).max() < -2e-4


@pytest.mark.parametrize("style", STYLES)
def test_a_sole_is_as_thick_as_told(style: str) -> None:
    assert abs(surface(style)[0][:, 1].min() - (FLOOR - shoe.sole_of(style))) < 5e-4


@pytest.mark.parametrize("style", STYLES)
def test_zones_of_a_shoe_are_where_they_belong(style: str) -> None:
    vertices = surface(style)[0]
    zone = shoe.shoe_zone(np.ascontiguousarray(vertices.T, dtype=np.float32), style)
    height = vertices[:, 1] - FLOOR
    assert height[zone == shoe.SOLE].max() < 0.025
    assert np.all(zone[height < -0.006] == shoe.SOLE)
    expected = {shoe.UPPER, shoe.SOLE, shoe.SEAM}
    expected |= set() if style == "ballerina" else {shoe.LINING, shoe.LACES}
    assert set(zone.tolist()) == expected


def test_paint_is_a_function_of_the_seed() -> None:
    points = np.ascontiguousarray(surface("sneaker")[0].T, dtype=np.float32)
    first, again, other = (
        shoe.paint_shoe(points, "sneaker", (0.2, 0.3, 0.6), (0.9, 0.9, 0.9), seed) for seed in (1, 1, 2)
    )
    assert first.dtype == np.float32
    assert first.shape == (points.shape[1], 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    upper = shoe.shoe_zone(points, "sneaker") == shoe.UPPER
    assert np.allclose(np.median(first[upper], axis=0), (0.2, 0.3, 0.6), atol=0.06)


def test_an_unknown_shoe_names_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match=r"clog.*sneaker.*leather.*boot.*ballerina"):
        shoe.sole_of("clog")
