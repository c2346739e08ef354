"""Rows of a build that does only what is needed: as if it had done all, whatever came in which order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from manifest_rows import START, scan_row

from manifests.schema import rows_of, table_of
from pipeline.config import PASSES, PROJECTIONS, RenderRequest
from pipeline.keys import Keys, digest_of_causes
from pipeline.records import (
    Alignment,
    Angle,
    Cleaning,
    Fault,
    Fit,
    Front,
    Removed,
    Similarity,
    Subject,
)
from pipeline.rows import (
    FILES,
    Drawing,
    DrawnView,
    Inspected,
    MarkedView,
    Place,
    ScanRow,
    SourceFile,
    ViewRow,
    WrittenFile,
)
from pipeline.stages import record
from pipeline.store import Workspace

REQUEST = RenderRequest("2K2K", yaws=(-30.0, 0.0), passes=PASSES, projections=PROJECTIONS)
WORK = Workspace(Path("data"), "2K2K")
SOURCE = SourceFile("obj/2K2K/00003/00003.ply", 40, START, "0" * 32)
INSPECTED = Inspected((SOURCE,), "1" * 32, "2" * 32, "3" * 32)
SUBJECT = Subject("2K2K", "00003", "train", mesh=SOURCE.path)
ALIGNMENT = Alignment((0.25, -1.5, 3.0), 0.375, -0.125, "nothing")
NUMBERS = st.floats(allow_nan=False)
THREE = st.tuples(NUMBERS, NUMBERS, NUMBERS)
COUNTS = st.integers(0, 2**62)
SOURCES = st.sampled_from(["override", "parameters", "registered mesh", "joints"])
FITS = st.builds(
    Fit,
    SOURCES,
    st.sampled_from(["good", "corrected", "bad"]),
    *(NUMBERS for _ in range(4)),
    st.none() | NUMBERS,
    NUMBERS,
    st.none() | st.builds(Similarity, NUMBERS, THREE),
    st.text(),
)
ALIGNMENTS = st.builds(
    Alignment,
    THREE,
    NUMBERS,
    NUMBERS,
    SOURCES,
    st.lists(st.builds(Front, SOURCES, NUMBERS), max_size=3).map(tuple),
    st.lists(st.builds(Angle, SOURCES, SOURCES, NUMBERS), max_size=3).map(tuple),
    st.lists(FITS, max_size=2).map(tuple),
    st.lists(st.text(), max_size=2).map(tuple),
    st.lists(st.text(), max_size=2).map(tuple),
    st.builds(Cleaning, NUMBERS, st.booleans()),
    st.builds(Removed, COUNTS, COUNTS, NUMBERS, COUNTS, NUMBERS),
)
Wanted = Mapping[Place, Collection[str]]


def finished(request: RenderRequest, wanted: Wanted, scan: str = "a" * 32) -> record.Finished:
    """What a build makes of the wanted files of one scan, whose content is what decides it."""
    keys = Keys(request, WORK)
    drawn, marked = [], []
    for place, columns in wanted.items():
        key = keys.of_view(scan, place)
        lit = keys.lit(key, SUBJECT.id, place)
        files = tuple(_written(request, place, name, lit if "shaded" in name else key) for name in columns)
        pictures = tuple(file for file in files if file.column != "keypoints_file")
        light = tuple(float(request.seed) + i for i in range(75))
        what = (place.view, place.projection, place.yaw, place.pitch, light, (1, 2, 3, 4), 5)
        if pictures:
            drawn.append(DrawnView(*what, pictures, key, lit))
        number = float(request.compat_keypoints)
        for file in set(files) - set(pictures):
            flags = ((True,) * 31, (False,) * 31)
            where = (place.view, place.projection, file, (number,) * 62, (number,) * 31)
            marked.append(MarkedView(*where, *flags, (1.0,) * 31, ("joint3d",) * 31))
    return record.Finished(SUBJECT, INSPECTED, ALIGNMENT, Drawing(7, 9, tuple(drawn)), marked)


def _written(request: RenderRequest, place: Place, column: str, cause: str) -> WrittenFile:
    kind = column.partition("_")[0]
    ending = request.geometry_format if kind in ("depth", "normal") else request.image_format
    digest = digest_of_causes([cause, column, ending, request.compat_keypoints])
    return WrittenFile(column, f"{place.projection}/{place.view}/{column}.{ending}", len(column), digest)


def built(request: RenderRequest, wanted: Wanted, before: Mapping[Place, ViewRow]) -> dict[Place, ViewRow]:
    """All rows after a build that came upon these."""
    rows = record.view_rows(finished(request, wanted), request, before.values(), Keys(request, WORK))
    assert len({(row.view, row.projection) for row in rows}) == len(rows)
    return {**before, **{Place(row.view, row.projection, row.yaw, row.pitch): row for row in rows}}


def timeless(rows: Mapping[Place, ViewRow]) -> dict[Place, ViewRow]:
    return {place: replace(row, made_at=START) for place, row in rows.items()}


PLACE = Keys(REQUEST, WORK).places[0]


def everything() -> dict[Place, list[str]]:
    return {place: [*FILES] for place in Keys(REQUEST, WORK).places}


SHRUNK = Fit("parameters", "bad", *(0.0,) * 4, None, 0.0, Similarity(0.0, (0.0, 0.0, 0.0)))


@given(ALIGNMENTS)
@example(replace(ALIGNMENT, fits=(SHRUNK,)))
@settings(deadline=None, max_examples=50)
def test_an_alignment_survives_the_way_through_its_row(alignment: Alignment) -> None:
    done = replace(finished(REQUEST, {}), alignment=alignment)
    row = record.scan_row(done)
    (read,) = rows_of(ScanRow, table_of(ScanRow, [row]))
    assert record.alignment_of(row) == record.alignment_of(read) == alignment


def test_a_scan_that_is_as_it_was_keeps_its_row() -> None:
    done = finished(REQUEST, {})
    known = replace(record.scan_row(done), made_at=START, code_version="0.0.1")
    assert record.scan_row(done, known) is known
    moved = replace(done, alignment=replace(ALIGNMENT, scale=0.5))
    other = record.scan_row(moved, known)
    assert other.scale == 0.5 and other.made_at > START and other.code_version != "0.0.1"
    assert (other.stamp, other.laid_key, other.source_key) == ("2" * 32, "3" * 32, "1" * 32)
    row = scan_row()
    subject = Subject("2K2K", "00003", row.split, row.mesh, row.textures, attributes=(("age", "30~40"),))
    same = record.Finished(
        subject, Inspected(row.sources, *("5" * 32,) * 3), record.alignment_of(row), Drawing(1, 2, ()), []
    )
    again = record.scan_row(same)
    assert (again.fits, again.fronts, again.angles) == (row.fits, row.fronts, row.angles)


SLOTS = [(place, name) for place in Keys(REQUEST, WORK).places for name in FILES]


@given(st.lists(st.sampled_from([0, 1, 2, None]), min_size=len(SLOTS), max_size=len(SLOTS)))
@settings(deadline=None, max_examples=100)
def test_a_build_in_parts_leaves_the_rows_of_one_in_a_piece(turns: list[int | None]) -> None:
    """Each file of each view is made in one of three builds or never; keypoints not before some picture."""
    parts: list[dict[Place, list[str]]] = [{}, {}, {}]
    first: dict[Place, int] = {}
    for (place, column), turn in zip(SLOTS, turns, strict=True):
        if turn is not None and column != "keypoints_file":
            parts[turn].setdefault(place, []).append(column)
            first[place] = min(turn, first.get(place, turn))
    for (place, column), turn in zip(SLOTS, turns, strict=True):
        if turn is not None and column == "keypoints_file" and place in first:
            parts[max(turn, first[place])].setdefault(place, []).append(column)
    rows: dict[Place, ViewRow] = {}
    for part in parts:
        rows = built(REQUEST, part, rows)
    whole = {place: [name for part in parts for name in part.get(place, ())] for place in first}
    assert timeless(rows) == timeless(built(REQUEST, whole, {}))


def test_keypoints_alone_leave_the_pictures_as_they_are() -> None:
    before = built(REQUEST, everything(), {})
    wish = replace(REQUEST, compat_keypoints=True, seed=5)
    after = built(wish, {PLACE: ["keypoints_file"]}, before)
    assert {p for p in before if after[p] is not before[p]} == {PLACE}
    old, new = before[PLACE], after[PLACE]
    assert new.keypoints_uv == (1.0,) * 62 and old.keypoints_uv == (0.0,) * 62
    assert new.keypoints_key != old.keypoints_key
    assert new.keypoints_file_blake2b != old.keypoints_file_blake2b
    names = [name for name in ViewRow.__dataclass_fields__ if not name.startswith("keypoints")]
    assert {name for name in names if getattr(old, name) != getattr(new, name)} == {"made_at"}


def test_keypoints_of_a_view_without_pictures_are_nowhere_to_be_put() -> None:
    with pytest.raises(KeyError):
        built(REQUEST, {PLACE: ["keypoints_file"]}, {})


def test_the_key_of_keypoints_is_of_the_pixels_and_of_what_decided_the_marks() -> None:
    row = built(REQUEST, {PLACE: ["depth_front", "keypoints_file"]}, {})[PLACE]
    keys = Keys(REQUEST, WORK)
    assert row.key == keys.of_view("a" * 32, PLACE)
    assert row.shaded_key == keys.lit(row.key, "00003", PLACE)
    assert row.keypoints_key == keys.marked(row.key, keys.marks_of("1" * 32, "3" * 32))
    bare = built(REQUEST, {PLACE: ["depth_front"]}, {})[PLACE]
    assert (bare.keypoints_key, bare.keypoints_file, bare.keypoints_source) == ("", None, ("",) * 31)


def test_what_lies_in_another_light_goes_when_a_new_one_comes() -> None:
    before = built(REQUEST, {PLACE: [*FILES]}, {})
    other = replace(REQUEST, seed=1)
    dark = built(other, {PLACE: ["color_front", "mask"]}, before)[PLACE]
    assert replace(dark, made_at=START) == replace(before[PLACE], made_at=START), "no light was asked for"
    lit = built(other, {PLACE: ["shaded_front"]}, before)[PLACE]
    assert lit.shaded_front and lit.shaded_back is None and lit.shaded_back_blake2b is None
    assert (lit.seed, lit.light_numbers[0]) == (1, 1.0) and lit.shaded_key != before[PLACE].shaded_key
    kept = [name for name in FILES if not name.startswith("shaded")]
    assert all(getattr(lit, name) == getattr(before[PLACE], name) for name in kept)


def test_nothing_of_other_pixels_stays() -> None:
    before = built(REQUEST, {PLACE: [*FILES]}, {})
    done = finished(REQUEST, {PLACE: ["color_front"]}, scan="b" * 32)
    (row,) = record.view_rows(done, REQUEST, before.values(), Keys(REQUEST, WORK))
    assert [name for name in FILES if getattr(row, name)] == ["color_front"]
    assert (row.keypoints_key, row.depth_coding) == ("", None)


def test_one_side_in_another_coding_takes_the_other_side_out() -> None:
    before = built(REQUEST, {PLACE: [*FILES]}, {})
    floats = replace(REQUEST, depth_format="exr")
    after = built(floats, {PLACE: ["depth_front"]}, before)[PLACE]
    assert (after.depth_coding, after.normal_coding) == ("float32", "uint16")
    assert after.depth_back is None and after.normal_back == before[PLACE].normal_back
    both = built(floats, {PLACE: ["depth_front", "depth_back"]}, before)[PLACE]
    assert both.depth_back and both.depth_back.endswith(".exr")
    same = built(replace(REQUEST, depth_format="jxl"), {PLACE: ["depth_front"]}, before)[PLACE]
    assert same.depth_back == before[PLACE].depth_back, "the same numbers in another format"


def test_another_split_is_written_into_every_row_and_nothing_else() -> None:
    before = built(REQUEST, everything(), {})
    first, *rest = before
    done = finished(REQUEST, {first: ["mask"], rest[0]: ["keypoints_file"]})
    done = replace(done, subject=replace(SUBJECT, split="test"))
    rows = record.view_rows(done, REQUEST, before.values(), Keys(REQUEST, WORK))
    assert len(rows) == len(before) and {row.split for row in rows} == {"test"}
    assert rows[2:] == [replace(before[place], split="test") for place in rest[1:]]
    idle = finished(REQUEST, {})
    assert record.view_rows(idle, REQUEST, before.values(), Keys(REQUEST, WORK)) == []


def test_a_reject_tells_what_was_found_out_before() -> None:
    fault = Fault("2K2K", "00003", "align", "MeshError", "has no faces")
    row = record.reject_row(fault, INSPECTED)
    assert (row.source_key, row.stamp) == ("1" * 32, "2" * 32)
    assert row.made_at <= datetime.now(UTC)
    unread = record.reject_row(fault, Inspected((), "", "2" * 32, ""))
    assert (unread.source_key, unread.stamp) == (None, "2" * 32)
    unseen = record.reject_row(fault)
    assert (unseen.source_key, unseen.stamp) == (None, "")
