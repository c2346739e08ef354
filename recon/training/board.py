"""A training as TensorBoard shows it: curves, and pictures of what the network predicts.

Each phase is a run of its own, so that TensorBoard lays them side by side. The record has every number, and
this has what one looks at. Refuses to compute what it shows.

Legend of suffixes: H and W of a picture, 3 its colours.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.records import U8
from recon.training.extra import extra
from recon.training.pace import by_group

if TYPE_CHECKING:
    from recon.training.stepping import Stepped
    from recon.training.validation import Scores

_CLOSELY, _EVERY = 100, 10  # so many steps are shown one by one, and of the others each tenth


class Board:
    """One phase's run under `folder`. Steps count from 1, over the whole phase.

    What an earlier process showed after the steps that are done is no longer shown.
    """

    def __init__(self, folder: Path, phase: int, steps_done: int) -> None:
        with extra():
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra, and takes seconds

        run = folder / f"phase{phase}"
        self._writer = SummaryWriter(str(run), purge_step=steps_done + 1)

    def step(self, number: int, stepped: Stepped) -> None:
        """Shows what a step came to."""
        if number > _CLOSELY and number % _EVERY:
            return
        self._show("train/loss", stepped.loss, number)
        for group, value in by_group(stepped.terms).items():
            self._show(f"train/{group}", value, number)
        for name, value in stepped.terms.items():
            self._show(f"train terms/{name}", value, number)
        self._show("optimiser/rate", stepped.rate, number)
        self._show("optimiser/gradient norm", stepped.grad_norm, number)

    def validated(self, number: int, scores: Scores) -> None:
        """Shows how good the network is by now."""
        self._show("validation/loss", scores.loss, number)
        for group, value in by_group(scores.terms).items():
            self._show(f"validation/{group}", value, number)
        for name, value in scores.terms.items():
            self._show(f"validation terms/{name}", value, number)
        for name, value in scores.metrics.items():
            self._show(f"metrics/{name}", value, number)

    def picture(self, number: int, sheet_HW3: U8) -> None:
        """Shows a sheet of pictures."""
        self._writer.add_image("predictions", sheet_HW3, number, dataformats="HWC")

    def flush(self) -> None:
        """All that was shown is in files when this returns; a checkpoint ahead of them leaves gaps."""
        self._writer.flush()

    def close(self) -> None:
        """Ends the run's file."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _show(self, tag: str, value: float, number: int) -> None:
        if math.isfinite(value):
            self._writer.add_scalar(tag, value, number)
