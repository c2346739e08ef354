"""Parsed meshes kept as plain arrays, so that a file of text is taken apart once.

A kept form belongs to one source file by path, size and time of change. Whatever does not fit, sum up or
end where it should is not there: a cache can cost time, never a wrong mesh. Refuses to know what the arrays
mean.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.atomic import replacing
from pipeline.errors import ConfigError

_MARK = b"scan2k arrays 1\n"
_LENGTHS = struct.Struct("<II")  # of the header: bytes, checksum
_LONGEST_HEADER = 1 << 24
_KINDS = ("<f4", "<i4", "<i8", "|u1")

Arrays = dict[str, npt.NDArray[np.generic]]
Names = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Which file, as it is now, and which form of it is meant."""

    path: str
    size: int
    mtime_ns: int
    form: str


def source_of(path: Path, form: str) -> Source:
    """The file as it is now."""
    state = path.stat()
    return Source(str(path.absolute()), state.st_size, state.st_mtime_ns, form)


def kept(folder: Path, source: Source) -> tuple[Arrays, Names] | None:
    """What was kept of the source, None where there is nothing sound."""
    try:
        with _place(folder, source).open("rb") as stream:
            return _read(stream, source)
    except (OSError, ValueError, KeyError, TypeError, struct.error, MemoryError, RecursionError):
        return None


def keep(folder: Path, source: Source, arrays: Arrays, names: Names) -> None:
    """Keep the arrays for the next reader."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = json.dumps(
        {
            "source": asdict(source),
            "names": names,
            "arrays": [[name, array.dtype.str, array.shape] for name, array in plain.items()],
            "checksum": _checksum(plain),
        }
    ).encode()
    try:
        with replacing(_place(folder, source)) as stream:
            stream.write(_MARK + _LENGTHS.pack(len(header), zlib.crc32(header)) + header)
            for array in plain.values():
                stream.write(_bytes_of(array))
    except OSError as error:
        raise ConfigError(f"{folder}: no room for parsed meshes here: {error.strerror or error}") from error


def _place(folder: Path, source: Source) -> Path:
    digest = hashlib.sha256(os.fsencode(source.path)).hexdigest()
    return folder / f"{Path(source.path).stem[:40]}-{digest[:24]}.arrays"


def _checksum(arrays: Arrays) -> int:
    total = 0
    for array in arrays.values():
        total = zlib.crc32(_bytes_of(array), total)
    return total


def _bytes_of(array: npt.NDArray[np.generic]) -> memoryview:
    """The array's own bytes, to read or to fill, not a copy of them."""
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def _read(stream: BinaryIO, source: Source) -> tuple[Arrays, Names] | None:
    """The arrays in a file, or a complaint that nobody hears."""
    if stream.read(len(_MARK)) != _MARK:
        return None
    length, checksum = _LENGTHS.unpack(stream.read(_LENGTHS.size))
    header = stream.read(length) if length <= _LONGEST_HEADER else b""
    if len(header) != length or zlib.crc32(header) != checksum:
        return None
    said = json.loads(header)
    if said["source"] != asdict(source) or any(kind not in _KINDS for _, kind, _ in said["arrays"]):
        return None
    left = os.fstat(stream.fileno()).st_size - stream.tell()
    sizes = [np.dtype(kind).itemsize * math.prod(shape) for _, kind, shape in said["arrays"]]
    if sum(sizes) != left or min(sizes, default=0) < 0:
        return None
    arrays: Arrays = {}
    for name, kind, shape in said["arrays"]:
        arrays[name] = np.empty(shape, dtype=kind)
        if stream.readinto(_bytes_of(arrays[name])) != arrays[name].nbytes:  # type: ignore[attr-defined]
            return None
    return (arrays, said["names"]) if _checksum(arrays) == said["checksum"] else None
