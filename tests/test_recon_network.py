"""The network has the published size, keeps people and errands apart, and takes images of other sizes."""

from __future__ import annotations

import pytest
import torch
from oracle import published_placement
from torch import Tensor, nn

from pipeline.errors import ConfigError
from recon.network import Network, Prediction, Shape, Surfaces, default, paper
from recon.windows import WINDOWS, Placement, window_views

SIZE = 256
FACE = WINDOWS["face"]


def image(people: int = 1, size: int = SIZE) -> Tensor:
    return torch.randn(people, 3, size, size, generator=torch.Generator().manual_seed(3))


def small(*, refines: bool = True, bounded: bool = True, size: int = SIZE) -> Network:
    torch.manual_seed(5)
    return Network(Shape(size, 8, published_ends=not bounded), refines=refines)


def tensors(made: Prediction) -> list[Tensor]:
    low = [made.low_normals_B6hw, made.low.depth_B2HW, made.low.mask_logit_B1HW]
    assert made.fine is not None
    surfaces = made.fine.surfaces
    fine = [made.fine.normals_B6HW, surfaces.depth_B2HW, surfaces.mask_logit_B1HW]
    return [*made.part_normals.values(), *low, *fine]


def test_parameters_are_as_many_as_published() -> None:
    with torch.device("meta"):
        network, first = Network(paper()), Network(default(), refines=False)
    assert _count(network) == 77_655_212
    assert _count(first) == 77_381_161
    assert _count(network.low_normals) == 8_651_951
    assert all(_count(part) == 8_653_679 for part in network.part_normals.values())
    assert _count(network.low_surfaces) == 25_460_815


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("size", [256, 512])
def test_outputs_have_the_size_of_the_image_their_window_or_an_eighth(size: int) -> None:
    with torch.inference_mode():
        made = small(size=size).eval()(image(1, size), published_placement())
    low = size // 8
    shapes = [tuple(tensor.shape[1:]) for tensor in tensors(made)]
    windows = {
        256: ((48, 40), (72, 48), (48, 32), (40, 32), (24, 16)),
        512: ((96, 80), (136, 88), (88, 56), (72, 64), (48, 32)),
    }
    counts = (1, 1, 4, 4, 2)
    parts = [(count, 6, *window) for count, window in zip(counts, windows[size], strict=True)]
    assert shapes[:5] == parts
    assert shapes[5:8] == [(6, low, low), (2, low, low), (1, low, low)]
    assert shapes[8:] == [(6, size, size), (2, size, size), (1, size, size)]


def test_a_person_is_the_same_in_company() -> None:
    network, both, place = small().eval(), image(2), published_placement(2)
    with torch.inference_mode():
        together = tensors(network(both, place))
        alone = [tensors(network(both[k : k + 1], published_placement())) for k in range(2)]
    for index, tensor in enumerate(together):
        apart = torch.cat([one[index] for one in alone])
        assert (tensor - apart).abs().max() < 1e-4


def test_in_half_precision_places_are_exact_and_depth_is_not_rounded() -> None:
    network, place = small().eval(), published_placement()
    seen_B6HW = torch.cat((image(), image()), 1)
    exact = window_views(seen_B6HW, place.of(FACE), (48, 40))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(window_views(seen_B6HW, place.of(FACE), (48, 40)), exact)
        half = tensors(network(image(), place))
    with torch.inference_mode():
        whole = tensors(network(image(), place))
    for rounded in half:
        assert rounded.dtype == torch.float32
        inner = rounded[(rounded > 0) & (rounded < 1)]
        assert (inner.bfloat16().float() != inner).float().mean() > 0.9
    for rounded, tensor in list(zip(half, whole, strict=True))[
        :-2
    ]:  # after that a mask near its limit decides
        assert (rounded - tensor).abs().mean() < 0.05 * tensor.abs().mean()


def test_a_person_without_parts_has_surfaces_all_the_same() -> None:
    place = published_placement()
    nobody = Placement(place.to_part_BP23, place.sampling_BP23, torch.zeros_like(place.present_BP))
    with torch.inference_mode():
        made = small().eval()(image(), nobody)
    assert made.fine is not None
    assert not made.fine.normals_B6HW.any()
    assert bool(torch.isfinite(made.fine.surfaces.depth_B2HW).all())


def test_an_absent_parts_place_changes_nothing() -> None:
    place, network = published_placement(), small().eval()
    present = place.present_BP.clone()
    present[0, 3] = False
    moved = place.sampling_BP23.clone()
    moved[0, 3] += 0.5
    with torch.inference_mode():
        here = tensors(network(image(), Placement(place.to_part_BP23, place.sampling_BP23, present)))
        there = tensors(network(image(), Placement(place.to_part_BP23, moved, present)))
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


def test_parts_do_not_teach_the_network_that_guides_them() -> None:
    network = small(refines=False)
    made = network(image(), published_placement())
    sum((view.sum() for view in made.part_normals.values()), torch.zeros(())).backward()
    assert all(p.grad is None for p in network.low_normals.parameters())
    assert all(p.grad is not None for p in network.part_normals.parameters())


def test_surfaces_teach_the_network_of_small_normals() -> None:
    network = small(refines=False)
    made = network(image(), published_placement())
    (made.low.depth_B2HW.sum() + made.low.mask_logit_B1HW.sum()).backward()
    assert all(p.grad is not None for p in network.low_normals.parameters())


def test_a_bounded_head_learns_where_the_published_one_is_dead() -> None:
    learning = {}
    for bounded in (False, True):
        network = small(refines=False, bounded=bounded)
        bias = network.low_normals.head.bias
        assert bias is not None
        nn.init.constant_(bias, -30.0)
        normals = network(image(), published_placement()).low_normals_B6hw
        (1 - normals).sum().backward()
        assert bias.grad is not None
        learning[bounded] = float(bias.grad.abs().sum())
    assert learning[False] == 0
    assert learning[True] > 0


@pytest.mark.parametrize("out", [-30.0, 30.0])
def test_depth_beyond_its_range_is_called_back_where_the_published_one_is_dead(out: float) -> None:
    slope, depths = {}, {}
    for bounded in (False, True):
        network = small(refines=False, bounded=bounded)
        bias = network.low_surfaces.head.bias
        assert bias is not None
        nn.init.constant_(bias, out)
        depth = network(image(), published_placement()).low.depth_B2HW
        depths[bounded] = depth.detach()
        depth.mean().backward()
        assert bias.grad is not None
        slope[bounded] = bias.grad[:2].tolist()
    assert torch.equal(depths[True], depths[False])
    assert slope[False] == [0, 0]
    assert slope[True] == pytest.approx([0.5, 0.5])


def test_the_second_phase_moves_the_refiner_and_nothing_else() -> None:
    network = small().refine_only().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    made = network(image(), published_placement())
    made.fine.surfaces.mask_logit_B1HW.mean().backward()
    optimiser.step()
    changed = {name for name, now in network.state_dict().items() if not torch.equal(now, before[name])}
    assert changed
    assert all(name.startswith("refiner.") for name in changed)
    assert {name for name in before if name.endswith("running_mean")} & changed == {
        name for name in before if name.startswith("refiner.") and name.endswith("running_mean")
    }


def test_the_second_phase_keeps_nothing_of_what_is_held_still() -> None:
    network, kept = small().refine_only().train(), []
    refiner = network.refiner
    assert refiner is not None

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = network(image().requires_grad_(), published_placement())
        all_of_it = list(kept)
        kept.clear()
        assert made.fine is not None
        network._surfaces(refiner(made.low.with_background(), made.fine.normals_B6HW))
    assert all_of_it == kept
    assert not any(normals.requires_grad for normals in made.part_normals.values())
    assert not made.low.depth_B2HW.requires_grad
    assert made.fine.surfaces.depth_B2HW.requires_grad


def company(absent: bool) -> Placement:
    """Two people, of whom the second has no face, no left upper arm and no feet, or has."""
    place = published_placement(2)
    present = place.present_BP.clone()
    present[1, [0, 2, 10, 11]] = not absent
    return Placement(place.to_part_BP23, place.sampling_BP23, present)


def test_in_training_an_absent_part_has_no_say_in_what_batch_norm_sees() -> None:
    alone, together, full = (small(refines=False).train() for _ in range(3))
    for network in (alone, together, full):
        network.low_normals.eval()  # of which all parts are shown something
    expected = alone(image(2)[:1], published_placement()).part_normals
    made = together(image(2), company(absent=True)).part_normals
    for name in ("face", "shoe"):  # of the second person, none of these is there
        assert (made[name][:1] - expected[name]).abs().max() < 1e-4
        norms = [
            [part for part in net.part_normals[name].modules() if isinstance(part, nn.BatchNorm2d)]
            for net in (alone, together)
        ]
        for one, both in zip(*norms, strict=True):
            torch.testing.assert_close(one.running_mean, both.running_mean)
            # Not the same: torch divides by one value less, of twice as many. Blackness moves it by 0.2.
            torch.testing.assert_close(one.running_var, both.running_var, rtol=2e-2, atol=1e-5)
    seen = full(image(2), company(absent=False)).part_normals
    assert (seen["face"][:1] - expected["face"]).abs().max() > 1e-3


def test_every_weight_learns_or_stands_still_also_where_nobody_has_a_part() -> None:
    network, place = small(refines=False).train(), published_placement()
    nobody = Placement(place.to_part_BP23, place.sampling_BP23, torch.zeros_like(place.present_BP))
    normals = network(image(), nobody).part_normals.values()
    sum((0 * made.sum() for made in normals), torch.zeros(())).backward()
    for weight in network.part_normals.parameters():
        assert weight.grad is not None
        assert not weight.grad.any()


def test_what_is_compiled_are_the_networks_it_is_made_of_under_their_own_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: compiled.append((module, options)))
    network = small()
    names = list(network.state_dict())
    network.compile()
    made_of = [network.low_normals, *network.part_normals.values(), network.low_surfaces, network.refiner]
    assert compiled == [(part, {"dynamic": False}) for part in made_of]
    assert list(network.state_dict()) == names


def test_without_a_refiner_there_is_no_second_phase() -> None:
    with pytest.raises(ConfigError, match="no refiner"):
        small(refines=False).refine_only()


def test_weights_start_as_wide_as_their_fan_out_asks() -> None:
    torch.manual_seed(0)
    network = Network(Shape(256, 64), refines=False)
    deep = network.get_submodule("low_normals.encoder.3.3")
    assert isinstance(deep, nn.Conv2d)
    assert abs(float(deep.weight.detach().std()) / (2 / (9 * 512)) ** 0.5 - 1) < 0.01
    into_few = network.low_normals.head
    assert abs(float(into_few.weight.detach().std()) / (2 / 6) ** 0.5 - 1) < 0.15
    assert deep.bias is not None
    assert not deep.bias.any()


DEPTH = torch.tensor([[[[1.0, 2.0, 3.0]], [[2.0, 1.0, 3.0]]]])


def test_the_background_lies_behind_itself() -> None:
    surfaces = Surfaces(DEPTH, torch.tensor([[[[5.0, 0.0, -5.0]]]]))
    assert surfaces.with_background().tolist() == [[[[1.0, 6.0, 6.0]], [[2.0, 0.0, 0.0]]]]
    assert surfaces.mask_B1HW[0, 0, 0, 1] == 0.5


def test_where_front_lies_behind_back_there_is_nobody() -> None:
    surfaces = Surfaces(DEPTH, torch.zeros(1, 1, 1, 3))
    assert surfaces.cleared().tolist() == [[[[1.0, 0.0, 3.0]], [[2.0, 0.0, 3.0]]]]


@pytest.mark.parametrize("size", [0, 128, 300, 1000, -256])
def test_a_size_that_cannot_be_halved_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"size is {size}"):
        Shape(size)


@pytest.mark.parametrize("width", [0, 2, 6, -4])
def test_a_width_without_channels_is_refused(width: int) -> None:
    with pytest.raises(ConfigError, match=f"width is {width}"):
        Shape(256, width)


def test_depth_stays_between_nothing_and_the_farthest() -> None:
    network = small(refines=False).eval()
    bias = network.low_surfaces.head.bias
    assert bias is not None
    for value, depth in ((100.0, 6.0), (-100.0, 0.0)):
        nn.init.constant_(bias, value)
        with torch.inference_mode():
            low = network(image(), published_placement()).low
        assert bool((low.depth_B2HW == depth).all())
        assert float((low.mask_B1HW - float(value > 0)).abs().max()) < 1e-6


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="512 x 512, and the network is built for 256 x 256"):
        small()(image(1, 512), published_placement())
