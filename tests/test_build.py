from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import trimesh
from building import Heard, build, told

from manifests.read import open_manifest
from pipeline import audit
from pipeline.config import PASSES, PROJECTIONS, RenderRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.errors import ConfigError
from pipeline.formats.exr import read_exr_depth, read_exr_normals
from pipeline.formats.image import read_color, read_grey16, read_mask, read_rgb16
from pipeline.formats.ply import write_ply
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import decode, encode
from pipeline.records import Cleaning, Frame, Mesh
from pipeline.stages import align, load, record
from pipeline.stages import render as stage
from pipeline.store import Workspace
from pipeline.synth.defects import defects_of
from pipeline.synth.layouts import SynthRequest, write_people

SIZE = 64
YAWS = (-30.0, 0.0)


def add_scan(data: Path, scan: str, colored: bool = True) -> Path:
    """An egg with a nose towards +x, far from the origin, in centimetres."""
    ball = trimesh.creation.icosphere(4)
    x, y, z = ball.vertices.T
    places = ball.vertices * [40, 90, 30] + np.outer(np.exp(-20 * ((x - 1) ** 2 + y**2 + z**2)), [25, 0, 0])
    colors = ((ball.vertices + 1) * 127).astype(np.uint8) if colored else None
    path = data / "obj" / "2K2K" / scan / f"{scan}.ply"
    places = (places + np.array([300, 20, -70])).astype(np.float32)
    write_ply(path, Mesh(places, ball.faces.astype(np.int32), colors))
    return path


def facing_x(path: Path) -> None:
    """Parameters that say the person of this scan looks along +x."""
    zeros = {"body_pose": [[0.0] * 63], "betas": [[0.0] * 10]}
    content = {"global_orient": [[0.0, np.pi / 2, 0.0]], "gender": "neutral", **zeros}
    path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")


def request(data: Path, **changes: object) -> RenderRequest:
    return RenderRequest("2K2K", data, yaws=YAWS, size=SIZE, **changes)  # type: ignore[arg-type]


def digests(data: Path) -> dict[str, str]:
    """Every file that a build made, and what is in it."""
    made = [p for folder in ("PERS", "list") for p in sorted((data / folder).rglob("*")) if p.is_file()]
    return {str(p.relative_to(data)): hashlib.sha256(p.read_bytes()).hexdigest() for p in made}


def test_a_build_writes_what_the_list_says_and_nothing_else(tmp_path: Path) -> None:
    for scan in ("00003", "00007"):
        add_scan(tmp_path, scan)
    summary = build(request(tmp_path))
    assert (summary.scans_made, summary.views_made, summary.images, summary.rejects) == (2, 4, 20, {})
    lines = (tmp_path / "list" / "2K2K_all.txt").read_text().splitlines()
    views = [(scan, f"2K2K_0_y_{yaw}_x") for scan in ("00003", "00007") for yaw in (-30, 0)]
    assert lines == [
        f"/PERS/COLOR/SHADED/{view}/{scan}_front.png /PERS/COLOR/NOSHADING/{view}/{scan}_front.png "
        f"/PERS/DEPTH/{view}/{scan}_front.png"
        for scan, view in views
    ]
    expected = {f"{word[1:]}" for line in lines for word in line.split()}
    expected |= {n.replace("DEPTH", "keypoint").replace(".png", ".npy") for n in expected if "DEPTH" in n}
    expected |= {f"list/2K2K_{name}.txt" for name in ("all", "train", "val", "test")}
    expected |= {n.replace("_front", "_back") for n in expected if "NOSHADING" in n or "DEPTH" in n}
    assert set(digests(tmp_path)) == expected


def test_images_of_a_view_belong_together(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    build(request(tmp_path))
    pers, name = tmp_path / "PERS", "2K2K_0_y_-30_x/00003"
    depths = [read_grey16(pers / "DEPTH" / f"{name}_{side}.png") for side in ("front", "back")]
    hit = depths[0] > 0
    np.testing.assert_array_equal(hit, depths[1] > 0)
    assert hit.sum() > 300
    front, back = (decode(depth, portrait_camera(SIZE))[hit] for depth in depths)
    assert (front <= back).all() and front.min() > 0.6 and back.max() < 1.4
    for kind, side in (("SHADED", "front"), ("NOSHADING", "front"), ("NOSHADING", "back")):
        color = read_color(pers / "COLOR" / kind / f"{name}_{side}.png")
        assert not color[~hit].any() and color[hit].any(axis=1).mean() > 0.99


def test_every_pass_and_camera_that_is_asked_for_is_written_and_no_other(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    wish = replace(request(tmp_path), passes=PASSES, projections=PROJECTIONS)
    assert build(wish).images == 2 * 2 * 9
    for camera in ("PERS", "ORTH"):
        place = tmp_path / camera
        name = "2K2K_0_y_-30_x/00003"
        hit = read_mask(place / "MASK" / f"{name}_front.png") == 255
        assert 300 < hit.sum() < SIZE * SIZE / 2
        for side in ("front", "back"):
            assert ((read_grey16(place / "DEPTH" / f"{name}_{side}.png") > 0) == hit).all()
            assert (read_color(place / "COLOR" / "SHADED" / f"{name}_{side}.png").any(axis=2) == hit).all()
            normal = read_rgb16(place / "NORMAL" / f"{name}_{side}.png")
            assert (normal.any(axis=2) == hit).all()
            lengths = np.linalg.norm(normal[hit] / 65535 * 2 - 1, axis=1)
            assert np.abs(lengths - 1).max() < 1e-4
    assert (tmp_path / "list" / "2K2K_all.txt").exists()


def test_depth_and_normals_are_written_as_floats_on_request(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    said = told(replace(request(tmp_path), passes=("depth", "normal"), depth_format="exr"))
    assert "the lists are left as they are" in said[-1] and not list((tmp_path / "list").glob("*.txt"))
    build(replace(request(tmp_path), passes=("depth", "normal")))
    name = "2K2K_0_y_-30_x/00003_back"
    length = read_exr_depth(tmp_path / "PERS" / "DEPTH" / f"{name}.exr")
    stored = read_grey16(tmp_path / "PERS" / "DEPTH" / f"{name}.png")
    np.testing.assert_array_equal(encode(length, portrait_camera(SIZE)), stored)
    normal = read_exr_normals(tmp_path / "PERS" / "NORMAL" / f"{name}.exr")
    codes = read_rgb16(tmp_path / "PERS" / "NORMAL" / f"{name}.png")
    assert np.abs((normal[stored > 0] + 1) / 2 * 65535 - codes[stored > 0]).max() < 0.51


def test_occlusion_darkens_only_what_is_shaded_and_is_found_once(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    asked = replace(request(tmp_path), passes=("color", "shaded"))
    build(asked)
    bright = digests(tmp_path)
    build(replace(asked, occlusion=True))
    dark = digests(tmp_path)
    assert {name for name in bright if bright[name] != dark[name]} == {n for n in bright if "SHADED" in n}
    (kept,) = (tmp_path / "cache" / "openness").iterdir()
    made = kept.stat().st_mtime_ns
    build(replace(asked, occlusion=True))
    assert digests(tmp_path) == dark and kept.stat().st_mtime_ns == made


def test_jpeg_xl_holds_the_same_pixels(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    build(replace(request(tmp_path), image_format="jxl", passes=("color", "depth")))
    build(request(tmp_path))
    for kind, read in (("COLOR/NOSHADING", read_color), ("DEPTH", read_grey16)):
        place = tmp_path / "PERS" / kind / "2K2K_0_y_0_x"
        np.testing.assert_array_equal(read(place / "00003_back.jxl"), read(place / "00003_back.png"))


def test_the_front_comes_from_the_parameters(tmp_path: Path) -> None:
    facing_x(add_scan(tmp_path, "00003"))
    add_scan(tmp_path, "00007")
    said = told(request(tmp_path))
    assert "90.0 degrees, known from SMPL-X parameters" in said[0]
    assert "front unknown" in said[1]
    camera, places = portrait_camera(SIZE), []
    for scan in ("00003", "00007"):
        depth = read_grey16(tmp_path / "PERS" / "DEPTH" / "2K2K_0_y_0_x" / f"{scan}_front.png")
        lengths = np.where(depth > 0, decode(depth, camera), np.inf)
        places.append((lengths.min(), np.ptp(np.nonzero(depth)[1])))
    (towards, narrow), (sideways, wide) = places
    assert towards < sideways - 0.05  # the nose comes nearer
    assert narrow < wide  # and is no longer seen from the side


def test_what_a_user_says_of_the_front_wins(tmp_path: Path) -> None:
    facing_x(add_scan(tmp_path, "00003"))
    (tmp_path / "obj" / "2K2K" / "overrides.toml").write_text("[00003]\nyaw = -40\n", encoding="utf-8")
    said = told(request(tmp_path))
    assert "faces 40.0 degrees, known from override" in said[0]
    assert said[1].startswith("00003: warning: override and SMPL-X parameters are 50 degrees apart")


def test_builds_are_equal_to_the_byte_in_any_process(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        facing_x(add_scan(tmp_path / name, "00003"))
        build(request(tmp_path / name))
        made.append(digests(tmp_path / name))
        build(request(tmp_path / name))
        made.append(digests(tmp_path / name))
    facing_x(add_scan(tmp_path / "three", "00003"))
    asked = f"--yaws -30,0 --size {SIZE} --workers 0".split()
    command = [sys.executable, "-m", "cli", "render", "2K2K", "--data", str(tmp_path / "three"), *asked]
    subprocess.run(command, check=True, capture_output=True)
    made.append(digests(tmp_path / "three"))
    assert all(files == made[0] for files in made[1:])


def test_the_seed_changes_the_light_and_nothing_else(tmp_path: Path) -> None:
    made = []
    add_scan(tmp_path, "00003")
    for seed in (0, 1):
        build(request(tmp_path, seed=seed))
        made.append(digests(tmp_path))
    changed = {name for name in made[0] if made[0][name] != made[1][name]}
    assert changed == {name for name in made[0] if "SHADED" in name and "NOSHADING" not in name}


def test_one_bad_scan_does_not_stop_the_others(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003").write_bytes(b"not a scan")
    add_scan(tmp_path, "00005", colored=False)
    add_scan(tmp_path, "00007")
    heard = Heard()
    summary = build(request(tmp_path), heard)
    rejects = open_manifest(tmp_path / "manifests" / "2K2K").rejects().to_pylist()
    assert [row["scan"] for row in rejects] == ["00003", "00005"]
    assert "00003.ply" in rejects[0]["detail"]
    assert "mesh has no colours" in rejects[1]["detail"]
    assert (summary.scans_made, summary.views_made) == (1, 2)
    assert summary.rejects == {("align", "FormatError"): 1, ("render", "MeshError"): 1}
    assert any("00003: not used" in text for text in heard.lines)
    assert len((tmp_path / "list" / "2K2K_all.txt").read_text().splitlines()) == 2


def test_an_unknown_dataset_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose demo, 2K2K"):
        build(RenderRequest("THuman3", tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_an_interrupt_leaves_only_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_scan(tmp_path, "00003")
    frames = stage.Studio._frames

    def interrupted(*asked: object) -> Iterator[Frame]:
        yield from islice(frames(*asked), 3)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(stage.Studio, "_frames", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(RenderRequest("2K2K", tmp_path, size=SIZE))
    files = [p for p in (tmp_path / "PERS").rglob("*") if p.is_file()]
    assert files and {p.suffix for p in files} == {".png"}
    for path in files:
        read = read_grey16 if "DEPTH" in path.parts else read_color
        assert read(path).shape[:2] == (SIZE, SIZE)


def test_a_full_disk_stops_the_build_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_scan(tmp_path, "00003")

    def full(*image: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stage, "write_image", full)
    with pytest.raises(ConfigError, match=r"cannot write .*: No space left on device"):
        build(request(tmp_path))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> RenderRequest:
    """A demo of two small people that has been built once."""
    data = tmp_path_factory.mktemp("demo")
    request = RenderRequest("demo", data, yaws=YAWS, size=SIZE, demo_people=2, demo_vertices=6_000)
    heard = Heard()
    assert build(request, heard).scans_made == 2
    said = heard.lines
    assert sum("known from SMPL-X parameters" in text for text in said) == 2
    return request


def test_the_demo_keeps_its_people(demo: RenderRequest) -> None:
    scan = demo.data / "obj" / "demo" / "00001" / "00001.ply"
    first, made, heard = digests(demo.data), scan.stat().st_mtime_ns, Heard()
    summary = build(demo, heard)
    assert (summary.images, summary.scans_kept, summary.views_kept) == (0, 2, 4)
    assert "00001 (1 of 2): kept" in heard.lines
    assert scan.stat().st_mtime_ns == made
    assert digests(demo.data) == first


def test_the_demo_draws_no_more_people_than_asked(demo: RenderRequest) -> None:
    assert build(replace(demo, demo_people=1), force=True).scans_made == 1


def test_people_are_aligned_as_their_makers_know_them(demo: RenderRequest) -> None:
    work = Workspace(demo.data, "demo")
    everybody = survey(work, layout_of("demo")).subjects
    assert len(everybody) == 2
    for subject in everybody:
        assert subject.mesh
        truth = json.loads((work.absolute(subject.mesh).parent / "truth.json").read_text(encoding="utf-8"))
        found = align.run(work, subject, load.run(work, subject, Cleaning()))
        assert found.front_yaw == pytest.approx(truth["front_yaw"], abs=1e-6)
        assert found.centre == pytest.approx(truth["centre"], abs=1e-6)
        assert found.scale == pytest.approx(truth["scale"], rel=1e-6)


def test_cleaning_that_is_asked_for_is_done_and_said(tmp_path: Path) -> None:
    defects = defects_of(("fragments", "floor"))
    write_people(SynthRequest(tmp_path, people=1, seed=4, vertices=12_000, defects=defects), lambda _: None)
    clean_place = tmp_path / "clean"
    write_people(SynthRequest(clean_place, people=1, seed=4, vertices=12_000), lambda _: None)
    wish = replace(request(tmp_path), drop_fragments=0.01, drop_floor=True)
    said = [line for line in told(wish) if "faces" in line]
    assert "fragments dropped" in said[-1] and "floor dropped" in said[-1]
    assert "; 0 fragments" not in said[-1]
    build(replace(request(clean_place)))
    name = "PERS/DEPTH/2K2K_0_y_0_x/00001_front.png"
    cleaned, never = (read_grey16(place / name) > 0 for place in (tmp_path, clean_place))
    assert (cleaned != never).mean() < 0.02
    build(request(tmp_path))
    assert ((read_grey16(tmp_path / name) > 0) != never).mean() > 0.02


def test_pictures_of_a_build_that_was_cut_short_pass_for_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_scan(tmp_path, "00003")
    build(request(tmp_path))
    first = digests(tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for other in ({"light": "ring"}, {"seed": 5, "passes": ("shaded",)}, {"size": 2 * SIZE}):
        with monkeypatch.context() as patched:
            patched.setattr(record, "view_rows", killed)
            with pytest.raises(KeyboardInterrupt):
                build(replace(request(tmp_path), **other))
        assert digests(tmp_path) != first
        build(request(tmp_path))
        assert digests(tmp_path) == first, other
        assert not audit.verify(Workspace(tmp_path, "2K2K"), checksums=True).faults
