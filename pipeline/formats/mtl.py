"""MTL: what an OBJ's materials are called, and each one's colour or picture.

Refuses to open the pictures, and to know where they lie. Reflection, bumps, transparency and the options of
a picture that do not move it are read over: colours go through as the file has them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.formats.bounded import read_whole

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=\s|$)"
_MOVES = re.compile(rf"-(?P<kind>[ost])\s+(?P<values>{_NUMBER}(?:\s+{_NUMBER}){{0,2}})\s*")
_OTHERS = re.compile(
    r"-(?:blendu|blendv|cc|clamp|imfchan|type|bm|boost|texres|colorspace)\s+\S+\s*"
    rf"|-mm\s+{_NUMBER}\s+{_NUMBER}\s*"
)


@dataclass(frozen=True, slots=True)
class Material:
    """A picture's name as written, and what its coordinates are multiplied by, then moved by; or a colour.

    `color` is None where the material says nothing that can be shown.
    """

    picture: str | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    color: tuple[float, float, float] | None = None


def read_mtl(path: Path) -> dict[str, Material]:
    """The materials of a file by name."""
    text = read_whole(path).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    pictures: dict[str, Material] = {}
    colors: dict[str, tuple[float, float, float]] = {}
    names: dict[str, None] = {}
    name = None
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split(None, 1)
        word = words[0].lower() if words else ""
        rest = words[1].strip() if len(words) > 1 else ""
        if word == "newmtl":
            name = rest
            names[name] = None
        elif word in ("map_kd", "kd") and name is None:
            raise FormatError(f"{path}: line {number}: {words[0]} comes before the first newmtl")
        elif word == "map_kd" and name is not None:
            pictures[name] = _picture(rest, f"{path}: line {number}")
        elif word == "kd" and name is not None and not rest.startswith(("xyz", "spectral")):
            colors[name] = _color(rest, f"{path}: line {number}")
    return {name: pictures.get(name) or Material(color=colors.get(name)) for name in names}


def _picture(rest: str, place: str) -> Material:
    """What `map_Kd` says: options, then a name that may have spaces."""
    moves = {"s": (1.0, 1.0), "o": (0.0, 0.0)}
    while option := _MOVES.match(rest) or _OTHERS.match(rest):
        rest = rest[option.end() :]
        if option.re is _MOVES and option["kind"] in moves:
            given = [float(x) for x in option["values"].split()]
            if not all(math.isfinite(x) for x in given):
                raise FormatError(f"{place}: option -{option['kind']} is not finite")
            moves[option["kind"]] = (given[0], given[1] if len(given) > 1 else moves[option["kind"]][1])
    name = rest.strip().strip('"').strip()
    if not name:
        raise FormatError(f"{place}: map_Kd names no picture")
    return Material(name, moves["s"], moves["o"])


def _color(rest: str, place: str) -> tuple[float, float, float]:
    """What `Kd` says: red, green and blue from 0 to 1, or one number for all three."""
    try:
        numbers = [float(x) for x in rest.split("#", maxsplit=1)[0].split()]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3 or not all(0 <= x <= 1 for x in numbers):
        raise FormatError(f"{place}: Kd {rest[:40]!r} is not three numbers from 0 to 1")
    return numbers[0], numbers[1], numbers[2]
