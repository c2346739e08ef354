from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from pipeline.errors import ConfigError
from recon.training import curves
from recon.training.history import histories
from recon.training.record import Moment, Record, lines
from recon.training.snapshot import Position
from recon.training.stepping import Stepped
from recon.training.validation import Scores

METRICS = {
    "normal_angle_deg/low/front": 40.0,
    "normal_angle_deg/low/back": 50.0,
    "depth_error/low/front": 12.0,
    "mask_iou/low": 0.84,
}


def loss_at(step: int) -> float:
    return 2.0 + math.sin(step) if step != 2 else math.nan


def recorded(path: Path, phase: int, steps: int, an_epoch: int, *, validated: bool = True) -> None:
    with Record(path) as kept:
        kept.begin(phase, Position())
        for step in range(steps):
            moment = Moment(phase, step // an_epoch + 1, step % an_epoch + 1, an_epoch)
            loss = loss_at(step)
            terms = {"depth/low/front": loss / 2, "depth/low/back": loss / 4, "mask/low": 0.001}
            kept.step(moment, Stepped(loss, terms, math.exp(step % 7), 1e-3 / (1 + step)))
            if validated and moment.step == an_epoch:
                kept.validated(moment, Scores(3.0, {"depth/low/front": 3.0}, METRICS, 4))
        kept.note(Moment(phase, 1, 1, an_epoch), "warning", "is not a number")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved from now on."""
    saved: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, *args: object, **options: object) -> None:
        saved.append(figure)
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", kept)
    return saved


def graphs(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title().partition(": mean")[0]: axes for axes in figure.axes if axes.get_title()}


def drawn(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """Lines by what the legend calls them."""
    return {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}  # type: ignore[arg-type]


def test_a_history_has_every_number_by_the_epochs_that_were_done(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    recorded(path, 1, 6, 3)
    recorded(path, 2, 2, 4)
    found = histories(lines(path))
    assert [*found] == [1, 2]
    steps = found[1].steps
    assert set(steps) == {"loss", "depth", "mask", "rate", "grad_norm"}
    np.testing.assert_allclose(steps["loss"].epoch_N, np.arange(1, 7) / 3)
    np.testing.assert_allclose(steps["loss"].value_N, [loss_at(step) for step in range(6)])
    np.testing.assert_allclose(steps["depth"].value_N, [0.75 * loss_at(step) for step in range(6)])
    np.testing.assert_allclose(found[1].validation["loss"].epoch_N, [1.0, 2.0])
    np.testing.assert_allclose(found[1].metrics["mask_iou/low"].value_N, [0.84, 0.84])
    np.testing.assert_allclose(found[2].steps["loss"].epoch_N, [0.25, 0.5])
    assert not found[2].metrics


def test_of_what_was_said_twice_the_last_is_true() -> None:
    step = {
        "kind": "step",
        "phase": 1,
        "epoch": 1,
        "steps": 400,
        "terms": {},
        "rate": 1.0,
        "grad_norm": None,
    }
    order = [*range(1, 301), *range(400, 0, -2)]
    said = [step | {"step": number, "loss": float(time)} for time, number in enumerate(order)]
    loss = histories(said)[1].steps["loss"]
    latest = {number: float(time) for time, number in enumerate(order)}
    assert loss.epoch_N.tolist() == [number / 400 for number in sorted(latest)]
    assert loss.value_N.tolist() == [latest[number] for number in sorted(latest)]


@pytest.mark.parametrize("steps", [1, 3])
def test_few_steps_are_drawn_one_by_one(tmp_path: Path, figures: list[Figure], steps: int) -> None:
    path = tmp_path / "metrics.jsonl"
    recorded(path, 1, steps, 3)
    assert curves.draw(path, tmp_path / "curves.png")
    loss = graphs(figures[0])["loss"]
    x, y = drawn(loss)["training"]
    np.testing.assert_allclose(x, np.arange(1, steps + 1) / 3)
    np.testing.assert_allclose(y, [loss_at(step) for step in range(steps)])
    assert not loss.collections


def test_of_many_steps_means_are_drawn_and_what_they_hide(tmp_path: Path, figures: list[Figure]) -> None:
    path, steps = tmp_path / "metrics.jsonl", 2803
    recorded(path, 1, steps, 700)
    assert curves.draw(path, tmp_path / "curves.png")
    loss = graphs(figures[0])["loss"]
    x, y = drawn(loss)["training"]
    values = [loss_at(step) for step in range(steps)]
    starts = [i * steps // 400 for i in range(401)]
    stretches = [values[a:b] for a, b in pairwise(starts)]
    np.testing.assert_allclose(y, [np.nanmean(stretch) for stretch in stretches])
    middles = [np.mean(np.arange(a, b) + 1) / 700 for a, b in pairwise(starts)]
    np.testing.assert_allclose(x, middles)
    (pale,) = loss.collections
    corners = np.asarray(pale.get_paths()[0].vertices)
    assert np.max(corners[:, 1]) == pytest.approx(np.nanmax(values))
    assert np.min(corners[:, 1]) == pytest.approx(np.nanmin(values))
    assert loss.get_title() == "loss: mean of 7 steps, pale from lowest to highest"


def test_stretches_without_a_number_are_gaps(tmp_path: Path, figures: list[Figure]) -> None:
    path = tmp_path / "metrics.jsonl"
    with Record(path) as kept:
        kept.begin(1, Position())
        for step in range(100):
            loss = math.nan if 20 <= step < 40 else 1.0
            kept.step(Moment(1, 1, step + 1, 100), Stepped(loss, {"mask/low": loss}, math.inf, 1e-4))
    assert curves.draw(path, tmp_path / "curves.png")
    _, y = drawn(graphs(figures[0])["loss"])["training"]
    assert [math.isnan(value) for value in y] == [4 <= stretch < 8 for stretch in range(20)]


def test_every_graph_shows_what_it_says(tmp_path: Path, figures: list[Figure]) -> None:
    path, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    recorded(path, 1, 9, 3)
    assert curves.draw(path, picture)
    shown = graphs(figures[0])
    assert set(drawn(shown["loss by kind of term"])) >= {"depth", "mask"}
    assert drawn(shown["loss"])["validation"] == ([1.0, 2.0, 3.0], [3.0] * 3)
    angles = drawn(shown["validation: angle between normals, degrees"])
    assert [values for _, values in angles.values()] == [[40.0] * 3, [50.0] * 3]
    assert [*angles] == ["whole, at an eighth, front", "whole, at an eighth, back"]
    depth = drawn(shown["validation: depth error, thousandths of a unit"])
    assert [values for _, values in depth.values()] == [[12.0] * 3]
    mask = shown["validation: overlap of masks"]
    assert [values for _, values in drawn(mask).values()] == [[0.84] * 3]
    assert mask.get_ylim() == (0.7, 1.0)
    rate = shown["learning rate and gradient"]
    np.testing.assert_allclose(drawn(rate)["learning rate (left)"][1], [1e-3 / n for n in range(1, 10)])
    # What is of one order is drawn from 0, what is not logarithmically.
    assert shown["loss"].get_yscale() == "linear"
    assert shown["loss"].get_ylim()[0] == 0
    assert shown["loss by kind of term"].get_yscale() == "log"
    pixels = imread(picture)
    assert pixels.shape[1] >= 1600
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 100


def test_overlaps_of_any_size_are_drawn_up_to_one(tmp_path: Path, figures: list[Figure]) -> None:
    with Record(tmp_path / "metrics.jsonl") as kept:
        kept.begin(1, Position())
        for epoch, overlap in enumerate((0.002, 0.05, 0.9), 1):
            kept.validated(Moment(1, epoch, 3, 3), Scores(1.0, {}, {"mask_iou/low": overlap}, 1))
    curves.draw(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    (overlaps,) = [axes for axes in figures[0].axes if "overlap" in axes.get_title()]
    assert (overlaps.get_yscale(), overlaps.get_ylim()) == ("linear", (0.0, 1.0))


def test_both_phases_are_drawn_one_under_the_other(tmp_path: Path, figures: list[Figure]) -> None:
    path, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    recorded(path, 1, 3, 3)
    assert curves.draw(path, picture)
    alone = imread(picture).shape
    recorded(path, 2, 3, 3, validated=False)
    assert curves.draw(path, picture)
    assert imread(picture).shape == (2 * alone[0], *alone[1:])
    said = [text.get_text() for row in figures[1].subfigs for axes in row.axes for text in axes.texts]
    assert said == ["nothing yet"] * 3  # nobody was validated in the second phase


def test_there_is_no_picture_of_nothing(tmp_path: Path) -> None:
    path, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    assert not curves.draw(path, picture)
    with Record(path) as kept:
        kept.begin(1, Position())
        kept.note(Moment(1, 1, 1, 1), "warning", "nothing happened")
    assert not curves.draw(path, picture)
    assert not picture.exists()


def test_a_picture_lands_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    recorded(path, 1, 3, 3)
    picture.write_bytes(b"the one before")

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fails)
    with pytest.raises(OSError, match="No space"):
        curves.draw(path, picture)
    assert picture.read_bytes() == b"the one before"
    assert sorted(tmp_path.iterdir()) == [picture, path]


def test_without_matplotlib_one_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    recorded(path, 1, 3, 3)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ConfigError, match=r"not installed.*pip install 'scan2k\[train\]'"):
        curves.draw(path, tmp_path / "curves.png")
