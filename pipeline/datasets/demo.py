"""The demo: synthetic people in the folders of 2K2K, made into the data folder when they are wanted."""

from __future__ import annotations

from pipeline.datasets import twok2k
from pipeline.records import ScanRow
from pipeline.store import Workspace

NAME = "demo"


def ids(people: int) -> list[str]:
    """The names of the first so many people."""
    return [f"{number:05d}" for number in range(1, people + 1)]


def scans(work: Workspace) -> list[ScanRow]:
    """Every person that is there, in the order of their ids."""
    return twok2k.scans(work)
