"""Keypoints: the 31 of one person, in the views that are wanted, and which of them can be seen.

What hides them is read back from the front's depth images. Writes one small file a view and, if asked, a
picture to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

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
    aligned_rows,
    in_view,
    merged,
    pixels_at,
)
from pipeline.geometry.transform import view_turn
from pipeline.records import F32, F64, U16, Alignment, Body, Camera, Joints, Places, Subject, Window
from pipeline.rows import MarkedView, Place, WrittenFile
from pipeline.store import DEPTH, KEYPOINT, OVERLAY, SHADED, Picture, Workspace

FROM_PARAMETERS = "parameters"
Depths = tuple[U16 | F32, Window | None]  # a picture, and where it lies in the whole
_COLUMN = "keypoints_file"


@dataclass(frozen=True, eq=False)
class Wish:
    """How views are to be marked: as in a request, with bodies posed by `models` where there are any.

    `overlays` asks for pictures to look at, `compatible` for the published files' places. `fronts` are
    depths that need not be read from their images: they are in memory still, as they were written.
    """

    request: RenderRequest
    models: BodyModels | None = None
    overlays: bool = False
    compatible: bool = False
    fronts: Mapping[Place, Depths] = field(default_factory=dict)


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
    depths = wish.fronts.get(place) or _read(work.absolute(file(DEPTH, wish.request.geometry_format)))
    front = partial(_lengths, depths, camera)
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


def _read(path: Path) -> Depths:
    """A front surface's depths, from its image."""
    return (read_exr_depth(path) if path.suffix == ".exr" else read_grey16(path)), None


def _lengths(depths: Depths, camera: Camera, positions: F64) -> F64:
    """The ray lengths (N,) of a front surface at some positions (N, 2); 0 where there is none."""
    picture, window = depths
    if picture.dtype == np.uint16:
        return decode(pixels_at(cast(U16, picture), window, positions), camera)
    return pixels_at(cast(F32, picture), window, positions).astype(np.float64)
