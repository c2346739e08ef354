"""Where body models lie, and what can be told of one without loading it.

The layouts are those that the smplx package knows. Refuses to pose anything.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import ConfigError, FormatError
from pipeline.formats.npy import parse_npz, require_no_code
from pipeline.formats.parameters import GENDERS

VARIABLE = "SMPLX_MODEL_DIR"
STAND_IN = "scan2k synthetic stand-in, not SMPL-X"  # what the project's own model says under `model_name`
_BESIDE = Path("body_models")  # in the data folder


def model_folder(data: Path, asked: Path | None = None) -> Path:
    """The folder that is asked for, or that $SMPLX_MODEL_DIR names, or DATA/body_models."""
    named = os.environ.get(VARIABLE)
    return asked or (Path(named) if named else data / _BESIDE)


def find_model(folder: Path, gender: str) -> Path | None:
    """The model of a gender in a folder: SMPLX_{GENDER}.npz in its smplx folder or in itself.

    `folder` may also be such a file; then it is the one model for the gender in its name.
    """
    name = f"SMPLX_{gender.upper()}.npz"
    if folder.name == name and folder.is_file():
        return folder
    places = (folder / "smplx" / name, folder / name)
    return next((place for place in places if place.is_file()), None)


def find_models(folder: Path) -> list[Path]:
    """The models of all genders in a folder, the neutral one first."""
    found = (find_model(folder, gender) for gender in GENDERS)
    return [path for path in found if path]


def require_model(folder: Path, gender: str) -> Path:
    """The model of a gender in a folder, safe to load; or one line on what to do about it."""
    path = find_model(folder, gender)
    if path is None:
        raise ConfigError(_absence(folder, f"SMPLX_{gender.upper()}"))
    try:
        with path.open("rb") as file:
            require_no_code(file)
    except (OSError, FormatError) as error:
        raise ConfigError(f"{path}: {error}; get the file anew from SMPL-X's authors") from error
    return path


def is_stand_in(path: Path) -> bool:
    """Whether a model file is this project's own, and not the licensed one under the same name."""
    try:
        with path.open("rb") as file:
            return str(parse_npz(file, ["model_name"]).get("model_name")) == STAND_IN
    except (OSError, FormatError):
        return False


def _absence(folder: Path, name: str) -> str:
    if any((place / f"{name}.pkl").exists() for place in (folder, folder / "smplx")):
        return f"{folder} has {name}.pkl alone, which could run code; put {name}.npz beside it"
    return f"{folder} has no smplx/{name}.npz; put it there, or set {VARIABLE} to the folder that has it"
