"""What a checkpoint holds, in words; and its weights in the form that published code reads.

Refuses to build a network, and to judge how good one is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from pipeline.errors import CheckpointError, ConfigError
from recon import tensor_file
from recon.checkpoint import WRAPPER, weights_in
from recon.recipe import PAPER
from recon.training.snapshot import found, said
from recon.training.start import published_weights, refines, width_of


def lines(path: Path) -> list[str]:
    """What a checkpoint holds: one of ours, or one of published weights."""
    snapshot = found(path)
    if snapshot is None:
        return _published_lines(path, weights_in(path))
    recipe = {
        item.name: said(getattr(snapshot.recipe, item.name)) for item in dataclasses.fields(snapshot.recipe)
    }
    views = [f"{count:,} views of {dataset}" for dataset, count in snapshot.data.views.items()]
    widest = max(map(len, snapshot.scores), default=0)
    scores = [f"    {name:<{widest}}  {value:.4g}" for name, value in snapshot.scores.items()]
    return [
        f"{path}: a training, {_megabytes(path)}",
        _line("phase", f"{snapshot.phase}, after {snapshot.at}"),
        _line("recipe", ", ".join(f"{name} {value}" for name, value in recipe.items())),
        _line("data", f"{', '.join(views)}; digest {snapshot.data.digest}"),
        _line("best score", "none yet" if snapshot.best is None else f"{snapshot.best:.4g}"),
        _line("last scores", "" if scores else "none yet"),
        *scores,
        _line("weights", _amount(snapshot.weights.values())),
        _line("written by", f"scan2k {snapshot.code}, torch {snapshot.torch_version}"),
    ]


def publish(path: Path, out: Path) -> list[str]:
    """Writes the weights of one of our checkpoints in the published form; what there is to warn of."""
    if out.exists():
        raise ConfigError(f"{out} is there already; remove it, or give another --out")
    snapshot = found(path)
    if snapshot is None:
        weights_in(path)
        raise CheckpointError(f"{path} holds published weights already; copy it")
    tensor_file.write(out, {WRAPPER: published_weights(path, snapshot)})
    if snapshot.recipe.profile == PAPER:
        return []
    return [
        "these normals end in a sigmoid, and published code ends them in a ReLU: it loads these weights "
        "and gets wrong normals; a training with --preset paper gives weights that it reads rightly"
    ]


def _published_lines(path: Path, theirs: dict[str, Tensor]) -> list[str]:
    width = width_of(theirs)
    return [
        f"{path}: published weights, {_megabytes(path)}",
        _line("phase", "2" if refines(theirs) else "1, or none: there is no refiner"),
        _line("width", "unknown" if width is None else str(width)),
        _line("weights", _amount(theirs.values())),
    ]


def _line(name: str, text: str) -> str:
    return f"  {name:<12} {text}".rstrip()


def _amount(tensors: Iterable[Tensor]) -> str:
    sizes = [tensor.numel() for tensor in tensors]
    return f"{len(sizes):,} tensors, {sum(sizes):,} numbers"


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB"
