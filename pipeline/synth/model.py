"""The synthetic people's body model in SMPL-X's file format, for software that knows only that format.

It is not SMPL-X: the template, shapes, weights and corrections are this project's own functions of space,
sampled at the template's vertices. Refuses to know torch and the smplx package.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt

from pipeline.atomic import replacing, require_writable, write_text
from pipeline.errors import ConfigError
from pipeline.formats.body_files import STAND_IN, is_stand_in
from pipeline.records import F32
from pipeline.synth.regressor import joint_regressor
from pipeline.synth.rig import BENDING, JOINTS, levers
from pipeline.synth.shape import COMPONENTS, GENDER_STEP, SHAPE_NAMES, basis, directions
from pipeline.synth.skeleton import JOINT_NAMES, PARENTS, REST
from pipeline.synth.synergies import components, hand_mean
from pipeline.synth.template import SPECIAL, template
from pipeline.synth.weights import subtree_shares, weights_of

NOTICE = """These files are NOT the SMPL-X model.

They hold the body model of scan2k's synthetic people, in the file format of SMPL-X so that
software which reads that format can pose them. The files have the names such software looks for.
Shape, expression and hand coefficients mean something else here than in SMPL-X: what was fitted
with one model is wrong with the other. Everything in them was made by scan2k and is under its
licence (Apache-2.0); nothing was taken from SMPL-X, whose model files are to be had from its
authors under their own terms.
"""
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip has no earlier date; a fixed one makes the bytes the same

Arrays = dict[str, npt.NDArray[Any]]


def write_body_model(out: Path) -> list[Path]:
    """Write the neutral, male and female model below a folder; what was written, the notice last."""
    require_writable(out)
    files = {gender: out / "smplx" / f"SMPLX_{gender.upper()}.npz" for gender in GENDER_STEP}
    for path in files.values():
        if path.exists() and not is_stand_in(path):
            raise ConfigError(f"{path} is not scan2k's and is left alone; give another folder")
    for gender, path in files.items():
        _write_npz(path, model_arrays(gender))
    notice = out / "NOTICE.txt"
    write_text(notice, NOTICE)
    return [*files.values(), notice]


def model_arrays(gender: str) -> Arrays:
    """Everything in the model file of one gender, by its key in the format."""
    shared = _shared()
    manliness = shared["shapedirs"][:, :, SHAPE_NAMES.index("manliness")]
    return {
        "v_template": template().vertices + np.float32(GENDER_STEP[gender]) * manliness,
        **shared,
        "gender": np.array(gender),
    }


@lru_cache(maxsize=1)
def _shared() -> Arrays:
    """What all genders have in common."""
    surface = template()
    shares = subtree_shares(surface.vertices)
    weights = weights_of(shares)
    place = np.ascontiguousarray(surface.vertices.T)
    moves = basis(place, weights)
    motions = np.concatenate([directions()[1], np.zeros((COMPONENTS, JOINTS, 3))])
    keypoints = sorted(SPECIAL, key=lambda name: SPECIAL[name])
    return {
        "model_name": np.array(STAND_IN),
        "f": surface.faces.astype(np.uint32),
        "shapedirs": np.ascontiguousarray(moves.transpose(2, 1, 0)),
        "posedirs": pose_directions(place, shares),
        "J_regressor": joint_regressor(surface.vertices, moves.transpose(0, 2, 1), REST, motions),
        "kintree_table": np.stack([PARENTS, np.arange(JOINTS, dtype=np.int32)]),
        "weights": np.ascontiguousarray(weights.T),
        "joint_names": np.array(JOINT_NAMES),
        "hands_componentsl": components("left"),
        "hands_componentsr": components("right"),
        "hands_meanl": hand_mean("left").reshape(45),
        "hands_meanr": hand_mean("right").reshape(45),
        "lmk_faces_idx": surface.landmark_faces,
        "lmk_bary_coords": surface.landmark_weights,
        "dynamic_lmk_faces_idx": surface.contour_faces,
        "dynamic_lmk_bary_coords": surface.contour_weights,
        "keypoint_names": np.array(keypoints),
        "keypoint_vertices": np.array([SPECIAL[name] for name in keypoints], dtype=np.int32),
    }


def pose_directions(points: F32, shares: F32) -> F32:
    """Motion (N, 3, 486) per element of each joint's rotation less the identity, for points (3, N)."""
    out = np.zeros((points.shape[1], 3, JOINTS - 1, 3, 3), dtype=np.float32)
    for joint in BENDING:
        near, lever = levers(points, shares[joint], joint)
        for a in range(3):
            for c in range(3):
                out[near, a, joint - 1, a, c] -= lever[c] / 2
                out[near, a, joint - 1, c, a] -= lever[c] / 2
    return out.reshape(len(out), 3, -1)


def _write_npz(path: Path, arrays: Arrays) -> None:
    """An npz file whose bytes depend on its arrays alone."""
    with replacing(path) as stream, ZipFile(stream, "w") as archive:
        for key, array in arrays.items():
            member = ZipInfo(f"{key}.npy", _EARLIEST)
            member.compress_type = ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
