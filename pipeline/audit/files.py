"""Whether a manifest's rows and the files agree, both ways. Refuses to open an image, its bytes aside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests.fold import forget
from manifests.lock import FolderLock
from manifests.read import open_manifest
from manifests.schema import VIEWS
from pipeline.config import PROJECTIONS
from pipeline.formats.digest import digest_of_file
from pipeline.rows import FILES
from pipeline.store import OVERLAY, Workspace, images_of

MISSING, LENGTH, CHECKSUM, STRAY = "missing", "length", "checksum", "stray"
_NAMES = ("scan", "view", "projection")


@dataclass(frozen=True)
class Fault:
    """One file that does not agree with the manifest; a stray one belongs to no view."""

    kind: str  # missing, length, checksum or stray
    path: str
    said: str
    key: tuple[str, ...] = ()  # scan, view, projection


@dataclass(frozen=True)
class Verdict:
    """What disagrees, how much was looked at, and how many views were forgotten for it."""

    dataset: str
    views: int
    files: int
    faults: tuple[Fault, ...] = field(default=())
    forgotten: int = 0


def verify(work: Workspace, checksums: bool = False, repair: bool = False) -> Verdict:
    """Every row against its files and every file against the rows; to repair is to forget broken rows."""
    manifest = open_manifest(work.manifests)
    faults: list[Fault] = []
    owned: dict[str, set[str]] = {}
    for batch in manifest.batches(VIEWS, (*_NAMES, *_columns_of_files())):
        for row in batch.to_pylist():
            for name in FILES:
                if row[name]:
                    folder, _, file = row[name].rpartition("/")
                    owned.setdefault(folder, set()).add(sys.intern(file))  # the same in every view
                    faults += _file_faults(work, row, name, checksums)
    faults += _strays(work, owned)
    broken = sorted({fault.key for fault in faults if fault.key})
    if repair and broken:
        with FolderLock(work.manifests) as lock:
            forget(lock, VIEWS, broken)
    files = sum(len(names) for names in owned.values())
    done = len(broken) if repair else 0
    return Verdict(work.dataset, manifest.counts["views"], files, tuple(faults), done)


def _columns_of_files() -> list[str]:
    return [f"{name}{ending}" for name in FILES for ending in ("", "_bytes", "_blake2b")]


def _file_faults(work: Workspace, row: Mapping[str, Any], name: str, checksums: bool) -> Iterable[Fault]:
    """What is wrong with one file of one view: nothing, or one thing."""
    path, key = work.absolute(row[name]), tuple(row[part] for part in _NAMES)
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        return [Fault(MISSING, row[name], "is not there", key)]
    if length != row[f"{name}_bytes"]:
        said = f"has {length:,} bytes, and the manifest says {row[f'{name}_bytes']:,}"
        return [Fault(LENGTH, row[name], said, key)]
    if checksums and digest_of_file(path) != row[f"{name}_blake2b"]:
        return [Fault(CHECKSUM, row[name], "is not what was written", key)]
    return []


def _strays(work: Workspace, owned: Mapping[str, set[str]]) -> Iterator[Fault]:
    """Files in the dataset's folders of views that no row names; overlays are to look at, and have none."""
    for top in map(images_of, PROJECTIONS):
        for place, folders, names in os.walk(work.absolute(top)):
            folders.sort()
            folder = Path(place).relative_to(work.root).as_posix()
            if work.is_view(Path(place).name) and Path(place).parent.name != OVERLAY:
                for name in sorted(set(names) - owned.get(folder, set())):
                    yield Fault(STRAY, f"{folder}/{name}", "is in no row")
