"""What tests of several files share: signals that are heard, and a Slurm for as long as tests want one."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from slurm import Slurm, slurm_here, why_not


@pytest.fixture(scope="session", autouse=True)
def _hears_signals() -> None:
    """Tests that interrupt builds do so where signals are ignored too, as in a script's background."""
    usual: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    for number, handler in usual.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _ends_without_noise() -> Iterator[None]:
    """What torch keeps of tensors that came from other processes it cannot let go of as Python ends."""
    yield
    if reductions := sys.modules.get("torch.multiprocessing.reductions"):
        reductions.shared_cache.clear()


@pytest.fixture(scope="session")
def running_slurm() -> Iterator[Slurm]:
    """A real Slurm of this machine."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with slurm_here() as slurm:
        yield slurm


@pytest.fixture
def slurm(running_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """That Slurm, for this process and its children, without jobs before and after."""
    for name, value in running_slurm.variables.items():
        monkeypatch.setenv(name, value)
    yield running_slurm
    running_slurm.clear()
