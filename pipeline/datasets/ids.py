"""Which names may name a person: they become file names wherever anything is written of them."""

from __future__ import annotations

import unicodedata

MOST_BYTES = 200  # a file name may have 255, and `_front.png` and the like come behind
_FAULTS = {
    "Cs": "is not text in UTF-8",
    "Cc": "has a control character in it",
    "Zl": "has a line break in it",
    "Zp": "has a line break in it",
}


def fault_of(name: str) -> str | None:
    """What is wrong with an id, as the end of a sentence; None where nothing is."""
    if not name or name.isspace():
        return "is empty"
    if not name.isprintable():
        kinds = {unicodedata.category(letter) for letter in name}
        fault = next((text for kind, text in _FAULTS.items() if kind in kinds), None)
        if fault:
            return fault
    if "/" in name or "\\" in name:
        return "has a path separator in it"
    if ".." in name or name.startswith("."):
        return "has `..` in it or begins with a point"
    if len(name.encode()) > MOST_BYTES:
        return f"is {len(name.encode())} bytes long, over {MOST_BYTES}"
    return None


def printable(name: str) -> str:
    """A name as it can be shown in one line, whatever is in it."""
    return name if name.isprintable() else ascii(name)[1:-1]
