from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from metric_people import SURE, people, truth
from torch import Tensor
from torch.nn import functional

from recon import losses
from recon.data.augment import Prepared
from recon.metrics.views import Measures, measured
from recon.network import Fine, Network, Prediction, Shape, Surfaces
from recon.rays import network_depth
from recon.windows import WINDOWS, window_views

PROFILE = losses.default()
LOW = {"normal_angle_deg/low", "normal_angle_deg/parts", "depth_error/low"}
FULL = {"normal_angle_deg/merged", "normal_angle_deg/full", "depth_error/full"}
THOUSANDTH = float(network_depth(torch.tensor(1.001)) - network_depth(torch.tensor(1.0)))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shown() -> Prepared:
    return people()


def found(prediction: Prediction, shown: Prepared, profile: losses.Profile = PROFILE) -> Measures:
    return measured(prediction, shown.depth_B2HW, shown.place, profile)


def sided(names: set[str]) -> set[str]:
    return {f"{name}/{side}" for name in names for side in losses.SIDES}


def turned(encoded: Tensor, degrees: float, axis: int) -> Tensor:
    """Front and back normals turned by as much, towards whatever is upright to them; none stays none."""
    normals = torch.stack(encoded.chunk(2, axis), 0) * 2 - 1
    axis += 1
    normals = functional.normalize(normals, dim=axis)
    aside = functional.normalize(normals.roll(1, axis).cross(normals, dim=axis), dim=axis)
    moved = normals * math.cos(math.radians(degrees)) + aside * math.sin(math.radians(degrees))
    return torch.cat((*((moved + 1) / 2),), axis - 1)


@pytest.mark.parametrize("profile", [losses.default(), losses.paper()])
def test_the_truth_is_off_by_nothing(shown: Prepared, profile: losses.Profile) -> None:
    measures = found(truth(shown, profile, fine=True), shown, profile)
    assert set(measures) == sided(LOW | FULL) | {"mask_iou/low", "mask_iou/full"}
    for name, values in measures.items():
        assert values.shape == (2,)
        if name.startswith("mask_iou"):
            wanted, near = 1.0, 1e-6
        else:  # laid back and read again, normals are blended with their neighbours twice
            wanted, near = 0.0, 8.0 if "merged" in name else 1e-2
        torch.testing.assert_close(values, torch.full_like(values, wanted), atol=near, rtol=0)


def test_normals_are_off_by_as_much_as_they_are_turned(shown: Prepared) -> None:
    true = truth(shown, PROFILE, fine=True)
    assert true.fine is not None
    made = replace(
        true,
        part_normals={name: turned(part, 20.0, 2) for name, part in true.part_normals.items()},
        low_normals_B6hw=turned(true.low_normals_B6hw, 10.0, 1),
        fine=replace(true.fine, normals_B6HW=turned(PROFILE.normals(*depth_and_mask(shown)), 30.0, 1)),
    )
    measures = found(made, shown)
    for what, degrees in (("low", 10.0), ("parts", 20.0), ("merged", 30.0)):
        for side in losses.SIDES:
            values = measures[f"normal_angle_deg/{what}/{side}"]
            torch.testing.assert_close(values, torch.full_like(values, degrees), atol=1e-3, rtol=0)


def depth_and_mask(shown: Prepared) -> tuple[Tensor, Tensor]:
    return shown.depth_B2HW, losses.mask_of(shown.depth_B2HW)


def test_what_is_predicted_where_nobody_is_does_not_matter(shown: Prepared) -> None:
    """Nor what is predicted at the edges of people in windows, where the truth is half nothing."""
    true, mask = truth(shown, PROFILE), losses.mask_of(shown.depth_B2HW)
    parts = {}
    for name, part in true.part_normals.items():
        window = WINDOWS[name]
        share = window_views(mask.float(), shown.place.of(window), window.at(mask.shape[-1]))
        parts[name] = torch.where(share > 0.99, part, math.nan)
    low_mask = losses.mask_of(true.low.depth_B2HW)
    made = replace(
        true,
        part_normals=parts,
        low_normals_B6hw=torch.where(low_mask, true.low_normals_B6hw, math.nan),
        low=replace(true.low, depth_B2HW=torch.where(low_mask, true.low.depth_B2HW, math.nan)),
    )
    measures = found(made, shown)
    assert measures.pop("mask_iou/low").tolist() == [1.0, 1.0]
    for name, values in measures.items():
        assert float(values.max()) < 1e-2, name


def test_an_absent_part_is_not_measured() -> None:
    some = people(absent=(3, 4))
    assert not some.place.present_BP[:, 0].any()
    true = truth(some, PROFILE, fine=True)
    faceless = {**true.part_normals, "face": torch.full_like(true.part_normals["face"], math.nan)}
    measures = found(replace(true, part_normals=faceless), some)
    assert float(measures["normal_angle_deg/parts/front"].max()) < 1e-2
    assert float(measures["normal_angle_deg/merged/front"].max()) < 5  # only where any part covers


def test_depth_is_off_by_as_much_as_it_is_moved_inside_the_true_mask(shown: Prepared) -> None:
    true = truth(shown, PROFILE, fine=True)
    assert true.fine is not None
    by = torch.tensor((3.0, -5.0))[:, None, None] * THOUSANDTH
    moved = [Surfaces(s.depth_B2HW + by, s.mask_logit_B1HW) for s in (true.low, true.fine.surfaces)]
    made = replace(true, low=moved[0], fine=replace(true.fine, surfaces=moved[1]))
    measures = found(made, shown)
    for what in ("low", "full"):
        for side, wanted in (("front", 3.0), ("back", 5.0)):
            values = measures[f"depth_error/{what}/{side}"]
            torch.testing.assert_close(values, torch.full_like(values, wanted), atol=1e-3, rtol=0)
    # All of a surface that is moved still looks nearly the same way.
    assert float(measures["normal_angle_deg/full/front"].max()) < 1


def test_refined_normals_are_those_of_the_refined_depth(shown: Prepared) -> None:
    true = truth(shown, PROFILE, fine=True)
    assert true.fine is not None
    flat = torch.where(shown.depth_B2HW > 0, 2.0, 0.0)
    surfaces = replace(true.fine.surfaces, depth_B2HW=flat)
    measures = found(replace(true, fine=replace(true.fine, surfaces=surfaces)), shown)
    assert float(measures["normal_angle_deg/full/front"].min()) > 10
    assert float(measures["normal_angle_deg/merged/front"].max()) < 8


def test_a_mask_counts_from_even_odds_on(shown: Prepared) -> None:
    true = truth(shown, PROFILE)
    doubtful = replace(true.low, mask_logit_B1HW=true.low.mask_logit_B1HW * (0.01 / SURE))
    assert found(replace(true, low=doubtful), shown)["mask_iou/low"].tolist() == [1.0, 1.0]
    everywhere = replace(true.low, mask_logit_B1HW=torch.full_like(true.low.mask_logit_B1HW, 0.1))
    shares = losses.mask_of(true.low.depth_B2HW).float().mean((1, 2, 3))
    values = found(replace(true, low=everywhere), shown)["mask_iou/low"]
    torch.testing.assert_close(values, shares)


def test_a_person_alone_is_measured_as_among_others(shown: Prepared) -> None:
    torch.manual_seed(1)
    network = Network(Shape(256, 4)).eval()
    together = found(predicted(network, shown), shown)
    alone = [
        found(predicted(network, one), one) for one in (people(scans=("ann",)), people(scans=("bob",)))
    ]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([one[name] for one in alone]), atol=1e-3, rtol=1e-4)
        assert values.isfinite().all(), name


@torch.no_grad()
def predicted(network: Network, shown: Prepared) -> Prediction:
    made: Prediction = network(shown.image_B3HW, shown.place)
    return made


def test_a_picture_of_nobody_has_no_angle_and_no_depth(shown: Prepared) -> None:
    nobody = replace(shown, depth_B2HW=torch.zeros_like(shown.depth_B2HW))
    true = truth(nobody, PROFILE, fine=True)
    assert isinstance(true.fine, Fine)
    assert all(values.isnan().all() for values in found(true, nobody).values())
