"""Published names and ours are one to one; weights that do not fit are refused with what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from oracle import published_shapes
from torch import Tensor

from pipeline.errors import CheckpointError
from recon.checkpoint import load_published, published, published_name
from recon.network import Network, Shape, paper

SMALL = Shape(256, 4)
Weights = dict[str, Tensor]


def small(seed: int, *, refines: bool = True) -> Network:
    torch.manual_seed(seed)
    return Network(SMALL, refines=refines)


def weights(network: Network) -> Weights:
    return published(network)["model_state_dict"]


def same(first: Network, second: Network, names: str = "") -> bool:
    theirs = second.state_dict()
    own = {name: value for name, value in first.state_dict().items() if name.startswith(names)}
    return all(torch.equal(value, theirs[name]) for name, value in own.items())


def test_every_published_tensor_has_its_place_and_size() -> None:
    with torch.device("meta"):
        state = Network(paper()).state_dict()
    ours = {published_name(name): tuple(tensor.shape) for name, tensor in state.items()}
    assert len(ours) == len(state) == 1504
    assert ours == published_shapes()


def test_names_that_are_not_the_networks_have_no_published_name() -> None:
    for name in ("elsewhere.0.weight", "refiner.elsewhere.0.weight"):
        with pytest.raises(KeyError):
            published_name(name)


WRAPPINGS: dict[str, Callable[[Weights], Any]] = {
    "published": lambda plain: {"model_state_dict": plain, "epoch": 3},
    "bare": lambda plain: plain,
    "parallel": lambda plain: {"model_state_dict": {f"module.{name}": t for name, t in plain.items()}},
    "bare and parallel": lambda plain: {f"module.{name}": t for name, t in plain.items()},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_weights_come_back_however_they_are_wrapped(tmp_path: Path, wrapping: str) -> None:
    first, second = small(1), small(2)
    assert not same(first, second)
    torch.save(WRAPPINGS[wrapping](weights(first)), tmp_path / "weights.pt")
    load_published(second, tmp_path / "weights.pt")
    assert same(first, second)


def test_a_first_phase_leaves_the_refiner_as_it_was(tmp_path: Path) -> None:
    first, second, before = small(1, refines=False), small(2), small(2)
    torch.save(published(first), tmp_path / "weights.pt")
    load_published(second, tmp_path / "weights.pt")
    assert same(first, second)
    assert same(before, second, "refiner.")


def test_a_second_phase_fits_a_network_that_does_not_refine(tmp_path: Path) -> None:
    first, second = small(1), small(2, refines=False)
    torch.save(published(first), tmp_path / "weights.pt")
    load_published(second, tmp_path / "weights.pt")
    assert same(second, first)


def test_exported_weights_are_no_longer_the_networks_own(tmp_path: Path) -> None:
    network = small(1)
    torch.save(published(network), tmp_path / "weights.pt")
    content = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert list(content) == ["model_state_dict"]
    assert not any(tensor.requires_grad for tensor in content["model_state_dict"].values())


LOST = "refine.merge3_2.weight"
GONE = {"img2normal_face.Conv1.conv.0.bias", "refine.depth1.up.1.bias"}
FAULTS: dict[str, tuple[Callable[[Weights], Any], str]] = {
    "one is absent": (lambda w: {n: t for n, t in w.items() if n != LOST}, f"1 absent: {LOST}"),
    "one is unknown": (lambda w: {**w, "more.weight": torch.zeros(1)}, "1 unknown: more.weight"),
    "one is larger": (
        lambda w: {**w, LOST: torch.zeros(3, 9, 1, 1)},
        f"1 of another size: {LOST} is 3 x 9 x 1 x 1, not 3 x 4 x 1 x 1",
    ),
    "two are absent": (lambda w: {n: t for n, t in w.items() if n not in GONE}, "2 absent: "),
    "most are absent": (lambda _: {LOST: torch.zeros(3, 4, 1, 1)}, " and 1500 more"),
    "no table": (lambda _: [torch.zeros(1)], "holds no weights"),
    "a table of words": (lambda _: {"weights": "none"}, "holds no weights"),
    "a wrapped list": (lambda _: {"model_state_dict": [1, 2]}, "holds no weights"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed(tmp_path: Path, fault: str) -> None:
    spoil, message = FAULTS[fault]
    network, before = small(2), small(2)
    torch.save(spoil(weights(small(1))), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"weights\.pt") as refused:
        load_published(network, tmp_path / "weights.pt")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert same(before, network)


class Wicked:
    """Something that would write a file if it were ever loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"model_state_dict": Wicked(tmp_path / "written")}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_published(small(1), tmp_path / "weights.pt")
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("content", [None, b"", b"no weights at all", b"PK\x03\x04 cut short"])
def test_a_file_that_is_not_there_or_not_weights_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_published(small(1), path)
