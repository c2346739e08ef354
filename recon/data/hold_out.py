"""People who are kept back to be judged by, where nobody is of the split for that.

Who it is follows from the names alone: other people and their order change next to nothing. Refuses to keep
back anybody of a handful.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from recon.data.choice import Choice
from recon.data.sift import Table

FEWEST = 4  # people of a dataset of whom one can be spared


def held_out(choice: Choice, share: float) -> tuple[Choice, Choice]:
    """The choice without a share of each dataset's people, at least one, and those people alone."""
    kept_back = {dataset: set(_first(dataset, _people(choice, dataset), share)) for dataset in choice.views}
    return _part(choice, kept_back, inside=False), _part(choice, kept_back, inside=True)


def count_people(choice: Choice) -> int:
    """How many people there are in a choice."""
    return sum(len(_people(choice, dataset)) for dataset in choice.views)


def _people(choice: Choice, dataset: str) -> set[str]:
    return {scan for name, table in choice.pieces if name == dataset for scan in _scans(table)}


def _first(dataset: str, people: Iterable[str], share: float) -> list[str]:
    """The people who come first in an order that has nothing to do with them."""
    order = sorted(people, key=lambda scan: hashlib.blake2b(f"{dataset}/{scan}".encode()).digest())
    return order[: max(1, round(share * len(order)))] if share and len(order) >= FEWEST else []


def _part(choice: Choice, kept_back: dict[str, set[str]], *, inside: bool) -> Choice:
    pieces = []
    for dataset, table in choice.pieces:
        rows = [n for n, scan in enumerate(_scans(table)) if (scan in kept_back[dataset]) == inside]
        pieces.append((dataset, table.take(np.array(rows, dtype=np.int64))))
    names = sorted(f"{dataset}/{scan}" for dataset, scans in kept_back.items() for scan in scans)
    said = f"{choice.digest} {'only' if inside else 'without'} {' '.join(names)}"
    digest = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
    views = Counter(dict.fromkeys(choice.views, 0))
    for dataset, table in pieces:
        views[dataset] += table.num_rows
    return replace(choice, pieces=tuple(pieces), views=dict(views), digest=digest)


def _scans(table: Table) -> list[str]:
    scans: list[str] = table.column("scan").to_pylist()
    return scans
