"""What needs to be made, against an independent way to find it: one scan, view and file after the other."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_rows import reject_row
from up_to_date import Folder, add_scan, scan_of, up_to_date, views_of

from manifests.schema import table_of
from pipeline.conduct import staleness as why
from pipeline.config import PASSES, PROJECTIONS, Conduct, RenderRequest
from pipeline.keys import Keys, laid_in, looks_of
from pipeline.rows import ScanRow, ViewRow
from pipeline.stages.inspect import refusal_of
from pipeline.version import code_version

IDS = ("00001", "00002", "00010", "a-1")
CHANGES = ("key", "shaded_key", "keypoints_key", "none", "renamed", "unlinked", "row", "stamp", "scan")
KINDS = {
    "color": ("COLOR/NOSHADING", ("front", "back")),
    "shaded": ("COLOR/SHADED", ("front",)),
    "shaded-back": ("COLOR/SHADED", ("back",)),
    "depth": ("DEPTH", ("front", "back")),
    "normal": ("NORMAL", ("front", "back")),
    "mask": ("MASK", ("front",)),
}

SWAPPED = {"PERS": "ORTH", "ORTH": "PERS"}


class Change(NamedTuple):
    """Something that is done to a folder: to which scan, view and file, by number."""

    what: str
    scan: int
    view: int
    file: int


@st.composite
def requests(draw: st.DrawFn) -> dict[str, object]:
    """What a request asks for, besides where."""
    passes = draw(st.lists(st.sampled_from(PASSES), min_size=1, unique=True).map(tuple))
    return {
        "yaws": draw(st.lists(st.sampled_from((-30.0, 0.0, 7.5)), min_size=1, unique=True).map(tuple)),
        "pitches": draw(st.sampled_from(((0.0,), (0.0, 10.0)))),
        "projections": draw(st.sampled_from((PROJECTIONS[:1], PROJECTIONS))),
        "passes": passes,
        "seed": draw(st.sampled_from((0, 0, 1))),
        "depth_format": draw(st.sampled_from((None, None, "exr"))),
        "overlays": {"depth", "shaded"} <= {*passes} and draw(st.booleans()),
    }


changes = st.builds(
    Change, st.sampled_from(CHANGES), st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)
)
conducts = st.builds(
    Conduct,
    subjects=st.sampled_from(((), (), ("00002", "a-*"), ("1-10",))),
    force=st.sampled_from((False, False, False, True)),
    retry_rejects=st.booleans(),
)


class Scene(NamedTuple):
    """What was made once, what was done to it since, and what is asked for now."""

    made: dict[str, object]
    done: list[Change]
    rejected: list[tuple[str, bool, bool]]
    asked: dict[str, object]
    conduct: Conduct


scenes = st.builds(
    Scene,
    requests(),
    st.lists(changes, max_size=6),
    st.lists(st.tuples(st.sampled_from(IDS), st.booleans(), st.booleans()), max_size=2),
    requests(),
    conducts,
)


@settings(max_examples=60, deadline=None)
@given(scenes, st.sampled_from((0, 50)))
def test_what_is_needed_is_what_is_found_one_by_one(scene: Scene, few: int) -> None:
    with tempfile.TemporaryDirectory() as place, patch.object(why, "_FEW", few):
        folder = up_to_date(Path(place), IDS[:3], **scene.made)
        add_scan(folder.work, IDS[3])
        for change in scene.done:
            do(change, folder)
        request = replace(folder.request, **scene.asked)  # type: ignore[arg-type]
        reject(folder, request, scene.rejected)
        conduct = scene.conduct
        how = {name: getattr(conduct, name) for name in ("subjects", "force", "retry_rejects")}
        needs = folder.needs(scene.asked, **how)
        found = {
            (need.subject.id, want.place.view, want.place.projection, column)
            for need in needs
            for want in need.wants
            for column in want.columns
        }
        expected = dict(one_by_one(folder, request, conduct))
        assert found == {place for place, reason in expected.items() if reason}
        assert set(needs.reasons) == set(filter(None, expected.values()))
        assert {reason: counted(expected, {reason}) for reason in needs.reasons} == needs.reasons
        assert needs.total == counted(expected, set(why.REASONS))
        assert needs.kept == kept_in(expected, {row.scan for row in needs.skipped})
        for need in needs:
            rows = [row for row in folder.scans if row.scan == need.subject.id]
            assert need.earlier == (rows[0] if rows else None)
            assert list(need.rows) == [row for row in folder.views if row.scan == need.subject.id]


def test_of_a_scan_that_is_not_known_no_row_counts(tmp_path: Path) -> None:
    folder = up_to_date(tmp_path, IDS[:2])
    request, keys = folder.request, Keys(folder.request, folder.work)
    asked = why.Asked(folder.work, keys, IDS[:2], why.files_of(request))
    (first, _) = folder.scans
    scan_key = keys.of_scan(looks_of(first.mesh, first.textures, first.sources), laid_in(first))
    looks = why.Looks(scan_key, keys.marks_of(first.source_key, first.laid_key))
    found = why.why_stale(asked, [looks, None], [table_of(ViewRow, folder.views)])
    assert (found[0] == 0).all() and (found[1] == why.CODES[why.UNSEEN]).all()


def do(change: Change, folder: Folder) -> None:
    """Do something to a folder and its rows."""
    if change.what == "scan" or not folder.views:
        folder.scans = [row for s, row in enumerate(folder.scans) if s != change.scan]
        return
    if change.what == "stamp":
        folder.scans = [
            replace(row, stamp="0" * 32) if s == change.scan else row for s, row in enumerate(folder.scans)
        ]
        return
    v = (change.scan * 7 + change.view) % len(folder.views)
    row = folder.views[v]
    named = [name for name in why.files_of(folder.request) if getattr(row, name, None)]
    column = named[change.file % len(named)] if named else "mask"
    if change.what == "row":
        folder.views.pop(v)
    elif change.what == "unlinked":
        (folder.work.root / (getattr(row, column) or "nothing")).unlink(missing_ok=True)
    elif change.what in ("none", "renamed"):
        path = getattr(row, column) or "PERS/here.png"
        other = None if change.what == "none" else SWAPPED[path[:4]] + path[4:]
        folder.views[v] = replace(row, **{column: other})  # type: ignore[arg-type]
    else:
        folder.views[v] = replace(row, **{change.what: "0" * 32})  # type: ignore[arg-type]


def reject(folder: Folder, request: RenderRequest, rejected: list[tuple[str, bool, bool]]) -> None:
    """Rejects of some scans, of what they are now or not, by this program or another."""
    for scan, same, ours in {row[0]: row for row in rejected}.values():
        (subject,) = [subject for subject in folder.survey().subjects if subject.id == scan]
        stamp = refusal_of(scan_of(folder.work, request, subject).stamp, request) if same else "0" * 32
        version = code_version() if ours else "0.0.1"
        folder.rejects.append(reject_row(scan, stamp=stamp, code_version=version))


Place = tuple[str, str, str, str]  # scan, view, projection, column


def one_by_one(folder: Folder, request: RenderRequest, conduct: Conduct) -> Iterator[tuple[Place, str]]:
    """Every file that is asked for, and why it must be made; an empty text: it need not be."""
    meant = {(): IDS, ("00002", "a-*"): ("00002", "a-1"), ("1-10",): IDS[:3]}[conduct.subjects]
    for subject in folder.survey().subjects:
        if subject.id not in meant:
            continue
        now = scan_of(folder.work, request, subject)
        was = next((row for row in folder.scans if row.scan == subject.id), None)
        files = list(of_scan(folder, request, now, was))
        if conduct.force:
            files = [(place, reason or why.FORCED) for place, reason in files]
        tried = [row for row in folder.rejects if row.scan == subject.id]
        same = [row for row in tried if row.stamp == refusal_of(now.stamp, request)]
        same = [row for row in same if row.code_version == code_version()]
        if same and not conduct.force and not conduct.retry_rejects:
            files = [(place, "") for place, _ in files]
        yield from files


def of_scan(
    folder: Folder, request: RenderRequest, now: ScanRow, was: ScanRow | None
) -> Iterator[tuple[Place, str]]:
    rows = {(row.view, row.projection): row for row in folder.views if row.scan == now.scan}
    for right in views_of(folder.work, request, now):
        row = rows.get((right.view, right.projection))
        reasons: dict[str, str] = {}
        for column, path in paths_of(request, right):
            if was is None:
                reason = why.NEW
            elif was.stamp != now.stamp:
                reason = why.CHANGED
            elif row is None:
                reason = why.UNSEEN
            elif column == "overlay":
                gone = "" if (folder.work.root / path).exists() else why.UNMADE
                reason = reasons["shaded_front"] or reasons["keypoints_file"] or gone
            else:
                reason = of_file(row, right, column, path)
                reason = reason or ("" if (folder.work.root / path).exists() else why.GONE)
            reasons[column] = reason
            yield (now.scan, right.view, right.projection, column), reason


def of_file(row: ViewRow, right: ViewRow, column: str, path: str) -> str:
    """What is wrong with what a row says of a file."""
    if row.key != right.key:
        return why.REDRAWN
    if getattr(row, column) is None:
        return why.UNMADE
    if column.startswith("shaded") and row.shaded_key != right.shaded_key:
        return why.RELIT
    if column == "keypoints_file" and row.keypoints_key != right.keypoints_key:
        return why.REMARKED
    return "" if getattr(row, column) == path else why.REFORMED


def paths_of(request: RenderRequest, view: ViewRow) -> Iterator[tuple[str, str]]:
    """The files of a view, by the conventions: the overlay comes last."""
    top = {"perspective": "PERS", "orthographic": "ORTH"}[view.projection]
    for name in request.passes:
        folder, sides = KINDS[name]
        ending = (request.depth_format or "png") if name in ("depth", "normal") else "png"
        for side in sides:
            column = "mask" if name == "mask" else f"{name.partition('-')[0]}_{side}"
            yield column, f"{top}/{folder}/{view.view}/{view.scan}_{side}.{ending}"
    if "depth" in request.passes:
        yield "keypoints_file", f"{top}/keypoint/{view.view}/{view.scan}_front.npy"
        if request.overlays:
            yield "overlay", f"{top}/OVERLAY/{view.view}/{view.scan}_front.jpg"


def counted(expected: dict[Place, str], reasons: set[str]) -> tuple[int, int, int]:
    """How many scans, views and images there are for some reasons."""
    places = [place for place, reason in expected.items() if reason in reasons]
    images = sum(place[3] not in ("keypoints_file", "overlay") for place in places)
    return len({place[0] for place in places}), len({place[:3] for place in places}), images


def kept_in(expected: dict[Place, str], skipped: set[str]) -> tuple[int, int, int]:
    """How many scans and views are whole, and how many images are up to date, of those not skipped."""
    stale: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    images = 0
    for place, reason in expected.items():
        if place[0] not in skipped:
            stale[place[0]][place[:3]] += bool(reason)
            images += not reason and place[3] not in ("keypoints_file", "overlay")
    views = [not count for scan in stale.values() for count in scan.values()]
    return sum(not any(scan.values()) for scan in stale.values()), sum(views), images
