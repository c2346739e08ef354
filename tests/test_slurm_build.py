"""Whole builds by the command line through a real Slurm: to the byte as a serial one, whatever happens."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from slurm import Slurm, wait_until

from manifests.read import open_manifest

pytestmark = pytest.mark.slurm
DEMO = "render demo --people 3 --vertices 20000 --size 128".split()
PROFILE = """
partition = "main"
cores = 1
memory = "3G"
jobs = 2
interface = "lo"
"""


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as one process makes it."""
    data = tmp_path_factory.mktemp("serial")
    subprocess.run([*scan2k(data), "--workers", "0"], check=True, capture_output=True)
    return data


@pytest.fixture
def data(serial: Path, tmp_path: Path) -> Path:
    """A data folder with the same people as the serial one, and nothing made of them."""
    shutil.copytree(serial / "obj", tmp_path / "data" / "obj")
    return tmp_path / "data"


def scan2k(data: Path, profile: str | None = None) -> list[str]:
    """The command that builds the demo; through Slurm, if a profile is given."""
    command = [sys.executable, "-m", "cli", *DEMO, "--data", str(data)]
    if profile is None:
        return command
    file = data.parent / "profile.toml"
    file.write_text(profile)
    return [*command, "--cluster", "slurm", "--profile", str(file)]


def wait_for_a_scan(build: subprocess.Popen[str]) -> None:
    """Wait until a build says that it has made a scan."""
    assert build.stderr
    said: list[str] = []
    while "views made" not in "".join(said):
        said.append(build.stderr.readline())
        assert said[-1], "".join(said)


def files(data: Path) -> dict[str, str]:
    """The digest of every file that a build makes besides manifests and logs, by name."""
    found = [path for folder in ("PERS", "list") for path in (data / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def tables(data: Path) -> list[pa.Table]:
    """The manifest, but for when its rows were made."""
    manifest = open_manifest(data / "manifests" / "demo")
    every = (manifest.scans(), manifest.views(), manifest.rejects())
    return [table.drop_columns("made_at").replace_schema_metadata() for table in every]


def test_a_build_that_loses_a_job_in_the_middle_is_as_a_serial_one(
    slurm: Slurm, serial: Path, data: Path
) -> None:
    with subprocess.Popen(scan2k(data, PROFILE), stderr=subprocess.PIPE, text=True) as build:
        wait_for_a_scan(build)
        assert len(slurm.running()) == 2
        slurm.cancel(slurm.running()[0])
        _, said = build.communicate()
    assert build.returncode == 0, said
    assert slurm.jobs() == {}
    assert files(data) == files(serial)
    assert len(files(data)) == 3 * 7 * 6 + 4
    assert tables(data) == tables(serial)


def test_a_build_that_is_killed_leaves_no_job_and_goes_on_where_it_was(
    slurm: Slurm, serial: Path, data: Path
) -> None:
    with subprocess.Popen(scan2k(data, PROFILE), stderr=subprocess.PIPE, text=True) as build:
        wait_for_a_scan(build)
        build.kill()
    wait_until(lambda: not slurm.jobs(), "its jobs end")
    again = subprocess.run([*scan2k(data), "--workers", "0"], capture_output=True, text=True, check=True)
    assert 1 <= again.stderr.count("views made") <= 2, again.stderr
    assert files(data) == files(serial)
    assert tables(data) == tables(serial)


def test_an_interrupt_ends_the_build_and_its_jobs(slurm: Slurm, serial: Path, data: Path) -> None:
    with subprocess.Popen(scan2k(data, PROFILE), stderr=subprocess.PIPE, text=True) as build:
        wait_until(lambda: build.poll() is not None or [*data.glob("PERS/**/*.png")], "a picture is there")
        build.send_signal(signal.SIGINT)
        _, said = build.communicate()
    assert build.returncode == 130, said
    assert slurm.jobs() == {}
    made = {name: digest for name, digest in files(data).items() if name.startswith("PERS")}
    assert made
    assert made.items() < files(serial).items()


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (
            PROFILE.replace("main", "closed"),
            "no worker came within 2 s: 2 jobs are waiting, Slurm says Part",
        ),
        (
            PROFILE.replace("main", "mian"),
            "partition is 'mian', which Slurm does not have; did you mean 'main'",
        ),
        (PROFILE.replace("3G", "3000G"), "Requested node configuration is not available"),
        (PROFILE.replace("memory", "mem"), "profile.toml: there is no key 'mem'; did you mean 'memory'?"),
    ],
)
def test_a_cluster_that_gives_no_worker_is_one_line(
    slurm: Slurm, data: Path, profile: str, said: str
) -> None:
    command = [*scan2k(data, profile), "--patience", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert slurm.jobs() == {}
    assert not (data / "PERS").exists()
