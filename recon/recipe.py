"""What a training is asked to do, checked before any work is done.

A recipe is all that decides what is learnt, besides the data and how long; a request is the rest. Refuses
to load torch, to read files and to look at the machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ConfigError

PAPER, DEFAULT = PROFILES = ("paper", "default")
FP32, BF16, FP16 = PRECISIONS = ("fp32", "bf16", "fp16")
FIRST, SECOND, BOTH = PHASES = ("1", "2", "both")
DEMO = "demo"
_ASKED_OF_DEMO = "tiny"  # what a demonstration is trained by, on any machine in minutes
AUTO = "auto"


def _one_of(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ConfigError(f"{what} is {name!r}; choose from {', '.join(known)}")


def _within(what: str, value: float, low: float, high: float, *, beyond_low: bool = False) -> None:
    """Refuse a number outside low .. high, or that is not over `low` where it must be."""
    if not (math.isfinite(value) and low <= value <= high) or (beyond_low and value == low):
        raise ConfigError(
            f"{what} is {value:g}; it must be {'over' if beyond_low else 'from'} {low:g} to {high:g}"
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what is learnt; two trainings of one recipe, data and length learn the same.

    `profile` names the network's and the losses' variant; `size` is the side of the images in pixels,
    `width` the channels of the first level. `batch` is the samples of one step of the optimiser, all
    processes together; the rate follows a cosine from `rate` to 0 in `restart_epochs`, then begins again at
    `decay` of what it was, and warms up for `warm_up_epochs`. Gradients longer than `clip` are shortened
    (0: never). Colours are multiplied by `jitter` (lowest, highest); `backgrounds` is the share of samples
    that stand before one, the others stand before black; with `softened` the edge is blended into it.
    """

    profile: str = DEFAULT
    size: int = 2048
    width: int = 64
    batch: int = 2
    rate: float = 1e-4
    restart_epochs: float = 5.0
    warm_up_epochs: float = 0.01
    decay: float = 0.5
    clip: float = 1.0
    precision: str = BF16
    jitter: tuple[float, float] = (0.7, 1.0)
    backgrounds: float = 0.9
    softened: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("profile", self.profile, PROFILES)
        _one_of("precision", self.precision, PRECISIONS)
        _within("batch", self.batch, 1, 65_536)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("rate", self.rate, 0.0, 1.0, beyond_low=True)
        _within("restart_epochs", self.restart_epochs, 0.0, 1e6, beyond_low=True)
        _within("warm_up_epochs", self.warm_up_epochs, 0.0, 1e6)
        _within("decay", self.decay, 0.0, 1.0, beyond_low=True)
        _within("clip", self.clip, 0.0, 1e9)
        _within("backgrounds", self.backgrounds, 0.0, 1.0)
        low, high = self.jitter
        if not 0.0 < low <= high <= 2.0:
            raise ConfigError(
                f"jitter is {low:g} to {high:g}; both must be over 0, to 2, the lower one first"
            )


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe with a name, how many epochs each phase takes, and whom it is for."""

    recipe: Recipe
    epochs: int
    meant_for: str


PRESETS: Mapping[str, Preset] = {
    PAPER: Preset(Recipe(profile=PAPER, clip=0.0, precision=FP32), 30, "as published"),
    DEFAULT: Preset(Recipe(), 30, "2048 pixels, a GPU of 40 GB and more"),
    "small": Preset(Recipe(size=1024, width=32, batch=4), 30, "1024 pixels, a GPU of 12 GB"),
    "tiny": Preset(
        Recipe(size=256, width=16, batch=4, rate=5e-3, restart_epochs=40.0, precision=FP32),
        40,
        "256 pixels, any CPU, minutes",
    ),
}


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset to learn from, and its part of what is seen; None = by how many views it has."""

    dataset: str
    weight: float | None = None

    def __post_init__(self) -> None:
        if self.weight is not None and not (math.isfinite(self.weight) and self.weight > 0):
            raise ConfigError(
                f"weight of {self.dataset} is {self.weight:g}; it must be over 0, such as 0.5"
            )


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """One training: what to learn from, by which recipe, how long, where to, and on what.

    `phase` is 1, 2 or both; `epochs` are of each phase. `yaws` are the views to learn from, in degrees;
    none = all. Where nobody is of split val, the share `hold_out` of the people is kept back to be judged
    by, of four people or more at least one (0: nobody). `background_folders` hold images to put behind
    people; without any they are drawn. `device` is auto, cpu, cuda or cuda:N; `workers` are processes that
    load, None = by the machine. Each process splits its part of a batch into `accumulate` passes.
    Checkpoints are kept every `keep_every` epochs (0: only the last and the best), and the last is written
    at least every `save_minutes`.
    """

    sources: tuple[Source, ...]
    out: Path
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int = 30
    data: Path = Path("data")
    phase: str = BOTH
    yaws: tuple[float, ...] = ()
    hold_out: float = 0.02
    background_folders: tuple[Path, ...] = ()
    init_from: Path | None = None
    device: str = AUTO
    workers: int | None = None
    accumulate: int = 1
    compiled: bool = False
    recompute: bool = False
    keep_every: int = 0
    save_minutes: float = 10.0

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("there is no dataset to learn from; name one, such as demo")
        names = [source.dataset for source in self.sources]
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise ConfigError(f"dataset {twice[0]} is given twice; give each once, with its weight")
        if len({source.weight is None for source in self.sources}) > 1:
            raise ConfigError(
                "some datasets have a weight and some have none; give all or none of them one"
            )
        _one_of("phase", self.phase, PHASES)
        _within("epochs", self.epochs, 1, 1_000_000)
        _within("accumulate", self.accumulate, 1, self.recipe.batch)
        _within("hold_out", self.hold_out, 0.0, 0.5)
        _within("keep_every", self.keep_every, 0, 1_000_000)
        _within("save_minutes", self.save_minutes, 0.0, 1e6)
        if self.workers is not None:
            _within("workers", self.workers, 0, 1024)

    @property
    def phases(self) -> tuple[int, ...]:
        """The phases to train, in order."""
        return (1, 2) if self.phase == BOTH else (int(self.phase),)


def usual_preset(datasets: tuple[str, ...]) -> str:
    """The preset for those who name none: a demonstration is for any machine."""
    return _ASKED_OF_DEMO if set(datasets) == {DEMO} else DEFAULT


def preset(name: str) -> Preset:
    """A preset by its name."""
    _one_of("preset", name, tuple(PRESETS))
    return PRESETS[name]


def source(text: str) -> Source:
    """A dataset as a command line names it: `2K2K`, or with its weight `2K2K:0.5`."""
    name, colon, weight = text.partition(":")
    if not name:
        raise ConfigError(f"dataset {text!r} has no name; write it as 2K2K or 2K2K:0.5")
    if not colon:
        return Source(name)
    try:
        return Source(name, float(weight))
    except ValueError as error:
        raise ConfigError(f"weight of {name} is {weight!r}; write it as {name}:0.5") from error
