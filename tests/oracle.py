"""What the published network is known to be and give: names, and outputs for weights and image by rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recon.windows import Placement

DATA = Path(__file__).parent / "data"
SIZE = 2048

Shape = tuple[int, ...]
Numbers = npt.NDArray[np.float32]


def published_shapes() -> dict[str, Shape]:
    """The shape of every published tensor, by name, in the published order."""
    lines = (DATA / "published_names.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return {name: () if text == "scalar" else tuple(map(int, text.split("x"))) for name, text in rows}


def published_outputs() -> dict[str, Numbers]:
    """What the published network gave, sampled; and the keypoints and similarities that it was given."""
    with np.load(DATA / "published_outputs.npz") as archive:
        return {name: archive[name] for name in archive.files}


def weights_by_rule() -> dict[str, Tensor]:
    """The weights that those outputs belong to."""
    return drawn_by_rule(published_shapes())


def drawn_by_rule(shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """Weights of these shapes, as the published outputs' were drawn."""
    rs = np.random.RandomState(7)
    return {name: torch.from_numpy(np.asarray(_drawn(rs, name, shape))) for name, shape in shapes.items()}


def _drawn(rs: np.random.RandomState, name: str, shape: Shape) -> npt.NDArray[Any]:
    kind = name.rsplit(".", 1)[1]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if kind == "running_var" or (kind == "weight" and len(shape) == 1):
        return (0.75 + 0.5 * rs.random_sample(shape)).astype(np.float32)
    if len(shape) == 4:
        wide = math.sqrt(2 / math.prod(shape[1:]))
        return (rs.standard_normal(shape) * wide).astype(np.float32)
    return (0.1 * rs.standard_normal(shape)).astype(np.float32)


def image_by_rule() -> Tensor:
    """The image that those outputs belong to, (1, 3, 2048, 2048)."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    channels = [
        np.sin((x * c + y * (4 - c)) * 0.004) * np.cos(0.003 * y * c) + 0.3 * np.sin(1e-5 * x * y * c)
        for c in (1, 2, 3)
    ]
    return torch.from_numpy(np.stack(channels)[None].astype(np.float32))


def published_placement(people: int = 1) -> Placement:
    """The published parts of that person, all there."""
    known = published_outputs()
    to_part, sampling = (
        torch.from_numpy(known[name]).expand(people, -1, -1, -1)
        for name in ("part_similarity", "part_sampling")
    )
    return Placement(to_part, sampling, torch.ones(to_part.shape[:2], dtype=torch.bool))
