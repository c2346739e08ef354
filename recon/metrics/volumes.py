"""How much of the room two closed surfaces share. Refuses to close those that are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError
from pipeline.geometry.columns import Lattice, closed, shared_volumes
from recon.metrics.shapes import Laid, Shape

COLUMNS = 512


@dataclass(frozen=True, slots=True)
class VolumeScores:
    """Two closed surfaces compared by what they enclose: where their winding numbers are not 0.

    `columns` is how many stand along the longer side of the box of both, across z; `seed` places them.
    """

    columns: int
    seed: int
    alignment: str
    cm_per_unit: float
    made_cm3: float
    true_cm3: float
    shared_cm3: float
    iou: float


def compare_volumes(
    made: Laid, true: Shape, *, seed: int, cm_per_unit: float, columns: int = COLUMNS
) -> VolumeScores:
    """What a predicted and the true surface enclose together, as a share of what either does."""
    if columns < 1 or not cm_per_unit > 0:
        raise ConfigError(f"{columns} columns at {cm_per_unit:g} cm a unit; both must be above 0")
    first, second = (closed(shape.vertices, shape.faces) for shape in (made.shape, true))
    low = np.minimum(first.vertices.min(axis=0), second.vertices.min(axis=0))[:2]
    size = np.maximum(first.vertices.max(axis=0), second.vertices.max(axis=0))[:2] - low
    step = float(size.max()) / columns
    x, y = (float(place) for place in low + step * np.random.default_rng(seed).random(2))
    wide, tall = (int(count) for count in np.ceil(size / step) + 1)
    found = shared_volumes(first, second, Lattice((x, y), step, (wide, tall)))
    cubed = cm_per_unit**3
    return VolumeScores(
        columns=columns,
        seed=seed,
        alignment=made.alignment,
        cm_per_unit=cm_per_unit,
        made_cm3=found.first * cubed,
        true_cm3=found.second * cubed,
        shared_cm3=found.both * cubed,
        iou=found.both / found.either if found.either > 0 else float("nan"),
    )
