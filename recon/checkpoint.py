"""Weights under their published names: what a published checkpoint gives this network, and back.

Refuses to know how anything is trained, and to load weights that do not fit; only tensors are read.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pipeline.errors import CheckpointError
from recon.network import Network

WRAPPER, PARALLEL = "model_state_dict", "module."
REFINER = "refine."
_SHOWN = 3  # names in a message

# Our beginning of a name, then theirs. They count from 1, and decoders from the level that they start at,
# so a number in braces is ours and so much more.
_NETWORKS = (
    (r"low_normals\.", "img2normal_down."),
    (r"part_normals\.(\w+)\.", r"img2normal_\1."),
    (r"low_surfaces\.", "ImgNorm_to_Dep."),
    (r"refiner\.", REFINER),
)
_LAYERS = (
    (r"first_encoder\.(\d)\.", "Conv{1}_1.conv."),
    (r"second_encoder\.(\d)\.", "Conv{1}_2.conv."),
    (r"encoder\.(\d)\.", "Conv{1}.conv."),
    (r"decoder\.(\d)\.enlarge\.", "Up{2}.up."),
    (r"decoder\.(\d)\.gate\.raised\.", "Att{2}.W_g."),
    (r"decoder\.(\d)\.gate\.skip\.", "Att{2}.W_x."),
    (r"decoder\.(\d)\.gate\.weight\.", "Att{2}.psi."),
    (r"decoder\.(\d)\.pair\.", "Up_conv{2}.conv."),
    (r"depth\.(\d)\.", "depth{1}.up."),
    (r"normal\.(\d)\.", "normal{1}.conv."),
    (r"merge\.(\d)\.", "merge{1}_1.conv."),
    (r"out\.([01])\.", "merge{1}_2.conv."),
    (r"out\.2\.", "merge3_2."),
    (r"head\.", "Conv_1x1.conv.0."),
)


def published_name(ours: str) -> str:
    """The published name of one of this network's tensors."""
    for start, theirs in _NETWORKS:
        if found := re.match(start, ours):
            network, layer = found.expand(theirs), ours[found.end() :]
            break
    else:
        raise KeyError(ours)
    if ours.startswith("low_surfaces.head."):  # theirs is a bare convolution here alone
        return network + layer.replace("head.", "Conv_1x1.")
    for start, theirs in _LAYERS:
        if found := re.match(start, layer):
            number = int(found[1]) if found.groups() else 0
            return network + theirs.format(*range(number, number + 3)) + layer[found.end() :]
    raise KeyError(ours)


def published(network: Network) -> dict[str, dict[str, Tensor]]:
    """This network's weights in the form of a published checkpoint, ready for torch.save."""
    state = network.state_dict()
    return {WRAPPER: {published_name(name): tensor.detach().cpu() for name, tensor in state.items()}}


def load_published(network: Network, path: Path) -> None:
    """Gives a network the weights of a published checkpoint of either phase, or of ours in that form."""
    give(network, weights_in(path), path)


def give(network: Network, theirs: Mapping[str, Tensor], path: Path) -> None:
    """Gives a network weights by their published names, if they fit; `path` is where they come from.

    A first phase's weights leave the refiner of a network that has one as it was; a second phase's fit a
    network without one.
    """
    own = network.state_dict()
    wanted = {published_name(name): name for name in own}
    if not any(name.startswith(REFINER) for name in theirs):
        wanted = {name: ours for name, ours in wanted.items() if not name.startswith(REFINER)}
    if network.refiner is None:
        theirs = {name: tensor for name, tensor in theirs.items() if not name.startswith(REFINER)}
    differing = [
        f"{name} is {_size(theirs[name])}, not {_size(own[ours])}"
        for name, ours in wanted.items()
        if name in theirs and theirs[name].shape != own[ours].shape
    ]
    faults = [
        _told("absent", [name for name in wanted if name not in theirs]),
        _told("unknown", [name for name in theirs if name not in wanted]),
        _told("of another size", differing),
    ]
    if any(faults):
        raise CheckpointError(f"{path} does not fit this network: {'; '.join(filter(None, faults))}")
    network.load_state_dict({ours: theirs[name] for name, ours in wanted.items()}, strict=False)


def weights_in(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by their published names, without what was wrapped around them."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise CheckpointError(
            f"{path} cannot be read as weights: it holds more than tensors and values, and was not run"
        ) from problem
    # Any other file can fail anywhere in the reader, with an error that says nothing of the file.
    except Exception as problem:
        reason = "it is a file of another kind"
        if isinstance(problem, OSError | RuntimeError) and str(problem).strip():
            reason = str(problem).strip().splitlines()[0]
        raise CheckpointError(f"{path} cannot be read as weights: {reason}") from problem
    if isinstance(content, Mapping) and WRAPPER in content:
        content = content[WRAPPER]
    if not isinstance(content, Mapping) or not all(isinstance(item, Tensor) for item in content.values()):
        raise CheckpointError(
            f"{path} holds no weights: a table of tensors, or one named {WRAPPER}, is expected"
        )
    return {str(name).removeprefix(PARALLEL): tensor for name, tensor in content.items()}


def _told(what: str, names: list[str]) -> str:
    """The first few names of a fault and how many there are; nothing if there are none."""
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{more}"


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
