"""A training goes on from its file as if it had never stopped, and only as what it was."""

from __future__ import annotations

import dataclasses
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from snapshots import DATA, RECIPE, State, saved, snapshot
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import CheckpointError
from pipeline.version import code_version
from recon.recipe import Recipe
from recon.training.snapshot import (
    Asked,
    Data,
    Position,
    Snapshot,
    differences,
    load,
    look,
    require_fit,
    require_same,
    save,
)


def same(first: object, second: object) -> bool:
    """Whether two trees hold the same to the last bit, types included."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and first.stride() == second.stride() and first.equal(second)
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and first == second


def test_everything_comes_back_from_the_file(tmp_path: Path) -> None:
    lasting = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    state: State = {
        "network": {"a.weight": lasting, "a.count": torch.tensor(7), "a.half": torch.ones(3).bfloat16()},
        "optimiser": {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"betas": (0.9, 0.99)}]},
        "scaler": {},
        "step": 52,
    }  # fmt: skip
    recipe = Recipe(size=512, rate=3e-5, jitter=(0.8, 0.9), softened=False, seed=2**62)
    first = Snapshot(recipe, 2, Position(1, 0), DATA, state, 0.25, {"a/b": math.pi}, {"losses": [1.0, 2.0]})
    save(tmp_path / "a.pt", first)
    for second in (load(tmp_path / "a.pt"), look(tmp_path / "a.pt")):
        for item in dataclasses.fields(Snapshot):
            assert same(getattr(second, item.name), getattr(first, item.name)), item.name
    assert first.code == code_version(("pipeline", "manifests", "recon"))


def test_a_score_that_is_not_there_yet_comes_back_as_none(tmp_path: Path) -> None:
    assert load(saved(tmp_path / "a.pt", best=None)).best is None


def test_a_loaded_snapshot_outlives_its_file_and_a_looked_at_one_is_read_when_used(tmp_path: Path) -> None:
    loaded, mapped = load(saved(tmp_path / "a.pt")), look(tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes(bytes((tmp_path / "a.pt").stat().st_size))
    assert loaded.weights["head.weight"].equal(torch.arange(6.0).view(2, 3))
    assert not mapped.weights["head.weight"].any()


def test_random_numbers_go_on_where_they_were(tmp_path: Path) -> None:
    torch.manual_seed(5)
    torch.rand(10)
    saved(tmp_path / "a.pt")
    expected = torch.rand(3)
    torch.manual_seed(6)
    load(tmp_path / "a.pt").restore_random()
    assert torch.rand(3).equal(expected)


# A small training with everything that a real one keeps: batch norm, Adam, noise from torch's generator.
PROGRAM = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_training_snapshot import continued
print(*continued(Path({path!r}), {steps}))
"""


def parts() -> tuple[nn.Module, torch.optim.Adam]:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
    return network, torch.optim.Adam(network.parameters(), 0.01)


def stepped(network: nn.Module, optimiser: torch.optim.Adam, steps: int) -> list[str]:
    losses = []
    for _ in range(steps):
        image = torch.rand(2, 3, 8, 8)
        optimiser.zero_grad()
        loss = functional.mse_loss(network(image), image[:, :1, 1:-1, 1:-1])
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()).hex())
    return losses


def continued(path: Path, steps: int) -> list[str]:
    torch.set_num_threads(1)
    network, optimiser = parts()
    found = load(path)
    network.load_state_dict(found.state["network"])
    optimiser.load_state_dict(found.state["optimiser"])
    found.restore_random()
    return stepped(network, optimiser, steps)


def test_a_training_goes_on_in_another_process_with_the_same_bits(tmp_path: Path) -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network, optimiser = parts()
    stepped(network, optimiser, 3)
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
    path = saved(tmp_path / "a.pt", state=state)
    expected = stepped(network, optimiser, 3)
    program = PROGRAM.format(tests=str(Path(__file__).parent), path=str(path), steps=3)
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected
    assert len(set(expected)) == 3


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", at=Position(0, 0))
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from snapshots import saved, Position, torch\n"
        "big = {'network': {'w': torch.zeros(300_000)}}\n"
        "for step in range(1, 10_000):\n"
        "    print(step, flush=True)\n"
        "    saved(Path(sys.argv[2]), at=Position(0, step), state=big)\n"
    )
    for lines in (2, 6):
        run = (sys.executable, "-c", program, str(Path(__file__).parent), str(path))
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(lines):
                begun = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        assert begun - 1 <= load(path).at.step


def test_a_file_that_is_saved_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, settled = tmp_path / "a.pt", []
    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, lambda _, name=name: settled.append((name, path.exists())))
    saved(path)
    assert settled == [("fdatasync", False), ("fsync", True)]  # what is in it, then its name


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files may not grow over 100 kB; what would is refused as on a full disk."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_is_full_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt cannot be written: file too large") as refused:
        saved(path, state={"network": {"w": torch.zeros(100_000)}})
    assert "\n" not in str(refused.value)
    assert load(path).state["step"] == 52
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_request_goes_on_however_long(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt")
    asked = Asked(Recipe(**dataclasses.asdict(RECIPE)), 1, Data("ab12", {"demo": 28, "2K2K": 1400}))
    assert differences(load(path), asked) == []
    require_same(path, load(path), asked)


OTHERS: dict[str, tuple[Asked, list[str]]] = {
    "rate": (
        Asked(dataclasses.replace(RECIPE, rate=1e-4), 1, DATA),
        ["rate is 0.001 in the checkpoint and 0.0001 here"],
    ),
    "jitter, edges and phase": (
        Asked(dataclasses.replace(RECIPE, jitter=(0.5, 1.0), softened=False), 2, DATA),
        [
            "jitter is 0.7 to 1.0 in the checkpoint and 0.5 to 1.0 here",
            "softened is on in the checkpoint and off here",
            "phase is 1 in the checkpoint and 2 here",
        ],
    ),
    "fewer views": (
        Asked(RECIPE, 1, Data("cd34", {"2K2K": 1393, "demo": 28})),
        ["views of 2K2K are 1,400 in the checkpoint and 1,393 here"],
    ),
    "another dataset": (
        Asked(RECIPE, 1, Data("cd34", {"2K2K": 1400, "RP": 5})),
        [
            "views of RP are 0 in the checkpoint and 5 here",
            "views of demo are 28 in the checkpoint and 0 here",
        ],
    ),
    "other views": (
        Asked(RECIPE, 1, Data("cd34", DATA.views)),
        ["the views are others, though as many, or are weighed otherwise"],
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_request_is_refused_with_all_that_differs(tmp_path: Path, other: str) -> None:
    asked, expected = OTHERS[other]
    path = saved(tmp_path / "a.pt")
    assert differences(load(path), asked) == expected
    with pytest.raises(CheckpointError) as refused:
        require_same(path, load(path), asked)
    assert all(line in str(refused.value) for line in (*expected, "--out", f"--init-from {path}"))


def test_every_part_of_a_recipe_is_compared() -> None:
    others = Recipe("paper", 512, 8, 1, 0.5, 1.0, 0.0, 0.25, 0.0, "bf16", (0.1, 0.2), 0.0, False, 9)
    for item in dataclasses.fields(Recipe):
        other: Any = getattr(others, item.name)
        asked = Asked(dataclasses.replace(RECIPE, **{item.name: other}), 1, DATA)
        assert [line.split()[0] for line in differences(snapshot(), asked)] == [item.name]


def test_weights_of_another_network_are_refused_by_name() -> None:
    own = {"head.weight": torch.ones(2, 3)}
    require_fit(Path("a.pt"), snapshot(code="0.1+ab"), own)
    for other in ({"head.weight": torch.ones(2, 4)}, {}, {**own, "head.bias": torch.ones(2)}):
        with pytest.raises(
            CheckpointError, match=r"1 tensors differ, such as head.* scan2k 0\.1\+ab, so go on"
        ):
            require_fit(Path("a.pt"), snapshot(code="0.1+ab"), other)
