"""Whatever is wrong with a file, as one error that names it. Refuses to know formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import FormatError


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Put the path in front of every complaint about its content, its place or its size."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise FormatError(f"{path}: is too large for the memory of this machine") from error
