"""Processes that train together: the device is checked and said, batches divide, nobody waits for ever."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import distributed
from training_ranks import TORCHRUN, Heard, in_ranks

from pipeline.errors import ConfigError, TrainingError
from recon.recipe import Recipe, Source, TrainRequest
from recon.training.processes import Processes, opened


@pytest.fixture(autouse=True)
def _no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _two_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    yield


def asked(device: str = "cpu", batch: int = 4, accumulate: int = 1) -> TrainRequest:
    return TrainRequest(
        (Source("demo"),), Path(), Recipe(batch=batch), device=device, accumulate=accumulate
    )


def refusal(request: TrainRequest) -> str:
    with pytest.raises(ConfigError) as caught, opened(request, Heard()):
        pass
    return str(caught.value)


def started(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """As torchrun would start this process."""
    for name, value in zip(TORCHRUN, values, strict=False):
        monkeypatch.setenv(name, value)


def test_alone_without_a_gpu_it_takes_the_cpu_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    heard = Heard()
    threads = torch.get_num_threads()
    with opened(asked("auto"), heard) as processes:
        assert processes == Processes(torch.device("cpu"))
        assert processes.is_first
        assert not distributed.is_initialized()
        assert torch.get_num_threads() == threads
        values = {"a": torch.tensor(2.0)}
        assert processes.mean(values) == values
        assert processes.any(True)
        assert not processes.any(False)
        assert processes.gathered(("one", "two")) == ["one", "two"]
        processes.barrier()
    assert heard.said == [f"trains on the CPU; torch {torch.__version__} sees no GPU"]


@pytest.mark.usefixtures("_two_gpus")
def test_a_cpu_that_is_asked_for_is_taken_though_there_are_gpus() -> None:
    heard = Heard()
    with opened(asked("cpu"), heard) as processes:
        assert processes.device.type == "cpu"
    assert heard.said == ["trains on the CPU"]


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "auto:1", "", "mps"])
def test_a_device_that_does_not_exist_is_refused(device: str) -> None:
    assert f"device is {device!r}" in refusal(asked(device))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert "device is cuda:0" in refusal(asked("cuda"))
    assert "sees 0 GPUs here; say cpu" in refusal(asked("cuda"))


@pytest.mark.usefixtures("_two_gpus")
def test_a_third_gpu_of_two_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "device is cuda:2, and torch" in refusal(asked("cuda:2"))
    started(monkeypatch, "0", "4", "2", "4")
    assert "sees 2 GPUs here; take one of those, or fewer processes" in refusal(asked("auto"))


@pytest.mark.usefixtures("_two_gpus")
def test_one_gpu_is_not_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, "0", "2", "0", "2")
    assert "device is cuda:1, and 2 processes cannot share it" in refusal(asked("cuda:1"))


def test_a_batch_that_cannot_be_shared_evenly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "batch is 9; for equal parts it must be a multiple of {}, which are {} processes x 2 passes"
    assert refusal(asked(batch=9, accumulate=2)) == text.format(2, 1)
    started(monkeypatch, "1", "3", "1", "3")
    assert refusal(asked(batch=9, accumulate=2)) == text.format(6, 3)


def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, "0", "two")
    assert "RANK=0, WORLD_SIZE=two, LOCAL_RANK=nothing" in refusal(asked())


def test_processes_that_find_no_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, "0", "2", "0", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert re.match("2 processes did not meet: .*MASTER_ADDR.*torchrun", refusal(asked()))


def together() -> dict[str, object]:
    """What two processes say together."""
    heard = Heard()
    with opened(asked(), heard) as processes:
        rank = processes.rank
        values = {"a": torch.tensor(1.0 + rank), "b": torch.tensor(10.0 * rank)}
        found: dict[str, object] = {
            "rank": rank,
            "ranks": (processes.ranks, processes.ranks_here),
            "said": heard.said,
            "threads": torch.get_num_threads(),
            "mean": {name: float(value) for name, value in processes.mean(values).items()},
            "second stops": processes.any(rank == 1),
            "nobody stops": processes.any(False),
            "texts": processes.gathered([["first", "other"], ["second"]][rank]),
        }
        processes.barrier()
    found["closed"] = not distributed.is_initialized()
    return found


def test_two_processes_agree(tmp_path: Path) -> None:
    first, second = in_ranks(2, tmp_path, together)
    assert (first["rank"], second["rank"]) == (0, 1)
    assert len(first["said"]) == 1
    assert "the CPU, with 2 processes" in first["said"][0]
    assert second["said"] == []
    for found in (first, second):
        assert found["ranks"] == (2, 2)
        assert found["threads"] >= 1
        assert found["mean"] == {"a": 1.5, "b": 5.0}
        assert found["second stops"]
        assert not found["nobody stops"]
        assert found["texts"] == ["first", "other", "second"]
        assert found["closed"]


def half_failing() -> tuple[str, float]:
    """The second process fails, and the first one asks it something: what each is told, and when."""
    before = time.monotonic()
    with pytest.raises((TrainingError, ZeroDivisionError)) as caught, opened(asked(), Heard()) as processes:
        if not processes.is_first:
            raise ZeroDivisionError("a fault")
        processes.any(False)
    return str(caught.value), time.monotonic() - before


def test_a_process_that_fails_leaves_nobody_waiting(tmp_path: Path) -> None:
    first, second = in_ranks(2, tmp_path, half_failing)
    assert first[0] == "process 0 of 2 has lost another; what ended that one is told by it"
    assert second[0] == "a fault"
    assert max(first[1], second[1]) < 120  # and not ten minutes
