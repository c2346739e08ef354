"""What a record says of each phase, as columns of numbers. Refuses to draw.

Legend of suffixes: N moments.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.records import F64
from recon.training.pace import by_group
from recon.training.record import STEP, VALIDATION, Line


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """When, in epochs that were done by then (N,), and what there was (N,), NaN where it was no number."""

    epoch_N: F64
    value_N: F64

    def __len__(self) -> int:
        return len(self.epoch_N)


Curves = Mapping[str, Points]  # by name


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Curves of one phase: of every step, and of every validation its terms and its metrics."""

    steps: Curves
    validation: Curves
    metrics: Curves


class _Columns:
    """Values by name, as they are read."""

    def __init__(self) -> None:
        self._columns: defaultdict[str, tuple[array[float], array[float]]] = defaultdict(
            lambda: (array("d"), array("d"))
        )

    def add(self, epoch: float, values: Mapping[str, float | None]) -> None:
        for name, value in values.items():
            epochs, column = self._columns[name]
            epochs.append(epoch)
            column.append(np.nan if value is None else value)

    def curves(self) -> Curves:
        """In order of time; of what was said of one moment twice, the last is true."""
        return {name: _in_order(*columns) for name, columns in self._columns.items()}


def histories(lines: Iterable[Line]) -> dict[int, History]:
    """The history of each phase that took a step or was validated."""
    phases: defaultdict[int, tuple[_Columns, _Columns, _Columns]] = defaultdict(
        lambda: (_Columns(), _Columns(), _Columns())
    )
    for line in lines:
        if line["kind"] not in (STEP, VALIDATION):
            continue
        steps, validation, metrics = phases[line["phase"]]
        epoch = line["epoch"] - 1 + line["step"] / line["steps"]
        if line["kind"] == STEP:
            steps.add(epoch, {**_losses(line), "rate": line["rate"], "grad_norm": line["grad_norm"]})
        else:
            validation.add(epoch, _losses(line))
            metrics.add(epoch, line["metrics"])
    return {phase: History(*(c.curves() for c in columns)) for phase, columns in sorted(phases.items())}


def _losses(line: Line) -> dict[str, float | None]:
    """The loss, and its terms by group."""
    terms: dict[str, Any] = line["terms"]
    known = {name: np.nan if value is None else value for name, value in terms.items()}
    return {"loss": line["loss"], **by_group(known)}


def _in_order(epochs: array[float], values: array[float]) -> Points:
    epoch_N, value_N = np.array(epochs), np.array(values)
    order = np.argsort(epoch_N, kind="stable")
    epoch_N, value_N = epoch_N[order], value_N[order]
    is_last = np.append(np.diff(epoch_N) > 0, True)
    return Points(epoch_N[is_last], value_N[is_last])
