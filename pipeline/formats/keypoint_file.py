"""Keypoints of one view as published loaders read them: a NumPy file of (31, 3), which are u, v and 1.

A keypoint that is not known is 0, 0, 0. One that was found in a picture has its confidence in place of 1.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from pipeline.atomic import write_bytes
from pipeline.errors import FormatError
from pipeline.formats.blame import blaming
from pipeline.formats.npy import parse_npy
from pipeline.records import F64, Keypoints

COUNT = 31
_MOST_BYTES = 10_000


def write_keypoints(path: Path, keypoints: Keypoints, third: F64 | None = None) -> bytes:
    """Write u, v and `third` (31,), 1 unless given, of every known keypoint; what was written."""
    last = np.ones(COUNT) if third is None else third
    rows = np.column_stack([keypoints.uv, last]).astype(np.float64)
    stream = io.BytesIO()
    np.save(stream, np.where(keypoints.valid[:, None], rows, 0.0), allow_pickle=False)
    content = stream.getvalue()
    write_bytes(path, content, filled=True)
    return content


def read_keypoints(path: Path) -> F64:
    """The keypoints (31, 3) in a file."""
    with blaming(path):
        if not path.is_file():
            raise FormatError("is not a file")
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        rows = parse_npy(content)
        if not isinstance(rows, np.ndarray) or rows.shape != (COUNT, 3) or rows.dtype.kind != "f":
            raise FormatError(f"holds no keypoints: ({COUNT}, 3) numbers are needed")
        return rows.astype(np.float64)
