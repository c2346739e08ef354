"""Whether a dataset's manifest and its files agree, and what is up to date. Refuses to open an image."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from manifests.fold import forget
from manifests.journal import entries
from manifests.lock import BuildLock
from manifests.read import Manifest, open_manifest
from manifests.schema import VIEWS
from pipeline.config import ListRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.errors import ConfigError
from pipeline.formats.digest import digest_of_file
from pipeline.rows import FILES
from pipeline.store import OVERLAY, Workspace

MISSING, LENGTH, CHECKSUM, STRAY = "missing", "length", "checksum", "stray"
_NAMES = ("scan", "view", "projection")
# A view's column, and the field of the request that it follows from.
_DECIDED = {"width": "size", "light": "light", "seed": "seed", "occlusion": "occlusion"}
_OF_LIGHT = frozenset({"light", "seed", "occlusion"})
_LIT = {"shaded": "shaded_front", "shaded-back": "shaded_back"}  # by pass


@dataclass(frozen=True)
class Status:
    """How far a dataset is; `unbuilt` are its people without a row or a reject, None where it is not there.

    `stale` and `rejected` count by reason, `unmade` are views that the last build was asked for and that
    have no row; `waiting` are entries of the journal that are in no table yet.
    """

    dataset: str
    scans: int
    views: int
    up_to_date: int
    stale: Mapping[str, int]
    missing: int
    unmade: int
    rejected: Mapping[str, int]
    unbuilt: int | None
    waiting: int
    bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is stale, missing or left to do."""
        return not (self.stale or self.missing or self.unmade or self.unbuilt or self.waiting)


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


def status(request: ListRequest) -> Status:
    """How far a dataset is, by names and sizes alone."""
    work = Workspace(request.data, request.dataset)
    manifest = open_manifest(work.manifests)
    reasons: Counter[str] = Counter()
    current = 0
    lacking = _views_that_lack(work, manifest)
    changed = _changed_scans(work, manifest)
    asked = json.loads(manifest.facts.config or "{}")
    wanted = _views_asked_for(work, asked)
    unmade = manifest.counts["scans"] * len(wanted)
    batches = manifest.batches(VIEWS, (*_NAMES, *_DECIDED, *_LIT.values()))
    rows = (row for batch in batches for row in batch.to_pylist())
    for place, row in enumerate(rows):
        unmade -= (row["view"], row["projection"]) in wanted
        if place not in lacking:
            reason = _stale_reason(row, asked, changed)
            reasons.update([reason] if reason else [])
            current += reason is None
    sizes = manifest.views(columns=[f"{name}_bytes" for name in FILES])
    return Status(
        dataset=request.dataset,
        scans=manifest.counts["scans"],
        views=manifest.counts["views"],
        up_to_date=current,
        stale=dict(sorted(reasons.items())),
        missing=len(lacking),
        unmade=unmade,
        rejected=dict(sorted(Counter(manifest.rejects(["reason"]).column(0).to_pylist()).items())),
        unbuilt=_unbuilt(work, request, manifest),
        waiting=len(entries(work.manifests)),
        bytes=sum(size or 0 for column in sizes.columns for size in column.to_pylist()),
    )


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
        with BuildLock(work.manifests) as lock:
            forget(lock, VIEWS, broken)
    files = sum(len(names) for names in owned.values())
    done = len(broken) if repair else 0
    return Verdict(work.dataset, manifest.counts["views"], files, tuple(faults), done)


def status_lines(found: Status) -> Iterator[str]:
    """The same for people."""
    yield f"{found.dataset}: {found.scans:,} scans, {found.views:,} views, {found.bytes / 1e9:.2f} GB"
    yield f"up to date: {found.up_to_date:,} views"
    yield from (f"stale: {count:,} views, {reason}" for reason, count in found.stale.items())
    if found.missing:
        yield f"missing: files of {found.missing:,} views"
    if found.unmade:
        yield f"missing: {_count(found.unmade, 'view')} that the last build was to make"
    yield from (f"rejected: {count:,} scans, {reason}" for reason, count in found.rejected.items())
    if found.unbuilt:
        yield f"not built yet: {found.unbuilt:,} scans"
    if found.unbuilt is None:
        yield "not built yet: unknown, as the scans are not there"
    if found.waiting:
        yield f"in the journal: {found.waiting:,} scans, which the next build takes into the manifest"


def verdict_lines(found: Verdict) -> Iterator[str]:
    """The same for people: a line a fault, and of files that are in no row a line a folder."""
    yield from (f"{fault.kind}: {fault.path}: {fault.said}" for fault in found.faults if fault.key)
    strays: dict[str, list[str]] = {}
    for fault in (fault for fault in found.faults if not fault.key):
        folder, _, name = fault.path.rpartition("/")
        strays.setdefault(folder, []).append(name)
    for folder, names in strays.items():
        yield f"{STRAY}: {folder}: {_count(len(names), 'file')} in no row, such as {names[0]}"
    counts = Counter(fault.kind for fault in found.faults)
    sums = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "all is as it says"
    yield f"{found.dataset}: {found.views:,} views, {found.files:,} files: {sums}"
    if found.forgotten:
        yield f"forgotten: {_count(found.forgotten, 'view')}, which the next build makes again"


def status_json(found: Status) -> dict[str, object]:
    """The same for programs."""
    return asdict(found)


def verdict_json(found: Verdict) -> dict[str, object]:
    """The same for programs."""
    return asdict(found)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _views_asked_for(work: Workspace, asked: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The views, and through which camera, that every scan has by the last build's request."""
    angles = [(pitch, yaw) for pitch in asked.get("pitches", ()) for yaw in asked.get("yaws", ())]
    cameras = asked.get("projections", ())
    return {(work.view(*angle), camera) for angle in angles for camera in cameras}


def _stale_reason(row: Mapping[str, Any], asked: Mapping[str, Any], changed: set[str]) -> str | None:
    if row["scan"] in changed:
        return "source changed"
    is_lit = any(row[column] for name, column in _LIT.items() if name in asked.get("passes", _LIT))
    for column, name in _DECIDED.items():
        counts = is_lit or column not in _OF_LIGHT  # in another light is only what was asked for in one
        if counts and name in asked and asked[name] != row[column]:
            return f"{name} changed"
    return None


def _changed_scans(work: Workspace, manifest: Manifest) -> set[str]:
    """Scans whose files are there, and are not as long or as old as when they were read, if they were."""
    changed = set()
    for row in manifest.scans(["scan", "sources", "named"]).to_pylist():
        lacked = {*row["named"]}.difference(source["path"] for source in row["sources"])
        if any(work.absolute(name).is_file() for name in lacked):
            changed.add(row["scan"])
        for source in row["sources"]:
            with suppress(FileNotFoundError):
                found = work.absolute(source["path"]).stat()
                moment = source["modified"].timestamp()
                if found.st_size != source["bytes"] or abs(found.st_mtime - moment) > 1e-5:
                    changed.add(row["scan"])
    return changed


def _unbuilt(work: Workspace, request: ListRequest, manifest: Manifest) -> int | None:
    try:
        found = survey(work, layout_of(request.dataset, request.layout), request.shares)
    except ConfigError:
        return None
    known = {
        *manifest.scans(["scan"]).column(0).to_pylist(),
        *manifest.rejects(["scan"]).column(0).to_pylist(),
    }
    return sum(subject.id not in known for subject in found.subjects)


def _views_that_lack(work: Workspace, manifest: Manifest) -> set[int]:
    """The views, by their places in the table, of which a file is not there; one kind of file at a time."""
    lacking = set()
    for name in FILES:
        there = cache(_listing)
        paths = manifest.views(columns=[name]).column(0)
        for place, path in enumerate(value.as_py() for value in paths):
            folder, _, file = (path or "").rpartition("/")
            if path and file not in there(work.absolute(folder)):
                lacking.add(place)
    return lacking


def _listing(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as found:
            return frozenset(entry.name for entry in found)
    except FileNotFoundError:
        return frozenset()


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
    angle = r"-?\d+(\.\d+)?"
    view = re.compile(rf"{re.escape(work.dataset)}_{angle}_y_{angle}_x")
    for top in ("PERS", "ORTH"):
        for place, folders, names in os.walk(work.absolute(top)):
            folders.sort()
            folder = Path(place).relative_to(work.root).as_posix()
            if view.fullmatch(Path(place).name) and Path(place).parent.name != OVERLAY:
                for name in sorted(set(names) - owned.get(folder, set())):
                    yield Fault(STRAY, f"{folder}/{name}", "is in no row")
