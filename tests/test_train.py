"""A whole training on people of ellipsoids: what it leaves, and that cuts and ends change nothing."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_ranks import in_ranks
from training_rows import fold_people, write_people, write_person

from manifests.lock import FolderLock
from pipeline.errors import CheckpointError, ConfigError, ManifestError, PipelineError, TrainingError
from recon import train as trains
from recon.losses import Terms
from recon.recipe import Recipe, Source, TrainRequest
from recon.train import STOPPING, Outcome, train
from recon.training import notes
from recon.training.snapshot import Position, look
from recon.training.stepping import Stepper
from recon.training.watch import TRAINING, Pace

RECIPE = Recipe(size=256, width=4, batch=2, rate=1e-3, precision="fp32")


class Heard:
    """Who watches a training, keeps every line, and may do something at a step."""

    def __init__(self, at_step: Callable[[Pace], None] | None = None) -> None:
        self.lines: list[str] = []
        self.say = self.warn = self.lines.append
        self.pace = at_step or (lambda pace: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six views to learn from, and two to be judged by."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("people")
    write_people(folder, people=3, yaws=(0, 30))
    write_people(folder, people=1, yaws=(0, 30), split="val")
    return folder


@pytest.fixture(scope="module")
def asked(data: Path) -> TrainRequest:
    return TrainRequest(
        sources=(Source("spheres"),),
        out=data / "whole",
        recipe=RECIPE,
        epochs=2,
        data=data,
        device="cpu",
        workers=0,
    )


@pytest.fixture(scope="module")
def whole(asked: TrainRequest) -> Outcome:
    """A training of both phases that nothing comes between."""
    return train(asked, Heard())


@pytest.fixture(autouse=True)
def _undrawn(whole: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these trainings, and the whole one has drawn them."""
    monkeypatch.setattr(trains, "draw", lambda record, picture: False)
    monkeypatch.setattr(notes, "sheet", lambda *shown: np.zeros((8, 8, 3), dtype=np.uint8))


def _lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _places(run: Path) -> list[tuple[int, int, int]]:
    """Phase, epoch and step of every step that was noted."""
    return [(x["phase"], x["epoch"], x["step"]) for x in _lines(run) if x["kind"] == "step"]


def _record(run: Path) -> str:
    return (run / "metrics.jsonl").read_text()


def _stop_at(phase: int, step: int) -> Callable[[Pace], None]:
    """Presses Ctrl-C after a step of the first epoch."""

    def hear(pace: Pace) -> None:
        if (pace.phase, pace.epoch, pace.step, pace.doing) == (phase, 1, step, TRAINING):
            os.kill(os.getpid(), signal.SIGINT)

    return hear


def test_a_training_leaves_weights_of_both_phases_and_a_record(whole: Outcome, asked: TrainRequest) -> None:
    run = asked.out
    assert not whole.stopped and [ended.phase for ended in whole.phases] == [1, 2]
    assert {path.name for path in run.iterdir() if not path.name.startswith("training.lock")} == {
        *("recipe.json", "metrics.jsonl", "curves.png", "board", "phase1", "phase2")
    }
    for phase in (1, 2):
        assert {path.name for path in (run / f"phase{phase}").iterdir()} == {"last.pt", "best.pt"}
        assert look(run / f"phase{phase}" / "last.pt").at == Position(2, 0)
    assert _places(run) == [(p, e, s) for p in (1, 2) for e in (1, 2) for s in (1, 2, 3)]
    judged = [line for line in _lines(run) if line["kind"] == "validation"]
    assert [(line["phase"], line["epoch"]) for line in judged] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert all(line["samples"] == 2 for line in judged)
    assert "depth_error/full/front" in whole.phases[1].scores
    assert json.loads((run / "recipe.json").read_text())["recipe"]["batch"] == 2


def test_the_best_weights_are_those_of_the_lowest_loss_on_others(
    whole: Outcome, asked: TrainRequest
) -> None:
    for phase in (1, 2):
        losses = [x["loss"] for x in _lines(asked.out) if (x["kind"], x["phase"]) == ("validation", phase)]
        best = look(asked.out / f"phase{phase}" / "best.pt")
        assert best.best == pytest.approx(min(losses), rel=1e-6)
        assert best.at.epoch == 1 + losses.index(min(losses))


def test_the_second_phase_keeps_what_the_first_has_learnt(whole: Outcome, asked: TrainRequest) -> None:
    first, second = (look(asked.out / name).weights for name in ("phase1/best.pt", "phase2/last.pt"))
    assert set(first) < set(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_done_is_not_done_again(whole: Outcome, asked: TrainRequest) -> None:
    before = _record(asked.out), (asked.out / "phase2/last.pt").stat().st_mtime_ns
    again = train(asked, Heard())
    assert again.phases == whole.phases
    assert (_record(asked.out), (asked.out / "phase2/last.pt").stat().st_mtime_ns) == before


def test_a_training_that_is_stopped_goes_on_as_if_it_had_not_been(
    whole: Outcome, asked: TrainRequest, tmp_path: Path
) -> None:
    request = replace(asked, out=tmp_path / "run")
    for phase, places in ((1, [(1, 1, 1), (1, 1, 2)]), (2, [(1, 1, 3), (2, 1, 1), (2, 1, 2)])):
        heard = Heard(_stop_at(phase, 2))
        outcome = train(request, heard)
        assert outcome.stopped and STOPPING in heard.lines
        assert str(request.out) in outcome.lines()[-1]
        assert {*places} <= {*_places(request.out)}
        assert _places(request.out)[-1] == (phase, 1, 2)
    train(request, Heard())
    assert _record(request.out) == _record(asked.out)
    for name in ("phase1/last.pt", "phase2/last.pt"):
        ours, theirs = (look(run / name).weights for run in (request.out, asked.out))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


KILLED = """
import sys, time
sys.path[:0] = {paths!r}
import os, signal, torch
torch.set_num_threads(1)
from pathlib import Path
from recon.recipe import Recipe, Source, TrainRequest
from recon.train import train
class Watch:
    def say(self, text): pass
    warn = say
    def pace(self, pace):
        if (pace.epoch, pace.step, pace.doing) == (2, 2, "training"):
            os.kill(os.getpid(), signal.SIGKILL)
train(TrainRequest((Source("spheres"),), Path({out!r}), Recipe(**{recipe!r}), epochs=2, data=Path({data!r}),
                   phase="1", device="cpu", workers=0, save_minutes=0.0), Watch())
"""


def test_a_training_that_is_killed_goes_on_as_if_it_had_not_been(
    whole: Outcome, asked: TrainRequest, tmp_path: Path
) -> None:
    request = replace(asked, out=tmp_path / "run", phase="1", save_minutes=0.0)
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    code = KILLED.format(paths=paths, out=str(request.out), recipe=asdict(RECIPE), data=str(request.data))
    killed = subprocess.run((sys.executable, "-c", code), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert look(request.out / "phase1/last.pt").at == Position(1, 1)
    train(request, Heard())
    wanted = [line for line in _lines(asked.out) if line["phase"] == 1]
    assert _lines(request.out) == wanted


def test_another_recipe_is_refused_with_what_differs(whole: Outcome, asked: TrainRequest) -> None:
    other = replace(asked, recipe=replace(RECIPE, rate=0.5, seed=3))
    with pytest.raises(
        CheckpointError, match=r"rate is 0\.001 in the checkpoint and 0\.5 here; seed is 0"
    ) as told:
        train(other, Heard())
    assert "--out" in str(told.value)


def test_other_views_are_refused_with_their_number(whole: Outcome, asked: TrainRequest) -> None:
    with pytest.raises(CheckpointError, match="views of spheres are 6 in the checkpoint and 3 here"):
        train(replace(asked, yaws=(0.0,)), Heard())


def test_more_epochs_go_on_from_where_it_ended(whole: Outcome, asked: TrainRequest, tmp_path: Path) -> None:
    shutil.copytree(asked.out, tmp_path / "run")
    longer = train(replace(asked, out=tmp_path / "run", phase="1", epochs=3), Heard())
    assert longer.phases[0].epochs == 3
    assert [place for place in _places(tmp_path / "run") if place[:2] == (1, 3)] == [
        (1, 3, s) for s in (1, 2, 3)
    ]


def test_a_second_training_of_a_run_is_refused(asked: TrainRequest, tmp_path: Path) -> None:
    with (
        FolderLock(tmp_path, "training"),
        pytest.raises(ManifestError, match="another training writes"),
    ):
        train(replace(asked, out=tmp_path), Heard())


def test_phase_two_alone_needs_weights_to_start_from(asked: TrainRequest, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--init-from"):
        train(replace(asked, out=tmp_path / "run", phase="2"), Heard())


def test_phase_two_starts_from_given_weights(whole: Outcome, asked: TrainRequest, tmp_path: Path) -> None:
    given = asked.out / "phase1" / "best.pt"
    heard = Heard()
    train(replace(asked, out=tmp_path / "run", phase="2", epochs=1, init_from=given), heard)
    assert any(line.startswith(f"starting from {given}") for line in heard.lines)
    ours, theirs = (look(run / "phase2/last.pt").weights for run in (tmp_path / "run", asked.out))
    held = [name for name in theirs if not name.startswith("refiner.")]
    assert all(torch.equal(ours[name], theirs[name]) for name in held)


def test_numbers_that_are_none_stop_it_and_name_the_batch(
    asked: TrainRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, calls = Stepper.terms, []

    def breaks(self: Stepper, *shown: Any) -> Terms:  # noqa: ANN401
        calls.append(1)
        terms = usual(self, *shown)
        return terms | {"mask/low": terms["mask/low"] * math.nan} if len(calls) == 5 else terms

    monkeypatch.setattr(Stepper, "terms", breaks)
    request = replace(asked, out=tmp_path / "run", phase="1", save_minutes=0.0)
    with pytest.raises(TrainingError, match=r"nan in mask/low, for spheres/train00\d/\S+, spheres/"):
        train(request, Heard())
    assert _lines(request.out)[-1]["kind"] == "stopped"
    last = look(request.out / "phase1/last.pt")
    assert last.at == Position(1, 0)
    assert all(torch.isfinite(tensor).all() for tensor in last.weights.values())


def test_without_others_to_judge_by_the_latest_weights_are_the_best(
    asked: TrainRequest, tmp_path: Path
) -> None:
    write_people(tmp_path, people=2)
    heard = Heard()
    request = replace(asked, out=tmp_path / "run", data=tmp_path, phase="1", keep_every=2)
    train(request, heard)
    assert any("nobody is there to validate with" in line for line in heard.lines)
    assert look(request.out / "phase1/best.pt").at == Position(2, 0)
    assert {path.name for path in (request.out / "phase1").iterdir()} == {
        "last.pt",
        "best.pt",
        "epoch-0002.pt",
    }


def _in_this_rank(request: TrainRequest) -> list[str]:
    setattr(trains, "draw", lambda record, picture: False)  # noqa: B010  not for others to import
    heard = Heard()
    train(request, heard)
    return heard.lines


def test_two_processes_learn_what_one_does(whole: Outcome, asked: TrainRequest, tmp_path: Path) -> None:
    request = replace(asked, out=tmp_path / "run", epochs=1)
    first, second = in_ranks(2, tmp_path, _in_this_rank, request)
    assert second == []
    assert any("2 processes" in line for line in first)
    ours, alone = _lines(request.out), [line for line in _lines(asked.out) if line["epoch"] == 1]
    assert [(x["kind"], x["phase"], x["step"]) for x in ours] == [
        (x["kind"], x["phase"], x["step"]) for x in alone
    ]
    starts = [line["step"] == 1 and line["phase"] == 1 for line in ours]
    for mine, theirs in compress(zip(ours, alone, strict=True), starts):
        assert mine["terms"] == pytest.approx(theirs["terms"], rel=1e-3)
    assert [line["samples"] for line in ours if line["kind"] == "validation"] == [2, 2]


def test_parts_that_are_not_known_are_told_of_once(asked: TrainRequest, tmp_path: Path) -> None:
    known = tuple(point not in {7, 9, *range(23, 27)} for point in range(31))  # no left elbow, wrist, hand
    write_person(tmp_path, "one-armed", keypoints_valid=known)
    write_person(tmp_path, "whole")
    fold_people(tmp_path)
    heard = Heard()
    train(replace(asked, out=tmp_path / "run", data=tmp_path, phase="1"), heard)
    assert [line for line in heard.lines if "not known" in line] == [
        "phase 1, epoch 1 of 2: parts whose keypoints are not known are not learnt: "
        "left upper arm 1, left forearm 1"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": Path("/nowhere")}, "scan2k render spheres"),
        ({"sources": (Source("nobody"),)}, "scan2k render nobody"),
        ({"recipe": replace(RECIPE, size=300)}, "size is 300"),
        ({"recipe": replace(RECIPE, size=512)}, "512"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"background_folders": (Path("/nowhere"),)}, "is no folder"),
        ({"init_from": Path("/nowhere.pt")}, "/nowhere.pt"),
        ({"out": Path("/proc/run")}, "cannot be written"),
    ],
)
def test_what_makes_no_sense_is_refused(
    asked: TrainRequest, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(PipelineError) as told:
        train(replace(asked, **{"out": tmp_path / "run", **change}), Heard())
    assert said in str(told.value) and "\n" not in str(told.value)
