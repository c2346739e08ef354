"""Requests that make no sense and places that are no good: one line each, and nothing damaged."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from building import Heard, build
from distributed import LocalCluster
from test_build import add_scan
from whole import DATASET, command, copy_scans, files, rows

from cli import main
from manifests.read import open_manifest
from pipeline import audit
from pipeline.config import RenderRequest
from pipeline.store import Workspace

SMALL = ("--yaws", "0,30", "--size", "64")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people of whom nothing is built."""
    data = tmp_path_factory.mktemp("scans")
    for scan in ("00003", "00007", "00012"):
        add_scan(data, scan)
    return data


@pytest.fixture(scope="module")
def built(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, built by one process."""
    data = copy_scans(scans, tmp_path_factory.mktemp("built") / "data")
    build(request(data))
    return data


@pytest.fixture
def data(scans: Path, tmp_path: Path) -> Path:
    """A folder of its own with these people."""
    return copy_scans(scans, tmp_path / "data")


@pytest.fixture
def done(built: Path, tmp_path: Path) -> Path:
    """A folder of its own with what was built."""
    shutil.copytree(built, tmp_path / "done")
    return tmp_path / "done"


def request(data: Path) -> RenderRequest:
    return RenderRequest(DATASET, data, yaws=(0.0, 30.0), size=64)


class Ended:
    """How a command line ended: its code, and the one line that it said why."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str], *asked: str) -> None:
        self.code = main(["render", DATASET, "--data", str(data), *SMALL, *asked])
        out, err = capsys.readouterr()
        assert out == ""
        lines = [line for line in err.splitlines() if line.startswith("scan2k: ")]
        (self.line,) = lines
        assert err.endswith(f"{self.line}\n")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def contents(data: Path) -> dict[str, bytes]:
    """Every file, but for the number of the build that was the last to begin."""
    found = [path for path in data.rglob("*") if path.is_file() and not path.name.startswith("build.lock")]
    return {str(path.relative_to(data)): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--subjects", "99"), "'99': nobody is called that; the ids go from 00003 to 00012"),
        (("--subjects", "00012-00003"), "it runs backwards; write 00003-00012"),
        (("--subjects", "00003-"), "a range is such as 00010-00020"),
        (("--subjects", "00013-00020"), "nobody is in it"),
        (("--subjects", " , "), "names nobody; leave it out for all"),
        (("--workers", "-1"), "workers is -1; it must be from 0 to 10000"),
        (("--workers", "two"), "'two' is not a valid integer"),
        (("--cluster", "cloud"), "cluster is 'cloud'; it is local, slurm, or a scheduler's address"),
        (("--cluster", "slurm"), "cluster slurm needs a profile, a TOML file"),
        (("--cluster", "slurm", "--profile", "no.toml"), "there is no profile no.toml"),
        (("--profile", "no.toml"), "a profile is for cluster slurm, and cluster is local"),
        (("--cluster", "tcp://a:1", "--workers", "3"), "tcp://a:1 has the workers it has"),
        (("--patience", "0"), "patience is 0; it must be from 1"),
        (("--dry-run", "--subjects", "99"), "'99': nobody is called that"),
    ],
)
def test_a_request_that_makes_no_sense_leaves_no_trace(
    data: Path, capsys: pytest.CaptureFixture[str], asked: tuple[str, ...], said: str
) -> None:
    ended = Ended(data, capsys, *asked)
    assert ended.code == 2 and said in ended.line
    assert names(data) == ["obj"]


def test_a_data_folder_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = Ended(tmp_path / "not" / "there", capsys)
    assert ended.code == 2 and "there is no data folder" in ended.line and "--data" in ended.line
    assert names(tmp_path) == []


def test_a_dataset_without_anybody_is_not_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(tmp_path, capsys)
    assert ended.code == 2 and "nobody of 2K2K is under" in ended.line
    assert names(tmp_path) == []


def test_a_dataset_of_which_nothing_can_be_used_is_said_twice(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in data.rglob("*.ply"):
        path.write_bytes(b"ply\n")
    ended = Ended(data, capsys, "--workers", "0")
    log = next((data / "logs" / DATASET).iterdir())
    assert ended.code == 2
    assert ended.line == f"scan2k: none of the 3 scans of 2K2K can be used; {log} says why"
    assert log.read_text().count("reject 000") == 3
    ended = Ended(data, capsys, "--workers", "0")
    assert ended.code == 2
    assert "they were refused before; --retry-rejects tries them again" in ended.line
    assert len(rows(data)["rejects"]) == 3


def test_a_scheduler_that_does_not_answer_is_one_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = Ended(data, capsys, "--cluster", "tcp://127.0.0.1:1", "--patience", "1")
    assert ended.code == 2 and "no scheduler answers at tcp://127.0.0.1:1" in ended.line
    assert not (data / "PERS").exists() and rows(data)["rejects"] == []


@contextmanager
def scheduler() -> Iterator[str]:
    """The address of one that has no workers."""
    asked = {"protocol": "tcp://", "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(n_workers=0, processes=False, **asked) as cluster:
        yield cluster.scheduler_address


def test_a_scheduler_without_workers_is_waited_for_no_longer_than_that(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with scheduler() as address:
        ended = Ended(data, capsys, "--cluster", address, "--patience", "1")
    assert ended.code == 2 and "no worker came within 1 s" in ended.line


def test_an_interrupt_while_nobody_is_there_waits_for_nobody(data: Path) -> None:
    heard = Heard()

    def press() -> None:
        while heard.standing is None or heard.standing.snapshot().doing != "waiting for workers":
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with scheduler() as address:
        presser = threading.Thread(target=press)
        presser.start()
        done = build(request(data), heard, cluster=address, workers=None, patience=600)
        presser.join()
    assert (done.stopped, done.views_made, done.rejects) == (True, 0, {})


@pytest.mark.parametrize("table", ["scans", "views", "rejects"])
def test_a_damaged_manifest_is_left_as_it_is(
    done: Path, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    path = done / "manifests" / DATASET / f"{table}.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    before = contents(done)
    for asked in (("--workers", "0"), ("--seed", "3"), ("--dry-run",)):
        ended = Ended(done, capsys, *asked)
        assert ended.code == 1 and f"{table}.parquet is damaged" in ended.line
    assert contents(done) == before


def test_a_manifest_of_another_dataset_is_left_as_it_is(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (done / "manifests" / DATASET).rename(done / "manifests" / "ours")
    (done / "obj" / DATASET).rename(done / "obj" / "ours")
    before = contents(done)
    code = main(["render", "ours", "--layout", "2k2k", "--data", str(done), *SMALL])
    said = capsys.readouterr().err
    assert code == 2 and said.startswith("scan2k: the manifest in ") and "is of 2K2K, not of ours" in said
    assert said.count("\n") == 1
    assert contents(done) == before


@contextmanager
def disk(place: Path, options: str) -> Iterator[Path]:
    """A disk of its own, in memory."""
    place.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", options, "scan2k-test", str(place)]
    mounted = subprocess.run(asked, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


@pytest.mark.parametrize("room", [8, 60, 120, 200, 240])
def test_a_full_disk_is_one_line_and_the_build_goes_on_when_there_is_room(
    built: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], room: int
) -> None:
    with disk(tmp_path / "disk", "size=16m") as data:
        copy_scans(scans, data)
        used = shutil.disk_usage(data).used // 1024
        remount(data, f"size={used + room}k")
        ended = Ended(data, capsys, "--workers", "0")
        assert ended.code == 2
        assert "No space left on device" in ended.line or "no space left on device" in ended.line
        assert "Traceback" not in ended.line
        if (data / "manifests" / DATASET / "views.parquet").exists():
            faults = audit.verify(Workspace(data, DATASET), checksums=True).faults
            assert [fault for fault in faults if fault.kind != audit.STRAY] == []
        remount(data, "size=16m")
        assert build(request(data)).has_faults is False
        assert files(data) == files(built)
        assert rows(data) == rows(built)
        assert not [*data.rglob(".*")]


def test_a_disk_that_cannot_be_written_to_is_one_line(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with disk(tmp_path / "disk", "size=16m") as data:
        shutil.copytree(built, data, dirs_exist_ok=True)
        before = contents(data)
        remount(data, "ro")
        ended = Ended(data, capsys, "--seed", "1")
        assert ended.code == 2 and "cannot be written: read-only file system" in ended.line
        assert contents(data) == before


def test_data_may_lie_on_another_disk_than_temporary_files(
    built: Path, tmp_path: Path, scans: Path
) -> None:
    with disk(tmp_path / "disk", "size=64m") as data:
        copy_scans(scans, data)
        assert data.stat().st_dev != tmp_path.stat().st_dev
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        asked = command(data, *SMALL, "--workers", "2")
        subprocess.run(asked, check=True, capture_output=True, env=environment)
        assert files(data) == files(built)
        assert rows(data) == rows(built)
        assert open_manifest(data / "manifests" / DATASET).counts["views"] == 6
