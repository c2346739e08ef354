"""Scans of synthetic people: clean, or with the defects of real ones, and the truth that goes along."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pipeline.errors import ConfigError
from pipeline.geometry.transform import front_yaw, turn_y
from pipeline.records import I32, BodyParameters
from pipeline.synth import scan as scans
from pipeline.synth.defects import CHOICES, NONE, Defects, defects_of, placed, turned
from pipeline.synth.figure import figure_of
from pipeline.synth.person import draw
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.scan import Cast, Scan, cast, make_scan, pose, registered
from pipeline.synth.skeleton import JOINT_INDEX
from pipeline.synth.template import SPECIAL

VERTICES = 8000


def a_body(seed: int = 2) -> BodyParameters:
    random = np.random.default_rng(seed)
    return BodyParameters(
        gender="female",
        betas=random.normal(size=10),
        expression=np.zeros(10),
        global_orient=random.normal(size=3),
        body_pose=0.3 * random.normal(size=(21, 3)),
        jaw_pose=np.zeros(3),
        leye_pose=np.zeros(3),
        reye_pose=np.zeros(3),
        left_hand_pose=np.zeros((15, 3)),
        right_hand_pose=np.zeros((15, 3)),
        transl=random.normal(size=3),
        translation=random.normal(size=3),
        scale=1.7,
    )


@pytest.fixture(scope="module")
def figure_cast() -> Cast:
    return cast(figure_of(draw(1, 0)), VERTICES)


def scan_with(figure_cast: Cast, *names: str, seed: int = 5) -> Scan:
    defects = defects_of(names)
    body = figure_of(draw(1, 0)).body
    return pose(figure_cast, placed(body, defects, seed), defects, seed)


def pieces(faces: I32) -> int:
    count = int(faces.max()) + 1
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(count, count))
    return int(connected_components(graph, directed=False)[0])


def open_edges(faces: I32) -> int:
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = np.sort(ends, axis=1) @ [1, 1 << 31]
    return int((np.unique(key, return_counts=True)[1] == 1).sum())


@pytest.mark.parametrize("yaw", [0.4, -2.5, 3.1])
def test_a_body_turns_about_the_origin(yaw: float) -> None:
    body = a_body()
    moved = turned(body, yaw)
    assert np.allclose(posed_joints(moved), posed_joints(body) @ turn_y(yaw).T, atol=1e-9)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3)).astype(np.float32)
    assert np.allclose(deform(points, moved), deform(points, body) @ turn_y(yaw).T, atol=1e-5)
    difference = front_yaw(moved.global_orient) - front_yaw(body.global_orient) - yaw
    assert np.cos(difference) == pytest.approx(1, abs=1e-9)


def test_units_yaw_and_origin_are_one_similarity() -> None:
    body = replace(a_body(), scale=1.0)
    defects = Defects(centimetres=True, yaw=True, origin=True)
    moved = placed(body, defects, 9)
    before, after = posed_joints(body), posed_joints(moved)
    yaw = front_yaw(moved.global_orient) - front_yaw(body.global_orient)
    shift = after[0] - 100 * before[0] @ turn_y(yaw).T
    assert np.allclose(after, 100 * before @ turn_y(yaw).T + shift, atol=1e-7)
    assert np.linalg.norm(shift) > 10
    assert abs(yaw) > 0.1
    assert moved.scale == 100


def test_places_are_drawn_by_seed() -> None:
    everything = Defects(yaw=True, origin=True)
    first, again, other = (placed(a_body(), everything, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.global_orient, again.global_orient)
    assert np.array_equal(first.translation, again.translation)
    assert not np.allclose(first.global_orient, other.global_orient)
    assert not np.allclose(first.translation, other.translation)


def test_a_clean_scan_is_one_closed_piece(figure_cast: Cast) -> None:
    skin = scan_with(figure_cast).skin
    assert pieces(skin.faces) == 1
    assert open_edges(skin.faces) == 0
    assert len(skin.vertices) == pytest.approx(VERTICES, rel=0.05)
    assert len(skin.vertices) == len(skin.rest) == len(skin.colors)
    assert skin.vertices.dtype == np.float32
    assert skin.colors.dtype == np.uint8


def test_holes_open_the_surface_a_little(figure_cast: Cast) -> None:
    clean, skin = scan_with(figure_cast).skin, scan_with(figure_cast, "holes").skin
    assert open_edges(skin.faces) > 20
    assert 0.98 * len(clean.faces) < len(skin.faces) < len(clean.faces)
    assert np.array_equal(np.unique(skin.faces), np.arange(len(skin.vertices)))


def test_fragments_float_near_the_person(figure_cast: Cast) -> None:
    clean, skin = scan_with(figure_cast).skin, scan_with(figure_cast, "fragments").skin
    assert pieces(skin.faces) == 8
    assert open_edges(skin.faces) == 0
    away = cKDTree(clean.vertices).query(skin.vertices[len(clean.vertices) :])[0]
    assert away.min() > 0.003
    assert away.max() < 0.2


def test_the_floor_lies_under_the_feet(figure_cast: Cast) -> None:
    clean, skin = scan_with(figure_cast).skin, scan_with(figure_cast, "floor").skin
    floor = skin.vertices[len(clean.vertices) :]
    assert pieces(skin.faces) == 2
    assert np.abs(floor[:, 1] - clean.vertices[:, 1].min()).max() < 0.005
    assert 0.4 < np.ptp(floor[:, 0]) < 1.0
    a, b, c = (skin.vertices[skin.faces[-100:, i]] for i in range(3))
    assert np.cross(b - a, c - a)[:, 1].min() > 0
    assert len(skin.vertices) == pytest.approx(VERTICES, rel=0.05)


@pytest.mark.parametrize("name", CHOICES)
def test_the_truth_is_that_of_the_clean_person(figure_cast: Cast, name: str) -> None:
    clean, made = scan_with(figure_cast), scan_with(figure_cast, name)
    unit = made.body.scale
    assert made.alignment.scale * unit == pytest.approx(clean.alignment.scale, rel=0.3)
    if name in ("holes", "fragments", "floor"):
        assert made.alignment == clean.alignment
    assert np.allclose(made.joints, posed_joints(made.body), atol=1e-12)
    middle = made.skin.vertices[: len(clean.skin.vertices) // 2].mean(axis=0)
    assert np.linalg.norm(middle - made.alignment.centre) < 0.5 * unit


def test_defects_are_counted_among_the_vertices() -> None:
    made = make_scan(draw(1, 0), VERTICES, defects_of(["holes", "fragments", "floor"]))
    assert len(made.skin.vertices) == pytest.approx(VERTICES, rel=0.05)


def test_defects_come_in_the_units_of_the_scan(figure_cast: Cast) -> None:
    metres = scan_with(figure_cast, "holes", "fragments", "floor").skin
    centimetres = scan_with(figure_cast, "holes", "fragments", "floor", "centimetres").skin
    assert np.allclose(centimetres.vertices, metres.vertices * 100, atol=0.02)
    assert np.array_equal(centimetres.faces, metres.faces)


def test_a_defect_nobody_knows_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="no defect 'hole'; choose from holes, fragments"):
        defects_of(["hole"])
    assert defects_of([]) == NONE
    assert defects_of(CHOICES).names() == CHOICES


def test_the_face_of_the_scan_is_that_of_the_body_model() -> None:
    made = make_scan(draw(1, 0), 30_000)
    vertices = registered(made.body).vertices
    nose = vertices[[SPECIAL["nose"]]]
    assert cKDTree(made.skin.vertices).query(nose)[0][0] < 0.008
    head = made.joints[JOINT_INDEX["head"]]
    assert np.linalg.norm(nose[0] - head) < 0.2


def test_threads_change_no_byte(figure_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "JOBS", 1)
    again = cast(figure_of(draw(1, 0)), VERTICES)
    for field in ("rest", "faces", "colors", "spread"):
        assert getattr(again, field).tobytes() == getattr(figure_cast, field).tobytes()


def test_the_hands_of_the_scan_lie_on_the_registered_body_to_the_millimetre() -> None:
    made = make_scan(draw(1, 0), 60_000)
    body = registered(made.body)
    corners = body.vertices[body.faces].astype(np.float64)
    random = np.random.default_rng(0)
    shares = random.dirichlet((1.0, 1.0, 1.0), (40, len(corners)))
    spread = np.einsum("kfc,fcx->kfx", shares, corners).reshape(-1, 3)
    for side in ("left", "right"):
        knuckle = made.joints[JOINT_INDEX[f"{side}_middle1"]]
        hand = made.skin.vertices[np.linalg.norm(made.skin.vertices - knuckle, axis=1) < 0.06]
        near = spread[np.linalg.norm(spread - knuckle, axis=1) < 0.08]
        gap = cKDTree(near).query(hand)[0]
        assert len(hand) > 500
        assert np.median(gap) < 0.0007
        assert np.quantile(gap, 0.95) < 0.0018
