"""The template of the body model: the bare body at rest as 10,475 vertices, and the landmarks on it.

Reads what ships with the package; refuses to know how it was made (tools/make_template.py) or moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from pipeline.records import F32, I32

VERTICES = 10475
# the numbers under which the smplx package looks for keypoints on the surface
SPECIAL = {
    "nose": 9120, "reye": 9929, "leye": 9448, "rear": 616, "lear": 6,
    "LBigToe": 5770, "LSmallToe": 5780, "LHeel": 8846, "RBigToe": 8463, "RSmallToe": 8474, "RHeel": 8635,
    "lthumb": 5361, "lindex": 4933, "lmiddle": 5058, "lring": 5169, "lpinky": 5286,
    "rthumb": 8079, "rindex": 7669, "rmiddle": 7794, "rring": 7905, "rpinky": 8022,
}  # fmt: skip
# the turn of the head, degrees to its left, that each row of the contour is for
CONTOUR_TURNS = (*(-d for d in range(40)), *range(1, 40))


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Vertices and faces, and landmarks as places in faces (barycentric)."""

    vertices: F32  # (10475, 3)
    faces: I32  # (F, 3), outward
    landmark_faces: I32  # (51,)
    landmark_weights: F32  # (51, 3)
    contour_faces: I32  # (79, 17)
    contour_weights: F32  # (79, 17, 3)


@lru_cache(maxsize=1)
def template() -> Template:
    """The template that ships with the package."""
    with (
        (files("pipeline.synth") / "data" / "template.npz").open("rb") as stream,
        np.load(stream) as stored,
    ):
        return Template(
            vertices=stored["vertices"],
            faces=stored["faces"].astype(np.int32),
            landmark_faces=stored["landmark_faces"].astype(np.int32),
            landmark_weights=stored["landmark_weights"],
            contour_faces=stored["contour_faces"].astype(np.int32),
            contour_weights=stored["contour_weights"],
        )
