"""People: the synthetic scans of the demo, made where they are missing."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.store import Workspace
from pipeline.synth.layouts import SynthRequest, write_people


def run(work: Workspace, people: int, vertices: int, seed: int, report: Callable[[str], None]) -> None:
    """Make the people that are not there, keep those that were made with the same wishes, and say which."""
    write_people(
        SynthRequest(out=work.root, people=people, seed=seed, vertices=vertices, dataset=work.dataset),
        report,
    )
