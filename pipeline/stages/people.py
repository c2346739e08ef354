"""People: the synthetic scans of the demo, made where they are missing."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.store import Workspace


def missing(work: Workspace, ids: list[str]) -> list[str]:
    """Those of the scans that are not there; a scan's file is there only when it is whole."""
    return [scan for scan in ids if not (work.scans / scan / f"{scan}.ply").is_file()]


def run(work: Workspace, ids: list[str], vertices: int, seed: int, report: Callable[[str], None]) -> None:
    """Make what is missing, keep what is there, and say which."""
    wanted = missing(work, ids)
    if len(wanted) < len(ids):
        report(f"{len(ids) - len(wanted)} of {len(ids)} demo scans are there and are kept")
    if wanted:
        from pipeline.synth.layouts import write_people  # noqa: PLC0415  only a missing person needs it

        report(f"making {len(wanted)} synthetic people of {vertices:,} vertices under {work.scans}")
        write_people(work.scans, wanted, vertices=vertices, seed=seed, report=report)
