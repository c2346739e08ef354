"""The folder of an export: what in it is this program's, and what of that is still right.

`export.json` names every shard that belongs there and the digest of its views. It is written before the
first shard, after those that are not right any more are gone: so a shard that is there and named is whole
and right, whenever the program was stopped. Nothing else in the folder is touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.atomic import replacing, require_writable, settle
from pipeline.errors import ConfigError

LEDGER, CARD = "export.json", "README.md"
_WAITING = re.compile(r"\.[0-9a-f]{32}\.tmp")  # what a write that was killed leaves


@dataclass(frozen=True)
class Ledger:
    """What a folder holds, and is to hold: the shards' names, with the digests of their views."""

    folder: Path
    had: Mapping[str, str]
    wanted: Mapping[str, str]

    @property
    def kept(self) -> frozenset[str]:
        """The shards that are there and right."""
        same = {name for name, digest in self.wanted.items() if self.had.get(name) == digest}
        return frozenset(name for name in same if (self.folder / name).is_file())

    @property
    def outdated(self) -> list[Path]:
        """The shards of earlier exports that are there and not right any more."""
        paths = (self.folder / name for name in sorted(self.had) if name not in self.kept)
        return [path for path in paths if path.is_file()]

    def begin(self, content: Mapping[str, object]) -> None:
        """Clear away what is not right any more, then note what is to come."""
        folders = {(self.folder / name).parent for name in (*self.wanted, *self.had, CARD)}
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        doomed = [self.folder / CARD, *self.outdated]
        doomed += [path for folder in folders for path in folder.iterdir() if _WAITING.fullmatch(path.name)]
        for path in doomed:
            path.unlink(missing_ok=True)
        for folder in folders:
            settle(folder)
        with replacing(self.folder / LEDGER, durable=True) as stream:
            stream.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def open_ledger(folder: Path, owner: Mapping[str, str], wanted: Mapping[str, str]) -> Ledger:
    """The folder's ledger; refused if the folder has something else in it. `owner` is whose it must be."""
    require_writable(folder)
    had = _read(folder, owner)
    if had is None:
        there = sorted(path.name for path in folder.iterdir())
        if there:
            raise ConfigError(
                f"{folder} has something else in it, such as {there[0]!r}; give a new or an empty folder"
            )
        return Ledger(folder, {}, wanted)
    for name in wanted:
        if name not in had and (folder / name).exists():
            raise ConfigError(f"{folder / name} was not made by this export; move it away")
    return Ledger(folder, had, wanted)


def _read(folder: Path, owner: Mapping[str, str]) -> dict[str, str] | None:
    """The shards that the folder's ledger names; None where there is none."""
    path = folder / LEDGER
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_bytes())
        had = {str(shard["name"]): str(shard["digest"]) for shard in told["shards"]}
        whose = {name: told[name] for name in owner}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not an export's; give a new or an empty folder") from error
    if whose != dict(owner):
        said = ", ".join(f"{name} {value}" for name, value in whose.items())
        raise ConfigError(f"{folder} holds another export ({said}); give a new or an empty folder")
    for name in had:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ConfigError(f"{path} names {name!r}, which is not in its folder; give an empty folder")
    return had
