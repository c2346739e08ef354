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


def wait_for(errand: str, item: str) -> str | None:
    """Waits until a file is there, if the item is one; says in which job of Slurm."""
    end = time.monotonic() + 60
    while item and not Path(item).exists():
        if time.monotonic() > end:
            raise TimeoutError(item)
        time.sleep(0.05)
    return os.environ.get("SLURM_JOB_ID")
