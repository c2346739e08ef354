"""Load: a scan read once, and cleaned, for all that comes after. Writes nothing."""

from __future__ import annotations

from pipeline.datasets.scans import read_scan
from pipeline.geometry.clean import Cleaned, clean
from pipeline.records import Cleaning, Subject
from pipeline.store import Workspace


def run(work: Workspace, subject: Subject, wish: Cleaning) -> Cleaned:
    """One subject's scan, in its own coordinates, without what is wished away."""
    return clean(read_scan(work, subject), wish)
