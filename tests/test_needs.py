from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from manifest_rows import reject_row, view_row
from up_to_date import Folder, add_scan, up_to_date

from manifests import files
from pipeline.conduct import staleness as why
from pipeline.conduct.needs import Count, Needs
from pipeline.config import PROJECTIONS
from pipeline.errors import ConfigError
from pipeline.stages.inspect import refusal_of, stamp_of, wishes_of
from pipeline.version import code_version

COLOR = {"color_front", "color_back"}
DEPTH = {"depth_front", "depth_back"}
SHADED = {"shaded_front"}
KEYPOINTS = {"keypoints_file"}
ALL = COLOR | DEPTH | SHADED | KEYPOINTS
BOTH = ("00003", "00007")

Found = dict[str, dict[float, set[str]]]  # columns by scan and yaw


def found_in(needs: Needs) -> Found:
    """What is needed, as far as one camera goes."""
    return {n.subject.id: {want.place.yaw: set(want.columns) for want in n.wants} for n in needs}


def of_all(columns: set[str], yaws: tuple[float, ...] = (-30.0, 0.0)) -> Found:
    return {scan: dict.fromkeys(yaws, columns) for scan in BOTH}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return up_to_date(tmp_path, BOTH)


def touch(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def change_row(folder: Folder, **other: object) -> None:
    """Another first view: -30 of 00003."""
    folder.views[0] = replace(folder.views[0], **other)  # type: ignore[arg-type]


def test_what_is_up_to_date_needs_nothing(folder: Folder) -> None:
    needs = folder.needs()
    assert list(needs) == [] == list(needs.named())
    assert (len(needs), needs.total, needs.reasons) == (0, Count(), {})
    assert (needs.kept, needs.skipped, needs.absent) == (Count(2, 4, 20), (), 0)


def mesh(folder: Folder) -> Path:
    return folder.work.scans / "00003" / "00003.ply"


def image(folder: Folder, kind: str, name: str = "00003_front.png") -> Path:
    return folder.work.root / "PERS" / kind / "2K2K_0_y_-30_x" / name


def say(folder: Folder, text: str) -> None:
    (folder.work.scans / "overrides.toml").write_text(text, encoding="utf-8")


ONE = {"00003": {-30.0: ALL, 0.0: ALL}}
DONE: dict[str, tuple[Callable[[Folder], object], str, Found]] = {
    "a mesh is newer": (lambda f: touch(mesh(f)), why.CHANGED, ONE),
    "a mesh is another": (lambda f: mesh(f).write_bytes(b"ply"), why.CHANGED, ONE),
    "parameters are gone": (lambda f: mesh(f).with_suffix(".json").unlink(), why.CHANGED, ONE),
    "a user says where the front is": (lambda f: say(f, "[00003]\nyaw = 9\n"), why.CHANGED, ONE),
    "somebody comes": (
        lambda f: add_scan(f.work, "00005"), why.NEW, {"00005": {-30.0: ALL, 0.0: ALL}},
    ),
    "a scan has no row": (lambda f: f.scans.pop(0), why.NEW, ONE),
    "a view has no row": (lambda f: f.views.pop(0), why.UNSEEN, {"00003": {-30.0: ALL}}),
    "a view was drawn otherwise": (
        lambda f: change_row(f, key="0" * 32), why.REDRAWN, {"00003": {-30.0: ALL}},
    ),
    "a view was lit otherwise": (
        lambda f: change_row(f, shaded_key="0" * 32), why.RELIT, {"00003": {-30.0: SHADED}},
    ),
    "keypoints were found otherwise": (
        lambda f: change_row(f, keypoints_key="0" * 32), why.REMARKED, {"00003": {-30.0: KEYPOINTS}},
    ),
    "keypoints were not made": (
        lambda f: change_row(f, keypoints_key="", keypoints_file=None), why.UNMADE,
        {"00003": {-30.0: KEYPOINTS}},
    ),
    "an image was not made": (
        lambda f: change_row(f, depth_back=None), why.UNMADE, {"00003": {-30.0: {"depth_back"}}},
    ),
    "an image has another name": (
        lambda f: change_row(f, mask="here", color_back="there.png"), why.REFORMED,
        {"00003": {-30.0: {"color_back"}}},
    ),
    "an image is gone": (
        lambda f: image(f, "DEPTH").unlink(), why.GONE, {"00003": {-30.0: {"depth_front"}}},
    ),
    "keypoints are gone": (
        lambda f: image(f, "keypoint", "00003_front.npy").unlink(), why.GONE,
        {"00003": {-30.0: KEYPOINTS}},
    ),
    "a folder is gone": (
        lambda f: shutil.rmtree(image(f, "COLOR/NOSHADING").parent), why.GONE, of_all(COLOR, (-30.0,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("few", [0, 50])
@pytest.mark.parametrize("what", DONE)
def test_one_thing_that_happens_needs_what_follows_from_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, what: str, few: int
) -> None:
    monkeypatch.setattr(why, "_FEW", few)
    happen, reason, expected = DONE[what]
    happen(folder)
    needs = folder.needs()
    assert found_in(needs) == expected
    assert list(needs.reasons) == [reason]
    assert list(needs.named()) == [(scan, (reason,)) for scan in expected]


SH = {"light": "sh", "light_file": Path("lights.npy")}
ASKED: dict[str, tuple[dict[str, object], str, Found]] = {
    "another seed": ({"seed": 1}, why.RELIT, of_all(SHADED)),
    "another light": ({"light": "ring"}, why.RELIT, of_all(SHADED)),
    "another light, of a file": (SH, why.RELIT, of_all(SHADED)),
    "occlusion": ({"occlusion": True}, why.RELIT, of_all(SHADED)),
    "another size": ({"size": 65}, why.REDRAWN, of_all(ALL)),
    "another yaw": ({"yaws": (0.0, 10.0)}, why.UNSEEN, of_all(ALL, (10.0,))),
    "another pitch": ({"pitches": (5.0,)}, why.UNSEEN, of_all(ALL)),
    "another camera": ({"projections": ("orthographic",)}, why.UNSEEN, of_all(ALL)),
    "another pass": ({"passes": ("normal",)}, why.UNMADE, of_all({"normal_front", "normal_back"})),
    "another place of keypoints": ({"compat_keypoints": True}, why.REMARKED, of_all(KEYPOINTS)),
    "another format": ({"image_format": "jxl"}, why.REFORMED, of_all(ALL - KEYPOINTS)),
    "pictures to look at": ({"overlays": True}, why.UNMADE, of_all({"overlay"})),
    "another cleaning": ({"drop_floor": True}, why.CHANGED, of_all(ALL)),
    "fewer views": ({"yaws": (0.0,)}, "", {}),
    "fewer passes": ({"passes": ("depth", "color")}, "", {}),
    "no depth": ({"passes": ("shaded",)}, "", {}),
    "larger textures": ({"max_texture_mpx": 400}, "", {}),
    "another device": ({"gl_device": 3}, "", {}),
}


@pytest.mark.parametrize("what", ASKED)
def test_one_thing_that_is_asked_for_needs_what_follows_from_it(folder: Folder, what: str) -> None:
    asked, reason, expected = ASKED[what]
    if "light_file" in asked:
        lights = folder.work.root / "lights.npy"
        np.save(lights, np.ones((2, 9, 3)))
        asked = asked | {"light_file": lights}
    needs = folder.needs(asked)
    assert found_in(needs) == expected
    assert list(needs.reasons) == ([reason] if expected else [])
    stays = all(need.known == row for need, row in zip(needs, folder.scans, strict=False))
    assert stays == (reason != why.CHANGED)


def test_depth_in_floats_hides_keypoints_anew(folder: Folder) -> None:
    needs = folder.needs({"depth_format": "exr"})
    assert found_in(needs) == of_all(DEPTH | KEYPOINTS)
    assert needs.reasons == {why.REFORMED: Count(2, 4, 8), why.REMARKED: Count(2, 4, 0)}
    assert needs.total == Count(2, 4, 8)
    assert needs.kept == Count(0, 0, 12)


def test_both_sides_are_lit(tmp_path: Path) -> None:
    folder = up_to_date(tmp_path, BOTH, passes=("shaded-back", "color"))
    needs = folder.needs({"seed": 1})
    assert needs.reasons == {why.RELIT: Count(2, 4, 4)}
    assert found_in(needs) == of_all({"shaded_back"})


def test_a_file_is_of_its_own_camera(tmp_path: Path) -> None:
    folder = up_to_date(tmp_path, BOTH, projections=PROJECTIONS)
    first = folder.views[0]
    assert first.projection == "perspective" and first.depth_front
    change_row(folder, depth_front=first.depth_front.replace("PERS", "ORTH"))
    needs = folder.needs()
    assert found_in(needs) == {"00003": {-30.0: {"depth_front"}}}
    assert needs.reasons == {why.REFORMED: Count(1, 1, 1)}


def test_overlays_follow_what_they_show(tmp_path: Path) -> None:
    folder = up_to_date(tmp_path, BOTH, overlays=True)
    assert len(folder.needs()) == 0
    assert found_in(folder.needs({"seed": 1})) == of_all(SHADED | {"overlay"})
    assert found_in(folder.needs({"compat_keypoints": True})) == of_all(KEYPOINTS | {"overlay"})
    image(folder, "OVERLAY", "00007_front.jpg").unlink()
    needs = folder.needs()
    assert found_in(needs) == {"00007": {-30.0: {"overlay"}}}
    assert needs.reasons == {why.UNMADE: Count(1, 1, 0)}


def test_force_makes_all_that_is_asked_for_again_and_says_what_for(folder: Folder) -> None:
    image(folder, "DEPTH").unlink()
    needs = folder.needs({"passes": ("depth",)}, force=True, subjects=("00003",))
    assert found_in(needs) == {"00003": dict.fromkeys((-30.0, 0.0), DEPTH | KEYPOINTS)}
    assert needs.reasons == {why.GONE: Count(1, 1, 1), why.FORCED: Count(1, 2, 3)}
    (need,) = needs
    assert need.known is None and need.earlier == folder.scans[0]
    assert list(need.rows) == folder.views[:2]


def test_who_is_not_chosen_is_not_counted(folder: Folder) -> None:
    for scan in BOTH:
        touch(folder.work.scans / scan / f"{scan}.ply")
    needs = folder.needs(subjects=("00007",))
    assert (needs.total, needs.kept) == (Count(1, 2, 10), Count())
    assert [need.subject.id for need in needs] == ["00007"]


def test_a_need_has_the_rows_of_its_scan_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "GROUP_ROWS", 4)  # so that scans' rows lie in two row groups
    ids = ("00001", "00002", "00003", "00004", "00005")
    folder = up_to_date(tmp_path, ids, yaws=(-10.0, 0.0, 10.0))
    for scan in ("00002", "00003", "00005"):
        (folder.work.root / f"PERS/DEPTH/2K2K_0_y_10_x/{scan}_front.png").unlink()
    touch(folder.work.scans / "00004" / "00004.ply")
    folder.scans = [row for row in folder.scans if row.scan != "00005"]
    needs = list(folder.needs())
    assert [need.subject.id for need in needs] == ["00002", "00003", "00004", "00005"]
    for need in needs:
        row = next((row for row in folder.scans if row.scan == need.subject.id), None)
        assert need.earlier == row
        assert need.known == (None if need.subject.id == "00004" else row)
        assert list(need.rows) == [view for view in folder.views if view.scan == need.subject.id]
        wishes = wishes_of(folder.work, folder.request)
        assert need.stamp == stamp_of(folder.work, need.subject, need.said, wishes)


def test_what_is_said_of_somebody_goes_with_the_need(folder: Folder) -> None:
    say(folder, "[00003]\nyaw = 40\n")
    (need,) = folder.needs()
    assert need.said and need.said.yaw == 40


def refused(folder: Folder, scan: str = "00003", **other: object) -> None:
    """A reject of the scan as it is now, which was not made before."""
    (subject,) = [subject for subject in folder.survey().subjects if subject.id == scan]
    stamp = stamp_of(folder.work, subject, None, wishes_of(folder.work, folder.request))
    row = reject_row(scan, stamp=refusal_of(stamp, folder.request), code_version=code_version())
    folder.rejects.append(replace(row, **other))  # type: ignore[arg-type]
    folder.scans = [row for row in folder.scans if row.scan != scan]
    folder.views = [row for row in folder.views if row.scan != scan]


def test_a_reject_is_not_tried_again_while_nothing_changed(folder: Folder) -> None:
    refused(folder)
    needs = folder.needs()
    assert len(needs) == 0 and list(needs.skipped) == folder.rejects
    assert needs.kept == Count(1, 2, 10)


def test_a_reject_is_tried_again_when_its_files_the_code_or_the_wishes_change(folder: Folder) -> None:
    refused(folder)
    again: list[Needs] = [
        folder.needs(retry_rejects=True),
        folder.needs(force=True, subjects=("00003",)),
        folder.needs({"passes": ("depth",)}),
        folder.needs({"drop_floor": True}, subjects=("00003",)),
    ]
    folder.rejects[0] = replace(folder.rejects[0], code_version="0.0.1")
    again.append(folder.needs())
    folder.rejects[0] = replace(folder.rejects[0], code_version=code_version())
    touch(mesh(folder))
    again.append(folder.needs())
    for needs in again:
        assert [scan for scan, _ in needs.named()] == ["00003"] and needs.skipped == ()


def test_a_reject_of_which_nothing_is_wanted_is_not_skipped(folder: Folder) -> None:
    scans, views = list(folder.scans), list(folder.views)
    refused(folder)
    folder.scans, folder.views = scans, views
    assert folder.needs().skipped == ()
    assert len(folder.needs({"size": 65}).skipped) == 1


def test_who_left_the_dataset_is_counted_and_left_alone(folder: Folder) -> None:
    shutil.rmtree(folder.work.scans / "00003")
    needs = folder.needs()
    assert (len(needs), needs.absent, needs.kept) == (0, 1, Count(1, 2, 10))


def test_a_folder_that_cannot_be_listed_stops_the_build(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why, "_FEW", 0)
    place = image(folder, "DEPTH").parent
    shutil.rmtree(place)
    place.touch()
    with pytest.raises(ConfigError, match="DEPTH/2K2K_0_y_-30_x: cannot be listed: Not a directory"):
        folder.needs()


def test_rows_of_another_view_or_scan_count_for_nothing(folder: Folder) -> None:
    folder.views += [view_row("00003", 77), view_row("00004")]
    assert len(folder.needs()) == 0


def test_a_row_of_before_stamps_is_looked_at_again(folder: Folder) -> None:
    folder.scans = [replace(row, stamp="") for row in folder.scans]
    needs = folder.needs()
    assert needs.reasons == {why.CHANGED: Count(2, 4, 20)}
    assert [need.earlier for need in needs] == folder.scans
