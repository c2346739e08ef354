"""What a build has to make: every scan of which anything is not up to date, what of it, and why.

Looks at names, times and keys alone. Refuses to open a scan or an image: what is to be said of a scan that
changed is for whoever opens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from manifests.read import Manifest
from manifests.schema import SCANS, VIEWS, Kind, rows_of
from pipeline.conduct.selection import chosen
from pipeline.conduct.staleness import (
    CHANGED,
    CODES,
    FORCED,
    KEYPOINTS_FILE,
    NEW,
    OVERLAY_FILE,
    REASONS,
    Asked,
    Looks,
    files_of,
    why_stale,
)
from pipeline.config import Conduct, RenderRequest
from pipeline.keys import Keys, Laid, looks_of
from pipeline.records import U8, Bool, Override, Subject, Survey
from pipeline.rows import Inspected, Place, RejectRow, ScanRow, SourceFile, ViewRow
from pipeline.stages.inspect import Wishes, refusal_of, stamp_of, wishes_of
from pipeline.store import Workspace
from pipeline.version import code_version

Row = TypeVar("Row")


class Count(NamedTuple):
    """How many scans, views and images; keypoints and pictures of them are no images."""

    scans: int = 0
    views: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True)
class Want:
    """What of one view is not up to date: columns of ViewRow that name files, and `overlay`."""

    place: Place
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Need:
    """One scan of which something is to be made.

    `stamp` is the scan's as it is now, as far as the files go that the manifest knows of. `earlier` and
    `rows` are what the manifest has of it; while `is_same`, nothing about the scan itself need be found out
    again, and else all that is asked for is wanted: once it was looked at, less of it may be.
    """

    subject: Subject
    said: Override | None
    stamp: str
    earlier: ScanRow | None
    is_same: bool
    rows: tuple[ViewRow, ...]
    wants: tuple[Want, ...]
    why: tuple[str, ...]

    @property
    def known(self) -> ScanRow | None:
        """The scan's row, if all that it says still holds."""
        return self.earlier if self.is_same else None

    @property
    def unseen(self) -> Inspected:
        """What is known of the scan's files if nobody comes to look at them."""
        return Inspected((), "", self.stamp, "", self.earlier.named if self.earlier else ())


@dataclass(frozen=True, eq=False)
class Needs:
    """What is to be made; goes through the scans that need anything by id, reading rows on the way.

    `why` (S, P, F) are the codes of reasons, of every scan that was chosen. `skipped` are rejects that are
    not tried again; `absent` is how many scans of the manifest are not in the dataset any more.
    """

    subjects: Sequence[Subject]
    overrides: Mapping[str, Override]
    stamps: Sequence[str]
    is_same: Bool  # (S,)
    places: Sequence[Place]
    columns: Sequence[str]
    why: U8
    skipped: tuple[RejectRow, ...]
    absent: int
    manifest: Manifest

    @cached_property
    def total(self) -> Count:
        """All that is to be made."""
        return self._count(self.why > 0)

    @cached_property
    def reasons(self) -> dict[str, Count]:
        """The same by reason, of those that there are."""
        counts = {reason: self._count(self.why == code) for reason, code in CODES.items()}
        return {reason: count for reason, count in counts.items() if count.scans}

    @cached_property
    def kept(self) -> Count:
        """What is up to date: views with all that is asked of them, and scans with all their views."""
        out = {row.scan for row in self.skipped}
        stays = np.array([subject.id not in out for subject in self.subjects], bool)
        stale = self.why[stays] > 0
        views = ~stale.any(axis=2)
        images = int(np.count_nonzero(~stale[:, :, self._are_images]))
        return Count(int(np.all(views, axis=1).sum()), int(views.sum()), images)

    def named(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The scans that need anything, and why; reads nothing."""
        for s in self._needy:
            yield self.subjects[s].id, self._reasons_of(self.why[s])

    def __len__(self) -> int:
        return self.total.scans

    def __iter__(self) -> Iterator[Need]:
        ids = [self.subjects[s].id for s in self._needy]
        scans = _Stream[ScanRow](self.manifest, SCANS, ids)
        views = _Stream[ViewRow](self.manifest, VIEWS, ids)
        for s in self._needy:
            subject, why = self.subjects[s], self.why[s]
            yield Need(
                subject=subject,
                said=self.overrides.get(subject.id),
                stamp=self.stamps[s],
                earlier=next(iter(scans.of(subject.id)), None),
                is_same=bool(self.is_same[s]),
                rows=views.of(subject.id),
                wants=tuple(self._wants(why)),
                why=self._reasons_of(why),
            )

    @cached_property
    def _needy(self) -> list[int]:
        return [int(s) for s in np.flatnonzero(np.any(self.why > 0, axis=(1, 2)))]

    def _reasons_of(self, why: U8) -> tuple[str, ...]:
        codes = set(why.ravel().tolist())
        return tuple(reason for reason in REASONS if CODES[reason] in codes)

    def _wants(self, why: U8) -> Iterator[Want]:
        for place, files in zip(self.places, why.tolist(), strict=True):
            columns = frozenset(name for name, code in zip(self.columns, files, strict=True) if code)
            if columns:
                yield Want(place, columns)

    @cached_property
    def _are_images(self) -> Bool:
        return np.array([name not in (KEYPOINTS_FILE, OVERLAY_FILE) for name in self.columns], bool)

    def _count(self, which: Bool) -> Count:
        """How much that is (S, P, F)."""
        views = which.any(axis=2)
        images = int(np.count_nonzero(which[:, :, self._are_images]))
        return Count(int(np.count_nonzero(np.any(views, axis=1))), int(np.count_nonzero(views)), images)


class _Stream(Generic[Row]):
    """The rows of some scans, each asked for in the order of the ids, and read no earlier than that."""

    def __init__(self, manifest: Manifest, kind: Kind, ids: Sequence[str]) -> None:
        self._kind = kind
        self._parts = self._runs(manifest.batches(kind, scans=ids))
        self._next = next(self._parts, None)

    def of(self, scan: str) -> tuple[Row, ...]:
        """The rows of a scan; none where there are none."""
        rows: list[Row] = []
        while self._next and self._next[0] == scan:
            rows += rows_of(self._kind.row, self._next[1])
            self._next = next(self._parts, None)
        return tuple(rows)

    def _runs(self, tables: Iterator[Any]) -> Iterator[tuple[str, Any]]:
        """Each scan and a table of its rows; a scan at a table's end may go on in the next one."""
        for table in tables:
            scans = table.column("scan").to_pylist()
            starts = [i for i in range(len(scans)) if not i or scans[i] != scans[i - 1]]
            for start, end in pairwise([*starts, len(scans)]):
                yield scans[start], table.slice(start, end - start)


class _Was(NamedTuple):
    """What the manifest has of a scan: its stamp, what its files name, and what its keys follow from."""

    stamp: str
    named: tuple[str, ...]
    looks: Looks


class _Stamps(NamedTuple):
    """What the stamps of scans as they are now are made of."""

    work: Workspace
    overrides: Mapping[str, Override]
    wishes: Wishes

    def of(self, person: Subject, named: Sequence[str]) -> str:
        """A scan's stamp, if its own files still name the same."""
        return stamp_of(self.work, person, self.overrides.get(person.id), self.wishes, named)


def needs_of(
    work: Workspace, request: RenderRequest, found: Survey, conduct: Conduct, manifest: Manifest
) -> Needs:
    """What a request needs of whom it is about, of all that were found in the dataset."""
    subjects = chosen(found.subjects, conduct.subjects)
    now = _Stamps(work, found.overrides, wishes_of(work, request))
    asked = Asked(work, Keys(request, work), [subject.id for subject in subjects], files_of(request))
    ids = asked.ids if len(subjects) < len(found.subjects) else None
    earlier = _earlier(asked.keys, manifest, ids)
    stamps = [now.of(person, was.named if (was := earlier.get(person.id)) else ()) for person in subjects]
    looks = [
        was.looks if (was := earlier.get(scan)) and was.stamp == stamp else None
        for scan, stamp in zip(asked.ids, stamps, strict=True)
    ]
    why = why_stale(asked, looks, manifest.batches(VIEWS, asked.columns, ids))
    for s, scan in enumerate(asked.ids):
        if looks[s] is None:
            why[s] = CODES[CHANGED if scan in earlier else NEW]
    if conduct.force:
        why[why == 0] = CODES[FORCED]
    skipped: tuple[RejectRow, ...] = ()
    if not (conduct.force or conduct.retry_rejects):
        skipped = _without_rejects(why, subjects, now, request, manifest)
    return Needs(
        subjects=subjects,
        overrides=found.overrides,
        stamps=stamps,
        is_same=np.array([look is not None and not conduct.force for look in looks], bool),
        places=asked.keys.places,
        columns=tuple(asked.files),
        why=why,
        skipped=skipped,
        absent=_absent(found, manifest),
        manifest=manifest,
    )


def _earlier(keys: Keys, manifest: Manifest, ids: Sequence[str] | None) -> dict[str, _Was]:
    """What the manifest has of some scans, or of all."""
    earlier = {}
    names = ("scan", "stamp", "source_key", "laid_key", "mesh", "textures", "sources", "named")
    for table in manifest.batches(SCANS, (*names, *Laid._fields), ids):
        for row in table.to_pylist():
            sources = [SourceFile(**file) for file in row["sources"]]
            laid = Laid(*(row[name] for name in Laid._fields))
            looks = looks_of(row["mesh"], (*row["textures"], *row["named"]), sources)
            marks = keys.marks_of(row["source_key"], row["laid_key"])
            seen = Looks(keys.of_scan(looks, laid), marks)
            earlier[row["scan"]] = _Was(row["stamp"], tuple(row["named"]), seen)
    return earlier


def _without_rejects(
    why: U8, subjects: Sequence[Subject], now: _Stamps, request: RenderRequest, manifest: Manifest
) -> tuple[RejectRow, ...]:
    """Rejects that would be rejected again, of whom anything is wanted; from now on nothing is."""
    places = {subject.id: s for s, subject in enumerate(subjects)}
    skipped = []
    for row in rows_of(RejectRow, manifest.rejects()):
        s = places.get(row.scan)
        if s is None or row.code_version != code_version() or not why[s].any():
            continue
        if row.stamp == refusal_of(now.of(subjects[s], row.named), request):
            why[s] = 0
            skipped.append(row)
    return tuple(skipped)


def _absent(found: Survey, manifest: Manifest) -> int:
    """How many scans of the manifest are not in the dataset any more."""
    known = set(manifest.scans(["scan"]).column(0).to_pylist())
    return len(known - {subject.id for subject in found.subjects})
