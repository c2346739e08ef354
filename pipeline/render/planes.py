"""What is asked of every pixel, as planes of 32-bit words, and what is read back as pictures.

Refuses to talk to GL.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import RenderError
from pipeline.records import Bool, Frame, Surface, Window

SIDES = ("front", "back")
WORDS = {"color": 1, "shaded": 1, "mask": 1, "depth": 1, "length": 1, "normal": 2, "direction": 3}
U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True, order=True)
class Layer:
    """One thing to draw: `kind` is a key of WORDS, `side` front or back.

    color, shaded: 8-bit; mask: 255 or 0; depth and normal: 16-bit codes; length and direction: floats.
    """

    kind: str
    side: str = "front"

    def __post_init__(self) -> None:
        if self.kind not in WORDS or self.side not in SIDES:
            raise RenderError(f"there is no layer {self.kind} {self.side}")


class Planes:
    """Where each layer lies among the planes: a layer takes as many as it has words."""

    def __init__(self, layers: Collection[Layer]) -> None:
        if not layers:
            raise RenderError("nothing is asked for: give at least one layer")
        self._starts: dict[Layer, int] = {}
        self.count = 0
        for layer in sorted(set(layers)):
            self._starts[layer] = self.count
            self.count += WORDS[layer.kind]

    @property
    def kinds(self) -> set[str]:
        """What is asked for, of either side."""
        return {layer.kind for layer in self._starts}

    def defines(self) -> dict[str, str]:
        """For the shaders: the first plane of each kind on side 0, the front, or 1; -1 = not asked for.

        A choice and not an array: Mesa 22 mistook conditions on elements of constant arrays.
        """
        starts = {kind: tuple(self._start(kind, side) for side in SIDES) for kind in WORDS}
        return {f"{k.upper()}_PLANE(side)": f"((side) == 0 ? {f} : {b})" for k, (f, b) in starts.items()}

    def frame(self, words: U32, window: Window) -> Frame:
        """The pictures in planes (count, h, w); they share its memory where they can."""
        front, back = (self._surface(words, side) for side in SIDES)
        return Frame(window, front, back, self._hit(words))

    def _hit(self, words: U32) -> Bool:
        """Which pixels see anything: what is seen is never 0 in all of a layer's words."""
        layer, start = next(iter(self._starts.items()))
        return np.asarray(words[start : start + WORDS[layer.kind]].any(axis=0))

    def _start(self, kind: str, side: str) -> int:
        return self._starts.get(Layer(kind, side), -1)

    def _surface(self, words: U32, side: str) -> Surface:
        found: dict[str, npt.NDArray[Any]] = {}
        for kind, count in WORDS.items():
            start = self._start(kind, side)
            if start >= 0:
                found[kind] = _decoded(kind, words[start : start + count])
        return Surface(**found)


def _decoded(kind: str, words: U32) -> npt.NDArray[Any]:
    """What the words (n, h, w) of one layer hold."""
    found: npt.NDArray[Any]
    match kind:
        case "color" | "shaded":
            found = words[0].view(np.uint8).reshape(*words.shape[1:], 4)[..., :3]
        case "mask":
            found = words[0].astype(np.uint8)
        case "depth":
            found = words[0].astype(np.uint16)
        case "length":
            found = words[0].view(np.float32)
        case "normal":
            found = np.stack([words[0] & 0xFFFF, words[0] >> 16, words[1]], axis=-1).astype(np.uint16)
        case _:
            found = np.moveaxis(words.view(np.float32), 0, -1)
    return found
