"""Steps that workers in other processes can import, for tests of who carries them out."""

from __future__ import annotations

import os
import time
from pathlib import Path


def halve(errand: float, item: int) -> float:
    """Takes as many seconds as the errand says."""
    time.sleep(errand)
    return item / 2


def tell(errand: float, item: int, half: float) -> tuple[float, str | None]:
    """What was found, and in which job of Slurm."""
    return item + half, os.environ.get("SLURM_JOB_ID")


def quote(errand: None, item: str) -> str:
    """What this process's environment says."""
    return os.environ[item]


def wait_for(errand: Path, item: str) -> str:
    """Waits for a file in the errand's folder, if the item names one; says in which job of Slurm."""
    job = os.environ["SLURM_JOB_ID"]
    (errand / f"begun-in-{job}").touch()
    end = time.monotonic() + 60
    while item and not (errand / item).exists():
        if time.monotonic() > end:
            raise TimeoutError(item)
        time.sleep(0.05)
    return job
