"""Which program this is: its version, and a digest of its own text. Refuses to know what it does."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from importlib.metadata import version

BUILD = ("pipeline", "manifests", "shaders")
TRAINING = ("pipeline", "manifests", "recon")
_SUFFIXES = (".py", ".comp", ".glsl")


@cache
def code_version(rooms: tuple[str, ...] = BUILD) -> str:
    """The package's version and eight digits that change with any line of the code in these rooms."""
    digest = hashlib.blake2b(digest_size=4)
    for room in rooms:
        folder = resources.files(room)
        for name, content in sorted(_texts(folder, room)):
            digest.update(name.encode() + b"\0" + content + b"\0")
    return f"{version('scan2k')}+{digest.hexdigest()}"


def _texts(folder: resources.abc.Traversable, place: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        name = f"{place}/{entry.name}"
        if entry.is_dir():
            found += _texts(entry, name)
        elif entry.name.endswith(_SUFFIXES):
            found.append((name, entry.read_bytes()))
    return found
