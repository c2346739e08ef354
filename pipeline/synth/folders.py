"""Where each layout keeps a person's files, under a data folder, and in which formats.

The scan itself is written last: where it is, the rest is too. Refuses to know how people are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.formats import joints as joint_files
from pipeline.formats import parameters
from pipeline.formats.obj import write_obj
from pipeline.formats.ply import write_ply
from pipeline.records import F64, BodyParameters, Bool, Mesh
from pipeline.synth.atlas import size_for, texture_of, unwrap
from pipeline.synth.defects import CENTIMETRES, Skin
from pipeline.synth.joints import kp3ds, whole_body
from pipeline.synth.shape import GENDER_STEP, SHAPE_NAMES
from pipeline.synth.synergies import hand_from_pca, hand_to_pca

# made up, and none of them a name that the RenderPeople list knows
_NAMES = "arvo bente ciro dalia edda fenn gorm hanna ivo juna kaspar lotte milo nanna odin pia".split()


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """What is written of one person."""

    skin: Skin
    body: BodyParameters
    joints: F64  # (144, 3)
    registered: Mesh


@dataclass(frozen=True)
class Layout:
    """One dataset's way of keeping people; `base` is the data folder, `dataset` a folder in its obj."""

    dataset: str
    name: Callable[[int], str]  # of person number 0, 1, ...
    scan: Callable[[Path, str, str], Path]  # base, dataset, name -> the scan's own file
    truth: Callable[[Path], Path]  # the scan's file -> the truth beside it
    write: Callable[[Path, str, str, Person], None]  # base, dataset, name, person
    fit: Callable[[BodyParameters], BodyParameters] = lambda body: body


def _five_digits(number: int) -> str:
    return f"{number + 1:05d}"


def _known(joints: F64) -> Bool:
    return np.ones(len(joints), dtype=np.bool_)


def _coloured(skin: Skin) -> Mesh:
    return Mesh(skin.vertices, skin.faces, skin.colors)


def _textured(skin: Skin) -> Mesh:
    atlas = unwrap(skin.rest, skin.faces, size_for(len(skin.rest)))
    texture = texture_of(atlas, skin.faces, skin.colors)
    return Mesh(
        skin.vertices,
        skin.faces,
        uvs=atlas.uvs,
        face_uvs=atlas.face_uvs,
        textures=(texture,),
        face_textures=np.zeros(len(skin.faces), dtype=np.int32),
    )


def _scan_2k2k(base: Path, dataset: str, name: str) -> Path:
    return base / "obj" / dataset / name / f"{name}.ply"


def _write_2k2k(base: Path, dataset: str, name: str, person: Person) -> None:
    """The files of the new release, in the folders of the published renderer."""
    scan = _scan_2k2k(base, dataset, name)
    points = kp3ds(person.joints)
    parameters.write_json(scan.with_suffix(".json"), person.body)
    joint_files.write_kp3ds(scan.with_name("kp3ds.json"), points, np.ones(len(points)))
    write_obj(scan.with_name("smplx10475_rigid_mesh.obj"), person.registered)
    write_ply(scan, _coloured(person.skin))


def _scan_thuman2(base: Path, dataset: str, name: str) -> Path:
    return base / "obj" / dataset / "data" / name / f"{name}.obj"


def _fit_thuman2(body: BodyParameters) -> BodyParameters:
    """The same body as the male model has it, with hands that 12 coefficients can say."""
    betas = body.betas.copy()
    betas[SHAPE_NAMES.index("manliness")] += GENDER_STEP[body.gender] - GENDER_STEP["male"]
    return replace(
        body,
        gender="male",
        betas=betas,
        left_hand_pose=hand_from_pca(hand_to_pca(body.left_hand_pose, "left"), "left"),
        right_hand_pose=hand_from_pca(hand_to_pca(body.right_hand_pose, "right"), "right"),
    )


def _write_thuman2(base: Path, dataset: str, name: str, person: Person) -> None:
    fitted = base / "obj" / dataset / "smplx" / name
    hands = [
        hand_to_pca(pose, side)
        for pose, side in ((person.body.left_hand_pose, "left"), (person.body.right_hand_pose, "right"))
    ]
    points = whole_body(person.joints)
    parameters.write_pickle(fitted / "smplx_param.pkl", person.body, *hands)
    write_obj(fitted / "mesh_smplx.obj", person.registered)
    joint_files.write_joint3d(base / "Joint3D" / dataset / f"{name}.json", points, _known(points))
    write_obj(_scan_thuman2(base, dataset, name), _textured(person.skin))


def _name_renderpeople(number: int) -> str:
    turn, place = divmod(number, len(_NAMES))
    return f"rp_{_NAMES[place]}_posed_{turn + 1:03d}"


def _scan_renderpeople(base: Path, dataset: str, name: str) -> Path:
    return base / "obj" / dataset / f"{name}_OBJ" / f"{name}_100k.obj"


def _fit_renderpeople(body: BodyParameters) -> BodyParameters:
    return replace(body, scale=CENTIMETRES)


def _write_renderpeople(base: Path, dataset: str, name: str, person: Person) -> None:
    scan = _scan_renderpeople(base, dataset, name)
    points = whole_body(person.joints)
    parameters.write_json(scan.with_name(f"{name}_smplx.json"), person.body)
    write_obj(scan.with_name("smplx10475_rigid_mesh.obj"), person.registered)
    joint_files.write_joint3d(base / "Joint3D" / dataset / f"{name}.json", points, _known(points))
    write_obj(scan, _textured(person.skin), material=f"{name}_100k.mtl", texture=f"tex/{name}_dif_8k.jpg")


def _scan_folder(base: Path, dataset: str, name: str) -> Path:
    return base / "obj" / dataset / f"{name}.ply"


def _write_folder(base: Path, dataset: str, name: str, person: Person) -> None:
    """One file a scan with its sidecars, told by the ends of their names."""
    scan = _scan_folder(base, dataset, name)
    points = whole_body(person.joints)
    parameters.write_json(scan.with_suffix(".json"), person.body)
    joint_files.write_joint3d(scan.with_suffix(".joints.json"), points, _known(points))
    write_obj(scan.with_suffix(".registered.obj"), person.registered)
    write_ply(scan, _coloured(person.skin))


def _beside(scan: Path) -> Path:
    return scan.with_name("truth.json")


LAYOUTS = {
    "2k2k": Layout("2K2K", _five_digits, _scan_2k2k, _beside, _write_2k2k),
    "thuman2": Layout(
        "THuman2", lambda number: f"{number:04d}", _scan_thuman2, _beside, _write_thuman2, _fit_thuman2
    ),
    "renderpeople": Layout(
        "RP", _name_renderpeople, _scan_renderpeople, _beside, _write_renderpeople, _fit_renderpeople
    ),
    "folder": Layout(
        "folder", _five_digits, _scan_folder, lambda scan: scan.with_suffix(".truth.json"), _write_folder
    ),
}
