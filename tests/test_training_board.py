from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from pipeline.errors import ConfigError
from recon.training.board import Board
from recon.training.stepping import Stepped
from recon.training.validation import Scores


def stepped(loss: float, grad_norm: float = 2.0) -> Stepped:
    terms = {"normals/arm/front": loss, "normals/arm/back": 1.0, "mask/low": 0.5}
    return Stepped(loss + 1.5, terms, grad_norm, 1e-4)


def seen(folder: Path, phase: int = 1) -> EventAccumulator:
    """What TensorBoard makes of a run."""
    found = EventAccumulator(str(folder / f"phase{phase}"), {"scalars": 0, "images": 0})
    found.Reload()
    return found


def curve(folder: Path, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in seen(folder).Scalars(tag)}


def test_every_number_of_a_step_has_a_curve(tmp_path: Path) -> None:
    with Board(tmp_path, 1, 0) as board:
        board.step(1, stepped(4.0))
        board.step(2, stepped(3.0))
    assert set(seen(tmp_path).Tags()["scalars"]) == {
        "train/loss", "train/normals", "train/mask", "train terms/normals/arm/front",
        "train terms/normals/arm/back", "train terms/mask/low", "optimiser/rate", "optimiser/gradient norm",
    }  # fmt: skip
    assert curve(tmp_path, "train/loss") == {1: 5.5, 2: 4.5}
    assert curve(tmp_path, "train/normals") == {1: 5.0, 2: 4.0}
    assert curve(tmp_path, "train terms/mask/low") == {1: 0.5, 2: 0.5}
    assert curve(tmp_path, "optimiser/gradient norm") == {1: 2.0, 2: 2.0}
    assert curve(tmp_path, "optimiser/rate")[1] == pytest.approx(1e-4)


def test_every_score_has_a_curve(tmp_path: Path) -> None:
    with Board(tmp_path, 1, 0) as board:
        board.validated(
            40, Scores(1.25, {"mask/low": 0.25, "depth/low/front": 1.0}, {"mask_iou/low": 0.75}, 3)
        )
    assert curve(tmp_path, "validation/loss") == {40: 1.25}
    assert curve(tmp_path, "validation/depth") == {40: 1.0}
    assert curve(tmp_path, "validation terms/mask/low") == {40: 0.25}
    assert curve(tmp_path, "metrics/mask_iou/low") == {40: 0.75}


def test_after_a_hundred_steps_every_tenth_is_shown(tmp_path: Path) -> None:
    with Board(tmp_path, 1, 0) as board:
        for number in range(1, 131):
            board.step(number, stepped(float(number)))
    assert [*curve(tmp_path, "train/loss")] == [*range(1, 101), 110, 120, 130]


def test_a_resumed_training_has_each_step_once(tmp_path: Path) -> None:
    with Board(tmp_path, 1, 0) as board:
        for number in range(1, 11):
            board.step(number, stepped(1.0))
    with Board(tmp_path, 1, 6) as board:
        for number in range(7, 9):
            board.step(number, stepped(2.0))
    assert curve(tmp_path, "train/normals") == {n: 2.0 if n < 7 else 3.0 for n in range(1, 9)}
    assert [event.step for event in seen(tmp_path).Scalars("train/loss")] == [*range(1, 9)]


def test_phases_are_runs_of_their_own(tmp_path: Path) -> None:
    for phase in (1, 2):
        with Board(tmp_path, phase, 0) as board:
            board.step(1, stepped(float(phase)))
    assert [seen(tmp_path, phase).Scalars("train/normals")[0].value for phase in (1, 2)] == [2.0, 3.0]


def test_what_was_flushed_is_there_after_a_kill(tmp_path: Path) -> None:
    with Board(tmp_path, 1, 0) as board:
        board.step(1, stepped(4.0))
        board.flush()
        assert curve(tmp_path, "train/loss") == {1: 5.5}


def test_what_is_no_number_is_not_shown_and_not_talked_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Board(tmp_path, 1, 0) as board:
        board.step(1, stepped(1.0, grad_norm=math.inf))
        board.step(2, stepped(math.nan))
    assert curve(tmp_path, "train/loss") == {1: 2.5}
    assert curve(tmp_path, "optimiser/gradient norm") == {2: 2.0}
    assert not caplog.records


def test_a_picture_is_shown_as_it_is(tmp_path: Path) -> None:
    sheet = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    with Board(tmp_path, 1, 0) as board:
        board.picture(7, sheet)
    (event,) = seen(tmp_path).Images("predictions")
    assert event.step == 7
    shown = matplotlib.image.imread(io.BytesIO(event.encoded_image_string), format="png")
    assert np.array_equal(np.rint(shown * 255).astype(np.uint8), sheet)


def test_without_tensorboard_one_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"not installed.*pip install 'scan2k\[train\]'"):
        Board(tmp_path, 1, 0)
