"""How large a picture may be, and where a smaller one lies in a whole one, black around it.

Refuses to know formats.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import FormatError
from pipeline.records import Window

Number = TypeVar("Number", bound=np.generic)


def check_pixels(width: int, height: int, most: int) -> None:
    """Refuse a picture that says it is larger than `most` pixels."""
    if width * height > most:
        size = f"{width} x {height} = {width * height / 1e6:.0f} Mpx"
        raise FormatError(f"image is {size}, over {most / 1e6:.0f} Mpx")


def window_of(pixels: npt.NDArray[np.generic], window: Window | None) -> Window:
    """Where the picture (h, w) or (h, w, 3) lies in the whole one: `window`, or it is whole itself."""
    height, width = pixels.shape[:2]
    if window is None:
        return Window(0, 0, height, width)
    if min(window.top, window.left) < 0:
        raise ValueError(f"{window} begins outside of its whole picture")
    if window.top + height > window.height or window.left + width > window.width:
        raise ValueError(f"a picture of {width} x {height} does not fit into {window}")
    return window


def whole(pixels: npt.NDArray[Number], window: Window | None) -> npt.NDArray[Number]:
    """The whole picture (H, W) or (H, W, 3), 0 around the smaller one."""
    place = window_of(pixels, window)
    height, width = pixels.shape[:2]
    if (height, width) == (place.height, place.width):
        return np.ascontiguousarray(pixels)
    shape = (place.height, place.width, *pixels.shape[2:])
    all_of_it: npt.NDArray[Number] = np.zeros(shape, dtype=pixels.dtype)
    all_of_it[place.top : place.top + height, place.left : place.left + width] = pixels
    return all_of_it
