"""Where kernels find their buffers, which are kept from scan to scan and grow as needed.

Memory that is given back and asked for again costs more than what is done in it. Refuses to know what is in
the buffers.
"""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

WORD = 4  # bytes
# Which binding each buffer has, as the shaders call it.
_NAMES = """
    VERTICES FACES PLACED LARGE EXTENT SEEN HITS TILTS COLORS OPENNESS PLANES UVS FACE_UVS FACE_TEXTURES
"""
BINDINGS = {name: number for number, name in enumerate(_NAMES.split())}


class Buffers:
    """One buffer for each name in BINDINGS, all of one context."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._held: dict[str, moderngl.Buffer] = {}

    def release(self) -> None:
        """Give all of them back."""
        for buffer in self._held.values():
            buffer.release()
        self._held.clear()

    def hold(self, name: str, words: int) -> None:
        """Have room for so many words of 32 bits; what is in them is not known, and 0 in a new buffer."""
        held = self._held.get(name)
        if held is None or held.size < words * WORD:
            if held is not None:
                del self._held[name]
                held.release()
            held = self._context.buffer(np.zeros(max(words, 1), dtype=np.uint32))
            self._held[name] = held
        held.bind_to_storage_buffer(BINDINGS[name])

    def put(self, name: str, array: npt.NDArray[Any]) -> None:
        """Hold an array of 32-bit numbers."""
        self.hold(name, array.size)
        self._held[name].write(np.ascontiguousarray(array))

    def clear(self, name: str, words: int) -> None:
        """Hold so many words, all 0."""
        self.hold(name, words)
        self._held[name].clear(words * WORD)

    def read(self, name: str, array: npt.NDArray[Any], start: int = 0) -> None:
        """Fill a contiguous array of 32-bit numbers with what is there from word `start` on."""
        self._held[name].read_into(array, size=array.nbytes, offset=start * WORD)
