"""Small files whole: what is read at once has a limit.

Refuses to know what is in them.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import FormatError

MOST_BYTES = 4 << 20  # parameters, joints and cameras are kilobytes


def read_whole(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file that is no larger than `most`."""
    try:
        if not path.is_file():  # a pipe would be waited on for ever
            raise FormatError(f"{path}: is not a file")
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(content) > most:
        size = path.stat().st_size
        raise FormatError(f"{path}: has {size:,} bytes, over {most:,}; what is read here is far smaller")
    return content
