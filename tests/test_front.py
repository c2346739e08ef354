"""Where people face, by each kind of evidence: standing, leaning, sitting, anywhere, in any unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.errors import AlignmentError
from pipeline.geometry.front import (
    LANDMARKS,
    angles_between,
    facing,
    heading,
    is_backward,
    joints_heading,
    torso_motion,
)
from pipeline.geometry.transform import front_yaw, rotation_of, turn_x, turn_y
from pipeline.records import F64, BodyParameters, Front, Torso
from pipeline.synth.defects import Defects, placed, turned
from pipeline.synth.joints import kp3ds, smplx_joints, whole_body
from pipeline.synth.model import model_arrays
from pipeline.synth.person import body_of, draw
from pipeline.synth.poses import POSES
from pipeline.synth.scan import registered

FIVE = np.array([[0.17, 0.5, 0.0], [-0.17, 0.5, 0.0], [0.09, 0, 0], [-0.09, 0, 0], [0.0, 0.7, 0.1]])
EVERYWHERE = Defects(centimetres=True, yaw=True, origin=True)
angles = st.floats(-3.1, 3.1)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def torso() -> Torso:
    arrays = model_arrays("neutral")
    return Torso(
        arrays["v_template"].astype(np.float32),
        arrays["f"].astype(np.int32),
        arrays["weights"][:, 0].astype(np.float32),
    )


def apart(a: float, b: float) -> float:
    """Degrees between two angles."""
    return abs(float(np.degrees(np.angle(np.exp(1j * (a - b))))))


def five(body: BodyParameters, kind: str = "coco-wholebody") -> F64:
    joints = smplx_joints(body)
    return (kp3ds(joints) if kind == "openpose-118" else whole_body(joints))[list(LANDMARKS[kind])]


@given(angles, st.floats(-1.4, 1.4), st.floats(-3.0, 3.0))
def test_a_heading_is_the_turn_about_the_vertical_whatever_the_lean(
    yaw: float, lean: float, roll: float
) -> None:
    about_z = rotation_of(np.array([0.0, 0.0, roll]))
    assert apart(heading(turn_y(yaw) @ turn_x(lean) @ about_z), yaw) < 1e-6


@given(seeds)
def test_a_heading_is_the_front_of_the_convention(seed: int) -> None:
    orient = np.random.default_rng(seed).normal(size=3)
    assert apart(heading(rotation_of(orient)), front_yaw(orient)) < 1e-9


@pytest.mark.parametrize("lean", [np.pi / 2, -np.pi / 2])
def test_who_faces_the_sky_or_the_ground_has_no_front(lean: float) -> None:
    with pytest.raises(AlignmentError, match="straight up or down"):
        heading(turn_x(lean))


@given(seeds)
@settings(max_examples=30)
def test_a_moved_template_gives_its_motion_exactly(torso: Torso, seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn, scale = Rotation.random(random_state=rng).as_matrix(), rng.uniform(0.4, 100)
    moved = (scale * torso.rest.astype(np.float64) @ turn.T + 3 * scale * rng.normal(size=3)).astype(
        np.float32
    )
    found, size = torso_motion(moved, torso)
    assert np.degrees(np.linalg.norm(Rotation.from_matrix(found.T @ turn).as_rotvec())) < 1e-2
    assert size == pytest.approx(scale, rel=1e-4)


@pytest.mark.parametrize("pose", POSES)
def test_a_posed_body_faces_where_its_root_does(torso: Torso, pose: str) -> None:
    for index in range(3):
        body = placed(body_of(draw(4, index, pose)), EVERYWHERE, index)
        found = heading(torso_motion(registered(body).vertices, torso)[0])
        assert apart(found, front_yaw(body.global_orient)) < 0.3


@pytest.mark.parametrize("lean", [50.0, -40.0])
@pytest.mark.parametrize("pose", ["standing", "sitting", "walking"])
def test_leaning_people_face_where_they_did_upright(torso: Torso, pose: str, lean: float) -> None:
    upright = placed(body_of(draw(4, 0, pose)), EVERYWHERE, 7)
    yaw = front_yaw(upright.global_orient)
    bow = turn_y(yaw) @ turn_x(np.radians(lean)) @ turn_y(-yaw)
    orient = Rotation.from_matrix(bow @ rotation_of(upright.global_orient)).as_rotvec()
    bowed = replace(upright, global_orient=orient)
    assert apart(front_yaw(orient), yaw) < 3  # not quite: the root of who stands on one leg is twisted
    assert apart(heading(torso_motion(registered(bowed).vertices, torso)[0]), front_yaw(orient)) < 0.3
    assert apart(joints_heading(five(bowed)), front_yaw(orient)) < 9


def test_a_coarse_model_still_gives_a_front(torso: Torso) -> None:
    body = placed(body_of(draw(4, 1, "standing")), EVERYWHERE, 2)
    loose = Torso(torso.rest, torso.faces, (0.5 * torso.pelvis).astype(np.float32))  # no vertex is firm
    found = heading(torso_motion(registered(body).vertices, loose)[0])
    assert apart(found, front_yaw(body.global_orient)) < 0.3


def test_a_mesh_of_another_kind_is_refused(torso: Torso) -> None:
    with pytest.raises(AlignmentError, match="has 6890 vertices, the body model 10475"):
        torso_motion(torso.rest[:6890], torso)


@given(angles, st.floats(-1.2, 1.2), st.floats(0.001, 1000), seeds)
def test_joints_turn_with_the_person_and_nothing_else_moves_them(
    yaw: float, lean: float, scale: float, seed: int
) -> None:
    shift = np.random.default_rng(seed).normal(size=3) * 100
    moved = scale * FIVE @ (turn_y(yaw) @ turn_x(lean)).T + shift * scale
    assert apart(joints_heading(moved), yaw) < 1e-6


@pytest.mark.parametrize("kind", LANDMARKS)
def test_joints_of_posed_people_face_ahead(kind: str) -> None:
    errors = []
    for index in range(32):
        body = placed(body_of(draw(6, index)), EVERYWHERE, index)
        errors.append(apart(joints_heading(five(body, kind)), front_yaw(body.global_orient)))
    assert np.median(errors) < 1.5
    assert max(errors) < 9


def test_noisy_joints_are_still_right_to_some_degrees() -> None:
    rng, errors = np.random.default_rng(3), []
    for index in range(64):
        body = turned(body_of(draw(6, index)), float(rng.uniform(-3, 3)))
        noisy = five(body) + 0.012 * rng.normal(size=(5, 3))
        errors.append(apart(joints_heading(noisy), front_yaw(body.global_orient)))
    assert np.median(errors) < 5


@pytest.mark.parametrize("absent", [(0,), (1,), (0, 1), (2,), (2, 3), (4,), (0, 4), (2, 3, 4), (0, 1, 4)])
def test_one_pair_of_joints_is_enough(absent: tuple[int, ...]) -> None:
    known = FIVE @ turn_y(2.5).T + 7
    known[list(absent)] = np.nan
    assert apart(joints_heading(known), 2.5) < 1e-6


@pytest.mark.parametrize("absent", [(0, 2), (1, 2, 4), (0, 1, 2, 3)])
def test_without_a_pair_of_joints_there_is_no_front(absent: tuple[int, ...]) -> None:
    known = FIVE.copy()
    known[list(absent)] = np.nan
    with pytest.raises(AlignmentError, match="neither both shoulders nor both hips"):
        facing(known)


def test_joints_in_one_place_have_no_front() -> None:
    with pytest.raises(AlignmentError, match="neither both shoulders"):
        facing(np.ones((5, 3)))


@pytest.mark.parametrize("pose", POSES)
def test_left_taken_for_right_is_noticed(pose: str) -> None:
    known = five(body_of(draw(2, 0, pose)))
    assert not is_backward(known)
    assert is_backward(known[[1, 0, 3, 2, 4]])
    known[4] = np.nan
    assert not is_backward(known)


def test_angles_are_taken_the_short_way_round() -> None:
    found = angles_between([Front("a", 3.1), Front("b", -3.1), Front("c", 0.0)])
    assert [(a.first, a.second) for a in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found[0].degrees == pytest.approx(np.degrees(2 * np.pi - 6.2))
    assert found[1].degrees == pytest.approx(np.degrees(3.1))
    assert angles_between([Front("a", 1.0)]) == ()
