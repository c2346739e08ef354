"""A body model at rest, to compare registered bodies with.

Needs the model's file alone, neither torch nor smplx. Refuses to know registered bodies.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pipeline.errors import ConfigError
from pipeline.formats.body_files import require_model
from pipeline.records import Torso

_PELVIS = 0  # its place among the skeleton's joints


def read_torso(folder: Path, gender: str = "neutral") -> Torso:
    """The surface at rest of a gender's model in a folder, and how firmly it goes with the pelvis."""
    path = require_model(folder, gender)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rest, faces, weights = (np.asarray(arrays[name]) for name in ("v_template", "f", "weights"))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ConfigError(f"{path}: is no body model in SMPL-X's format: {error}") from error
    count = len(rest)
    if rest.shape != (count, 3) or faces.shape[1:] != (3,) or weights.shape[:1] != (count,) or not count:
        raise ConfigError(f"{path}: is no body model in SMPL-X's format: {rest.shape} vertices")
    if faces.size and not 0 <= faces.min() <= faces.max() < count:
        raise ConfigError(f"{path}: is no body model in SMPL-X's format: a face points at no vertex")
    pelvis = weights.reshape(count, -1)[:, _PELVIS]
    return Torso(rest.astype(np.float32), faces.astype(np.int32), pelvis.astype(np.float32))
