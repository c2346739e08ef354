"""Record: what is known of one finished scan, as rows. Writes nothing: the build keeps them.

Refuses to know how rows are stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from pipeline.config import ORTHOGRAPHIC, RenderRequest
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import coding_of
from pipeline.geometry.transform import view_turn
from pipeline.keys import Keys
from pipeline.records import (
    Alignment,
    Angle,
    Camera,
    Cleaning,
    Fault,
    Fit,
    Front,
    Removed,
    Similarity,
    Subject,
)
from pipeline.rows import (
    FILES,
    AngleEntry,
    Attribute,
    Drawing,
    DrawnView,
    FitEntry,
    FrontEntry,
    Inspected,
    MarkedView,
    Place,
    RejectRow,
    ScanRow,
    ViewRow,
    WrittenFile,
)
from pipeline.version import code_version

_CODES = {"exr": "float32"}  # how depth and normals are written, by format; else uint16
_CODED = ("depth", "normal")
_LIT = ("shaded_front", "shaded_back")
_OF_LIGHT = ("light", "light_numbers", "seed", "occlusion", "shaded_key")
_OF_KEYPOINTS = ("uv", "depth", "valid", "visible", "confidence", "source")
_KEYPOINTS_FILE = "keypoints_file"
_COUNT = 31
_NO_KEYPOINTS = {
    "keypoints_uv": (0.0,) * 2 * _COUNT,
    "keypoints_depth": (0.0,) * _COUNT,
    "keypoints_valid": (False,) * _COUNT,
    "keypoints_visible": (False,) * _COUNT,
    "keypoints_confidence": (0.0,) * _COUNT,
    "keypoints_source": ("",) * _COUNT,
    "keypoints_key": "",
}


@dataclass(frozen=True, eq=False)
class Finished:
    """All that came of one scan: maybe some of its views alone, and of those some files alone."""

    subject: Subject
    inspected: Inspected
    alignment: Alignment
    drawing: Drawing
    marked: Sequence[MarkedView]


def scan_row(done: Finished, known: ScanRow | None = None) -> ScanRow:
    """The scan itself, and how it was laid; the row that is known of it where that says the same."""
    row = _scan_row(done)
    if known and replace(row, made_at=known.made_at, code_version=known.code_version) == known:
        return known
    return row


def alignment_of(row: ScanRow) -> Alignment:
    """The alignment that a scan's row was made from."""
    return Alignment(
        centre=_three(row.centre),
        scale=row.scale,
        front_yaw=row.front_yaw,
        source=row.front_source,
        fronts=tuple(Front(entry.source, entry.yaw) for entry in row.fronts),
        angles=tuple(Angle(entry.first, entry.second, entry.degrees) for entry in row.angles),
        fits=tuple(_fit_of(entry) for entry in row.fits),
        warnings=row.warnings,
        missing=row.missing,
        cleaning=Cleaning(row.fragments_under, row.drop_floor),
        removed=Removed(
            row.removed_fragments,
            row.removed_fragment_faces,
            row.removed_fragment_share,
            row.removed_floor_faces,
            row.removed_floor_share,
        ),
    )


def view_rows(
    done: Finished, request: RenderRequest, earlier: Iterable[ViewRow], keys: Keys
) -> list[ViewRow]:
    """Every view that was drawn or marked, and those of the others that a change of the split concerns.

    `earlier` are the rows, as they were, that nobody else writes meanwhile. What they have of the same
    pixels stays where it was not made again; a view that was marked alone has its row there.
    """
    old = {(row.view, row.projection): row for row in earlier}
    drawn = {(one.view, one.projection): one for one in done.drawing.views}
    marked = {(one.view, one.projection): one for one in done.marked}
    marks = keys.marks_of(done.inspected.source_key, done.inspected.laid_key)
    rows = []
    for place in dict.fromkeys((*drawn, *marked)):
        row = (
            _drawn_row(done.subject, drawn[place], request, old.get(place))
            if place in drawn
            else old[place]
        )
        if place in marked:
            row = replace(row, **_keypoint_columns(marked[place], keys.marked(row.key, marks)))
        rows.append(_as_made_now(row, done.subject))
    split = done.subject.split
    others = (row for place, row in old.items() if place not in drawn and place not in marked)
    return [*rows, *(replace(row, split=split) for row in others if row.split != split)]


def without(rows: Iterable[ViewRow], void: Mapping[Place, Collection[str]]) -> list[ViewRow]:
    """Those rows that name files which are not theirs any more, without these."""
    gone = {(place.view, place.projection): columns for place, columns in void.items()}
    changed = []
    for row in rows:
        files = {name for name in gone.get((row.view, row.projection), ()) if getattr(row, name, None)}
        if files:
            lost: dict[str, Any] = {column: None for name in files for column in _names_of(name)}
            if _KEYPOINTS_FILE in files:
                lost |= _NO_KEYPOINTS
            changed.append(replace(row, **lost))
    return changed


def reject_row(fault: Fault, inspected: Inspected | None = None) -> RejectRow:
    """A scan that cannot be used, and why; `inspected` is what was found out about its files before."""
    return RejectRow(
        dataset=fault.dataset,
        scan=fault.scan,
        stage=fault.stage,
        reason=fault.reason,
        detail=fault.detail,
        named=inspected.named if inspected else (),
        source_key=inspected.source_key if inspected and inspected.sources else None,
        stamp=inspected.stamp if inspected else "",
        made_at=datetime.now(UTC),
        code_version=code_version(),
    )


def _scan_row(done: Finished) -> ScanRow:
    subject, alignment, removed = done.subject, done.alignment, done.alignment.removed
    return ScanRow(
        dataset=subject.dataset,
        scan=subject.id,
        split=subject.split,
        mesh=subject.mesh,
        textures=subject.textures,
        sources=done.inspected.sources,
        named=done.inspected.named,
        source_key=done.inspected.source_key,
        stamp=done.inspected.stamp,
        laid_key=done.inspected.laid_key,
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


def _fit_of(entry: FitEntry) -> Fit:
    moved = entry.correction_scale is not None
    return Fit(
        source=entry.source,
        verdict=entry.verdict,
        surface_mm=entry.surface_mm,
        surface_p99_mm=entry.surface_p99_mm,
        scan_mm=entry.scan_mm,
        box_mm=entry.box_mm,
        joints_outside_mm=entry.joints_outside_mm,
        given_mm=entry.given_mm,
        correction=Similarity(entry.correction_scale or 0.0, _three(entry.correction_place))
        if moved
        else None,
        reading=entry.reading,
    )


def _three(numbers: tuple[float, ...]) -> tuple[float, float, float]:
    x, y, z = numbers
    return x, y, z


def _drawn_row(subject: Subject, view: DrawnView, request: RenderRequest, old: ViewRow | None) -> ViewRow:
    """One view; every number that its files need, and what an earlier row of it has besides."""
    camera = portrait_camera(request.size, parallel=view.projection == ORTHOGRAPHIC)
    left, top, width, height = view.box
    row = ViewRow(
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
        **cast(Any, _NO_KEYPOINTS),
        box_left=left,
        box_top=top,
        box_width=width,
        box_height=height,
        silhouette_pixels=view.pixels,
        **_file_columns(view.files),
        **_codings(view.files, request),
        key=view.key,
        shaded_key=view.shaded_key,
        made_at=datetime.now(UTC),
        code_version=code_version(),
    )
    return _with_what_stays(row, old) if old else row


def _as_made_now(row: ViewRow, subject: Subject) -> ViewRow:
    return replace(row, split=subject.split, made_at=datetime.now(UTC), code_version=code_version())


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


def _keypoint_columns(marked: MarkedView, key: str) -> dict[str, Any]:
    numbers = {f"keypoints_{name}": getattr(marked, name) for name in _OF_KEYPOINTS}
    return {**numbers, "keypoints_key": key, **_columns_of(marked.file)}


def _file_columns(files: Iterable[WrittenFile]) -> dict[str, Any]:
    columns = {name: None for column in FILES for name in _names_of(column)}
    for file in files:
        columns |= _columns_of(file)
    return columns


def _columns_of(file: WrittenFile) -> dict[str, Any]:
    return dict(zip(_names_of(file.column), (file.path, file.bytes, file.blake2b), strict=True))


def _names_of(column: str) -> tuple[str, str, str]:
    return column, f"{column}_bytes", f"{column}_blake2b"


def _codings(files: Sequence[WrittenFile], request: RenderRequest) -> dict[str, Any]:
    coding = _CODES.get(request.geometry_format, "uint16")
    made = {_kind_of(file.column) for file in files}
    return {f"{kind}_coding": coding if kind in made else None for kind in _CODED}


def _kind_of(column: str) -> str:
    return column.partition("_")[0]


def _with_what_stays(row: ViewRow, old: ViewRow) -> ViewRow:
    """The row, with what an earlier one of the same key has and this build did not make."""
    if old.key != row.key:
        return row
    stays = {name: getattr(old, name) for name in _NO_KEYPOINTS}
    made = {name for name in FILES if getattr(row, name)}
    is_lit = not made.isdisjoint(_LIT)
    if not is_lit:
        stays |= {name: getattr(old, name) for name in _OF_LIGHT}
    for kind in _CODED:
        if kind not in {_kind_of(name) for name in made}:
            stays[f"{kind}_coding"] = getattr(old, f"{kind}_coding")
    after = replace(row, **stays)
    for name in FILES:
        coding = f"{_kind_of(name)}_coding"
        is_other = (name in _LIT and after.shaded_key != old.shaded_key) or (
            _kind_of(name) in _CODED and getattr(after, coding) != getattr(old, coding)
        )
        if name not in made and not is_other:
            stays |= {column: getattr(old, column) for column in _names_of(name)}
    return replace(row, **stays)
