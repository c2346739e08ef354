from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.config import RenderRequest
from pipeline.errors import Excluded, FormatError
from pipeline.formats.digest import digest_of, source_file
from pipeline.keys import source_key
from pipeline.records import Override, Subject
from pipeline.rows import Inspected, SourceFile
from pipeline.stages import inspect
from pipeline.store import Workspace

NAMES = ("a.obj", "a.png", "a.json", "body.obj", "joints.json", "cameras.json")


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    for name in NAMES:
        (tmp_path / name).write_text(name, encoding="utf-8")
    models = tmp_path / "body_models" / "smplx"
    models.mkdir(parents=True)
    (models / "SMPLX_NEUTRAL.npz").write_text("a model", encoding="utf-8")
    return Workspace(tmp_path, "2K2K")


def subject(**other: object) -> Subject:
    mesh, texture, parameters, registered, joints, cameras = NAMES
    person = Subject(
        *("2K2K", "00003", "train", mesh, (texture,), parameters, registered, joints, "kp3ds", cameras),
        attributes=(("clothing", "coat"),),
    )
    return replace(person, **cast(Any, other))


def request(work: Workspace, **other: object) -> RenderRequest:
    return RenderRequest("2K2K", work.root, **cast(Any, other))


def seen(
    work: Workspace, person: Subject | None = None, said: Override | None = None, **other: object
) -> Inspected:
    """What is found of the person, as `other` in the request has it."""
    wishes = inspect.wishes_of(work, request(work, **other))
    return inspect.run(work, person or subject(), said, wishes)


def stamp(
    work: Workspace, person: Subject | None = None, said: Override | None = None, **other: object
) -> str:
    wishes = inspect.wishes_of(work, request(work, **other))
    return inspect.stamp_of(work, person or subject(), said, wishes)


def touch(path: Path) -> None:
    """The same bytes, written a thousandth of a second later."""
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def test_every_file_is_read_once_and_in_order(work: Workspace) -> None:
    found = seen(work, subject(cameras="joints.json"))
    assert [file.path for file in found.sources] == list(NAMES[:-1])
    assert [file.digest for file in found.sources] == [digest_of(name.encode()) for name in NAMES[:-1]]
    assert [file.bytes for file in found.sources] == [len(name) for name in NAMES[:-1]]
    assert found.source_key == source_key(found.sources)
    assert found.stamp == stamp(work, subject(cameras="joints.json"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_time_length_or_place_is_another_stamp(work: Workspace, name: str) -> None:
    path = work.root / name
    stamps = [stamp(work)]
    touch(path)
    stamps.append(stamp(work))
    facts = path.stat()
    path.write_text("longer than it was", encoding="utf-8")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    stamps.append(stamp(work))
    path.unlink()
    stamps.append(stamp(work))
    assert len(set(stamps)) == 4


def test_a_stamp_is_of_the_files_alone_wherever_the_data_folder_is(work: Workspace, tmp_path: Path) -> None:
    before = stamp(work)
    moved = work.root.rename(tmp_path.parent / f"{tmp_path.name} moved")
    assert stamp(Workspace(moved, "2K2K")) == before
    moved.rename(tmp_path)
    assert stamp(work) == before


def after(change: Callable[[Path], None], work: Workspace) -> Inspected:
    """What is found once something was done to the body model."""
    change(next(work.root.rglob("*.npz")))
    return seen(work)


LAID: dict[str, Callable[[Workspace], Inspected]] = {
    "gender": lambda work: seen(work, subject(gender="male")),
    "kind of joints": lambda work: seen(work, subject(joints_kind="joint3d")),
    "yaw": lambda work: seen(work, said=Override(yaw=90.0)),
    "scale": lambda work: seen(work, said=Override(scale=0.9)),
    "fragments": lambda work: seen(work, drop_fragments=0.01),
    "floor": lambda work: seen(work, drop_floor=True),
    "body models": lambda work: after(touch, work),
    "no body models": lambda work: after(Path.unlink, work),
}
TOLD: dict[str, Callable[[Workspace], Inspected]] = {
    "split": lambda work: seen(work, subject(split="val")),
    "attributes": lambda work: seen(work, subject(attributes=(("clothing", "none"),))),
    "a texture less": lambda work: seen(work, subject(textures=())),
}
NOTHING: dict[str, Callable[[Workspace], Inspected]] = {
    "another id": lambda work: seen(work, subject(id="00004")),
    "a photograph": lambda work: seen(work, subject(pictures=("photo.jpg",))),
    "a note": lambda work: seen(work, said=Override(note="look at this one", place="line 3")),
    "what is drawn": lambda work: seen(work, size=64, passes=("depth",), yaws=(3.0,), light="flat"),
    "how large a texture may be": lambda work: seen(work, max_texture_mpx=300),
}


@pytest.mark.parametrize("what", LAID)
def test_what_lays_a_scan_is_in_both_digests(work: Workspace, what: str) -> None:
    before, after = seen(work), LAID[what](work)
    assert before.stamp != after.stamp and before.laid_key != after.laid_key


@pytest.mark.parametrize("what", TOLD)
def test_what_is_only_told_of_a_scan_is_in_its_stamp_alone(work: Workspace, what: str) -> None:
    before, after = seen(work), TOLD[what](work)
    assert before.stamp != after.stamp and before.laid_key == after.laid_key


@pytest.mark.parametrize("what", NOTHING)
def test_what_changes_nothing_of_a_scan_is_in_neither(work: Workspace, what: str) -> None:
    before, after = seen(work), NOTHING[what](work)
    assert (before.stamp, before.laid_key) == (after.stamp, after.laid_key)


def test_body_models_lay_only_who_has_a_body(work: Workspace) -> None:
    bare = subject(parameters=None, registered=None)
    before, dressed = seen(work, bare), seen(work)
    touch(next(work.root.rglob("*.npz")))
    assert seen(work, bare) == before
    assert seen(work).laid_key != dressed.laid_key


def test_why_somebody_is_left_out_is_in_the_stamp(work: Workspace) -> None:
    notes = [Override(exclude=True, note=note, place=place) for note in "ab" for place in "cd"]
    assert len({stamp(work, said=said) for said in notes}) == 4


def test_a_reject_is_of_the_pictures_that_were_asked_for(work: Workspace) -> None:
    usual = inspect.refusal_of("ab", request(work, passes=("color", "depth")))
    assert inspect.refusal_of("ab", request(work, passes=("depth", "color"), size=64)) == usual
    others = [
        inspect.refusal_of("ac", request(work, passes=("color", "depth"))),
        inspect.refusal_of("ab", request(work, passes=("depth",))),
        inspect.refusal_of("ab", request(work, passes=("color", "depth"), max_texture_mpx=300)),
    ]
    assert len({usual, *others}) == 4


def test_a_file_that_is_gone_is_the_scans_fault(work: Workspace) -> None:
    (work.root / "a.png").unlink()
    with pytest.raises(FormatError, match=r"a\.png: cannot be read"):
        seen(work)


def test_what_changes_while_it_is_read_is_looked_at_again(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, read = stamp(work), source_file

    def changing(root: Path, name: str) -> SourceFile:
        touch(root / name)
        return read(root, name)

    monkeypatch.setattr(inspect, "source_file", changing)
    assert seen(work).stamp == before != stamp(work)


def test_who_is_left_out_is_refused_with_place_and_reason(work: Workspace) -> None:
    said = Override(exclude=True, note="two people", place="overrides.toml, line 3")
    wishes = inspect.wishes_of(work, RenderRequest("2K2K"))
    with pytest.raises(Excluded, match=r"left out by overrides\.toml, line 3: two people"):
        inspect.run(work, subject(), said, wishes)


def test_a_scan_is_another_once_it_is_left_out(work: Workspace) -> None:
    wishes = inspect.wishes_of(work, RenderRequest("2K2K"))
    sayings = (None, Override(exclude=True), Override(exclude=True, note="a statue"))
    assert len({inspect.stamp_of(work, subject(), said, wishes) for said in sayings}) == 3
