"""The joints and landmarks of a posed body, in the orders that datasets keep them in.

Refuses to know files and pixels.
"""

from __future__ import annotations

import numpy as np

from pipeline.records import F32, F64, BodyParameters, Mesh
from pipeline.synth.rig import deform, posed_joints
from pipeline.synth.skeleton import JOINT_INDEX
from pipeline.synth.template import SPECIAL, template

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_INDEX = {**JOINT_INDEX, **{name: len(JOINT_INDEX) + i for i, name in enumerate(SPECIAL)}}
_FACE = len(_INDEX)  # the first of 51 landmarks, brows to lips


def _hand(side: str) -> tuple[int, ...]:
    """Wrist, then each finger from the palm to the tip."""
    names = [f"{side}_wrist"]
    for finger in _FINGERS:
        names += [*(f"{side}_{finger}{n}" for n in (1, 2, 3)), f"{side[0]}{finger}"]
    return tuple(_INDEX[name] for name in names)


_LEGS = "hip knee ankle".split()
_ARMS = "shoulder elbow wrist".split()
_FEET = tuple(_INDEX[f"{s}{part}"] for s in "LR" for part in ("BigToe", "SmallToe", "Heel"))
_BODY_25 = (
    *(_INDEX[name] for name in ("nose", "neck")),
    *(_INDEX[f"{side}_{part}"] for side in ("right", "left") for part in _ARMS),
    _INDEX["pelvis"],
    *(_INDEX[f"{side}_{part}"] for side in ("right", "left") for part in _LEGS),
    *(_INDEX[name] for name in ("reye", "leye", "rear", "lear")),
    *_FEET,
)
_COCO_17 = (
    *(_INDEX[name] for name in ("nose", "leye", "reye", "lear", "rear")),
    *(_INDEX[f"{side}_{part}"] for part in _ARMS + _LEGS for side in ("left", "right")),
)
_HANDS = (*_hand("left"), *_hand("right"))
_LANDMARKS = tuple(range(_FACE, _FACE + 51))
_CONTOUR = tuple(range(_FACE + 51, _FACE + 51 + 17))


def registered(body: BodyParameters) -> Mesh:
    """The template's 10,475 vertices in the scan's coordinates."""
    return Mesh(deform(template().vertices, body), template().faces)


def all_joints(body: BodyParameters) -> F64:
    """Joints (144, 3) as SMPL-X software lists them: 55, 21 on the surface, 51 in the face, 17 around it.

    The outline is that of a face seen from the front.
    """
    skin = template()
    vertices = registered(body).vertices
    faces = np.concatenate([skin.landmark_faces, skin.contour_faces[0]])
    weights = np.concatenate([skin.landmark_weights, skin.contour_weights[0]])
    face = np.einsum("nk,nki->ni", weights, vertices[skin.faces[faces]])
    return np.concatenate([posed_joints(body), _at(vertices, tuple(SPECIAL.values())), face])


def kp3ds(joints: F64) -> F64:
    """25 body, 21 left hand, 21 right hand and 51 face joints (118, 3), of joints (144, 3)."""
    return _at(joints, (*_BODY_25, *_HANDS, *_LANDMARKS))


def whole_body(joints: F64) -> F64:
    """COCO-WholeBody joints (133, 3): 17 body, 6 feet, 68 face, 21 left hand, 21 right hand."""
    return _at(joints, (*_COCO_17, *_FEET, *_CONTOUR, *_LANDMARKS, *_HANDS))


def _at(rows: F32 | F64, numbers: tuple[int, ...]) -> F64:
    return np.asarray(rows[list(numbers)], dtype=np.float64)
