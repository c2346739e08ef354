"""The Croissant description: every file and column of the tables, as version 1.1 of the format wants it.

Held here by the format's own rules; the format's own reader takes a dozen further packages (decision 0014).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exports import dataset

import cli
from manifests import croissant
from manifests.schema import KINDS, description, schema_of
from pipeline.config import ExportRequest
from pipeline.errors import ConfigError
from pipeline.export import errand
from pipeline.store import Workspace

REQUIRED = {
    "sc:Dataset": {"conformsTo", "description", "license", "name", "url", "creator", "datePublished"},
    "cr:FileObject": {"@id", "name", "contentUrl", "encodingFormat", "sha256"},
    "cr:RecordSet": {"@id", "name", "description", "key", "field"},
    "cr:Field": {"@id", "name", "description", "source"},
    "sc:Organization": {"name"},
}
TYPES = {
    "string": "sc:Text",
    "int64": "cr:Int64",
    "double": "cr:Float64",
    "float": "cr:Float32",
    "bool": "sc:Boolean",
    "timestamp[us, tz=UTC]": "sc:DateTime",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A dataset with its description."""
    made = dataset(tmp_path_factory.mktemp("built"))
    assert cli.main(["export", "2K2K", "--to", "croissant", "--data", str(made.root)]) == 0
    return made


@pytest.fixture(scope="module")
def told(work: Workspace) -> dict[str, Any]:
    """The description."""
    found = json.loads((work.manifests / "croissant.json").read_text())
    assert isinstance(found, dict)
    return found


def _nodes(value: object) -> Iterator[dict[str, Any]]:
    """All objects of the description, but for its context."""
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if name != "@context":
                yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


def test_every_object_has_what_the_format_requires(told: dict[str, Any]) -> None:
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    typed = [node for node in _nodes(told) if "@type" in node]
    assert {node["@type"] for node in typed} == set(REQUIRED)
    for node in typed:
        assert REQUIRED[node["@type"]] <= set(node), node
        assert all(node[name] for name in REQUIRED[node["@type"]]), node


def test_every_reference_leads_to_one_object(told: dict[str, Any]) -> None:
    named = [node["@id"] for node in _nodes(told) if "@type" in node and "@id" in node]
    assert len(named) == len(set(named))
    referred = {node["@id"] for node in _nodes(told) if "@id" in node and "@type" not in node}
    assert referred
    assert referred <= set(named)


def test_every_term_is_in_the_context_or_one_of_schema_org(told: dict[str, Any]) -> None:
    schema_org = {
        *("license", "url", "creator", "datePublished", "version", "distribution"),
        *("contentUrl", "contentSize", "encodingFormat", "sha256"),
    }
    used = {name for node in _nodes(told) for name in node if not name.startswith("@")}
    assert used <= set(told["@context"]) | schema_org


def test_files_have_their_size_and_checksum(work: Workspace, told: dict[str, Any]) -> None:
    assert [file["contentUrl"] for file in told["distribution"]] == [kind.file for kind in KINDS]
    for file in told["distribution"]:
        content = (work.manifests / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"


def test_every_column_is_a_field_with_its_description_type_and_shape(told: dict[str, Any]) -> None:
    for kind, records in zip(KINDS, told["recordSet"], strict=True):
        assert [key["@id"] for key in records["key"]] == [f"{kind.name}/{name}" for name in kind.order]
        for column, field in zip(schema_of(kind.row), records["field"], strict=True):
            assert (field["name"], field["description"]) == (column.name, description(column))
            assert field["source"] == {
                "fileObject": {"@id": kind.file}, "extract": {"column": column.name}
            }  # fmt: skip
            inner = column.type
            assert field.get("isArray", False) is str(inner).startswith(("list", "fixed_size_list"))
            if "isArray" in field:
                inner = inner.value_type
                shape = [int(side) for side in field["arrayShape"].split(",")]
                assert math.prod(shape) == getattr(column.type, "list_size", -1)
            if "subField" in field:
                assert [part["name"] for part in field["subField"]] == [part.name for part in inner]
            else:
                assert field["dataType"] == TYPES[str(inner)]


def test_the_same_tables_give_the_same_description(work: Workspace, told: dict[str, Any]) -> None:
    assert croissant.describe(work.manifests) == work.manifests / "croissant.json"
    assert json.loads((work.manifests / "croissant.json").read_text()) == told


def test_it_lies_beside_the_tables_and_nowhere_else(work: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lies beside the tables"):
        errand.export(ExportRequest("2K2K", "croissant", work.root, tmp_path), lambda _: None)
