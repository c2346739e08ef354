"""Files that land whole or not at all: a temporary name beside the real one, then a rename.

Refuses to know formats and folders.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pipeline.errors import ConfigError


def require_writable(folder: Path) -> None:
    """Make the folder, or say in one line why nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{folder} cannot be written: {reason}; give another folder") from error


_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.tmp")


@contextmanager
def replacing(path: Path, durable: bool = False, filled: bool = False) -> Iterator[BinaryIO]:
    """An open binary file that takes the name `path` when the block ends well, and vanishes otherwise.

    A filled one has all its content if it is there after a power cut: that reaches the disk before it takes
    its name. A durable one is there, once the block has ended: so does its name before this returns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f".{uuid4().hex}.tmp")  # as long as `path` may be, this is no longer
    try:
        with waiting.open("xb") as stream:
            yield stream
            if durable or filled:
                stream.flush()
                os.fdatasync(stream.fileno())
        waiting.replace(path)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise
    if durable:
        settle(path.parent)


def is_unfinished(name: str) -> bool:
    """Whether a file of this name was being written, and has not got its own yet."""
    return bool(_UNFINISHED.fullmatch(name))


def settle(folder: Path) -> None:
    """Make the names in a folder reach the disk, as they now are."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes, filled: bool = False) -> None:
    """Write a whole file, which has all its content after a power cut too if `filled`."""
    with replacing(path, filled=filled) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, UTF-8."""
    write_bytes(path, text.encode())
