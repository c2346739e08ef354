"""What a training is asked to do: its checks, and that asking takes no torch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from recon.recipe import (
    PRESETS,
    Recipe,
    Source,
    TrainRequest,
    preset,
    source,
    usual_preset,
)

OUT = Path("runs/x")


def test_a_request_can_be_made_without_torch() -> None:
    text = (
        "import sys; from pathlib import Path; from recon.recipe import *; "
        "TrainRequest((source('2K2K:0.5'),), Path('out'), preset('paper').recipe); "
        "sys.exit(' '.join({'torch', 'numpy', 'matplotlib', 'pyarrow'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run((sys.executable, "-c", text), check=False).returncode == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"profile": "mine"}, "profile is 'mine'; choose from paper, default"),
        ({"precision": "int8"}, "precision is 'int8'; choose from fp32, bf16, fp16"),
        ({"batch": 0}, "batch is 0; it must be from 1 to 65536"),
        ({"seed": -1}, "seed is -1; it must be from 0"),
        ({"rate": 0.0}, "rate is 0; it must be over 0 to 1"),
        ({"rate": 1.5}, "rate is 1.5; it must be over 0 to 1"),
        ({"rate": float("nan")}, "rate is nan; it must be over 0 to 1"),
        ({"restart_epochs": 0.0}, "restart_epochs is 0; it must be over 0"),
        ({"warm_up_epochs": -0.1}, "warm_up_epochs is -0.1; it must be from 0"),
        ({"decay": 0.0}, "decay is 0; it must be over 0 to 1"),
        ({"clip": float("inf")}, "clip is inf; it must be from 0"),
        ({"backgrounds": 1.1}, "backgrounds is 1.1; it must be from 0 to 1"),
        ({"jitter": (0.0, 1.0)}, "jitter is 0 to 1; both must be over 0"),
        ({"jitter": (1.0, 0.7)}, "jitter is 1 to 0.7; both must be over 0, to 2, the lower one first"),
        ({"jitter": (float("nan"), 1.0)}, "jitter is nan to 1"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        dataclasses.replace(Recipe(), **fields)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "fine",
    [{"rate": 1.0}, {"clip": 0.0}, {"warm_up_epochs": 0.0}, {"jitter": (1.0, 1.0)}, {"backgrounds": 0.0}],
)
def test_ends_that_make_sense_are_taken(fine: dict[str, Any]) -> None:
    dataclasses.replace(Recipe(), **fine)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sources": ()}, "there is no dataset to learn from"),
        ({"sources": (Source("a"), Source("b"), Source("a"))}, "dataset a is given twice"),
        ({"sources": (Source("a", 1.0), Source("b"))}, "give all or none of them one"),
        ({"phase": "0"}, "phase is '0'; choose from 1, 2, both"),
        ({"epochs": 0}, "epochs is 0; it must be from 1"),
        ({"accumulate": 3}, "accumulate is 3; it must be from 1 to 2"),
        ({"accumulate": 0}, "accumulate is 0; it must be from 1 to 2"),
        ({"workers": -1}, "workers is -1; it must be from 0"),
        ({"keep_every": -1}, "keep_every is -1; it must be from 0"),
        ({"save_minutes": float("nan")}, "save_minutes is nan; it must be from 0"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TrainRequest(**{"sources": (Source("demo"),), "out": OUT, **fields})
    assert said in str(refused.value)


@pytest.mark.parametrize(("phase", "phases"), [("1", (1,)), ("2", (2,)), ("both", (1, 2))])
def test_phases_are_trained_in_order(phase: str, phases: tuple[int, ...]) -> None:
    assert TrainRequest((Source("demo"),), OUT, phase=phase).phases == phases


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2K2K", Source("2K2K")), ("2K2K:0.5", Source("2K2K", 0.5)), ("RP:2", Source("RP", 2.0))],
)
def test_a_dataset_is_named_with_or_without_its_weight(text: str, expected: Source) -> None:
    assert source(text) == expected


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:b", "a:1:2", "a:0", "a:-1", "a:inf", "a:nan"])
def test_a_dataset_that_is_named_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 0\.5|write it as"):
        source(text)


def test_a_preset_is_known_by_its_name() -> None:
    assert [preset(name) for name in PRESETS] == list(PRESETS.values())
    with pytest.raises(ConfigError, match="preset is 'big'; choose from paper, default, small, tiny"):
        preset("big")


def test_the_papers_preset_is_as_published() -> None:
    paper = preset("paper")
    assert paper.epochs == 30
    assert paper.recipe == Recipe(
        profile="paper",
        size=2048,
        width=64,
        batch=2,
        rate=1e-4,
        restart_epochs=5,
        warm_up_epochs=0.01,
        decay=0.5,
        clip=0.0,
        precision="fp32",
        jitter=(0.7, 1.0),
        backgrounds=0.9,
    )


def test_only_a_demonstration_alone_is_tiny() -> None:
    assert usual_preset(("demo",)) == "tiny"
    assert usual_preset(("2K2K",)) == usual_preset(("demo", "2K2K")) == "default"
