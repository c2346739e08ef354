"""docs/manifests.md: its columns are the rows' own, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from manifest_rows import FACTS, later, reject_row, scan_row, view_row

from manifests import fold, journal
from manifests.lock import FolderLock
from manifests.schema import KINDS, description, schema_of
from pipeline import rows
from pipeline.geometry.camera import portrait_camera, project
from pipeline.geometry.depth import decode, encode
from pipeline.geometry.transform import aligned, view_turn
from pipeline.records import Alignment

PAGE = (Path(__file__).parents[1] / "docs" / "manifests.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
NESTED = {
    "sources": rows.SourceFile,
    "attributes": rows.Attribute,
    "fronts": rows.FrontEntry,
    "angles": rows.AngleEntry,
    "fits": rows.FitEntry,
}


def _shown(heading: str) -> list[tuple[str, str]]:
    """The names and descriptions in the first table after a heading."""
    table = PAGE.split(heading)[1].split("|---|---|---|\n")[1].split("\n\n")[0]
    found = re.findall(r"^\| `(\w+)` \| [^|]* \| (.*) \|$", table, flags=re.MULTILINE)
    assert len(found) == len(table.strip().splitlines())
    return found


@pytest.mark.parametrize("heading", [*(f"## Columns of {kind.name}\n" for kind in KINDS)])
def test_every_column_is_on_the_page_with_its_description(heading: str) -> None:
    (kind,) = (kind for kind in KINDS if kind.name in heading)
    assert _shown(heading) == [(field.name, description(field)) for field in kind.schema]


@pytest.mark.parametrize("column", NESTED)
def test_every_nested_column_is_on_the_page_too(column: str) -> None:
    wanted = [(field.name, description(field)) for field in schema_of(NESTED[column])]
    assert _shown(f"Each of `{column}`:") == wanted


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a manifest of three scans, one of them rejected since."""
    folder = tmp_path_factory.mktemp("data")
    place = folder / "manifests" / "2K2K"
    turn = np.eye(4)
    turn[:3, :3] = view_turn(10, 0)
    for scan, split in (("00003", "train"), ("00004", "val"), ("00007", "train")):
        views = [
            view_row(scan, 10, split=split, aligned_to_world=tuple(turn.ravel().tolist())),
            view_row(scan, 20, split=split, keypoints_visible=(True,) * 31),
        ]
        journal.record(place, scan_row(scan, split=split), views)
    journal.reject(place, reject_row("00007", reason="FormatError", made_at=later(60)))
    with FolderLock(place) as lock:
        fold.fold(lock, FACTS)
    return folder


def _run(example: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (code,) = (code for code in EXAMPLES if example in code)
    monkeypatch.chdir(data)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/manifests.md", "exec"), names)
    return names


def test_no_example_goes_untried() -> None:
    tried = ("columns=[", "to_camera", "def lengths", "pandas", "polars", "duckdb", "open_manifest")
    assert [sum(word in code for code in EXAMPLES) >= 1 for word in tried] == [True] * len(tried)
    assert len(EXAMPLES) == len(tried)


def test_the_arrow_example_finds_a_persons_views(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views = _run('filters=[("scan", "=", "00003")],\n)', data, monkeypatch)["views"]
    wanted = [view_row("00003", yaw) for yaw in (10, 20)]
    assert views.column("depth_front").to_pylist() == [row.depth_front for row in wanted]


def test_the_matrix_example_is_the_projects_own_projection(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = _run("to_camera", data, monkeypatch)
    row = scan_row()
    placed = aligned(names["point"][None], Alignment(row.centre, row.scale, row.front_yaw, "parameters"))  # type: ignore[arg-type]
    seen = project(placed @ view_turn(10, 0).T, portrait_camera(64))[0]
    np.testing.assert_allclose((names["u"], names["v"]), seen[:2], atol=1e-9)


def test_the_depth_example_is_the_projects_own_decoding(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = _run("def lengths", data, monkeypatch)["lengths"]
    view = pq.read_table(data / "manifests/2K2K/views.parquet").to_pylist()[0]
    camera = portrait_camera(64)
    stored = encode(np.array([[0.0, 0.75, 1.0, 1.25]], np.float32), camera)
    np.testing.assert_allclose(lengths(stored, view), decode(stored, camera), atol=1e-12)


def test_the_pandas_example_counts(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = _run("pandas", data, monkeypatch)["counts"]
    assert isinstance(counts, pd.Series)
    assert counts.to_dict() == {("train", "studio"): 4, ("val", "studio"): 2}


def test_the_polars_example_finds_who_can_be_seen(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _run("polars", data, monkeypatch)["seen"]
    assert isinstance(seen, pl.DataFrame)
    assert seen["scan"].to_list() == ["00003", "00007"]
    assert set(seen["view"]) == {view_row(yaw=20).view}


def test_the_duckdb_example_leaves_rejects_out(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run("duckdb", data, monkeypatch)
    assert {row[0] for row in names["train"]} == {"00003"}
    assert len(names["train"]) == 2
    assert names["reasons"] == [("FormatError", 1)]
    assert names["duckdb"] is duckdb


def test_our_own_example_reads_rows_and_keys(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run("open_manifest", data, monkeypatch)
    assert names["some"].num_rows == 4
    assert names["known"] == {
        (view_row(yaw=yaw).view, "perspective"): view_row(yaw=yaw).key for yaw in (10, 20)
    }
