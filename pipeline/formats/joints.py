"""3D joints in JSON: `kp3ds.json` of 2K2K, and the Joint3D files of THuman 2 and RenderPeople.

Refuses to know which row is which joint.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.atomic import write_text
from pipeline.errors import FormatError
from pipeline.records import F64, Bool

_DIGITS = 9  # significant ones, whatever the unit
KP3DS = 118


def write_kp3ds(path: Path, joints: F64, confidence: F64) -> None:
    """Write 25 body, 2 x 21 hand and 51 face joints (118, 3) with their confidence (118,)."""
    if joints.shape != (KP3DS, 3):
        raise FormatError(f"{path.name}: joints are {joints.shape}; ({KP3DS}, 3) is what the file holds")
    rows = np.concatenate([joints, confidence[:, None]], axis=1)
    write_text(path, json.dumps(_short(rows)) + "\n")


def write_joint3d(path: Path, joints: F64, visible: Bool) -> None:
    """Write joints (N, 3) and whether each is known (N,)."""
    content = {"joint3d": _short(joints), "visible": [int(v) for v in visible]}
    write_text(path, json.dumps(content) + "\n")


def read_kp3ds(path: Path) -> F64:
    """The joints in a kp3ds file (118, 4): x, y, z, confidence."""
    try:
        rows = np.asarray(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: not readable joints: {error}") from error
    if rows.shape != (KP3DS, 4) or not np.isfinite(rows).all():
        raise FormatError(f"{path}: holds {rows.shape}; ({KP3DS}, 4) finite numbers are needed")
    return rows


def _short(rows: F64) -> list[list[float]]:
    return [[float(f"{value:.{_DIGITS}g}") for value in row] for row in rows]
