"""The rows of one element of a PLY file, as columns; rows with lists may differ in length.

Refuses to know what the columns mean.
"""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import FormatError
from pipeline.formats.ply_header import Element
from pipeline.records import U8

Values = npt.NDArray[Any]
I64 = npt.NDArray[np.int64]
Place = Callable[[int], str]
Least = Mapping[str, int]  # the lists that are read, and how short they may be

_STEP = 1 << 16  # values gathered at once: their addresses take more room than they do
_LONG = 64  # lists this long on average are cut out one by one
_CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I"}


@dataclass(frozen=True, slots=True)
class Lists:
    """A list for each of R rows: `counts` (R,), and `values` (N,) one list after another.

    Where all are equally long, `counts` is that one number and `values` are (R, counts).
    """

    counts: I64 | int
    values: Values


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name; `place` says where in the file a row is."""

    columns: Mapping[str, Values]
    lists: Mapping[str, Lists]
    place: Place


def binary_end(data: U8, start: int, element: Element, order: str) -> int:
    """Where rows that nobody asks for end."""
    if not element.has_lists:
        return _fixed_end(data, start, element)
    return deque(chain([start], _ends(data, start, element, order, {})), maxlen=1)[0]


def binary_table(data: U8, start: int, element: Element, order: str, least: Least) -> tuple[Table, int]:
    """The rows that begin at byte `start`, and where they end."""
    if not element.has_lists:
        _fixed_end(data, start, element)
    found = regular_rows(data, start, element, order)
    if found is not None:
        size, columns, lists = found
        return Table(columns, lists, lambda row: f"byte {start + row * size}"), start + size * element.count
    borders = array("q", [start])
    borders.extend(_ends(data, start, element, order, least))
    starts = np.frombuffer(borders, dtype=np.int64)

    def place(row: int) -> str:
        return f"byte {starts[row]}"

    columns, lists = irregular_rows(data, starts, element, order, place)
    return Table(columns, lists, place), int(starts[-1])


def regular_rows(
    data: U8, start: int, element: Element, order: str
) -> tuple[int, dict[str, Values], dict[str, Lists]] | None:
    """Bytes of a row, and the columns as views, where all rows are as long as the first; otherwise None."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    size, counts = 0, {}
    for i, p in enumerate(element.properties):
        if p.count:
            at, width = start + size, int(p.count[1])
            n = float(data[at : at + width].view(order + p.count)[0]) if at + width <= len(data) else -1.0
            if not element.count:
                n = 0.0
            if not 0 <= n <= len(data) or n != int(n):
                return None
            counts[p.name] = int(n)
            fields += [(f"count of {i}", order + p.count), (p.name, order + p.kind, (int(n),))]
            size += width + int(n) * int(p.kind[1])
        else:
            fields.append((p.name, order + p.kind))
            size += int(p.kind[1])
    if start + size * max(element.count, 1) > len(data) and element.count:
        return None
    rows = np.ndarray(element.count, np.dtype(fields), data[start:].data)
    columns, lists = {}, {}
    for i, p in enumerate(element.properties):
        if p.count is None:
            columns[p.name] = rows[p.name]
        elif (rows[f"count of {i}"] != counts[p.name]).any():
            return None
        else:
            lists[p.name] = Lists(counts[p.name], rows[p.name])
    return size, columns, lists


def irregular_rows(
    data: U8, borders: I64, element: Element, order: str, place: Place
) -> tuple[dict[str, Values], dict[str, Lists]]:
    """Columns and lists of R rows that begin and end at the bytes `borders` (R + 1,)."""
    columns, lists = {}, {}
    at, ends = borders[:-1].copy(), borders[1:]
    for p in element.properties:
        kind = np.dtype(order + p.kind)
        if p.count:
            counted = np.dtype(order + p.count)
            _fits(at + counted.itemsize <= ends, "ends too soon", place)
            counts = _gather(data, at, counted)
            at += counted.itemsize
            most = (ends - at) // kind.itemsize
            good = (counts >= 0) & (counts <= most) & (counts == np.floor(counts))
            _fits(good, f"is too short for its list {p.name}", place)
            lengths = counts.astype(np.int64)
            lists[p.name] = Lists(lengths, _gather_lists(data, at, lengths, kind))
            at += lengths * kind.itemsize
        else:
            _fits(at + kind.itemsize <= ends, "ends too soon", place)
            columns[p.name] = _gather(data, at, kind)
            at += kind.itemsize
    _fits(at == ends, "goes on after its last value", place)
    return columns, lists


def _fits(good: npt.NDArray[np.bool_], fault: str, place: Place) -> None:
    if not good.all():
        raise FormatError(f"{place(int(np.argmin(good)))}: this row {fault}")


def _fixed_end(data: U8, start: int, element: Element) -> int:
    size = sum(int(p.kind[1]) for p in element.properties)
    end = start + size * element.count
    if end > len(data):
        raise _cut(data, element, (len(data) - start) // size)
    return end


def _ends(data: U8, start: int, element: Element, order: str, least: Least) -> Iterator[int]:
    """Where each row ends, by a look at the length of every list."""
    steps, gap = [], 0
    for p in element.properties:
        if p.count:
            steps.append(
                (gap, struct.Struct((order or "=") + _CODES[p.count]), int(p.kind[1]), least.get(p.name, 0))
            )
            gap = 0
        else:
            gap += int(p.kind[1])
    view, at = data.data, start
    for row in range(element.count):
        for before, length, width, fewest in steps:
            at += before
            if at + length.size > len(data):
                raise _cut(data, element, row)
            (n,) = length.unpack_from(view, at)
            if n < fewest:
                raise FormatError(
                    f"byte {at}: {element.name} {row} has a list of {n}; {fewest} is the least"
                )
            at += length.size + n * width
        at += gap
        if at > len(data):
            raise _cut(data, element, row)
        yield at


def _cut(data: U8, element: Element, row: int) -> FormatError:
    return FormatError(
        f"byte {len(data)}: ends in {element.name} {row} of {element.count}; is it cut off? Copy it again"
    )


def _gather(data: U8, at: I64, kind: np.dtype[np.generic]) -> Values:
    """The values (N,) at the bytes `at` (N,), wherever those are."""
    values = np.empty(len(at), dtype=kind)
    ramp = np.arange(kind.itemsize)
    for i in range(0, len(at), _STEP):
        values[i : i + _STEP] = data[at[i : i + _STEP, None] + ramp].view(kind)[:, 0]
    return values


def _gather_lists(data: U8, at: I64, counts: I64, kind: np.dtype[np.generic]) -> Values:
    """The values of the lists that begin at the bytes `at` (R,), one list after another (N,)."""
    values = np.empty(int(counts.sum()), dtype=kind)
    borders = np.concatenate([[0], np.cumsum(counts)])
    if len(values) > _LONG * len(counts):
        for row, (begin, end) in enumerate(pairwise(borders.tolist())):
            size = (end - begin) * kind.itemsize
            values[begin:end] = data[at[row] : at[row] + size].view(kind)
        return values
    for i in range(0, len(at), _STEP // _LONG):
        some = slice(i, i + _STEP // _LONG)
        n, first = counts[some], int(borders[i])
        steps = np.arange(first, int(borders[min(i + len(n), len(at))]))
        nth = steps - np.repeat(borders[:-1][some], n)
        values[first : first + len(steps)] = _gather(
            data, np.repeat(at[some], n) + nth * kind.itemsize, kind
        )
    return values
