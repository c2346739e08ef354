"""What a manifest's views add up to, in little memory, however many they are. Refuses to look at a file."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pyarrow.compute as pc

from manifests.read import Manifest
from manifests.schema import VIEWS
from pipeline.rows import FILES


class Sums(NamedTuple):
    """How many rows there are of each view through each camera, and how many bytes all their files have."""

    rows: Counter[tuple[str, str]]
    bytes: int


def sums_of(manifest: Manifest) -> Sums:
    """The sums of all views of a manifest."""
    rows: Counter[tuple[str, str]] = Counter()
    total = 0
    lengths = [f"{name}_bytes" for name in FILES]
    for table in manifest.batches(VIEWS, ("view", "projection", *lengths)):
        for found in table.group_by(["view", "projection"]).aggregate([([], "count_all")]).to_pylist():
            rows[found["view"], found["projection"]] += found["count_all"]
        total += sum(pc.sum(table.column(name)).as_py() or 0 for name in lengths)
    return Sums(rows, total)
