"""What of a manifest is exported: every view, but of scans that were rejected since."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from manifests.read import Manifest, open_manifest
from manifests.schema import VIEWS
from pipeline.errors import ConfigError, ManifestError
from pipeline.store import Workspace

Row = dict[str, Any]  # a ViewRow by its columns' names
SPLITS = ("train", "val", "test")
_MOST_TOLD = 3  # files
_ROWS_AT_ONCE = 256
_ROWS_A_LOOK = 16
_LOOKERS = 16  # at files; a network's answers take their time


class DisagreementError(ManifestError):
    """Files are not what their rows say; one line each, of which the message has the first few."""

    def __init__(self, faults: Sequence[str]) -> None:
        more = len(faults) - _MOST_TOLD
        super().__init__("; ".join([*faults[:_MOST_TOLD], *([f"and {more:,} more"] if more > 0 else [])]))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Choice:
    """A dataset's views, and the files they name."""

    work: Workspace
    manifest: Manifest
    rejected: frozenset[str]

    def rows(self, split: str | None = None, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The views of a split, or of all, in the manifest's order; `scan` must be among the columns."""
        for table in self.manifest.batches(VIEWS, columns, None, split):
            for start in range(0, table.num_rows, _ROWS_AT_ONCE):
                rows = table.slice(start, _ROWS_AT_ONCE).to_pylist()
                yield from (row for row in rows if row["scan"] not in self.rejected)

    def checked(self, rows: Iterator[Row], files: Sequence[str], faults: list[str]) -> Iterator[Row]:
        """The same rows, while `faults` collects which of their files are not there as they say."""
        with ThreadPoolExecutor(_LOOKERS) as lookers:
            while some := list(islice(rows, _ROWS_AT_ONCE)):
                parts = [some[start : start + _ROWS_A_LOOK] for start in range(0, len(some), _ROWS_A_LOOK)]
                for found in lookers.map(partial(_faults, self.work, files), parts):
                    faults += found
                yield from some

    def content(self, row: Row, file: str) -> bytes:
        """A file of a row, found to have the row's checksum."""
        path = Path(_place(self.work, row[file]))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DisagreementError([_told(row, file, (error.strerror or str(error)).lower())]) from error
        if hashlib.blake2b(content, digest_size=16).hexdigest() != row[f"{file}_blake2b"]:
            raise DisagreementError([_told(row, file, "has another checksum than its row says")])
        return content


def choose(work: Workspace) -> Choice:
    """A dataset's manifest, found to be one and that of this dataset."""
    folder = work.manifests
    if not (folder / VIEWS.file).is_file():
        there = ", ".join(sorted(path.parent.name for path in folder.parent.glob(f"*/{VIEWS.file}")))
        raise ConfigError(
            f"{work.root} has no manifest of {work.dataset!r}; "
            + (f"there are: {there}" if there else "`scan2k render` makes one")
        )
    manifest = open_manifest(folder)
    if manifest.facts.dataset != work.dataset:
        raise ConfigError(
            f"{folder} is the manifest of {manifest.facts.dataset!r}, not of {work.dataset!r}"
        )
    rejected = manifest.rejects(columns=["scan"]).column("scan").to_pylist()
    return Choice(work, manifest, frozenset(rejected))


def _faults(work: Workspace, files: Sequence[str], rows: Sequence[Row]) -> list[str]:
    return [_told(row, file, fault) for row in rows for file in files if (fault := _fault(work, row, file))]


def _fault(work: Workspace, row: Row, file: str) -> str | None:
    if row[file] is None:
        return None
    try:
        length = os.stat(_place(work, row[file])).st_size  # noqa: PTH116
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ManifestError as error:
        return str(error)
    said = row[f"{file}_bytes"]
    return None if length == said else f"has {length:,} bytes, and its row says {said:,}"


def _place(work: Workspace, path: str) -> str:
    """Where a row's file is; a row that somebody else wrote might name any file of this machine."""
    if path.startswith("/") or ".." in path.split("/"):
        raise ManifestError("is not below the data folder")
    return f"{work.root}/{path}"  # a Path would cost more than the look


def _told(row: Row, file: str, fault: str) -> str:
    return f"{row['scan']} {row['view']} {row['projection']}: {file} {row[file]} {fault}"
