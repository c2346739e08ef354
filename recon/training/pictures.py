"""What a network predicts of one person, beside what is true, on one sheet that explains itself.

Normals are shown as they are encoded. Depth is lighter the nearer it is, from the nearest point of the true
person to the farthest; what is predicted beyond those is coloured. Refuses to know where people come from,
and what becomes of the sheet.

Legend of suffixes: P parts, H and W of the image, h and w of a window; 2 is front and back, 3 colours or a
normal, 6 the normals of both. A leading 1 is the one person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.records import U8
from recon.data.augment import Prepared
from recon.losses import SIDES, Profile, mask_of, targets
from recon.network import Fine, Prediction, Surfaces
from recon.normals import true_normals
from recon.training.page import Page, Word
from recon.windows import PARTS, WINDOWS, Placement, window_views

_TILE, _PART = 220, 190  # pixels: the side of a picture of the whole person, the height of one of a part
_GAP, _LINE, _MARGIN = 6, 28, 28  # between pictures, for a line of words, left of pictures
_LEGEND = (
    "Normals: every colour is a direction.   Depth: light is near, dark is far; "
    "blue is nearer, and red farther, than anything of the true person."
)
_NEARER, _FARTHER = (0.25, 0.45, 1.0), (1.0, 0.3, 0.25)  # blue, red
_SLACK = 0.02  # of the true range, by which depth may leave it
_DARKEST = 0.15  # of what is there: black is nothing


@dataclass(frozen=True, slots=True)
class _Pair:
    """What is predicted and what is true of the whole person (3, H, W)."""

    name: str
    made_3HW: Tensor
    true_3HW: Tensor


_Row = tuple[str, Mapping[str, Tensor]]  # its name, and pictures of parts by window (P, 3, h, w)


@torch.no_grad()
def sheet(prediction: Prediction, shown: Prepared, profile: Profile, person: int = 0) -> U8:
    """The sheet (H, W, 3) of one person of a batch: the whole above, the twelve parts below."""
    own = slice(person, person + 1)
    image_13HW, depth_12HW = shown.image_B3HW[own] / 2 + 0.5, shown.depth_B2HW[own].float()
    place = Placement(*(matrix[own] for matrix in _matrices(shown.place)))
    if prediction.fine is None:
        pairs, rows = _first(prediction, own, Prepared(image_13HW, depth_12HW, place), profile)
    else:
        fine = _of_one(prediction.fine, own)
        pairs, rows = _second(fine, Prepared(image_13HW, depth_12HW, place), profile)
    return _laid_out(image_13HW[0], pairs, rows, place.present_BP[0].tolist())


def _matrices(place: Placement) -> tuple[Tensor, Tensor, Tensor]:
    return place.to_part_BP23, place.sampling_BP23, place.present_BP


def _of_one(fine: Fine, own: slice) -> Fine:
    return Fine(fine.normals_B6HW[own], fine.covered_B1HW[own], _surfaces_of_one(fine.surfaces, own))


def _surfaces_of_one(surfaces: Surfaces, own: slice) -> Surfaces:
    return Surfaces(surfaces.depth_B2HW[own].float(), surfaces.mask_logit_B1HW[own].float())


def _first(
    prediction: Prediction, own: slice, shown: Prepared, profile: Profile
) -> tuple[list[_Pair], list[_Row]]:
    """What the first phase learns: everything at an eighth of the size, and the parts."""
    wanted = targets(shown.depth_B2HW, shown.place, profile)
    low = _surfaces_of_one(prediction.low, own)
    pairs = [
        *_normal_pairs("normals", prediction.low_normals_B6hw[own], wanted.low_normals_B6hw),
        *_surface_pairs(low, wanted.low_depth_B2hw),
    ]
    rows: list[_Row] = [("image", _through(shown.image_B3HW, shown.place))]
    for number, side in enumerate(SIDES):
        channels = slice(3 * number, 3 * number + 3)
        made = {name: part[own][0, :, channels] for name, part in prediction.part_normals.items()}
        true = {name: part[0, :, channels] for name, part in wanted.part_normals.items()}
        rows += [(f"{side}, predicted", made), (f"{side}, true", true)]
    return pairs, rows


def _second(fine: Fine, shown: Prepared, profile: Profile) -> tuple[list[_Pair], list[_Row]]:
    """What the second phase learns: refined surfaces, and close-ups of what normals they have."""
    depth_12HW = shown.depth_B2HW
    mask_11HW = mask_of(depth_12HW)
    made_16HW = true_normals(fine.surfaces.depth_B2HW, fine.surfaces.mask_B1HW > 0.5)
    true_16HW = true_normals(depth_12HW, mask_11HW)
    pairs = [
        *_normal_pairs("merged normals", fine.normals_B6HW, profile.normals(depth_12HW, mask_11HW)),
        *_normal_pairs("normals of depth", made_16HW, true_16HW),
        *_surface_pairs(fine.surfaces, depth_12HW),
    ]
    rows: list[_Row] = [("image", _through(shown.image_B3HW, shown.place))]
    for number, side in enumerate(SIDES):
        channels = slice(3 * number, 3 * number + 3)
        for what, normals_16HW in (
            ("merged", fine.normals_B6HW),
            ("of depth", made_16HW),
            ("true", true_16HW),
        ):
            rows.append((f"{side}, {what}", _through(normals_16HW[:, channels], shown.place)))
    return pairs, rows


def _through(image_13HW: Tensor, place: Placement) -> dict[str, Tensor]:
    """The image through all windows."""
    size = image_13HW.shape[-1]
    return {
        name: window_views(image_13HW, place.of(window), window.at(size))[0]
        for name, window in WINDOWS.items()
    }


def _normal_pairs(name: str, made_16HW: Tensor, true_16HW: Tensor) -> list[_Pair]:
    sides = zip(SIDES, made_16HW[0].chunk(2), true_16HW[0].chunk(2), strict=True)
    return [_Pair(f"{name}, {side}", made_3HW, true_3HW) for side, made_3HW, true_3HW in sides]


def _surface_pairs(made: Surfaces, true_12HW: Tensor) -> list[_Pair]:
    mask_1HW, made_mask_1HW = mask_of(true_12HW)[0], made.mask_B1HW[0] > 0.5
    inside = true_12HW[0][mask_1HW.expand(2, -1, -1)]
    near, far = (float(inside.min()), float(inside.max())) if len(inside) else (0.0, 1.0)
    pairs = [
        _Pair(
            f"depth, {side}",
            _shades(made_1HW, made_mask_1HW, near, far),
            _shades(true_1HW, mask_1HW, near, far),
        )
        for side, made_1HW, true_1HW in zip(
            SIDES, made.depth_B2HW[0].chunk(2), true_12HW[0].chunk(2), strict=True
        )
    ]
    return [*pairs, _Pair("mask", made.mask_B1HW[0].expand(3, -1, -1), mask_1HW.float().expand(3, -1, -1))]


def _shades(depth_1HW: Tensor, there_1HW: Tensor, near: float, far: float) -> Tensor:
    """Depth as shades of grey (3, H, W), where it is there, and colours beyond its ends."""
    share_1HW = (depth_1HW - near) / max(far - near, 1e-6)
    grey_3HW = (1 - (1 - _DARKEST) * share_1HW.clamp(0, 1)).expand(3, -1, -1)
    for beyond_1HW, color in ((share_1HW < -_SLACK, _NEARER), (share_1HW > 1 + _SLACK, _FARTHER)):
        grey_3HW = torch.where(beyond_1HW, grey_3HW.new_tensor(color)[:, None, None], grey_3HW)
    return torch.where(there_1HW, grey_3HW, 0.0)


def _laid_out(image_3HW: Tensor, pairs: list[_Pair], rows: list[_Row], present: list[bool]) -> U8:
    """The input at the left of the pairs, a column for each part below, and what the colours mean."""
    side = 2 * _TILE + _GAP
    pairs_left = _MARGIN + side + _MARGIN
    parts_top = _LINE + side + _LINE
    parts_height = _LINE + len(rows) * (_PART + _GAP)
    page = Page(parts_top + parts_height + _LINE, pairs_left + len(pairs) * (_TILE + _GAP) + _GAP)
    page.say(Word(_MARGIN + side / 2, _LINE / 2, "input", bold=True))
    page.put(image_3HW, (_LINE, _MARGIN, side, side))
    _lay_pairs(page, pairs_left, pairs)
    _lay_parts(page, parts_top, rows, present)
    page.say(Word(page.width / 2, page.height - _LINE / 2, _LEGEND))
    return page.drawn()


def _lay_pairs(page: Page, left: int, pairs: list[_Pair]) -> None:
    tops = {"predicted": _LINE, "true": _LINE + _TILE + _GAP}
    for name, top in tops.items():
        page.say(Word(left - _MARGIN / 2, top + _TILE / 2, name, bold=True, upright=True))
    for column, pair in enumerate(pairs):
        at = left + column * (_TILE + _GAP)
        page.say(Word(at + _TILE / 2, _LINE / 2, pair.name, bold=True))
        page.put(pair.made_3HW, (tops["predicted"], at, _TILE, _TILE))
        page.put(pair.true_3HW, (tops["true"], at, _TILE, _TILE))


def _lay_parts(page: Page, top: int, rows: list[_Row], present: list[bool]) -> None:
    step = (page.width - _MARGIN) // len(PARTS)
    width = step - _GAP
    for number, name in enumerate(PARTS):
        page.say(Word(_MARGIN + number * step + width / 2, top + _LINE / 2, name, bold=True))
    for line, (row, pictures) in enumerate(rows):
        at = top + _LINE + line * (_PART + _GAP)
        page.say(Word(_MARGIN / 2, at + _PART / 2, row, upright=True))
        for window, picture_P3hw in pictures.items():
            for part, picture_3hw in enumerate(picture_P3hw, WINDOWS[window].parts.start):
                left = _MARGIN + part * step
                page.put(picture_3hw if present[part] else None, (at, left, _PART, width))
                if not present[part]:
                    page.say(Word(left + width / 2, at + _PART / 2, "absent"))
