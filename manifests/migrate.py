"""Tables of older schema versions as tables of this one.

A step takes a table of one version to the next. A version without a step cannot be read any more, and is
refused with the command that makes its rows anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from manifests.schema import VERSION, Kind
from pipeline.errors import ManifestError

Step = Callable[[pa.Table], pa.Table]


_TEXT = pa.scalar("")
_TEXTS = pa.scalar([], pa.list_(pa.field("element", pa.string(), nullable=False)))


def _with_empty(**columns: tuple[str, pa.Scalar]) -> Step:
    """A step that puts new columns behind others: the name of such another, and the value in every row."""

    def step(table: pa.Table) -> pa.Table:
        for name, (after, empty) in columns.items():
            place, values = table.column_names.index(after) + 1, pa.repeat(empty, table.num_rows)
            table = table.add_column(place, pa.field(name, empty.type, nullable=False), values)
        return table

    return step


# By table and the version that a step begins at. Version 2 has what a scan's files name, and digests of how
# they were found and of what decided its keypoints. Version 1 says nothing of that, and an empty text is no
# digest of anything.
STEPS: Mapping[tuple[str, int], Step] = {
    ("scans", 1): _with_empty(
        named=("sources", _TEXTS), stamp=("source_key", _TEXT), laid_key=("stamp", _TEXT)
    ),
    ("views", 1): _with_empty(keypoints_key=("shaded_key", _TEXT)),
    ("rejects", 1): _with_empty(named=("detail", _TEXTS), stamp=("source_key", _TEXT)),
}


def require_readable(kind: Kind, version: int, dataset: str) -> None:
    """Refuse a version that this program cannot take to its own."""
    if version > VERSION:
        raise ManifestError(
            f"{kind.file} of {dataset} has schema version {version}, and this program knows "
            f"{VERSION} at most; use a newer scan2k"
        )
    lacking = [step for step in range(version, VERSION) if (kind.name, step) not in STEPS]
    if lacking or version < 1:
        raise ManifestError(
            f"{kind.file} of {dataset} has schema version {version}, which cannot be taken to {VERSION}; "
            f"move it away and run `scan2k render {dataset}`, which makes it anew"
        )


def migrated(kind: Kind, version: int, table: pa.Table) -> pa.Table:
    """A table of an older version as one of this version."""
    for step in range(version, VERSION):
        table = STEPS[kind.name, step](table)
    return table
