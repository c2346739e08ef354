"""How far maps of normals and of depth are from true ones, over the pixels that count, as tables state it.

Angles come from `recon.metrics.normals`, which knows what a prediction without a direction costs. Refuses
to choose the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError, ScanError
from pipeline.records import F32, F64, Bool

AS_IT_IS, AFFINE = "none", "affine"
_FLAT = 1e-12  # of its size: a map that varies less is the same everywhere


@dataclass(frozen=True, slots=True)
class NormalScores:
    """Angles between normals over some pixels; shares are from 0 to 1, and count what is exactly as far."""

    pixels: int
    mean_deg: float
    median_deg: float
    within_11_25_deg: float
    within_22_5_deg: float
    within_30_deg: float


@dataclass(frozen=True, slots=True)
class DepthScores:
    """Differences of depth over some pixels, of `scale * made + shift` from the true one.

    `abs_rel` is the mean difference as a share of the true depth. `fit` says whether scale and shift were
    found here, in least squares, or are 1 and 0.
    """

    pixels: int
    fit: str
    cm_per_unit: float
    scale: float
    shift_cm: float
    rmse_cm: float
    abs_rel: float


def compare_normals(angles_deg: F32 | F64, inside: Bool) -> NormalScores:
    """What angles (H, W) come to over the pixels inside (H, W)."""
    angles = np.asarray(angles_deg[inside], dtype=np.float64)
    _some(len(angles))
    return NormalScores(
        pixels=len(angles),
        mean_deg=float(angles.mean()),
        median_deg=float(np.median(angles)),
        within_11_25_deg=float((angles <= 11.25).mean()),
        within_22_5_deg=float((angles <= 22.5).mean()),
        within_30_deg=float((angles <= 30.0).mean()),
    )


def compare_depths(
    made: F32 | F64, true: F32 | F64, inside: Bool, *, cm_per_unit: float, fit: str = AS_IT_IS
) -> DepthScores:
    """How far depths (H, W) are from true ones over the pixels inside (H, W), as is or after a fit."""
    if fit not in (AS_IT_IS, AFFINE):
        raise ConfigError(f"fit {fit!r} is not known; choose {AS_IT_IS} or {AFFINE}")
    of_made, of_true = (np.asarray(depth[inside], dtype=np.float64) for depth in (made, true))
    _some(len(of_made))
    if not (of_true > 0).all():
        raise ScanError(f"true depth is {of_true.min():g} in places that count; it must be above 0")
    scale, shift = _affine(of_made, of_true) if fit == AFFINE else (1.0, 0.0)
    apart = np.abs(scale * of_made + shift - of_true)
    return DepthScores(
        pixels=len(apart),
        fit=fit,
        cm_per_unit=cm_per_unit,
        scale=scale,
        shift_cm=shift * cm_per_unit,
        rmse_cm=float(np.sqrt((apart**2).mean())) * cm_per_unit,
        abs_rel=float((apart / of_true).mean()),
    )


def _affine(made: F64, true: F64) -> tuple[float, float]:
    """The scale and shift that take numbers (N,) nearest to others; a flat map only shifts."""
    from_mean = made - made.mean()
    spread = float(from_mean @ from_mean)
    flat = not spread > (_FLAT * np.abs(made).max()) ** 2 * len(made)
    scale = 1.0 if flat else float(from_mean @ true) / spread
    return scale, float(true.mean() - scale * made.mean())


def _some(pixels: int) -> None:
    if not pixels:
        raise ScanError("no pixel counts; there is nobody in one of the two maps")
