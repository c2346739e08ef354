"""HuGe100K's parameter files, as numpy and torch write them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import FormatError
from pipeline.formats.huge100k import read_capture


def _pose(degrees: float) -> list[torch.Tensor]:
    angle = np.radians(degrees)
    matrix = torch.eye(4)
    matrix[0, 0] = matrix[2, 2] = float(np.cos(angle))
    matrix[0, 2], matrix[2, 0] = float(np.sin(angle)), -float(np.sin(angle))
    matrix[:3, 3] = torch.tensor([0.0, 0.2, 2.5])
    return [matrix, torch.tensor([1120.0, 1121.0, 320.0, 448.0])]


def _content(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    poses = [_pose(15.0 * number) for number in range(24)]
    return {"smpl_params": torch.arange(1.0, 190.0), "poses": poses} | changes


def _save(path: Path, content: object) -> None:
    np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]


def test_the_numbers_of_the_body_come_in_the_published_order(tmp_path: Path) -> None:
    _save(tmp_path / "a.npy", _content())
    capture = read_capture(tmp_path / "a.npy")
    body = capture.body
    assert capture.scale == 1 and capture.transl.tolist() == [2, 3, 4]
    assert body.global_orient.tolist() == [5, 6, 7]
    assert np.array_equal(body.body_pose.ravel(), np.arange(8, 71))
    assert np.array_equal(body.betas, np.arange(71, 81))
    assert np.array_equal(body.left_hand_pose, np.arange(81, 126).reshape(15, 3))
    assert np.array_equal(body.right_hand_pose, np.arange(126, 171).reshape(15, 3))
    assert np.array_equal(
        [body.jaw_pose, body.leye_pose, body.reye_pose], np.arange(171, 180).reshape(3, 3)
    )
    assert np.array_equal(body.expression, np.arange(180, 190))
    # the pictures show the body where it is without them
    assert body.gender == "neutral" and body.scale == 1
    assert not body.transl.any() and not body.translation.any()


def test_every_picture_has_its_camera(tmp_path: Path) -> None:
    _save(tmp_path / "a.npy", _content())
    cameras = read_capture(tmp_path / "a.npy").cameras
    assert len(cameras) == 24
    for number, camera in enumerate(cameras):
        matrix = _pose(15.0 * number)[0].numpy()
        assert np.array_equal(camera.rotation, matrix[:3, :3])
        assert np.array_equal(camera.translation, matrix[:3, 3])
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (1120, 1121, 320, 448)
        assert (camera.width, camera.height) == (640, 896)


def test_numbers_may_stand_in_lists_and_a_row(tmp_path: Path) -> None:
    matrix, lengths = _pose(30.0)
    poses = [(matrix.numpy(), [torch.tensor(float(n)) for n in lengths])]
    _save(tmp_path / "a.npy", _content(smpl_params=torch.ones(1, 189, dtype=torch.float64), poses=poses))
    (camera,) = read_capture(tmp_path / "a.npy").cameras
    assert camera.cy == 448


class _Runs:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("false",))


SKEWED = [torch.eye(4) * 2, _pose(0)[1]]
MIRRORED = [torch.diag(torch.tensor([1.0, 1.0, -1.0, 1.0])), _pose(0)[1]]
BAD: dict[str, tuple[object, str]] = {
    "code": (_content(poses=_Runs()), "wants to run posix.system"),
    "a list": ([1, 2], "not an object of smpl_params and poses"),
    "plain numbers": (np.zeros(3), "not an object of smpl_params and poses"),
    "no cameras": ({"smpl_params": torch.zeros(189)}, "not an object of smpl_params and poses"),
    "none of the cameras": (_content(poses=[]), "not a list of cameras"),
    "too few numbers": (_content(smpl_params=torch.zeros(188)), "smpl_params has 188 numbers; 189"),
    "not numbers": (_content(smpl_params=torch.full((189,), float("nan"))), "0 of them finite"),
    "one camera, no pair": (_content(poses=[torch.eye(4)]), "camera 0 is not a pair"),
    "a small matrix": (_content(poses=[[torch.eye(3), _pose(0)[1]]]), "camera 0: its matrix has 9 numbers"),
    "a skewed matrix": (_content(poses=[_pose(0), SKEWED]), "camera 1 has a matrix that is not a turn"),
    "a mirror": (_content(poses=[MIRRORED]), "camera 0 has a matrix that is not a turn"),
    "no length": (_content(poses=[[torch.eye(4), torch.zeros(4)]]), "focal length of 0"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    content, said = BAD[kind]
    _save(tmp_path / "bad.npy", content)
    with pytest.raises(FormatError, match=f"bad.npy: .*{said}"):
        read_capture(tmp_path / "bad.npy")


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    _save(tmp_path / "a.npy", _content(poses=[_pose(0)]))
    good = (tmp_path / "a.npy").read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(600):
        damaged = bytearray(good)
        damaged[random.integers(len(good))] ^= int(random.integers(1, 256))
        (tmp_path / "b.npy").write_bytes(damaged[: random.integers(1, len(good)) if _ % 4 == 0 else None])
        try:
            read_capture(tmp_path / "b.npy")
        except FormatError as error:
            refused += 1
            assert "b.npy" in str(error)
    assert refused > 300
