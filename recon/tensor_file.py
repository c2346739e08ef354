"""Files of tensors and plain values: written whole, and read without running or believing anything.

What a file says of itself is checked against the bytes that are there before any memory is asked for.
Refuses to know what the values mean.
"""

from __future__ import annotations

import math
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.atomic import replacing
from pipeline.errors import CheckpointError

_DEEPEST, _MOST_VALUES, _LONGEST_WORD = 12, 100_000, 1000  # far over what a training keeps


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a file that is on the disk, whole, when this returns; otherwise what was there stays."""
    try:
        with replacing(path, durable=True) as stream:
            torch.save(content, stream)
    except (OSError, RuntimeError) as problem:
        # torch ends an archive that cannot be ended with an error of its own, which hides the disk's.
        disk = next((error for error in _behind(problem) if isinstance(error, OSError)), None)
        if disk is None:
            raise
        reason = (disk.strerror or str(disk)).lower()
        raise CheckpointError(
            f"{path} cannot be written: {reason}; what was there before is as it was, so make room and run "
            "it again"
        ) from problem


def is_archive(path: Path) -> bool:
    """Is it a file of the kind that `opened` reads, as it seems?"""
    return path.is_file() and zipfile.is_zipfile(path)


def opened(path: Path) -> object:
    """What a file holds. Its tensors are mapped: their bytes are read from the file when they are used."""
    if not path.is_file():
        raise CheckpointError(f"{path} is no file; give a checkpoint such as runs/NAME/phase1/last.pt")
    try:
        _require_honest(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is in a file, its error says enough
            content: object = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
            return content
    except CheckpointError:
        raise
    except pickle.UnpicklingError as problem:
        raise CheckpointError(
            f"{path} holds something else than tensors, numbers and text; it was not run"
        ) from problem
    # A file that was made to be wrong can fail anywhere in the reader, and with anything.
    except Exception as problem:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {_told(problem)}") from problem


def require_undamaged(path: Path) -> None:
    """Refuses a file that is not, to the last byte, what was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    # Damage to an archive's own notes comes up as anything, too.
    except Exception as problem:
        raise CheckpointError(f"{path} is damaged: {_told(problem)}; take an older checkpoint") from problem
    if broken is not None:
        raise CheckpointError(f"{path} is damaged in {broken!r}; take an older checkpoint")


def require_plain(path: Path, content: object) -> None:
    """Refuses all but tables, lists, plain tensors, numbers and printable words, or too many of them."""
    held = 0
    for count, value in enumerate(_values(content)):
        if count == _MOST_VALUES:
            raise CheckpointError(f"{path} holds over {_MOST_VALUES:,} values, which no checkpoint does")
        if fault := _fault(value):
            raise CheckpointError(f"{path} holds {fault}, which no checkpoint does")
        held += value.numel() * value.element_size() if isinstance(value, Tensor) else 0
    if held > path.stat().st_size:
        raise CheckpointError(f"{path} holds tensors of {held:,} bytes in {path.stat().st_size:,}")


def owned(content: object) -> Any:  # noqa: ANN401  what came in comes out
    """The same values, in memory of their own."""
    if isinstance(content, Tensor):
        return content.clone(memory_format=torch.preserve_format)
    if isinstance(content, Mapping):
        return {key: owned(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(owned(value) for value in content)
    return content


def _require_honest(path: Path) -> None:
    """Refuses archives that would grow when they are read: packed ones, and parts that overlap."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise CheckpointError(f"{path} is compressed, which no checkpoint is")
    if sum(part.file_size for part in parts) > path.stat().st_size:
        raise CheckpointError(f"{path} says that it holds more than its {path.stat().st_size:,} bytes")


def _values(content: object, depth: int = 0) -> Iterator[object]:
    """Everything in it, keys too, and None for a table or list; one that lies too deep comes as it is."""
    if depth == _DEEPEST or not isinstance(content, Mapping | list | tuple):
        yield content
        return
    yield None  # empty ones count too: a few of them, each in each other often, are many
    if isinstance(content, Mapping):
        yield from content
        content = content.values()
    for value in content:
        yield from _values(value, depth + 1)


def _fault(value: object) -> str:
    """What is wrong with a single value; nothing if it is as it should be."""
    match value:
        case str():
            is_sane = len(value) <= _LONGEST_WORD and value.isprintable()
            return "" if is_sane else "text that is not printable, or very long"
        case int():
            return "" if abs(value) < 2**63 else "a number of over 64 bits"
        case None | float():
            return ""
        case Tensor() if type(value) is Tensor:
            return _tensor_fault(value)
    return f"a {type(value).__name__}, or tables in tables {_DEEPEST} deep"


def _tensor_fault(tensor: Tensor) -> str:
    """What is wrong with a tensor, whose size may be a mere claim."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.requires_grad:
        return "a tensor that is not a plain one"
    if math.prod(tensor.shape) * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"a tensor of {math.prod(tensor.shape):,} values that are not there"
    return ""


def _told(problem: Exception) -> str:
    """What an error of a library says, in a line."""
    words = "".join(letter for letter in " ".join(str(problem).split()) if letter.isprintable())
    tells = isinstance(problem, OSError | RuntimeError | zipfile.BadZipFile) and words
    return words[:200] if tells else f"it is of another kind ({type(problem).__name__})"


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it hides."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
