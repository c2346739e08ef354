"""What people stand before: images from folders that the user gives, or rooms that are drawn.

Refuses to know who stands there. Images are decoded whole, so those of a few megapixels are best.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError, FormatError
from pipeline.formats.texture import read_texture
from pipeline.records import U8
from recon.data.scenes import enlarged, scene

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_TRIES = 8  # images that are tried before a room is drawn


class Backgrounds:
    """Pictures to put behind people; without folders they are drawn."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._paths = [path for folder in folders for path in _images(folder)]
        names = "\n".join(str(path) for path in self._paths)
        self.digest = hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @property
    def images(self) -> int:
        """How many images there are; without any, rooms are drawn."""
        return len(self._paths)

    def picture(self, draw: np.random.Generator, side: int) -> tuple[U8, list[FormatError]]:
        """A picture (side, side, 3), and what was wrong with images that cannot be read."""
        bad: list[FormatError] = []
        for _ in range(_TRIES if self._paths else 0):
            try:
                return self._cut(draw, side), bad
            except FormatError as error:
                bad.append(error)
        return scene(draw, side), bad

    def _cut(self, draw: np.random.Generator, side: int) -> U8:
        """A part of one of the images; of one that is too small, all that is square, enlarged."""
        path = self._paths[draw.integers(len(self._paths))]
        down, across = draw.random(2)
        whole = read_texture(path)
        cut = min(side, *whole.shape[:2])
        top, left = (
            int(at * (length - cut + 1)) for at, length in zip((down, across), whole.shape[:2], strict=True)
        )
        return enlarged(whole[top : top + cut, left : left + cut], side)


def _images(folder: Path) -> Iterator[Path]:
    """The images in a folder and the folders in it, always in the same order."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; give one with images to put behind people")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()]
    if not found:
        raise ConfigError(
            f"{folder} has no .jpg or .png image; give another folder, or none, and backgrounds are drawn"
        )
    yield from sorted(found, key=lambda path: path.relative_to(folder).parts)
