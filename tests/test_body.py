"""The body room on the project's own model: what the rig says, in all layouts, and what is said without."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smplx
import torch

from pipeline.body.model import JOINTS, BodyModels
from pipeline.body.torso import read_torso
from pipeline.errors import ConfigError
from pipeline.formats.body_files import (
    VARIABLE,
    find_model,
    find_models,
    is_stand_in,
    model_folder,
    require_model,
)
from pipeline.formats.parameters import read_parameters, write_json
from pipeline.records import BodyParameters
from pipeline.synth.joints import smplx_joints
from pipeline.synth.model import model_arrays, write_body_model
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.template import template


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("body")
    write_body_model(out)
    return out


@pytest.fixture(scope="module")
def models(folder: Path) -> BodyModels:
    return BodyModels(folder)


def _anyone(seed: int, **changes: Any) -> BodyParameters:  # noqa: ANN401
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {
        "gender": ("neutral", "male", "female")[seed % 3],
        "betas": rng.uniform(-3, 3, 10),
        "expression": rng.uniform(-2, 2, 10),
        "global_orient": rng.normal(size=3),
        "body_pose": 0.5 * rng.normal(size=(21, 3)),
        "left_hand_pose": 0.3 * rng.normal(size=(15, 3)),
        "right_hand_pose": 0.3 * rng.normal(size=(15, 3)),
        "transl": rng.normal(size=3),
        "translation": 50 * rng.normal(size=3),
        "scale": rng.uniform(0.5, 100),
    }
    values |= {name: 0.1 * rng.normal(size=3) for name in ("jaw_pose", "leye_pose", "reye_pose")}
    return BodyParameters(**values | changes)


@pytest.mark.parametrize("seed", range(12))
def test_joints_and_surface_are_those_of_the_rig(models: BodyModels, seed: int) -> None:
    body = _anyone(seed)
    made = models.posed(body)
    near = 1e-5 * body.scale
    rounding = 2e-5  # of float32 a hundred units out
    assert made.joints.shape == (JOINTS, 3)
    np.testing.assert_allclose(made.joints[:55], posed_joints(body), atol=near, rtol=0)
    np.testing.assert_allclose(made.joints, smplx_joints(body), atol=near + rounding, rtol=0)
    expected = deform(template().vertices, body)
    np.testing.assert_allclose(made.mesh.vertices, expected, atol=near + rounding, rtol=0)
    assert np.array_equal(made.mesh.faces, template().faces)
    assert made.mesh.vertices.dtype == np.float32 and made.mesh.faces.dtype == np.int32


@pytest.mark.parametrize("count", [6, 12, 45])
def test_coefficients_of_hands_are_those_of_the_package(
    folder: Path, models: BodyModels, count: int
) -> None:
    rng = np.random.default_rng(count)
    left, right = rng.normal(size=(2, count))
    body = _anyone(1, left_hand_pose=left, right_hand_pose=right)
    package = smplx.create(
        str(folder), "smplx", gender="male", ext="npz", use_pca=True, num_pca_comps=count
    )
    fields = ("betas", "expression", "global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose")
    rows = {
        name: torch.tensor(getattr(body, name), dtype=torch.float32).reshape(1, -1)
        for name in (*fields, "left_hand_pose", "right_hand_pose", "transl")
    }
    there = package(**rows).joints[0].detach().numpy().astype(np.float64)
    expected = there * body.scale + body.translation
    np.testing.assert_allclose(models.posed(body).joints[:127], expected, atol=1e-5 * body.scale, rtol=0)


def test_a_file_of_parameters_poses_the_same_body(models: BodyModels, tmp_path: Path) -> None:
    body = _anyone(2)
    write_json(tmp_path / "a.json", body)
    again = models.posed(read_parameters(tmp_path / "a.json"))
    np.testing.assert_allclose(again.joints, models.posed(body).joints, atol=1e-9 * body.scale)


def test_a_body_is_the_same_whatever_was_posed_before_and_nothing_is_printed(
    folder: Path, models: BodyModels, capfd: pytest.CaptureFixture[str]
) -> None:
    models.posed(_anyone(3))
    fresh = BodyModels(folder).posed(_anyone(6))
    assert np.array_equal(fresh.mesh.vertices, models.posed(_anyone(6)).mesh.vertices)
    assert capfd.readouterr() == ("", "")


def _layouts(folder: Path, tmp_path: Path) -> dict[str, Path]:
    file = folder / "smplx" / "SMPLX_MALE.npz"
    flat, hidden = tmp_path / "flat", tmp_path / "models"
    for place in (flat, hidden / "smplx"):
        place.mkdir(parents=True)
        os.link(file, place / file.name)
    return {
        "smplx's folder": hidden,
        "a flat folder": flat,
        "the inner folder": hidden / "smplx",
        "a file": file,
    }


def test_models_are_found_in_the_layouts_of_the_package(folder: Path, tmp_path: Path) -> None:
    body = _anyone(1)
    expected = BodyModels(folder).posed(body).joints
    for layout, place in _layouts(folder, tmp_path).items():
        assert find_model(place, "female") is None
        assert find_models(place) == [find_model(place, "male")]
        assert np.array_equal(BodyModels(place).posed(body).joints, expected), layout


def test_what_is_asked_for_comes_first_then_the_variable_then_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert model_folder(tmp_path) == tmp_path / "body_models"
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    assert model_folder(tmp_path) == Path("/elsewhere")
    assert model_folder(tmp_path, Path("asked")) == Path("asked")
    monkeypatch.setenv(VARIABLE, "")
    assert model_folder(tmp_path) == tmp_path / "body_models"


def test_the_stand_in_is_known_and_nothing_else_is(folder: Path, tmp_path: Path) -> None:
    assert all(is_stand_in(path) for path in find_models(folder))
    other = tmp_path / "SMPLX_MALE.npz"
    for content in (b"", b"PK\x03\x04", b"\x80\x04."):
        other.write_bytes(content)
        assert not is_stand_in(other)
    np.savez(other, model_name=np.array("SMPL-X"))
    assert not is_stand_in(other)
    np.savez(other, betas=np.zeros(3))
    assert not is_stand_in(other)
    assert not is_stand_in(tmp_path / "absent.npz")


def test_without_a_model_it_is_said_where_to_put_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"has no smplx/SMPLX_MALE.npz; put it there, or set {VARIABLE}"):
        BodyModels(tmp_path).posed(_anyone(1))
    (tmp_path / "SMPLX_MALE.pkl").touch()
    with pytest.raises(
        ConfigError, match=r"has SMPLX_MALE.pkl alone, which could run code; put SMPLX_MALE.npz"
    ):
        BodyModels(tmp_path).posed(_anyone(1))


class _Runs:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.place),))


def test_a_model_that_would_run_code_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    path, ran = tmp_path / "SMPLX_MALE.npz", tmp_path / "it ran"
    with np.load(folder / "smplx" / path.name) as arrays:
        content: dict[str, Any] = dict(arrays)
    tables: dict[str, Any] = {
        "joint2num": np.array({"pelvis": 0, "left_hip": 1}),
        "part2num": np.array({"head": 3}),
    }
    np.savez(path, **content, **tables)  # as the licensed files have them
    assert require_model(tmp_path, "male") == path
    np.savez(path, **content, joint2num=np.array([_Runs(ran)]))
    with pytest.raises(ConfigError, match=r"joint2num.npy: byte \d+: it wants to run posix.mkdir"):
        BodyModels(tmp_path).posed(_anyone(1))
    raw = path.read_bytes()
    path.write_bytes(
        b"cos\nmkdir\n(V" + str(ran).encode() + b"\ntR." + raw
    )  # a pickle with a zip behind it
    assert zipfile.is_zipfile(path)
    with pytest.raises(ConfigError, match="is not an NPZ file"):
        BodyModels(tmp_path).posed(_anyone(1))
    assert not ran.exists()


def test_a_file_that_is_no_model_is_one_line(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_MALE.npz"
    np.savez(path, betas=np.zeros(3))
    with pytest.raises(ConfigError, match=r"SMPLX_MALE.npz: smplx cannot load it"):
        BodyModels(tmp_path).posed(_anyone(1))
    path.write_bytes((folder / "smplx" / path.name).read_bytes()[:100_000])
    with pytest.raises(ConfigError, match="not a readable NPZ file"):
        BodyModels(tmp_path).posed(_anyone(1))


@pytest.mark.parametrize("gender", ["neutral", "female"])
def test_the_model_at_rest_is_read_without_posing_it(folder: Path, gender: str) -> None:
    expected = model_arrays(gender)
    read = read_torso(folder, gender)
    assert np.array_equal(read.rest, expected["v_template"])
    assert np.array_equal(read.faces, expected["f"])
    assert np.array_equal(read.pelvis, expected["weights"][:, 0])
    assert {a.dtype.str for a in (read.rest, read.pelvis)} == {"<f4"} and read.faces.dtype.str == "<i4"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": np.ones((2, 55))}, "vertices"),
        ({"v_template": np.zeros((0, 3))}, "vertices"),
        ({"f": np.array([[0, 1, 3]])}, "points at no vertex"),
        ({"f": None}, "'f is not a file in the archive'"),
    ],
)
def test_a_model_at_rest_that_is_none_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    arrays: dict[str, Any] = {
        "v_template": np.eye(3),
        "f": np.array([[0, 1, 2]]),
        "weights": np.ones((3, 55)),
    }
    np.savez(tmp_path / "SMPLX_MALE.npz", **{k: v for k, v in (arrays | change).items() if v is not None})
    with pytest.raises(ConfigError, match=rf"SMPLX_MALE.npz: is no body model .*{said}"):
        read_torso(tmp_path, "male")


@pytest.mark.parametrize("package", ["torch", "smplx"])
def test_without_torch_or_smplx_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path, package: str
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        if name.split(".", maxsplit=1)[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}")
        return real(name, *arguments, **options)

    for name in [n for n in sys.modules if n.split(".")[0] in ("smplx", package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs torch and smplx .*; run: pip install 'scan2k\[body\]'"):
        BodyModels(folder).posed(_anyone(1))


def test_nothing_heavy_is_loaded_before_a_body_is_posed() -> None:
    code = (
        "import sys; import pipeline.body.model, pipeline.body.torso; "
        "import pipeline.formats.parameters, pipeline.formats.huge100k; "
        "sys.exit(' '.join({'torch', 'smplx', 'trimesh'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
