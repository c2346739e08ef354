"""The 31 keypoints: the right rows of every order, exact places in a picture, and what hides them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import trimesh
from smplx.joint_names import JOINT_NAMES as SMPLX_NAMES

from pipeline.errors import FormatError
from pipeline.geometry.camera import portrait_camera, project
from pipeline.geometry.keypoints import (
    COMPATIBLE,
    COUNT,
    NAMES,
    ROWS,
    TOLERANCE,
    aligned_rows,
    in_picture,
    in_view,
    merged,
    pixels_at,
    rows_of,
)
from pipeline.geometry.transform import aligned, turn_y, view_turn
from pipeline.records import F64, Alignment, ImageJoints, Joints, Light, Mesh, Places, View, Window
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer

# the order as the conventions' page has it, in the words of nobody's format
ORDER = (
    "nose, left eye, right eye, left ear, right ear, left shoulder, right shoulder, left elbow, "
    "right elbow, left wrist, right wrist, left hip, right hip, left knee, right knee, "
    "left ankle, right ankle, "
    "left big toe, left small toe, left heel, right big toe, right small toe, right heel, "
    "left index, left middle, left ring, left pinky, right index, right middle, right ring, right pinky"
).split(", ")
COCO = ORDER[:23]  # body and feet are in COCO-WholeBody's own order
_HAND = [
    "wrist",
    *(f"{finger}{n}" for finger in ("thumb", "index", "middle", "ring", "pinky") for n in "1234"),
]
_HANDS = [f"{side} {joint}" for side in ("left", "right") for joint in _HAND]
_KNUCKLES = {"index1": "index", "middle1": "middle", "ring1": "ring", "pinky1": "pinky"}
BODY_25 = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle "
    "REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
).split()
STILL = Alignment((0.0, 0.0, 0.0), 1.0, 0.0, "test")
CAMERAS = {"perspective": portrait_camera(2048), "orthographic": portrait_camera(2048, parallel=True)}


def _finger(name: str) -> str:
    """A joint of a hand, called as the keypoint that it is."""
    side, joint = name.split(" ")
    return f"{side} {_KNUCKLES[joint]}" if joint in _KNUCKLES else f"(hand) {name}"


def _openpose() -> list[str]:
    words = {"BigToe": "big toe", "SmallToe": "small toe"}
    body = []
    for name in BODY_25:
        side = {"L": "left ", "R": "right "}.get(name[0], "")
        part = name[1:] if side else name
        body.append(side + words.get(part, part.lower()))
    return [*body, *map(_finger, _HANDS)]


def _smplx() -> list[str]:
    names = []
    for number, name in enumerate(SMPLX_NAMES):
        side, _, part = name.partition("_")
        knuckle = _KNUCKLES.get(part)
        is_tip = number > 65 and part in _KNUCKLES.values()
        names.append(f"{side} {knuckle}" if knuckle else "(tip)" if is_tip else name.replace("_", " "))
    return names


INDEPENDENT = {
    "coco-wholebody": [*COCO, *(f"face {n}" for n in range(68)), *map(_finger, _HANDS)],
    "openpose-118": [*_openpose(), *(f"face {n}" for n in range(51))],
    "openpose-137": [*_openpose(), *(f"face {n}" for n in range(70))],
    "smplx-144": _smplx(),
}


def test_names_are_those_of_the_conventions() -> None:
    assert list(NAMES) == ORDER
    assert len(set(NAMES)) == COUNT == 31


@pytest.mark.parametrize("order", ROWS)
def test_rows_are_the_joints_of_those_names(order: str) -> None:
    names = INDEPENDENT[order]
    assert [names[row] for row in ROWS[order]] == ORDER
    assert {118: 118, 137: 137, 144: 144}.get(len(names), 133) == len(names)


def test_an_order_that_nobody_knows_is_refused() -> None:
    with pytest.raises(
        FormatError, match="'h36m' have no known keypoints; orders are coco-wholebody, openp"
    ):
        rows_of(Joints(np.zeros((17, 3)), np.ones(17), "h36m"))


def known(*names: str) -> tuple[F64, F64]:
    """Points whose first coordinate is their number, of which only some are known."""
    confidence = np.array([0.5 * (name in names) for name in NAMES])
    return np.arange(31.0)[:, None] * np.ones(3) * (confidence[:, None] > 0), confidence


def test_the_first_source_that_knows_a_keypoint_gives_it() -> None:
    first, second = known("nose", "left eye"), known("left eye", "right hip")
    found = merged({"kp3ds": first, "SMPL-X": (second[0] + 100, second[1])})
    where = {name: (found.points[NAMES.index(name), 0], found.source[NAMES.index(name)]) for name in NAMES}
    assert where["nose"] == (0, "kp3ds") and where["left eye"] == (1, "kp3ds")
    assert where["right hip"] == (112, "SMPL-X")
    assert where["left wrist"] == (0, "nothing") and not found.confidence[NAMES.index("left wrist")]


@pytest.mark.parametrize(
    ("lacking", "neighbour"),
    [
        ("left ear", "left eye"),
        ("right ear", "right eye"),
        ("left heel", "left ankle"),
        ("right heel", "right ankle"),
        ("left big toe", "left small toe"),
        ("right small toe", "right big toe"),
    ],
)
def test_what_no_source_has_is_taken_from_its_neighbour(lacking: str, neighbour: str) -> None:
    found = merged({"joint3d": known(neighbour)})
    row, other = NAMES.index(lacking), NAMES.index(neighbour)
    assert found.source[row] == "neighbour"
    assert found.points[row].tolist() == [other] * 3 and found.confidence[row] == 0.5
    assert merged({"joint3d": known(lacking, neighbour)}).source[row] == "joint3d"
    assert found.source.count("nothing") == 29


def test_a_second_source_comes_before_a_neighbour() -> None:
    found = merged({"kp3ds": known("left ankle"), "SMPL-X": known("left heel")})
    assert found.source[NAMES.index("left heel")] == "SMPL-X"


def test_points_that_are_not_numbers_are_not_known() -> None:
    points = np.ones((144, 3))
    points[55, 1] = np.nan
    found, confidence = rows_of(Joints(points, np.ones(144), "smplx-144"))
    assert confidence.tolist() == [0] + [1] * 30 and found[0].tolist() == [0, 0, 0]


def test_joints_of_a_scan_are_aligned_as_the_scan_is() -> None:
    alignment = Alignment((10.0, 20.0, 30.0), 0.004, 0.7, "test")
    random = np.random.default_rng(1)
    points = random.normal(size=(144, 3)) * 40 + alignment.centre
    found, confidence = aligned_rows(Joints(points, np.ones(144), "smplx-144"), alignment)
    picked = points[list(ROWS["smplx-144"])]
    expected = (picked - alignment.centre) @ turn_y(-0.7).T * 0.004
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert confidence.all()


def test_joints_in_other_units_than_the_scan_are_not_known() -> None:
    points = np.random.default_rng(2).normal(size=(144, 3))
    points *= 60 / np.linalg.norm(points, axis=1)[:, None]  # centimetres, where the scan is in metres
    found, confidence = aligned_rows(Joints(points, np.ones(144), "smplx-144"), STILL)
    assert not confidence.any() and not found.any()


def places(points: F64) -> Places:
    return Places(points, np.ones(31), ("test",) * 31)


def someone(seed: int = 3) -> F64:
    """Points where a person's could be (31, 3)."""
    return np.random.default_rng(seed).uniform(-0.3, 0.3, size=(31, 3))


def told(lengths: F64, _positions: F64) -> F64:
    return lengths


def nothing(positions: F64) -> F64:
    return np.zeros(len(positions))


@pytest.mark.parametrize("kind", CAMERAS)
def test_keypoints_lie_where_the_camera_has_them(kind: str) -> None:
    points = someone()
    found = in_view(places(points), np.eye(3), CAMERAS[kind], nothing)
    x, y, z = points.T
    focal, away = 1024 / np.tan(np.radians(25)), 1 - z
    if kind == "perspective":
        expected = np.stack([1024 + focal * x / away, 1024 - focal * y / away], axis=1)
        depth = np.sqrt(x**2 + y**2 + away**2)
    else:
        expected, depth = np.stack([1024 + focal * x, 1024 - focal * y], axis=1), away
    np.testing.assert_allclose(found.uv, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.depth, depth, rtol=0, atol=1e-12)
    assert found.valid.all() and found.source == ("test",) * 31


def test_what_is_not_known_is_zero_and_neither_valid_nor_visible() -> None:
    there = places(someone())
    confidence = there.confidence * (np.arange(31) % 3 > 0)
    found = in_view(
        replace(there, confidence=confidence), view_turn(20, 5), CAMERAS["perspective"], nothing
    )
    gone = np.arange(31) % 3 == 0
    assert not found.valid[gone].any() and not found.visible[gone].any()
    assert not found.uv[gone].any() and not found.depth[gone].any()
    assert found.valid[~gone].all() and found.uv[~gone].all()


@pytest.mark.parametrize("kind", CAMERAS)
def test_a_keypoint_shows_while_the_front_is_no_farther_ahead_than_its_tolerance(kind: str) -> None:
    there = places(someone())
    depth = project(there.points, CAMERAS[kind])[:, 2]
    for share, shows in ((-3.0, True), (0.0, True), (0.99, True), (1.01, False), (8.0, False)):
        front = depth - share * TOLERANCE
        found = in_view(there, np.eye(3), CAMERAS[kind], partial(told, front))
        assert (found.visible == shows).all(), share
    assert in_view(there, np.eye(3), CAMERAS[kind], nothing).visible.all()


def test_what_lies_outside_of_the_picture_is_known_but_not_seen() -> None:
    points = np.zeros((31, 3))
    points[:4] = [[0.47, 0, 0], [-0.47, 0, 0], [0, 0.47, 0], [0, -0.47, 0]]  # tan 25 degrees is 0.466
    found = in_view(places(points), np.eye(3), CAMERAS["perspective"], nothing)
    assert found.visible.tolist() == [False] * 4 + [True] * 27
    assert found.valid.all()


def test_the_compatible_places_are_those_of_the_published_files() -> None:
    points = someone()
    found = in_view(places(points), np.eye(3), CAMERAS["perspective"], nothing, COMPATIBLE)
    size = 2048
    focal = size / (np.tan(np.radians(50) / 2) * 2)
    matrix = np.array([[focal, 0, 1024], [0, focal, 1024], [0, 0, 1]])
    flip = np.diag([1, -1, -1])
    seen = matrix @ (flip @ (points.T * 1.037) - flip @ [[0], [0], [1]])
    np.testing.assert_allclose(found.uv, (seen[:2] / seen[2]).T, atol=1e-9)
    exact = in_view(places(points), np.eye(3), CAMERAS["perspective"], nothing)
    assert 3 < np.abs(found.uv - exact.uv).max() < 60
    np.testing.assert_array_equal(found.depth, exact.depth)


def test_mirrored_keypoints_have_one_tolerance() -> None:
    for name in NAMES:
        other = name.replace("left", "right")
        assert TOLERANCE[NAMES.index(name)] == TOLERANCE[NAMES.index(other)] > 0


def test_pixels_are_those_that_positions_fall_into() -> None:
    picture = np.arange(1, 13, dtype=np.uint16).reshape(3, 4)
    window = Window(10, 20, 100, 100)
    at = np.array([[20.0, 10.0], [23.99, 12.99], [24.0, 12.0], [21.5, 9.99], [-1.0, 0.0], [22.2, 11.7]])
    assert pixels_at(picture, window, at).tolist() == [1, 12, 0, 0, 0, 7]
    assert pixels_at(picture, None, at - [20, 10]).tolist() == [1, 12, 0, 0, 0, 7]


def test_a_picture_s_keypoints_are_as_they_were_found() -> None:
    points, confidence = np.arange(274.0).reshape(137, 2), np.full(137, 0.25)
    confidence[[15, 16, 17, 18]] = [0.9, 0.8, 0, 0]  # right and left eye; neither ear
    found = in_picture(ImageJoints(points, confidence, "openpose-137"), "openpose")
    assert found.uv[[0, 1, 2, 23, 30]].tolist() == [[0, 1], [32, 33], [30, 31], [60, 61], [126, 127]]
    assert found.uv[[3, 4]].tolist() == found.uv[[1, 2]].tolist()
    assert found.source[3] == "neighbour" and found.confidence[[3, 4]].tolist() == [0.8, 0.9]
    assert found.valid.all() and found.visible.all() and not found.depth.any()


MARK = 0.003  # of an aligned person's unit: about seven pixels


def marked(points: F64, alignment: Alignment) -> Mesh:
    """A scan of nothing but a small sphere at each of the points (31, 3), each of its own colour."""
    ball = trimesh.creation.icosphere(2)
    vertices = (points[:, None] + ball.vertices * MARK / alignment.scale).reshape(-1, 3)
    faces = (np.arange(31)[:, None, None] * len(ball.vertices) + ball.faces).reshape(-1, 3)
    colors = np.repeat(np.arange(31) * 8 + 8, len(ball.vertices))[:, None] * np.ones(3)
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32), colors.astype(np.uint8))


@pytest.mark.parametrize("kind", CAMERAS)
def test_markers_drawn_at_joints_lie_on_the_keypoints(kind: str) -> None:
    """Unit, place and front are arbitrary; a marker that another one touches is left to other views."""
    alignment = Alignment((12.0, -7.0, 30.0), 0.0045, 0.8, "test")
    joints = np.zeros((144, 3))
    joints[:] = alignment.centre
    joints[list(ROWS["smplx-144"])] += someone(7) / alignment.scale
    there = places(aligned_rows(Joints(joints, np.ones(144), "smplx-144"), alignment)[0])
    scene = marked(joints[list(ROWS["smplx-144"])], alignment)
    mesh = replace(scene, vertices=aligned(scene.vertices, alignment))
    angles = [(-30, 0), (-10, 0), (0, 0), (20, 0), (95, 25), (180, -40)]
    views = [View(yaw, pitch, CAMERAS[kind], Light(np.zeros((9, 3)))) for yaw, pitch in angles]
    checked = np.zeros(31, dtype=int)
    with Renderer(2048, [Layer("color"), Layer("length")]) as renderer:
        for view, frame in zip(views, renderer.shoot(mesh, views), strict=True):
            color, length = frame.front.color, frame.front.length
            assert color is not None and length is not None
            front = partial(pixels_at, length.astype(np.float64), frame.window)
            found = in_view(there, view_turn(view.yaw, view.pitch), view.camera, front)
            assert (found.visible | (TOLERANCE < MARK)).sum() > 25
            gaps = np.linalg.norm(found.uv[:, None] - found.uv[None], axis=2) + 1e9 * np.eye(31)
            for k in np.flatnonzero(gaps.min(axis=1) > 3 * MARK * view.camera.fx):
                rows, columns = np.nonzero(color[..., 0] == k * 8 + 8)
                middle = [frame.window.left + columns.mean() + 0.5, frame.window.top + rows.mean() + 0.5]
                assert np.linalg.norm(found.uv[k] - middle) < 0.5, (NAMES[k], view.yaw)
                ahead = found.depth[k] - front(found.uv[[k]])[0]
                assert ahead == pytest.approx(MARK, rel=0.05), NAMES[k]
                checked[k] += 1
    assert (checked >= 3).all(), checked
