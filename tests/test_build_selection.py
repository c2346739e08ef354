"""Whom a build is about: those who are chosen, who were refused before, and who is left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from building import Heard, build
from test_build import add_scan
from whole import add_people, files, noted, rows, times, touch

from pipeline.build import plan
from pipeline.conduct import needs, wording
from pipeline.conduct.jobs import VIEWS
from pipeline.config import Conduct, RenderRequest
from pipeline.errors import ConfigError
from pipeline.stages import record
from pipeline.synth.model import write_body_model

DATASET, SIZE = "2K2K", 32
BAD = b"ply\nformat ascii 1.0\n"
SCANS = ("00003", "00004", "00010", "rp_1")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people that were built, and one whose file is cut off."""
    data = tmp_path_factory.mktemp("base")
    for scan in SCANS:
        add_scan(data, scan)
    mesh(data, "00007").parent.mkdir()
    mesh(data, "00007").write_bytes(BAD)
    done = build(request(data))
    assert (done.scans_made, done.views_made, done.has_faults) == (4, 8, True)
    return data


@pytest.fixture
def data(base: Path, tmp_path: Path) -> Path:
    """The same in a folder that may be changed."""
    shutil.copytree(base, tmp_path / "data")
    return tmp_path / "data"


def request(data: Path, **asked: object) -> RenderRequest:
    return replace(RenderRequest(DATASET, data, yaws=(0.0, 90.0), size=SIZE), **asked)  # type: ignore[arg-type]


def mesh(data: Path, scan: str) -> Path:
    return data / "obj" / DATASET / scan / f"{scan}.ply"


def say(data: Path, text: str) -> None:
    (data / "obj" / DATASET / "overrides.toml").write_text(text, encoding="utf-8")


def rejects(data: Path) -> dict[str, str]:
    """Who is a reject, and why."""
    return {row["scan"]: row["reason"] for row in rows(data)["rejects"]}


def listed(data: Path) -> set[str]:
    """Whose views are in the list of all."""
    lines = (data / "list" / f"{DATASET}_all.txt").read_text().splitlines()
    return {line.rpartition("/")[2].removesuffix("_front.png") for line in lines}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("00004",), {"00004"}),
        (("00004-00010",), {"00004", "00010"}),
        (("rp_*", "00003"), {"rp_1", "00003"}),
        (("*",), {*SCANS}),
    ],
)
def test_only_who_is_chosen_is_made_again(data: Path, words: tuple[str, ...], meant: set[str]) -> None:
    before, known = times(data), rejects(data)
    done = build(request(data, seed=1), subjects=words)
    after = times(data)
    again = {name for name in after if before[name] != after[name] and name.startswith("PERS")}
    sides = [f"PERS/COLOR/SHADED/2K2K_0_y_{yaw}_x/{{}}_front.png" for yaw in (0, 90)]
    assert again == {side.format(scan) for side in sides for scan in meant}
    assert (done.scans_made, done.views_made, done.images) == (len(meant), 2 * len(meant), 2 * len(meant))
    assert {row["scan"] for row in rows(data)["views"] if row["seed"] == 1} == meant
    assert rejects(data) == known


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("00005",), "'00005': nobody is called that; did you mean 000"),
        (("nobody*",), "'nobody*': nobody is called that; the ids go from 00003 to rp_1"),
        (("00010-00003",), "'00010-00003': it runs backwards; write 00003-00010"),
        (("00011-00020",), "'00011-00020': nobody is in it"),
        (("00003-x",), "'00003-x': nobody is called that; a range is such as"),
        (("00003", "-"), "'-': nobody is called that"),
    ],
)
def test_a_choice_of_nobody_is_refused_and_nothing_is_touched(
    data: Path, words: tuple[str, ...], said: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    with pytest.raises(ConfigError) as refusal:
        build(request(data, seed=1), subjects=words)
    assert said in str(refusal.value)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_a_reject_is_not_tried_again_unless_that_is_asked_for(data: Path) -> None:
    heard = Heard()
    done = build(request(data), heard)
    assert (done.rejects, done.skipped_rejects, done.has_faults) == ({}, 1, True)
    assert not any("00007" in line for line in heard.lines)
    known = rows(data)["rejects"]
    done = build(request(data), heard, retry_rejects=True)
    assert (done.rejects, done.skipped_rejects, done.images) == ({("align", "FormatError"): 1}, 0, 0)
    assert any("00007: not used" in line for line in heard.lines)
    assert rows(data)["rejects"] == known


CHANGES: dict[str, Callable[[Path], object]] = {
    "its file": lambda data: touch(mesh(data, "00007")),
    "what is said of it": lambda data: say(data, "[00007]\nyaw = 3"),
    "a file beside it": lambda data: mesh(data, "00007").with_suffix(".json").write_text("{}"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_reject_is_tried_again_when_something_changed(data: Path, what: str) -> None:
    CHANGES[what](data)
    done = build(request(data))
    assert (done.rejects, done.images) == ({("align", "FormatError"): 1}, 0)
    done = build(request(data))
    assert (done.rejects, done.skipped_rejects) == ({}, 1), "and then not again"


def test_a_reject_is_tried_again_by_another_program(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (needs, record):
        monkeypatch.setattr(room, "code_version", lambda: "2.0+newer")
    done = build(request(data))
    assert (done.rejects, done.images) == ({("align", "FormatError"): 1}, 0)
    assert build(request(data)).skipped_rejects == 1


def test_who_is_as_before_being_refused_is_up_to_date(data: Path) -> None:
    path, before = mesh(data, "00004"), times(data)
    content, facts = path.read_bytes(), path.stat()
    path.write_bytes(BAD)
    assert build(request(data)).rejects == {("align", "FormatError"): 1}
    assert rejects(data).keys() == {"00004", "00007"}
    assert listed(data) == {*SCANS} - {"00004"}
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    done = build(request(data))
    assert (done.images, done.rejects, done.scans_kept) == (0, {}, 4)
    assert rejects(data).keys() == {"00007"}
    assert listed(data) == {*SCANS}
    images = [name for name in before if name.startswith("PERS")]
    assert {name: times(data)[name] for name in images} == {name: before[name] for name in images}


def test_who_is_left_out_is_no_fault_and_comes_back_as_before(data: Path) -> None:
    shutil.rmtree(mesh(data, "00007").parent)
    before = files(data)
    say(data, '[00004]\nexclude = true\nnote = "two people"\n')
    heard = Heard()
    done = build(request(data), heard)
    assert done.rejects == {("read", "Excluded"): 1}
    assert (done.has_faults, done.images, done.scans_kept) == (False, 0, 3)
    assert any("00004: not used" in line and "two people" in line for line in heard.lines)
    assert rejects(data) == {"00004": "Excluded"} and listed(data) == {*SCANS} - {"00004"}
    done = build(request(data))
    assert (done.has_faults, done.rejects, done.skipped_rejects) == (False, {}, 0)
    (data / "obj" / DATASET / "overrides.toml").unlink()
    done = build(request(data))
    assert (done.images, done.scans_kept, done.has_faults) == (0, 4, False)
    assert rejects(data) == {}
    assert files(data) == before


def test_who_is_gone_is_no_reject_any_more(data: Path) -> None:
    shutil.rmtree(mesh(data, "00007").parent)
    assert build(request(data)).has_faults is False
    assert rejects(data) == {}


def test_a_touched_scan_is_looked_at_once_and_nothing_is_drawn(data: Path) -> None:
    before, was = times(data), rows(data)
    touch(mesh(data, "00004"))
    heard = Heard()
    done = build(request(data), heard)
    assert (done.images, done.scans_made, done.scans_kept, done.views_kept) == (0, 0, 4, 8)
    assert any("00004: up to date after all" in line for line in heard.lines)
    assert {name for name, at in times(data).items() if before[name] != at and "PERS" in name} == set()
    now = rows(data)
    changed = [(old, new) for old, new in zip(was["scans"], now["scans"], strict=True) if old != new]
    ((old, new),) = changed
    assert {name for name in old if old[name] != new[name]} == {"stamp", "sources"}
    assert now["views"] == was["views"]
    heard = Heard()
    assert build(request(data), heard).images == 0
    assert not any("00004" in line for line in heard.lines)


MANY = tuple(float(yaw) for yaw in range(-180, 180, 15))


def test_a_scan_of_many_views_makes_those_that_are_not_there(data: Path) -> None:
    assert len(MANY) == 3 * VIEWS
    wish = request(data, yaws=MANY)
    done = build(wish, subjects=("00003",))
    assert (done.views_made, done.images) == (22, 22 * 5)
    whole, at = files(data), times(data)
    for yaw in (-180, -15, 165):
        for kind in ("DEPTH", "keypoint"):
            for path in data.glob(f"PERS/{kind}/2K2K_0_y_{yaw}_x/00003_*"):
                path.unlink()
    done = build(wish, subjects=("00003",))
    assert (done.scans_made, done.views_made, done.views_kept, done.images) == (1, 3, 21, 6)
    assert files(data) == whole
    again = {name for name, moment in times(data).items() if at[name] != moment and "PERS" in name}
    assert {name.split("/")[-2] for name in again} == {f"2K2K_0_y_{yaw}_x" for yaw in (-180, -15, 165)}
    touch(mesh(data, "00003"))
    done = build(wish, subjects=("00003",))
    assert (done.images, done.scans_kept, done.views_kept) == (0, 1, 24)
    assert build(wish, subjects=("00003",)).views_kept == 24


def test_all_views_of_a_changed_scan_are_made_again_in_portions(data: Path, tmp_path: Path) -> None:
    wish = request(data, yaws=MANY)
    build(wish, subjects=("00003",))
    say(data, "[00003]\nyaw = 25\n")
    done = build(wish, subjects=("00003",))
    assert (done.scans_made, done.views_made, done.images) == (1, 24, 24 * 5)
    shutil.copytree(data / "obj", tmp_path / "fresh" / "obj")
    build(replace(wish, data=tmp_path / "fresh"), subjects=("00003",))
    fresh = files(tmp_path / "fresh")
    ours = files(data)
    assert {name: ours[name] for name in fresh if "PERS" in name} == {
        name: digest for name, digest in fresh.items() if "PERS" in name
    }
    views = [row for row in rows(data)["views"] if row["scan"] == "00003"]
    assert views == rows(tmp_path / "fresh")["views"]


def test_a_body_model_that_appears_changes_keypoints_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPLX_MODEL_DIR", raising=False)
    add_people(tmp_path, 1)
    build(request(tmp_path))
    before, was = times(tmp_path), rows(tmp_path)["scans"][0]
    write_body_model(tmp_path / "body_models")
    done = build(request(tmp_path))
    assert (done.images, done.views_made, done.views_kept) == (0, 2, 0)
    again = {name for name, moment in times(tmp_path).items() if before[name] != moment and "PERS" in name}
    assert again == {f"PERS/keypoint/2K2K_0_y_{yaw}_x/00001_front.npy" for yaw in (0, 90)}
    now = rows(tmp_path)["scans"][0]
    assert was["missing"] and not now["missing"] and now["fits"]
    assert all(now[name] == was[name] for name in ("centre", "scale", "front_yaw", "source_key"))
    assert build(request(tmp_path)).views_kept == 2


def test_a_dry_run_says_what_would_be_made_and_why_and_makes_nothing(data: Path) -> None:
    touch(mesh(data, "00003"))
    (data / "PERS" / "DEPTH" / "2K2K_0_y_0_x" / "00010_back.png").unlink()
    before, was, at = files(data), rows(data), times(data)
    said = plan(request(data, yaws=(0.0, 45.0, 90.0)), Heard(), Conduct(workers=0))
    assert (said.views, said.images, said.skipped_rejects) == (3 + 1 + 2 + 1, 15 + 3 * 5 + 1, 1)
    assert said.reasons == {
        "scan changed": (1, 3, 15),
        "view not there": (3, 3, 15),
        "file gone": (1, 1, 1),
    }
    assert dict(said.scans)["00010"] == ("view not there", "file gone")
    assert (files(data), rows(data), times(data)) == (before, was, at)
    assert "in all" in "\n".join(wording.lines_of_plan(said))


def test_a_dry_run_of_what_is_not_there_yet_makes_nothing(data: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    shutil.copytree(data / "obj", fresh / "obj")
    said = plan(request(fresh), Heard(), Conduct(workers=0))
    assert said.reasons == {"new scan": (5, 10, 50)}
    assert not (fresh / "PERS").exists() and not (fresh / "list").exists()


class Impatient(Heard):
    """Stops at once when a scan was made."""

    def __init__(self) -> None:
        super().__init__()
        self.scan = self._stop

    def _stop(self, text: str) -> None:
        raise KeyboardInterrupt


def test_a_dry_run_says_what_it_does_not_count_and_leaves_it_to_the_next_build(data: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(request(data, seed=7), Impatient())
    assert noted(data) == 2, "that its old pictures go, and what it has instead"
    heard = Heard()
    assert len(plan(request(data, seed=7), heard, Conduct(workers=0)).scans) == 4
    assert heard.lines == ["not counted as made yet: 2 notes of a build that runs or was cut short"]
    assert noted(data) == 2
    assert build(request(data, seed=7)).scans_made == 3


def test_a_dry_run_writes_nothing_even_where_nothing_was_ever_made(data: Path) -> None:
    def everything() -> list[tuple[str, int]]:
        return sorted((str(path), path.lstat().st_mtime_ns) for path in data.rglob("*"))

    shutil.rmtree(data / "manifests")
    before = everything()
    planned = plan(request(data), Heard(), Conduct(workers=0))
    assert [reasons for _, reasons in planned.scans] == [("new scan",)] * len(planned.scans)
    assert planned.scans
    assert everything() == before
