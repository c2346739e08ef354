"""Losses: nothing for a perfect prediction, the published sums, absent parts that weigh nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from recon.losses import (
    Profile,
    Targets,
    default,
    first_phase,
    paper,
    second_phase,
    ssim,
    targets,
    total,
)
from recon.network import FARTHEST, Prediction, Surfaces
from recon.windows import WINDOWS, Placement

SIZE = 128
NAMES = {
    *(f"normals/{name}/{side}" for name in (*WINDOWS, "low") for side in ("front", "back")),
    *(f"{group}/low/{side}" for group in ("depth", "consistency") for side in ("front", "back")),
    "mask/low",
}
both = pytest.mark.parametrize("profile", [default(), paper()], ids=["default", "paper"])


@cache
def person(number: int = 0) -> Tensor:
    """Depth (1, 2, H, W) of an egg, 0 beside it."""
    at = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    square = 0.5 - at.square() * 0.6 - (at[:, None] - 0.1 * number).square()
    half = square.clamp(min=0).sqrt()
    return torch.where(square > 0, torch.stack((2 - half, 2.2 + half)), 0.0)[None]


def placed(absent: tuple[int, ...] = ()) -> Placement:
    """Twelve parts here and there, some of them absent."""
    generator = torch.Generator().manual_seed(1)
    matrices = torch.eye(2, 3).repeat(1, 12, 1, 1)
    matrices[..., 2] = torch.rand(1, 12, 2, generator=generator) - 0.5
    back = torch.cat((matrices[..., :2], -matrices[..., 2:]), -1)
    present = torch.tensor([[part not in absent for part in range(12)]])
    return Placement(matrices, back, present)


def perfect(wanted: Targets) -> Prediction:
    """What the first phase is trained towards."""
    somebody = (wanted.low_depth_B2hw > 0).all(1, keepdim=True)
    nobody = torch.tensor([FARTHEST, 0.0])[:, None, None]
    depth = torch.where(somebody, wanted.low_depth_B2hw, nobody)
    surfaces = Surfaces(depth, torch.where(somebody, 100.0, -100.0))
    return Prediction(wanted.part_normals, wanted.low_normals_B6hw, surfaces, None)


def guessed(wanted: Targets, seed: int = 0) -> Prediction:
    """Something else, that gradients are wanted of."""
    generator = torch.Generator().manual_seed(seed)

    def like(tensor: Tensor, reach: float) -> Tensor:
        return (torch.rand(tensor.shape, generator=generator) * reach).requires_grad_()

    low = Surfaces(like(wanted.low_depth_B2hw, 6.0), like(wanted.low_depth_B2hw[:, :1], 2.0))
    parts = {name: like(normals, 1.0) for name, normals in wanted.part_normals.items()}
    return Prediction(parts, like(wanted.low_normals_B6hw, 1.0), low, None)


def leaves(prediction: Prediction) -> list[Tensor]:
    """All that the first phase predicts."""
    low = prediction.low
    return [
        *prediction.part_normals.values(),
        prediction.low_normals_B6hw,
        low.depth_B2HW,
        low.mask_logit_B1HW,
    ]


def assembled(parts: list[Tensor]) -> Prediction:
    """A prediction of its leaves."""
    return Prediction(
        dict(zip(WINDOWS, parts, strict=False)), parts[-3], Surfaces(parts[-2], parts[-1]), None
    )


def joined(*people: Prediction) -> Prediction:
    """People of several batches in one."""
    return assembled([torch.cat(column).detach() for column in zip(*map(leaves, people), strict=True)])


def in_numpy(first: Tensor, second: Tensor) -> list[float]:
    """The likeness of images by SciPy's filter, in double precision, channel by channel."""

    def smooth(image: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(image, 1.5, radius=2))[2:-2, 2:-2]

    found = []
    for images in zip(first.double().numpy(), second.double().numpy(), strict=True):
        channels = []
        for x, y in zip(*images, strict=True):
            mx, my = smooth(x), smooth(y)
            vx, vy, vxy = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
            alike = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4) * (2 * vxy + 9e-4) / (vx + vy + 9e-4)
            channels.append(max(0.0, float(alike.mean())))
        found.append(float(np.mean(channels)))
    return found


@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0])
def test_likeness_is_that_of_an_independent_implementation(noise: float) -> None:
    generator = torch.Generator().manual_seed(2)
    first = torch.rand(3, 3, 17, 21, generator=generator)
    second = (first + noise * (torch.rand(first.shape, generator=generator) - 0.5)).clamp(0, 1)
    second[2, 0] = 1 - first[2, 0]  # opposite: counts nothing, rather than less
    np.testing.assert_allclose(ssim(first, second), in_numpy(first, second), atol=1e-5)


def test_an_image_is_like_itself_and_flat_ones_do_not_divide_by_nothing() -> None:
    for image in (torch.rand(2, 3, 9, 9), torch.zeros(2, 3, 9, 9), torch.ones(2, 3, 9, 9)):
        image.requires_grad_()
        alike = ssim(image, image.detach())
        torch.testing.assert_close(alike, torch.ones(2))
        assert torch.autograd.grad(alike.sum(), image)[0].isfinite().all()


@both
def test_a_perfect_prediction_costs_nothing(profile: Profile) -> None:
    wanted = targets(person(), placed(), profile)
    terms = first_phase(perfect(wanted), wanted, profile)
    assert set(terms) == NAMES
    assert all(abs(float(value)) < 1e-6 for value in terms.values()), terms
    somebody = (person() > 0).all(1, keepdim=True)
    nobody = torch.tensor([FARTHEST, 0.0])[:, None, None]
    surfaces = Surfaces(torch.where(somebody, person(), nobody), torch.where(somebody, 100.0, -100.0))
    terms = second_phase(surfaces, person(), profile)
    assert set(terms) == {name.replace("low", "full") for name in NAMES if "normals" not in name}
    assert all(abs(float(value)) < 1e-6 for value in terms.values()), terms


def test_each_term_notices_what_it_is_about_and_nothing_else() -> None:
    profile = default()
    wanted = targets(person(), placed(), profile)
    made = perfect(wanted)
    normals = made.low_normals_B6hw.clone()
    normals[:, 3] += 0.1
    tilted, raised = made.low.depth_B2HW.clone(), made.low.depth_B2HW.clone()
    tilted[:, 0] += torch.linspace(-1, 1, SIZE // 8)
    raised[:, 1, :2] += 0.5  # the background's, so that no slope of the person changes
    changes: dict[tuple[str, ...], Prediction] = {
        ("normals/low/back",): replace(made, low_normals_B6hw=normals),
        ("depth/low/front", "consistency/low/front"): replace(
            made, low=replace(made.low, depth_B2HW=tilted)
        ),
        ("depth/low/back",): replace(made, low=replace(made.low, depth_B2HW=raised)),
        ("mask/low",): replace(made, low=replace(made.low, mask_logit_B1HW=made.low.mask_logit_B1HW * 0)),
    }
    for name in WINDOWS:
        other = made.part_normals[name].clone()
        other[:, :, 1] += 0.1
        changes[(f"normals/{name}/front",)] = replace(made, part_normals={**made.part_normals, name: other})
    for names, prediction in changes.items():
        terms = first_phase(prediction, wanted, profile)
        assert {name for name, value in terms.items() if value > 1e-5} == set(names)
    assert float(first_phase(changes[("mask/low",)], wanted, profile)["mask/low"]) == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize(("profile", "counts"), [(default(), 1), (paper(), 4)], ids=["default", "paper"])
def test_terms_are_weighed_as_published(profile: Profile, counts: int) -> None:
    wanted = targets(person(), placed(), profile)
    made = perfect(wanted)
    arms = wanted.part_normals["arm"] + 0.2
    raised = made.low.depth_B2HW + torch.tensor([0.5, 3.0])[:, None, None]
    terms = first_phase(
        replace(
            made,
            part_normals={**made.part_normals, "arm": arms},
            low=replace(made.low, depth_B2HW=raised),
        ),
        wanted,
        profile,
    )
    alike = in_numpy(arms[0, :, :3], wanted.part_normals["arm"][0, :, :3])
    expected = 0.5 * (0.85 * 0.2 * counts + 0.15 * (1 - np.mean(alike)))
    assert float(terms["normals/arm/front"]) == pytest.approx(expected, rel=1e-4)
    assert float(terms["depth/low/front"]) == pytest.approx(0.85 * 0.5 * 0.5**2, rel=1e-5)
    assert float(terms["depth/low/back"]) == pytest.approx(0.85 * (3.0 - 0.5), rel=1e-5)
    assert float(total(terms)) == pytest.approx(sum(map(float, terms.values())))


def test_consistency_is_the_mean_over_all_pixels_of_how_far_slopes_differ_where_somebody_is() -> None:
    profile = default()
    depth = person()
    made = depth + 0.1 * torch.rand(depth.shape, generator=torch.Generator().manual_seed(4))
    terms = second_phase(Surfaces(made, torch.zeros(1, 1, SIZE, SIZE)), depth, profile)
    mask = (depth > 0).all(1, keepdim=True)
    off = (profile.slopes(made, mask) - profile.slopes(depth, mask)).numpy()
    for channels, side in ((slice(0, 3), "front"), (slice(3, 6), "back")):
        expected = 0.15 * np.mean(0.5 * off[:, channels] ** 2)  # none differs by more than 1
        assert float(terms[f"consistency/full/{side}"]) == pytest.approx(expected, rel=1e-4)
        assert expected > 1e-4


@both
@pytest.mark.parametrize("absent", [(0,), (3,), (2, 3, 4, 5), tuple(range(12))])
def test_an_absent_part_weighs_nothing_whatever_was_made_of_it(
    profile: Profile, absent: tuple[int, ...]
) -> None:
    wanted = targets(person(), placed(absent), profile)
    guess = guessed(wanted)
    before = first_phase(guess, wanted, profile)
    spoilt = {name: normals.detach().clone() for name, normals in guess.part_normals.items()}
    for name, window in WINDOWS.items():
        for slot, part in enumerate(range(12)[window.parts]):
            spoilt[name][:, slot] = torch.where(
                torch.tensor(part in absent), torch.nan, spoilt[name][:, slot]
            )
        spoilt[name].requires_grad_()
    after = first_phase(replace(guess, part_normals=spoilt), wanted, profile)
    assert {name: value.item() for name, value in before.items()} == {
        name: value.item() for name, value in after.items()
    }
    for name, window in WINDOWS.items():
        (gradient,) = torch.autograd.grad(total(after), spoilt[name], retain_graph=True)
        has_say = gradient.flatten(2).abs().sum((0, 2)) > 0
        assert gradient.isfinite().all()
        assert has_say.tolist() == [part not in absent for part in range(12)[window.parts]]


def test_the_arms_that_are_there_count_as_much_as_all_four() -> None:
    costs = []
    for absent in ((), (2, 4)):
        wanted = targets(person(), placed(absent), default())
        shifted = {name: normals + 0.2 for name, normals in wanted.part_normals.items()}
        terms = first_phase(replace(perfect(wanted), part_normals=shifted), wanted, default())
        costs.append(float(terms["normals/arm/front"]))
    assert costs[1] == pytest.approx(costs[0], rel=0.1)


@both
def test_a_batch_costs_the_mean_of_its_people(profile: Profile) -> None:
    places = (placed(), placed((0, 2, 3)))
    people = [(person(0), places[0], 1), (person(3), places[1], 2)]
    alone = [(targets(depth, place, profile), seed) for depth, place, seed in people]
    guesses = [guessed(wanted, seed) for wanted, seed in alone]
    apart = [first_phase(guess, w, profile) for guess, (w, _) in zip(guesses, alone, strict=True)]
    place = Placement(
        torch.cat([p.to_part_BP23 for p in places]),
        torch.cat([p.sampling_BP23 for p in places]),
        torch.cat([p.present_BP for p in places]),
    )
    wanted = targets(torch.cat((person(0), person(3))), place, profile)
    together = first_phase(joined(*guesses), wanted, profile)
    for name, value in together.items():
        torch.testing.assert_close(value, (apart[0][name] + apart[1][name]) / 2)


EXTREMES: dict[str, Callable[[Tensor], Tensor]] = {
    "a guess": lambda t: t,
    "all nothing": torch.zeros_like,
    "all far": lambda t: torch.full_like(t, FARTHEST),
    "all the same": lambda t: torch.full_like(t, 1.7),
    "much too large": lambda t: t * 1e4,
}


@both
@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("truth", ["somebody", "nobody", "everywhere"])
def test_values_and_gradients_are_finite_everywhere(profile: Profile, extreme: str, truth: str) -> None:
    depth = {"somebody": person(), "nobody": person() * 0, "everywhere": person() * 0 + 2}[truth]
    wanted = targets(depth, placed((1,)), profile)
    guess = guessed(wanted)
    inputs = [EXTREMES[extreme](t.detach()).requires_grad_() for t in leaves(guess)]
    prediction = assembled(inputs)
    terms = first_phase(prediction, wanted, profile)
    assert all(value.isfinite() for value in terms.values())
    gradients = torch.autograd.grad(total(terms), inputs)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_what_was_predicted_in_half_precision_is_compared_in_single() -> None:
    wanted = targets(person(), placed(), default())
    guess = guessed(wanted)
    halved = [leaf.detach().bfloat16() for leaf in leaves(guess)]
    expected = first_phase(assembled([half.float() for half in halved]), wanted, default())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = first_phase(assembled(halved), targets(person(), placed(), default()), default())
    assert found == expected
    assert {value.dtype for value in found.values()} == {torch.float32}


def test_nothing_is_compared_under_autocast() -> None:
    asked = []

    def watched(find: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def find_and_tell(depth: Tensor, mask: Tensor) -> Tensor:
            asked.append((torch.is_autocast_enabled("cpu"), depth.dtype))
            return find(depth, mask)

        return find_and_tell

    profile = Profile(watched(default().normals), watched(default().slopes), add_up=False)
    half = Surfaces(person().bfloat16(), torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bfloat16))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted = targets(person(), placed(), profile)
        first_phase(guessed(wanted), wanted, profile)
        second_phase(half, person(), profile)
    assert asked == [(False, torch.float32)] * 6


def test_what_is_wanted_of_the_whole_is_every_eighth_pixel() -> None:
    wanted = targets(person(), placed(), paper())
    assert torch.equal(wanted.low_depth_B2hw, person()[:, :, 3::8, 3::8])
    assert wanted.low_normals_B6hw.shape == (1, 6, SIZE // 8, SIZE // 8)
    shapes = {name: tuple(normals.shape) for name, normals in wanted.part_normals.items()}
    assert shapes["face"] == (1, 1, 6, 24, 24)
    assert shapes["arm"] == (1, 4, 6, 24, 16)
