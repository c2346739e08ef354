"""Files of joints: round trips, several people in a picture, hostile input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import FormatError
from pipeline.formats.joints import (
    read_joint3d,
    read_kp3ds,
    read_openpose,
    write_joint3d,
    write_kp3ds,
)

PARTS = {
    "pose_keypoints_2d": 25,
    "face_keypoints_2d": 70,
    "hand_left_keypoints_2d": 21,
    "hand_right_keypoints_2d": 21,
}


def _person(seed: int) -> dict[str, list[float]]:
    random = np.random.default_rng(seed)
    rows = {part: random.uniform(1, 900, size=(count, 3)) for part, count in PARTS.items()}
    return {part: (row * [1, 1, 0.001]).ravel().tolist() for part, row in rows.items()}


def test_kp3ds_round_trip(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    joints, confidence = random.normal(size=(118, 3)), random.uniform(size=118)
    write_kp3ds(tmp_path / "kp3ds.json", joints, confidence)
    read = read_kp3ds(tmp_path / "kp3ds.json")
    assert np.allclose(read.points, joints, rtol=1e-8, atol=0)
    assert np.allclose(read.confidence, confidence, rtol=1e-8, atol=0)
    assert read.convention == "openpose-118"
    with pytest.raises(FormatError, match="118"):
        write_kp3ds(tmp_path / "kp3ds.json", joints[:55], confidence)


@pytest.mark.parametrize("count", [133, 135])
def test_joint3d_round_trip(tmp_path: Path, count: int) -> None:
    joints = np.random.default_rng(2).normal(size=(count, 3)) * 100
    visible = np.arange(count) % 2 == 0
    write_joint3d(tmp_path / "a.json", joints, visible)
    content = json.loads((tmp_path / "a.json").read_text())
    assert np.allclose(content["joint3d"], joints, rtol=1e-8) and content["visible"][:3] == [1, 0, 1]
    read = read_joint3d(tmp_path / "a.json")
    assert np.allclose(read.points, joints, rtol=1e-8, atol=0)
    assert np.array_equal(read.confidence, visible)
    assert read.convention == "coco-wholebody"


def test_openpose_gives_every_person_in_one_order(tmp_path: Path) -> None:
    people = [_person(1), _person(2)]
    people[1]["hand_left_keypoints_2d"] = []
    del people[1]["face_keypoints_2d"]
    (tmp_path / "a.json").write_text(json.dumps({"version": 1.3, "people": people}))
    first, second = read_openpose(tmp_path / "a.json")
    order = ("pose", "hand_left", "hand_right", "face")
    expected = np.concatenate([np.reshape(people[0][f"{p}_keypoints_2d"], (-1, 3)) for p in order])
    assert np.array_equal(first.points, expected[:, :2])
    assert np.array_equal(first.confidence, expected[:, 2])
    assert first.convention == second.convention == "openpose-137"
    assert len(second.points) == 137
    known = np.ones(137, dtype=bool)
    known[25:46] = known[67:] = False
    assert np.array_equal(second.confidence > 0, known)


def test_a_picture_without_people_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"people": []}')
    assert read_openpose(tmp_path / "a.json") == ()


ROWS = json.dumps([[1, 2, 3]] * 133)
BAD: list[tuple[Callable[[Path], object], str, str]] = [
    (read_kp3ds, "[[1, 2, 3, 4]]", "4 numbers; 472 are needed"),
    (read_kp3ds, "{}", "holds a dict"),
    (read_kp3ds, json.dumps([[1, 2, 3, -1]] * 118), "a confidence is -1"),
    (read_kp3ds, json.dumps([[1, 2, float("inf"), 1]] * 118), "354 of them finite"),
    (read_kp3ds, json.dumps([[1, 2, 3, 1]] * 119), "over 472 numbers"),
    (read_kp3ds, "", "line 1: not JSON"),
    (read_joint3d, "[]", "not an object of joint3d and visible"),
    (read_joint3d, '{"joint3d": [], "visible": []}', "visible has 0 numbers"),
    (read_joint3d, '{"joint3d": ' + ROWS + "}", "not an object"),
    (read_joint3d, '{"joint3d": ' + ROWS + ', "visible": [1]}', "visible has 1 numbers; 133 or 135"),
    (read_joint3d, '{"joint3d": [[1]], "visible": ' + str([1] * 133) + "}", "joint3d has 1 numbers; 399"),
    (read_openpose, "[]", "no list of people"),
    (read_openpose, '{"people": {}}', "no list of people"),
    (read_openpose, '{"people": [{}]}', "person 0 has no pose_keypoints_2d"),
    (read_openpose, '{"people": [{"pose_keypoints_2d": [1, 2]}]}', "person 0: pose_keypoints_2d has 2"),
    (read_openpose, '{"people": [' + "{}," * 1000 + "{}]}", "no list of people"),
]


@pytest.mark.parametrize(("read", "text", "said"), BAD)
def test_a_bad_file_is_refused_by_name(
    tmp_path: Path, read: Callable[[Path], object], text: str, said: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(FormatError, match=f"bad.json: .*{said}"):
        read(tmp_path / "bad.json")


@settings(max_examples=200, deadline=None)
@given(
    kind=st.integers(0, 2),
    changes=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.none() | st.integers(0, 2**20),
)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: int, changes: list[tuple[int, int]], cut: int | None
) -> None:
    reader: Callable[[Path], object] = (read_kp3ds, read_joint3d, read_openpose)[kind]
    good = (
        [[1.5, -2, 3, 0.5]] * 118,
        {"joint3d": [[1.5, -2, 3]] * 133, "visible": [1] * 133},
        {"people": [_person(1)]},
    )[kind]
    damaged = bytearray(json.dumps(good).encode())
    for place, value in changes:
        damaged[place % len(damaged)] = value
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_bytes(damaged[: None if cut is None else cut % len(damaged)])
    try:
        reader(path)
    except FormatError as error:
        assert "fuzz.json" in str(error)
