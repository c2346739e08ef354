"""Rows to fill manifests with, in tests."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from manifests.files import Facts
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import coding_of
from pipeline.rows import (
    AngleEntry,
    Attribute,
    FitEntry,
    FrontEntry,
    RejectRow,
    ScanRow,
    SourceFile,
    ViewRow,
)

START = datetime(2026, 11, 21, 3, 4, 5, 678901, UTC)
FACTS = Facts("2K2K", "see the publisher's terms", '{"size": 64}', "0.1.0")


def scan_row(scan: str = "00003", **other: object) -> ScanRow:
    """A scan with something in every column."""
    row = ScanRow(
        dataset="2K2K",
        scan=scan,
        split=("train", "val", "test")[sum(scan.encode()) % 3],
        mesh=f"obj/2K2K/{scan}/{scan}.ply",
        textures=("a.png", "b.png"),
        sources=(SourceFile(f"obj/2K2K/{scan}/{scan}.ply", 40_000_000, START, "0" * 32),),
        named=(),
        source_key="1" * 32,
        stamp="2" * 32,
        laid_key="3" * 32,
        attributes=(Attribute("clothing", "coat"), Attribute("age", "30~40")),
        gender="neutral",
        vertices=1_000_000,
        faces=2_000_000,
        centre=(0.25, -1.5, 3.0),
        scale=0.375,
        front_yaw=-0.125,
        front_source="parameters",
        fronts=(FrontEntry("parameters", -0.125), FrontEntry("joints", 0.0)),
        angles=(AngleEntry("parameters", "joints", 7.2),),
        fits=(
            FitEntry("parameters", "good", 1.0, 2.0, 3.0, 4.0, None, 5.0, None, (), "as given"),
            FitEntry("registered", "corrected", 1.0, 2.0, 3.0, 4.0, 0.5, 5.0, 1.1, (1.0, 2.0, 3.0), "as m"),
        ),
        warnings=("the nose is behind",),
        missing=(),
        fragments_under=0.01,
        drop_floor=True,
        removed_fragments=2,
        removed_fragment_faces=31,
        removed_fragment_share=0.002,
        removed_floor_faces=0,
        removed_floor_share=0.0,
        made_at=START,
        code_version="0.1.0",
    )
    return replace(row, **cast(Any, other))


def view_row(scan: str = "00003", yaw: int = 0, **other: object) -> ViewRow:
    """A view of a scan through the usual camera."""
    camera = portrait_camera(64)
    near, scale, offset = coding_of(camera)
    view = f"2K2K_0_y_{yaw}_x"
    turn = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    row = ViewRow(
        dataset="2K2K",
        scan=scan,
        split=("train", "val", "test")[sum(scan.encode()) % 3],
        view=view,
        projection="perspective",
        yaw=float(yaw),
        pitch=0.0,
        width=64,
        height=64,
        intrinsics=(camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0),
        world_to_camera=(1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        aligned_to_world=turn,
        depth_kind="ray_length",
        depth_near=near,
        depth_scale=scale,
        depth_offset=offset,
        depth_focal=camera.fx,
        zero_means="nothing",
        depth_coding="uint16",
        normal_coding=None,
        light="studio",
        light_numbers=tuple(i / 8 for i in range(75)),
        seed=7,
        occlusion=False,
        keypoints_uv=tuple(i / 4 for i in range(62)),
        keypoints_depth=tuple(1 + i / 32 for i in range(31)),
        keypoints_valid=tuple(i != 3 for i in range(31)),
        keypoints_visible=tuple(i % 2 == 0 for i in range(31)),
        keypoints_confidence=tuple(i / 32 for i in range(31)),
        keypoints_source=("joint3d",) * 31,
        box_left=10,
        box_top=4,
        box_width=30,
        box_height=56,
        silhouette_pixels=900,
        **_images(view, scan),
        key=f"{abs(yaw):032x}",
        shaded_key=f"{abs(yaw) + 1:032x}",
        keypoints_key=f"{abs(yaw) + 2:032x}",
        made_at=START,
        code_version="0.1.0",
    )
    return replace(row, **cast(Any, other))


def reject_row(scan: str = "00009", **other: object) -> RejectRow:
    """A scan that could not be used."""
    row = RejectRow("2K2K", scan, "align", "MeshError", "has no faces", (), None, "4" * 32, START, "0.1.0")
    return replace(row, **cast(Any, other))


def later(seconds: int) -> datetime:
    """A moment after all those above."""
    return START + timedelta(seconds=seconds)


def _images(view: str, scan: str) -> dict[str, Any]:
    folders = {"color": "COLOR/NOSHADING", "shaded": "COLOR/SHADED", "depth": "DEPTH"}
    filled: dict[str, Any] = {}
    for name in (field.name for field in fields(ViewRow) if field.name.endswith("_bytes")):
        image = name.removesuffix("_bytes")
        kind, _, side = image.partition("_")
        there = kind in folders and image != "shaded_back"
        filled[image] = f"PERS/{folders[kind]}/{view}/{scan}_{side}.png" if there else None
        filled[f"{image}_bytes"] = 1234 if there else None
        filled[f"{image}_blake2b"] = "ab" * 16 if there else None
    return filled
