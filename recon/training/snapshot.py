"""A training as it stands: all that is needed to go on as if it had never stopped, in one file.

Refuses to know how a step is made, and to go on with another recipe, phase or data than it began with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard, get_type_hints

import torch
from torch import Tensor

from pipeline.errors import CheckpointError, ConfigError
from pipeline.version import TRAINING, code_version
from recon import tensor_file
from recon.recipe import Recipe
from recon.table import Table, shown

FORMAT = 1  # goes up when a file of before would be misread
NETWORK = "network"  # the part of a state that is weights, by the network's own names
_MARK = "scan2k"  # what tells our files from published ones


@dataclass(frozen=True, slots=True)
class Position:
    """How far a phase is: whole epochs that are done, and steps that are done of the next one."""

    epoch: int = 0
    step: int = 0

    def __str__(self) -> str:
        return f"{self.epoch:,} epochs and {self.step:,} steps"


@dataclass(frozen=True, slots=True)
class Data:
    """What is learnt from: a digest of all that decides the samples, and views by dataset."""

    digest: str
    views: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a training that would go on is asked to do; it must be what its checkpoint was made by."""

    recipe: Recipe
    phase: int
    data: Data


def _random() -> dict[str, Any]:
    """The states of torch's generators: the CPU's, and each CUDA device's if CUDA is in use."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _code() -> str:
    return code_version(TRAINING)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training between two steps.

    `state` is what moves its weights: tables and lists of tensors and plain values, the weights themselves
    under `network`. `best` is the best score so far, `scores` what was measured last, and `signs` what the
    early warnings remember.
    """

    recipe: Recipe
    phase: int
    at: Position
    data: Data
    state: Mapping[str, Any]
    best: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    signs: Mapping[str, Any] = field(default_factory=dict)
    random: Mapping[str, Any] = field(default_factory=_random)
    code: str = field(default_factory=_code)
    torch_version: str = str(torch.__version__)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The network's weights by its own names."""
        weights: Mapping[str, Tensor] = self.state[NETWORK]
        return weights

    def restore_random(self) -> None:
        """Puts torch's generators where they were, as many of them as there are here."""
        try:
            torch.set_rng_state(self.random["cpu"])
            for device, state in enumerate(self.random["cuda"][: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(state, device)
        except RuntimeError as problem:
            raise CheckpointError(f"the checkpoint's random state is not torch's: {problem}") from problem


def save(path: Path, snapshot: Snapshot) -> None:
    """Writes a snapshot; it is on the disk, whole, when this returns, and until then the one before is."""
    plain = {item.name: getattr(snapshot, item.name) for item in dataclasses.fields(snapshot)}
    plain |= {"recipe": dataclasses.asdict(snapshot.recipe), "at": dataclasses.asdict(snapshot.at)}
    plain["data"] = {"digest": snapshot.data.digest, "views": dict(snapshot.data.views)}
    tensor_file.write(path, {_MARK: FORMAT, **plain})


def load(path: Path) -> Snapshot:
    """A snapshot from its file, checked to the last byte and in memory of its own."""
    snapshot = look(path)
    tensor_file.require_undamaged(path)
    return dataclasses.replace(
        snapshot, state=tensor_file.owned(snapshot.state), random=tensor_file.owned(snapshot.random)
    )


def look(path: Path) -> Snapshot:
    """A snapshot whose tensors are only mapped: little is read, and the file must stay as it is."""
    content = tensor_file.opened(path)
    if not _is_ours(content):
        raise CheckpointError(
            f"{path} is no checkpoint of a training that could go on; its weights may fit --init-from"
        )
    return _taken(path, content)


def found(path: Path) -> Snapshot | None:
    """The same, but None if the file holds something else, such as published weights."""
    content = tensor_file.opened(path) if tensor_file.is_archive(path) else None
    return _taken(path, content) if _is_ours(content) else None


def _is_ours(content: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(content, Mapping) and _MARK in content


def _taken(path: Path, content: Mapping[str, Any]) -> Snapshot:
    """The snapshot that a file holds, each part of it checked."""
    tensor_file.require_plain(path, content)
    if type(content[_MARK]) is not int or content[_MARK] != FORMAT:
        raise CheckpointError(
            f"{path} is of form {shown(content[_MARK])}, and this version of scan2k reads form {FORMAT}; "
            "use the version that wrote it"
        )
    table = Table(path, "", {name: value for name, value in content.items() if name != _MARK})
    table.require({item.name for item in dataclasses.fields(Snapshot)})
    at, data = table.inner("at"), table.inner("data")
    at.require({"epoch", "step"})
    data.require({"digest", "views"})
    return Snapshot(
        recipe=_recipe(table.inner("recipe")),
        phase=table.number("phase", 1, 2),
        at=Position(at.number("epoch"), at.number("step")),
        data=Data(data.word("digest"), data.inner("views").numbers()),
        state=_state(table.inner("state")),
        best=None if table.values["best"] is None else table.measure("best"),
        scores=table.inner("scores").measures(),
        signs=table.inner("signs").values,
        random=_generators(table.inner("random")),
        code=table.word("code"),
        torch_version=table.word("torch_version"),
    )


def differences(snapshot: Snapshot, asked: Asked) -> list[str]:
    """What is in a checkpoint otherwise than it is asked to be; how long it goes on is free."""
    there, here = snapshot.recipe, asked.recipe
    found = [
        f"{item.name} is {said(getattr(there, item.name))} in the checkpoint and "
        f"{said(getattr(here, item.name))} here"
        for item in dataclasses.fields(Recipe)
        if getattr(there, item.name) != getattr(here, item.name)
    ]
    if snapshot.phase != asked.phase:
        found.append(f"phase is {snapshot.phase} in the checkpoint and {asked.phase} here")
    if snapshot.data.digest != asked.data.digest:
        found += _other_views(snapshot.data.views, asked.data.views)
    return found


def require_same(path: Path, snapshot: Snapshot, asked: Asked) -> None:
    """Refuses to go on from a checkpoint that was made by another recipe, phase or data."""
    if found := differences(snapshot, asked):
        raise CheckpointError(
            f"{path} is of another training: {'; '.join(found)}. Ask for the same again, give another "
            f"--out, or start anew from its weights with another --out and --init-from {path}"
        )


def require_fit(path: Path, snapshot: Snapshot, own: Mapping[str, Tensor]) -> None:
    """Refuses weights that are not, name by name, as large as those of the network that would go on."""
    there, here = ({name: tensor.shape for name, tensor in of.items()} for of in (snapshot.weights, own))
    if other := [name for name in {**here, **there} if here.get(name) != there.get(name)]:
        raise CheckpointError(
            f"{path} has weights of another network: {len(other)} tensors differ, such as {other[0]}; it "
            f"was written by scan2k {snapshot.code}, so go on with that version"
        )


def _other_views(then: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """How the views differ, by how many of each dataset there are."""
    found = [
        f"views of {dataset} are {before:,} in the checkpoint and {here:,} here"
        for dataset in sorted({*then, *now})
        if (before := then.get(dataset, 0)) != (here := now.get(dataset, 0))
    ]
    return found or ["the views are others, though as many, or are weighed otherwise"]


def said(value: object) -> str:
    """A value of a recipe as one reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _recipe(table: Table) -> Recipe:
    """The recipe, if it is one that could be asked for."""
    kinds = get_type_hints(Recipe)
    table.require(set(kinds))
    read: dict[Any, Callable[[str], object]] = {str: table.word, int: table.number, float: table.measure}
    values: dict[str, Any] = {name: read[kind](name) for name, kind in kinds.items() if kind in read}
    for name in set(kinds) - set(values):
        value, kind = table.values[name], kinds[name]
        if kind is bool and isinstance(value, bool):
            values[name] = value
        elif kind is not bool and isinstance(value, tuple | list) and [*map(type, value)] == [float, float]:
            values[name] = tuple(value)
        else:
            raise table.refused(f"{name} is {shown(value)}")
    try:
        return Recipe(**values)
    except ConfigError as problem:
        raise table.refused(str(problem)) from problem


def _state(table: Table) -> Mapping[str, Any]:
    """What moves the weights, of which only the weights are known here."""
    weights = table.inner(NETWORK).values if NETWORK in table.values else {}
    if not weights or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise table.refused("it holds no weights")
    return table.values


def _generators(table: Table) -> Mapping[str, Any]:
    """States of random generators, which are bytes."""
    table.require({"cpu", "cuda"})
    cuda = table.values["cuda"]
    states = [table.values["cpu"], *(cuda if isinstance(cuda, list) else [None])]
    if not all(isinstance(s, Tensor) and s.dtype == torch.uint8 and s.dim() == 1 for s in states):
        raise table.refused("they are no states of generators")
    return table.values
