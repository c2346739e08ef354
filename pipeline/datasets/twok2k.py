"""2K2K: `{id}/{id}.ply`, alone or below `train`, `test` or `1M`, SMPL-X parameters beside it."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.records import ScanRow
from pipeline.store import Workspace

NAME = "2K2K"
_BRANCHES = (".", "train", "test", "1M")
_OTHER_FACTS = ("kp3ds", "joints", "truth")  # what else lies beside a scan as JSON or NPZ


def scans(work: Workspace) -> list[ScanRow]:
    """Every scan found, in the order of their ids."""
    found: dict[str, ScanRow] = {}
    for branch in _BRANCHES:
        folder = work.scans / branch
        for place in sorted(folder.iterdir()) if folder.is_dir() else ():
            path = place / f"{place.name}.ply"
            if not path.is_file():
                continue
            if place.name in found:
                raise ConfigError(f"scan {place.name} is there twice: {found[place.name].path} and {path}")
            found[place.name] = ScanRow(
                dataset=work.dataset,
                scan=place.name,
                path=path.relative_to(work.root).as_posix(),
                parameters=_parameters(work, place),
            )
    return [found[scan] for scan in sorted(found)]


def _parameters(work: Workspace, place: Path) -> str | None:
    """The file of SMPL-X parameters in a scan's folder, if there is one."""
    names = sorted(p.name for p in place.iterdir() if p.suffix in (".json", ".npz"))
    candidates = [n for n in names if not any(fact in n for fact in _OTHER_FACTS)]
    own = [n for n in candidates if n.startswith(place.name)] or candidates
    return (place / own[0]).relative_to(work.root).as_posix() if own else None
