"""`scan2k train`: the options become a request. An option is called as the field that it fills.

Refuses to know how anything is learnt.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from pipeline.commands.options import angles, data_option, names
from pipeline.commands.training_display import is_first_process, watching_training
from pipeline.errors import CheckpointError, ConfigError
from recon.recipe import PHASES, PRECISIONS, PRESETS, Source, TrainRequest, preset, source, usual_preset

_NEEDED = ("torch", "tensorboard", "matplotlib")  # what the extra `train` brings
_OVERRIDES = ("batch", "rate", "size", "precision", "clip", "seed")  # fields of the recipe
_USUAL = {field.name: field.default for field in fields(TrainRequest)}
_OF_THE_PRESET = "the preset's"
_RUNS = Path("runs")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_HEAD_START = 3.0  # seconds that the first process has for speaking, and torchrun for ending the others


def _sources(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[Source, ...]:
    """Datasets with or without weights, separated by commas or spaces."""
    return tuple(source(part) for text in value for part in names(ctx, param, text))


@click.command()
@click.option(
    "--dataset",
    "sources",
    metavar="NAME[:WEIGHT]",
    multiple=True,
    required=True,
    callback=_sources,
    help="What to learn from; again for more. Weights are shares of what is seen, such as 2K2K:0.8.",
)
@data_option
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    show_default="runs/DATASET",
    help="The run's folder; one that is there goes on from its last checkpoint.",
)
@click.option(
    "--preset",
    "preset_name",
    metavar="NAME",
    help="; ".join(f"{name}: {one.meant_for}" for name, one in PRESETS.items()) + ".",
    show_default="tiny for demo alone, else default",
)
@click.option(
    "--phase",
    metavar="|".join(PHASES),
    default=_USUAL["phase"],
    help="1 learns parts and the coarse depth, 2 the fine depth on top of it.",
)
@click.option("--epochs", metavar="N", type=int, show_default=_OF_THE_PRESET, help="Of each phase.")
@click.option(
    "--batch",
    metavar="N",
    type=int,
    show_default=_OF_THE_PRESET,
    help="Samples of a step, all processes together.",
)
@click.option("--rate", type=float, show_default=_OF_THE_PRESET, help="The highest learning rate.")
@click.option(
    "--size",
    metavar="N",
    type=int,
    show_default=_OF_THE_PRESET,
    help="Side of the images in pixels; larger ones are made smaller.",
)
@click.option(
    "--precision", metavar="|".join(PRECISIONS), show_default=_OF_THE_PRESET, help="Of the arithmetic."
)
@click.option(
    "--clip",
    type=float,
    show_default=_OF_THE_PRESET,
    help="Gradients longer than this are shortened; 0: never.",
)
@click.option(
    "--seed", type=int, show_default=_OF_THE_PRESET, help="Decides weights, order and augmentation."
)
@click.option(
    "--yaws",
    metavar="DEGREES,...",
    callback=angles,
    default="",
    show_default="all",
    help="Learn from these views alone.",
)
@click.option(
    "--backgrounds",
    "background_folders",
    metavar="DIR",
    type=_FOLDER,
    multiple=True,
    help="Images to put behind people; again for more. Without any, rooms are drawn.",
)
@click.option(
    "--init-from",
    metavar="FILE",
    type=_FILE,
    help="Begin with these weights: a published checkpoint, or one of another run.",
)
@click.option(
    "--device",
    metavar="auto|cpu|cuda|cuda:N",
    default=_USUAL["device"],
    help="What to train on; auto takes a GPU if there is one.",
)
@click.option(
    "--workers",
    metavar="N",
    type=int,
    show_default="as the machine has cores",
    help="Processes that load images, for each that trains; 0: the trainer itself.",
)
@click.option(
    "--accumulate",
    metavar="N",
    type=int,
    default=_USUAL["accumulate"],
    help="Passes in which a process does its part of a batch: less memory.",
)
@click.option(
    "--compile", "compiled", is_flag=True, help="Compile the network: minutes at first, then faster steps."
)
@click.option("--recompute", is_flag=True, help="Keep less of each pass and compute it again: less memory.")
@click.option(
    "--keep-every",
    metavar="N",
    type=int,
    default=_USUAL["keep_every"],
    help="Keep the checkpoint of every Nth epoch; 0: only the last and the best.",
)
@click.option(
    "--hold-out",
    metavar="SHARE",
    type=float,
    default=_USUAL["hold_out"],
    help="Of the people, kept back to validate with where nobody is of split val; 0 = nobody.",
)
@click.option(
    "--save-minutes",
    metavar="N",
    type=float,
    default=_USUAL["save_minutes"],
    help="Write the last checkpoint at least so often, also amid an epoch.",
)
def train(**asked: Any) -> None:
    """Learn to rebuild a person from one photograph, from the views that `scan2k render` made.

    OUT gets checkpoints, curves and a log. Ctrl-C writes a checkpoint and ends; the same command goes on
    from there, as it does after a crash, and what is asked otherwise than before is refused by name.
    Several GPUs: the same command after torchrun, as below (docs/training.md, also for Slurm).

    \b
    Examples:
      scan2k train --dataset demo                                  (minutes, on any machine)
      scan2k train --dataset 2K2K --data /mnt/data                 (both phases, one large GPU)
      scan2k train --dataset 2K2K:0.8 --dataset THuman2:0.2 --out runs/mixed
      scan2k train --dataset 2K2K --preset small --backgrounds rooms/ --epochs 10
      scan2k train --dataset 2K2K --phase 2 --init-from published.pt
      scan2k train --dataset 2K2K --accumulate 2 --recompute       (when memory is short)
      torchrun --nproc-per-node 8 -m cli train --dataset 2K2K --batch 16
      tensorboard --logdir runs/2K2K/board                         (curves and pictures, live)
    """
    with _one_voice():
        request = _request(asked)
        _require_packages()
        from recon.train import train as learn

        with watching_training(f"training {_named(request)}") as watch:
            outcome = learn(request, watch)
    if is_first_process():
        click.echo("\n".join(outcome.lines()))
    raise click.exceptions.Exit(130 if outcome.stopped else 0)


def _request(asked: dict[str, Any]) -> TrainRequest:
    """The request: the preset's recipe and epochs, with what was asked otherwise."""
    sources: tuple[Source, ...] = asked["sources"]
    datasets = tuple(one.dataset for one in sources)
    chosen = preset(asked["preset_name"] or usual_preset(datasets))
    overrides = {name: asked[name] for name in _OVERRIDES if asked[name] is not None}
    filled = {name: asked[name] for name in _USUAL if name in asked}
    filled["recipe"] = replace(chosen.recipe, **overrides)
    filled["epochs"] = chosen.epochs if asked["epochs"] is None else asked["epochs"]
    filled["out"] = asked["out"] or _RUNS / "+".join(datasets)
    return TrainRequest(**filled)


def _named(request: TrainRequest) -> str:
    return ", ".join(one.dataset for one in request.sources)


def _require_packages() -> None:
    """Refuse where what trains is not installed."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ConfigError(
            f"training needs {', '.join(missing)}: {sys.executable} -m pip install 'scan2k[train]', "
            "or in a checkout: make train"
        )


@contextmanager
def _one_voice() -> Iterator[None]:
    """Leaves to the first process what all of them must find: a request or a checkpoint that cannot be."""
    try:
        yield
    except (ConfigError, CheckpointError):
        if not is_first_process():
            time.sleep(_HEAD_START)
        raise
