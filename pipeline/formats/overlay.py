"""Keypoints drawn over the part of a picture that is not black, small, in JPEG: only for people to look at.

The left side of the body is orange, the right side blue, the middle white; what is hidden is hollow, and
what is not known is not drawn. Refuses to know which keypoint is which.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.atomic import write_bytes
from pipeline.records import U8, Bool, Keypoints

SIZE = 512  # pixels, of the longer side
_FINE = 2  # times as large while it is drawn, so that lines come out smooth
_COLORS = {"left": (255, 150, 20), "right": (40, 150, 255), "middle": (255, 255, 255)}
_EDGE = (0, 0, 0)
_RADIUS, _LINE, _RING = 3.5, 1.6, 1.2
_FADE = 0.5  # of a bone's colour, where an end of it is hidden
_QUALITY = 85
_RIM = 0.05  # of the person's longer side, around them


def write_overlay(
    path: Path,
    picture: U8,
    keypoints: Keypoints,
    bones: Sequence[tuple[int, int]],
    sides: Sequence[str],
) -> None:
    """Write a picture (H, W, 3), keypoints over it; `bones` are pairs, `sides` left, right or middle."""
    left, top, right, bottom = _box(picture)
    scale = SIZE * _FINE / max(right - left, bottom - top)
    size = (max(round((right - left) * scale), _FINE), max(round((bottom - top) * scale), _FINE))
    image = Image.fromarray(np.ascontiguousarray(picture[top:bottom, left:right]))
    image = image.resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    places = [(float(u), float(v)) for u, v in (keypoints.uv - (left, top)) * scale]
    for a, b in bones:
        if keypoints.valid[a] and keypoints.valid[b]:
            faint = not (keypoints.visible[a] and keypoints.visible[b])
            side = sides[a] if sides[a] == sides[b] else "middle"
            color = tuple(round(c * (_FADE if faint else 1.0)) for c in _COLORS[side])
            pen.line((places[a], places[b]), fill=color, width=round(_LINE * _FINE))
    for k in np.argsort(keypoints.visible, kind="stable"):  # what is hidden lies under what shows
        if keypoints.valid[k]:
            _mark(pen, places[k], _COLORS[sides[k]], hollow=not keypoints.visible[k])
    stream = io.BytesIO()
    small = image.resize((size[0] // _FINE, size[1] // _FINE), Image.Resampling.BOX)
    small.save(stream, "JPEG", quality=_QUALITY, subsampling=0)
    write_bytes(path, stream.getvalue())


def _box(picture: U8) -> tuple[int, int, int, int]:
    """The columns and rows, from and to, that hold all that is not black, and a little around it."""
    lit: Bool = (picture > 0).max(axis=2)
    rows, columns = np.flatnonzero(lit.max(axis=1)), np.flatnonzero(lit.max(axis=0))
    if not len(rows):
        return 0, 0, picture.shape[1], picture.shape[0]
    rim = round(_RIM * max(np.ptp(rows), np.ptp(columns))) + 1
    left, top = max(columns[0] - rim, 0), max(rows[0] - rim, 0)
    right, bottom = min(columns[-1] + rim, picture.shape[1]), min(rows[-1] + rim, picture.shape[0])
    return int(left), int(top), int(right), int(bottom)


def _mark(
    pen: ImageDraw.ImageDraw, place: tuple[float, float], color: tuple[int, int, int], *, hollow: bool
) -> None:
    radius, ring = _RADIUS * _FINE, round(_RING * _FINE)
    box = (place[0] - radius, place[1] - radius, place[0] + radius, place[1] + radius)
    if hollow:
        pen.ellipse(box, fill=None, outline=color, width=ring)
    else:
        pen.ellipse(box, fill=color, outline=_EDGE, width=1)
