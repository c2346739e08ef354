"""Lists and description are made when they are not up to date, and not looked at again when they are."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from building import Heard, build
from test_build import add_scan, request

from manifests import croissant


def described(data: Path) -> int:
    """When the description was written."""
    return (data / "manifests" / "2K2K" / croissant.FILE).stat().st_mtime_ns


def test_what_no_list_can_name_is_found_out_once(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    wish = replace(request(tmp_path), image_format="jxl")
    first, second = Heard(), Heard()
    build(wish, first)
    before = described(tmp_path)
    build(wish, second)
    assert "the lists are left as they are" in first.lines[-1]
    assert described(tmp_path) == before
    assert not any("lists" in line for line in second.lines)


def test_lists_that_were_deleted_come_back(tmp_path: Path) -> None:
    add_scan(tmp_path, "00003")
    build(request(tmp_path))
    lists = {path.name: path.read_bytes() for path in (tmp_path / "list").iterdir()}
    before = described(tmp_path)
    build(request(tmp_path))
    assert described(tmp_path) == before
    shutil.rmtree(tmp_path / "list")
    build(request(tmp_path))
    assert {path.name: path.read_bytes() for path in (tmp_path / "list").iterdir()} == lists


def test_of_many_files_that_are_gone_a_few_are_named(tmp_path: Path) -> None:
    for scan in ("00003", "00007"):
        add_scan(tmp_path, scan)
    build(request(tmp_path))
    shutil.rmtree(tmp_path / "list")
    for path in (tmp_path / "PERS").rglob("*_front.*"):
        if "_y_-30_" in str(path):
            path.unlink()
    heard = Heard()
    build(replace(request(tmp_path), yaws=(0.0,)), heard)
    (line,) = (line for line in heard.lines if "lists" in line)
    assert line.count("is not there") == 3
    assert line.endswith("; and 5 more")
