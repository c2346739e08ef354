"""Keys: another for another cause, the same for the same, and an edition for what no cause says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from manifest_rows import scan_row

from pipeline import keys as module
from pipeline.config import PASSES, PROJECTIONS, RenderRequest
from pipeline.errors import FormatError
from pipeline.formats.digest import digest_of_file
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.clean import clean
from pipeline.geometry.depth import encode
from pipeline.geometry.keypoints import aligned_rows, in_view, merged
from pipeline.geometry.lighting import flattened
from pipeline.geometry.presets import PRESETS, generator, preset_light
from pipeline.geometry.transform import view_turn
from pipeline.keys import EDITION, Keys, Laid, digest_of_causes, laid_as, laid_in, looks_of, source_key
from pipeline.records import Cleaning, Evidence, Joints, Mesh
from pipeline.rows import Place
from pipeline.stages.align import align
from pipeline.stages.record import alignment_of
from pipeline.store import Workspace

REQUEST = RenderRequest("2K2K", yaws=(-30.0, 0.0, 12.5), pitches=(0.0, 20.0), projections=PROJECTIONS)
WORK = Workspace(Path("data"), "2K2K")
FILES = {"a.ply": "0" * 32, "a.png": "1" * 32}
LAID = Laid((0.25, -1.5, 3.0), 0.375, -0.125, 0.0, drop_floor=False)
FRONT = Place("2K2K_0_y_0_x", "perspective", 0.0, 0.0)


def of(request: RenderRequest, scan: str = "00003", place: Place = FRONT) -> tuple[str, str, str]:
    """The three keys of one view of one scan."""
    keys = Keys(request, WORK)
    key = keys.of_view(keys.of_scan(FILES, LAID), place)
    return key, keys.lit(key, scan, place), keys.marked(key, keys.marks_of("2" * 32, "3" * 32))


def test_the_places_are_in_the_order_in_which_they_are_drawn() -> None:
    places = Keys(REQUEST, WORK).places
    assert len(set(places)) == 12
    assert places[0] == Place("2K2K_0_y_-30_x", "perspective", -30.0, 0.0)
    assert places[5] == Place("2K2K_20_y_12.5_x", "perspective", 12.5, 20.0)
    assert places[6] == replace(places[0], projection="orthographic")
    assert places == tuple(sorted(places, key=lambda p: (p.projection != "perspective", p.pitch, p.yaw)))


def test_every_view_of_every_scan_has_keys_of_its_own() -> None:
    keys = Keys(REQUEST, WORK)
    scans = [keys.of_scan(FILES, LAID), keys.of_scan({}, LAID)]
    found = {keys.of_view(scan, place) for scan in scans for place in keys.places}
    assert len(found) == 2 * len(keys.places)
    assert len({keys.lit("0" * 32, scan, place) for scan in ("1", "2") for place in keys.places}) == 2 * 6


@pytest.mark.parametrize(
    ("asked", "differ"),
    [
        ({"size": 1024}, (True, True, True)),
        ({"light": "ring"}, (False, True, False)),
        ({"seed": 1}, (False, True, False)),
        ({"occlusion": True}, (False, True, False)),
        ({"compat_keypoints": True}, (False, False, True)),
        ({"depth_format": "exr"}, (False, False, True)),
        ({"depth_format": "jxl"}, (False, False, False)),
        ({"image_format": "jxl"}, (False, False, False)),
        ({"passes": PASSES}, (False, False, False)),
        ({"yaws": (0.0, 30.0), "pitches": (-10.0,)}, (False, False, False)),
        ({"demo_people": 9, "overlays": True, "gl_device": 1}, (False, False, False)),
    ],
)
def test_what_is_asked_for_changes_the_keys_that_it_concerns(
    asked: dict[str, object], differ: tuple[bool, ...]
) -> None:
    other = of(replace(REQUEST, **asked))  # type: ignore[arg-type]
    assert tuple(a != b for a, b in zip(of(REQUEST), other, strict=True)) == differ


@pytest.mark.parametrize(
    "place",
    [
        replace(FRONT, yaw=1e-9),
        replace(FRONT, pitch=1e-9),
        replace(FRONT, projection="orthographic"),
    ],
)
def test_another_place_is_another_picture(place: Place) -> None:
    assert of(REQUEST, place=place)[0] != of(REQUEST)[0]


def test_a_number_is_the_same_however_it_is_written() -> None:
    assert of(REQUEST, place=replace(FRONT, yaw=-0.0, pitch=0)) == of(REQUEST)
    keys = Keys(REQUEST, WORK)
    same = Laid([*LAID.centre], LAID.scale, LAID.front_yaw, 0, drop_floor=False)  # type: ignore[arg-type]
    assert keys.of_scan(dict(reversed(FILES.items())), same) == keys.of_scan(FILES, LAID)


def test_the_lights_of_a_file_are_a_cause_and_its_name_is_not(tmp_path: Path) -> None:
    lights = np.ones((2, 9, 3))
    for name, array in (("a", lights), ("b", lights.astype(np.float32)), ("c", lights * 2)):
        np.save(tmp_path / f"{name}.npy", array)
    first, same, other = (
        of(replace(REQUEST, light="sh", light_file=tmp_path / f"{name}.npy")) for name in "abc"
    )
    assert first == same
    assert first[0] == other[0] and first[1] != other[1]
    with pytest.raises(FormatError):
        Keys(replace(REQUEST, light="sh", light_file=tmp_path / "none.npy"), WORK)


@pytest.mark.parametrize(
    "other",
    [
        ({**FILES, "a.ply": "2" * 32}, LAID),
        ({"b.ply": "0" * 32, "a.png": "1" * 32}, LAID),
        (FILES, LAID._replace(scale=0.5)),
        (FILES, LAID._replace(front_yaw=0.5)),
        (FILES, LAID._replace(fragments_under=0.5)),
        (FILES, LAID._replace(drop_floor=True)),
        (FILES, LAID._replace(centre=(0.25, -1.5, math.nextafter(3.0, 4.0)))),
    ],
)
def test_a_scan_is_its_files_and_how_it_is_laid(other: tuple[dict[str, str], Laid]) -> None:
    keys = Keys(REQUEST, WORK)
    assert keys.of_scan(*other) != keys.of_scan(FILES, LAID)


def test_keypoints_follow_from_all_files_and_from_how_the_scan_was_laid() -> None:
    keys = Keys(REQUEST, WORK)
    marks = {keys.marks_of(a, b) for a in ("1", "2") for b in ("1", "2")}
    assert len(marks) == 4
    assert len({keys.marked(key, mark) for key in ("0" * 32, "1" * 32) for mark in marks}) == 8


def test_a_row_and_its_alignment_say_the_same_of_how_a_scan_is_laid() -> None:
    row = scan_row(mesh="a.ply", textures=("a.png",))
    assert laid_in(row) == laid_as(alignment_of(row))
    assert laid_in(row) == (row.centre, row.scale, row.front_yaw, 0.01, True)
    sources = tuple(replace(row.sources[0], path=path) for path in ("a.ply", "a.png", "a.json"))
    assert [*looks_of("a.ply", ("a.png",), sources)] == ["a.ply", "a.png"]
    assert source_key(sources) == source_key(sources[::-1]) != source_key(sources[:2])


def test_a_shader_and_the_edition_are_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(REQUEST)
    monkeypatch.setattr(module, "_shader_digest", lambda: "other")
    other = of(REQUEST)
    monkeypatch.undo()
    monkeypatch.setattr(module, "EDITION", EDITION + 1)
    edited = of(REQUEST)
    monkeypatch.undo()
    assert all(len({*three}) == 3 for three in zip(before, other, edited, strict=True))
    assert of(REQUEST) == before


def test_what_is_no_number_is_no_cause() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of_causes([math.nan])


# What Python draws, lays and marks, by edition: numbers that follow from it, and a digest of the golden
# images. No key sees a change of that. One that is meant is a new edition, with its own line here.
EDITIONS = {
    1: (
        "68.6242215 32 1 -1 -1 0 0 1 365 1134 1902 36.1886636 26.3167302 11.1300285 9.01617189 "
        "22.7871865 26.6315371 2.48775872 3.55394142 0.605051451 0.805435176 1.2423767 0.129511111 "
        "-0.678911759 9.99902521e-05 1120.63598 740.838237 34.8804669 2097698",
        "41ea29acc8bb72809af5781ceadf15f7",
    ),
}


def test_what_python_makes_changes_with_the_edition_alone() -> None:
    advice = "raise EDITION in pipeline/keys.py, or everything that is there passes for up to date"
    assert [*EDITIONS] == [EDITION], advice
    text, images = EDITIONS[EDITION]
    numbers = [float(number) for number in text.split()]
    np.testing.assert_allclose([*_drawn(), *_laid_and_marked()], numbers, rtol=1e-6, err_msg=advice)
    golden = sorted((Path(__file__).parent / "golden").glob("*.png"))
    assert digest_of_causes([digest_of_file(path) for path in golden]) == images, advice


def _drawn() -> Iterator[float]:
    camera = portrait_camera(64)
    yield from (camera.fx, camera.cx, *camera.rotation.diagonal(), *camera.translation)
    yield from (float(code) for code in encode(np.linspace(0.7, 1.4, 3, dtype=np.float32)[None], camera)[0])
    radiance = np.arange(1.0, 19.0).reshape(2, 9, 1).repeat(3, axis=2)
    for preset in PRESETS:
        for openness, pitch in ((1.0, 0.0), (0.7, 20.0)):
            rng = generator(preset, 7, "00003", "2K2K_0_y_-30_x")
            light = flattened(preset_light(preset, rng, radiance, openness, pitch))
            yield float(np.sqrt(np.arange(1, len(light) + 1)) @ light)


def _laid_and_marked() -> Iterator[float]:
    corners = np.array([[0, 0, 0], [2, 0, 0.5], [0, 3, 0], [0.5, 0, 4]], dtype=np.float32)
    crumb = corners * np.float32(0.01) + 5
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
    mesh = Mesh(np.concatenate([corners, crumb]), np.concatenate([faces, faces + 4]))
    cleaned = clean(mesh, Cleaning(0.01))
    points = np.random.default_rng(0).uniform(0, 3, (118, 3))
    joints = Joints(points, np.ones(118), "openpose-118")
    laid = align(cleaned.mesh, Evidence(joints=joints))
    yield from (*laid.centre, laid.scale, laid.front_yaw, cleaned.removed.fragment_share)
    known = merged({"kp3ds": aligned_rows(joints, laid)})
    seen = in_view(known, view_turn(30, 10), portrait_camera(64), lambda at: np.full(len(at), 0.95))
    yield from (*seen.uv.sum(axis=0), seen.depth.sum(), float(seen.visible @ 2.0 ** np.arange(31)))
