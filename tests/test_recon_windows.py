"""Windows show what a full-size canvas would, and come back as full-size canvases would."""

from __future__ import annotations

import math

import pytest
import torch
from oracle import published_placement
from torch import Tensor
from torch.nn import functional

from recon.windows import (
    WINDOWS,
    Placement,
    Window,
    absent_parts,
    laid_back,
    landings,
    stand_ins,
    window_views,
    window_weights,
)

SIZE = 512
FACE = WINDOWS["face"]


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def turned(people: int = 1) -> Placement:
    """The published parts, and for other people the same ones turned, moved and enlarged."""
    place = published_placement(people)
    moves = [similarity(0.3 * k, 1 + 0.1 * k, (0.1 * k, -0.2 * k)) for k in range(people)]
    move_B133 = torch.stack(moves)[:, None]
    to_part = square(place.to_part_BP23) @ move_B133
    sampling = torch.linalg.inv(move_B133) @ square(place.sampling_BP23)
    return Placement(to_part[:, :, :2], sampling[:, :, :2], place.present_BP)


def similarity(angle: float, scale: float, shift: tuple[float, float]) -> Tensor:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[c, -s, shift[0]], [s, c, shift[1]], [0.0, 0.0, 1.0]])


def back(views: dict[str, Tensor], place: Placement) -> tuple[Tensor, Tensor]:
    """What these windows show, laid back."""
    where = [landing for landing in landings(place, SIZE) if landing.window in views]
    return laid_back(views, place, where, SIZE)


def square(matrices: Tensor) -> Tensor:
    last = torch.tensor([[0.0, 0.0, 1.0]]).expand(*matrices.shape[:-2], 1, 3)
    return torch.cat((matrices, last), -2)


def warped(image: Tensor, matrix: Tensor) -> Tensor:
    """A whole image moved by a matrix, by torch's own grid."""
    grid = functional.affine_grid(matrix[None], [1, *image.shape], align_corners=False)
    return functional.grid_sample(image[None], grid, align_corners=False)[0]


def middle(shape: tuple[int, int]) -> tuple[slice, slice]:
    rows, columns = (slice((SIZE - n) // 2, (SIZE + n) // 2) for n in shape)
    return rows, columns


def test_windows_are_the_published_ones_at_full_size() -> None:
    shapes = {name: window.at(2048) for name, window in WINDOWS.items()}
    assert shapes == {
        "face": (368, 320), "upper": (528, 336), "arm": (352, 224), "leg": (272, 256), "shoe": (176, 128),
    }  # fmt: skip
    parts = [part for window in WINDOWS.values() for part in range(12)[window.parts]]
    assert parts == list(range(12))


@pytest.mark.parametrize("size", [256, 512, 1024, 4096])
@pytest.mark.parametrize("window", WINDOWS.values())
def test_a_window_scales_with_the_image_in_whole_steps(window: Window, size: int) -> None:
    for side, full in zip(window.at(size), window.at(2048), strict=True):
        assert side % 8 == 0
        assert full * size / 2048 <= side < full * size / 2048 + 8


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_is_the_middle_of_the_parts_canvas(name: str) -> None:
    place, shape = turned(2).of(WINDOWS[name]), WINDOWS[name].at(SIZE)
    image = noise(2, 3, SIZE, SIZE)
    views = window_views(image, place, shape)
    for person in range(2):
        for part, matrix in enumerate(place.sampling_BP23[person]):
            expected = warped(image[person], matrix)[:, *middle(shape)]
            assert (views[person, part] - expected).abs().max() < 1e-3  # noise is steep: 1 a pixel


def test_upright_and_whole_a_window_is_cut_out_as_it_is() -> None:
    identity = torch.eye(3)[None, None, :2]
    image = noise(1, 3, SIZE, SIZE)
    place = Placement(identity, identity, torch.ones(1, 1, dtype=torch.bool))
    views = window_views(image, place, (96, 80))
    assert (views[0, 0] - image[0, :, *middle((96, 80))]).abs().max() < 1e-4


def canvas_weights(matrix: Tensor, shape: tuple[int, int]) -> Tensor:
    """The weights of a part over its whole canvas (1, H, W), blurred with the canvas's edges reflected."""
    seen = warped(torch.ones(1, SIZE, SIZE), matrix)
    inner = torch.zeros_like(seen)
    margin, radius = 8 * SIZE // 2048, 8 * SIZE // 2048 - 1
    box = middle((shape[0] - 2 * margin, shape[1] - 2 * margin))
    inner[:, *box] = seen[:, *box]
    steps = torch.arange(-radius, radius + 1)
    taps = torch.exp(-0.5 * (steps / (5 * SIZE / 2048)) ** 2)
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    padded = functional.pad(inner[None], (radius,) * 4, mode="reflect")
    return functional.conv2d(padded, kernel[None, None])[0]


def test_laid_back_is_what_full_canvases_would_give() -> None:
    place = turned(2)
    views = {
        name: noise(2, len(range(12)[window.parts]), 6, *window.at(SIZE))
        for name, window in WINDOWS.items()
    }
    made, covered = back(views, place)
    for person in range(2):
        total, weight = torch.zeros(6, SIZE, SIZE), torch.zeros(1, SIZE, SIZE)
        for name, view in views.items():
            own, shape = place.of(WINDOWS[name]), WINDOWS[name].at(SIZE)
            for part in range(view.shape[1]):
                canvas = torch.zeros(6, SIZE, SIZE)
                canvas[:, *middle(shape)] = view[person, part]
                to_part = own.to_part_BP23[person, part]
                laid = warped(canvas_weights(own.sampling_BP23[person, part], shape), to_part)
                total += warped(canvas, to_part) * laid
                weight += laid
        clear = weight > 1e-3  # under that, what is divided is rounding
        expected = total / weight.clamp(min=1e-3)
        assert 0.05 < clear.float().mean() < 0.95
        assert ((made[person] - expected).abs() * clear).max() < 2e-3
        assert bool((covered[person] == (weight > 0))[weight > 1e-6].all())
        assert not covered[person][weight == 0].any()


def test_nothing_is_laid_where_no_part_is() -> None:
    place = turned()
    ones = {name: torch.ones(1, len(range(12)[w.parts]), 6, *w.at(SIZE)) for name, w in WINDOWS.items()}
    made, covered = back(ones, place)
    assert bool((made[~covered.expand_as(made)] == 0).all())
    inside = functional.max_pool2d((~covered).float(), 5, 1, 2) == 0
    assert (made[inside.expand_as(made)] - 1).abs().max() < 1e-5


def test_weights_are_one_in_the_middle_and_zero_at_the_edge() -> None:
    shape = FACE.at(SIZE)
    weights = window_weights(turned().of(FACE), shape, SIZE)[0, 0, 0]
    assert abs(float(weights[shape[0] // 2, shape[1] // 2]) - 1) < 1e-6
    for edge in (weights[0], weights[-1], weights[:, 0], weights[:, -1]):
        assert not edge.any()


@pytest.mark.parametrize("pixels", [-0.25, 0.25, 3.4])
def test_at_the_images_edge_weights_are_what_its_canvas_would_give(pixels: float) -> None:
    shape = FACE.at(SIZE)
    for sign in (-1, 1):  # the edge of the image lies in the middle of the window, so many pixels off
        shift = sign * (1 + 2 * pixels / SIZE)
        edge = similarity(0.0, 1.0, (shift, shift))
        place = Placement(
            torch.linalg.inv(edge)[None, None, :2], edge[None, None, :2], torch.ones(1, 1) > 0
        )
        expected = canvas_weights(edge[:2], shape)[:, *middle(shape)]
        assert float(expected.max()) > 0
        assert (window_weights(place, shape, SIZE)[0, 0] - expected).abs().max() < 1e-4


def test_a_window_that_looks_beside_the_image_has_no_weight() -> None:
    beside = similarity(0.0, 1.0, (3.0, 0.0))
    place = Placement(
        torch.linalg.inv(beside)[None, :2].repeat(1, 12, 1, 1),
        beside[None, :2].repeat(1, 12, 1, 1),
        torch.ones(1, 12) > 0,
    )
    assert not window_weights(place.of(FACE), FACE.at(SIZE), SIZE).any()
    made, covered = back({"face": noise(1, 1, 6, *FACE.at(SIZE))}, place)
    assert not made.any()
    assert not covered.any()


def test_an_absent_part_is_neither_seen_nor_laid_back() -> None:
    place, image = turned(), noise(1, 3, SIZE, SIZE)
    nothing = torch.full_like(place.to_part_BP23, torch.nan)
    absent = Placement(nothing, nothing, torch.zeros_like(place.present_BP))
    views = {
        name: window_views(image, absent.of(window), window.at(SIZE)) for name, window in WINDOWS.items()
    }
    assert not any(view.any() for view in views.values())
    filled = {name: torch.ones_like(view) for name, view in views.items()}
    made, covered = back(filled, absent)
    assert not made.any()
    assert not covered.any()


def test_one_absent_part_leaves_the_others_as_if_it_had_never_been() -> None:
    place = turned()
    views = {name: noise(1, len(range(12)[w.parts]), 6, *w.at(SIZE)) for name, w in WINDOWS.items()}
    place.present_BP[0, 0] = False
    made, covered = back(views, place)
    others = {name: view for name, view in views.items() if name != "face"}
    expected, expected_covered = back(others, place)
    assert torch.equal(made, expected)
    assert torch.equal(covered, expected_covered)


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        ([1, 1, 1], [0, 1, 2]),
        ([1, 0, 1, 0, 0], [0, 0, 2, 2, 0]),
        ([0, 0, 0, 1], [3, 3, 3, 3]),
        ([0], [0]),
    ],
)
def test_windows_that_show_something_stand_in_for_the_others_in_turn(
    present: list[int], chosen: list[int]
) -> None:
    assert stand_ins(torch.tensor(present) > 0).tolist() == chosen


def test_nobody_stands_in_for_all_but_one_that_is_not_there_either() -> None:
    chosen = stand_ins(torch.zeros(4, dtype=torch.bool))
    assert chosen.shape == (4,)
    assert bool((chosen >= 0).all() & (chosen < 4).all())


def test_absent_parts_are_counted_by_name() -> None:
    place = turned(3)
    assert absent_parts(place.absent_P) == {}
    present = place.present_BP.clone()
    present[0, 0] = present[1, 3] = present[2, 3] = present[2, 11] = False
    counts = Placement(place.to_part_BP23, place.sampling_BP23, present).absent_P
    assert absent_parts(counts) == {"face": 1, "left forearm": 2, "right foot": 1}


def test_gradients_reach_the_windows_through_what_is_laid_back() -> None:
    place = turned()
    views = {"face": noise(1, 1, 6, *FACE.at(SIZE)).requires_grad_()}
    made, _ = back(views, place)
    torch.autograd.backward(made.sum())
    gradient = views["face"].grad
    assert gradient is not None
    # The mean of one part does not depend on its weight: each pixel of the image hands on 1.
    _, covered = back(views, place)
    assert abs(float(gradient.sum()) / (6 * float(covered.sum())) - 1) < 0.02
