"""The Croissant description (JSON-LD, version 1.1) of a dataset's tables: their files and columns.

Croissant is MLCommons' vocabulary for datasets. The descriptions are the row classes' own. Refuses to know
what was built.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.read import Manifest, open_manifest
from manifests.schema import KINDS, REJECTS, SCANS, VIEWS, Kind, description
from pipeline.atomic import write_text

FILE = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_PARQUET = "application/x-parquet"  # as Croissant's own examples call it
_READ_AT_ONCE = 1 << 22
_TYPES = {
    pa.string(): "sc:Text",
    pa.int64(): "cr:Int64",
    pa.float64(): "cr:Float64",
    pa.float32(): "cr:Float32",
    pa.bool_(): "sc:Boolean",
    pa.timestamp("us", tz="UTC"): "sc:DateTime",
}
_SAID = {
    SCANS: "One record a scan: its files, and where its centre, size and front are.",
    VIEWS: "One record a view of a scan through a camera: its images, camera, light and keypoints.",
    REJECTS: "One record a scan that could not be used when it was last tried.",
}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def describe(folder: Path) -> Path:
    """Write the description beside a manifest's tables; its path. It is out of date once they change."""
    manifest = open_manifest(folder)
    path = folder / FILE
    write_text(path, json.dumps(description_of(manifest), indent=1, ensure_ascii=False) + "\n")
    return path


def description_of(manifest: Manifest) -> dict[str, Any]:
    """The description: the same tables give the same text."""
    facts = manifest.facts
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": facts.dataset,
        "description": f"Views of the human scans of {facts.dataset}, with cameras, light and keypoints: "
        "the tables. Paths in them are below the folder that holds the folder of manifests.",
        "license": facts.licence or "not stated; the terms of the scans apply",
        "url": f"urn:scan2k:{facts.dataset}",
        "creator": {
            "@type": "sc:Organization",
            "name": f"not stated; built by scan2k {facts.code_version}",
        },
        "datePublished": _last_change(manifest),
        "version": "1.0.0",
        "distribution": [_file(manifest.folder, kind) for kind in KINDS],
        "recordSet": [_record_set(kind) for kind in KINDS],
    }


def _last_change(manifest: Manifest) -> str:
    """When the last scan was made; of an empty manifest, the beginning of time."""
    last = pc.max(manifest.scans(columns=["made_at"]).column("made_at")).as_py()
    return last.isoformat() if last else "1970-01-01T00:00:00+00:00"


def _file(folder: Path, kind: Kind) -> dict[str, Any]:
    found = hashlib.sha256()
    size = 0
    with (folder / kind.file).open("rb") as stream:
        while content := stream.read(_READ_AT_ONCE):
            found.update(content)
            size += len(content)
    return {
        "@type": "cr:FileObject",
        "@id": kind.file,
        "name": kind.file,
        "contentUrl": kind.file,
        "contentSize": f"{size} B",
        "encodingFormat": _PARQUET,
        "sha256": found.hexdigest(),
    }


def _record_set(kind: Kind) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": kind.name,
        "name": kind.name,
        "description": _SAID[kind],
        "key": [{"@id": f"{kind.name}/{name}"} for name in kind.order],
        "field": list(_fields(kind)),
    }


def _fields(kind: Kind) -> Iterator[dict[str, Any]]:
    for column in kind.schema:
        field = _field(kind, (column.name,), column)
        if kind is VIEWS and column.name == "scan":
            field["references"] = {"field": {"@id": f"{SCANS.name}/scan"}}
        yield field


def _field(kind: Kind, path: tuple[str, ...], column: pa.Field) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": "/".join((kind.name, *path)),
        "name": column.name,
        "description": description(column),
    }
    type_ = column.type
    if pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_):
        field["isArray"] = True
        shape = (column.metadata or {}).get(b"shape", b"-1")
        field["arrayShape"] = shape.decode()
        type_ = type_.value_type
    field["source"] = {"fileObject": {"@id": kind.file}, "extract": {"column": path[0]}}
    if pa.types.is_struct(type_):
        field["subField"] = [_field(kind, (*path, inner.name), inner) for inner in type_]
    else:
        field["dataType"] = _TYPES[type_]
    if len(path) > 1:
        field["source"]["transform"] = {"jsonPath": path[1]}
    return field
