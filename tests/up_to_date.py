"""A dataset in a data folder of which everything is up to date, and nothing was ever drawn.

Scans and images are empty files, and the rows have the keys that they would have. What is wrong with it
then is what a test does to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from manifest_rows import FACTS, START, scan_row, view_row

from manifests.files import write_table
from manifests.read import Manifest, open_manifest
from manifests.schema import REJECTS, SCANS, VIEWS, Kind, table_of
from pipeline.conduct.needs import Needs, needs_of
from pipeline.conduct.staleness import OVERLAY_FILE, files_of
from pipeline.config import Conduct, RenderRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.formats.digest import digest_of
from pipeline.keys import Keys, laid_in, looks_of
from pipeline.records import Subject, Survey
from pipeline.rows import FILES, Place, RejectRow, ScanRow, SourceFile, ViewRow
from pipeline.stages.inspect import files_of as sources_of
from pipeline.stages.inspect import laid_key_of, stamp_of, wishes_of
from pipeline.store import Workspace


@dataclass
class Folder:
    """A data folder, the request that it is up to date for, and the rows of its manifest."""

    work: Workspace
    request: RenderRequest
    scans: list[ScanRow]
    views: list[ViewRow]
    rejects: list[RejectRow]

    def survey(self) -> Survey:
        """Who is there."""
        return survey(self.work, layout_of(self.request.dataset))

    def written(self) -> Manifest:
        """The rows, as a manifest on disk."""
        tables: tuple[tuple[Kind, list[Any]], ...]
        tables = ((SCANS, self.scans), (VIEWS, self.views), (REJECTS, self.rejects))
        for kind, rows in tables:
            rows.sort(key=lambda row: tuple(getattr(row, name) for name in kind.order))
            write_table(self.work.manifests / kind.file, kind, FACTS, [table_of(kind.row, rows)])
        return open_manifest(self.work.manifests)

    def needs(self, asked: dict[str, object] | None = None, **conduct: object) -> Needs:
        """What a build needs, whose request is another in what is `asked`."""
        request = replace(self.request, **cast(Any, asked or {}))
        how = Conduct(**cast(Any, conduct))
        return needs_of(self.work, request, self.survey(), how, self.written())


def up_to_date(data: Path, ids: Iterable[str], **asked: object) -> Folder:
    """A folder of some scans in which all is there that is asked for."""
    request = RenderRequest("2K2K", data, **cast(Any, {"yaws": (-30.0, 0.0), "size": 64} | asked))
    work = Workspace(data, request.dataset)
    for name in ids:
        add_scan(work, name)
    people = survey(work, layout_of(request.dataset)).subjects
    scans = [scan_of(work, request, person) for person in people]
    views = [view for scan in scans for view in views_of(work, request, scan)]
    for place in Keys(request, work).places:
        for picture in files_of(request).values():
            for scan in scans:
                path = replace(picture, projection=place.projection).path(place.view, scan.scan)
                work.absolute(path).parent.mkdir(parents=True, exist_ok=True)
                work.absolute(path).touch()
    work.manifests.mkdir(parents=True)
    return Folder(work, request, scans, views, [])


def add_scan(work: Workspace, scan: str) -> None:
    """Somebody with a mesh and parameters."""
    folder = work.scans / scan
    folder.mkdir(parents=True)
    for ending in ("ply", "json"):
        (folder / f"{scan}.{ending}").touch()


def scan_of(work: Workspace, request: RenderRequest, subject: Subject) -> ScanRow:
    """The row of a scan that was looked at now."""
    wishes = wishes_of(work, request)
    return scan_row(
        subject.id,
        split=subject.split,
        mesh=subject.mesh,
        textures=subject.textures,
        sources=tuple(SourceFile(name, 0, START, digest_of(name.encode())) for name in sources_of(subject)),
        stamp=stamp_of(work, subject, None, wishes),
        laid_key=laid_key_of(subject, None, wishes),
    )


def views_of(work: Workspace, request: RenderRequest, scan: ScanRow) -> Iterator[ViewRow]:
    """The rows of all its views."""
    keys = Keys(request, work)
    scan_key = keys.of_scan(looks_of(scan.mesh, scan.textures, scan.sources), laid_in(scan))
    for place in keys.places:
        key = keys.of_view(scan_key, place)
        marked = keys.marked(key, keys.marks_of(scan.source_key, scan.laid_key))
        yield view_row(
            scan.scan,
            int(place.yaw),
            view=place.view,
            projection=place.projection,
            pitch=place.pitch,
            key=key,
            shaded_key=keys.lit(key, scan.scan, place),
            keypoints_key=marked if "depth" in request.passes else "",
            **_files(request, place, scan.scan),
        )


def _files(request: RenderRequest, place: Place, scan: str) -> dict[str, str | None]:
    pictures = {name: replace(p, projection=place.projection) for name, p in files_of(request).items()}
    paths = {name: p.path(place.view, scan) for name, p in pictures.items() if name != OVERLAY_FILE}
    return dict.fromkeys(FILES) | paths
