"""How far a predicted surface is from the true one, in space, by points drawn evenly from both.

Distances are those to the other surface's triangles, not to its vertices or to points drawn from it.
Refuses to move anything: what is compared has been laid where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.errors import ConfigError
from pipeline.records import F64
from recon.metrics.samples import sample
from recon.metrics.shapes import Laid, Shape


@dataclass(frozen=True, slots=True)
class Protocol:
    """What decides the numbers besides the surfaces: points of either, their seed, units, and F-scores."""

    points: int
    seed: int
    cm_per_unit: float
    within_cm: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        if self.points < 1 or not self.cm_per_unit > 0:
            raise ConfigError(
                f"{self.points} points at {self.cm_per_unit:g} cm a unit; both must be above 0"
            )


@dataclass(frozen=True, slots=True)
class FScore:
    """How much of either surface is no farther from the other than a distance; shares from 0 to 1.

    `precision` is of the prediction, `recall` of the truth, `f_score` their harmonic mean.
    """

    within_cm: float
    precision: float
    recall: float
    f_score: float


@dataclass(frozen=True, slots=True)
class SurfaceScores:
    """Two surfaces compared, and how.

    Means of distances, not of their squares; `chamfer_cm` is the mean of both directions. Normal
    consistency is the mean cosine, whichever side either normal looks to, between a point's normal and that
    of the nearest triangle: of the prediction's points, of the truth's, and the mean of both.
    """

    protocol: Protocol
    alignment: str
    made_to_true_cm: float
    true_to_made_cm: float
    chamfer_cm: float
    made_to_true_p95_cm: float
    true_to_made_p95_cm: float
    made_normal_consistency: float
    true_normal_consistency: float
    normal_consistency: float
    f_scores: tuple[FScore, ...]


class _Way(NamedTuple):
    """From the points of one surface to the other: distances (N,) and cosines (N,)."""

    cm: F64
    cosines: F64


def compare(made: Laid, true: Shape, protocol: Protocol) -> SurfaceScores:
    """How far a predicted surface is from the true one, by as many points of either."""
    there = _way(made.shape, true, protocol, protocol.seed)
    back = _way(true, made.shape, protocol, protocol.seed + 1)
    made_nc, true_nc = float(there.cosines.mean()), float(back.cosines.mean())
    made_cm, true_cm = float(there.cm.mean()), float(back.cm.mean())
    return SurfaceScores(
        protocol=protocol,
        alignment=made.alignment,
        made_to_true_cm=made_cm,
        true_to_made_cm=true_cm,
        chamfer_cm=(made_cm + true_cm) / 2,
        made_to_true_p95_cm=float(np.quantile(there.cm, 0.95)),
        true_to_made_p95_cm=float(np.quantile(back.cm, 0.95)),
        made_normal_consistency=made_nc,
        true_normal_consistency=true_nc,
        normal_consistency=(made_nc + true_nc) / 2,
        f_scores=tuple(_f_score(there.cm, back.cm, limit) for limit in protocol.within_cm),
    )


def _way(one: Shape, other: Shape, protocol: Protocol, seed: int) -> _Way:
    drawn = sample(one.places, one.faces, protocol.points, seed)
    near = other.surface.nearest(drawn.points)
    cosines = np.einsum("ij,ij->i", drawn.normals, other.normals[near.face])
    return _Way(near.distance * protocol.cm_per_unit, np.abs(cosines))


def _f_score(there_cm: F64, back_cm: F64, limit: float) -> FScore:
    precision, recall = float((there_cm <= limit).mean()), float((back_cm <= limit).mean())
    both = precision + recall
    return FScore(limit, precision, recall, 2 * precision * recall / both if both else 0.0)
