"""Where a network's first weights come from, if not from chance: a published checkpoint, or one of ours.

Refuses to know what is learnt from there, and to load weights that do not fit.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from pipeline.errors import CheckpointError
from recon import tensor_file
from recon.checkpoint import REFINER, give, published_name, weights_in
from recon.network import Network
from recon.recipe import PAPER
from recon.training.snapshot import Snapshot, found

_FIRST = published_name("low_normals.encoder.0.0.weight")  # with as many channels as a network is wide
_ENDS = "a ReLU", "a sigmoid"  # of published normals, and of ours


def start_from(network: Network, path: Path) -> str:
    """Gives a network the weights of a published checkpoint or of one of ours; says what came of it."""
    snapshot = found(path)
    theirs = weights_in(path) if snapshot is None else published_weights(path, snapshot)
    width = width_of(theirs)
    if width not in (None, network.shape.width):
        raise CheckpointError(
            f"{path} is of width {width}, and this network of width {network.shape.width}; take a preset "
            "of that width, or leave --init-from out"
        )
    give(network, theirs, path)
    source = "published weights"
    if snapshot is not None:
        source = f"phase {snapshot.phase} after {snapshot.at}"
    return "; ".join((f"starting from {path}, {source}", *_otherwise(network, snapshot, theirs)))


def published_weights(path: Path, snapshot: Snapshot) -> dict[str, Tensor]:
    """The weights of a snapshot, which was found in this file, by their published names."""
    tensor_file.require_undamaged(path)
    try:
        return {published_name(name): tensor for name, tensor in snapshot.weights.items()}
    except KeyError as unknown:
        raise CheckpointError(f"{path} holds weights that no network has, such as {unknown}") from unknown


def width_of(theirs: dict[str, Tensor]) -> int | None:
    """How wide the network is whose weights these are by their published names, if that can be seen."""
    first = theirs.get(_FIRST)
    return None if first is None or first.dim() == 0 else first.shape[0]


def refines(theirs: dict[str, Tensor]) -> bool:
    """Are these the weights, by their published names, of a network with a refiner?"""
    return any(name.startswith(REFINER) for name in theirs)


def _otherwise(network: Network, snapshot: Snapshot | None, theirs: dict[str, Tensor]) -> list[str]:
    """What a network that starts from weights has otherwise than they had it."""
    told = []
    if network.refiner is not None and not refines(theirs):
        told.append("the refiner starts afresh")
    if network.refiner is None and refines(theirs):
        told.append("its refiner is left out")
    as_published = snapshot is None or snapshot.recipe.profile == PAPER
    if as_published != network.shape.published_ends:
        before, now = _ENDS if as_published else _ENDS[::-1]
        told.append(f"its normals ended in {before} and end in {now} here, so they begin wrong")
    return told
