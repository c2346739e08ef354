"""WebDataset: tar files in which the files of one view stand together under one key."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import BinaryIO

from pipeline.export.chosen import Choice, Row
from pipeline.export.plan import Shard
from pipeline.rows import FILES

_END = 2 * tarfile.BLOCKSIZE  # as many zeros end a tar file


@dataclass(frozen=True)
class TarShards:
    """Shards as tar files: images and keypoints as they are, and the row as JSON."""

    choice: Choice

    def name(self, shard: Shard) -> str:
        """A shard's file name."""
        return f"{self.choice.work.dataset}-{shard.split}-{shard.number:06d}.tar"

    def write(self, stream: BinaryIO, rows: Iterable[Row]) -> None:
        """One shard; the same rows and files give the same bytes."""
        for row in rows:
            key = key_of(row)
            _add(stream, f"{key}.json", json_of(row))
            for file in (name for name in FILES if row[name] is not None):
                _add(stream, f"{key}.{member_of(row, file)}", self.choice.content(row, file))
        stream.write(bytes(_END))

    def header(self, shards: Iterable[Shard]) -> str:
        """Nothing: no program reads the card."""
        return ""

    def card(self, shards: Iterable[Shard]) -> str:
        """What to say of the whole."""
        urls = [
            f"`{self.choice.work.dataset}-{last.split}-{{000000..{last.number:06d}}}.tar`"
            for last in shards
            if last.number == last.of - 1
        ]
        return _CARD.format(shards=", ".join(urls))


def key_of(row: Row) -> str:
    """A view's key: scan, view and projection; a point would end it, and is written %2E."""
    parts = (row["scan"], row["view"], row["projection"])
    return "/".join(part.replace("%", "%25").replace(".", "%2E") for part in parts)


def member_of(row: Row, file: str) -> str:
    """What follows the key in a file's name: the column, and the ending of the file."""
    return f"{file.removesuffix('_file')}{PurePosixPath(row[file]).suffix}"


def json_of(row: Row) -> bytes:
    """A row as JSON: every column of the manifest, moments in ISO 8601."""
    plain = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()
    }
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _add(stream: BinaryIO, name: str, content: bytes) -> None:
    """One member, of nobody and of no time; TarFile would cut it into pieces of 16 kB on the way."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    stream.write(info.tobuf(tarfile.PAX_FORMAT))
    stream.write(content)
    stream.write(bytes(-len(content) % tarfile.BLOCKSIZE))


_CARD = """\
WebDataset shards: {shards}.

A sample is one view. Its key is SCAN/VIEW/PROJECTION, in which a point is written %2E. `json` is its row of
the manifest with every number that is needed to use the images, and the other members are called as the
row's columns: `shaded_front.png`, `depth_front.png`, ..., and `keypoints.npy` (31, 3).

Depth and normals have 16 bits: open them with a reader that keeps them (OpenCV with `IMREAD_UNCHANGED`;
Pillow for depth). WebDataset's own `.decode("pil")` and `.decode("rgb")` make 8 bits of them.
"""
