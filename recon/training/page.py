"""A page of pictures with words between them, drawn pixel by pixel. Refuses to know what the pictures show.

Legend of suffixes: H and W of a picture, 3 its colours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.records import U8
from recon.training.extra import extra

_PAPER, _INK, _EMPTY = 255, "#222222", 216  # white, nearly black, light grey
_DPI = 100


@dataclass(frozen=True, slots=True)
class Word:
    """Words about a point of the page: x to the right and y down, in pixels. Upright ones read upwards."""

    x: float
    y: float
    text: str
    size: float = 9.0
    bold: bool = False
    upright: bool = False


@dataclass(slots=True)
class Page:
    """Pictures and words by their places in pixels, and the page when it is drawn."""

    height: int
    width: int
    _pictures: list[tuple[int, int, U8]] = field(default_factory=list)
    _words: list[Word] = field(default_factory=list)

    def put(self, image_3HW: Tensor | None, box: tuple[int, int, int, int]) -> None:
        """Fits a picture with values in [0, 1] into a box (top, left, height, width); None is empty."""
        top, left, height, width = box
        if image_3HW is None:
            picture = np.full((height, width, 3), _EMPTY, dtype=np.uint8)
        else:
            picture = _fitted(image_3HW, height, width)
        down, aside = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        self._pictures.append((top + down, left + aside, picture))

    def say(self, word: Word) -> None:
        """Puts words somewhere."""
        self._words.append(word)

    def drawn(self) -> U8:
        """The page (H, W, 3)."""
        paper_HW3 = np.full((self.height, self.width, 3), _PAPER, dtype=np.uint8)
        for top, left, picture in self._pictures:
            paper_HW3[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return np.minimum(paper_HW3, self._written())

    def _written(self) -> U8:
        """The words on white paper (H, W, 3)."""
        with extra():
            from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  an extra
            from matplotlib.figure import Figure  # noqa: PLC0415  an extra

        figure = Figure(figsize=(self.width / _DPI, self.height / _DPI), dpi=_DPI)
        for word in self._words:
            figure.text(
                word.x / self.width,
                1 - word.y / self.height,
                word.text,
                size=word.size,
                color=_INK,
                weight="bold" if word.bold else "normal",
                rotation="vertical" if word.upright else "horizontal",
                ha="center",
                va="center",
            )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        written: U8 = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
        return written


def _fitted(image_3HW: Tensor, height: int, width: int) -> U8:
    """The largest picture of the same proportions that fits: averaged if smaller, blocks if larger."""
    high, wide = image_3HW.shape[-2:]
    scale = min(height / high, width / wide)
    size = max(1, round(high * scale)), max(1, round(wide * scale))
    mode = "area" if scale < 1 else "nearest-exact"
    fitted_3hw = functional.interpolate(image_3HW[None].float(), size=size, mode=mode)[0]
    bytes_3hw = (fitted_3hw.nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
    picture: U8 = bytes_3hw.permute(1, 2, 0).cpu().numpy()
    return picture
