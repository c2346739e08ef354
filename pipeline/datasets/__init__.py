"""Which datasets there are, and what each has: one file per dataset's folders."""

from __future__ import annotations

from pipeline.datasets import demo, twok2k
from pipeline.errors import ConfigError
from pipeline.records import ScanRow
from pipeline.store import Workspace

READABLE = {demo.NAME: demo.scans, twok2k.NAME: twok2k.scans}
KNOWN_ONLY = ("THuman2", "RP", "HuGe100K")  # their place is known; this version cannot read them


def check_name(name: str) -> None:
    """Refuse a dataset that cannot be built, and name those that can."""
    if name in READABLE:
        return
    choices = ", ".join(READABLE)
    if name in KNOWN_ONLY:
        raise ConfigError(
            f"dataset {name} is known but this version does not read it yet; choose {choices}"
        )
    raise ConfigError(f"there is no dataset {name!r}; choose {choices}")


def find_scans(work: Workspace) -> list[ScanRow]:
    """The dataset's scans, in the order of their ids."""
    scans = READABLE[work.dataset](work)
    if not scans:
        raise ConfigError(f"no scans of {work.dataset} under {work.scans}; expected ID/ID.ply there")
    return scans
