"""Whole builds by the command line, and what they leave, in a form that can be compared."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from manifests.read import open_manifest
from pipeline.synth.layouts import SynthRequest, write_people

DATASET = "2K2K"
_OURS = ("PERS", "ORTH", "list")


def add_people(data: Path, count: int = 3, vertices: int = 6_000) -> Path:
    """So many small people, as the scans of a dataset; the folder that they lie in."""
    return write_people(SynthRequest(data, count, 3, "2k2k", vertices), lambda text: None).folder


def copy_scans(data: Path, to: Path) -> Path:
    """Another data folder with the same scans, names and times, and nothing built."""
    shutil.copytree(data / "obj", to / "obj")
    return to


def command(data: Path, *asked: str) -> list[str]:
    """The command that renders a dataset's people."""
    return [sys.executable, "-m", "cli", "render", DATASET, "--data", str(data), *asked]


@contextmanager
def begun(data: Path, *asked: str) -> Iterator[subprocess.Popen[str]]:
    """A build of its own; afterwards it is over, however that came."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command(data, *asked), text=True, start_new_session=True, **pipes) as build:  # type: ignore[call-overload]
        try:
            yield build
        finally:
            build.kill()


def wait_for(build: subprocess.Popen[str], words: str) -> str:
    """The next line with these words that a build says on its standard error."""
    assert build.stderr
    said = []
    for line in build.stderr:
        said.append(line)
        if words in line:
            return line
    raise AssertionError(f"the build ended without {words!r}: {''.join(said)}")


def workers_of(process: int) -> list[psutil.Process]:
    """The worker processes that a process has."""
    children = psutil.Process(process).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def files(data: Path) -> dict[str, str]:
    """What is in every image, keypoint file and list, by name."""
    return {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in _names(data)}


def times(data: Path) -> dict[str, int]:
    """When each of them was written."""
    return {name: (data / name).stat().st_mtime_ns for name in _names(data)}


def _names(data: Path) -> list[str]:
    """Without what a process was writing when it was killed, whose names nobody reads."""
    found = [path for folder in _OURS for path in (data / folder).rglob("[!.]*")]
    return sorted(str(path.relative_to(data)) for path in found if path.is_file())


def rows(data: Path) -> dict[str, list[dict[str, Any]]]:
    """The manifest by tables, but for when its rows were made, and where the data folder is."""
    manifest = open_manifest(data / "manifests" / DATASET)
    every = {"scans": manifest.scans(), "views": manifest.views(), "rejects": manifest.rejects()}
    found = {name: table.drop_columns("made_at").to_pylist() for name, table in every.items()}
    for row in found["rejects"]:
        row["detail"] = re.sub(r"/\S*/obj/", "obj/", row["detail"])
    return found


def noted(data: Path) -> int:
    """How many entries of the journal are not in the manifest yet."""
    return len([*(data / "manifests" / DATASET / "journal").glob("*.parquet")])


def touch(path: Path) -> None:
    """Make a file look changed."""
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000_000))
