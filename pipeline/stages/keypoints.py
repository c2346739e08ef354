"""Keypoints: the 31 of one person, in the views that are wanted, and which of them can be seen.

What hides them is read back from the front's depth images. Writes one small file a view and, if asked, a
picture to look at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.body.model import BodyModels
from pipeline.config import ORTHOGRAPHIC, RenderRequest
from pipeline.datasets.joints import read_joints
from pipeline.errors import ConfigError
from pipeline.formats.digest import digest_of
from pipeline.formats.exr import read_exr_depth
from pipeline.formats.image import read_color, read_grey16
from pipeline.formats.keypoint_file import write_keypoints
from pipeline.formats.overlay import write_overlay
from pipeline.formats.parameters import read_parameters
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import decode
from pipeline.geometry.fit import OF_PARAMETERS, trusted
from pipeline.geometry.keypoints import (
    BONES,
    COMPATIBLE,
    SIDES,
    SMPLX_ORDER,
    Look,
    aligned_rows,
    in_view,
    merged,
    pixels_at,
)
from pipeline.geometry.transform import view_turn
from pipeline.records import Alignment, Body, Camera, Joints, Places, Subject
from pipeline.rows import MarkedView, Place, WrittenFile
from pipeline.store import DEPTH, KEYPOINT, OVERLAY, SHADED, Picture, Workspace

FROM_PARAMETERS = "parameters"
_COLUMN = "keypoints_file"


@dataclass(frozen=True, eq=False)
class Wish:
    """How views are to be marked: as in a request, with bodies posed by `models` where there are any.

    `overlays` asks for pictures to look at, `compatible` for the published files' places.
    """

    request: RenderRequest
    models: BodyModels | None = None
    overlays: bool = False
    compatible: bool = False


def keypoints_on(joints: tuple[str, Joints] | None, body: Body | None, alignment: Alignment) -> Places:
    """The 31 on an aligned person: of joints, and what they are called, before those of a fitted body."""
    sources = {}
    if joints:
        sources[joints[0]] = aligned_rows(joints[1], alignment)
    if body:
        every = Joints(body.joints, np.ones(len(body.joints)), SMPLX_ORDER)
        sources[FROM_PARAMETERS] = aligned_rows(every, alignment)
    return merged(sources)


def run(
    work: Workspace, subject: Subject, alignment: Alignment, wish: Wish, places: Iterable[Place]
) -> list[MarkedView]:
    """The keypoints of one person seen from these places, each written to its file.

    Who has none gets files all the same, of zeros: published loaders open one for every line of a list.
    """
    request = wish.request
    if "depth" not in request.passes:
        raise ConfigError("what hides a keypoint is read from the depth images: ask for depth as well")
    if wish.overlays and "shaded" not in request.passes:
        raise ConfigError("overlays are drawn over the shaded images: ask for shaded as well")
    joints = read_joints(work, subject)
    body = _posed(work, subject, alignment, wish.models)
    named = (subject.joints_kind or "", joints) if joints else None
    found = keypoints_on(named, body, alignment)
    return [_mark(work, subject.id, found, place, wish) for place in places]


def _posed(
    work: Workspace, subject: Subject, alignment: Alignment, models: BodyModels | None
) -> Body | None:
    """The body that a subject's parameters stand for, where it was found to lie in the scan."""
    fit = next((fit for fit in alignment.fits if fit.source == OF_PARAMETERS), None)
    if models is None or subject.parameters is None or fit is None:
        return None
    given = read_parameters(work.absolute(subject.parameters), subject.gender)
    body = trusted(given, fit)
    return models.posed(body) if body else None


def _mark(work: Workspace, scan: str, found: Places, place: Place, wish: Wish) -> MarkedView:
    """One view's keypoints, written."""

    def file(kind: str, format: str) -> str:
        return Picture(kind, "front", format, place.projection).path(place.view, scan)

    camera = portrait_camera(wish.request.size, parallel=place.projection == ORTHOGRAPHIC)
    turn = view_turn(place.yaw, place.pitch)
    path = file(KEYPOINT, "npy")
    stretch = COMPATIBLE if wish.compatible else 1.0
    front = _front(work.absolute(file(DEPTH, wish.request.geometry_format)), camera)
    keypoints = in_view(found, turn, camera, front, stretch)
    content = write_keypoints(work.absolute(path), keypoints)
    if wish.overlays:
        picture = read_color(work.absolute(file(SHADED, wish.request.image_format)))
        write_overlay(work.absolute(file(OVERLAY, "jpg")), picture, keypoints, BONES, SIDES)
    return MarkedView(
        view=place.view,
        projection=place.projection,
        file=WrittenFile(_COLUMN, path, len(content), digest_of(content)),
        uv=tuple(keypoints.uv.ravel().tolist()),
        depth=tuple(keypoints.depth.tolist()),
        valid=tuple(keypoints.valid.tolist()),
        visible=tuple(keypoints.visible.tolist()),
        confidence=tuple(keypoints.confidence.tolist()),
        source=keypoints.source,
    )


def _front(path: Path, camera: Camera) -> Look:
    """What reads the ray lengths of a front surface from its depth image."""
    if path.suffix == ".exr":
        return partial(pixels_at, read_exr_depth(path).astype(np.float64), None)
    stored = read_grey16(path)
    return lambda positions: decode(pixels_at(stored, None, positions), camera)
