"""Finished scans, one small Parquet file each, until they are folded into the manifest.

Any process may add an entry at any time: it needs no lock, and is there whole once the call returns, even
after a power cut. Refuses to change a manifest.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files import blaming, require_schema
from manifests.schema import KINDS, REJECTS, SCANS, VERSION, VIEWS, Kind, table_of
from pipeline.atomic import replacing, settle
from pipeline.errors import ManifestError
from pipeline.rows import RejectRow, ScanRow, ViewRow

_FOLDER = "journal"
_READERS = 4
# A third larger than packed, and written and read in half the time; it is not kept.
_PLAINLY = {
    "compression": "none",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
}
_LITTER = 3600.0  # seconds after which nobody is writing a temporary file any more
_MOST_BYTES = 1 << 28
_MOST_TEXT, _MOST_ITEMS = 1 << 24, 1 << 16  # in a footer
_SCHEMA = pa.schema(
    [
        pa.field(kind.name, pa.list_(pa.field("element", pa.struct(list(kind.schema)), nullable=False)))
        for kind in KINDS
    ]
)


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One file of the journal: what it says of which scan; the path tells earlier from later."""

    scan: str
    path: Path
    is_reject: bool


def record(folder: Path, scan: ScanRow, views: Sequence[ViewRow]) -> Path:
    """Note a finished scan and its views in the dataset's manifest folder; the new file."""
    strange = [view for view in views if (view.dataset, view.scan) != (scan.dataset, scan.scan)]
    if strange:
        raise ManifestError(f"a view of {strange[0].scan} was recorded with scan {scan.scan}")
    return _append(folder, scan.scan, {SCANS: [scan], VIEWS: views})


def reject(folder: Path, row: RejectRow) -> Path:
    """Note a scan that cannot be used in the dataset's manifest folder; the new file."""
    return _append(folder, row.scan, {REJECTS: [row]})


def entries(folder: Path) -> list[Entry]:
    """What the journal holds, by scan, and of each scan the earlier ones first."""
    found = []
    for path in sorted((folder / _FOLDER).glob("*.parquet")):
        with blaming(path):
            said = pq.read_metadata(path).metadata or {}
            if said.get(b"scan2k.row") != b"JournalEntry":
                raise ManifestError(f"{path} is no entry of a journal; move it away")
            if said.get(b"scan2k.schema_version") != str(VERSION).encode():
                raise ManifestError(
                    f"{path} was left by another version of scan2k; let that one finish, or delete "
                    "the file and have its scan made again"
                )
            scan = said[b"scan2k.scan"].decode()
        found.append(Entry(scan, path, said.get(b"scan2k.kind") == b"reject"))
    return sorted(found)


def waiting(folder: Path) -> int:
    """How many entries the journal holds; opens none, so a build may take them away meanwhile."""
    return sum(1 for _ in (folder / _FOLDER).glob("*.parquet"))


def rows_in(chosen: Iterable[Entry], kind: Kind) -> pa.Table:
    """The rows of one kind in some entries, in their order."""
    with ThreadPoolExecutor(_READERS) as readers:
        tables = readers.map(lambda entry: _rows(entry.path, kind), chosen)
        return pa.concat_tables([kind.schema.empty_table(), *tables])


def clear(folder: Path, done: Sequence[Entry]) -> None:
    """Forget entries that were folded.

    Of each scan the last one goes last: whatever is left when this is cut short says nothing but what the
    manifest already says.
    """
    last = {entry.scan: entry for entry in done}
    overtaken = [entry for entry in done if last[entry.scan] is not entry]
    for batch in (overtaken, list(last.values())):
        for entry in batch:
            entry.path.unlink(missing_ok=True)
        if batch:
            settle(folder / _FOLDER)


def sweep(folder: Path) -> None:
    """Remove what writes that were interrupted long ago left behind; younger ones may be under way."""
    for place in (folder, folder / _FOLDER):
        for path in place.glob(".*.tmp"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _LITTER:
                    path.unlink()


def _append(folder: Path, scan: str, rows: dict[Kind, Sequence[ScanRow | ViewRow | RejectRow]]) -> Path:
    columns = []
    for kind in KINDS:
        table = table_of(kind.row, rows.get(kind, ()))
        ends = pa.array([0, table.num_rows], pa.int32())
        values = table.to_struct_array().combine_chunks()
        columns.append(pa.ListArray.from_arrays(ends, values, type=_SCHEMA.field(kind.name).type))
    said = {
        "scan2k.row": "JournalEntry",
        "scan2k.schema_version": str(VERSION),
        "scan2k.scan": scan,
        "scan2k.kind": "reject" if REJECTS in rows else "scan",
    }
    table = pa.Table.from_arrays(columns, schema=_SCHEMA.with_metadata(said))
    path = folder / _FOLDER / f"{time.time_ns():016x}-{uuid4().hex[:16]}.parquet"
    with replacing(path, durable=True) as stream:
        pq.write_table(table, stream, **_PLAINLY)
    return path


def _rows(path: Path, kind: Kind) -> pa.Table:
    """The rows of one kind in one entry."""
    with blaming(path):
        if path.stat().st_size > _MOST_BYTES:
            raise ManifestError(f"{path} is over {_MOST_BYTES:,} bytes; no entry of a journal is")
        with pq.ParquetFile(
            path,
            thrift_string_size_limit=_MOST_TEXT,
            thrift_container_size_limit=_MOST_ITEMS,
            page_checksum_verification=True,
        ) as file:
            require_schema(path, file.schema_arrow, _SCHEMA)
            column = file.read(columns=[kind.name], use_threads=False).column(0)
        column.validate(full=True)
        flat = column.combine_chunks().flatten()
        return pa.Table.from_arrays(flat.flatten(), schema=kind.schema)
