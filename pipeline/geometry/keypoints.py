"""The 31 keypoints: which joint of a source each is, where a view has it, and whether it can be seen there.

Refuses to know files, and who is the best source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import FormatError
from pipeline.geometry.camera import project
from pipeline.geometry.transform import REACH, aligned
from pipeline.records import F64, Alignment, Bool, Camera, ImageJoints, Joints, Keypoints, Places, Window

_FACE = ("nose", "left eye", "right eye", "left ear", "right ear")
_PAIRS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_FOOT = ("big toe", "small toe", "heel")
_FINGERS = ("index", "middle", "ring", "pinky")  # their knuckles
NAMES: tuple[str, ...] = (
    *_FACE,
    *(f"{side} {part}" for part in _PAIRS for side in ("left", "right")),
    *(f"{side} {part}" for side in ("left", "right") for part in _FOOT),
    *(f"{side} {finger}" for side in ("left", "right") for finger in _FINGERS),
)
COUNT = len(NAMES)
SMPLX_ORDER = "smplx-144"
NOBODY, NEIGHBOUR = "nothing", "neighbour"  # sources besides those that have files
_LEFT_HAND, _RIGHT_HAND, _KNUCKLES = 25, 46, (5, 9, 13, 17)  # of OpenPose: where hands start, and in a hand
_OPENPOSE = (
    0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, 19, 20, 21, 22, 23, 24,
    *(_LEFT_HAND + k for k in _KNUCKLES), *(_RIGHT_HAND + k for k in _KNUCKLES),
)  # fmt: skip
# the rows of the 31 in each order that joints come in
ROWS: dict[str, tuple[int, ...]] = {
    "coco-wholebody": (*range(23), 96, 100, 104, 108, 117, 121, 125, 129),
    "openpose-118": _OPENPOSE,
    "openpose-137": _OPENPOSE,  # the same, and a longer face at the end
    SMPLX_ORDER: (
        55, 57, 56, 59, 58, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8, 60, 61, 62, 63, 64, 65,
        25, 28, 34, 31, 40, 43, 49, 46,  # the skeleton has the pinky before the ring finger
    ),
}  # fmt: skip
# what no source has is taken to be at its neighbour, as published loaders do, which cannot do without
_NEIGHBOURS = (
    ("left ear", "left eye"),
    ("right ear", "right eye"),
    ("left heel", "left ankle"),
    ("right heel", "right ankle"),
    ("left big toe", "left small toe"),
    ("left small toe", "left big toe"),
    ("right big toe", "right small toe"),
    ("right small toe", "right big toe"),
)
# what an overlay draws between; knuckles hang on their wrist
BONES: tuple[tuple[int, int], ...] = tuple(
    (NAMES.index(a), NAMES.index(b))
    for a, b in (
        ("nose", "left eye"), ("nose", "right eye"), ("left eye", "left ear"), ("right eye", "right ear"),
        ("left shoulder", "right shoulder"), ("left hip", "right hip"),
        *((f"{side} {a}", f"{side} {b}") for side in ("left", "right") for a, b in (
            ("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"),
            ("knee", "ankle"), ("ankle", "heel"), ("ankle", "big toe"), ("big toe", "small toe"),
            *(("wrist", finger) for finger in _FINGERS),
        )),
    )
)  # fmt: skip
SIDES: tuple[str, ...] = tuple(name.split()[0] if " " in name else "middle" for name in NAMES)
COMPATIBLE = 1.037  # what the published code stretches a person by before it projects the keypoints
# How far behind the front surface a keypoint that can be seen lies at most, in aligned units, of which a
# standing person's height is 1/1.4. Set by benchmarks/keypoints.py, on people that its figures are not of.
_TOLERANCES = {
    "nose": 0.021, "eye": 0.012, "ear": 0.014, "shoulder": 0.056, "elbow": 0.045, "wrist": 0.029,
    "hip": 0.075, "knee": 0.048, "ankle": 0.055, "big toe": 0.014, "small toe": 0.017, "heel": 0.018,
    "index": 0.017, "middle": 0.017, "ring": 0.016, "pinky": 0.016,
}  # fmt: skip


def kind_of(name: str) -> str:
    """What a keypoint's name says besides the side."""
    return name.removeprefix("left ").removeprefix("right ")


TOLERANCE: F64 = np.array([_TOLERANCES[kind_of(name)] for name in NAMES])
Look = Callable[[F64], F64]  # positions (31, 2) in a picture to ray lengths (31,) of the front; 0 = nothing
Number = TypeVar("Number", bound=np.generic)


def rows_of(joints: Joints | ImageJoints) -> tuple[F64, F64]:
    """The 31 of a source's points (31, 3) or (31, 2), and how well each is known (31,); 0 = not at all."""
    if joints.convention not in ROWS:
        raise FormatError(
            f"joints in the order {joints.convention!r} have no known keypoints; "
            f"orders are {', '.join(ROWS)}"
        )
    rows = list(ROWS[joints.convention])
    known = np.isfinite(joints.points[rows]).all(axis=1)
    confidence = np.where(known, joints.confidence[rows], 0.0)
    return np.where(confidence[:, None] > 0, joints.points[rows], 0.0), confidence


def merged(sources: Mapping[str, tuple[F64, F64]]) -> Places:
    """The 31 from sources (points and confidence, in one space), each from the first that knows it.

    What none knows is then taken from its neighbour.
    """
    size = next((points.shape[1] for points, _ in sources.values()), 3)
    points, confidence, names = np.zeros((COUNT, size)), np.zeros(COUNT), [NOBODY] * COUNT
    for source, (theirs, sure) in sources.items():
        for k in np.flatnonzero((confidence == 0) & (sure > 0)):
            points[k], confidence[k], names[k] = theirs[k], sure[k], source
    found = Places(points, confidence, tuple(names))
    return _completed(found)


def _completed(found: Places) -> Places:
    """The same with what is missing at its neighbour's place, where that is known."""
    points, confidence, source = found.points.copy(), found.confidence.copy(), list(found.source)
    for name, neighbour in _NEIGHBOURS:
        k, other = NAMES.index(name), NAMES.index(neighbour)
        if not found.confidence[k] and found.confidence[other]:
            points[k], confidence[k] = found.points[other], found.confidence[other]
            source[k] = NEIGHBOUR
    return Places(points, confidence, tuple(source))


def aligned_rows(joints: Joints, alignment: Alignment) -> tuple[F64, F64]:
    """The 31 of a scan's joints, aligned (31, 3), and how well each is known (31,).

    What lies where no part of an aligned scan can, as in a file of other units, is not known.
    """
    points, confidence = rows_of(joints)
    moved = aligned(points.astype(np.float32), alignment).astype(np.float64)
    known = (confidence > 0) & (np.linalg.norm(moved, axis=1) <= REACH)
    return np.where(known[:, None], moved, 0.0), np.where(known, confidence, 0.0)


def in_view(places: Places, turn: F64, camera: Camera, front: Look, stretch: float = 1.0) -> Keypoints:
    """The keypoints of an aligned person that a view turns by (3, 3).

    `stretch` moves them as if the person were so much larger: COMPATIBLE puts them where published files
    have them. What can be seen is judged without it.
    """
    valid = places.confidence > 0
    turned = places.points @ turn.T
    exact, drawn = project(turned, camera), project(stretch * turned, camera)
    nearest = front(exact[:, :2])
    is_open = (nearest == 0) | (exact[:, 2] - nearest <= TOLERANCE)  # 0: the ray meets nothing at all
    return Keypoints(
        uv=np.where(valid[:, None], drawn[:, :2], 0.0),
        depth=np.where(valid, exact[:, 2], 0.0),
        confidence=places.confidence,
        valid=valid,
        visible=valid & is_open & _is_inside(exact, camera),
        source=places.source,
    )


def in_picture(person: ImageJoints, source: str) -> Keypoints:
    """The keypoints that somebody found in a picture: their depth is not known, and stays 0."""
    found = merged({source: rows_of(person)})
    valid = found.confidence > 0
    return Keypoints(found.points, np.zeros(COUNT), found.confidence, valid, valid, found.source)


def best_of(people: Sequence[ImageJoints]) -> ImageJoints | None:
    """The person whom a picture is of: largest and surest, the first of equals; None = nobody is found.

    That is the sum of the 31 confidences, times the diagonal of the box around those that are known.
    """
    worth = [_worth(person) for person in people]
    most = max(worth, default=0.0)
    return people[worth.index(most)] if most > 0 else None


def _worth(person: ImageJoints) -> float:
    points, confidence = rows_of(person)
    known = points[confidence > 0]
    return float(confidence.sum() * np.linalg.norm(np.ptp(known, axis=0))) if len(known) else 0.0


def _is_inside(image: F64, camera: Camera) -> Bool:
    """Which positions (N, 2 or more) are in the picture (N,)."""
    u, v = image[:, 0], image[:, 1]
    return np.asarray((u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height))


def pixels_at(picture: npt.NDArray[Number], window: Window | None, positions: F64) -> npt.NDArray[Number]:
    """The pixels (N,) at positions (N, 2) of the whole that a picture (h, w) lies in; 0 = outside of it."""
    column, row = np.floor(positions).astype(np.int64).T
    if window is not None:
        column, row = column - window.left, row - window.top
    height, width = picture.shape
    hit = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found: npt.NDArray[Number] = np.zeros(len(positions), dtype=picture.dtype)
    found[hit] = picture[row[hit], column[hit]]
    return found
