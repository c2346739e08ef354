"""OpenPose's files brought into those of the 31 keypoints: which person, which file, what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import cli
from pipeline.detections import Brought, bring
from pipeline.errors import ConfigError
from pipeline.formats.keypoint_file import read_keypoints
from pipeline.geometry.keypoints import NAMES, best_of
from pipeline.records import F64, ImageJoints

# OpenPose's own numbers of some joints, by its page on output: in the body, and in a hand
BODY = {"nose": 0, "right wrist": 4, "left wrist": 7, "left hip": 12, "right eye": 15, "left heel": 21}
HAND = {"index": 5, "middle": 9, "ring": 13, "pinky": 17}


def person(seed: int, size: float = 400.0, sure: float = 0.8) -> dict[str, list[float]]:
    """Somebody in a picture, about so many pixels tall."""
    random = np.random.default_rng(seed)
    parts = {"pose_keypoints_2d": 25, "hand_left_keypoints_2d": 21, "hand_right_keypoints_2d": 21}
    found = {}
    for part, count in parts.items():
        rows = np.column_stack([random.uniform(10, 10 + size, size=(count, 2)), np.full(count, sure)])
        found[part] = rows.ravel().tolist()
    return found


def write(path: Path, *people: dict[str, list[float]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1.3, "people": list(people)}))
    return path


def silent(_text: str) -> None:
    """Nobody listens."""


def rows(given: dict[str, list[float]], part: str) -> F64:
    return np.array(given[part]).reshape(-1, 3)


def test_the_31_are_openpose_s_joints_with_their_confidence(tmp_path: Path) -> None:
    given = person(1)
    write(tmp_path / "in" / "a_keypoints.json", given)
    assert bring(tmp_path / "in", tmp_path / "out", silent) == Brought(written=1)
    found = read_keypoints(tmp_path / "out" / "a.npy")
    for name, row in BODY.items():
        assert found[NAMES.index(name)].tolist() == rows(given, "pose_keypoints_2d")[row].tolist(), name
    for side in ("left", "right"):
        for finger, row in HAND.items():
            expected = rows(given, f"hand_{side}_keypoints_2d")[row]
            assert found[NAMES.index(f"{side} {finger}")].tolist() == expected.tolist()


def test_folders_and_names_are_those_of_the_pictures(tmp_path: Path) -> None:
    for name in ("a_keypoints.json", "b.json", "2K2K_0_y_-30_x/00001_front_keypoints.json"):
        write(tmp_path / "in" / name, person(1))
    assert bring(tmp_path / "in", tmp_path / "out", silent).written == 3
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.npy"))
    assert made == ["2K2K_0_y_-30_x/00001_front.npy", "a.npy", "b.npy"]


def test_without_hands_the_knuckles_are_zeros_and_ears_lie_at_eyes(tmp_path: Path) -> None:
    given = person(1)
    body = rows(given, "pose_keypoints_2d")
    body[[17, 18]] = 0
    write(tmp_path / "in" / "a.json", {"pose_keypoints_2d": body.ravel().tolist()})
    bring(tmp_path / "in", tmp_path / "out", silent)
    found = read_keypoints(tmp_path / "out" / "a.npy")
    assert not found[23:].any() and found[:23].all()
    assert found[[3, 4]].tolist() == body[[16, 15]].tolist()


def detected(points: F64, confidence: F64) -> ImageJoints:
    everyone = np.zeros((137, 2)), np.zeros(137)
    everyone[0][: len(points)], everyone[1][: len(points)] = points, confidence
    return ImageJoints(*everyone, "openpose-137")


SQUARE = np.array(
    [[0.0, 0.0], [3.0, 4.0], [0.0, 4.0], [3.0, 0.0]]
)  # nose, neck, shoulder, elbow: diagonal 5


def test_the_best_person_is_large_and_sure() -> None:
    small = detected(SQUARE, np.array([0.9, 0.9, 0.9, 0.9]))  # 2.7 x 5: the neck is none of the 31
    large = detected(SQUARE * 10, np.array([0.1, 0.0, 0.1, 0.1]))  # 0.3 x 50
    unsure = detected(SQUARE * 10, np.array([0.05, 1.0, 0.05, 0.05]))  # 0.15 x 50
    assert best_of([small, large, unsure]) is large
    assert best_of([unsure, small]) is small
    twin = detected(SQUARE * 10, large.confidence[:4])
    assert best_of([twin, large]) is twin and best_of([large, twin]) is large


def test_nobody_is_best_where_nothing_is_known() -> None:
    assert best_of([]) is None
    assert best_of([detected(SQUARE, np.zeros(4))]) is None


def test_of_several_people_one_is_taken_and_named(tmp_path: Path) -> None:
    main = person(2, size=900)
    write(tmp_path / "in" / "a.json", person(1, size=90), main, person(3, sure=0.1))
    said: list[str] = []
    bring(tmp_path / "in", tmp_path / "out", said.append)
    assert said == [f"{tmp_path / 'in' / 'a.json'}: shows 3 people; person 1 is taken"]
    assert read_keypoints(tmp_path / "out" / "a.npy")[0].tolist() == main["pose_keypoints_2d"][:3]


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.json")
    (tmp_path / "in" / "b.json").write_text('{"people": [{"pose_keypoints_2d": [1, 2]}]}')
    (tmp_path / "in" / "c.json").write_text("not JSON")
    write(tmp_path / "in" / "d.json", person(1))
    said: list[str] = []
    made = bring(tmp_path / "in", tmp_path / "out", said.append)
    assert made == Brought(written=1, empty=1, unreadable=2)
    assert said[0] == f"{tmp_path / 'in' / 'a.json'}: shows nobody"
    assert said[1].startswith(f"not used: {tmp_path / 'in' / 'b.json'}: person 0: pose_keypoints_2d")
    assert said[2].startswith(f"not used: {tmp_path / 'in' / 'c.json'}: ")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["d.npy"]


def test_keypoints_that_are_there_are_kept_unless_asked(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.json", person(1))
    bring(tmp_path / "in", tmp_path / "out", silent)
    before = (tmp_path / "out" / "a.npy").read_bytes()
    write(tmp_path / "in" / "a.json", person(2))
    assert bring(tmp_path / "in", tmp_path / "out", silent) == Brought(kept=1)
    assert (tmp_path / "out" / "a.npy").read_bytes() == before
    assert bring(tmp_path / "in", tmp_path / "out", silent, overwrite=True) == Brought(written=1)
    assert (tmp_path / "out" / "a.npy").read_bytes() != before


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "has no .json files"),
        (("a.json", "a_keypoints.json"), "a.json and a_keypoints.json are of one picture; remove one"),
        (("_keypoints.json",), "is named after no picture"),
    ],
)
def test_a_folder_that_makes_no_sense_is_refused(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    (tmp_path / "in").mkdir()
    for name in names:
        write(tmp_path / "in" / name, person(1))
    with pytest.raises(ConfigError, match=said):
        bring(tmp_path / "in", tmp_path / "out", silent)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_became_of_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in" / "a_keypoints.json", person(1))
    arguments = ["keypoints", "import", str(tmp_path / "in"), str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert said == (
        f"keypoints: 1 written, 0 kept, 0 without a person, 0 unreadable, in {tmp_path / 'out'}\n"
    )
    assert cli.main([*arguments, "--overwrite"]) == 0
    assert cli.main(["keypoints"]) == 0
    assert "import  From the JSON files of OpenPose." in capsys.readouterr().out
    write(tmp_path / "nobody" / "a.json")
    assert cli.main(["keypoints", "import", str(tmp_path / "nobody"), str(tmp_path / "other")]) == 1
    assert cli.main(["keypoints", "import", str(tmp_path / "gone"), str(tmp_path / "out")]) == 2
    assert "gone is not a folder; give the one that OpenPose wrote" in capsys.readouterr().err
