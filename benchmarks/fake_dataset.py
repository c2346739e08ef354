"""A dataset of any size that is wholly up to date, for timing builds that have nothing to do.

Nobody is drawn: scans and images are empty files, and the rows have the keys that they would have. Images
of one kind lie in one folder, which the folders of all views are links to: for who asks what is there it
is the same, and a million files do for ten million.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from up_to_date import add_scan, scan_of
from view_rows import YAWS, view_table

from manifests.files import Facts, write_table
from manifests.schema import REJECTS, SCANS, VIEWS, table_of
from pipeline.conduct.staleness import files_of
from pipeline.config import RenderRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.formats.digest import digest_of
from pipeline.keys import Keys, laid_in, looks_of
from pipeline.records import Subject
from pipeline.rows import FILES, ScanRow
from pipeline.store import Workspace

_STEP = 2000  # scans whose rows are made together


def make_up_to_date(data: Path, scans: int, yaws: Sequence[int]) -> RenderRequest:
    """A dataset of so many scans, each seen at all the yaws, and what to ask of it."""
    request = RenderRequest("2K2K", data, yaws=tuple(float(yaw) for yaw in yaws))
    work = Workspace(data, request.dataset)
    for number in range(scans):
        add_scan(work, f"{number:06d}")
    subjects = survey(work, layout_of(request.dataset)).subjects
    _write_images(work, request, subjects)
    keys = Keys(request, work)
    facts = Facts(request.dataset, config=json.dumps(asdict(request), default=str))
    work.manifests.mkdir(parents=True)
    write_table(work.manifests / REJECTS.file, REJECTS, facts, ())
    parts = [subjects[start : start + _STEP] for start in range(0, scans, _STEP)]
    rows = ([scan_of(work, request, subject) for subject in part] for part in parts)
    write_table(work.manifests / SCANS.file, SCANS, facts, (table_of(ScanRow, part) for part in rows))
    views = (_views([scan_of(work, request, subject) for subject in part], keys, request) for part in parts)
    write_table(work.manifests / VIEWS.file, VIEWS, facts, views)
    return request


def _write_images(work: Workspace, request: RenderRequest, subjects: Sequence[Subject]) -> None:
    for picture in files_of(request).values():
        store = work.absolute(picture.path("all", "")).parent
        store.mkdir(parents=True, exist_ok=True)
        for subject in subjects:
            work.absolute(picture.path("all", subject.id)).touch()
        for place in Keys(request, work).places:
            view = store.parent / place.view
            if not view.exists():
                view.symlink_to(store.name)


def _views(scans: Sequence[ScanRow], keys: Keys, request: RenderRequest) -> pa.Table:
    """The rows of some scans' views, sorted, with the keys that they would have."""
    places = sorted(keys.places, key=lambda place: place.view)
    seen = [(scan, place) for scan in scans for place in places]
    digests = [digest for scan in scans for digest in _digests(scan, keys)]
    table = view_table(np.arange(-(-len(seen) // len(YAWS))), 0).slice(0, len(seen))
    columns = [name for name in files_of(request) if name in FILES]
    filled: dict[str, Sequence[str | int | None]] = {
        "scan": [scan.scan for scan, _ in seen],
        "view": [place.view for _, place in seen],
        **{f"{name}{end}": [None] * len(seen) for name in FILES for end in ("", "_bytes", "_blake2b")},
        **{f"{name}_bytes": [0] * len(seen) for name in columns},
        **{f"{name}_blake2b": [digest_of(b"")] * len(seen) for name in columns},
        **{n: [file.path(p.view, s.scan) for s, p in seen] for n, file in files_of(request).items()},
        **{f"{name}_bytes": [0] * len(seen) for name in files_of(request)},
        **dict(zip(("key", "shaded_key", "keypoints_key"), zip(*digests, strict=True), strict=True)),
    }
    for name, values in filled.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.array(values, field.type))
    return table


def _digests(scan: ScanRow, keys: Keys) -> Iterator[tuple[str, str, str]]:
    """The keys of each of a scan's views, by the views' names."""
    scan_key = keys.of_scan(looks_of(scan.mesh, scan.textures, scan.sources), laid_in(scan))
    marks = keys.marks_of(scan.source_key, scan.laid_key)
    for place in sorted(keys.places, key=lambda place: place.view):
        key = keys.of_view(scan_key, place)
        yield key, keys.lit(key, scan.scan, place), keys.marked(key, marks)
