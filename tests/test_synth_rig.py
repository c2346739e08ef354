import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.records import F32, BodyParameters
from pipeline.synth.rig import deform, posed_joints, rotations
from pipeline.synth.shape import full_betas, shaped_joints
from pipeline.synth.skeleton import FLOOR, JOINT_INDEX, JOINT_NAMES, PARENTS, REST
from pipeline.synth.synergies import components, hand_from_pca, hand_mean, hand_moving, hand_to_pca
from pipeline.synth.weights import skin_weights

_SWAPPED = [
    JOINT_INDEX[n.replace("left", "#").replace("right", "left").replace("#", "right")] for n in JOINT_NAMES
]


def _cloud(count: int, seed: int = 0) -> F32:
    """Points about the skin and up to some 15 cm off it."""
    rng = np.random.default_rng(seed)
    joint = rng.integers(1, 55, count)
    along = rng.uniform(0, 1, (count, 1))
    bone = REST[joint] * along + REST[PARENTS[joint]] * (1 - along)
    return (bone + rng.normal(0, 0.05, (count, 3))).astype(np.float32)


def _still(**changes: Any) -> BodyParameters:  # noqa: ANN401
    flat: dict[str, Any] = {
        "gender": "neutral",
        "betas": np.zeros(10),
        "expression": np.zeros(10),
        "global_orient": np.zeros(3),
        "body_pose": np.zeros((21, 3)),
        "jaw_pose": np.zeros(3),
        "leye_pose": np.zeros(3),
        "reye_pose": np.zeros(3),
        "left_hand_pose": -hand_mean("left"),
        "right_hand_pose": -hand_mean("right"),
    }
    return BodyParameters(**{**flat, **changes})


def _anyone(seed: int, **changes: Any) -> BodyParameters:  # noqa: ANN401
    rng = np.random.default_rng(seed)
    drawn: dict[str, Any] = {
        "gender": "female",
        "betas": rng.normal(size=10),
        "expression": rng.normal(size=10),
        "global_orient": rng.normal(size=3),
        "body_pose": 0.4 * rng.normal(size=(21, 3)),
        "jaw_pose": 0.1 * rng.normal(size=3),
        "left_hand_pose": 0.2 * rng.normal(size=(15, 3)),
        "right_hand_pose": 0.2 * rng.normal(size=(15, 3)),
        "transl": rng.normal(size=3),
    }
    return _still(**{**drawn, **changes})


@pytest.mark.parametrize("spread", [0.0, 0.12])
def test_weights_are_a_partition_of_unity_on_the_skin_and_off_it(spread: float) -> None:
    weights = skin_weights(_cloud(20_000), spread)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_weights_are_the_same_in_the_mirror() -> None:
    points = _cloud(20_000)
    mirrored = points * np.array([-1, 1, 1], dtype=np.float32)
    np.testing.assert_allclose(skin_weights(mirrored)[:, _SWAPPED], skin_weights(points), atol=1e-6)


def test_weights_have_no_jumps() -> None:
    points = _cloud(20_000)
    step = np.float32(1e-5)
    for axis in np.eye(3, dtype=np.float32):
        change = np.abs(skin_weights(points + step * axis) - skin_weights(points)).max()
        assert change < 0.03, f"weights change by {change} within {step} m"


def test_the_middle_of_every_long_bone_belongs_to_its_joint_alone() -> None:
    for name, child in (
        ("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow"),
        ("right_elbow", "right_wrist"), ("left_ankle", "left_foot"), ("right_index1", "right_index2"),
        ("left_thumb2", "left_thumb3"), ("right_pinky2", "right_pinky3"),
    ):  # fmt: skip
        middle = (REST[JOINT_INDEX[name]] + REST[JOINT_INDEX[child]]) / 2
        weight = skin_weights(middle[None].astype(np.float32))[0, JOINT_INDEX[name]]
        assert weight > 0.97, (name, weight)


def test_a_skirt_follows_both_legs_and_trousers_only_one() -> None:
    inside_left_thigh = np.array([[0.06, FLOOR + 0.60, 0.0]], dtype=np.float32)
    hips = [JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]
    np.testing.assert_allclose(skin_weights(inside_left_thigh)[0, hips], [1, 0], atol=1e-6)
    left, right = skin_weights(inside_left_thigh, np.full(1, 0.12, np.float32))[0, hips]
    assert 0.1 < right < left < 0.9


def test_nothing_moves_at_rest() -> None:
    points = _cloud(5_000)
    np.testing.assert_allclose(deform(points, _still()), points, atol=2e-6)
    np.testing.assert_allclose(posed_joints(_still()), REST, atol=1e-12)


def test_a_turn_of_the_whole_body_is_a_rigid_motion_scaled_and_placed() -> None:
    points = _cloud(5_000)
    turn = np.array([0.3, 1.2, -0.4])
    body = _still(
        global_orient=turn,
        transl=np.array([0.1, 0.2, 0.3]),
        scale=0.5,
        translation=np.array([1.0, 2.0, 3.0]),
    )
    matrix = rotations(turn[None])[0]
    moved = ((points - REST[0]) @ matrix.T + REST[0] + [0.1, 0.2, 0.3]) * 0.5 + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(deform(points, body), moved, atol=3e-6)


def test_a_bent_elbow_moves_the_forearm_rigidly_and_nothing_else() -> None:
    pose = np.zeros((21, 3))
    pose[JOINT_INDEX["left_elbow"] - 1] = [0.0, -1.2, 0.0]
    elbow = REST[JOINT_INDEX["left_elbow"]]
    forearm = (elbow + np.outer([0.8, 1.0, 1.2], [0.12, 0.02, 0.03])).astype(np.float32)
    matrix = rotations(np.array([[0.0, -1.2, 0.0]]))[0]
    body = _still(body_pose=pose)
    np.testing.assert_allclose(deform(forearm, body), (forearm - elbow) @ matrix.T + elbow, atol=2e-6)
    elsewhere = _cloud(5_000)
    elsewhere = elsewhere[elsewhere[:, 0] < 0.39]
    np.testing.assert_allclose(deform(elsewhere, body), elsewhere, atol=2e-6)


@pytest.mark.parametrize(
    "name,axis,least", [("left_elbow", 1, 0.85), ("right_knee", 0, 0.87), ("left_middle2", 2, 0.98)]
)
def test_a_joint_bent_at_a_right_angle_keeps_its_thickness(name: str, axis: int, least: float) -> None:
    joint = JOINT_INDEX[name]
    bend = np.zeros(3)
    bend[axis] = np.pi / 2 if name == "right_knee" else -np.pi / 2
    body_pose, hand = np.zeros((21, 3)), -hand_mean("left")
    if joint < 25:
        body_pose[joint - 1] = bend
    else:
        hand[joint - 25] += bend
    bone = 1 if name == "right_knee" else 0
    across = np.eye(3)[3 - axis - bone] * 0.006  # across both the bone and the axis
    ring = (REST[joint] + np.stack([across, -across])).astype(np.float32)
    moved = deform(ring, _still(body_pose=body_pose, left_hand_pose=hand))
    kept = np.linalg.norm(moved[0] - moved[1]) / 0.012
    assert least < kept < 1.01


def test_betas_act_linearly_and_the_gendered_templates_differ_by_a_fixed_step() -> None:
    points = _cloud(3_000)
    one, two = np.random.default_rng(3).normal(size=(2, 10))
    rest = deform(points, _still())
    apart = (deform(points, _still(betas=one)) - rest) + (deform(points, _still(betas=two)) - rest)
    np.testing.assert_allclose(deform(points, _still(betas=one + two)) - rest, apart, atol=1e-5)
    step = np.zeros(10)
    step[2] = 2.0
    man = deform(points, _still(gender="male"))
    np.testing.assert_allclose(deform(points, _still(gender="female", betas=step)), man, atol=2e-6)


def test_joints_ride_on_the_shape_they_belong_to() -> None:
    betas = np.random.default_rng(5).normal(size=10)
    moved = deform(REST[[4, 7, 18, 20, 31]].astype(np.float32), _still(betas=betas))
    expected = shaped_joints(full_betas("neutral", betas))[[4, 7, 18, 20, 31]]
    np.testing.assert_allclose(moved, expected, atol=2e-4)


def test_statures_from_a_metre_fifty_to_a_metre_ninety_five_are_within_reach() -> None:
    crown_and_sole = np.array([[0, FLOOR + 1.73, 0], [0.11, FLOOR, 0]], dtype=np.float32)

    def stature(gender: str, values: list[float]) -> float:
        top, bottom = deform(crown_and_sole, _still(gender=gender, betas=np.array(values, float)))
        return float(top[1] - bottom[1])

    assert stature("neutral", [0] * 10) == pytest.approx(1.73, abs=0.001)
    assert stature("male", [0] * 10) - stature("female", [0] * 10) == pytest.approx(0.08, abs=0.03)
    assert stature("female", [-2, 0, -1, -1.5, 0, -1, 0, 0, 0, 0]) < 1.50
    assert stature("male", [1.5, 0, 1, 1.5, 0, 1, 0, 0, 0, 0]) > 1.95


def test_an_open_mouth_lowers_the_lower_lip_only() -> None:
    lips = np.array([[0, FLOOR + 1.560, 0.10], [0, FLOOR + 1.540, 0.10]], dtype=np.float32)
    expression = np.zeros(10)
    expression[1] = 2.0
    upper, lower = deform(lips, _still(expression=expression)) - lips
    assert np.abs(upper).max() < 1e-4
    assert lower[1] < -0.004


def test_hand_components_are_orthonormal_and_mirrored() -> None:
    for side in ("left", "right"):
        rows = components(side)
        np.testing.assert_allclose(rows @ rows.T, np.eye(45), atol=1e-12)
    np.testing.assert_allclose(hand_mean("right"), hand_mean("left") * np.array([1, -1, -1]), atol=1e-12)


def test_twelve_numbers_say_everything_about_the_hands_that_are_drawn() -> None:
    coefficients = np.random.default_rng(1).normal(size=12)
    np.testing.assert_allclose(hand_to_pca(hand_from_pca(coefficients, "left"), "left"), coefficients)
    for movement in range(12):
        hand = hand_moving({movement: 1.0, 0: 0.3}, "right")
        np.testing.assert_allclose(hand_from_pca(hand_to_pca(hand, "right"), "right"), hand, atol=1e-12)


def test_a_curl_brings_every_finger_tip_towards_the_palm() -> None:
    flat = posed_joints(_still())
    curled = posed_joints(_still(left_hand_pose=hand_moving({0: 1.0, 2: 1.0}, "left")))
    for finger in ("index", "middle", "ring", "pinky"):
        tip = JOINT_INDEX[f"left_{finger}3"]
        assert curled[tip, 1] < flat[tip, 1] - 0.02
    thumb, pinky = JOINT_INDEX["left_thumb3"], JOINT_INDEX["left_pinky1"]
    assert np.linalg.norm(curled[thumb] - curled[pinky]) < np.linalg.norm(flat[thumb] - flat[pinky]) - 0.01


def test_an_unknown_gender_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="neutral, male, female"):
        posed_joints(_still(gender="other"))


def test_large_clouds_give_the_same_answer_as_their_parts() -> None:
    points = _cloud(70_000)
    body = _anyone(7)
    parts = np.concatenate([deform(points[:100], body), deform(points[100:], body)])
    np.testing.assert_array_equal(deform(points, body), parts)


_SNIPPET = """
import hashlib, sys
sys.path.insert(0, "tests")
from test_synth_rig import _anyone, _cloud
from pipeline.synth.rig import deform
print(hashlib.sha256(deform(_cloud(30_000), _anyone(9)).tobytes()).hexdigest(), "torch" in sys.modules)
"""


def test_another_process_computes_the_same_bytes_without_torch() -> None:
    here = hashlib.sha256(deform(_cloud(30_000), _anyone(9)).tobytes()).hexdigest()
    command = [sys.executable, "-c", _SNIPPET]
    there = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert there.stdout.split() == [here, "False"]
