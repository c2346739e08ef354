"""Exports as the `webdataset` and `datasets` packages read them: every pixel and number, no network."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset
from exports import dataset
from PIL import Image

from manifests.read import open_manifest
from pipeline.config import ExportRequest
from pipeline.export import errand
from pipeline.export.webdataset import key_of
from pipeline.formats.image import read_color, read_grey16, read_mask, read_rgb16
from pipeline.rows import FILES
from pipeline.store import Workspace

EXTRA = {
    "mask": "PERS/MASK/{view}/{scan}.png",
    "normal_front": "PERS/NORMAL/{view}/{scan}_front.png",
    "normal_coding": "uint16",
}
PAGE = (Path(__file__).parents[1] / "docs" / "export.md").read_text()
SUM = "np.sum(stored, dtype=np.int64)"
READER = Path(__file__).with_name("load_datasets.py")
READERS: dict[str, Callable[[Path], Any]] = {"depth": read_grey16, "normal": read_rgb16, "mask": read_mask}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A dataset with masks and normals."""
    return dataset(tmp_path_factory.mktemp("built"), **EXTRA)


def _export(work: Workspace, to: str, out: Path) -> Path:
    errand.export(ExportRequest("2K2K", to, work.root, out), lambda _: None)
    return out


def _rows(work: Workspace, split: str) -> Iterator[dict[str, Any]]:
    rows = open_manifest(work.manifests).views(split=split).to_pylist()
    return (row for row in rows if row["scan"] != "00007")


# The package leaves the files that it opens to the garbage collector.
FORGETS_FILES = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def _samples(urls: str) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset(urls, shardshuffle=False))


@FORGETS_FILES
def test_webdataset_reads_every_file_as_it_is_and_its_row(work: Workspace, tmp_path: Path) -> None:
    out = _export(work, "webdataset", tmp_path)
    for split, count in (("train", 4), ("val", 2)):
        samples = _samples(f"{out}/2K2K-{split}-{{000000..000000}}.tar")
        rows = list(_rows(work, split))
        assert len(samples) == len(rows) == count
        for sample, row in zip(samples, rows, strict=True):
            assert sample["__key__"] == f"{row['scan']}/{row['view']}/perspective"
            told = json.loads(sample["json"])
            assert told == {**row, "made_at": row["made_at"].isoformat()}
            named = {file: row[file] for file in FILES if row[file]}
            assert len([name for name in sample if not name.startswith("__")]) == 1 + len(named)
            for file, path in named.items():
                member = file.removesuffix("_file") + Path(path).suffix
                assert sample[member] == work.absolute(path).read_bytes()
            keypoints = np.load(io.BytesIO(sample["keypoints.npy"]))
            assert keypoints.shape == (31, 3)


@FORGETS_FILES
def test_webdataset_decodes_rows_and_keypoints_itself_and_depth_as_the_card_says(
    work: Workspace, tmp_path: Path
) -> None:
    def depth(key: str, data: bytes) -> Any:  # noqa: ANN401
        return np.asarray(Image.open(io.BytesIO(data))) if key.startswith(".depth") else None

    urls = f"{_export(work, 'webdataset', tmp_path)}/2K2K-train-000000.tar"
    samples: list[dict[str, Any]] = list(
        webdataset.WebDataset(urls, shardshuffle=False).decode(depth, "rgb8")
    )
    for sample, row in zip(samples, _rows(work, "train"), strict=True):
        assert sample["json"]["intrinsics"] == row["intrinsics"]
        assert np.array_equal(sample["shaded_front.png"], read_color(work.absolute(row["shaded_front"])))
        stored = sample["depth_front.png"]
        assert stored.dtype == np.uint16
        assert np.array_equal(stored, read_grey16(work.absolute(row["depth_front"])))
        valid = np.array(row["keypoints_valid"])
        assert np.array_equal(
            sample["keypoints.npy"][valid, :2], np.reshape(row["keypoints_uv"], (31, 2))[valid]
        )


@FORGETS_FILES
def test_a_point_in_a_name_does_not_end_the_key(tmp_path: Path) -> None:
    work = dataset(tmp_path / "data", view="2K2K_0_y_12.5_x")
    (sample, *_) = _samples(f"{_export(work, 'webdataset', tmp_path / 'out')}/2K2K-val-000000.tar")
    assert sample["__key__"] == "00004/2K2K_0_y_12%2E5_x/perspective"
    assert {"json", "shaded_front.png", "keypoints.npy"} <= set(sample)
    names = ("a.b", "a%2Eb", "a%b", "a%25b")
    keys = {key_of({"scan": name, "view": "v", "projection": "p"}) for name in names}
    assert len(keys) == len(names)
    assert not any("." in key for key in keys)


def test_datasets_loads_the_folder_pixel_by_pixel_and_number_by_number(
    work: Workspace, tmp_path: Path
) -> None:
    out = _export(work, "hf", tmp_path / "out")
    ran = subprocess.run(
        (
            sys.executable,
            "-W",
            "error",
            str(READER),
            str(out),
            str(tmp_path / "cache"),
            str(tmp_path / "pixels.npz"),
        ),
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert set(told) == {"train", "val"}
    modes = {"depth": "I;16", "normal": "bytes", "mask": "L"}
    with np.load(tmp_path / "pixels.npz") as pixels:
        for split in told:
            for number, row in enumerate(_rows(work, split)):
                got = told[split][number]
                for name, value in row.items():
                    if name not in FILES or name == "keypoints_file" or value is None:
                        assert got[name] == (str(value) if name == "made_at" else value), name
                        continue
                    kind = name.split("_")[0]
                    assert got[name] == modes.get(kind, "RGB")
                    read = READERS.get(kind, read_color)
                    there = pixels[f"{split} {number} {name}"]
                    if kind == "normal":
                        assert there.tobytes() == work.absolute(value).read_bytes()
                    else:
                        assert there.dtype == read(work.absolute(value)).dtype
                        assert np.array_equal(there, read(work.absolute(value)))


def test_the_pages_examples_run(work: Workspace, tmp_path: Path) -> None:
    for to in ("webdataset", "hf"):
        errand.export(ExportRequest("2K2K", to, work.root), lambda _: None)
    stored = np.sum(read_grey16(work.absolute(next(_rows(work, "train"))["depth_front"])), dtype=np.int64)
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        first = f"{example}    break\n" if "\nfor " in example else example
        ran = subprocess.run(
            (sys.executable, "-c", f"{first}\nimport numpy as np\nprint(np.asarray(stored).dtype, {SUM})"),
            cwd=work.root,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.split() == ["uint16", str(stored)]


def test_any_reader_of_parquet_reads_numbers_without_images(work: Workspace, tmp_path: Path) -> None:
    out = _export(work, "hf", tmp_path)
    table = pq.read_table(out / "data/train-00000-of-00001.parquet", columns=["scan", "yaw", "intrinsics"])
    wanted = [(row["scan"], row["yaw"], row["intrinsics"]) for row in _rows(work, "train")]
    assert [(r["scan"], r["yaw"], r["intrinsics"]) for r in table.to_pylist()] == wanted
    file = pq.ParquetFile(out / "data/train-00000-of-00001.parquet")
    for place in range(len(file.schema)):
        column = file.metadata.row_group(0).column(place)
        is_picture = column.path_in_schema.endswith(".bytes")
        assert (column.compression == "UNCOMPRESSED") == is_picture, column.path_in_schema
    assert file.schema_arrow.field("depth_scale").metadata[b"description"]


def test_the_card_says_counts_depth_and_whose_the_licence_is(work: Workspace, tmp_path: Path) -> None:
    card = (_export(work, "hf", tmp_path) / "README.md").read_text()
    head = "---\nconfigs:\n- config_name: default\n  data_files:\n"
    head += "  - split: train\n    path: data/train-*.parquet\n"
    assert card.startswith(head)
    assert "| train | 4 | 1 |\n| val | 2 | 1 |\n| test | 0 | 0 |" in card
    assert "Noted in the manifest:\n\n> see the publisher's terms\n\n" in card
    assert "this card grants" in card
