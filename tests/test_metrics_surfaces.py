"""Scores of surfaces: planes that were shifted, balls that were blown up, and what was drawn."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from solids import as_it_is, ball, box
from test_icp import back, small_motion, uneven

from pipeline.errors import ConfigError, MeshError
from pipeline.records import Mesh
from recon.metrics.samples import sample
from recon.metrics.shapes import ALIGNMENTS, ICP, ICP_SCALE, NONE, SCALE_SHIFT, Shape, lay, shape_of
from recon.metrics.surfaces import Protocol, SurfaceScores, compare
from recon.metrics.volumes import compare_volumes

PROTOCOL = Protocol(points=2000, seed=3, cm_per_unit=100.0, within_cm=(1.0, 2.0, 4.0))


def square(height: float, half: float = 1.0, tilt_deg: float = 0.0) -> Shape:
    """A square of 50 triangles across z, tilted about x."""
    x, y = np.meshgrid(np.linspace(-half, half, 6), np.linspace(-half, half, 6), indexing="ij")
    turn = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix()
    places = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) @ turn.T + [0, 0, height]
    corner = (6 * np.arange(5)[:, None] + np.arange(5)).ravel()
    faces = [corner, corner + 6, corner + 7], [corner, corner + 7, corner + 1]
    return Shape(places, np.concatenate([np.stack(f, axis=1) for f in faces]).astype(np.int32))


def test_a_shifted_plane_is_as_far_away_as_it_was_shifted() -> None:
    found = compare(as_it_is(square(0.03)), square(0.0), PROTOCOL)
    assert found.made_to_true_cm == pytest.approx(3)
    assert found.true_to_made_cm == pytest.approx(3)
    assert found.chamfer_cm == pytest.approx(3)
    assert (found.made_to_true_p95_cm, found.true_to_made_p95_cm) == pytest.approx((3, 3))
    assert found.normal_consistency == pytest.approx(1)
    assert [(f.within_cm, f.precision, f.recall, f.f_score) for f in found.f_scores] == [
        (1, 0, 0, 0),
        (2, 0, 0, 0),
        (4, 1, 1, 1),
    ]


def test_the_two_directions_are_not_mixed_up() -> None:
    # A quarter of the truth was predicted, exactly: what is there is right, three quarters are missing.
    found = compare(as_it_is(square(0.0, half=0.5)), square(0.0), replace(PROTOCOL, points=20_000))
    assert found.made_to_true_cm == pytest.approx(0, abs=1e-9)
    # Half of the area is four strips, 25 cm away on average; a quarter is four squares that touch a corner.
    in_corners = 50 * (np.sqrt(2) + np.log(1 + np.sqrt(2))) / 3
    assert found.true_to_made_cm == pytest.approx(0.5 * 25 + 0.25 * in_corners, rel=0.02)
    assert found.chamfer_cm == pytest.approx(found.true_to_made_cm / 2, abs=1e-9)
    one = found.f_scores[0]
    assert one.precision == 1
    assert one.recall == pytest.approx(0.26, abs=0.015)  # a quarter, and a cm around it
    assert one.f_score == pytest.approx(2 * one.recall / (1 + one.recall))


@pytest.mark.parametrize("degrees", [0.0, 30.0, 60.0, 180.0])
def test_normals_are_consistent_by_the_cosine_between_them(degrees: float) -> None:
    found = compare(as_it_is(square(0.0, tilt_deg=degrees)), square(0.0), PROTOCOL)
    cosine = abs(np.cos(np.radians(degrees)))
    assert found.made_normal_consistency == pytest.approx(cosine)
    assert found.true_normal_consistency == pytest.approx(cosine)
    assert found.normal_consistency == pytest.approx(cosine)


def test_a_ball_that_was_blown_up_is_away_by_the_difference_of_radii() -> None:
    found = compare(as_it_is(ball(1.1, rounds=5)), ball(1.0, rounds=5), PROTOCOL)
    assert found.chamfer_cm == pytest.approx(10, abs=0.1)
    assert found.normal_consistency == pytest.approx(1, abs=2e-3)


def test_a_surface_is_at_no_distance_from_itself_however_it_is_cut() -> None:
    found = compare(as_it_is(box((0, 0, 0), (1, 1, 1))), shape_of(_finer_box()), PROTOCOL)
    assert found.chamfer_cm < 1e-9
    assert found.normal_consistency == pytest.approx(1)
    assert {f.f_score for f in found.f_scores} == {1.0}


def _finer_box() -> Mesh:
    cube = box((0, 0, 0), (1, 1, 1))
    corners = cube.places[cube.faces]
    middle = corners.mean(axis=1)
    places = np.stack(
        [np.stack([corners[:, i], corners[:, (i + 1) % 3], middle], axis=1) for i in range(3)]
    )
    return Mesh(places.reshape(-1, 3).astype(np.float32), np.arange(108, dtype=np.int32).reshape(-1, 3))


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    made, true = as_it_is(uneven()), ball(0.7, rounds=3)
    first, again = (compare(made, true, PROTOCOL) for _ in range(2))
    other = compare(made, true, replace(PROTOCOL, seed=4))
    assert first == again
    assert first.chamfer_cm != other.chamfer_cm
    assert first.chamfer_cm == pytest.approx(other.chamfer_cm, rel=0.05)


def test_scores_say_how_they_were_made() -> None:
    found = compare(lay(uneven(), uneven(), ICP, 0), uneven(), PROTOCOL)
    assert (found.protocol, found.alignment) == (PROTOCOL, ICP)
    assert {f.name for f in fields(SurfaceScores)} > {"protocol", "alignment"}


def test_points_are_drawn_by_area_and_evenly() -> None:
    shape = box((0, 0, 0), (1, 2, 4))
    drawn = sample(shape.places, shape.faces, 40_000, 7)
    shares = [(np.abs(drawn.normals[:, i]) > 0.5).mean() for i in range(3)]
    assert shares == pytest.approx([8 / 14, 4 / 14, 2 / 14], abs=0.01)
    np.testing.assert_allclose(drawn.points.mean(axis=0), [0.5, 1, 2], atol=0.03)
    across_x = drawn.points[np.abs(drawn.normals[:, 0]) > 0.5]
    cells, _, _ = np.histogram2d(across_x[:, 1], across_x[:, 2], bins=(4, 8), range=((0, 2), (0, 4)))
    expected = len(across_x) / 32
    assert ((cells - expected) ** 2 / expected).sum() < 61  # chi squared of 31, 1 in 1000
    np.testing.assert_allclose(shape.surface.nearest(drawn.points).distance, 0, atol=1e-12)


def test_normals_of_drawn_points_are_those_of_their_triangles() -> None:
    shape = uneven()
    drawn = sample(shape.places, shape.faces, 200, 0)
    a, b, c = (shape.places[shape.faces[drawn.faces, i]] for i in range(3))
    for side in (b - a, c - a, drawn.points - a):
        np.testing.assert_allclose((side * drawn.normals).sum(axis=1), 0, atol=1e-12)
    assert ((drawn.normals * drawn.points).sum(axis=1) > 0).mean() > 0.99  # outward


def test_triangles_without_area_are_never_drawn() -> None:
    places = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 2, 2.0]])
    faces = np.array([[3, 3, 3], [0, 1, 2], [0, 3, 3], [1, 1, 2]], dtype=np.int32)
    assert set(sample(places, faces, 1000, 0).faces) == {1}
    with pytest.raises(MeshError, match="all triangles have zero area"):
        sample(places, faces[[0]], 10, 0)


@pytest.mark.parametrize(("alignment", "scale"), [(ICP, 1.0), (ICP_SCALE, 1.08)])
def test_icp_lays_a_moved_surface_back(alignment: str, scale: float) -> None:
    true, motion = uneven(), small_motion(1, scale)
    laid = lay(true.moved(motion), true, alignment, seed=0)
    assert laid.at_rest
    assert laid.rounds > 1
    assert compare(laid, true, PROTOCOL).chamfer_cm < 0.1
    assert compare(as_it_is(true.moved(motion)), true, PROTOCOL).chamfer_cm > 2
    np.testing.assert_allclose(laid.motion.rotation, back(motion).rotation, atol=2e-3)


def test_scale_and_translation_lay_a_scaled_and_shifted_surface_back() -> None:
    true = uneven()
    made = Shape(true.places * 0.4 + [3, -1, 2], true.faces)
    assert compare(lay(made, true, SCALE_SHIFT, seed=0), true, PROTOCOL).chamfer_cm < 1e-3
    assert compare(lay(made, true, NONE, seed=0), true, PROTOCOL).chamfer_cm > 100


def test_an_alignment_nobody_knows_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=f"'best' is not known; choose {', '.join(ALIGNMENTS)}".replace("+", r"\+")
    ):
        lay(uneven(), uneven(), "best", 0)


def test_protocols_that_measure_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 points at 100 cm a unit; both must be above 0"):
        Protocol(points=0, seed=0, cm_per_unit=100)
    with pytest.raises(ConfigError, match="5 points at nan cm a unit"):
        Protocol(points=5, seed=0, cm_per_unit=float("nan"))


def test_volumes_of_cubes_and_their_share() -> None:
    made, true = box((0, 0, 0.25), (1, 1, 1.25)), box((0, 0, 0), (1, 1, 1))
    found = compare_volumes(as_it_is(made), true, seed=0, cm_per_unit=10.0, columns=200)
    assert found.iou == pytest.approx(0.75 / 1.25)  # both boxes cover the same columns
    assert found.made_cm3 == pytest.approx(1000, rel=0.02)
    assert found.shared_cm3 == pytest.approx(750, rel=0.02)
    assert (found.columns, found.seed, found.alignment, found.cm_per_unit) == (200, 0, NONE, 10.0)


@pytest.mark.parametrize("seed", range(4))
def test_volumes_of_balls_one_in_the_other(seed: int) -> None:
    made, true = ball(0.8, rounds=5), ball(1.0, rounds=5)
    found = compare_volumes(as_it_is(made), true, seed=seed, cm_per_unit=1.0, columns=128)
    assert found.iou == pytest.approx(0.8**3, rel=2e-3)
    assert found.true_cm3 == pytest.approx(4 / 3 * np.pi, rel=2e-3)


def test_volumes_of_open_surfaces_are_refused() -> None:
    with pytest.raises(MeshError, match="edges are open"):
        compare_volumes(as_it_is(square(0.0)), box((0, 0, 0), (1, 1, 1)), seed=0, cm_per_unit=1.0)
