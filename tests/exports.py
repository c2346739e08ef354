"""A small dataset whose manifest and images agree, to export in tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from manifest_rows import FACTS, reject_row, scan_row, view_row

from manifests import fold, journal
from manifests.lock import FolderLock
from pipeline.formats.image import write_image
from pipeline.formats.keypoint_file import write_keypoints
from pipeline.records import Keypoints
from pipeline.rows import FILES, ViewRow
from pipeline.store import Workspace

SCANS = ("00003", "00004", "00006", "00007")  # of train, val, train and val; test is empty
REJECTED = "00007"
YAWS = (0, 10)


def dataset(root: Path, **columns: object) -> Workspace:
    """Four scans of two views each, one of them rejected since; `columns` are the same for all views."""
    work = Workspace(root, "2K2K")
    for scan in SCANS:
        views = [filled(work, view_row(scan, yaw, **columns)) for yaw in YAWS]
        journal.record(work.manifests, scan_row(scan), views)
    journal.reject(work.manifests, reject_row(REJECTED))
    folded(work)
    return work


def folded(work: Workspace) -> None:
    """Take the journal into the tables."""
    with FolderLock(work.manifests) as lock:
        fold.fold(lock, FACTS)


def filled(work: Workspace, row: ViewRow) -> ViewRow:
    """The same row, its pictures and keypoints written, random but its own."""
    draw = np.random.default_rng([*row.scan.encode(), int(row.yaw) % 360])
    named = {name: getattr(row, name) for name in FILES if getattr(row, name)}
    named["keypoints_file"] = "PERS/keypoint/{view}/{scan}_front.npy"
    known: dict[str, Any] = {
        name: place.format(view=row.view, scan=row.scan) for name, place in named.items()
    }
    row = replace(row, **known)
    for name in FILES:
        place = getattr(row, name)
        if place is None:
            continue
        path = work.absolute(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "keypoints_file":
            write_keypoints(path, keypoints_of(row))
        else:
            write_image(path, _pixels(draw, name, row.height, row.width, path.suffix))
        known |= {f"{name}_bytes": path.stat().st_size, f"{name}_blake2b": _b2sum(path)}
    return replace(row, **known)


def keypoints_of(row: ViewRow) -> Keypoints:
    """The keypoints of a row."""
    return Keypoints(
        np.reshape(np.asarray(row.keypoints_uv, np.float64), (31, 2)),
        np.asarray(row.keypoints_depth, np.float64),
        np.asarray(row.keypoints_confidence, np.float64),
        np.asarray(row.keypoints_valid),
        np.asarray(row.keypoints_visible),
        row.keypoints_source,
    )


def _b2sum(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _pixels(draw: np.random.Generator, name: str, height: int, width: int, suffix: str) -> Any:  # noqa: ANN401
    if suffix == ".exr":
        return draw.random((height, width), np.float32)
    if name == "mask":
        return draw.choice(np.array([0, 255], np.uint8), (height, width))
    if name.startswith("depth"):
        return draw.integers(0, 65536, (height, width), np.uint16)
    if name.startswith("normal"):
        return draw.integers(0, 65536, (height, width, 3), np.uint16)
    return draw.integers(0, 256, (height, width, 3), np.uint8)
