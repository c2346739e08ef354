"""Views as Parquet with their pictures inside, as Hugging Face's `datasets` reads it.

The columns are those of ViewRow, but a picture's column holds a file's bytes and its path. Refuses to know
what is in a picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.schema import VIEWS, unique_columns

_PICTURE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
_MOST_GROUP_BYTES = 64 << 20  # of pictures: what a reader of one row has to read, and a writer to hold
_MOST_GROUP_ROWS = 1_000


def write_pictures(
    stream: BinaryIO, pictures: Mapping[str, bool], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write rows whose pictures are dicts of `bytes` and `path`, or None.

    `pictures` are their columns, and whether `datasets` is to open them when they are read.
    """
    schema = _schema(pictures)
    leaves = _leaves(schema)
    inside = {f"{name}.bytes" for name in pictures}  # compressed already
    with pq.ParquetWriter(
        stream,
        schema,
        compression={leaf: "NONE" if leaf in inside else "zstd" for leaf in leaves},
        use_dictionary=[x for x in leaves if x.split(".")[0] not in unique_columns(VIEWS.row)],
        write_statistics=[leaf for leaf in leaves if leaf not in inside],
        write_page_checksum=True,
    ) as writer:
        for group in _grouped(rows, pictures):
            writer.write_table(pa.Table.from_pylist(group, schema))


def _grouped(
    rows: Iterable[Mapping[str, Any]], pictures: Mapping[str, bool]
) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(row[name]["bytes"]) for name in pictures if row[name])
        if size >= _MOST_GROUP_BYTES or len(group) == _MOST_GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _schema(pictures: Mapping[str, bool]) -> pa.Schema:
    """The columns; what `datasets` is to take them for is in the metadata, where it looks first."""
    columns = [
        pa.field(field.name, _PICTURE if field.name in pictures else field.type, True, field.metadata)
        for field in VIEWS.schema
    ]
    features = {
        field.name: {"decode": pictures[field.name], "_type": "Image"}
        if field.name in pictures
        else _feature(field.type)
        for field in columns
    }
    return pa.schema(columns, {"huggingface": json.dumps({"info": {"features": features}})})


def _feature(type_: pa.DataType) -> dict[str, Any]:
    """A column's type in the words of `datasets`, also of its versions before 4."""
    if pa.types.is_fixed_size_list(type_):
        return {"feature": _feature(type_.value_type), "length": type_.list_size, "_type": "Sequence"}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type), "_type": "Sequence"}
    names = {pa.float64(): "float64", pa.float32(): "float32"}
    return {"dtype": names.get(type_, str(type_)), "_type": "Value"}


def _leaves(schema: pa.Schema) -> list[str]:
    """The columns of the Parquet file, by their paths."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema):
        pass
    found = pq.ParquetFile(sink.getvalue()).schema
    return [found.column(place).path for place in range(len(found))]
