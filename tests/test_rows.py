"""The row classes: what they say of every column, and what a column's type is."""

from __future__ import annotations

import typing
from dataclasses import fields
from typing import Any

import pyarrow as pa
import pytest
from manifest_rows import reject_row, scan_row, view_row

from manifests.schema import KINDS, VIEWS, Kind, description, rows_of, schema_of, table_of, unique_columns
from pipeline import rows
from pipeline.errors import ManifestError
from pipeline.geometry.lighting import FLAT
from pipeline.rows import FILES, RejectRow, ScanRow, ViewRow

NESTED = (rows.SourceFile, rows.Attribute, rows.FrontEntry, rows.AngleEntry, rows.FitEntry)
ROWS = (ScanRow, ViewRow, RejectRow, *NESTED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_every_column_says_in_a_sentence_what_it_is(row: type) -> None:
    for field in schema_of(row):
        said = description(field)
        assert len(said) > 8, field.name
        assert said.endswith("."), field.name
        assert said[0].isupper() or said[0] == "`", field.name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_columns_are_the_fields_in_their_order(kind: Kind) -> None:
    assert kind.schema.names == [field.name for field in fields(kind.row)]
    assert set(kind.order) <= set(kind.schema.names)


def test_types_follow_from_the_annotations_alone() -> None:
    types = {field.name: field.type for field in VIEWS.schema}
    nullable = {field.name for field in VIEWS.schema if field.nullable}
    assert types["yaw"] == pa.float64()
    assert types["seed"] == pa.int64()
    assert types["occlusion"] == pa.bool_()
    assert types["made_at"] == pa.timestamp("us", tz="UTC")
    assert types["world_to_camera"] == pa.list_(pa.field("element", pa.float64(), nullable=False), 16)
    assert types["keypoints_uv"] == pa.list_(pa.field("element", pa.float32(), nullable=False), 62)
    assert types["keypoints_valid"] == pa.list_(pa.field("element", pa.bool_(), nullable=False), 31)
    assert types["light_numbers"].list_size == FLAT
    assert VIEWS.schema.field("keypoints_uv").metadata[b"shape"] == b"31,2"
    assert nullable == {
        "depth_coding",
        "normal_coding",
        *(f"{image}{ending}" for image in FILES for ending in ("", "_bytes", "_blake2b")),
    }


def test_only_values_that_differ_are_kept_from_dictionaries() -> None:
    unique = unique_columns(ViewRow)
    assert unique >= set("key keypoints_key mask color_front_blake2b keypoints_uv light_numbers".split())
    assert unique_columns(ScanRow) == {"stamp"}, "of a few wishes come a few keys of how scans are laid"
    assert not unique & {"scan", "view", "split", "intrinsics", "world_to_camera", "keypoints_valid"}


@pytest.mark.parametrize("row", [scan_row(), view_row(), reject_row()], ids=lambda row: type(row).__name__)
def test_rows_survive_the_way_through_arrow(row: ScanRow | ViewRow | RejectRow) -> None:
    table = table_of(type(row), [row, row])
    table.validate(full=True)
    assert rows_of(type(row), table) == [row, row]
    assert table_of(type(row), []).num_rows == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pitch": "up"}, "ViewRow.pitch cannot be double"),
        ({"seed": 1 << 70}, "ViewRow.seed cannot be int64"),
        ({"keypoints_uv": (1.0,) * 61}, "ViewRow.keypoints_uv cannot be fixed_size_list"),
        ({"key": None}, "ViewRow.key is never None"),
        ({"made_at": view_row().made_at.replace(tzinfo=None)}, "ViewRow.made_at .*has no time zone"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_columns_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        table_of(ViewRow, [view_row(**wrong)])


def test_nested_rows_are_lists_of_structs_of_the_same_names() -> None:
    fits = schema_of(ScanRow).field("fits").type
    nested = typing.get_type_hints(rows.FitEntry)
    assert [fits.value_type.field(i).name for i in range(fits.value_type.num_fields)] == list(nested)
