"""The demo: synthetic people in the folders of 2K2K, made into the data folder when they are wanted."""

from __future__ import annotations

NAME = "demo"


def ids(people: int) -> list[str]:
    """The names of the first so many people."""
    return [f"{number:05d}" for number in range(1, people + 1)]
