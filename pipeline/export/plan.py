"""Which views go into which shard: found from the manifest alone, so that any run finds the same.

Refuses to know what a shard looks like.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import splitext

from pipeline.export.chosen import SPLITS, Choice, Row
from pipeline.rows import FILES

_FORMAT = 1  # of the shards: another number, and those that were written before are written anew
_MOST_VIEWS = 20_000  # in a shard, however small their images are
_COLUMNS = (
    *("scan", "view", "projection", "key", "made_at"),
    *(f"{file}{ending}" for file in FILES for ending in ("", "_bytes", "_blake2b")),
)


@dataclass(frozen=True)
class Shard:
    """Consecutive views of a split; `digest` tells whether a shard that is there is this one."""

    split: str
    number: int
    of: int  # how many the split has
    views: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class Plan:
    """All shards, the endings that each kind of file has, and what files do not agree with their rows."""

    shards: tuple[Shard, ...]
    endings: Mapping[str, frozenset[str]]
    faults: tuple[str, ...]

    def views(self, split: str) -> int:
        """How many views of a split there are."""
        return sum(shard.views for shard in self.shards if shard.split == split)


@dataclass
class Tally:
    """What was counted of a shard's views, row by row."""

    views: int = 0
    bytes: int = 0
    _hash: hashlib.blake2b = field(
        default_factory=lambda: hashlib.blake2b(str(_FORMAT).encode(), digest_size=16)
    )

    @property
    def digest(self) -> str:
        """The digest of the rows so far."""
        return self._hash.hexdigest()

    def add(self, row: Row) -> None:
        """Count a row."""
        self.views += 1
        self.bytes += size_of(row)
        self._hash.update(repr([str(row[name]) for name in _COLUMNS]).encode())


def size_of(row: Row) -> int:
    """How long a row's files are together."""
    return sum(row[f"{file}_bytes"] or 0 for file in FILES)


def plan(choice: Choice, most_bytes: int) -> Plan:
    """Shards of at most `most_bytes` of files each, or of one view."""
    faults: list[str] = []
    endings: dict[str, set[str]] = {file: set() for file in FILES}
    shards: list[Shard] = []
    for split in SPLITS:
        rows = choice.checked(choice.rows(split, _COLUMNS), FILES, faults)
        filled = list(_filled(_noting(rows, endings), most_bytes))
        shards += [
            Shard(split, number, len(filled), one.views, one.bytes, one.digest)
            for number, one in enumerate(filled)
        ]
    return Plan(tuple(shards), {file: frozenset(found) for file, found in endings.items()}, tuple(faults))


def _noting(rows: Iterator[Row], endings: dict[str, set[str]]) -> Iterator[Row]:
    for row in rows:
        for file in FILES:
            if row[file] is not None:
                endings[file].add(splitext(row[file])[1])
        yield row


def _filled(rows: Iterator[Row], most_bytes: int) -> Iterator[Tally]:
    shard = Tally()
    for row in rows:
        if shard.views and (shard.bytes + size_of(row) > most_bytes or shard.views == _MOST_VIEWS):
            yield shard
            shard = Tally()
        shard.add(row)
    if shard.views:
        yield shard
