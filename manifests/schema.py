"""Row classes as Arrow schemas, and rows as Arrow tables and back. Refuses to infer anything from data."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import pyarrow as pa

from pipeline.errors import ManifestError
from pipeline.rows import Numbers, RejectRow, ScanRow, Unique, ViewRow

Row = TypeVar("Row")

VERSION = 2
_PLAIN = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
}

_SCHEMAS: dict[type, pa.Schema] = {}


@dataclass(frozen=True)
class Kind:
    """One of the tables: its name, its rows, what tells one row from another and is their order."""

    name: str
    row: type
    order: tuple[str, ...]

    @property
    def file(self) -> str:
        """The manifest's file name."""
        return f"{self.name}.parquet"

    @property
    def schema(self) -> pa.Schema:
        """The table's columns, without the manifest's own metadata."""
        return schema_of(self.row)


SCANS = Kind("scans", ScanRow, ("scan",))
VIEWS = Kind("views", ViewRow, ("scan", "view", "projection"))
REJECTS = Kind("rejects", RejectRow, ("scan",))
KINDS = (SCANS, VIEWS, REJECTS)


def schema_of(row: type) -> pa.Schema:
    """The Arrow schema that a row class stands for; descriptions and shapes are the columns' metadata."""
    if row not in _SCHEMAS:
        _SCHEMAS[row] = pa.schema(list(_columns(row)))
    return _SCHEMAS[row]


@cache
def unique_columns(row: type) -> frozenset[str]:
    """The columns whose values are nearly all different: a dictionary of them would save nothing."""
    hints = typing.get_type_hints(row, include_extras=True)
    return frozenset(
        field.name
        for field in fields(row)
        if any(isinstance(m, Unique) for m in _marks(hints[field.name])[1])
    )


def description(column: pa.Field) -> str:
    """What a column is, in words."""
    said: bytes = (column.metadata or {}).get(b"description", b"")
    return said.decode()


def table_of(row: type[Row], rows: Sequence[Row]) -> pa.Table:
    """Rows as a table of their class's schema; a value of another type is refused by its column's name."""
    schema = schema_of(row)
    columns = []
    for field in schema:
        try:
            columns.append(pa.array([plain(getattr(r, field.name)) for r in rows], field.type))
        except (ManifestError, pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise ManifestError(f"{row.__name__}.{field.name} cannot be {field.type}: {error}") from error
        if columns[-1].null_count and not field.nullable:
            raise ManifestError(f"{row.__name__}.{field.name} is never None, and one is")
    return pa.Table.from_arrays(columns, schema=schema)


def rows_of(row: type[Row], table: pa.Table) -> list[Row]:
    """A table of the row class's schema as rows."""
    restored = _restorer(typing.cast(Any, row))
    return [restored(entry) for entry in table.to_pylist()]


def plain(value: Any) -> Any:  # noqa: ANN401  whatever a field may hold
    """A value as Arrow takes it: nested rows as dicts, moments in UTC."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value] if value and is_dataclass(value[0]) else list(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ManifestError(f"{value} has no time zone; give a moment in UTC")
        return value.astimezone(UTC)
    return value


def _columns(row: type) -> Iterable[pa.Field]:
    hints = typing.get_type_hints(row, include_extras=True)
    for field in fields(row):
        inner, marks, nullable = _marks(hints[field.name])
        shape = next((mark for mark in marks if isinstance(mark, Numbers)), None)
        said = [mark for mark in marks if isinstance(mark, str)]
        metadata = {"description": said[-1]} if said else {}
        if shape:
            metadata["shape"] = ",".join(map(str, shape.sides))
        yield pa.field(field.name, _type(inner, shape), nullable, metadata)


def _type(inner: Any, shape: Numbers | None) -> pa.DataType:  # noqa: ANN401  a type hint
    if shape:
        item = pa.field("element", pa.type_for_alias(shape.type), nullable=False)
        return pa.list_(item, shape.count)
    if inner in _PLAIN:
        return _PLAIN[inner]
    if typing.get_origin(inner) is tuple:
        element, _, _ = _marks(typing.get_args(inner)[0])
        return pa.list_(pa.field("element", _type(element, None), nullable=False))
    if is_dataclass(inner) and isinstance(inner, type):
        return pa.struct(list(_columns(inner)))
    raise TypeError(f"{inner} has no column type")


def _marks(hint: Any) -> tuple[Any, list[Any], bool]:  # noqa: ANN401  a type hint
    """A hint's own type, what is noted on it, and whether it may be None."""
    marks: list[Any] = []
    nullable = False
    while True:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            marks = [*hint.__metadata__, *marks]
            hint = hint.__origin__
        elif origin in (types.UnionType, typing.Union):
            (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
            nullable = True
        else:
            return hint, marks, nullable


@cache
def _restorer(inner: Any) -> Callable[[Any], Any]:  # noqa: ANN401  a type
    """What makes a value of a type of what Arrow has of it, found once for all rows."""
    if typing.get_origin(inner) is tuple:
        element, _, _ = _marks(typing.get_args(inner)[0])
        one = _restorer(element) if _is_other_in_arrow(element) else None
        return (lambda items: tuple(map(one, items))) if one else tuple
    hints = typing.get_type_hints(inner, include_extras=True)
    types = {name: _marks(hint)[0] for name, hint in hints.items()}
    parts = {name: _restorer(part) for name, part in types.items() if _is_other_in_arrow(part)}

    def restored(entry: dict[str, Any]) -> Any:  # noqa: ANN401  of the type
        for name, part in parts.items():
            if entry[name] is not None:
                entry[name] = part(entry[name])
        return inner(**entry)

    return restored


def _is_other_in_arrow(inner: Any) -> bool:  # noqa: ANN401  a type
    return typing.get_origin(inner) is tuple or is_dataclass(inner)
