"""Reads pickles without running them: a machine that knows their instructions and plain values.

A pickle is a program. This machine carries out what builds numbers, text, lists and named values, and hands
each call to a `Builder`, which knows a short list of names; any other name ends the reading before anything
runs. Python's own unpickler is not used: one instruction can make it allocate gigabytes. Here time and
memory are a small multiple of the file's size. Refuses to know what the values mean.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import FormatError

MOST_INSTRUCTIONS = 100_000  # of one file: HuGe100K's take five thousand
_MOST_INT_BYTES = 16
_LONGEST_NAME = 80
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a pickle asked for: it stands for itself, nothing was imported."""

    full: str


class Builder(Protocol):
    """What calls are handed to; each answers with a value or raises FormatError."""

    def name(self, full: str) -> Name:
        """The name, if it is known."""

    def call(self, name: Name, arguments: tuple[object, ...]) -> object:
        """What a known name makes of its arguments."""

    def build(self, value: object, state: object) -> object:
        """A value with its state filled in: the same object wherever it is already referred to."""

    def persistent(self, key: object) -> object:
        """What lies outside the pickle under a key."""


class Budget:
    """How many more instructions and bytes a file may take, with all that is nested in it."""

    def __init__(self, size: int) -> None:
        self.instructions = MOST_INSTRUCTIONS
        self.bytes = 8 * size + 65_536

    def step(self) -> None:
        """One more instruction."""
        self.instructions -= 1
        if self.instructions < 0:
            raise FormatError(f"has over {MOST_INSTRUCTIONS:,} instructions; parameters need far fewer")

    def make(self, count: int) -> None:
        """So many more bytes."""
        self.bytes -= count
        if self.bytes < 0:
            raise FormatError("unfolds to many times its size; parameters do not")


def unpickle(content: bytes, builder: Builder, budget: Budget, start: int = 0) -> tuple[object, int]:
    """The value of the pickle that begins at `start`, and where the bytes after it begin."""
    machine = _Machine(content, builder, budget, start)
    try:
        return machine.run(), machine.at
    except FormatError as error:
        raise FormatError(f"byte {machine.began}: {error}") from error
    except (ValueError, TypeError, LookupError, OverflowError, struct.error) as error:
        said = printable(str(error))
        raise FormatError(f"byte {machine.began}: a damaged pickle: {said}") from error


def printable(name: str) -> str:
    """A name from a file, safe to show on one line."""
    safe = "".join(c if c.isprintable() and ord(c) < 0x2000 else "?" for c in name[:_LONGEST_NAME])
    return safe + ("..." if len(name) > _LONGEST_NAME else "")


def _unescape(text: bytes) -> bytes:
    """The bytes that a Python 2 text in quotes stands for."""

    def plain(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1] == b"x" and len(code) == 3:
            return bytes([int(code[1:], 16)])
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 255])
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, text)


class _Machine:
    """One pickle being carried out: a stack, marks on it, and numbered values to come back to."""

    def __init__(self, content: bytes, builder: Builder, budget: Budget, start: int) -> None:
        self.content, self.builder, self.budget = content, builder, budget
        self.at = self.began = start
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        """Carry out instructions up to the stop; the value that is left."""
        while True:
            self.began = self.at
            self.budget.step()
            code = self.take(1)
            if code == b".":
                if len(self.stack) != 1 or self.marks:
                    raise FormatError("a damaged pickle: it stops with loose ends")
                return self.pop()
            step = _STEPS.get(code)
            if step is None:
                raise FormatError(f"a damaged pickle: there is no instruction 0x{code.hex()}")
            step(self)

    # bytes

    def take(self, count: int) -> bytes:
        """The next so many bytes."""
        if not 0 <= count <= len(self.content) - self.at:
            left = len(self.content) - self.at
            raise FormatError(f"a truncated pickle: {count:,} bytes are asked for and {left:,} are left")
        self.at += count
        return self.content[self.at - count : self.at]

    def number(self, kind: str) -> int:
        """The next whole number, laid out as `struct` names it."""
        return int(struct.unpack(kind, self.take(struct.calcsize(kind)))[0])

    def counted(self, kind: str) -> bytes:
        """Bytes after their count."""
        return self.take(self.number(kind))

    def line(self) -> bytes:
        """The bytes up to the next end of line."""
        end = self.content.find(b"\n", self.at)
        if end < 0:
            raise FormatError("a truncated pickle: a line does not end")
        text = self.content[self.at : end]
        self.at = end + 1
        return text

    def decimal(self) -> int:
        """A whole number on a line."""
        text = self.line().removesuffix(b"L")
        if len(text) > 2 * _MOST_INT_BYTES:
            raise FormatError(f"a number has {len(text):,} digits; parameters have none so long")
        return int(text)

    def binary(self, count: int) -> int:
        """A whole number of so many bytes."""
        if count > _MOST_INT_BYTES:
            raise FormatError(f"a number has {count:,} bytes; parameters have none so long")
        return int.from_bytes(self.take(count), "little", signed=True)

    # stack

    def push(self, value: object) -> None:
        """One more value on the stack."""
        self.stack.append(value)

    def pop(self) -> object:
        """The top of the stack, taken off."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise FormatError("a damaged pickle: it takes a value that is not there")
        return self.stack.pop()

    def top(self) -> object:
        """The top of the stack, left there."""
        value = self.pop()
        self.push(value)
        return value

    def since_mark(self) -> list[object]:
        """All above the last mark, taken off with it."""
        if not self.marks:
            raise FormatError("a damaged pickle: it goes back to a mark that is not there")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def pop_tuple(self, count: int) -> tuple[object, ...]:
        """The top so many values, lowest first."""
        return tuple(reversed([self.pop() for _ in range(count)]))

    def recall(self, index: int) -> None:
        """Push what was kept under a number."""
        if index not in self.memo:
            raise FormatError(f"a damaged pickle: nothing was kept under {index}")
        self.push(self.memo[index])

    def keep(self, index: int) -> None:
        """Keep the top under a number."""
        self.memo[index] = self.top()

    # containers

    def extend(self, values: list[object]) -> None:
        """Add values to the list on the stack."""
        target = self.top()
        if not isinstance(target, list):
            raise FormatError(f"a damaged pickle: it adds to a {type(target).__name__}")
        target.extend(values)

    def update(self, values: list[object]) -> None:
        """Add name, value, name, value to the mapping on the stack."""
        target = self.top()
        if not isinstance(target, dict) or len(values) % 2:
            raise FormatError(f"a damaged pickle: it sets items of a {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # no other key can be made slow to look up by whoever wrote the file
            if not isinstance(key, str):
                raise FormatError(f"a key is a {type(key).__name__}; names are needed")
            target[key] = value

    def mapping(self) -> None:
        """A mapping from all above the last mark."""
        values = self.since_mark()
        self.push({})
        self.update(values)

    # calls

    def look_up(self, module: object, name: object) -> Name:
        """A name of a module, if it is known."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise FormatError("a damaged pickle: a name is not text")
        return self.builder.name(f"{module}.{name}")

    def global_line(self) -> Name:
        """A name on two lines."""
        return self.look_up(self.line().decode(), self.line().decode())

    def stack_global(self) -> None:
        """A name from the stack."""
        self.push(self.look_up(*self.pop_tuple(2)))

    def reduce(self) -> None:
        """A call of the name under its arguments."""
        name, arguments = self.pop_tuple(2)
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise FormatError(f"a damaged pickle: it calls a {type(name).__name__}")
        self.push(self.builder.call(name, arguments))

    def build(self) -> None:
        """A value given its state."""
        value, state = self.pop_tuple(2)
        self.push(self.builder.build(value, state))

    def make_instance(self, name: object) -> None:
        """Refuse to make an object of a class: nothing that is read here needs one."""
        said = printable(name.full) if isinstance(name, Name) else f"a {type(name).__name__}"
        raise FormatError(f"it wants to make an object of {said}; only arrays and tensors are read")

    def refuse(self, what: str) -> None:
        """End the reading."""
        raise FormatError(f"it wants {what}; only arrays, tensors and plain values are read")


def _legacy_text(machine: _Machine) -> str:
    text = machine.line().strip()
    if len(text) < 2 or text[:1] not in b"'\"" or text[-1:] != text[:1]:
        raise FormatError("a damaged pickle: a text has no quotes")
    return _unescape(text[1:-1]).decode("latin-1")


def _int_line(machine: _Machine) -> int | bool:
    for text, value in ((b"00\n", False), (b"01\n", True)):
        if machine.content.startswith(text, machine.at):
            machine.at += len(text)
            return value
    return machine.decimal()


def _utf8(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _add(machine: _Machine, add: Callable[[list[object]], None], count: int | None) -> None:
    add(machine.since_mark() if count is None else list(machine.pop_tuple(count)))


_VALUES: dict[bytes, Callable[[_Machine], object]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b")": lambda m: (),
    b"]": lambda m: [],
    b"}": lambda m: {},
    b"I": _int_line,
    b"L": lambda m: m.decimal(),
    b"J": lambda m: m.number("<i"),
    b"K": lambda m: m.number("<B"),
    b"M": lambda m: m.number("<H"),
    b"\x8a": lambda m: m.binary(m.number("<B")),
    b"\x8b": lambda m: m.binary(m.number("<I")),
    b"F": lambda m: float(m.line()),
    b"G": lambda m: struct.unpack(">d", m.take(8))[0],
    b"S": _legacy_text,
    b"T": lambda m: m.counted("<i").decode("latin-1"),
    b"U": lambda m: m.counted("<B").decode("latin-1"),
    b"B": lambda m: m.counted("<I"),
    b"C": lambda m: m.counted("<B"),
    b"\x8e": lambda m: m.counted("<Q"),
    b"\x96": lambda m: m.counted("<Q"),
    b"V": lambda m: m.line().decode("raw-unicode-escape"),
    b"X": lambda m: _utf8(m.counted("<I")),
    b"\x8c": lambda m: _utf8(m.counted("<B")),
    b"\x8d": lambda m: _utf8(m.counted("<Q")),
    b"t": lambda m: tuple(m.since_mark()),
    b"\x85": lambda m: m.pop_tuple(1),
    b"\x86": lambda m: m.pop_tuple(2),
    b"\x87": lambda m: m.pop_tuple(3),
    b"l": lambda m: m.since_mark(),
    b"2": lambda m: m.top(),
    b"c": lambda m: m.global_line(),
    b"P": lambda m: m.builder.persistent(m.line().decode("latin-1")),
    b"Q": lambda m: m.builder.persistent(m.pop()),
}


def _pushing(value: Callable[[_Machine], object]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(value(machine))


_SETS, _OUT_OF_BAND = "a set", "bytes that are kept outside the file"
_STEPS: dict[bytes, Callable[[_Machine], object]] = {
    **{code: _pushing(value) for code, value in _VALUES.items()},
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"0": lambda m: m.since_mark() if m.marks and m.marks[-1] == len(m.stack) else m.pop(),
    b"1": lambda m: m.since_mark(),
    b"p": lambda m: m.keep(m.decimal()),
    b"q": lambda m: m.keep(m.number("<B")),
    b"r": lambda m: m.keep(m.number("<I")),
    b"\x94": lambda m: m.keep(len(m.memo)),
    b"g": lambda m: m.recall(m.decimal()),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"a": lambda m: _add(m, m.extend, 1),
    b"e": lambda m: _add(m, m.extend, None),
    b"s": lambda m: _add(m, m.update, 2),
    b"u": lambda m: _add(m, m.update, None),
    b"d": lambda m: m.mapping(),
    b"\x93": lambda m: m.stack_global(),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
    b"i": lambda m: m.make_instance(m.global_line()),
    b"o": lambda m: m.make_instance((m.since_mark() or [None])[0]),
    b"\x81": lambda m: m.make_instance(m.pop_tuple(2)[0]),
    b"\x92": lambda m: m.make_instance(m.pop_tuple(3)[0]),
    b"\x82": lambda m: m.refuse(f"what is registered as extension {m.number('<B')}"),
    b"\x83": lambda m: m.refuse(f"what is registered as extension {m.number('<H')}"),
    b"\x84": lambda m: m.refuse(f"what is registered as extension {m.number('<i')}"),
    b"\x8f": lambda m: m.refuse(_SETS),
    b"\x90": lambda m: m.refuse(_SETS),
    b"\x91": lambda m: m.refuse(_SETS),
    b"\x97": lambda m: m.refuse(_OUT_OF_BAND),
    b"\x98": lambda m: m.refuse(_OUT_OF_BAND),
    b"\x80": lambda m: m.number("<B"),
    b"\x95": lambda m: m.number("<Q"),
}
