"""Bodies that somebody laid into a scan: SMPL-X's own vertices in the scan's coordinates, OBJ or NPZ.

Refuses to know how well they lie there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import FormatError
from pipeline.formats import obj_read
from pipeline.formats.bounded import read_whole
from pipeline.formats.npy import parse_npz
from pipeline.formats.numbers import exactly
from pipeline.records import F32


def read_registered(path: Path) -> F32:
    """The vertices (10475, 3) of a registered body; an NPZ file has them under `vertices`."""
    if path.suffix.lower() != ".npz":
        return obj_read.read_registered(path)
    raw = read_whole(path)
    try:
        content = parse_npz(raw, ["vertices"])
        if "vertices" not in content:
            raise FormatError("has no vertices; is it a registered SMPL-X body?")
        return exactly(content["vertices"], "vertices", (obj_read.BODY_VERTICES, 3)).astype(np.float32)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
