"""Tables of plain values from files that anybody may have written, checked as they are read.

Refuses to know what the values are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import CheckpointError

_MOST = 2**63 - 1  # of 64 bits


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a file, and where it stands there; whatever is not as it should be is refused by name."""

    path: Path
    place: str
    values: Mapping[str, Any]

    def refused(self, fault: str) -> CheckpointError:
        """The error that says what is wrong."""
        return CheckpointError(f"{self.path} is no checkpoint of this version: {self.place}{fault}")

    def require(self, names: set[str]) -> None:
        """Refuses a table with other names than these."""
        if not all(isinstance(name, str) for name in self.values):
            raise self.refused("it has names that are no words")
        for what, found in (("lacks", names - set(self.values)), ("has also", set(self.values) - names)):
            if found:
                raise self.refused(f"it {what} {', '.join(sorted(found)[:3])}")

    def inner(self, name: str) -> Table:
        """A table within this one, whose names are words."""
        found = self.values[name]
        if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
            raise self.refused(f"{name} is no table")
        return Table(self.path, f"{self.place}{name}: ", found)

    def number(self, name: str, least: int = 0, most: int = _MOST) -> int:
        """A whole number."""
        value = self.values[name]
        if type(value) is not int or not least <= value <= most:
            raise self.refused(f"{name} is {shown(value)}, and not a number from {least:,} to {most:,}")
        return value

    def numbers(self) -> dict[str, int]:
        """The whole table, as whole numbers."""
        return {name: self.number(name) for name in self.values}

    def measure(self, name: str) -> float:
        """A number that may be a fraction, and even NaN."""
        value = self.values[name]
        if type(value) not in (int, float):
            raise self.refused(f"{name} is {shown(value)}, and no number")
        return float(value)

    def measures(self) -> dict[str, float]:
        """The whole table, as such numbers."""
        return {name: self.measure(name) for name in self.values}

    def word(self, name: str) -> str:
        """A text."""
        value = self.values[name]
        if not isinstance(value, str):
            raise self.refused(f"{name} is {shown(value)}, and no text")
        return value


def shown(value: object) -> str:
    """A value in a message: a number as it is, anything else by its kind."""
    return str(value)[:20] if type(value) in (int, float) else f"a {type(value).__name__}"
