"""What is said of a network's heads, against sums written out, and against heads that were made dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from recon.network import Fine, Network, Prediction, Shape, Surfaces
from recon.training.looks import HEADS, looks, statistics
from recon.windows import WINDOWS, Placement

SIZE, LITTLE = 256, 32


@dataclass(frozen=True)
class Shown:
    depth_B2HW: Tensor  # noqa: N815  as what is learnt from calls it
    place: Placement


def place(batch: int, present: bool = True) -> Placement:
    straight = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(batch, 12, 2, 3)
    return Placement(straight, straight, torch.full((batch, 12), present))


def shown(batch: int = 2, present: bool = True, right: int = 192) -> Shown:
    """People who fill the middle rows from the left to somewhere."""
    depth = torch.zeros(batch, 2, SIZE, SIZE)
    depth[:, :, 64:192, :right] = 2.0
    return Shown(depth, place(batch, present))


def prediction(draw: int = 1, batch: int = 2) -> Prediction:
    torch.manual_seed(draw)
    parts = {
        name: torch.rand(batch, w.parts.stop - w.parts.start, 6, *w.at(SIZE)) for name, w in WINDOWS.items()
    }
    low = Surfaces(torch.rand(batch, 2, LITTLE, LITTLE) * 5 + 0.5, torch.zeros(batch, 1, LITTLE, LITTLE))
    return Prediction(parts, torch.rand(batch, 6, LITTLE, LITTLE), low, None)


def test_there_is_a_look_at_both_sides_of_every_network() -> None:
    assert list(looks(statistics(prediction(), shown()).tolist())) == list(HEADS)
    assert [head for head, _ in HEADS[::2]] == ["face", "upper", "arm", "leg", "shoe", "low", "depth"]


def test_low_normals_are_summed_up_over_people_alone() -> None:
    made, true = prediction(), shown()
    normals = made.low_normals_B6hw
    normals[:, 3:, 8:16, :12] = 0.01
    found = looks(statistics(made, true).tolist())
    inside = np.zeros((LITTLE, LITTLE), dtype=bool)
    inside[8:24, :24] = True
    for side, channels in (("front", slice(0, 3)), ("back", slice(3, 6))):
        pixels = normals[:, channels].double().numpy()[:, :, inside]  # (B, 3, pixels)
        assert found["low", side].blank_share == pytest.approx((pixels.max(1) < 0.02).mean())
        assert found["low", side].spread == pytest.approx(pixels.std((0, 2)).min(), rel=1e-4)
    assert found["low", "back"].blank_share == pytest.approx(0.25)


def test_parts_are_summed_up_where_their_windows_show_people() -> None:
    made, true = prediction(), shown(right=SIZE // 2)  # fill the left of a window, which is in the middle
    height, width = WINDOWS["leg"].at(SIZE)
    made.part_normals["leg"][..., : width // 2] = 0.5
    made.part_normals["leg"][:, :, 3:, : height // 2, : width // 2] = 0.0
    found = looks(statistics(made, true).tolist())
    assert found["leg", "front"].blank_share == 0
    assert found["leg", "front"].spread == pytest.approx(0, abs=1e-6)
    assert found["leg", "back"].blank_share == pytest.approx(0.5)
    assert found["leg", "back"].spread == pytest.approx(0.25, rel=1e-5)


def test_a_single_component_that_never_changes_is_seen() -> None:
    made = prediction()
    made.part_normals["shoe"][:, :, 1] = 0.7
    found = looks(statistics(made, shown()).tolist())
    assert found["shoe", "front"].spread == pytest.approx(0, abs=1e-6)
    assert found["shoe", "back"].spread > 0.2


def test_absent_parts_and_empty_images_are_not_looked_at_whatever_is_there() -> None:
    made = prediction()
    made.part_normals["arm"].fill_(torch.nan)
    found = looks(statistics(made, shown(present=False)).tolist())
    assert list(found) == [name for name in HEADS if name[0] in ("low", "depth")]
    empty = Shown(torch.zeros(2, 2, SIZE, SIZE), place(2))
    assert looks(statistics(made, empty).tolist()) == {}


def test_what_lies_outside_people_changes_nothing() -> None:
    made, true = prediction(), shown(right=SIZE // 2)
    before = statistics(made, true)
    made.low_normals_B6hw[:, :, :8] = torch.nan
    made.low_normals_B6hw[..., LITTLE // 2 :] = torch.inf
    made.low.depth_B2HW[:, :, 24:] = 0
    for part in made.part_normals.values():
        part[..., part.shape[-1] // 2 :] = torch.nan
    assert statistics(made, true).equal(before)


def test_depth_is_blank_at_either_end() -> None:
    made = prediction()
    made.low.depth_B2HW[:, 0, 8:24, :6] = 0.0
    made.low.depth_B2HW[:, 0, 8:24, 6:12] = 6.0
    found = looks(statistics(made, shown()).tolist())
    assert found["depth", "front"].blank_share == pytest.approx(0.5)
    assert found["depth", "back"].blank_share == 0


def test_with_a_refiner_its_depth_is_looked_at() -> None:
    made = prediction()
    full = Surfaces(torch.zeros(2, 2, SIZE, SIZE), torch.zeros(2, 1, SIZE, SIZE))
    fine = Fine(torch.zeros(2, 6, SIZE, SIZE), torch.zeros(2, 1, SIZE, SIZE), full)
    found = looks(
        statistics(Prediction(made.part_normals, made.low_normals_B6hw, made.low, fine), shown()).tolist()
    )
    assert found["depth", "back"].blank_share == 1
    assert found["depth", "back"].spread == 0


def test_the_mean_of_batches_is_read_as_of_all_their_people() -> None:
    first, second = prediction(1), prediction(2)
    second.low_normals_B6hw[:, :3] = 0
    both = (statistics(first, shown()) + statistics(second, shown())) / 2
    assert looks(both.tolist())["low", "front"].blank_share == pytest.approx(0.5, abs=1e-3)


def test_half_precision_is_looked_at_in_full() -> None:
    made = prediction()
    made.low_normals_B6hw[:, :, ::2] = 0.5
    made.low_normals_B6hw[:, :, 1::2] = 0.75
    half = Prediction(
        {name: part.bfloat16() for name, part in made.part_normals.items()},
        made.low_normals_B6hw.bfloat16(),
        made.low,
        None,
    )
    found = statistics(half, shown())
    assert found.dtype == torch.float32
    assert looks(found.tolist())["low", "front"].spread == pytest.approx(0.125)


@pytest.mark.parametrize("dead", ["face", "arm", "low"])
def test_a_head_that_was_made_dead_is_the_one_that_is_blank(dead: str) -> None:
    torch.manual_seed(3)
    network = Network(Shape(SIZE, 4, published_ends=True), refines=False).eval()
    for name, weight in network.named_parameters():
        if "normals." in name and name.endswith("head.bias"):
            torch.nn.init.constant_(weight, -1e6 if dead in name else 1.0)
    with torch.no_grad():
        made = network(torch.rand(2, 3, SIZE, SIZE), place(2))
    found = looks(statistics(made, shown()).tolist())
    assert {name for name, _ in HEADS if found[name, "front"].blank_share == 1} - {"depth"} == {dead}
    assert found[dead, "back"].spread == 0
