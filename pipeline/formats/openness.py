"""How much of the room each vertex sees, found once a scan and kept: a byte a vertex, in an NPY file.

A file is called by what decides its content, so it is never out of date; what is not whole is found anew. A
cache can cost time, never a wrong picture. Refuses to know how openness is found.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.atomic import write_bytes
from pipeline.errors import ConfigError, FormatError
from pipeline.formats.bounded import read_whole
from pipeline.formats.npy import parse_npy
from pipeline.records import F32, U8, Mesh

_CODES = 255  # a step is a third of the error of openness itself
_CHECK = 4  # bytes at the end: the checksum of the others
_MOST_HEADER = 256


def kept_openness(folder: Path, mesh: Mesh, method: str, find: Callable[[], F32]) -> F32:
    """What is kept of this mesh (V,), 0 to 1, or else what `find` says, which is kept from now on.

    Both are rounded alike, so the first build gives the same pictures as the next. `method` says all that
    decides the answer besides the mesh.
    """
    path = folder / f"{_digest(mesh, method)}.npy"
    codes = _read(path, len(mesh.vertices))
    if codes is None:
        codes = np.round(find().clip(0, 1) * _CODES).astype(np.uint8)
        _write(path, codes)
    return np.asarray(codes, dtype=np.float32) / np.float32(_CODES)


def _digest(mesh: Mesh, method: str) -> str:
    """A name for what decides the answer: of a mesh, where its vertices are and what its faces join."""
    digest = hashlib.sha256(f"{method}\n{mesh.vertices.shape} {mesh.faces.shape}\n".encode())
    digest.update(np.ascontiguousarray(mesh.vertices, dtype="<f4").data)
    digest.update(np.ascontiguousarray(mesh.faces, dtype="<i4").data)
    return digest.hexdigest()


def _read(path: Path, count: int) -> U8 | None:
    """What a file holds, None where it is not there or not sound."""
    try:
        numbers = parse_npy(read_whole(path, count + _CHECK + _MOST_HEADER))
    except FormatError:
        return None
    if (
        not isinstance(numbers, np.ndarray)
        or numbers.dtype != np.uint8
        or numbers.shape != (count + _CHECK,)
    ):
        return None
    codes = numbers[:count]
    return codes if numbers[count:].tobytes() == _checksum(codes) else None


def _write(path: Path, codes: U8) -> None:
    content = io.BytesIO()
    np.save(content, np.concatenate([codes, np.frombuffer(_checksum(codes), dtype=np.uint8)]))
    try:
        write_bytes(path, content.getvalue())
    except OSError as error:
        raise ConfigError(f"{path.parent}: no room for openness here: {error.strerror or error}") from error


def _checksum(codes: U8) -> bytes:
    return zlib.crc32(codes.data).to_bytes(_CHECK, "little")
