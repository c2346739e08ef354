"""Parts from keypoints: the published similarities, exact ones, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pipeline.geometry.keypoints import COUNT
from recon.parts import KEYPOINTS, LAYOUT, LEFT_KNUCKLES, RIGHT_KNUCKLES, normalised, place_parts
from recon.windows import Placement

PUBLISHED = json.loads((Path(__file__).parent / "data" / "paper_parts.json").read_text())
BODY = normalised(torch.tensor(PUBLISHED["keypoints"], dtype=torch.float64)[None], 2048)
ALL = torch.ones(1, KEYPOINTS, dtype=torch.bool)
KNUCKLES = {LEFT_KNUCKLES: range(23, 27), RIGHT_KNUCKLES: range(27, 31)}
FOREARMS = {3: range(23, 27), 5: range(27, 31)}  # of the twelve parts, and the knuckles of each
few = settings(max_examples=50, deadline=None)


def points_of(part: int) -> list[int]:
    """The keypoints that a part is made of."""
    return [each for point in LAYOUT[part].points for each in KNUCKLES.get(point, (point,))]


def known(*absent: int) -> Tensor:
    """All 31 but these, (1, 31)."""
    valid = ALL.clone()
    valid[:, list(absent)] = False
    return valid


def only(*present: int) -> Tensor:
    """These and no others, (1, 31)."""
    return ~known(*present)


def as_complex(matrices: Tensor) -> Tensor:
    """Similarities as the complex number that they turn and scale by."""
    return torch.complex(matrices[..., 0, 0], matrices[..., 1, 0])


def moved(matrices: Tensor, points: Tensor) -> Tensor:
    """Points (..., N, 2) under matrices (..., 2, 3)."""
    return points @ matrices[..., :2].mT + matrices[..., None, :, 2]


def is_finite(place: Placement) -> bool:
    return bool(place.to_part_BP23.isfinite().all() and place.sampling_BP23.isfinite().all())


def test_the_published_similarities_are_found() -> None:
    place = place_parts(BODY.float(), ALL)
    shape = (1, len(LAYOUT), 2, 3)
    np.testing.assert_allclose(
        place.to_part_BP23, np.reshape(PUBLISHED["part_similarity"], shape), rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        place.sampling_BP23, np.reshape(PUBLISHED["part_sampling"], shape), rtol=0, atol=1e-6
    )
    assert place.present_BP.all()
    assert KEYPOINTS == COUNT


@few
@given(
    turn=st.floats(-3.1, 3.1),
    scale=st.floats(0.2, 1.0),
    shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_an_exact_similarity_is_recovered(turn: float, scale: float, shift: tuple[float, float]) -> None:
    truth = torch.tensor(
        [[np.cos(turn), -np.sin(turn), shift[0]], [np.sin(turn), np.cos(turn), shift[1]]],
        dtype=torch.float64,
    )
    truth[:, :2] *= scale
    back = torch.linalg.inv(torch.cat((truth, truth.new_tensor([[0, 0, 1]]))))[:2]
    for part, layout in enumerate(LAYOUT):
        keypoints = torch.zeros(1, KEYPOINTS, 2, dtype=torch.float64)
        places = moved(back, torch.tensor(layout.places, dtype=torch.float64))
        for point, place in zip(layout.points, places, strict=True):
            keypoints[0, list(KNUCKLES.get(point, (point,)))] = place
        found = place_parts(keypoints, only(*points_of(part)))
        assert found.present_BP.nonzero()[:, 1].tolist() == [part]
        torch.testing.assert_close(found.to_part_BP23[0, part], truth)
        torch.testing.assert_close(found.sampling_BP23[0, part], back)


@pytest.mark.parametrize("part", range(len(LAYOUT)))
def test_what_was_moved_with_the_image_is_seen_the_same(part: int) -> None:
    turn = torch.tensor([[0.6, -0.8, 0.1], [0.8, 0.6, -0.2]], dtype=torch.float64)
    before, after = place_parts(BODY, ALL), place_parts(moved(turn, BODY), ALL)
    seen = moved(before.to_part_BP23, BODY[:, None])
    torch.testing.assert_close(
        moved(after.to_part_BP23, moved(turn, BODY)[:, None])[0, part], seen[0, part]
    )


@pytest.mark.parametrize("part", [n for n, layout in enumerate(LAYOUT) if layout.shrinks])
def test_a_small_part_is_not_enlarged_and_a_large_one_fits_its_places(part: int) -> None:
    pointed, places = points_of(part), torch.tensor(LAYOUT[part].places, dtype=torch.float64)
    for size, expected in ((0.2, 1.0), (1.0, 1.0), (4.0, 0.25)):
        keypoints = torch.zeros(1, KEYPOINTS, 2, dtype=torch.float64)
        for point, place in zip(LAYOUT[part].points, places * size, strict=True):
            keypoints[0, list(KNUCKLES.get(point, (point,)))] = place
        found = place_parts(keypoints, only(*pointed))
        assert as_complex(found.to_part_BP23[0, part]).item() == pytest.approx(expected)


def hands() -> st.SearchStrategy[Tensor]:
    """A forearm 0.26 long, its hand bent by up to 60 degrees, knuckles in a slight arc: as people's are."""
    return st.builds(_hand, st.floats(-1, 1), st.floats(-3.1, 3.1), st.floats(0.2, 1), st.floats(0, 0.004))


def _hand(bend: float, turn: float, broad: float, arc: float) -> Tensor:
    row = torch.tensor([-1.5, -0.5, 0.5, 1.5], dtype=torch.float64)
    knuckles = torch.stack((row * 0.02 * broad, 0.09 - arc * row.square()), -1)
    wrist, elbow = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0, -0.26]], dtype=torch.float64)
    at = torch.tensor
    bent = knuckles @ at([[np.cos(bend), np.sin(bend)], [-np.sin(bend), np.cos(bend)]])
    spun = at([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return torch.cat((elbow, wrist, bent)) @ spun


@few
@given(arm=hands(), forearm=st.sampled_from([3, 5]), finger=st.integers(0, 3))
def test_one_absent_finger_moves_the_forearm_by_under_a_hundredth(
    arm: Tensor, forearm: int, finger: int
) -> None:
    keypoints = BODY.clone()
    keypoints[0, points_of(forearm)] = arm
    absent = FOREARMS[forearm][finger]
    keypoints_without = keypoints.clone()
    keypoints_without[0, absent] = -1.0  # where a sentinel would be
    whole, without = place_parts(keypoints, ALL), place_parts(keypoints_without, known(absent))
    a, b = (as_complex(place.to_part_BP23[0, forearm]) for place in (whole, without))
    assert (a - b).abs() < 0.01 * a.abs()
    ends = [moved(place.to_part_BP23[0, forearm], arm) for place in (whole, without)]
    assert (ends[0] - ends[1]).abs().max() < 0.01 * (ends[0][0] - ends[0][-1]).norm()
    others = [part for part in range(len(LAYOUT)) if part != forearm]
    assert torch.equal(whole.to_part_BP23[0, others], without.to_part_BP23[0, others])


@pytest.mark.parametrize("absent", [[23, 24, 25], [23, 24], [24, 25], [25, 26], [23, 24, 25, 26]])
def test_the_forearm_stands_without_many_of_its_fingers(absent: list[int]) -> None:
    whole, without = place_parts(BODY, ALL), place_parts(BODY, known(*absent))
    a, b = (as_complex(place.to_part_BP23[0, 3]) for place in (whole, without))
    assert without.present_BP.all()
    assert (a - b).abs() < 0.1 * a.abs()


@few
@given(seed=st.integers(0, 2**31), sentinel=st.sampled_from([0.0, -1.0, 1e30, np.nan, np.inf]))
def test_what_is_absent_has_no_say(seed: int, sentinel: float) -> None:
    valid = torch.rand(1, KEYPOINTS, generator=torch.Generator().manual_seed(seed)) < 0.7
    keypoints = torch.where(valid[..., None], BODY, sentinel)
    place = place_parts(keypoints, valid)
    expected = place_parts(BODY, valid)
    assert torch.equal(place.to_part_BP23, expected.to_part_BP23)
    assert torch.equal(place.present_BP, expected.present_BP)
    # A keypoint that is nowhere is absent even if it is said to be known.
    if not abs(sentinel) <= 1:
        assert torch.equal(place_parts(keypoints, ALL).to_part_BP23, expected.to_part_BP23)


@pytest.mark.parametrize("part", range(len(LAYOUT)))
def test_a_part_with_one_point_or_none_is_absent_and_the_others_stay(part: int) -> None:
    points = LAYOUT[part].points
    missing = [each for point in points[1:] for each in KNUCKLES.get(point, (point,))]
    whole, without = place_parts(BODY, ALL), place_parts(BODY, known(*missing))
    assert not without.present_BP[0, part]
    identity = torch.eye(2, 3, dtype=torch.float64)
    assert torch.equal(without.to_part_BP23[0, part], identity)
    assert torch.equal(without.sampling_BP23[0, part], identity)
    untouched = [p for p in range(len(LAYOUT)) if not set(points_of(p)) & set(missing)]
    assert torch.equal(whole.to_part_BP23[0, untouched], without.to_part_BP23[0, untouched])
    assert without.present_BP[0, untouched].all()


@pytest.mark.parametrize(
    ("part", "points"),
    [
        (0, (3, 4)),
        (1, (5, 6, 11, 12)),
        (3, (7, 9, 23, 24, 25, 26)),
        (3, (7, 23, 24, 25, 26)),
        (9, (14, 16)),
    ],
)
def test_a_part_whose_points_coincide_is_absent(part: int, points: tuple[int, ...]) -> None:
    for apart in (0.0, 1e-30, 1e-5):
        keypoints = BODY.clone()
        keypoints[0, points] = BODY[0, points[0]]
        keypoints[0, points[0], 0] += apart
        place = place_parts(keypoints, ALL)
        assert not place.present_BP[0, part]
        assert is_finite(place)


@pytest.mark.parametrize("points", [(17, 18), (19, 15)])
def test_a_foot_of_which_one_end_is_known_is_absent(points: tuple[int, int]) -> None:
    place = place_parts(BODY, only(*points))
    assert not place.present_BP.any()
    assert is_finite(place)


@pytest.mark.parametrize(("scale", "is_there"), [(1 / 9, False), (1 / 7, True), (7.0, True), (9.0, False)])
def test_a_torso_much_too_large_or_too_small_to_be_one_is_absent(scale: float, is_there: bool) -> None:
    keypoints = torch.zeros_like(BODY)
    places = torch.tensor(LAYOUT[1].places, dtype=torch.float64)
    keypoints[0, LAYOUT[1].points] = places / scale
    assert place_parts(keypoints, only(*LAYOUT[1].points)).present_BP[0, 1] == is_there


POSITIONS = st.sampled_from([0.0, 1e-30, 1e-8, 1e-3, 0.3, 0.3001, -1.0, 7.0, np.nan, np.inf])


@few
@given(seed=st.integers(0, 2**31), pool=st.lists(POSITIONS, min_size=1, max_size=4))
def test_nothing_makes_a_matrix_or_a_gradient_that_is_no_number(seed: int, pool: list[float]) -> None:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(pool), (3, KEYPOINTS, 2), generator=generator)
    keypoints = torch.tensor(pool)[chosen].requires_grad_()
    valid = torch.rand(3, KEYPOINTS, generator=generator) < 0.8
    place = place_parts(keypoints, valid)
    assert is_finite(place)
    (gradient,) = torch.autograd.grad(place.to_part_BP23.sum() + place.sampling_BP23.sum(), keypoints)
    assert gradient.isfinite().all()
    assert not gradient[~valid].any()


def test_gradients_are_those_of_small_steps() -> None:
    valid = known(1, 23, 30, 17)

    def matrices(keypoints: Tensor) -> tuple[Tensor, Tensor]:
        place = place_parts(keypoints, valid)
        return place.to_part_BP23, place.sampling_BP23

    assert torch.autograd.gradcheck(matrices, BODY.clone().requires_grad_())


def test_the_matrices_are_each_others_inverse() -> None:
    place = place_parts(BODY, known(3, 19, 8))
    there_and_back = moved(place.sampling_BP23, moved(place.to_part_BP23, BODY[:, None]))
    torch.testing.assert_close(there_and_back, BODY[:, None].expand_as(there_and_back))


def test_people_of_a_batch_do_not_see_each_other() -> None:
    keypoints, valid = torch.cat((BODY, -BODY, BODY)), torch.cat((ALL, known(0, 7), only(3, 4)))
    together = place_parts(keypoints, valid)
    for person in range(3):
        alone = place_parts(keypoints[person : person + 1], valid[person : person + 1])
        assert torch.equal(together.to_part_BP23[person], alone.to_part_BP23[0])
        assert torch.equal(together.present_BP[person], alone.present_BP[0])


def test_half_precision_around_it_changes_nothing() -> None:
    expected = place_parts(BODY.float(), ALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        place = place_parts(BODY.float(), ALL)
    assert place.to_part_BP23.dtype == torch.float32
    assert torch.equal(place.to_part_BP23, expected.to_part_BP23)


def test_pixels_are_parts_of_the_images_extent() -> None:
    pixels = torch.tensor([[[0.0, 256.0], [512.0, 128.0]]])
    assert normalised(pixels, 512).tolist() == [[[-1.0, 0.0], [1.0, -0.5]]]
