"""Pictures of an exam: what a network makes of people whom it has never seen, beside what is true.

Refuses to measure anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from recon.data.augment import Prepared
from recon.losses import mask_of
from recon.network import Network
from recon.normals import true_normals
from recon.training.page import Page, Word

TILE, GAP, LINE = 150, 4, 22  # pixels
PEOPLE, VIEW = 5, "y_10_x"  # how many are shown, and from where
HEADS = ("input", *(f"{what} {side}" for what in ("normals", "depth") for side in ("front", "back")))
DARKEST = 0.15  # of depth; black is nothing


@torch.no_grad()
def draw_people(views: Iterator[tuple[tuple[str, ...], Prepared]], network: Network, path: Path) -> None:
    """A row a person: the input, then normals and depth of front and back, predicted and true."""
    rows = [row for names, shown in views for row in _rows(names, shown, network)][:PEOPLE]
    page = Page(2 * LINE + len(rows) * (TILE + GAP), (2 * len(HEADS) - 1) * (TILE + GAP))
    for column, head in enumerate(HEADS):
        left = max(2 * column - 1, 0) * (TILE + GAP)
        page.say(Word(left + (TILE if column else TILE / 2), LINE / 2, head, bold=True))
        for number, what in enumerate(("predicted", "true") if column else ()):
            page.say(Word(left + number * (TILE + GAP) + TILE / 2, 1.5 * LINE, what))
    for line, row in enumerate(rows):
        for column, picture_3HW in enumerate(row):
            page.put(picture_3HW, (2 * LINE + line * (TILE + GAP), column * (TILE + GAP), TILE, TILE))
    Image.fromarray(np.asarray(page.drawn())).save(path, quality=88, optimize=True)


def _rows(names: tuple[str, ...], shown: Prepared, network: Network) -> Iterator[list[Tensor]]:
    """The pictures of each person of a batch who is seen from the wanted side."""
    made = network(shown.image_B3HW, shown.place).fine
    assert made is not None
    mask_B1HW = mask_of(shown.depth_B2HW)
    normals_B6HW = true_normals(shown.depth_B2HW, mask_B1HW)
    seen_B1HW = made.surfaces.mask_logit_B1HW > 0
    for b, name in enumerate(names):
        if not name.endswith(VIEW):
            continue
        box = _box(mask_B1HW[b, 0])
        inside = shown.depth_B2HW[b][mask_B1HW[b].expand(2, -1, -1)]
        ends = float(inside.min()), float(inside.max())
        row = [shown.image_B3HW[b] / 2 + 0.5]
        for side in (slice(0, 3), slice(3, 6)):
            row += [torch.where(seen_B1HW[b], made.normals_B6HW[b, side], 0.0), normals_B6HW[b, side]]
        for side in (slice(0, 1), slice(1, 2)):
            row.append(_shades(made.surfaces.depth_B2HW[b, side], seen_B1HW[b], ends))
            row.append(_shades(shown.depth_B2HW[b, side], mask_B1HW[b], ends))
        yield [picture_3HW[:, *box].cpu() for picture_3HW in row]


def _box(mask_HW: Tensor) -> tuple[slice, slice]:
    """A square around the person, a little wider."""
    down, across = (torch.nonzero(mask_HW.any(axis)).flatten() for axis in (1, 0))
    half = int((down[-1] - down[0]) * 0.54)
    middle = [int(ends[0] + ends[-1]) // 2 for ends in (down, across)]
    size = len(mask_HW)
    starts = [min(max(at - half, 0), size - 2 * half) for at in middle]
    return slice(starts[0], starts[0] + 2 * half), slice(starts[1], starts[1] + 2 * half)


def _shades(depth_1HW: Tensor, there_1HW: Tensor, ends: tuple[float, float]) -> Tensor:
    """Depth as shades of grey (3, H, W), lighter the nearer."""
    share_1HW = ((depth_1HW - ends[0]) / (ends[1] - ends[0])).clamp(0, 1)
    return torch.where(there_1HW, 1 - (1 - DARKEST) * share_1HW, 0.0).expand(3, -1, -1)
