"""What a build leaves in its manifest, held against its files and against what it was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from building import build

from manifests.lock import FolderLock
from manifests.read import open_manifest
from manifests.schema import rows_of
from pipeline import audit
from pipeline.config import PROJECTIONS, ListRequest, RenderRequest
from pipeline.datasets.scans import read_scan
from pipeline.errors import ConfigError, ManifestError
from pipeline.formats.image import read_grey16, read_mask
from pipeline.formats.keypoint_file import read_keypoints
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import decode
from pipeline.geometry.lighting import unflattened
from pipeline.records import Subject
from pipeline.rows import FILES, RejectRow, ScanRow, ViewRow
from pipeline.store import Workspace
from pipeline.synth.layouts import SynthRequest, write_people

SIZE, DATASET = 96, "2K2K"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small people, and one whose file is cut off."""
    data = tmp_path_factory.mktemp("people")
    folder = write_people(SynthRequest(data, 2, 3, "2k2k", 6_000), lambda text: None).folder
    (folder / "00009").mkdir()
    (folder / "00009" / "00009.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    return data


@pytest.fixture
def data(people: Path, tmp_path: Path) -> Path:
    """A data folder with these people, and nothing built."""
    (tmp_path / "obj").symlink_to(people / "obj")
    return tmp_path


def request(data: Path, **asked: object) -> RenderRequest:
    return replace(RenderRequest(DATASET, data, yaws=(-30.0, 40.0), size=SIZE), **asked)  # type: ignore[arg-type]


def built(wish: RenderRequest, **conduct: object) -> tuple[list[ScanRow], list[ViewRow], list[RejectRow]]:
    """What is in the manifest after a build."""
    build(wish, None, **conduct)
    manifest = open_manifest(Workspace(wish.data, DATASET).manifests)
    tables = (manifest.scans(), manifest.views(), manifest.rejects())
    return rows_of(ScanRow, tables[0]), rows_of(ViewRow, tables[1]), rows_of(RejectRow, tables[2])


def test_every_row_has_its_files_and_every_file_its_row(data: Path) -> None:
    scans, views, rejects = built(request(data, projections=PROJECTIONS))
    assert [scan.scan for scan in scans] == ["00001", "00002"]
    assert len(views) == 2 * 2 * 2
    (reject,) = rejects
    assert (reject.scan, reject.stage, reject.reason) == ("00009", "align", "FormatError")
    verdict = audit.verify(Workspace(data, DATASET), checksums=True)
    assert (verdict.faults, verdict.files) == ((), 8 * 6)
    status = audit.status(ListRequest(DATASET, data))
    assert status.is_whole and status.up_to_date == 8 and status.rejected == {"FormatError": 1}


def test_a_row_is_all_that_is_needed_to_use_its_files(data: Path) -> None:
    scans, views, _ = built(
        request(data, projections=PROJECTIONS, passes=("color", "shaded", "depth", "mask"))
    )
    mesh = read_scan(Workspace(data, DATASET), Subject(DATASET, scans[0].scan, "train", mesh=scans[0].mesh))
    for row in (view for view in views if view.scan == scans[0].scan):
        depth = read_grey16(data / (row.depth_front or ""))
        lengths = (depth.astype(np.float64) - row.depth_offset) / row.depth_scale + row.depth_near
        camera = portrait_camera(SIZE, parallel=row.projection == "orthographic")
        np.testing.assert_allclose(lengths[depth > 0], decode(depth, camera)[depth > 0], rtol=1e-12)
        mask = read_mask(data / (row.mask or ""))
        rows, columns = np.nonzero(mask)
        assert [row.box_left, row.box_top] == [int(columns.min()), int(rows.min())]
        assert [row.box_width, row.box_height] == [int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
        assert row.silhouette_pixels == np.count_nonzero(mask) == np.count_nonzero(depth)
        pixels = seen_of(scans[0], row, mesh.vertices)
        inside = pixels.astype(int)
        near = mask[np.clip(inside[:, 1], 0, SIZE - 1), np.clip(inside[:, 0], 0, SIZE - 1)]
        assert (near == 255).mean() > 0.85  # the others lie in pixels whose centre they miss
        np.testing.assert_allclose(pixels.min(axis=0), [row.box_left, row.box_top], atol=1)
        assert unflattened(np.array(row.light_numbers, dtype=np.float32)).lamps.shape == (3, 3)


def seen_of(scan: ScanRow, row: ViewRow, points: np.ndarray) -> np.ndarray:
    """Where points of a scan fall in a view (N, 2), by the columns alone."""
    c, s = np.cos(-scan.front_yaw), np.sin(-scan.front_yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    aligned = (points - np.array(scan.centre)) * scan.scale @ turn.T
    pose = np.reshape(row.world_to_camera, (4, 4)) @ np.reshape(row.aligned_to_world, (4, 4))
    seen = aligned @ pose[:3, :3].T + pose[:3, 3]
    away = np.ones((len(seen), 1)) if row.projection == "orthographic" else seen[:, 2:]
    flat = np.column_stack([seen[:, :2] / away, np.ones(len(seen))])
    return np.asarray((flat @ np.reshape(row.intrinsics, (3, 3)).T)[:, :2])


def test_a_view_that_was_forgotten_is_still_to_be_made(data: Path) -> None:
    _, views, _ = built(request(data))
    work = Workspace(data, DATASET)
    (data / (views[1].depth_back or "")).write_bytes(b"")
    assert audit.verify(work, repair=True).forgotten == 1
    status = audit.status(ListRequest(DATASET, data))
    assert (status.views, status.unmade, status.is_whole) == (3, 1, False)
    assert "missing: 1 view that the last build was to make" in audit.status_lines(status)
    strays = [line for line in audit.verdict_lines(audit.verify(work)) if line.startswith("stray: ")]
    assert len(strays) == 4, "a line for colour, shade, depth and keypoints of the view"
    assert all("in no row, such as 00001_" in line for line in strays)
    built(request(data))
    assert audit.status(ListRequest(DATASET, data)).is_whole


def test_overlays_are_to_look_at_and_belong_to_no_row(data: Path) -> None:
    built(request(data, overlays=True))
    assert len(list(data.glob("PERS/OVERLAY/*/*.jpg"))) == 4
    assert not audit.verify(Workspace(data, DATASET)).faults


def test_keypoints_in_rows_are_those_in_files(data: Path) -> None:
    _, views, _ = built(request(data))
    for row in views:
        file = read_keypoints(data / (row.keypoints_file or ""))
        valid = np.array(row.keypoints_valid)
        assert valid.sum() > 25
        np.testing.assert_allclose(file[:, :2], np.reshape(row.keypoints_uv, (31, 2)), rtol=1e-6)
        np.testing.assert_array_equal(file[:, 2] == 1, valid)
        assert 0 < np.sum(row.keypoints_visible) <= valid.sum()
        assert all(source for source, there in zip(row.keypoints_source, valid, strict=True) if there)


def test_another_pass_is_added_to_what_is_there(data: Path) -> None:
    _, before, _ = built(request(data))
    _, after, _ = built(request(data, passes=("normal",)))
    for old, new in zip(before, after, strict=True):
        assert new.normal_front and new.normal_back and not old.normal_front
        added = {"normal_front", "normal_back"}
        changed = {name for name in FILES if getattr(old, name) != getattr(new, name)}
        assert changed == added and new.normal_coding == "uint16"
        same = ("key", "shaded_key", "light_numbers", "keypoints_uv", "keypoints_visible", "depth_coding")
        assert all(getattr(old, name) == getattr(new, name) for name in same)
    assert not audit.verify(Workspace(data, DATASET), checksums=True).faults


def test_another_light_changes_what_is_shaded_alone(data: Path) -> None:
    _, before, _ = built(request(data, passes=("color", "shaded", "shaded-back", "depth")))
    _, after, _ = built(request(data, passes=("shaded",), seed=1))
    for old, new in zip(before, after, strict=True):
        assert old.key == new.key and old.shaded_key != new.shaded_key
        assert new.seed == 1 and old.light_numbers != new.light_numbers
        assert new.shaded_front_blake2b != old.shaded_front_blake2b
        assert old.shaded_back and new.shaded_back is None, "it was drawn in the light before"
        assert new.color_front_blake2b == old.color_front_blake2b and new.keypoints_uv == old.keypoints_uv


def test_another_size_is_another_picture(data: Path) -> None:
    _, before, _ = built(request(data))
    _, after, _ = built(request(data, size=64, passes=("color",)))
    assert all(
        new.key != old.key and new.depth_front is None for old, new in zip(before, after, strict=True)
    )


def test_a_second_build_makes_nothing_and_with_force_all_again(data: Path) -> None:
    first = built(request(data))
    assert built(request(data)) == first
    second = built(request(data), force=True)
    for old, new in zip(first[0], second[0], strict=True):
        assert replace(new, made_at=old.made_at) == old
    for before, after in zip(first[1], second[1], strict=True):
        assert after.made_at > before.made_at
        assert replace(after, made_at=before.made_at) == before


def test_a_scan_that_is_mended_is_no_reject_any_more(data: Path, people: Path) -> None:
    (data / "obj").unlink()
    folder = data / "obj" / DATASET
    folder.mkdir(parents=True)
    scan = folder / "00001" / "00001.ply"
    scan.parent.mkdir()
    scan.write_bytes(b"ply\n")
    with pytest.raises(ConfigError, match=r"none of the 1 scans of 2K2K can be used; .* says why"):
        built(request(data))
    scan.write_bytes((people / "obj" / DATASET / "00001" / "00001.ply").read_bytes())
    scans, views, rejects = built(request(data))
    assert (len(scans), len(views), rejects) == (1, 2, [])


def test_two_builds_at_once_are_one_too_many(data: Path) -> None:
    with (
        FolderLock(Workspace(data, DATASET).manifests),
        pytest.raises(ManifestError, match=r"another build.* pid"),
    ):
        build(request(data))
