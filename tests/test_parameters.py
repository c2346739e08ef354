"""Files of SMPL-X parameters and joints: round trips, published shapes, hostile input."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import FormatError
from pipeline.formats.joints import read_kp3ds, write_joint3d, write_kp3ds
from pipeline.formats.parameters import SHAPES, read_parameters, write_json, write_npz, write_pickle
from pipeline.records import BodyParameters


def a_body() -> BodyParameters:
    random = np.random.default_rng(5)
    values = {name: random.normal(size=shape) for name, shape in SHAPES.items()}
    return BodyParameters(gender="neutral", translation=np.array([3.0, -2.0, 0.5]), scale=100.0, **values)


@pytest.mark.parametrize(("write", "name"), [(write_json, "a.json"), (write_npz, "a.npz")])
def test_what_is_written_is_read(
    tmp_path: Path, write: Callable[[Path, BodyParameters], None], name: str
) -> None:
    body = a_body()
    write(tmp_path / name, body)
    read = read_parameters(tmp_path / name)
    for field in set(SHAPES) - {"transl"}:
        assert np.array_equal(getattr(read, field), getattr(body, field)), field
    place = np.array([0.1, 0.2, 0.3])
    there = [(place + b.transl) * b.scale + b.translation for b in (body, read)]
    assert np.allclose(there[0], there[1], rtol=1e-12)
    assert (read.gender, read.scale) == ("neutral", 100.0)


def test_scale_is_written_only_where_there_is_one(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", replace(a_body(), scale=1.0))
    content = json.loads((tmp_path / "a.json").read_text())
    assert set(content) == {*SHAPES, "gender"}
    assert np.shape(content["body_pose"]) == (1, 63)


def test_the_pickle_has_the_published_shapes_and_only_plain_arrays(tmp_path: Path) -> None:
    body = a_body()
    write_pickle(tmp_path / "a.pkl", body, np.arange(12.0), -np.arange(12.0))
    raw = (tmp_path / "a.pkl").read_bytes()
    content = pickle.loads(raw, encoding="latin1")
    shapes = {
        "betas": (1, 10), "expression": (1, 10), "body_pose": (1, 63), "global_orient": (1, 3),
        "jaw_pose": (1, 3), "leye_pose": (1, 3), "reye_pose": (1, 3), "left_hand_pose": (1, 12),
        "right_hand_pose": (1, 12), "translation": (3,), "scale": (),
    }  # fmt: skip
    assert {k: v.shape for k, v in content.items()} == shapes
    assert all(type(v) is np.ndarray and v.dtype == np.float32 for v in content.values())
    assert np.allclose(content["translation"], body.translation + 100 * body.transl)
    write_pickle(tmp_path / "b.pkl", body, np.arange(12.0), -np.arange(12.0))
    assert (tmp_path / "b.pkl").read_bytes() == raw


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds a list"),
        ("{", "not readable"),
        ('{"betas": [0], "body_pose": []}', "has no global_orient"),
        ('{"betas": [0, 1], "body_pose": [0], "global_orient": [0, 0, 0]}', "body_pose has 1 numbers"),
        ('{"betas": {"a": 1}, "body_pose": [], "global_orient": []}', "not readable|numbers"),
        ("[" * 100_000, "not readable"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=said) as caught:
        read_parameters(path)
    assert "bad.json" in str(caught.value)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", replace(a_body(), scale=float("nan")))
    with pytest.raises(FormatError, match="3 numbers, 0 of them finite"):
        read_parameters(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(FormatError, match="not readable"):
        read_parameters(tmp_path / "a.npz")


def test_object_arrays_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", betas=np.array([{"x": 1}], dtype=object))
    with pytest.raises(FormatError):
        read_parameters(tmp_path / "a.npz")


def test_kp3ds_round_trip(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    joints, confidence = random.normal(size=(118, 3)), random.uniform(size=118)
    write_kp3ds(tmp_path / "kp3ds.json", joints, confidence)
    read = read_kp3ds(tmp_path / "kp3ds.json")
    assert np.allclose(read, np.column_stack([joints, confidence]), rtol=1e-8, atol=0)
    with pytest.raises(FormatError, match="118"):
        write_kp3ds(tmp_path / "kp3ds.json", joints[:55], confidence)
    (tmp_path / "kp3ds.json").write_text("[[1, 2, 3, 4]]")
    with pytest.raises(FormatError, match="118"):
        read_kp3ds(tmp_path / "kp3ds.json")


def test_joint3d_holds_joints_and_which_are_known(tmp_path: Path) -> None:
    joints = np.arange(133 * 3.0).reshape(133, 3)
    write_joint3d(tmp_path / "a.json", joints, np.arange(133) % 2 == 0)
    content = json.loads((tmp_path / "a.json").read_text())
    assert np.array_equal(content["joint3d"], joints)
    assert content["visible"][:3] == [1, 0, 1]
