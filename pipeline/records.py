"""Every type that crosses from one room to another.

Refuses to compute: a record checks its shapes and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh: V vertices, F faces, and the colour of one kind or the other.

    `colors` (V, 3) are the vertices' own; `uvs` (T, 2) with `face_uvs` (F, 3) point into `texture`
    (H, W, 3), row 0 at the top, v = 1 at the top.
    """

    vertices: F32
    faces: I32
    colors: U8 | None = None
    uvs: F32 | None = None
    face_uvs: I32 | None = None
    texture: U8 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BodyParameters:
    """One SMPL-X body: rotations as axis-angle (radians), hands without PCA, relative to the hand mean.

    Posed vertices are `smplx(...) * scale + translation`, in the scan's own coordinates.
    """

    gender: str
    betas: F64  # (10,)
    expression: F64  # (10,)
    global_orient: F64  # (3,)
    body_pose: F64  # (21, 3)
    jaw_pose: F64  # (3,)
    leye_pose: F64  # (3,)
    reye_pose: F64  # (3,)
    left_hand_pose: F64  # (15, 3)
    right_hand_pose: F64  # (15, 3)
    transl: F64 = field(default_factory=lambda: np.zeros(3))
    translation: F64 = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0
