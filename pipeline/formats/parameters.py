"""SMPL-X parameters in files: JSON and NPZ as released with 2K2K, and the pickle of THuman 2.

Refuses to know what the numbers do to a body.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.atomic import replacing, write_text
from pipeline.errors import FormatError
from pipeline.formats.bounded import read_whole
from pipeline.formats.npy import parse_npz
from pipeline.formats.numbers import exactly, flat, read_json
from pipeline.formats.pickled import loads
from pipeline.formats.unpickle import printable
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
GENDERS = ("neutral", "male", "female")
HAND_NUMBERS = 45  # of a hand's own rotations; fewer are coefficients of the model's hand components
_NEEDED = ("global_orient", "body_pose", "betas")
_HANDS = ("left_hand_pose", "right_hand_pose")
_NAMES = (*SHAPES, "translation", "scale", "gender")
_PICKLES = (".pkl", ".pickle")


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


def read_parameters(path: Path, gender: str = "neutral") -> BodyParameters:
    """The body in a JSON, NPZ or pickle file; what may be left out and is, counts as zero.

    `gender` is that of the dataset's bodies: it counts where the file names none.
    """
    content = _content(path)
    try:
        return body_of(content, gender)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def body_of(content: Mapping[str, object], gender: str) -> BodyParameters:
    """The body that named values say, `gender` where they name none."""
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise FormatError(f"has no {', '.join(missing)}; is it a file of SMPL-X parameters?")
    values: dict[str, Any] = {name: _value(content, name, shape) for name, shape in SHAPES.items()}
    left, right = (values[name] for name in _HANDS)
    if left.shape != right.shape:
        raise FormatError(f"hands have {left.size} and {right.size} numbers; both must be said alike")
    scale = exactly(content.get("scale", 1.0), "scale", (1,)).item()
    if scale <= 0:
        raise FormatError(f"scale is {scale:g}; one number above 0 is needed")
    place = exactly(content.get("translation", [0.0, 0.0, 0.0]), "translation", (3,))
    return BodyParameters(gender=_gender(content, gender), translation=place, scale=scale, **values)


def _content(path: Path) -> Mapping[str, object]:
    """The named values in a file, by the kind its name says."""
    kind = path.suffix.lower()
    if kind == ".json":
        content = read_json(path)
    elif kind in (".npz", *_PICKLES):
        raw = read_whole(path)
        try:
            content = parse_npz(raw, _NAMES) if kind == ".npz" else loads(raw)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error
    else:
        raise FormatError(f"{path}: parameters are read from .json, .npz and .pkl files")
    if not isinstance(content, dict):
        raise FormatError(f"{path}: holds a {type(content).__name__}; an object of named values is needed")
    return content


def _value(content: Mapping[str, object], name: str, shape: tuple[int, ...]) -> F64:
    if name not in content:
        return np.zeros(shape)
    if name not in _HANDS:
        return exactly(content[name], name, shape)
    numbers = flat(content[name], name, HAND_NUMBERS)
    if not len(numbers):
        raise FormatError(f"{name} has no numbers")
    return numbers.reshape(shape) if len(numbers) == HAND_NUMBERS else numbers


def _gender(content: Mapping[str, object], usual: str) -> str:
    said = content.get("gender", usual)
    if isinstance(said, np.ndarray) and said.size == 1 and said.dtype.kind in "SU":
        said = said.item()
    if isinstance(said, bytes):
        said = said.decode("latin-1")
    if said not in GENDERS:
        shown = printable(said) if isinstance(said, str) else f"a {type(said).__name__}"
        raise FormatError(f"gender is {shown}; it must be {', '.join(GENDERS)}")
    return str(said)
