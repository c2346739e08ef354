"""Files of SMPL-X parameters: round trips, published shapes, hostile input."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trimesh.caching import TrackedArray, tracked_array

from pipeline.errors import FormatError
from pipeline.formats.bounded import MOST_BYTES
from pipeline.formats.parameters import SHAPES, read_parameters, write_json, write_npz, write_pickle
from pipeline.records import BodyParameters

Write = Callable[[Path, BodyParameters], None]


def a_body() -> BodyParameters:
    random = np.random.default_rng(5)
    values = {name: random.normal(size=shape) for name, shape in SHAPES.items()}
    return BodyParameters(gender="neutral", translation=np.array([3.0, -2.0, 0.5]), scale=100.0, **values)


def published(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A dict as THuman 2's pickles hold it, some of its arrays tracked."""
    random = np.random.default_rng(8)

    def row(count: int) -> np.ndarray[Any, Any]:
        return random.normal(size=(1, count)).astype(np.float32)

    values: dict[str, Any] = {
        name: row(3) for name in ("global_orient", "jaw_pose", "leye_pose", "reye_pose")
    }
    values |= {"betas": row(10), "expression": row(10), "body_pose": row(63)}
    values |= {f"{side}_hand_pose": row(12) for side in ("left", "right")}
    values |= {
        "translation": tracked_array(row(3)[0]),
        "scale": np.array(1.25, np.float32).view(TrackedArray),
    }
    return values | changes


@pytest.mark.parametrize(("write", "name"), [(write_json, "a.json"), (write_npz, "a.npz")])
def test_what_is_written_is_read(tmp_path: Path, write: Write, name: str) -> None:
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
    assert {k: v.shape for k, v in content.items()} == {k: v.shape for k, v in published().items()}
    assert all(type(v) is np.ndarray and v.dtype == np.float32 for v in content.values())
    assert np.allclose(content["translation"], body.translation + 100 * body.transl)
    write_pickle(tmp_path / "b.pkl", body, np.arange(12.0), -np.arange(12.0))
    assert (tmp_path / "b.pkl").read_bytes() == raw


def test_a_written_pickle_is_read_back(tmp_path: Path) -> None:
    body, left, right = a_body(), np.arange(12.0), -np.arange(12.0)
    write_pickle(tmp_path / "a.pkl", body, left, right)
    read = read_parameters(tmp_path / "a.pkl", gender="male")
    assert read.gender == "male" and read.scale == 100
    assert np.array_equal(read.left_hand_pose, left) and np.array_equal(read.right_hand_pose, right)
    for field in set(SHAPES) - {"transl", "left_hand_pose", "right_hand_pose"}:
        assert np.allclose(getattr(read, field), getattr(body, field), atol=1e-6), field
    assert np.allclose(read.translation, body.translation + 100 * body.transl, atol=1e-4)
    assert not read.transl.any()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_with_tracked_arrays_is_read(tmp_path: Path, protocol: int) -> None:
    content = published()
    path = tmp_path / "smplx_param.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    read = read_parameters(path, gender="male")
    assert np.array_equal(read.body_pose.ravel(), content["body_pose"][0])
    assert np.array_equal(read.left_hand_pose, content["left_hand_pose"][0])
    assert np.array_equal(read.translation, content["translation"])
    assert (read.scale, read.gender) == (1.25, "male")
    assert type(read.translation) is np.ndarray


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(tmp_path / "it ran"),))

    (tmp_path / "a.pkl").write_bytes(pickle.dumps(published(betas=Runs())))
    with pytest.raises(FormatError, match=r"a.pkl: byte \d+: it wants to run posix.mkdir"):
        read_parameters(tmp_path / "a.pkl")
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    ("said", "gender"),
    [
        ("male", "male"),
        (b"female", "female"),
        (np.array("male"), "male"),
        (np.array(b"neutral"), "neutral"),
    ],
)
def test_the_gender_in_a_file_counts(tmp_path: Path, said: object, gender: str) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(published(gender=said)))
    assert read_parameters(tmp_path / "a.pkl", gender="neutral").gender == gender


NEEDED = '"betas": [0,0,0,0,0,0,0,0,0,0], "global_orient": [[0,0,0]], "body_pose": ' + str([0] * 63)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds a list"),
        ("{", "line 1: not JSON"),
        ("", "line 1: not JSON"),
        ("{\n]", "line 2: not JSON"),
        ("\x00", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 100_000, "not JSON"),
        ('{"betas": [0], "body_pose": []}', "has no global_orient"),
        ('{"betas": [0, 1], "body_pose": [0], "global_orient": [0, 0, 0]}', "body_pose has 1 numbers; 63"),
        ('{"betas": {"a": 1}, "body_pose": [], "global_orient": []}', "global_orient has 0 numbers; 3"),
        ("{" + NEEDED + ', "transl": [0, 0, {}]}', "transl holds a dict"),
        ("{" + NEEDED + ', "transl": [0, 0, 0, 0]}', "transl has over 3 numbers"),
        ("{" + NEEDED + ', "transl": [0, 0, NaN]}', "transl has 3 numbers, 2 of them finite"),
        ("{" + NEEDED + ', "transl": [0, 0, 1e999]}', "2 of them finite"),
        ("{" + NEEDED + ', "transl": [0, 0, ' + "9" * 400 + "]}", "2 of them finite"),
        ("{" + NEEDED + ', "scale": 0}', "scale is 0; one number above 0"),
        ("{" + NEEDED + ', "scale": "1"}', "scale holds a str"),
        ("{" + NEEDED + ', "gender": "\\u001b[2J"}', r"gender is \?\[2J; it must be neutral, male, female"),
        ("{" + NEEDED + ', "gender": 3}', "gender is a int"),
        ("{" + NEEDED + ', "left_hand_pose": [1, 2]}', "hands have 2 and 45 numbers"),
        ("{" + NEEDED + ', "left_hand_pose": []}', "left_hand_pose has no numbers"),
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


def test_object_arrays_run_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", betas=np.array([os.system], dtype=object))
    with pytest.raises(FormatError, match=r"a.npz: betas.npy: byte \d+: it wants to run posix.system"):
        read_parameters(tmp_path / "a.npz")


def test_files_of_other_kinds_places_and_sizes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "large.pkl").write_bytes(b"\0" * (MOST_BYTES + 1))
    for name, said in (
        ("absent.json", "is not a file"),
        ("pipe.json", "is not a file"),
        ("large.pkl", "4,194,305 bytes, over 4,194,304"),
        ("a.txt", "read from .json, .npz and .pkl"),
    ):
        with pytest.raises(FormatError, match=f"{name}.*{said}"):
            read_parameters(tmp_path / name)


def _archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def _npy(descr: str, shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': ({shape}), }}"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


BAD_ARRAYS = {
    "a bomb": (bytes(2 << 20), "unpacks to 2,097,152 bytes"),
    "a lie": (_npy("'<f8'", "999999999,"), "999999999 elements has 0 bytes"),
    "digits": (_npy("'<f8'", "9" * 99 + ","), "a shape that makes no sense"),
    "dimensions": (_npy("'<f8'", "1, " * 99), "a shape that makes no sense"),
    "a number": (_npy("'<f8'", "1 1,"), "invalid literal"),
    "code": (_npy("exit()", "1,"), "not one of plain arrays"),
    "fields": (_npy("[('a', 'O')]", "1,"), "not one of plain arrays"),
    "a time": (_npy("'<M8'", "1,", bytes(8)), "arrays of .M8. are not read"),
    "nothing": (b"", "not an NPY file"),
    "no header": (b"\x93NUMPY\x01\x00", "truncated"),
    "half a header": (b"\x93NUMPY\x01\x00\xff\x00{'descr'", "not one of plain arrays"),
    "text": (_npy("'<U3'", "1,", b"a" * 12), "betas holds a ndarray"),
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_a_bad_array_in_an_archive_is_refused(tmp_path: Path, kind: str) -> None:
    content, said = BAD_ARRAYS[kind]
    write_npz(tmp_path / "good.npz", a_body())
    with zipfile.ZipFile(tmp_path / "good.npz") as archive:
        members = {info.filename.removesuffix(".npy"): archive.read(info) for info in archive.infolist()}
    (tmp_path / "bad.npz").write_bytes(_archive(**members | {"betas": content}))
    with pytest.raises(FormatError, match=f"bad.npz: .*{said}"):
        read_parameters(tmp_path / "bad.npz")


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    write_json(folder / "a.json", a_body())
    write_npz(folder / "a.npz", a_body())
    (folder / "a.pkl").write_bytes(pickle.dumps(published(), protocol=2))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=500, deadline=None)
@given(
    name=st.sampled_from(["a.json", "a.npz", "a.pkl"]),
    changes=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=4),
    cut=st.none() | st.integers(0, 2**20),
)
def test_damaged_files_are_read_or_refused(
    good_files: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    changes: list[tuple[int, int]],
    cut: int | None,
) -> None:
    damaged = bytearray(good_files[name])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(damaged[: None if cut is None else cut % len(damaged)])
    try:
        body = read_parameters(path)
    except FormatError as error:
        assert name in str(error)
    else:
        assert np.isfinite(body.betas).all() and body.scale > 0
