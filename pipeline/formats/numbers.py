"""Numbers out of nested lists and arrays that a file's writer was free to choose.

Refuses to know what they mean.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.bounded import read_whole
from pipeline.records import F64


def read_json(path: Path) -> object:
    """What a JSON file holds."""
    content = read_whole(path)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise FormatError(f"{path}: line {error.lineno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON: {error}") from error


def flat(value: object, name: str, most: int) -> F64:
    """The numbers (n,) in nested lists, tuples and arrays, in order, all finite and at most `most`.

    Walks at most a few steps a number, however often one list stands in another.
    """
    found: list[float] = []
    waiting, steps = [value], 0
    while waiting:
        item = waiting.pop()
        steps += 1
        if steps > 4 * most + 16:
            raise FormatError(f"{name} has lists in lists, far more than numbers")
        if isinstance(item, list | tuple):
            waiting.extend(reversed(item[: most + 1]))
        elif isinstance(item, np.ndarray) and item.dtype.kind in "biuf":
            with np.errstate(all="ignore"):
                found.extend(item.ravel()[: most + 1].astype(np.float64).tolist())
        elif isinstance(item, int | float):
            found.append(_float(item))
        else:
            raise FormatError(f"{name} holds a {type(item).__name__}; numbers are needed")
        if len(found) > most:
            raise FormatError(f"{name} has over {most} numbers")
    numbers = np.array(found, dtype=np.float64)
    finite = int(np.isfinite(numbers).sum())
    if finite != len(found):
        raise FormatError(f"{name} has {len(found)} numbers, {finite} of them finite; all must be")
    return numbers


def exactly(value: object, name: str, shape: tuple[int, ...]) -> F64:
    """The finite numbers of a shape."""
    wanted = int(np.prod(shape))
    numbers = flat(value, name, wanted)
    if len(numbers) != wanted:
        raise FormatError(f"{name} has {len(numbers)} numbers; {wanted} are needed")
    return numbers.reshape(shape)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of hundreds of digits
        return float("inf")
