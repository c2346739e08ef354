import numpy as np
import pytest
from scipy.spatial import cKDTree

from pipeline.errors import ConfigError
from pipeline.records import F64, BodyParameters
from pipeline.synth.poses import POSES, pose
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.skeleton import JOINT_INDEX, REST
from pipeline.synth.stance import PoseValues
from pipeline.synth.synergies import hand_from_pca, hand_mean, hand_to_pca
from pipeline.synth.template import template
from pipeline.synth.weights import skin_weights

_STANDARD = ("standing", "a-pose", "looking-sideways", "arms-up", "hands-on-hips", "arm-behind-back")


def _body(values: PoseValues, betas: F64 | None = None) -> BodyParameters:
    fields = {name: getattr(values, name) for name in PoseValues.__slots__}
    still = np.zeros(10)
    return BodyParameters("neutral", still if betas is None else betas, still, **fields)


def _place(name: str, joints: F64) -> F64:
    return np.asarray(joints[JOINT_INDEX[name]])


def test_the_t_pose_is_the_rest_pose_with_relaxed_hands() -> None:
    joints = posed_joints(_body(pose("t-pose", 0)))
    np.testing.assert_allclose(joints[:25], REST[:25], atol=1e-9)


@pytest.mark.parametrize("name", POSES)
def test_a_seed_is_a_pose_and_another_seed_another(name: str) -> None:
    first, again, other = (pose(name, seed).body_pose for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert name == "t-pose" or np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("name", POSES)
def test_no_joint_bends_further_than_joints_do(name: str) -> None:
    most = {"knee": 100, "elbow": 140, "hip": 100, "wrist": 85, "shoulder": 120, "ankle": 35, "foot": 40}
    for seed in range(12):
        degrees = np.degrees(np.linalg.norm(pose(name, seed).body_pose, axis=1))
        for joint, angle in enumerate(degrees, start=1):
            part = list(JOINT_INDEX)[joint].partition("_")[2]
            assert angle < most.get(part, 40), (seed, list(JOINT_INDEX)[joint], angle)


@pytest.mark.parametrize("name", POSES)
def test_twelve_numbers_say_every_hand_that_is_drawn(name: str) -> None:
    values = pose(name, 5)
    for side, hand in (("left", values.left_hand_pose), ("right", values.right_hand_pose)):
        np.testing.assert_allclose(hand_from_pca(hand_to_pca(hand, side), side), hand, atol=1e-12)


@pytest.mark.parametrize("name", _STANDARD)
def test_people_who_stand_have_both_feet_near_the_floor_and_the_head_over_them(name: str) -> None:
    for seed in range(8):
        joints = posed_joints(_body(pose(name, seed)))
        ankles = joints[[JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]]
        assert abs(ankles[0, 1] - ankles[1, 1]) < 0.03
        assert abs(_place("head", joints)[0] - ankles[:, 0].mean()) < 0.08
        assert abs(_place("head", joints)[2] - ankles[:, 2].mean()) < 0.12


@pytest.mark.parametrize("name", POSES)
def test_everybody_faces_the_front(name: str) -> None:
    joints = posed_joints(_body(pose(name, 2)))
    across = _place("left_hip", joints) - _place("right_hip", joints)
    assert abs(np.degrees(np.arctan2(across[2], across[0]))) < 10


def test_arms_up_are_up_and_hanging_arms_hang() -> None:
    up, down = (posed_joints(_body(pose(name, 1))) for name in ("arms-up", "standing"))
    for side in ("left", "right"):
        assert _place(f"{side}_wrist", up)[1] > _place("head", up)[1] + 0.1
        assert _place(f"{side}_wrist", down)[1] < _place("spine1", down)[1]


def test_walking_puts_one_foot_before_the_other_and_the_arms_against_them() -> None:
    for seed in range(6):
        joints = posed_joints(_body(pose("walking", seed)))
        stride = _place("left_ankle", joints)[2] - _place("right_ankle", joints)[2]
        swing = _place("left_wrist", joints)[2] - _place("right_wrist", joints)[2]
        assert 0.4 < abs(stride) < 0.9
        assert stride * swing < 0


def test_sitting_bends_hips_and_knees_at_about_right_angles_with_the_back_upright() -> None:
    for seed in range(6):
        joints = posed_joints(_body(pose("sitting", seed)))
        for side in ("left", "right"):
            hip, knee, ankle = (_place(f"{side}_{n}", joints) for n in ("hip", "knee", "ankle"))
            thigh, shin = knee - hip, ankle - knee
            assert thigh[2] / np.linalg.norm(thigh) > 0.95
            assert -shin[1] / np.linalg.norm(shin) > 0.95
        back = _place("neck", joints) - _place("pelvis", joints)
        assert back[1] / np.linalg.norm(back) > 0.97


def test_looking_sideways_turns_the_head_and_not_the_hips() -> None:
    joints = posed_joints(_body(pose("looking-sideways", 3)))
    face = (_place("left_eye", joints) + _place("right_eye", joints)) / 2 - _place("head", joints)
    assert abs(np.degrees(np.arctan2(face[0], face[2]))) > 35


@pytest.mark.parametrize("shape", [{}, {1: 1.5, 2: 1.4}, {0: -1.5, 2: -1.5}, {3: 1.5, 4: -1.0}])
def test_hands_reach_the_same_place_on_every_body(shape: dict[int, float]) -> None:
    betas = np.zeros(10)
    for component, value in shape.items():
        betas[component] = value
    joints = posed_joints(_body(pose("hands-on-hips", 1, betas), betas))
    for side in ("left", "right"):
        beside = abs(_place(f"{side}_wrist", joints)[0] - _place("pelvis", joints)[0])
        assert 0.14 < beside < 0.27
    back = posed_joints(_body(pose("arm-behind-back", 1, betas), betas))
    hidden = min((_place(f"{side}_wrist", back) for side in ("left", "right")), key=lambda p: p[2])
    assert hidden[2] < _place("spine2", back)[2] - 0.08


def _clearance(values: PoseValues, betas: F64, part: str) -> F64:
    """How far outside the rest of the template each vertex of a part is, below zero inside (N,)."""
    surface = template()
    weights = skin_weights(surface.vertices)
    first = JOINT_INDEX[f"{part}_index1"]
    mine = weights[:, [JOINT_INDEX[f"{part}_wrist"], *range(first, first + 15)]].sum(axis=1) > 0.95
    arm = sum(weights[:, JOINT_INDEX[f"{part}_{n}"]] for n in ("collar", "shoulder", "elbow"))
    vertices = deform(surface.vertices, _body(values, betas)).astype(np.float64)
    others = ~(mine | (arm > 0.01))
    corners = vertices[surface.faces[others[surface.faces].all(axis=1)]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    centres = corners.mean(axis=1)
    _, nearest = cKDTree(centres).query(vertices[mine])
    return np.asarray(np.einsum("ij,ij->i", vertices[mine] - centres[nearest], normals[nearest]))


@pytest.mark.parametrize("name", ["hands-on-hips", "sitting"])
@pytest.mark.parametrize("shape", [{}, {1: 1.0, 2: 1.4}, {0: -1.0, 2: -1.5}])
def test_hands_touch_hips_and_thighs_without_sinking_in(name: str, shape: dict[int, float]) -> None:
    betas = np.zeros(10)
    for component, value in shape.items():
        betas[component] = value
    for seed in range(2):
        values = pose(name, seed, betas)
        for side in ("left", "right"):
            assert -0.010 < _clearance(values, betas, side).min() < 0.015


def test_the_hidden_hand_is_behind_the_back_and_not_in_it() -> None:
    values = pose("arm-behind-back", 2)
    joints = posed_joints(_body(values))
    hidden = min(("left", "right"), key=lambda side: _place(f"{side}_wrist", joints)[2])
    assert 0 < _clearance(values, np.zeros(10), hidden).min() < 0.035


def test_an_unknown_pose_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="arms-up"):
        pose("handstand", 0)


def test_relaxed_hands_are_bent_a_little() -> None:
    bends = np.degrees(np.linalg.norm(hand_mean("left"), axis=1))
    assert bends.min() > 3 and bends.max() < 35
