"""Folding the journal into the manifest, and forgetting rows: each table is streamed into a new file.

A row group of the old file and the entries that fall into it are all that is in memory. Cut short at any
moment, the old file or the new one is there, and the journal until all that it says is in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manifests.files import Facts, TableFile, write_table
from manifests.journal import Entry, clear, entries, rows_in, sweep
from manifests.lock import FolderLock
from manifests.schema import KINDS, REJECTS, Kind

_SCANS_AT_ONCE = 500  # whose entries are in memory together


def fold(lock: FolderLock, facts: Facts) -> int:
    """Take what the journal holds into the manifest, which is made if need be; how many entries.

    A view takes the place of the same view of the same scan, a scan that of the same scan, and a scan that
    was made is no reject any more. A scan that is rejected keeps the rows it has.
    """
    lock.require()
    folder = lock.folder
    sweep(folder)
    noted = entries(folder)
    last = [entry for _, same in groupby(noted, key=lambda entry: entry.scan) for entry in [*same][-1:]]
    touched = pa.array([entry.scan for entry in last], pa.string())
    for kind in KINDS:
        if noted or not (folder / kind.file).exists():
            relevant = [e for e in (last if kind is REJECTS else noted) if e.is_reject is (kind is REJECTS)]
            gone = touched if kind is REJECTS else touched.slice(0, 0)
            _rewrite(folder, kind, facts, _merging(kind, relevant, gone))
    clear(folder, noted)
    return len(noted)


def forget(lock: FolderLock, kind: Kind, keys: Sequence[tuple[str, ...]]) -> None:
    """Drop rows, named by what the table is sorted by, so that the next build makes them again."""
    lock.require()
    gone = pa.array(["\0".join(key) for key in keys], pa.string())
    with TableFile(lock.folder / kind.file, kind) as old:
        facts = old.facts
    _rewrite(lock.folder, kind, facts, _merging(kind, (), gone))


Merging = Callable[[Iterator[pa.Table]], Iterator[pa.Table]]


def _merging(kind: Kind, noted: Sequence[Entry], gone: pa.Array) -> Merging:
    return lambda old: merged(kind, old, _additions(kind, noted), gone)


def _rewrite(folder: Path, kind: Kind, facts: Facts, merging: Merging) -> None:
    path = folder / kind.file
    if not path.exists():
        write_table(path, kind, facts, _ahead(merging(iter(()))))
        return
    with TableFile(path, kind) as old:
        groups = (old.group(number) for number in range(old.groups))
        write_table(path, kind, facts, _ahead(merging(groups)))


def merged(
    kind: Kind, old: Iterable[pa.Table], new: Iterator[pa.Table], gone: pa.Array
) -> Iterator[pa.Table]:
    """Two sorted streams of tables as one, where a new row takes an old one's place.

    Old rows whose key is in `gone` are left out.
    """
    waiting = kind.schema.empty_table()
    for table in old:
        if not table.num_rows:
            continue
        had = keys_of(kind, table)
        end = had[-1].as_py()
        while not waiting.num_rows or keys_of(kind, waiting)[-1].as_py() <= end:
            more = next(new, None)
            if more is None:
                break
            waiting = pa.concat_tables([waiting, more])
        cut = _count_up_to(keys_of(kind, waiting), end)
        added, waiting = waiting.slice(0, cut), waiting.slice(cut)
        yield _replaced(kind, table, added, gone) if cut or len(gone) else table
    yield waiting
    yield from new


def keys_of(kind: Kind, table: pa.Table) -> pa.Array:
    """What the rows are sorted by, as one text a row; the separator sorts before all that names have."""
    parts = [table.column(name) for name in kind.order]
    joined = pc.binary_join_element_wise(*parts, "\0") if len(parts) > 1 else parts[0]
    return (
        pa.chunked_array(joined).combine_chunks() if isinstance(joined, list) else joined.combine_chunks()
    )


def _additions(kind: Kind, noted: Sequence[Entry]) -> Iterator[pa.Table]:
    """The entries' rows, sorted, of equal keys the last; some scans at a time."""
    scans = [list(same) for _, same in groupby(noted, key=lambda entry: entry.scan)]
    for start in range(0, len(scans), _SCANS_AT_ONCE):
        rows = rows_in((entry for scan in scans[start : start + _SCANS_AT_ONCE] for entry in scan), kind)
        if rows.num_rows:
            yield _last_of_each(kind, rows)


def _last_of_each(kind: Kind, rows: pa.Table) -> pa.Table:
    places = pa.table({"key": keys_of(kind, rows), "place": pa.array(range(rows.num_rows), pa.int64())})
    last = places.group_by("key").aggregate([("place", "max")]).sort_by("key")
    return rows.take(last.column("place_max"))


def _replaced(kind: Kind, old: pa.Table, added: pa.Table, gone: pa.Array) -> pa.Table:
    """A table with new rows in the places of the old ones, in order; each column is copied once."""
    had, come = keys_of(kind, old), keys_of(kind, added)
    leaves = pc.is_in(had, pa.concat_arrays([come, gone]))
    order = pc.sort_indices(pa.concat_arrays([had, come]))
    stays = pc.invert(pa.concat_arrays([leaves, pa.repeat(pa.scalar(False), len(come))]))
    return pa.concat_tables([old, added]).combine_chunks().take(order.filter(stays.take(order)))


def _count_up_to(keys: pa.Array, end: str) -> int:
    return int(pc.sum(pc.less_equal(keys, end)).as_py() or 0)


def _ahead(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same tables, the next one made while the last one is being written."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = maker.submit(next, tables, None)
            yield table
