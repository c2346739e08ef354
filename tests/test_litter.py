"""Unfinished files beside images: removed from the views of one dataset, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from building import build
from test_build import add_scan, request

from manifests.lock import FolderLock
from pipeline.atomic import replacing
from pipeline.conduct.litter import sweep
from pipeline.store import Workspace

NAME = f".{'0123456789abcdef' * 2}.tmp"


def left(folder: Path) -> Path:
    """What a write that was cut short leaves in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.write_bytes(b"half")
    return path


def test_a_write_that_is_under_way_has_a_name_that_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "PERS" / "MASK" / "2K2K_0_y_0_x"
    with pytest.raises(FileNotFoundError), replacing(folder / "a.png") as stream:
        stream.write(b"half")
        assert len(list(folder.iterdir())) == 1
        sweep(Workspace(tmp_path, "2K2K"))
        assert not list(folder.iterdir())


def test_only_views_of_the_dataset_are_swept_and_only_of_what_is_unfinished(tmp_path: Path) -> None:
    pers, orth = tmp_path / "PERS", tmp_path / "ORTH"
    swept = [left(pers / "DEPTH" / "2K2K_0_y_-30.5_x"), left(orth / "COLOR" / "SHADED" / "2K2K_-10_y_0_x")]
    kept = [left(pers / "DEPTH" / "2K2K_b_0_y_0_x"), left(pers / "DEPTH"), left(tmp_path / "2K2K_0_y_0_x")]
    for name in (".a.tmp", "a.png", ".hidden"):
        kept.append(swept[0].with_name(name))
        kept[-1].touch()
    sweep(Workspace(tmp_path, "2K2K"))
    assert [path.exists() for path in swept] == [False, False]
    assert all(path.exists() for path in kept)


def test_the_heir_of_a_build_that_died_sweeps_and_others_need_not(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    build(request(tmp_path))
    half = left(tmp_path / "PERS" / "DEPTH" / "2K2K_0_y_0_x")
    build(request(tmp_path))
    assert half.exists()
    lock = FolderLock(tmp_path / "manifests" / "2K2K")
    (lock.folder / "build.lock.99").write_text('{"host": "gone"}')
    os.utime(lock.folder / "build.lock.99", (1, 1))
    build(request(tmp_path))
    assert not half.exists()
