"""`scan2k train`: options become a request, nonsense becomes a line, and of several processes one talks."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
import recon.train
from pipeline.commands import train as command
from pipeline.errors import CheckpointError, ConfigError, PipelineError, TrainingError
from recon.recipe import PRESETS, Recipe, Source, TrainRequest
from recon.train import Ended, Outcome
from recon.training.watch import Watch

PAGE = Path(__file__).parents[1] / "docs" / "training.md"
Asked = list[TrainRequest]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the trainer is asked for; it says a word, and trains nothing."""
    requests: Asked = []

    def pretend(request: TrainRequest, watch: Watch) -> Outcome:
        requests.append(request)
        watch.say("learning")
        return Outcome(request.out, (Ended(1, 30, {}),), stopped=False)

    monkeypatch.setattr(recon.train, "train", pretend)
    return requests


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(request: TrainRequest, watch: Watch) -> Outcome:
        raise error

    monkeypatch.setattr(recon.train, "train", fail)


def test_options_become_the_request_and_the_outcome_is_told(
    asked: Asked, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    weights, rooms, more = tmp_path / "published.pt", tmp_path / "rooms", tmp_path / "more"
    weights.touch()
    rooms.mkdir()
    more.mkdir()
    options = (
        "--dataset 2K2K:0.8 --dataset THuman2:0.2 --data people --out runs/mixed --preset small --phase 2 "
        "--epochs 7 --batch 8 --rate 3e-4 --size 512 --precision fp16 --clip 0.5 --seed 9 --yaws -30,0.5 "
        f"--backgrounds {rooms} --backgrounds {more} --init-from {weights} --device cuda:1 --workers 3 "
        "--accumulate 2 --compile --recompute --keep-every 5 --hold-out 0.1 --save-minutes 2.5"
    ).split()
    assert cli.main(["train", *options]) == 0
    recipe = dataclasses.replace(
        PRESETS["small"].recipe, batch=8, rate=3e-4, size=512, precision="fp16", clip=0.5, seed=9
    )
    expected = TrainRequest(
        sources=(Source("2K2K", 0.8), Source("THuman2", 0.2)),
        out=Path("runs/mixed"),
        recipe=recipe,
        epochs=7,
        data=Path("people"),
        phase="2",
        yaws=(-30.0, 0.5),
        background_folders=(rooms, more),
        init_from=weights,
        device="cuda:1",
        workers=3,
        accumulate=2,
        compiled=True,
        recompute=True,
        keep_every=5,
        hold_out=0.1,
        save_minutes=2.5,
    )
    assert asked == [expected]
    usual = TrainRequest((Source("demo"),), Path("runs/demo"))
    same = [
        field.name
        for field in dataclasses.fields(TrainRequest)
        if getattr(expected, field.name) == getattr(usual, field.name)
    ]
    assert same == [], "each option is given something that is not usual"
    told = capsys.readouterr()
    assert told.err == "learning\n"
    assert told.out.splitlines() == Outcome(expected.out, (Ended(1, 30, {}),), stopped=False).lines()


def test_every_field_of_the_request_has_its_option() -> None:
    options = {param.name for param in cli.scan2k.commands["train"].params}
    names = {field.name for field in dataclasses.fields(TrainRequest)} - {"recipe"}
    overrides = {"batch", "rate", "size", "precision", "clip", "seed"}
    assert overrides < {field.name for field in dataclasses.fields(Recipe)}
    assert options == names | overrides | {"preset_name"}


@pytest.mark.parametrize(
    ("given", "sources", "out"),
    [
        (("--dataset", "2K2K"), ("2K2K",), "runs/2K2K"),
        (("--dataset", "2K2K,RP"), ("2K2K", "RP"), "runs/2K2K+RP"),
        (
            ("--dataset", "2K2K RP", "--dataset", "THuman2"),
            ("2K2K", "RP", "THuman2"),
            "runs/2K2K+RP+THuman2",
        ),
    ],
)
def test_without_options_the_request_is_the_usual_one(
    asked: Asked, given: tuple[str, ...], sources: tuple[str, ...], out: str
) -> None:
    assert cli.main(["train", *given]) == 0
    assert asked == [TrainRequest(tuple(Source(name) for name in sources), Path(out))]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("--dataset demo", "tiny"),
        ("--dataset demo,2K2K", "default"),
        ("--dataset demo --preset paper", "paper"),
        ("--dataset 2K2K --preset tiny", "tiny"),
    ],
)
def test_a_preset_brings_its_recipe_and_its_epochs(asked: Asked, options: str, name: str) -> None:
    assert cli.main(["train", *options.split()]) == 0
    assert (asked[0].recipe, asked[0].epochs) == (PRESETS[name].recipe, PRESETS[name].epochs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "Missing option '--dataset'"),
        ("--dataset ,", "there is no dataset to learn from; name one, such as demo"),
        ("--dataset demo --dataset demo", "dataset demo is given twice"),
        ("--dataset :2", "dataset ':2' has no name; write it as 2K2K or 2K2K:0.5"),
        ("--dataset 2K2K:lots", "weight of 2K2K is 'lots'; write it as 2K2K:0.5"),
        ("--dataset 2K2K:-1,RP:2", "weight of 2K2K is -1; it must be over 0"),
        ("--dataset 2K2K:nan", "weight of 2K2K is nan; it must be over 0"),
        ("--dataset 2K2K:1 --dataset RP", "some datasets have a weight and some have none"),
        ("--dataset demo --preset huge", "preset is 'huge'; choose from paper, default, small, tiny"),
        ("--dataset demo --phase 3", "phase is '3'; choose from 1, 2, both"),
        ("--dataset demo --epochs 0", "epochs is 0; it must be from 1"),
        ("--dataset demo --epochs some", "'some' is not a valid integer"),
        ("--dataset demo --batch 0", "batch is 0; it must be from 1"),
        ("--dataset demo --rate 0", "rate is 0; it must be over 0"),
        ("--dataset demo --rate nan", "rate is nan; it must be over 0"),
        ("--dataset demo --precision fp8", "precision is 'fp8'; choose from fp32, bf16, fp16"),
        ("--dataset demo --clip -1", "clip is -1; it must be from 0"),
        ("--dataset demo --seed -1", "seed is -1; it must be from 0"),
        ("--dataset demo --yaws 0,east", "'0,east' is not a list of degrees such as -30,0,30"),
        ("--dataset demo --backgrounds nowhere", "Directory 'nowhere' does not exist"),
        ("--dataset demo --init-from nowhere.pt", "File 'nowhere.pt' does not exist"),
        ("--dataset demo --workers -1", "workers is -1; it must be from 0"),
        ("--dataset demo --accumulate 5", "accumulate is 5; it must be from 1 to 4"),
        ("--dataset demo --keep-every -1", "keep_every is -1; it must be from 0"),
        ("--dataset demo --save-minutes inf", "save_minutes is inf; it must be from 0"),
        ("--dataset demo --epoch 3", "scan2k train has no option '--epoch' (did you mean --epochs?)"),
    ],
)
def test_nonsense_is_one_line_and_exit_2_before_anything_is_learnt(
    asked: Asked, capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    assert cli.main(["train", *options.split()]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("scan2k: ")
    assert said in told
    assert asked == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--dataset demo", "scan2k render demo"),
        ("--dataset demo --device tpu", "device is 'tpu'; choose from auto, cpu, cuda"),
        ("--dataset demo --size 300", "size is 300; it must be a power of two"),
    ],
)
def test_what_only_the_trainer_can_refuse_is_one_line_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: str, said: str
) -> None:
    places = ("--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--device", "cpu")
    assert cli.main(["train", *places, *options.split()]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("scan2k: ")] == told[-1:]
    assert said in told[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("missing", ["torch", "tensorboard", "matplotlib"])
def test_a_package_that_is_missing_is_named_with_the_command_that_brings_it(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == missing else there(name))
    assert cli.main(["train", "--dataset", "demo"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(
        f"scan2k: training needs {missing}: {sys.executable} -m pip install 'scan2k[train]'"
    )
    assert asked == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("wrong"), 2, "scan2k: wrong"),
        (CheckpointError("other recipe"), 1, "scan2k: other recipe"),
        (TrainingError("the loss is nan"), 1, "scan2k: the loss is nan"),
        (KeyboardInterrupt(), 130, "scan2k: interrupted"),
    ],
)
def test_an_end_that_is_nobodys_bug_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    _failing(monkeypatch, error)
    assert cli.main(["train", "--dataset", "demo"]) == code
    assert capsys.readouterr().err.strip() == said


def test_a_training_that_was_stopped_says_so_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        recon.train, "train", lambda request, watch: Outcome(request.out, (Ended(1, 2, {}),), stopped=True)
    )
    assert cli.main(["train", "--dataset", "demo"]) == 130


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long somebody waited; nobody does."""
    times: list[float] = []
    monkeypatch.setattr("pipeline.commands.train.time.sleep", times.append)
    return times


@pytest.mark.usefixtures("asked")
def test_of_several_processes_only_the_first_talks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert cli.main(["train", "--dataset", "demo"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
    monkeypatch.setenv("RANK", "0")
    assert cli.main(["train", "--dataset", "demo"]) == 0
    told = capsys.readouterr()
    assert (told.out != "", told.err) == (True, "learning\n")


@pytest.mark.parametrize(
    ("rank", "error", "waits"),
    [
        ("0", ConfigError("wrong"), False),
        ("3", ConfigError("wrong"), True),
        ("3", CheckpointError("other recipe"), True),
        ("3", TrainingError("a view is lost"), False),
    ],
)
def test_what_all_processes_must_find_is_left_to_the_first(
    monkeypatch: pytest.MonkeyPatch, slept: list[float], rank: str, error: PipelineError, waits: bool
) -> None:
    monkeypatch.setenv("RANK", rank)
    _failing(monkeypatch, error)
    assert cli.main(["train", "--dataset", "demo"]) != 0
    assert slept == ([3.0] if waits else [])


@pytest.mark.parametrize("options", ["--help", "--dataset demo --phase 3"])
def test_neither_help_nor_a_refusal_loads_torch(options: str) -> None:
    text = f"import sys, cli; cli.main(['train', *{options.split()}]); print('loaded:', *sys.modules)"
    done = subprocess.run((sys.executable, "-c", text), capture_output=True, text=True, check=True)
    loaded = done.stdout.split("loaded:")[1].split()
    assert {"torch", "numpy", "rich", "matplotlib"} & set(loaded) == set()


def test_help_names_every_preset_and_whom_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert [name for name, one in PRESETS.items() if f"{name}: {one.meant_for}" not in told] == []


def _row(name: str) -> list[str]:
    one = PRESETS[name]
    recipe = one.recipe
    numbers = (recipe.size, recipe.width, recipe.batch, f"{recipe.rate:g}", one.epochs)
    return [f"`{name}`", *map(str, numbers), recipe.precision, recipe.profile, one.meant_for]


def test_the_page_shows_the_presets() -> None:
    cells: Callable[[str], list[str]] = lambda line: [cell.strip() for cell in line.strip("|").split("|")]  # noqa: E731
    shown = [cells(line) for line in re.findall(r"^\| `.*\|$", PAGE.read_text(), flags=re.MULTILINE)]
    assert [row for row in shown if row[0].strip("`") in PRESETS] == [_row(name) for name in PRESETS]
