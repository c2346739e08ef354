"""Reading a manifest: columns of some scans or of a split, as Arrow tables; and what is up to date.

Whatever is wrong with the files is a ManifestError. Refuses to write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.files import Facts, TableFile
from manifests.schema import KINDS, REJECTS, SCANS, VIEWS, Kind

_READERS = 4


@dataclass(frozen=True)
class Manifest:
    """A dataset's tables, found to be sound; what is read of them is as they are when it is read."""

    folder: Path
    facts: Facts
    counts: Mapping[str, int]

    def views(
        self,
        columns: Sequence[str] | None = None,
        scans: Sequence[str] | None = None,
        split: str | None = None,
    ) -> pa.Table:
        """Views, all or those of some scans or of a split, in the order of the scans."""
        return pa.concat_tables(self.batches(VIEWS, columns, scans, split))

    def scans(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All scans."""
        return pa.concat_tables(self.batches(SCANS, columns))

    def rejects(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The scans that could not be used when they were last tried."""
        return pa.concat_tables(self.batches(REJECTS, columns))

    def batches(
        self,
        kind: Kind,
        columns: Sequence[str] | None = None,
        scans: Sequence[str] | None = None,
        split: str | None = None,
    ) -> Iterator[pa.Table]:
        """The same row group by row group: little memory, however many rows there are."""
        wanted = list(columns) if columns is not None else kind.schema.names
        for name in wanted:
            if name not in kind.schema.names:
                raise KeyError(f"{kind.name} have no column {name}; see docs/manifests.md")
        ids = None if scans is None else pa.array(sorted(set(scans)), pa.string())
        yield pa.schema([kind.schema.field(name) for name in wanted]).empty_table()
        with TableFile(self.folder / kind.file, kind) as file:
            numbers = [n for n in range(file.groups) if ids is None or _may_hold(file.reach(n), ids)]
            for found in _in_turn(file, _Choice(wanted, ids, split), numbers):
                if found.num_rows:
                    yield found

    def keys(self, column: str = "key") -> Keys:
        """Every view's key, for asking which views are up to date."""
        return Keys(self.views(columns=("scan", "view", "projection", column)))


class Keys:
    """The keys of all views, in as little memory as Arrow needs; asked scan by scan."""

    def __init__(self, table: pa.Table) -> None:
        self._scans = table.column("scan").combine_chunks()
        self._rest = table.drop_columns("scan")
        runs = pc.run_end_encode(self._scans) if len(self._scans) else None
        names = runs.values.to_pylist() if runs is not None else []
        ends = runs.run_ends.to_pylist() if runs is not None else []
        self._places = dict(zip(names, zip([0, *ends], ends, strict=False), strict=True))

    def of(self, scan: str) -> dict[tuple[str, str], str]:
        """The keys of a scan's views, by view and projection."""
        start, end = self._places.get(scan, (0, 0))
        views, projections, keys = (
            column.to_pylist() for column in self._rest.slice(start, end - start).columns
        )
        return dict(zip(zip(views, projections, strict=True), keys, strict=True))

    def __contains__(self, scan: str) -> bool:
        return scan in self._places

    def __len__(self) -> int:
        return len(self._scans)


def is_spelt(table: pa.Table, column: str, pattern: str) -> Any:  # noqa: ANN401  Arrow has no types
    """Whether each text of a column is a pattern such as `{view}/{scan}.png`, as an array of NumPy's.

    What is in braces are columns.
    """
    parts: list[object] = []
    for text, name, _, _ in Formatter().parse(pattern):
        parts += [pa.scalar(text)] if text else []
        parts += [table.column(name)] if name else []
    same = pc.equal(table.column(column), pc.binary_join_element_wise(*parts, ""))
    return pc.fill_null(same, False).to_numpy()


def owners(folder: Path) -> set[str]:
    """The datasets that the tables in a folder say they are of; none where there are no tables."""
    found = set()
    for kind in KINDS:
        if (folder / kind.file).exists():
            with TableFile(folder / kind.file, kind) as file:
                found.add(file.facts.dataset)
    return found


def facts_in(folder: Path) -> Facts | None:
    """What the manifest in a folder says of the build that made it; None = there is none."""
    if not (folder / SCANS.file).exists():
        return None
    with TableFile(folder / SCANS.file, SCANS) as file:
        return file.facts


def open_manifest(folder: Path) -> Manifest:
    """A dataset's manifest, in its folder; refused if a table is missing or disagrees with its schema."""
    counts, facts = {}, Facts("")
    for kind in KINDS:
        with TableFile(folder / kind.file, kind) as file:
            counts[kind.name] = file.rows
            facts = facts if facts.dataset else file.facts
    return Manifest(folder, facts, counts)


@dataclass(frozen=True)
class _Choice:
    """What is read of each row group."""

    columns: list[str]
    scans: pa.Array | None
    split: str | None

    def of(self, file: TableFile, number: int) -> pa.Table:
        """The chosen rows of one row group."""
        tests = [name for name, test in (("scan", self.scans), ("split", self.split)) if test is not None]
        if not tests:
            return file.group(number, self.columns).select(self.columns)
        keep = self._kept(file.group(number, tests))
        if not pc.any(keep).as_py():
            return file.kind.schema.empty_table().select(self.columns)
        return file.group(number, self.columns).select(self.columns).filter(keep)

    def _kept(self, table: pa.Table) -> Any:  # noqa: ANN401  Arrow has no types
        keep = pa.repeat(pa.scalar(True), table.num_rows)
        if self.scans is not None:
            keep = pc.and_(keep, pc.is_in(table.column("scan"), self.scans))
        if self.split is not None:
            keep = pc.and_(keep, pc.equal(table.column("split"), self.split))
        return keep


def _in_turn(file: TableFile, choice: _Choice, numbers: list[int]) -> Iterator[pa.Table]:
    """The row groups in order, a few of them read together."""
    count = min(_READERS, len(numbers))
    files = [file, *(file.twin() for _ in range(count - 1))]
    with ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(numbers), _READERS):
            yield from readers.map(choice.of, files, numbers[start : start + _READERS])


def _may_hold(reach: tuple[str, str] | None, ids: pa.Array) -> bool:
    """Whether any of the ids (sorted) can be in a row group that reaches from one scan to another."""
    if reach is None:
        return True
    inside = pc.and_(pc.greater_equal(ids, reach[0]), pc.less_equal(ids, reach[1]))
    return bool(pc.any(inside).as_py())
