"""The files of synthetic people: where datasets have them, readable by others, and true."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from pipeline.errors import ConfigError
from pipeline.formats.joints import read_joint3d, read_kp3ds
from pipeline.formats.parameters import read_parameters
from pipeline.formats.ply import read_ply
from pipeline.geometry.mesh import area_centre
from pipeline.geometry.transform import front_yaw, scale_about
from pipeline.records import BodyParameters
from pipeline.synth import folders, layouts
from pipeline.synth.defects import Defects
from pipeline.synth.figure import figure_of
from pipeline.synth.folders import LAYOUTS
from pipeline.synth.joints import kp3ds, smplx_joints, whole_body
from pipeline.synth.layouts import SynthRequest, write_people
from pipeline.synth.person import draw
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.scan import make_scan
from pipeline.synth.skeleton import JOINT_NAMES
from pipeline.synth.synergies import hand_from_pca
from pipeline.synth.template import template

VERTICES = 6000
EVERYWHERE = Defects(yaw=True, origin=True)
RP = "obj/RP/rp_arvo_posed_001_OBJ"
FILES = {
    "2k2k": [
        "obj/2K2K/00001/00001.json",
        "obj/2K2K/00001/00001.ply",
        "obj/2K2K/00001/kp3ds.json",
        "obj/2K2K/00001/smplx10475_rigid_mesh.obj",
        "obj/2K2K/00001/truth.json",
    ],
    "thuman2": [
        "Joint3D/THuman2/0000.json",
        "obj/THuman2/data/0000/0000.obj",
        "obj/THuman2/data/0000/material0.jpeg",
        "obj/THuman2/data/0000/material0.mtl",
        "obj/THuman2/data/0000/truth.json",
        "obj/THuman2/smplx/0000/mesh_smplx.obj",
        "obj/THuman2/smplx/0000/smplx_param.pkl",
    ],
    "renderpeople": [
        "Joint3D/RP/rp_arvo_posed_001.json",
        f"{RP}/rp_arvo_posed_001_100k.mtl",
        f"{RP}/rp_arvo_posed_001_100k.obj",
        f"{RP}/rp_arvo_posed_001_smplx.json",
        f"{RP}/smplx10475_rigid_mesh.obj",
        f"{RP}/tex/rp_arvo_posed_001_dif_8k.jpg",
        f"{RP}/truth.json",
    ],
    "folder": [
        "obj/folder/00001.joints.json",
        "obj/folder/00001.json",
        "obj/folder/00001.ply",
        "obj/folder/00001.registered.obj",
        "obj/folder/00001.truth.json",
    ],
}


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans are made once and handed out again: for tests about files, not about people."""
    monkeypatch.setattr(layouts, "make_scan", MAKE_ONCE)


MAKE_ONCE = cache(make_scan)


def quiet(_: str) -> None:
    """Nobody listens."""


def request(out: Path, layout: str = "2k2k", **more: object) -> SynthRequest:
    return SynthRequest(out, people=1, seed=3, layout=layout, vertices=VERTICES, **more)  # type: ignore[arg-type]


def written(out: Path) -> dict[str, str]:
    files = sorted(p for p in out.rglob("*") if p.is_file())
    return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person in every layout, turned and moved."""
    out = tmp_path_factory.mktemp("people")
    for layout in LAYOUTS:
        write_people(request(out, layout, defects=EVERYWHERE), quiet)
    return out


def truth_of(people: Path, layout: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (people / next(f for f in FILES[layout] if f.endswith("truth.json"))).read_text()
    )
    return content


def scan_of(people: Path, layout: str) -> trimesh.Trimesh:
    name = {"2k2k": 1, "thuman2": 1, "renderpeople": 2, "folder": 2}[layout]
    return trimesh.load(people / FILES[layout][name], process=False)


def body_of(people: Path, layout: str) -> BodyParameters:
    if layout != "thuman2":
        name = {"2k2k": 0, "renderpeople": 3, "folder": 1}[layout]
        return read_parameters(people / FILES[layout][name])
    body = read_parameters(people / FILES[layout][6], gender="male")
    hands = {s: hand_from_pca(getattr(body, f"{s}_hand_pose"), s) for s in ("left", "right")}
    return replace(body, left_hand_pose=hands["left"], right_hand_pose=hands["right"])


def test_all_files_lie_where_the_dataset_has_them(people: Path) -> None:
    assert sorted(written(people)) == sorted(name for names in FILES.values() for name in names)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_truth_is_what_the_scan_measures(people: Path, layout: str) -> None:
    mesh, truth = scan_of(people, layout), truth_of(people, layout)
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float32), np.asarray(mesh.faces, dtype=np.int32)
    unit = truth["units_a_metre"]
    assert unit == (100 if layout == "renderpeople" else 1)
    centre = area_centre(vertices, faces)
    assert np.allclose(centre, truth["centre"], atol=2e-6 * unit)
    assert scale_about(vertices, centre) == pytest.approx(truth["scale"], rel=1e-5)
    assert 1.2 < np.ptp(vertices[:, 1]) / unit < 2.4
    assert len(np.unique(faces)) == len(vertices) or mesh.visual.kind == "texture"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_parameters_joints_and_mesh_say_the_same(people: Path, layout: str) -> None:
    body, truth = body_of(people, layout), truth_of(people, layout)
    joints = np.array([truth["joints"][name] for name in JOINT_NAMES])
    unit = truth["units_a_metre"]
    assert np.allclose(posed_joints(body), joints, atol=2e-6 * unit if layout == "thuman2" else 1e-8 * unit)
    assert front_yaw(body.global_orient) == pytest.approx(truth["front_yaw"], abs=1e-6)
    name = {"2k2k": 3, "thuman2": 5, "renderpeople": 4, "folder": 3}[layout]
    vertices = np.asarray(trimesh.load(people / FILES[layout][name], process=False).vertices)
    assert vertices.shape == (10475, 3)
    assert np.allclose(vertices, deform(template().vertices, body), atol=1e-5 * unit)


def test_all_layouts_hold_the_same_person(people: Path) -> None:
    first = np.array(list(truth_of(people, "2k2k")["joints"].values()))
    for layout in LAYOUTS:
        truth = truth_of(people, layout)
        joints = np.array(list(truth["joints"].values())) / truth["units_a_metre"]
        off = np.linalg.norm(joints - joints[0] - first + first[0], axis=1)
        assert off.max() < 1e-6


def test_joint_files_hold_the_joints_of_the_body(people: Path) -> None:
    points = smplx_joints(body_of(people, "2k2k"))
    assert np.allclose(read_kp3ds(people / FILES["2k2k"][2]).points, kp3ds(points), atol=1e-8)
    for layout, name in (("thuman2", 0), ("renderpeople", 0), ("folder", 0)):
        content = read_joint3d(people / FILES[layout][name])
        expected = whole_body(smplx_joints(body_of(people, layout)))
        assert np.allclose(content.points, expected, atol=1e-3 if layout == "renderpeople" else 1e-5)
        assert content.confidence.tolist() == [1] * 133


def test_the_31_keypoints_are_the_same_in_every_order() -> None:
    """The table of docs/conventions.md, column against column."""
    points = smplx_joints(figure_of(draw(3, 1)).body)
    smplx = [55, 57, 56, 59, 58, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8, 60, 61, 62, 63, 64, 65]
    smplx += [25, 28, 34, 31, 40, 43, 49, 46]
    coco = [*range(23), 96, 100, 104, 108, 117, 121, 125, 129]
    openpose = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, 19, 20, 21, 22, 23, 24]
    openpose += [25 + i for i in (5, 9, 13, 17)] + [46 + i for i in (5, 9, 13, 17)]
    assert np.array_equal(whole_body(points)[coco], points[smplx])
    assert np.array_equal(kp3ds(points)[openpose], points[smplx])


@pytest.mark.parametrize("layout", ["thuman2", "renderpeople"])
def test_a_textured_scan_has_the_colours_of_the_plain_one(people: Path, layout: str) -> None:
    plain, mesh = read_ply(people / FILES["2k2k"][1]), scan_of(people, layout)
    image = np.asarray(mesh.visual.material.image.convert("RGB"), dtype=float)
    middles = np.asarray(mesh.visual.uv)[mesh.faces].mean(axis=1)
    column = np.floor(middles[:, 0] * image.shape[1]).astype(int)
    row = np.floor((1 - middles[:, 1]) * image.shape[0]).astype(int)
    shown = image[row, column]
    assert plain.colors is not None
    meant = plain.colors[plain.faces].astype(float).mean(axis=1)
    off = np.abs(shown - meant).max(axis=1)
    assert np.median(off) < 4
    assert np.percentile(off, 95) < 25


def test_the_same_request_gives_the_same_bytes_in_another_process(people: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from pipeline.synth.layouts import *; "
        "from pipeline.synth.defects import Defects; "
        f"write_people(SynthRequest(Path({str(tmp_path)!r}), people=1, seed=3, layout='thuman2', "
        f"vertices={VERTICES}, defects=Defects(yaw=True, origin=True)), print)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1], stdout=-3)
    here = written(people)
    there = written(tmp_path)
    assert there == {name: here[name] for name in there}
    assert sorted(there) == sorted(FILES["thuman2"])


@pytest.mark.usefixtures("remembered")
def test_what_is_there_is_kept_and_what_is_missing_is_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    first = write_people(request(tmp_path), said.append)
    before = written(tmp_path)
    again = write_people(request(tmp_path), said.append)
    assert (first.made, first.kept, again.made, again.kept) == (1, 0, 0, 1)
    assert said[-1] == "00001 (1 of 1): kept"
    (tmp_path / FILES["2k2k"][1]).unlink()
    assert write_people(request(tmp_path), quiet).made == 1
    assert written(tmp_path) == before


@pytest.mark.usefixtures("remembered")
def test_other_options_make_the_person_anew(tmp_path: Path) -> None:
    write_people(request(tmp_path), quiet)
    before = written(tmp_path)
    assert write_people(replace(request(tmp_path), seed=4), quiet).made == 1
    after = written(tmp_path)
    assert before.keys() == after.keys()
    assert before[FILES["2k2k"][1]] != after[FILES["2k2k"][1]]


@pytest.mark.usefixtures("remembered")
def test_a_named_pose_is_everybodys(tmp_path: Path) -> None:
    write_people(replace(request(tmp_path), pose="sitting"), quiet)
    truth = json.loads((tmp_path / FILES["2k2k"][1]).with_name("truth.json").read_text())
    assert truth["pose"] == "sitting"
    knees = np.array(truth["parameters"]["body_pose"]).reshape(21, 3)[[3, 4]]
    assert (np.degrees(np.linalg.norm(knees, axis=1)) > 70).all()


def test_a_scan_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILES["2k2k"][1]
    path.parent.mkdir(parents=True)
    path.write_text("a real scan")
    with pytest.raises(ConfigError, match="was not made by scan2k"):
        write_people(request(tmp_path), quiet)
    assert list(written(tmp_path)) == [FILES["2k2k"][1]]
    assert path.read_text() == "a real scan"


@pytest.mark.usefixtures("remembered")
@pytest.mark.parametrize("layout", ["2k2k", "thuman2"])
def test_an_interrupted_run_leaves_no_scan_and_no_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folders, "write_ply", interrupted)
        patch.setattr("pipeline.formats.obj._triangles", interrupted)
        patch.setattr(folders, "_coloured", lambda skin: None)
        with pytest.raises(KeyboardInterrupt):
            write_people(request(tmp_path, layout), quiet)
    assert not [name for name in written(tmp_path) if name.endswith((".ply", ".tmp"))]
    assert not (tmp_path / "obj" / "THuman2" / "data" / "0000" / "0000.obj").exists()
    assert write_people(request(tmp_path, layout), quiet).made == 1


def test_a_place_that_cannot_be_written_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "obj").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_people(request(tmp_path), quiet)


def test_a_request_that_makes_no_sense_names_what_would(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="no layout 'smpl'; choose from 2k2k, thuman2, renderpeople, folder"
    ):
        SynthRequest(tmp_path, layout="smpl")
    with pytest.raises(ConfigError, match="no pose 'flying'; choose from t-pose, a-pose, standing"):
        SynthRequest(tmp_path, pose="flying")
    with pytest.raises(ConfigError, match="people is 0; it must be from 1 to"):
        SynthRequest(tmp_path, people=0)
    with pytest.raises(ConfigError, match="vertices is 12; it must be from"):
        SynthRequest(tmp_path, vertices=12)


def test_no_made_up_name_is_one_that_is_turned_or_scaled_by_default() -> None:
    names = [LAYOUTS["renderpeople"].name(i) for i in range(300)]
    assert len(set(names)) == 300
    known = (
        "wendy toshiro scott pamela oliver noah mira luke jessica helen eve eric emma dennis chloe anna "
    )
    known += "andrew maya petra michael mei joel ethan elena christine beatrice"
    assert not {n.split("_")[1] for n in names} & set(known.split())
