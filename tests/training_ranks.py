"""Several processes of one training, on this machine and one thread each, as torchrun would start them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import spawn

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


class Heard:
    """A watch that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def pace(self, pace: object) -> None:
        raise AssertionError("nobody counts here")


def in_ranks(ranks: int, folder: Path, work: Callable[..., Any], *given: object) -> list[Any]:
    """What a function of a module came to in each of several processes, by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    spawn(_one, (environment, folder, work, given), ranks)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(ranks)]


def _one(
    rank: int,
    environment: dict[str, str],
    folder: Path,
    work: Callable[..., Any],
    given: tuple[object, ...],
) -> None:
    os.environ |= {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)
    torch.save(work(*given), folder / f"{rank}.pt")
