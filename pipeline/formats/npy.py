"""numpy's NPY and NPZ of any origin: sizes checked before memory is taken, pickles never run.

Refuses to know what the arrays mean.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from pipeline.errors import FormatError
from pipeline.formats.pickled import ElementType, array_of, loads
from pipeline.formats.unpickle import printable

_MAGIC, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
_LENGTHS = {b"\x01\x00": "<H", b"\x02\x00": "<I", b"\x03\x00": "<I"}
_HEADER = re.compile(
    r"\{'descr': '(?P<order>[<>|=])(?P<code>\w+)', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>[0-9L, ]*)\),? ?\}\s*",
    re.ASCII,
)
_MOST_HEADER, _MOST_DIMENSIONS, _MOST_DIGITS = 10_000, 8, 18
_MOST_UNPACKED = 1 << 20  # bytes of one array of parameters
_DAMAGE = (
    BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class _Header:
    """What an NPY file says of its array, and where the array's bytes begin."""

    dtype: ElementType
    shape: tuple[int, ...]
    is_fortran: bool
    end: int


def parse_npy(content: bytes) -> object:
    """What an NPY file holds: a plain array, or, of Python objects, the list of those."""
    header = _header(content)
    data = content[header.end :]
    if not header.dtype.is_object:
        return array_of(data, header.dtype, header.shape, is_fortran=header.is_fortran)
    values = loads(data)
    if not isinstance(values, list):
        raise FormatError(f"byte {header.end}: holds no array of objects")
    return values


def parse_npz(file: BinaryIO | bytes, names: Iterable[str]) -> dict[str, object]:
    """Those arrays of an NPZ file that are among `names`, each of at most a megabyte."""
    try:
        with ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file) as archive:
            there = set(archive.namelist())
            return {name: _member(archive, f"{name}.npy") for name in names if f"{name}.npy" in there}
    except _DAMAGE as error:
        raise FormatError(f"not a readable NPZ file: {printable(str(error))}") from error


def require_no_code(file: BinaryIO) -> None:
    """Raise FormatError unless numpy could load an NPZ file, pickles allowed, without running anything."""
    if file.read(len(_ZIP)) != _ZIP:  # numpy would take it for a pickle
        raise FormatError("byte 0: is not an NPZ file")
    try:
        with ZipFile(file) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    start = member.read(_MOST_HEADER)
                if start.startswith(_MAGIC) and _header(start).dtype.is_object:
                    _member(archive, info.filename)
    except _DAMAGE as error:
        raise FormatError(f"not a readable NPZ file: {printable(str(error))}") from error


def _header(content: bytes) -> _Header:
    kind = _LENGTHS.get(content[6:8])
    if not content.startswith(_MAGIC) or kind is None:
        raise FormatError("byte 0: is not an NPY file")
    start = 8 + struct.calcsize(kind)
    if len(content) < start:
        raise FormatError("byte 8: a truncated NPY file")
    end = start + int(struct.unpack(kind, content[8:start])[0])
    text = content[start:end].decode("latin-1")
    found = _HEADER.fullmatch(text) if start + len(text) == end <= _MOST_HEADER else None
    if found is None:
        raise FormatError(f"byte {start}: a header that is not one of plain arrays: {printable(text)}")
    sizes = [size.strip(" L") for size in found["shape"].split(",")]
    if len(sizes) > _MOST_DIMENSIONS or any(len(size) > _MOST_DIGITS for size in sizes):
        raise FormatError(f"byte {start}: a shape that makes no sense: {printable(found['shape'])}")
    try:
        shape = tuple(int(size) for size in sizes if size)
        return _Header(ElementType(found["code"], found["order"]), shape, found["fortran"] == "True", end)
    except (FormatError, ValueError) as error:
        raise FormatError(f"byte {start}: {error}") from error


def _member(archive: ZipFile, name: str) -> object:
    info = archive.getinfo(name)
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & 1:
        raise FormatError(f"{printable(name)}: is packed in a way that numpy does not use")
    if info.file_size > _MOST_UNPACKED:
        raise FormatError(
            f"{printable(name)}: unpacks to {info.file_size:,} bytes, over {_MOST_UNPACKED:,}"
        )
    try:
        return parse_npy(archive.read(info))
    except FormatError as error:
        raise FormatError(f"{printable(name)}: {error}") from error
