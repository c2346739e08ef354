"""A small snapshot for tests, of which any part can be another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from recon.recipe import FP32, Recipe
from recon.training.snapshot import Data, Position, Snapshot, save

RECIPE = Recipe(size=256, width=16, batch=4, rate=1e-3, precision=FP32)
DATA = Data("ab12", {"2K2K": 1400, "demo": 28})
State = dict[str, Any]


def snapshot(**others: Any) -> Snapshot:  # noqa: ANN401
    """The usual one, but for these parts."""
    usual: State = {"recipe": RECIPE, "phase": 1, "at": Position(3, 7), "data": DATA}
    usual["state"] = {"network": {"head.weight": torch.arange(6.0).view(2, 3)}, "step": 52}
    return Snapshot(**{**usual, **others})


def saved(path: Path, **others: Any) -> Path:  # noqa: ANN401
    """The file that it was written to."""
    save(path, snapshot(**others))
    return path
