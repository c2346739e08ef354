"""One table of a manifest as a Parquet file: written whole, and opened with suspicion.

Refuses to know what its rows mean, beyond what its first columns are sorted by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.migrate import migrated, require_readable
from manifests.schema import VERSION, Kind, schema_of, unique_columns
from pipeline.atomic import replacing
from pipeline.errors import ManifestError

GROUP_ROWS = 12_000  # five hundred people in 24 views: what is read to find one of them
_MOST_GROUP_ROWS = 1_000_000
_MOST_GROUP_BYTES = 1 << 31
_MOST_TEXT, _MOST_ITEMS = 1 << 26, 1 << 20  # in a footer
_MARK = "scan2k."


@dataclass(frozen=True)
class Facts:
    """What a manifest says of itself: `config` is JSON, `licence` a note on the dataset's terms."""

    dataset: str
    licence: str = ""
    config: str = "{}"
    code_version: str = ""


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Whatever Arrow says of a file's content is a fault of the file."""
    try:
        yield
    except ManifestError:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        said = " ".join(str(error).split())[:300]
        raise ManifestError(f"{path} is damaged or no manifest: {said}") from error


class TableFile:
    """A table's file, found to be one: what it says of itself agrees with the schema. For `with`."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path, self.kind = path, kind
        if not path.is_file():
            raise ManifestError(f"{path} is not there; `scan2k render` makes it")
        with blaming(path):
            self._bytes = pa.OSFile(str(path))
            self._parquet = pq.ParquetFile(
                self._bytes,
                thrift_string_size_limit=_MOST_TEXT,
                thrift_container_size_limit=_MOST_ITEMS,
                page_checksum_verification=True,
            )
            self.facts, self._version = _claims(path, kind, self._parquet.schema_arrow.metadata or {})
            require_readable(kind, self._version, self.facts.dataset)
            if self._version == VERSION:
                require_schema(path, self._parquet.schema_arrow, kind.schema)
            self._require_limits()

    def __enter__(self) -> TableFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._bytes.close()

    def twin(self) -> TableFile:
        """Another reader of the same bytes, for another thread, even if the file was replaced since."""
        other = copy(self)
        other._parquet = pq.ParquetFile(
            self._bytes, metadata=self._parquet.metadata, page_checksum_verification=True
        )
        return other

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._parquet.metadata.num_rows)

    @property
    def groups(self) -> int:
        """How many row groups there are."""
        return int(self._parquet.num_row_groups)

    def group(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One row group, all columns or some, in this version's schema."""
        with blaming(self.path):
            if self._version == VERSION:
                table = self._parquet.read_row_group(number, columns=columns and list(columns))
            else:
                whole = migrated(self.kind, self._version, self._parquet.read_row_group(number))
                require_schema(self.path, whole.schema, self.kind.schema)
                table = whole.select(list(columns)) if columns else whole
            table.validate()
            return table.replace_schema_metadata(None)

    def reach(self, number: int) -> tuple[str, str] | None:
        """The first and the last scan of a row group; None where the file does not say."""
        with blaming(self.path):
            group = self._parquet.metadata.row_group(number)
            place = self._parquet.schema_arrow.get_field_index("scan")
            for column in (group.column(i) for i in range(max(place, 0), group.num_columns)):
                if column.path_in_schema == "scan":
                    told = column.statistics
                    return (told.min, told.max) if told is not None and told.has_min_max else None
        return None

    def _require_limits(self) -> None:
        for number in range(self.groups):
            group = self._parquet.metadata.row_group(number)
            if not (0 <= group.num_rows <= _MOST_GROUP_ROWS and group.total_byte_size <= _MOST_GROUP_BYTES):
                raise ManifestError(
                    f"{self.path}: row group {number} claims {group.num_rows:,} rows of "
                    f"{group.total_byte_size:,} bytes; a manifest's have {_MOST_GROUP_ROWS:,} and "
                    f"{_MOST_GROUP_BYTES:,} at most"
                )


def require_schema(path: Path, found: pa.Schema, wanted: pa.Schema) -> None:
    """Refuse a file whose columns are not those of the row class, naming the first that is not."""
    for field in wanted:
        place = found.get_field_index(field.name)
        if place < 0:
            raise ManifestError(f"{path} has no column {field.name}, or has it twice")
        if found.field(place).type != field.type:
            raise ManifestError(
                f"{path}: column {field.name} is {found.field(place).type}, and must be {field.type}"
            )
    more = [name for name in found.names if name not in wanted.names]
    if more:
        raise ManifestError(f"{path} has a column {more[0]} that its schema version does not know")


def write_table(path: Path, kind: Kind, facts: Facts, tables: Iterable[pa.Table]) -> int:
    """Write sorted tables, one after the other, as one file in row groups of one size; how many rows."""
    schema = kind.schema.with_metadata(metadata_of(kind.row.__name__, facts))
    with replacing(path, durable=True) as stream, parquet_writer(stream, schema, kind.row) as writer:
        return sum(_written(writer, schema, group) for group in _regrouped(tables))


def metadata_of(row: str, facts: Facts) -> dict[str, str]:
    """What a file says of itself, as key and value."""
    return {
        f"{_MARK}row": row,
        f"{_MARK}schema_version": str(VERSION),
        f"{_MARK}dataset": facts.dataset,
        f"{_MARK}licence": facts.licence,
        f"{_MARK}config": facts.config,
        f"{_MARK}code_version": facts.code_version,
    }


def parquet_writer(stream: object, schema: pa.Schema, row: type) -> pq.ParquetWriter:
    """A writer in the way that all manifests are written."""
    return pq.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=_alike(row),
        write_page_checksum=True,
    )


@cache
def _alike(row: type) -> list[str]:
    """The columns of the Parquet file, by their paths, in which values come again and again."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema_of(row)):
        pass
    found = pq.ParquetFile(sink.getvalue()).schema
    paths = (found.column(i).path for i in range(len(found)))
    return [path for path in paths if path.split(".")[0] not in unique_columns(row)]


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: pa.Table | None = None
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        while waiting.num_rows >= GROUP_ROWS:
            yield waiting.slice(0, GROUP_ROWS)
            waiting = waiting.slice(GROUP_ROWS)
    if waiting is not None and waiting.num_rows:
        yield waiting


def _written(writer: pq.ParquetWriter, schema: pa.Schema, group: pa.Table) -> int:
    writer.write_table(pa.Table.from_arrays(group.columns, schema=schema), row_group_size=GROUP_ROWS)
    return int(group.num_rows)


def _claims(path: Path, kind: Kind, metadata: dict[bytes, bytes]) -> tuple[Facts, int]:
    """What a file says of itself, and its schema version."""
    said = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items()}
    row = said.get(f"{_MARK}row")
    if row != kind.row.__name__:
        raise ManifestError(f"{path} holds {row or 'unknown rows'}, and must hold {kind.row.__name__}")
    version = said.get(f"{_MARK}schema_version", "")
    if not version.isdecimal():
        raise ManifestError(f"{path} does not say its schema version")
    names = ("dataset", "licence", "config", "code_version")
    return Facts(*(said.get(f"{_MARK}{name}", "") for name in names)), int(version)
