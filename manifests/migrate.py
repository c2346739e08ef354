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


def _with_empty_texts(after: str, *names: str) -> Step:
    """A step that puts new columns of empty texts behind another one."""

    def step(table: pa.Table) -> pa.Table:
        place = table.column_names.index(after) + 1
        for name in reversed(names):
            empty = pa.repeat(pa.scalar(""), table.num_rows)
            table = table.add_column(place, pa.field(name, pa.string(), nullable=False), empty)
        return table

    return step


# By table and the version that a step begins at. Version 2 has digests of how a scan's files were found and
# of what decided its keypoints. Version 1 says nothing of that, and an empty text is no digest of anything.
STEPS: Mapping[tuple[str, int], Step] = {
    ("scans", 1): _with_empty_texts("source_key", "stamp", "laid_key"),
    ("views", 1): _with_empty_texts("shaded_key", "keypoints_key"),
    ("rejects", 1): _with_empty_texts("source_key", "stamp"),
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
