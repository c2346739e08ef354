"""Record: what is known of one finished scan, as rows. Writes nothing: the build keeps them.

Refuses to know how rows are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.config import ORTHOGRAPHIC, RenderRequest
from pipeline.formats.digest import source_file
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import coding_of
from pipeline.geometry.transform import view_turn
from pipeline.keys import source_key
from pipeline.records import Alignment, Camera, Fault, Fit, Subject
from pipeline.rows import (
    FILES,
    AngleEntry,
    Attribute,
    Drawing,
    DrawnView,
    FitEntry,
    FrontEntry,
    MarkedView,
    RejectRow,
    ScanRow,
    SourceFile,
    ViewRow,
    WrittenFile,
)
from pipeline.store import Workspace
from pipeline.version import code_version

_CODES = {"exr": "float32"}  # how depth and normals are written, by format; else uint16
_LIT = ("shaded_front", "shaded_back")
_COUNT = 31


@dataclass(frozen=True, eq=False)
class Finished:
    """All that came of one scan."""

    subject: Subject
    sources: tuple[SourceFile, ...]
    alignment: Alignment
    drawing: Drawing
    marked: Sequence[MarkedView]


def sources(work: Workspace, subject: Subject) -> tuple[SourceFile, ...]:
    """Every file of a subject, as it is now."""
    names = (
        *(subject.mesh, *subject.textures, subject.parameters),
        *(subject.registered, subject.joints, subject.cameras),
    )
    return tuple(source_file(work.root, name) for name in dict.fromkeys(names) if name)


def scan_row(done: Finished) -> ScanRow:
    """The scan itself, and how it was laid."""
    subject, alignment, removed = done.subject, done.alignment, done.alignment.removed
    return ScanRow(
        dataset=subject.dataset,
        scan=subject.id,
        split=subject.split,
        mesh=subject.mesh,
        textures=subject.textures,
        sources=done.sources,
        source_key=source_key(done.sources),
        attributes=tuple(Attribute(name, value) for name, value in subject.attributes),
        gender=subject.gender,
        vertices=done.drawing.vertices,
        faces=done.drawing.faces,
        centre=alignment.centre,
        scale=alignment.scale,
        front_yaw=alignment.front_yaw,
        front_source=alignment.source,
        fronts=tuple(FrontEntry(front.source, front.yaw) for front in alignment.fronts),
        angles=tuple(AngleEntry(a.first, a.second, a.degrees) for a in alignment.angles),
        fits=tuple(_fit_entry(fit) for fit in alignment.fits),
        warnings=alignment.warnings,
        missing=alignment.missing,
        fragments_under=alignment.cleaning.fragments_under,
        drop_floor=alignment.cleaning.floor,
        removed_fragments=removed.fragments,
        removed_fragment_faces=removed.fragment_faces,
        removed_fragment_share=removed.fragment_share,
        removed_floor_faces=removed.floor_faces,
        removed_floor_share=removed.floor_share,
        made_at=datetime.now(UTC),
        code_version=code_version(),
    )


def view_rows(done: Finished, request: RenderRequest, earlier: Iterable[ViewRow] = ()) -> list[ViewRow]:
    """Every view that was drawn; what earlier rows have of the same pixels stays if not asked for."""
    marked = {(one.view, one.projection): one for one in done.marked}
    old = {(row.view, row.projection): row for row in earlier}
    rows = []
    for view in done.drawing.views:
        place = (view.view, view.projection)
        row = _view_row(done.subject, view, marked.get(place), request)
        rows.append(_with_what_stays(row, old[place]) if place in old else row)
    return rows


def reject_row(fault: Fault, files: Sequence[SourceFile] = ()) -> RejectRow:
    """A scan that cannot be used, and why; `files` are those that were read of it."""
    return RejectRow(
        dataset=fault.dataset,
        scan=fault.scan,
        stage=fault.stage,
        reason=fault.reason,
        detail=fault.detail,
        source_key=source_key(files) if files else None,
        made_at=datetime.now(UTC),
        code_version=code_version(),
    )


def _fit_entry(fit: Fit) -> FitEntry:
    return FitEntry(
        source=fit.source,
        verdict=fit.verdict,
        surface_mm=fit.surface_mm,
        surface_p99_mm=fit.surface_p99_mm,
        scan_mm=fit.scan_mm,
        box_mm=fit.box_mm,
        joints_outside_mm=fit.joints_outside_mm,
        given_mm=fit.given_mm,
        correction_scale=fit.correction.scale if fit.correction else None,
        correction_place=fit.correction.place if fit.correction else (),
        reading=fit.reading,
    )


def _view_row(
    subject: Subject, view: DrawnView, marked: MarkedView | None, request: RenderRequest
) -> ViewRow:
    """One view; every number that its files need."""
    camera = portrait_camera(request.size, parallel=view.projection == ORTHOGRAPHIC)
    left, top, width, height = view.box
    return ViewRow(
        dataset=subject.dataset,
        scan=subject.id,
        split=subject.split,
        view=view.view,
        projection=view.projection,
        yaw=view.yaw,
        pitch=view.pitch,
        width=camera.width,
        height=camera.height,
        **_camera_columns(camera, view),
        zero_means="nothing",
        light=request.light,
        light_numbers=view.light_numbers,
        seed=request.seed,
        occlusion=request.occlusion,
        **_keypoint_columns(marked),
        box_left=left,
        box_top=top,
        box_width=width,
        box_height=height,
        silhouette_pixels=view.pixels,
        **_file_columns((*view.files, *([marked.file] if marked else []))),
        **_codings(view.files, request),
        key=view.key,
        shaded_key=view.shaded_key,
        made_at=datetime.now(UTC),
        code_version=code_version(),
    )


def _camera_columns(camera: Camera, view: DrawnView) -> dict[str, Any]:
    near, scale, offset = coding_of(camera)
    pose, turn = np.eye(4), np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation, camera.translation
    turn[:3, :3] = view_turn(view.yaw, view.pitch)
    lens = [[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]]
    return {
        "intrinsics": tuple(np.ravel(lens).tolist()),
        "world_to_camera": tuple(pose.ravel().tolist()),
        "aligned_to_world": tuple(turn.ravel().tolist()),
        "depth_kind": "ray_length",
        "depth_near": near,
        "depth_scale": scale,
        "depth_offset": offset,
        "depth_focal": camera.fx,
    }


def _keypoint_columns(marked: MarkedView | None) -> dict[str, Any]:
    names = ("uv", "depth", "valid", "visible", "confidence", "source")
    if marked is None:
        nothing: tuple[Any, ...] = ((0.0,) * 2 * _COUNT, (0.0,) * _COUNT, (False,) * _COUNT)
        values = (nothing[0], nothing[1], nothing[2], nothing[2], nothing[1], ("",) * _COUNT)
        return {f"keypoints_{name}": value for name, value in zip(names, values, strict=True)}
    return {f"keypoints_{name}": getattr(marked, name) for name in names}


def _file_columns(files: Iterable[WrittenFile]) -> dict[str, Any]:
    made = {file.column: file for file in files}
    columns: dict[str, Any] = {}
    for name in FILES:
        file = made.get(name)
        columns[name] = file.path if file else None
        columns[f"{name}_bytes"] = file.bytes if file else None
        columns[f"{name}_blake2b"] = file.blake2b if file else None
    return columns


def _codings(files: Sequence[WrittenFile], request: RenderRequest) -> dict[str, Any]:
    coding = _CODES.get(request.geometry_format, "uint16")
    made = {file.column.partition("_")[0] for file in files}
    return {f"{kind}_coding": coding if kind in made else None for kind in ("depth", "normal")}


def _with_what_stays(row: ViewRow, old: ViewRow) -> ViewRow:
    """The row, with the files of an earlier one of the same key that this build was not asked to make."""
    if old.key != row.key:
        return row
    stays: dict[str, Any] = {}
    is_lit = any(getattr(row, name) for name in _LIT)
    for name in FILES:
        in_this_light = name not in _LIT or not is_lit or old.shaded_key == row.shaded_key
        if getattr(row, name) is None and in_this_light:
            stays |= {key: getattr(old, key) for key in (name, f"{name}_bytes", f"{name}_blake2b")}
    if not is_lit:
        names = ("light", "light_numbers", "seed", "occlusion", "shaded_key")
        stays |= {name: getattr(old, name) for name in names}
    if row.keypoints_file is None:
        stays |= {name: getattr(old, name) for name in _keypoint_columns(None)}
    for kind in ("depth", "normal"):
        if getattr(row, f"{kind}_coding") is None:
            stays[f"{kind}_coding"] = getattr(old, f"{kind}_coding")
    return replace(row, **stays)
