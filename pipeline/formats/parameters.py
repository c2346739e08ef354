"""SMPL-X parameters in files: JSON and NPZ as released with 2K2K, and the pickle of THuman 2.

JSON and NPZ are read; pickles are only written. Refuses to know what the numbers do to a body.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from pipeline.atomic import replacing, write_text
from pipeline.errors import FormatError
from pipeline.records import F64, BodyParameters

SHAPES: dict[str, tuple[int, ...]] = {
    "global_orient": (3,),
    "transl": (3,),
    "body_pose": (21, 3),
    "betas": (10,),
    "jaw_pose": (3,),
    "leye_pose": (3,),
    "reye_pose": (3,),
    "left_hand_pose": (15, 3),
    "right_hand_pose": (15, 3),
    "expression": (10,),
}
_NEEDED = ("global_orient", "body_pose", "betas")


def to_dict(body: BodyParameters) -> dict[str, object]:
    """What a 2K2K parameter file holds: each value as one flat row.

    The layout has one translation, before scaling; `scale` is there only where it is not 1.
    """
    values = {name: np.asarray(getattr(body, name), dtype=np.float64) for name in SHAPES}
    values["transl"] = values["transl"] + body.translation / body.scale
    content: dict[str, object] = {name: [value.ravel().tolist()] for name, value in values.items()}
    if body.scale != 1.0:
        content["scale"] = body.scale
    return content | {"gender": body.gender}


def write_json(path: Path, body: BodyParameters) -> None:
    """Write parameters as JSON."""
    write_text(path, json.dumps(to_dict(body)) + "\n")


def write_npz(path: Path, body: BodyParameters) -> None:
    """Write parameters as NPZ."""
    with replacing(path) as stream:
        np.savez(stream, allow_pickle=False, **{k: np.asarray(v) for k, v in to_dict(body).items()})


def write_pickle(path: Path, body: BodyParameters, left_hand: F64, right_hand: F64) -> None:
    """Write parameters as THuman 2 has them; hands (12,) are coefficients of the hand components."""

    def row(values: F64) -> npt.NDArray[np.float32]:
        return np.ascontiguousarray(values, dtype=np.float32).reshape(1, -1)

    content = {
        "betas": row(body.betas),
        "expression": row(body.expression),
        "body_pose": row(body.body_pose),
        "global_orient": row(body.global_orient),
        "jaw_pose": row(body.jaw_pose),
        "leye_pose": row(body.leye_pose),
        "reye_pose": row(body.reye_pose),
        "left_hand_pose": row(left_hand),
        "right_hand_pose": row(right_hand),
        "translation": (body.translation + body.scale * body.transl).astype(np.float32),
        "scale": np.array(body.scale, dtype=np.float32),
    }
    with replacing(path) as stream:
        pickle.dump(content, stream, protocol=2)


def read_parameters(path: Path) -> BodyParameters:
    """The body in a JSON or NPZ file; what may be left out and is, counts as zero."""
    try:
        content = _read_npz(path) if path.suffix == ".npz" else _read_json(path)
        return _body(content)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except (OSError, ValueError, TypeError, BadZipFile, RecursionError) as error:
        raise FormatError(f"{path}: not readable SMPL-X parameters: {error}") from error


def _read_json(path: Path) -> Mapping[str, object]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise FormatError(f"holds a {type(content).__name__}; an object of named values is needed")
    return content


def _read_npz(path: Path) -> Mapping[str, object]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def _body(content: Mapping[str, object]) -> BodyParameters:
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise FormatError(f"has no {', '.join(missing)}")
    values = {name: _value(content, name) for name in SHAPES}
    scale = np.asarray(content.get("scale", 1.0), dtype=np.float64)
    if scale.size != 1 or not (np.isfinite(scale).all() and scale.item() > 0):
        raise FormatError(f"scale is {scale.tolist()}; one number above 0 is needed")
    return BodyParameters(
        gender=str(content.get("gender", "neutral")),
        betas=values["betas"],
        expression=values["expression"],
        global_orient=values["global_orient"],
        body_pose=values["body_pose"],
        jaw_pose=values["jaw_pose"],
        leye_pose=values["leye_pose"],
        reye_pose=values["reye_pose"],
        left_hand_pose=values["left_hand_pose"],
        right_hand_pose=values["right_hand_pose"],
        transl=values["transl"],
        scale=float(scale.item()),
    )


def _value(content: Mapping[str, object], name: str) -> F64:
    shape = SHAPES[name]
    value = np.asarray(content.get(name, np.zeros(shape)), dtype=np.float64)
    wanted, finite = int(np.prod(shape)), int(np.isfinite(value).sum())
    if value.size != wanted or finite != wanted:
        raise FormatError(f"{name} has {value.size} numbers, {finite} of them finite; {wanted} are needed")
    return value.reshape(shape)
