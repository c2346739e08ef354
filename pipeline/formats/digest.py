"""What tells one file's content from another's: BLAKE2b of 128 bits, as `b2sum -l 128` prints it.

Refuses to know what is in a file.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.rows import SourceFile

_BITS = 128


def digest_of(content: bytes) -> str:
    """The digest of some bytes, in hexadecimal."""
    return hashlib.blake2b(content, digest_size=_BITS // 8).hexdigest()


def digest_of_file(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_BITS // 8)).hexdigest()


def source_file(root: Path, name: str) -> SourceFile:
    """A file of a scan, named below `root`, as it is now."""
    path = root / name
    try:
        digest, facts = digest_of_file(path), path.stat()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    return SourceFile(name, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC), digest)
