"""The curves of a training as one picture: what it lost, how good it got, and how fast it went.

Every phase has two rows of three graphs. Of many steps a line shows means of stretches, and what is pale
around it goes from the lowest to the highest. Refuses to compute a loss or a metric.

Legend of suffixes: N moments, S stretches of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.atomic import replacing
from pipeline.records import F64
from recon.losses import SIDES
from recon.metrics.views import DEPTH_ERROR, MASK_IOU, NORMAL_ANGLE
from recon.training.extra import extra
from recon.training.history import Curves, History, Points, histories
from recon.training.record import lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_WIDTH, _HEIGHT, _DPI = 17.0, 6.6, 100  # inches, and a phase's height; pixels to an inch
_FEW, _A_STRETCH, _STRETCHES = (
    60,
    5,
    400,
)  # steps shown one by one, fewest steps of a stretch, most stretches
_WIDE, _VERY_WIDE = (
    4.0,
    100.0,
)  # highest over lowest: from where a scale is logarithmic, and has few numbers
_BLACK, _GREY = "#222222", "#888888"
_COLORS = {
    "loss": _BLACK,
    "normals": "#0072b2",
    "depth": "#d55e00",
    "consistency": "#009e73",
    "mask": "#cc79a7",
    "low": "#0072b2",
    "parts": "#d55e00",
    "merged": "#009e73",
    "full": "#cc79a7",
}
_SAID = {"low": "whole, at an eighth", "parts": "parts", "merged": "parts, merged", "full": "refined"}
_NOT_TERMS = ("loss", "rate", "grad_norm")
_DASHED = "--"


def draw(record: Path, picture: Path) -> bool:
    """Draws what a record says of all its phases; False, and no picture, if that is nothing."""
    phases = histories(lines(record))
    if not phases:
        return False
    with extra():
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  an extra
        from matplotlib.figure import Figure  # noqa: PLC0415  an extra

    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(phases)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subfigures(len(phases), 1, squeeze=False)[:, 0]
    for row, (phase, history) in zip(rows, phases.items(), strict=True):
        row.suptitle(f"Phase {phase}", weight="bold", size=13)
        _draw_phase(row, history)
    with replacing(picture) as stream:
        figure.savefig(stream, format="png")
    return True


def _draw_phase(row: SubFigure, history: History) -> None:
    (loss, terms, rate), (angle, depth, mask) = row.subplots(2, 3, sharex=True)
    groups = [name for name in history.steps or history.validation if name not in _NOT_TERMS]
    _draw_losses(loss, f"loss{_stretches_said(history.steps)}", history, ["loss"])
    _draw_losses(terms, "loss by kind of term", history, groups)
    _draw_rate(rate, history.steps)
    _draw_metric(angle, "angle between normals, degrees", history.metrics, NORMAL_ANGLE)
    _draw_metric(depth, "depth error, thousandths of a unit", history.metrics, DEPTH_ERROR)
    _draw_metric(mask, "overlap of masks", history.metrics, MASK_IOU)
    if mask.lines:
        _up_to_one(mask)
    for axes in (angle, depth, mask):
        axes.set_xlim(left=0)
        axes.set_xlabel("epochs")


def _stretches_said(steps: Curves) -> str:
    """What a line and what is pale stand for, if that is not each step."""
    count = len(steps["loss"]) if "loss" in steps else 0
    each = round(count / _stretches(count)) if count > _FEW else 0
    return f": mean of {each} steps, pale from lowest to highest" if each else ""


def _draw_losses(axes: Axes, title: str, history: History, names: Sequence[str]) -> None:
    """Training as lines with their pale range, validation dashed and dotted."""
    for name in names:
        color = _COLORS.get(name, _GREY)
        if name in history.steps:
            _draw_steps(axes, history.steps[name], color, name if len(names) > 1 else "training")
        if name in history.validation:
            _draw_points(
                axes, history.validation[name], color, _DASHED, "validation" if name == names[-1] else None
            )
    _finish(axes, title)


def _draw_rate(axes: Axes, steps: Curves) -> None:
    """The rate to the left scale, the gradient's length to the right one."""
    axes.set_title("learning rate and gradient", size=11)
    length = axes.twinx()
    drawn = (
        (length, "grad_norm", _GREY, "length of the gradient (right)", _scale),
        (axes, "rate", _COLORS["normals"], "learning rate (left)", _from_zero),
    )
    for own, name, color, label, scale in drawn:
        if name in steps:
            _draw_steps(own, steps[name], color, label)
            scale(own)
    axes.set_zorder(length.get_zorder() + 1)
    axes.patch.set_visible(False)
    if handles := [*axes.get_lines(), *length.get_lines()]:
        axes.legend(handles=handles, fontsize=8)


def _draw_metric(axes: Axes, title: str, metrics: Curves, metric: str) -> None:
    """A colour for each thing that is measured; fronts solid, backs dashed."""
    for name, points in metrics.items():
        about, _, rest = name.partition("/")
        if about == metric:
            what, _, side = rest.partition("/")
            label = ", ".join(filter(None, (_SAID.get(what, what), side)))
            _draw_points(
                axes, points, _COLORS.get(what, _GREY), _DASHED if side == SIDES[-1] else "-", label
            )
    _finish(axes, f"validation: {title}")


def _draw_steps(axes: Axes, points: Points, color: str, label: str) -> None:
    if len(points) <= _FEW:
        axes.plot(points.epoch_N, points.value_N, color=color, marker=".", lw=1.5, label=label)
        return
    stretches = _stretched(points)
    axes.fill_between(stretches.epoch_S, stretches.low_S, stretches.high_S, color=color, alpha=0.2, lw=0)
    axes.plot(stretches.epoch_S, stretches.mean_S, color=color, lw=1.5, label=label)


def _draw_points(axes: Axes, points: Points, color: str, style: str, label: str | None) -> None:
    marker = "." if len(points) <= _FEW else ""
    axes.plot(points.epoch_N, points.value_N, style, color=color, marker=marker, lw=1.2, label=label)


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, size=11)
    if not axes.lines:
        axes.text(0.5, 0.5, "nothing yet", transform=axes.transAxes, ha="center", color=_GREY)
        axes.set_yticks([])
        return
    _scale(axes)
    axes.legend(fontsize=8)


def _scale(axes: Axes) -> None:
    """Logarithmic where values are of different orders, else from 0 on."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415  an extra

    values = _shown(axes)
    if not len(values) or values.min() <= 0 or values.max() <= _WIDE * values.min():
        _from_zero(axes)
        return
    axes.set_yscale("log")
    if values.max() < _VERY_WIDE * values.min():
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)


def _from_zero(axes: Axes) -> None:
    axes.set_ylim(0, 1.08 * max(_shown(axes).max(initial=0.0), 1e-9))
    axes.grid(alpha=0.25)


def _up_to_one(axes: Axes) -> None:
    """From a round number under everything to 1, which is the most there can be."""
    lowest = _shown(axes).min(initial=1.0)
    axes.set_yscale("linear")
    axes.set_ylim(max(0.0, np.floor(lowest * 10 - 0.5) / 10), 1.0)
    axes.grid(alpha=0.25)


def _shown(axes: Axes) -> F64:
    """All values that lines have."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines])
    shown: F64 = values[np.isfinite(values)]
    return shown


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    epoch_S: F64
    mean_S: F64
    low_S: F64
    high_S: F64


def _stretches(count: int) -> int:
    """How many stretches so many steps are shown in."""
    return min(_STRETCHES, count // _A_STRETCH)


def _stretched(points: Points) -> _Stretches:
    """Means, lowest and highest of stretches of steps, of those that are numbers; NaN where none is."""
    count = len(points)
    starts_S = np.linspace(0, count, _stretches(count), endpoint=False).astype(np.int64)
    is_number_N = np.isfinite(points.value_N)
    numbers_S = np.add.reduceat(is_number_N.astype(np.float64), starts_S)
    sum_S = np.add.reduceat(np.where(is_number_N, points.value_N, 0.0), starts_S)
    low_S = np.minimum.reduceat(np.where(is_number_N, points.value_N, np.inf), starts_S)
    high_S = np.maximum.reduceat(np.where(is_number_N, points.value_N, -np.inf), starts_S)
    some_S = numbers_S > 0
    epoch_S = np.add.reduceat(points.epoch_N, starts_S) / np.diff(starts_S, append=count)
    return _Stretches(
        epoch_S,
        np.where(some_S, sum_S / np.maximum(numbers_S, 1), np.nan),
        np.where(some_S, low_S, np.nan),
        np.where(some_S, high_S, np.nan),
    )
