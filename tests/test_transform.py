from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.geometry.transform import FILL, aligned, front_yaw, rotation_of, scale_about, view_turn
from pipeline.records import Alignment

angles = st.floats(-180, 180)
components = st.floats(-3, 3)


@given(angles)
def test_yaw_turns_as_the_convention_says(yaw: float) -> None:
    a = np.radians(yaw)
    turned = view_turn(yaw, 0.0) @ np.array([0.3, 0.5, 0.7])
    expected = [0.3 * np.cos(a) + 0.7 * np.sin(a), 0.5, -0.3 * np.sin(a) + 0.7 * np.cos(a)]
    np.testing.assert_allclose(turned, expected, atol=1e-12)


@given(angles, angles)
def test_a_view_yaws_first_and_then_pitches(yaw: float, pitch: float) -> None:
    expected = Rotation.from_euler("yx", [yaw, pitch], degrees=True).as_matrix()
    np.testing.assert_allclose(view_turn(yaw, pitch), expected, atol=1e-12)


@given(components, components, components)
def test_rotation_of_agrees_with_scipy(x: float, y: float, z: float) -> None:
    axis_angle = np.array([x, y, z])
    np.testing.assert_allclose(
        rotation_of(axis_angle), Rotation.from_rotvec(axis_angle).as_matrix(), atol=1e-9
    )


@given(angles, st.floats(-80, 80), angles)
def test_front_is_the_heading_whatever_the_lean(yaw: float, pitch: float, roll: float) -> None:
    # roll about the facing direction, then lean, then turn: only the turn is the heading
    orient = Rotation.from_euler("zxy", [roll, pitch, yaw], degrees=True).as_rotvec()
    error = np.degrees(front_yaw(orient)) - yaw
    assert abs((error + 180) % 360 - 180) < 1e-6


@given(st.integers(0, 2**32 - 1), angles)
def test_aligned_people_fill_the_frame_and_face_the_camera(seed: int, yaw: float) -> None:
    rng = np.random.default_rng(seed)
    vertices = (rng.normal(size=(50, 3)) * [30, 90, 20] + [400, -90, 70]).astype(np.float32)
    centre = vertices.mean(axis=0, dtype=np.float64)
    place = (float(centre[0]), float(centre[1]), float(centre[2]))
    scale = scale_about(vertices, centre)
    straight = aligned(vertices, Alignment(place, scale, 0.0, "test"))
    assert abs(np.abs(straight).max() * FILL - 1) < 1e-6
    turned = aligned(vertices, Alignment(place, scale, float(np.radians(yaw)), "test"))
    np.testing.assert_allclose(turned @ view_turn(yaw, 0.0).T, straight, atol=1e-6)
