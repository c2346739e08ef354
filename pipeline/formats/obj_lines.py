"""The lines of an OBJ file, many at a time: where they are, of what kind, and their words as numbers.

A million lines one by one take minutes, so a block of text stays an array of characters throughout.
Refuses to know what the numbers mean.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.records import F32

I64 = npt.NDArray[np.int64]
Text = npt.NDArray[np.uint8]
Number = TypeVar("Number", bound=np.generic)

VERTEX, TEXTURE, NORMAL, FACE, WORDS = 1, 2, 3, 4, 5  # kinds of lines; 0 is every other
BLOCK = 1 << 22  # bytes looked at together, and the longest line; what is made of them is many times that

_NEWLINE, _SPACE, _SLASH, _HASH, _BACKSLASH = b"\n /#\\"
_BLANKS = b"\t\v\f\r"
# blanks are spaces, and no other control character passes for one
_PLAIN = bytes(_SPACE if i in _BLANKS else i if i >= _SPACE or i == _NEWLINE else 0x7F for i in range(256))
_UNSLASHED = bytes(_SPACE if i == _SLASH else i for i in range(256))
_FLOAT = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(rb"[+-]?\d+")
_MARK = b"\xef\xbb\xbf"


class LineError(Exception):
    """What is wrong with the text, and how many bytes into the file."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = int(offset)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Lines of one kind (n) from one block, put together, their first words taken out."""

    text: Text
    at: I64  # (n + 1,) where each line begins in the text, and where the last one ends
    offsets: I64  # (n,) where each line begins in the file
    lines: I64  # (n,) which lines of the block they are

    def floats(self, width: int | None, most: int, name: str) -> F32:
        """Finite numbers (n, width), as many in every line; `width` is what lines before had, if any."""
        starts = _word_starts(self.text)
        counts = self.counts(starts)
        width = int(counts[0]) if width is None else width
        if (other := np.flatnonzero(counts != width)).size:
            say = f"{name} has {counts[other[0]]} numbers, where others of this file have {width}"
            raise LineError(self.offsets[other[0]], say)
        if not 1 <= width <= most:
            raise LineError(self.offsets[0], f"{name} has {width} numbers; 1 to {most} are known")
        with np.errstate(over="ignore"):
            values = self.parse(self.text.tobytes(), starts, np.float32, _FLOAT)
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0]) // width
            raise LineError(self.offsets[row], f"{name} is not finite")
        return values.reshape(-1, width)

    def whole(self) -> tuple[npt.NDArray[np.int64], I64]:
        """Whole numbers, slashes taken as spaces, and where each begins."""
        text = self.text.tobytes().translate(_UNSLASHED)
        starts = _word_starts(np.frombuffer(text, dtype=np.uint8))
        return self.parse(text, starts, np.int64, _WHOLE), starts

    def parse(
        self, text: bytes, starts: I64, kind: type[Number], wanted: re.Pattern[bytes]
    ) -> npt.NDArray[Number]:
        """Every word as a number, or a fault at the first that is none."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)
                values = np.fromstring(text, dtype=kind, sep=" ") if len(starts) else np.empty(0, kind)
        except (ValueError, DeprecationWarning):
            values = np.empty(0, kind)
        if len(values) == len(starts):
            return values
        for word in re.finditer(rb"[^ \n]+", text):
            if not wanted.fullmatch(word[0]):
                what = word[0][:40].decode("utf-8", "replace")
                raise LineError(self.offsets[self.line_of(word.start())], f"{what!r} is not a number here")
        raise LineError(self.offsets[0], "its numbers, or those of a line after it, cannot be read")

    def counts(self, starts: I64) -> I64:
        """How many of these places (sorted) lie in each line (n,)."""
        lines = len(self.lines)
        each = len(starts) // lines
        if each and len(starts) == each * lines:  # nearly always: the same in every line
            first, last = starts[::each], starts[each - 1 :: each]
            if (first >= self.at[:-1]).all() and (last < self.at[1:]).all():
                return np.full(lines, each)
        return np.diff(np.searchsorted(starts, self.at))

    def line_of(self, place: int) -> int:
        """Which of the lines a place in the text belongs to."""
        return int(np.searchsorted(self.at, place, side="right")) - 1


class Block:
    """Whole lines from somewhere in the file."""

    def __init__(self, raw: bytes, offset: int) -> None:
        self.offset = offset
        self.text = np.frombuffer(bytearray(raw.translate(_PLAIN)), dtype=np.uint8)
        self.ends = np.flatnonzero(self.text == _NEWLINE)
        if _BACKSLASH in raw:
            self._join_continued()
        self.begins = np.concatenate([[0], self.ends[:-1] + 1])
        self.words = self._first_words()
        self.kinds = self._kinds()
        if _HASH in raw:
            self._blank_comments()

    def part(self, kind: int) -> Part | None:
        """The lines of one kind, None where there are none."""
        lines = np.flatnonzero(self.kinds == kind)
        if not len(lines):
            return None
        lengths = self.ends[lines] + 1 - self.begins[lines]
        at = np.concatenate([[0], np.cumsum(lengths)])
        if lines[-1] - lines[0] + 1 == len(lines):
            text = self.text[self.begins[lines[0]] : self.ends[lines[-1]] + 1].copy()
        else:
            text = self.text[np.repeat(self.kinds == kind, self.ends + 1 - self.begins)]
        first = at[:-1] + self.words[lines] - self.begins[lines]
        text[first] = _SPACE
        if kind in (TEXTURE, NORMAL):
            text[first + 1] = _SPACE
        return Part(text, at, self.begins[lines] + self.offset, lines)

    def sentences(self) -> Iterator[tuple[int, bytes]]:
        """Lines that may hold names, each with its number in the block."""
        for line in np.flatnonzero(self.kinds == WORDS):
            yield int(line), self.text[self.words[line] : self.ends[line]].tobytes()

    def _join_continued(self) -> None:
        """Take a line that ends in a backslash and the one after it as one line, comments left alone."""
        last = self.ends - 1
        last -= (self.text[last] == _SPACE) & (last > 0)  # of \r\n
        begins = np.concatenate([[0], self.ends[:-1] + 1])
        joined = (last >= begins) & (self.text[last] == _BACKSLASH) & (self.text[begins] != _HASH)
        joined[-1] = False
        self.text[last[joined]] = _SPACE
        self.text[self.ends[joined]] = _SPACE
        self.ends = self.ends[~joined]

    def _first_words(self) -> I64:
        """Where each line's first character is that is not a space."""
        places = self.begins.copy()
        indented = np.flatnonzero(self.text[places] == _SPACE)
        if len(indented):
            inked = np.flatnonzero(self.text != _SPACE)
            places[indented] = inked[np.searchsorted(inked, places[indented])]
        return places

    def _kinds(self) -> Text:
        one, two, three = (self.text.take(self.words + i, mode="clip") for i in range(3))
        kinds = np.zeros(len(self.words), dtype=np.uint8)
        short, long = two <= _SPACE, three <= _SPACE
        kinds[(one == ord("v")) & short] = VERTEX
        kinds[(one == ord("v")) & (two == ord("t")) & long] = TEXTURE
        kinds[(one == ord("v")) & (two == ord("n")) & long] = NORMAL
        kinds[(one == ord("f")) & short] = FACE
        kinds[((one == ord("u")) & (two == ord("s"))) | ((one == ord("m")) & (two == ord("t")))] = WORDS
        return kinds

    def _blank_comments(self) -> None:
        """Comments behind numbers, out of the way; in names, a hash is a hash."""
        hashes = np.flatnonzero(self.text == _HASH)
        lines = np.searchsorted(self.ends, hashes)
        counted = (self.kinds[lines] != 0) & (self.kinds[lines] != WORDS)
        lines, first = np.unique(lines[counted], return_index=True)
        if len(lines):
            step = np.zeros(len(self.text) + 1, dtype=np.int8)
            step[hashes[counted][first]] = 1
            step[self.ends[lines]] = -1
            self.text[np.cumsum(step[:-1], dtype=np.int8) > 0] = _SPACE


def blocks(stream: BinaryIO, holding: bytes = b"") -> Iterator[Block]:
    """The file's lines in blocks, each ending with a newline; if `holding` is given, those that hold it."""
    offset, rest = 0, b""
    while more := stream.read(BLOCK):
        text = rest + more
        if offset == 0 and text.startswith(_MARK):
            text = text.replace(_MARK, b"   ", 1)
        end = _whole_lines(text)
        if end == 0 and len(text) > BLOCK:
            raise LineError(offset, f"this line is longer than {BLOCK} bytes")
        if end and text.find(holding, 0, end) >= 0:
            yield Block(text[:end], offset)
        offset, rest = offset + end, text[end:]
    if rest and holding in rest:
        yield Block(rest + b"\n", offset)


def line_number(path: Path, offset: int) -> int:
    """The number, from 1, of the line that holds this byte of the file."""
    count = 1
    with path.open("rb") as stream:
        while offset > 0 and (text := stream.read(min(offset, BLOCK))):
            count += text.count(b"\n")
            offset -= len(text)
    return count


def _whole_lines(text: bytes) -> int:
    """How much of a text is whole lines, the last not continued on the next."""
    end = text.rfind(b"\n")
    while end > 0 and text[max(end - 2, 0) : end].rstrip(b"\r").endswith(b"\\"):
        end = text.rfind(b"\n", 0, end)
    return end + 1


def _word_starts(text: Text) -> I64:
    """Where words begin; the text begins with a space."""
    inked = text > _SPACE
    return np.flatnonzero(inked[1:] & ~inked[:-1]) + 1
