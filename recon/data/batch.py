"""People to learn from, as they travel from whoever loads them to the device: small, and not yet mixed.

Pictures are cut to where people are. Refuses to compute; `augment.prepared` makes images of a batch.

Legend of suffixes: B batch, K keypoints, h and w of the cut; 2 is front and back, or x and y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.records import U8
from recon.data.sample import Sample


@dataclass(frozen=True, slots=True)
class Lost:
    """A picture that cannot be used, and why; `view` is its place in the choice, None of a background."""

    name: str
    reason: str
    view: int | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What one sample is changed by: factors of brightness, contrast and saturation, and a background."""

    jitter: tuple[float, float, float] = (1.0, 1.0, 1.0)
    background: U8 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """People whose images are `size` pixels square, and what was drawn for them.

    Colour and stored depth are those of a cut of the image, whose corner is (row, column); all around it is
    nothing. Stored depth becomes network depth by `coding` (slope, shift). Backgrounds are as large as half
    an image, black for those who have none, and None if nobody has one. `lost` are the pictures that were
    to be here and could not be read.
    """

    color_Bhw3: Tensor  # uint8
    stored_B2hw: Tensor  # uint16 or float32, 0 = nothing
    coding_B2: Tensor
    keypoints_BK2: Tensor  # pixels
    valid_BK: Tensor
    jitter_B3: Tensor
    background_Bhw3: Tensor | None  # uint8
    has_background_B: Tensor
    corners: tuple[tuple[int, int], ...]
    size: int
    names: tuple[str, ...]
    lost: tuple[Lost, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> Batch:
        """The same on a device; what is pinned gets there while other work goes on."""
        return self._changed(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The same in memory from which a GPU can copy by itself."""
        return self._changed(Tensor.pin_memory)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> Batch:
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {n: change(v) for n, v in named.items() if isinstance(v, Tensor)}
        return replace(self, **changed)


def batched(samples: Sequence[tuple[str, Sample, Draw]], size: int) -> Batch:
    """Samples by name, with what was drawn for them, as one batch."""
    names, people, draws = zip(*samples, strict=True)
    corners, color, stored = _together(people, size)
    scenes = [draw.background for draw in draws]
    return Batch(
        color_Bhw3=color,
        stored_B2hw=stored,
        coding_B2=torch.tensor([person.coding for person in people], dtype=torch.float32),
        keypoints_BK2=torch.from_numpy(np.stack([person.keypoints_uv for person in people])),
        valid_BK=torch.from_numpy(np.stack([person.keypoints_valid for person in people])),
        jitter_B3=torch.tensor([draw.jitter for draw in draws]),
        background_Bhw3=_stacked(scenes, size // 2),
        has_background_B=torch.tensor([scene is not None for scene in scenes]),
        corners=corners,
        size=size,
        names=names,
    )


def _together(people: Sequence[Sample], size: int) -> tuple[tuple[tuple[int, int], ...], Tensor, Tensor]:
    """Corners, colour and stored depth of cuts that are all as large as the largest of each side."""
    height, width = (max(person.color.shape[axis] for person in people) for axis in (0, 1))
    depth_type = np.result_type(*(person.depth for person in people))
    color = np.zeros((len(people), height, width, 3), dtype=np.uint8)
    stored = np.zeros((len(people), 2, height, width), dtype=depth_type)
    corners = []
    for number, person in enumerate(people):
        top, left = min(person.top, size - height), min(person.left, size - width)
        high, wide = person.color.shape[:2]
        rows = slice(person.top - top, person.top - top + high)
        columns = slice(person.left - left, person.left - left + wide)
        color[number, rows, columns] = person.color
        stored[number, :, rows, columns] = person.depth
        corners.append((top, left))
    return tuple(corners), torch.from_numpy(color), torch.from_numpy(stored)


def _stacked(scenes: Sequence[U8 | None], side: int) -> Tensor | None:
    if all(scene is None for scene in scenes):
        return None
    black = np.zeros((side, side, 3), dtype=np.uint8)
    return torch.from_numpy(np.stack([black if scene is None else scene for scene in scenes]))
