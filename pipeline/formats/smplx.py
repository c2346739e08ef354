"""SMPL-X parameters beside a scan, as JSON or NPZ. Refuses pickles."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pipeline.errors import FormatError
from pipeline.records import F64

_ORIENT = "global_orient"


def read_global_orient(path: Path) -> F64:
    """The root rotation (3,) as axis-angle in radians."""
    try:
        value = _json_value(path) if path.suffix == ".json" else _npz_value(path)
        orient = np.asarray(value, dtype=np.float64).ravel()
    except KeyError as error:
        raise FormatError(f"{path}: has no {_ORIENT}") from error
    except (OSError, ValueError, TypeError, BadZipFile, RecursionError) as error:
        raise FormatError(f"{path}: not readable SMPL-X parameters: {error}") from error
    if orient.shape != (3,) or not np.isfinite(orient).all():
        raise FormatError(f"{path}: {_ORIENT} is {orient.tolist()}; three finite numbers are needed")
    return orient


def _json_value(path: Path) -> object:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise FormatError(f"{path}: holds a {type(content).__name__}; an object with {_ORIENT} is needed")
    return content[_ORIENT]


def _npz_value(path: Path) -> object:
    with np.load(path, allow_pickle=False) as content:
        return content[_ORIENT]
