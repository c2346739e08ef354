"""The rows of a PLY file in text: every number as a double, and the line that each row stands on.

Refuses to read a row that does not keep to its line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats.ply_header import Element, Header, Property
from pipeline.formats.ply_rows import I64, Lists, Table, Values, irregular_rows, regular_rows
from pipeline.records import F64, I32, U8

_STEP = 1 << 18  # bytes made into numbers at once
_SPACES = np.frombuffer(b" \t\n\r\v\f", dtype=np.uint8)
_LONGEST = 1 << 12  # characters of a number
_WIDTH = 8  # bytes of a number once it is read


@dataclass(frozen=True, slots=True)
class Text:
    """All numbers of a file (N,), and for each of R rows where it begins and on which line it stands.

    `starts` (R + 1,) ends with N.
    """

    numbers: F64
    starts: I64
    lines: I64


def read_text(data: U8, header: Header) -> Text:
    """Every number after the header."""
    newline = ord("\r") if header.newline == b"\r" else ord("\n")
    numbers: list[F64] = []
    widths: list[I32] = []
    at, lines, carry = header.size, header.lines, 0
    while at < len(data):
        end = _word_end(data, at + _STEP, lines)
        words, here = _words(data[at:end], newline)
        numbers.append(_numbers(data[at:end], int(words.sum()), newline, lines))
        words[0] += carry
        carry = int(words[-1])
        widths.append(words[:-1])
        at, lines = end, lines + here
    widths.append(np.array([carry], dtype=np.int32))
    every = np.concatenate(widths)
    full = np.flatnonzero(every)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(every[full], dtype=np.int64)])
    return Text(np.concatenate(numbers) if numbers else np.empty(0), starts, full + header.lines + 1)


def text_table(text: Text, first: int, element: Element) -> Table:
    """The rows of an element that begins with row `first`."""
    count = element.count
    if first + count > len(text.lines):
        raise FormatError(
            f"line {int(text.lines[-1]) if len(text.lines) else 0}: is the last, and {element.name} has "
            f"{len(text.lines) - first} of {count} rows; is it cut off? Copy it again"
        )

    def place(row: int) -> str:
        return f"line {text.lines[first + row]}"

    plain = Element(
        element.name,
        count,
        tuple(Property(p.name, "f8", "f8" if p.count else None) for p in element.properties),
    )
    data = text.numbers.view(np.uint8)
    borders = text.starts[first : first + count + 1] * _WIDTH
    found = regular_rows(data, int(borders[0]), plain, "=")
    if found is not None and (np.diff(borders) == found[0]).all():
        _, columns, lists = found
    else:
        columns, lists = irregular_rows(data, borders, plain, "=", place)
    kinds = {p.name: p.kind for p in element.properties}
    return Table(
        {name: _declared(values, kinds[name], name, element) for name, values in columns.items()},
        {n: Lists(v.counts, _declared(v.values, kinds[n], n, element)) for n, v in lists.items()},
        place,
    )


def _declared(values: Values, kind: str, name: str, element: Element) -> Values:
    """Numbers as the type that the header gives them, which must be able to hold them."""
    if kind[0] == "f":
        return values
    limits = np.iinfo(kind)
    whole = values.astype(np.float64)
    good = (whole >= limits.min) & (whole <= limits.max) & (whole == np.floor(whole))
    if not good.all():
        bad = float(whole[~good][0])
        raise FormatError(f"{element.name} has a {name} of {bad:g}, which is no {np.dtype(kind).name}")
    return whole.astype(kind)


def _word_end(data: U8, at: int, lines: int) -> int:
    """Where the word that byte `at` is in ends."""
    if at >= len(data):
        return len(data)
    found = np.flatnonzero(np.isin(data[at : at + _LONGEST], _SPACES))
    if not len(found) and at + _LONGEST < len(data):
        raise FormatError(f"byte {at}, after line {lines}: has a word of over {_LONGEST} characters")
    return at + int(found[0]) if len(found) else len(data)


def _words(block: U8, newline: int) -> tuple[I32, int]:
    """How many words stand on each line, the one the block ends in included, and how many lines end."""
    inside = ~np.isin(block, _SPACES)
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    so_far = np.cumsum(begins, dtype=np.int32)
    ends = np.append(np.flatnonzero(block == newline), len(block) - 1)
    return np.diff(so_far[ends], prepend=np.int32(0)), len(ends) - 1


def _numbers(block: U8, count: int, newline: int, lines: int) -> F64:
    """The `count` words of a block that begins after so many lines."""
    if not count:
        return np.empty(0)
    content = block.tobytes()
    try:
        numbers = np.fromstring(content, sep=" ")
    except (ValueError, DeprecationWarning):
        numbers = np.empty(0)
    if len(numbers) == count:
        return numbers
    for i, line in enumerate(content.split(bytes([newline]))):
        for word in line.split():
            try:
                float(word.decode("ascii"))
            except ValueError:
                shown = repr(word[:40].decode("ascii", "replace"))
                raise FormatError(f"line {lines + i + 1}: {shown} is not a number") from None
    raise FormatError(f"line {lines + 1}: here or later, numbers are written in a way that is not read")
