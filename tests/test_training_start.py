"""Where weights come from: ours and published ones, of either phase, into either phase."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from snapshots import RECIPE, saved

from pipeline.errors import CheckpointError
from recon.checkpoint import published
from recon.network import Network, Shape
from recon.recipe import Recipe
from recon.training.snapshot import Position
from recon.training.start import start_from

PAPER = Recipe(profile="paper")


def network(seed: int, *, refines: bool, width: int = 4, bounded: bool = True) -> Network:
    torch.manual_seed(seed)
    return Network(Shape(256, width, not bounded), refines=refines)


def same(first: Network, second: Network, names: str = "") -> bool:
    theirs = second.state_dict()
    own = {name: value for name, value in first.state_dict().items() if name.startswith(names)}
    shared = [name for name in own if name in theirs]
    return bool(shared) and all(own[name].equal(theirs[name]) for name in shared)


PHASES = [(False, False), (False, True), (True, False), (True, True)]
TOLD = {(False, True): "; the refiner starts afresh", (True, False): "; its refiner is left out"}


@pytest.mark.parametrize(("before", "now"), PHASES)
def test_weights_of_a_training_of_either_phase_fit_either(tmp_path: Path, before: bool, now: bool) -> None:
    first, second, fresh = (network(seed, refines=r) for seed, r in ((1, before), (2, now), (2, now)))
    path = saved(tmp_path / "a.pt", state={"network": first.state_dict()}, phase=1 + before)
    told = start_from(second, path)
    assert same(first, second)
    assert same(second, fresh, "refiner.") == (now and not before)
    expected = f"starting from {path}, phase {1 + before} after 3 epochs and 7 steps"
    assert told == expected + TOLD.get((before, now), "")


@pytest.mark.parametrize(("before", "now"), PHASES)
def test_published_weights_of_either_phase_fit_either(tmp_path: Path, before: bool, now: bool) -> None:
    first, second = network(1, refines=before), network(2, refines=now, bounded=False)
    torch.save(published(first), tmp_path / "a.pt")
    told = start_from(second, tmp_path / "a.pt")
    assert same(first, second)
    assert told == f"starting from {tmp_path / 'a.pt'}, published weights" + TOLD.get((before, now), "")


def test_published_weights_in_a_file_of_the_old_kind_are_read_too(tmp_path: Path) -> None:
    first, second = network(1, refines=True), network(2, refines=True)
    torch.save(published(first), tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    assert "published weights" in start_from(second, tmp_path / "a.pt")
    assert same(first, second)


def test_normals_that_end_otherwise_are_told_of(tmp_path: Path) -> None:
    weights = network(1, refines=False)
    torch.save(published(weights), tmp_path / "a.pt")
    paper = saved(tmp_path / "b.pt", state={"network": weights.state_dict()}, recipe=PAPER)
    ours = saved(tmp_path / "c.pt", state={"network": weights.state_dict()}, recipe=RECIPE)
    begin = "so they begin wrong"
    for path, bounded, expected in (
        (tmp_path / "a.pt", True, f"its normals ended in a ReLU and end in a sigmoid here, {begin}"),
        (paper, True, f"its normals ended in a ReLU and end in a sigmoid here, {begin}"),
        (ours, False, f"its normals ended in a sigmoid and end in a ReLU here, {begin}"),
        (tmp_path / "a.pt", False, ""),
        (paper, False, ""),
        (ours, True, ""),
    ):
        told = start_from(network(2, refines=False, bounded=bounded), path)
        assert told.partition("; ")[2] == expected, path


@pytest.mark.parametrize("ours", [True, False])
def test_another_width_is_refused_with_both(tmp_path: Path, ours: bool) -> None:
    first, second, before = (network(s, refines=False, width=w) for s, w in ((1, 8), (2, 4), (2, 4)))
    path = saved(tmp_path / "a.pt", state={"network": first.state_dict()})
    if not ours:
        torch.save(published(first), path)
    with pytest.raises(CheckpointError, match="is of width 8, and this network of width 4"):
        start_from(second, path)
    assert same(before, second)


def test_weights_that_are_no_networks_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", state={"network": {"elsewhere.weight": torch.ones(2)}})
    with pytest.raises(CheckpointError, match=r"weights that no network has, such as 'elsewhere\.weight'"):
        start_from(network(1, refines=False), path)
    weights = network(1, refines=False).state_dict()
    del weights["low_normals.head.bias"]
    saved(path, state={"network": weights})
    with pytest.raises(CheckpointError, match=r"1 absent: img2normal_down\.Conv_1x1\.conv\.0\.bias"):
        start_from(network(1, refines=False), path)


OTHER_FILES = {
    b"hi": "it is a file of another kind",
    b"": "it is a file of another kind",
    b"any text at all": "it is a file of another kind",
    b"\x80\x02}q\x00.": "Invalid magic number",
}


@pytest.mark.parametrize("content", OTHER_FILES)
def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"cannot be read as weights: {OTHER_FILES[content]}"):
        start_from(network(1, refines=False), tmp_path / "a.pt")


def test_weights_that_are_damaged_are_refused(tmp_path: Path) -> None:
    first = network(1, refines=False)
    path = saved(tmp_path / "a.pt", state={"network": first.state_dict()}, at=Position(9, 9))
    content = bytearray(path.read_bytes())
    some = first.state_dict()["low_normals.encoder.0.0.weight"].numpy().tobytes()
    content[content.index(some) + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged in"):
        start_from(network(2, refines=False), path)
