"""What tests of several files share: a Slurm that runs for as long as there are tests that want one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm import Slurm, slurm_here, why_not


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
