import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smplx
import torch
from smplx.joint_names import JOINT_NAMES
from smplx.vertex_ids import vertex_ids

from pipeline.errors import ConfigError
from pipeline.records import BodyParameters
from pipeline.synth import foot, head, model
from pipeline.synth.anatomy import bare
from pipeline.synth.joints import smplx_joints
from pipeline.synth.poses import pose
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.skeleton import FINGER_TIPS, FLOOR, REST
from pipeline.synth.stance import PoseValues
from pipeline.synth.synergies import hand_from_pca, hand_mean
from pipeline.synth.template import SPECIAL, VERTICES, template
from pipeline.synth.traits import Face

GENDERS = ("neutral", "male", "female")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("body")
    model.write_body_model(out)
    return out


def _create(folder: Path, **options: object) -> smplx.SMPLX:
    options = {"gender": "neutral", "use_pca": False, "use_face_contour": True, **options}
    return smplx.create(str(folder), model_type="smplx", ext="npz", **options)


def _tensors(body: BodyParameters) -> dict[str, torch.Tensor]:
    names = ("betas", "expression", "transl", *PoseValues.__slots__)
    return {n: torch.tensor(getattr(body, n), dtype=torch.float32).reshape(1, -1) for n in names}


def _still(**changes: Any) -> BodyParameters:  # noqa: ANN401
    fields: dict[str, Any] = {name: np.zeros(3) for name in ("global_orient", "jaw_pose")}
    fields |= {name: np.zeros(3) for name in ("leye_pose", "reye_pose")}
    fields |= {f"{side}_hand_pose": -hand_mean(side) for side in ("left", "right")}
    fields |= {"gender": "neutral", "betas": np.zeros(10), "expression": np.zeros(10)}
    return BodyParameters(**{**fields, "body_pose": np.zeros((21, 3)), **changes})


def _anyone(seed: int, gender: str = "neutral") -> BodyParameters:
    rng = np.random.default_rng(seed)
    return BodyParameters(
        gender=gender,
        betas=rng.uniform(-3, 3, 10),
        expression=rng.uniform(-2, 2, 10),
        global_orient=rng.normal(size=3),
        body_pose=0.5 * rng.normal(size=(21, 3)),
        jaw_pose=0.1 * rng.normal(size=3),
        leye_pose=0.1 * rng.normal(size=3),
        reye_pose=0.1 * rng.normal(size=3),
        left_hand_pose=0.3 * rng.normal(size=(15, 3)),
        right_hand_pose=0.3 * rng.normal(size=(15, 3)),
        transl=rng.normal(size=3),
    )


def _posed(name: str, seed: int) -> BodyParameters:
    values = pose(name, seed)
    fields = {field: getattr(values, field) for field in PoseValues.__slots__}
    return BodyParameters("neutral", np.zeros(10), np.zeros(10), **fields)


@pytest.mark.parametrize("gender", GENDERS)
def test_smplx_poses_the_template_as_the_rig_does(folder: Path, gender: str) -> None:
    loaded = _create(folder, gender=gender)
    bodies = [_anyone(seed, gender) for seed in range(6)]
    if gender == "neutral":
        bodies += [_posed("sitting", 1), _posed("hands-on-hips", 2), _posed("arms-up", 3)]
    for body in bodies:
        made = loaded(**_tensors(body))
        np.testing.assert_allclose(
            made.vertices[0].detach().numpy(), deform(template().vertices, body), atol=1e-5, rtol=0
        )
        np.testing.assert_allclose(made.joints[0].detach().numpy(), smplx_joints(body), atol=1e-5, rtol=0)


@pytest.mark.parametrize("gender", GENDERS)
def test_hands_mean_the_same_with_and_without_components(folder: Path, gender: str) -> None:
    coefficients = np.random.default_rng(1).normal(size=12)
    loaded = _create(folder, gender=gender, use_pca=True, num_pca_comps=12)
    packed = torch.tensor(coefficients, dtype=torch.float32)[None]
    made = loaded(left_hand_pose=packed, right_hand_pose=packed).joints[0, :55].detach().numpy()
    hands = {f"{side}_hand_pose": hand_from_pca(coefficients, side) for side in ("left", "right")}
    np.testing.assert_allclose(made, posed_joints(_still(gender=gender, **hands)), atol=1e-5)


def test_flat_hands_are_flat(folder: Path) -> None:
    made = _create(folder, flat_hand_mean=True)().joints[0, :55].detach().numpy()
    np.testing.assert_allclose(made, posed_joints(_still()), atol=1e-5)


def test_the_package_gives_144_joints_and_finds_them_where_their_names_say(folder: Path) -> None:
    joints = _create(folder, flat_hand_mean=True)().joints[0].detach().numpy()
    assert joints.shape == (144, 3)
    named = dict(zip(JOINT_NAMES, joints, strict=True))
    for f, finger in enumerate(("index", "middle", "pinky", "ring", "thumb")):
        for side in (0, 1):
            place = named[f"{('left', 'right')[side]}_{finger}"]
            assert np.linalg.norm(place - FINGER_TIPS[side, f]) < 0.004, finger
    for name in ("eye", "ear", "big_toe", "small_toe", "heel"):
        left, right = named[f"left_{name}"], named[f"right_{name}"]
        assert left[0] > 0.01
        np.testing.assert_allclose(right, left * [-1, 1, 1], atol=1e-6)
    assert named["left_ear"][0] > named["left_eye"][0]
    assert abs(named["nose"][0]) < 1e-6
    assert named["nose"][2] > joints[76:, 2].max() - 0.003
    toe, small, heel = (named[f"left_{n}"] for n in ("big_toe", "small_toe", "heel"))
    assert toe[2] > small[2] > heel[2] and small[0] > toe[0]
    assert max(toe[1], small[1], heel[1]) < FLOOR + 0.05


def test_face_landmarks_lie_on_the_right_side_in_the_right_order(folder: Path) -> None:
    joints = _create(folder)().joints[0].detach().numpy()
    face = dict(zip(JOINT_NAMES, joints, strict=True))
    for name, place in list(face.items())[76:]:
        if name.startswith("left"):
            assert place[0] > 0.002, name
        if name.startswith("right"):
            assert place[0] < -0.002, name
    assert face["left_eye_brow3"][1] > face["left_eye2"][1] > face["nose4"][1]
    assert face["nose4"][1] > face["mouth_top"][1] > face["mouth_bottom"][1] > face["contour_middle"][1]
    assert face["mouth_top"][1] > face["lip_top"][1] + 0.003
    assert face["mouth_bottom"][1] < face["lip_bottom"][1] - 0.003
    assert face["left_contour_1"][0] > face["left_contour_5"][0] > 0
    heights = [face[f"left_contour_{i}"][1] for i in range(1, 9)]
    assert heights == sorted(heights, reverse=True)


def test_keypoints_and_landmarks_lie_where_the_head_and_the_feet_say(folder: Path) -> None:
    joints = _create(folder)().joints[0].detach().numpy()
    marks = head.landmarks(Face())
    np.testing.assert_allclose(joints[76:127], marks["face"], atol=0.002)
    np.testing.assert_allclose(joints[127:], marks["jaw"], atol=0.003)
    np.testing.assert_allclose(joints[55], marks["nose"], atol=0.001)
    np.testing.assert_allclose(joints[[57, 56]], marks["eyes"], atol=0.001)
    np.testing.assert_allclose(joints[[59, 58]], marks["ears"], atol=0.003)
    feet = np.stack([foot.BIG_TOE, foot.SMALL_TOE, foot.HEEL])
    assert np.linalg.norm(joints[60:63] - feet, axis=1).max() < 0.008


@pytest.mark.parametrize("turn", [-0.5, 0.5])
def test_the_contour_follows_a_turned_head(folder: Path, turn: float) -> None:
    loaded = _create(folder)
    still = loaded().joints[0, 127:].detach().numpy()
    pose_ = torch.zeros(1, 63)
    pose_[0, 11 * 3 + 1] = turn
    body = loaded(body_pose=pose_)
    back = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    neck = body.joints[0, 12].detach().numpy()
    unturned = (body.joints[0, 127:].detach().numpy() - neck) @ back.T + neck
    moved = np.linalg.norm(unturned - still, axis=1)
    far, near = (moved[:6], moved[11:]) if turn < 0 else (moved[11:], moved[:6])
    assert far.min() > 0.008
    assert near.max() < 0.002


def test_the_template_is_one_closed_surface_that_faces_outward() -> None:
    vertices, faces = template().vertices.astype(np.float64), template().faces
    assert vertices.shape == (VERTICES, 3) and len(np.unique(faces)) == VERTICES
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    codes, back = edges[:, 0] << 20 | edges[:, 1], edges[:, 1] << 20 | edges[:, 0]
    assert len(np.unique(codes)) == len(codes), "an edge runs twice the same way"
    np.testing.assert_array_equal(np.sort(codes), np.sort(back))
    volume = np.einsum(
        "ij,ij->", vertices[faces[:, 0]], np.cross(vertices[faces[:, 1]], vertices[faces[:, 2]])
    )
    assert 0.055 < volume / 6 < 0.09, "litres of a person, positive where faces turn outward"


def test_the_template_lies_on_the_bare_body() -> None:
    distance = bare(np.ascontiguousarray(template().vertices.T))
    assert np.abs(distance).max() < 0.001, "run tools/make_template.py again: the body has changed"


def test_the_template_is_its_own_mirror_image_but_for_rounding() -> None:
    rounded = np.round(template().vertices.astype(np.float64), 5) + 0.0
    mirrored = rounded * [-1, 1, 1] + 0.0
    assert {tuple(p) for p in rounded} == {tuple(p) for p in mirrored}


def test_face_and_hands_are_denser_than_the_trunk() -> None:
    vertices, faces = template().vertices, template().faces
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    centre = vertices[faces].mean(axis=1)
    trunk = np.median(area[(np.abs(centre[:, 0]) < 0.15) & (np.abs(centre[:, 1]) < 0.1)])
    assert np.median(area[centre[:, 1] > FLOOR + 1.52]) < trunk / 3
    assert np.median(area[np.abs(centre[:, 0]) > 0.72]) < trunk / 3


def test_regressed_joints_follow_every_shape_direction_exactly() -> None:
    arrays = model.model_arrays("neutral")
    regressor = arrays["J_regressor"].astype(np.float64)
    np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-6)
    assert (regressor != 0).sum(axis=1).max() <= 400
    for k, unit in enumerate(np.eye(20)):
        moved = regressor @ arrays["shapedirs"][:, :, k]
        expected = posed_joints(_still(betas=unit[:10], expression=unit[10:])) - REST
        np.testing.assert_allclose(moved, expected, atol=2e-6)


def test_weights_in_the_file_leave_nobody_out() -> None:
    weights = model.model_arrays("neutral")["weights"]
    assert weights.shape == (VERTICES, 55)
    assert (weights.max(axis=0) > 0.6).all(), "a joint owns no vertex"


def test_writing_again_gives_the_same_bytes_and_files_say_what_they_are(
    folder: Path, tmp_path: Path
) -> None:
    written = model.write_body_model(tmp_path)
    assert [p.name for p in written] == [
        "SMPLX_NEUTRAL.npz", "SMPLX_MALE.npz", "SMPLX_FEMALE.npz", "NOTICE.txt"
    ]  # fmt: skip
    for path in written:
        twin = folder / path.relative_to(tmp_path)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(twin.read_bytes()).digest()
    with np.load(written[0], allow_pickle=False) as stored:
        assert "not SMPL-X" in str(stored["model_name"])
        assert all(stored[key].dtype != object for key in stored.files)
    assert "NOT the SMPL-X model" in written[-1].read_text()


def test_special_vertices_are_those_of_the_package() -> None:
    assert vertex_ids["smplx"] == SPECIAL


def test_a_model_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "smplx" / "SMPLX_MALE.npz"
    path.parent.mkdir()
    np.savez(path, v_template=np.zeros((3, 3)))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"SMPLX_MALE\.npz is not scan2k's and is left alone"):
        model.write_body_model(tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
