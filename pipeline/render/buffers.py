"""Where kernels find their buffers, and buffers that grow. Refuses to know what is in them."""

from __future__ import annotations

import moderngl
import numpy as np

WORD = 4  # bytes
# Which binding each buffer has, as the shaders call it.
_NAMES = "VERTICES FACES PLACED LARGE EXTENT SEEN TILTS COLORS OPENNESS PLANES UVS FACE_UVS FACE_TEXTURES"
BINDINGS = {name: number for number, name in enumerate(_NAMES.split())}


class Growing:
    """A buffer of 32-bit words, all 0 at first, that is made anew when more are needed than it has."""

    def __init__(self, context: moderngl.Context, name: str) -> None:
        self._context = context
        self._name = name
        self.buffer = context.buffer(reserve=WORD)

    def hold(self, words: int) -> None:
        """Have room for so many words, and let the kernels find them."""
        if self.buffer.size < words * WORD:
            self.buffer.release()
            self.buffer = self._context.buffer(np.zeros(words, dtype=np.uint32))
        self.buffer.bind_to_storage_buffer(BINDINGS[self._name])

    def release(self) -> None:
        """Give it back."""
        self.buffer.release()
