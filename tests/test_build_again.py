"""A build after something changed makes what follows from that and nothing else, as a first one would."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from building import build
from test_build import add_scan, digests, facing_x, request

from manifests.read import open_manifest
from manifests.schema import rows_of
from pipeline.config import RenderRequest
from pipeline.rows import ViewRow

SCANS = ("00003", "00007")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, built."""
    data = tmp_path_factory.mktemp("base")
    for scan in SCANS:
        add_scan(data, scan)
    build(request(data))
    return data


@pytest.fixture
def data(base: Path, tmp_path: Path) -> Path:
    """The same in a folder that may be changed."""
    shutil.copytree(base, tmp_path / "data")
    return tmp_path / "data"


def mesh(data: Path) -> Path:
    return data / "obj" / "2K2K" / "00003" / "00003.ply"


def touch(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def say(data: Path, text: str) -> None:
    (data / "obj" / "2K2K" / "overrides.toml").write_text(text, encoding="utf-8")


def lose(data: Path, name: str) -> None:
    (data / "PERS" / name).unlink()


Doing = Callable[[Path], object]
# What is done, what is asked for besides, and which files are made again: kinds, views, scans.
CHANGES: dict[str, tuple[Doing | None, dict[str, Any], tuple[str, str, str]]] = {
    "nothing": (None, {}, ("", "", "")),
    "another seed": (None, {"seed": 1}, ("COLOR/SHADED", ".*", ".*")),
    "another light": (None, {"light": "ring"}, ("COLOR/SHADED", ".*", ".*")),
    "another yaw": (None, {"yaws": (0.0, 15.0)}, (".*", "2K2K_0_y_15_x", ".*")),
    "another pitch": (None, {"pitches": (0.0, 20.0)}, (".*", "2K2K_20_.*", ".*")),
    "another camera": (None, {"projections": ("orthographic",)}, (".*", ".*", ".*")),
    "another pass": (None, {"passes": ("color", "normal", "mask")}, ("NORMAL|MASK", ".*", ".*")),
    "other keypoints": (None, {"compat_keypoints": True}, ("keypoint", ".*", ".*")),
    "pictures of them": (None, {"overlays": True}, ("keypoint|OVERLAY", ".*", ".*")),
    "floats": (None, {"depth_format": "exr"}, ("DEPTH|keypoint", ".*", ".*(exr|npy)")),
    "another size": (None, {"size": 65}, (".*", ".*", ".*")),
    "another cleaning": (None, {"drop_fragments": 0.01}, (".*", ".*", ".*")),
    "fewer of all": (None, {"passes": ("color",), "yaws": (0.0,)}, ("", "", "")),
    "a newer mesh": (lambda data: touch(mesh(data)), {}, ("", "", "")),
    "another mesh": (lambda data: mesh(data).write_bytes(squeezed(data)), {}, (".*", ".*", "00003")),
    "parameters": (lambda data: facing_x(mesh(data)), {}, (".*", ".*", "00003")),
    "a word of the user's": (lambda data: say(data, "[00007]\nyaw = 20"), {}, (".*", ".*", "00007")),
    "somebody new": (lambda data: add_scan(data, "00005"), {}, (".*", ".*", "00005")),
    "a lost image": (
        lambda data: lose(data, "DEPTH/2K2K_0_y_0_x/00003_back.png"), {}, ("DEPTH", ".*_0_x", "00003_back"),
    ),
    "lost keypoints": (
        lambda data: lose(data, "keypoint/2K2K_0_y_0_x/00003_front.npy"), {},
        ("keypoint", ".*_0_x", "00003"),
    ),
}  # fmt: skip


def squeezed(data: Path) -> bytes:
    """The mesh with other colours, as a file of the same length."""
    content = bytearray(mesh(data).read_bytes())
    start = content.index(b"end_header\n") + len(b"end_header\n")
    content[start + 12] ^= 255
    return bytes(content)


def made(data: Path) -> dict[str, int]:
    """Every picture and file of keypoints, and when it was made."""
    tops = [data / top for top in ("PERS", "ORTH")]
    files = [path for top in tops for path in top.rglob("*") if path.is_file()]
    return {str(path.relative_to(data)): path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("what", CHANGES)
def test_a_build_makes_what_follows_from_a_change_and_nothing_else(
    data: Path, tmp_path: Path, what: str
) -> None:
    happen, asked, (kinds, views, scans) = CHANGES[what]
    if happen:
        happen(data)
    before = made(data)
    wish = replace(request(data), **asked)
    summary = build(wish)
    after = made(data)
    again = {name for name, moment in after.items() if before.get(name) != moment}
    wanted = re.compile(rf"(PERS|ORTH)/({kinds})/({views})/({scans})[^/]*" if kinds else "nothing")
    assert again == {name for name in files_asked_for(wish, data) if wanted.fullmatch(name)}
    assert bool(again) == bool(kinds)
    assert summary.images == sum("keypoint" not in name and "OVERLAY" not in name for name in again)
    fresh = tmp_path / "fresh"
    shutil.copytree(data / "obj", fresh / "obj")
    build(replace(wish, data=fresh))
    ours, theirs = digests(data), digests(fresh)
    assert {name: ours[name] for name in theirs if "list/" not in name} == {
        name: digest for name, digest in theirs.items() if "list/" not in name
    }
    assert_same_rows(data, fresh)
    assert made(data).keys() >= made(fresh).keys()
    assert build(wish).images == 0 and made(data) == after


def files_asked_for(wish: RenderRequest, data: Path) -> set[str]:
    """All files in the folder that are of a view and camera that are asked for."""
    tops = {"perspective": "PERS", "orthographic": "ORTH"}
    cameras = {tops[projection] for projection in wish.projections}
    views = {f"2K2K_{pitch:g}_y_{yaw:g}_x" for pitch in wish.pitches for yaw in wish.yaws}
    return {name for name in made(data) if name[:4] in cameras and name.split("/")[-2] in views}


def assert_same_rows(data: Path, fresh: Path) -> None:
    """Every row of a first build is in the folder too, besides what else that one has of the same view."""
    ours, theirs = (
        rows_of(ViewRow, open_manifest(d / "manifests" / "2K2K").views()) for d in (data, fresh)
    )
    found = {(row.scan, row.view, row.projection): row for row in ours}
    for row in theirs:
        own = found[row.scan, row.view, row.projection]
        names = {field.name for field in fields(ViewRow)} - {"made_at"}
        names -= {name for name in names if getattr(row, name) is None}
        if row.shaded_front is None:
            names -= {"light", "light_numbers", "seed", "occlusion", "shaded_key"}
        if row.keypoints_file is None:
            names -= {name for name in names if name.startswith("keypoints_")}
        assert {n: getattr(own, n) for n in names} == {n: getattr(row, n) for n in names}


def test_a_selection_touches_nobody_else(data: Path) -> None:
    before = made(data)
    shutil.rmtree(data / "PERS" / "DEPTH")
    wish = replace(request(data), seed=5)
    assert build(wish, subjects=("00007",)).images == 2 * 3
    again = {name for name, moment in made(data).items() if before[name] != moment}
    assert again == {
        f"PERS/{kind}/2K2K_0_y_{yaw}_x/00007_{side}.png"
        for yaw in (-30, 0)
        for kind, side in (("DEPTH", "front"), ("DEPTH", "back"), ("COLOR/SHADED", "front"))
    }
