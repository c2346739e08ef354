"""Keypoints of a person in every view: the best source, the files that published loaders read, overlays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import RenderRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.errors import ConfigError, FormatError
from pipeline.formats.joints import read_joint3d, write_joint3d
from pipeline.formats.keypoint_file import read_keypoints, write_keypoints
from pipeline.geometry.keypoints import NAMES, ROWS
from pipeline.geometry.transform import turn_y, view_turn
from pipeline.keys import Keys
from pipeline.records import (
    F64,
    Alignment,
    Body,
    BodyParameters,
    Cleaning,
    Fit,
    Joints,
    Keypoints,
    Mesh,
    Subject,
)
from pipeline.rows import MarkedView
from pipeline.stages import align, keypoints, load
from pipeline.stages.keypoints import Wish, keypoints_on
from pipeline.stages.render import Studio, shots_of
from pipeline.store import DEPTH, Picture, Workspace
from pipeline.synth.defects import Defects
from pipeline.synth.joints import smplx_joints
from pipeline.synth.layouts import SynthRequest, write_people
from pipeline.synth.synergies import hand_from_pca

SIZE = 256
ASKEW = Defects(yaw=True, origin=True)
NO_SURFACE = Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32))
STILL = Alignment((0.0, 0.0, 0.0), 1.0, 0.0, "test")


class Posing:
    """A body model in the tests' own words: the synthetic people's own joints."""

    def posed(self, body: BodyParameters) -> Body:
        left, right = (
            hand_from_pca(body.left_hand_pose, "left"),
            hand_from_pca(body.right_hand_pose, "right"),
        )
        whole = replace(body, left_hand_pose=left, right_hand_pose=right)
        return Body(NO_SURFACE, smplx_joints(whole))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one person, who stands askew and off centre."""
    folder = tmp_path_factory.mktemp("data")
    write_people(
        SynthRequest(folder, 1, seed=3, vertices=6000, layout="thuman2", pose="standing", defects=ASKEW),
        lambda text: None,
    )
    return folder


def someone(data: Path) -> tuple[Workspace, Subject]:
    return Workspace(data, "THuman2"), survey(Workspace(data, "THuman2"), layout_of("THuman2")).subjects[0]


def request(data: Path, **asked: object) -> RenderRequest:
    wanted: dict[str, object] = {"yaws": (-30.0, 180.0), "size": SIZE} | asked
    return RenderRequest("THuman2", data=data, **wanted)  # type: ignore[arg-type]


@cache
def drawn(data: Path, **asked: object) -> tuple[RenderRequest, Alignment]:
    """The person's images, drawn once for all tests that look at the same."""
    wish, (work, subject) = request(data, **asked), someone(data)
    cleaned = load.run(work, subject, Cleaning())
    alignment = align.run(work, subject, cleaned)
    wanted = dict.fromkeys(Keys(wish, work).places, frozenset(shot.column for shot in shots_of(wish)))
    with Studio(work, wish) as studio:
        studio.run(cleaned.mesh, subject, alignment, wanted, "")
    return wish, alignment


def marked(work: Workspace, subject: Subject, alignment: Alignment, wish: Wish) -> list[MarkedView]:
    """The keypoints of every view."""
    return keypoints.run(work, subject, alignment, wish, Keys(wish.request, work).places)


BOTH = ("perspective", "orthographic")


def keypoints_of(one: MarkedView) -> Keypoints:
    """What a view's row says, as arrays."""
    return Keypoints(
        np.reshape(one.uv, (31, 2)),
        np.array(one.depth),
        np.array(one.confidence),
        np.array(one.valid),
        np.array(one.visible),
        one.source,
    )


def test_every_view_of_every_camera_has_its_file(data: Path) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    made = marked(work, subject, alignment, Wish(wish))
    assert [(one.projection, one.view, one.file.path) for one in made] == [
        (name, f"THuman2_0_y_{yaw}_x", f"{folder}/keypoint/THuman2_0_y_{yaw}_x/0000_front.npy")
        for name, folder in (("perspective", "PERS"), ("orthographic", "ORTH"))
        for yaw in (-30, 180)
    ]
    for one in made:
        rows = np.load(work.absolute(one.file.path))
        assert rows.shape == (31, 3) and rows.dtype == np.float64
        np.testing.assert_array_equal(rows, np.column_stack([keypoints_of(one).uv, np.ones(31)]))
        assert set(keypoints_of(one).source) == {"joint3d"}


def test_only_the_places_that_are_wanted_are_marked(data: Path) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    every = marked(work, subject, alignment, Wish(wish))
    times = [work.absolute(one.file.path).stat().st_mtime_ns for one in every]
    some = [Keys(wish, work).places[number] for number in (3, 0)]
    made = keypoints.run(work, subject, alignment, Wish(wish), some)
    assert made == [every[3], every[0]]
    again = [work.absolute(one.file.path).stat().st_mtime_ns for one in every]
    assert [new > old for new, old in zip(again, times, strict=True)] == [True, False, False, True]


def test_keypoints_are_the_true_joints_as_the_camera_sees_them(data: Path) -> None:
    """The same by another road: from the truth beside the scan, with matrices written out here."""
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    truth = read_joint3d(work.absolute(subject.joints or "")).points[list(ROWS["coco-wholebody"])]
    body = (truth - alignment.centre) @ turn_y(-alignment.front_yaw).T * alignment.scale
    for one, yaw in zip(marked(work, subject, alignment, Wish(wish)), (-30, 180) * 2, strict=True):
        x, y, z = (body @ view_turn(yaw, 0).T).T
        focal = SIZE / 2 / np.tan(np.radians(25))
        away = 1 - z if one.projection == "perspective" else np.ones(31)
        expected = np.stack([SIZE / 2 + focal * x / away, SIZE / 2 - focal * y / away], axis=1)
        np.testing.assert_allclose(keypoints_of(one).uv, expected, atol=1e-4)


def test_a_person_who_turns_the_back_shows_no_face(data: Path) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    ahead, behind, *_ = marked(work, subject, alignment, Wish(wish))
    face, knees = slice(0, 3), [NAMES.index("left knee"), NAMES.index("right knee")]
    assert keypoints_of(ahead).visible[face].all() and not keypoints_of(behind).visible[face].any()
    assert keypoints_of(ahead).visible[knees].all() and keypoints_of(behind).visible[knees].all()


@pytest.mark.parametrize("suffix", ["exr", "jxl"])
def test_depth_is_read_in_every_format(data: Path, suffix: str) -> None:
    pytest.importorskip("imagecodecs" if suffix == "jxl" else "OpenEXR")
    work, subject = someone(data)
    wish, alignment = drawn(data, projections=BOTH)
    plain = marked(work, subject, alignment, Wish(wish))
    other, _ = drawn(data, depth_format=suffix)
    for a, b in zip(plain, marked(work, subject, alignment, Wish(other)), strict=False):
        np.testing.assert_array_equal(keypoints_of(a).visible, keypoints_of(b).visible)


def test_compatible_places_are_larger_by_the_published_factor(data: Path) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    exact = marked(work, subject, alignment, Wish(wish))
    wide = marked(work, subject, alignment, Wish(wish, compatible=True))
    for a, b in zip(exact[2:], wide[2:], strict=True):  # orthographic, where it is a factor and no more
        middle = SIZE / 2
        np.testing.assert_allclose(keypoints_of(b).uv - middle, 1.037 * (keypoints_of(a).uv - middle))
        np.testing.assert_array_equal(keypoints_of(a).visible, keypoints_of(b).visible)


def test_overlays_are_made_when_asked_for(data: Path) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    pictures = [data / name / "OVERLAY/THuman2_0_y_-30_x/0000_front.jpg" for name in ("PERS", "ORTH")]
    marked(work, subject, alignment, Wish(wish))
    assert not any(picture.exists() for picture in pictures)
    marked(work, subject, alignment, Wish(wish, overlays=True))
    assert all(1_000 < picture.stat().st_size < 40_000 for picture in pictures)


def test_without_depth_nothing_can_be_said_of_what_is_hidden(data: Path) -> None:
    work, subject = someone(data)
    with pytest.raises(ConfigError, match="ask for depth as well"):
        marked(work, subject, STILL, Wish(request(data, passes=("color",))))


def test_overlays_need_something_to_be_drawn_over(data: Path) -> None:
    work, subject = someone(data)
    with pytest.raises(ConfigError, match="ask for shaded as well"):
        marked(work, subject, STILL, Wish(request(data, passes=("depth",)), overlays=True))


def test_a_published_loader_finds_the_file_beside_the_depth(data: Path) -> None:
    """It makes the name out of the depth's, and the shape out of whichever side is 31."""
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    for one in marked(work, subject, alignment, Wish(wish)):
        depth = Picture(DEPTH, "front", projection=one.projection).path(one.view, subject.id)
        path = work.absolute(depth.replace("DEPTH", "keypoint").replace("png", "npy"))
        pose = np.load(path).astype(np.float32)
        assert work.absolute(depth).exists() and pose.shape[1] != 31
        np.testing.assert_allclose(pose[:, :2], keypoints_of(one).uv, rtol=1e-6)


def test_who_has_no_joints_gets_files_of_zeros(data: Path) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, subject = someone(data)
    nobody = replace(subject, joints=None, joints_kind=None, parameters=None)
    for one in marked(work, nobody, alignment, Wish(wish)):
        assert not np.load(work.absolute(one.file.path)).any()
        assert not keypoints_of(one).valid.any() and set(keypoints_of(one).source) == {"nothing"}


@pytest.fixture
def lacking(data: Path, tmp_path: Path) -> Iterator[Subject]:
    """The person, in whose file of joints the left hand and heel and the right wrist are not known."""
    work, subject = someone(data)
    read = read_joint3d(work.absolute(subject.joints or ""))
    visible = np.ones(len(read.points), dtype=np.bool_)
    visible[[19, 10, *range(91, 112)]] = False
    path = work.absolute("Joint3D/THuman2/lacking.json")
    write_joint3d(path, read.points, visible)
    yield replace(subject, joints="Joint3D/THuman2/lacking.json")
    path.unlink()


def verdict(word: str) -> Alignment:
    fit = Fit("SMPL-X parameters", word, 1.0, 1.0, 1.0, 1.0, None, 1.0)
    return replace(STILL, fits=(fit,), centre=(0.0, 0.0, 0.0), scale=0.4)


def test_what_a_file_lacks_comes_from_the_body_that_fits(data: Path, lacking: Subject) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, _ = someone(data)
    fitted = replace(alignment, fits=verdict("good").fits)
    made = marked(work, lacking, fitted, Wish(wish, Posing()))  # type: ignore[arg-type]
    whole = marked(work, someone(data)[1], alignment, Wish(wish))
    gone = [NAMES.index(name) for name in NAMES if name in {
        "left heel", "right wrist", "left index", "left middle", "left ring", "left pinky"
    }]  # fmt: skip
    for one, other in zip(made, whole, strict=True):
        assert [keypoints_of(one).source[k] for k in gone] == ["parameters"] * 6
        assert keypoints_of(one).source.count("joint3d") == 25
        np.testing.assert_allclose(keypoints_of(one).uv, keypoints_of(other).uv, atol=1e-3)


@pytest.mark.parametrize("word", ["bad", "missing"])
def test_no_joints_are_taken_from_a_body_that_does_not_fit(data: Path, lacking: Subject, word: str) -> None:
    wish, alignment = drawn(data, projections=BOTH)
    work, _ = someone(data)
    fits = verdict(word).fits if word == "bad" else ()
    made = marked(work, lacking, replace(alignment, fits=fits), Wish(wish, Posing()))  # type: ignore[arg-type]
    source = keypoints_of(made[0]).source
    assert source[NAMES.index("left heel")] == "neighbour"
    assert source[NAMES.index("right wrist")] == source[NAMES.index("left ring")] == "nothing"
    assert not np.load(work.absolute(made[0].file.path))[NAMES.index("right wrist")].any()


def test_joints_of_a_file_lead_the_body_s() -> None:
    measured = Joints(np.full((133, 3), 0.1), np.ones(133), "coco-wholebody")
    body = Body(NO_SURFACE, np.full((144, 3), 0.2))
    assert set(keypoints_on(("joint3d", measured), body, STILL).source) == {"joint3d"}
    found = keypoints_on(None, body, STILL)
    assert set(found.source) == {"parameters"} and np.allclose(found.points, 0.2)


def rows(seed: int) -> F64:
    return np.random.default_rng(seed).uniform(1, 2000, size=(31, 3))


def test_files_of_keypoints_round_trip(tmp_path: Path) -> None:
    there = rows(1)
    valid = np.arange(31) % 4 > 0
    marks = Keypoints(there[:, :2], np.ones(31), there[:, 2], valid, valid, ("test",) * 31)
    write_keypoints(tmp_path / "a.npy", marks)
    write_keypoints(tmp_path / "b.npy", marks, there[:, 2])
    for name, third in (("a", np.ones(31)), ("b", there[:, 2])):
        expected = np.column_stack([there[:, :2], third]) * valid[:, None]
        np.testing.assert_array_equal(read_keypoints(tmp_path / f"{name}.npy"), expected)


@pytest.mark.parametrize("what", ["shape", "kind", "noise", "nothing"])
def test_other_files_are_not_taken_for_keypoints(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.npy"
    if what == "noise":
        path.write_bytes(b"\x93NUMPY" + bytes(300))
    elif what != "nothing":
        np.save(path, np.zeros((3, 31)) if what == "shape" else np.zeros((31, 3), dtype=np.int64))
    with pytest.raises(FormatError, match=r"a\.npy: "):
        read_keypoints(path)


@pytest.mark.parametrize("depth_format", ["png", "exr"])
def test_depths_in_memory_hide_what_their_images_hide(data: Path, depth_format: str) -> None:
    wish, (work, subject) = request(data, depth_format=depth_format, projections=BOTH), someone(data)
    cleaned = load.run(work, subject, Cleaning())
    alignment = align.run(work, subject, cleaned)
    places = Keys(wish, work).places
    with Studio(work, wish) as studio:
        studio.run(cleaned.mesh, subject, alignment, {place: {"depth_front"} for place in places}, "")
        assert set(studio.fronts) == set(places)
        kept = keypoints.run(work, subject, alignment, Wish(wish, fronts=studio.fronts), places)
        studio.run(cleaned.mesh, subject, alignment, {places[0]: {"mask"}}, "")
        assert not studio.fronts
    assert kept == marked(work, subject, alignment, Wish(wish))
    assert any(any(one.visible) for one in kept)
