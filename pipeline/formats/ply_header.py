"""What the head of a PLY file promises: its encoding, its elements and their properties.

Refuses to know what the elements mean, and to believe a promise that the file is too short to keep.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import FormatError

HEADER_LIMIT = 1 << 16
_MOST_DIGITS = 15
_KINDS = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True, slots=True)
class Property:
    """One value of a row, or with `count` a list of them; both are NumPy's names of types, as `f4`."""

    name: str
    kind: str
    count: str | None = None


@dataclass(frozen=True, slots=True)
class Element:
    """`count` rows of the same properties."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def has_lists(self) -> bool:
        """Whether its rows can differ in length."""
        return any(p.count for p in self.properties)


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself. `order` is `<`, `>`, or nothing for text; the rest begins at `size`."""

    order: str
    elements: tuple[Element, ...]
    newline: bytes
    lines: int
    size: int


def parse_header(head: bytes) -> Header:
    """The header in the first bytes of a file."""
    newline = next((n for n in (b"\r\n", b"\n", b"\r") if head.startswith(b"ply" + n)), None)
    if newline is None:
        raise FormatError("byte 0: has no PLY header; its first line must be: ply")
    order: str | None = None
    elements: list[Element] = []
    at, number = len(b"ply" + newline), 1
    while True:
        end = head.find(newline, at)
        if end < 0:
            raise FormatError(f"line {number + 1}: has no end_header in the first {HEADER_LIMIT} bytes")
        line, at, number = head[at:end], end + len(newline), number + 1
        words = line.decode("ascii", "replace").split()
        try:
            if words == ["end_header"]:
                break
            if words[:1] == ["format"]:
                order = _order(words)
            elif words[:1] == ["element"]:
                elements.append(_element(words, elements))
            elif words[:1] == ["property"]:
                elements[-1:] = [_with_property(words, elements)]
            elif words and words[0] not in {"comment", "obj_info"}:
                raise FormatError(f"{_shown(words)} is not a line of a PLY header")
        except FormatError as error:
            raise FormatError(f"line {number}: {error}") from error
    if order is None:
        raise FormatError(f"line {number}: has no format line before end_header")
    return Header(order, tuple(elements), newline, number, at)


def check_size(header: Header, size: int) -> None:
    """Refuse counts that a file of `size` bytes is too short for, before memory is set aside for them."""
    least = 0
    for element in header.elements:
        for p in element.properties:
            kind = p.count or p.kind
            least += element.count * (int(kind[1]) if header.order else 2)
    # The last value of a text may end with the file.
    if least - (not header.order) > size - header.size:
        raise FormatError(
            f"byte {header.size}: its header asks for at least {least} bytes, but {size - header.size} "
            "follow; is it cut off?"
        )


def _order(words: list[str]) -> str:
    if len(words) != 3 or words[1] not in _ORDERS or words[2] != "1.0":
        raise FormatError(f"{_shown(words)}; the formats are {', '.join(_ORDERS)}, each 1.0")
    return _ORDERS[words[1]]


def _element(words: list[str], others: list[Element]) -> Element:
    if len(words) != 3:
        raise FormatError(f"{_shown(words)}; a name and a count are needed")
    digits = words[2]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise FormatError(f"{_shown(words)}; the count must be a whole number from 0 to 10^{_MOST_DIGITS}")
    if any(other.name == words[1] for other in others):
        raise FormatError(f"{_shown(words)} is there twice")
    return Element(words[1], int(digits), ())


def _with_property(words: list[str], elements: list[Element]) -> Element:
    """The last element, with one more property."""
    if not elements:
        raise FormatError(f"{_shown(words)} comes before any element")
    if words[1:2] == ["list"]:
        kinds, name = words[2:4], words[4:]
    else:
        kinds, name = words[1:2], words[2:]
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if len(name) != 1 or unknown:
        raise FormatError(f"{_shown(words)}; a type ({', '.join(_KINDS)}) and a name are needed")
    last = elements[-1]
    if any(p.name == name[0] for p in last.properties):
        raise FormatError(f"{_shown(words)} is there twice")
    count = _KINDS[kinds[0]] if len(kinds) == 2 else None
    if count and count[0] == "f":
        raise FormatError(f"{_shown(words)}; a list is counted by a whole number")
    return Element(last.name, last.count, (*last.properties, Property(name[0], _KINDS[kinds[-1]], count)))


def _shown(words: list[str]) -> str:
    """A line of the file as an error may print it."""
    return repr(" ".join(words)[:80])
