"""The build, top to bottom: people (demo only) -> scans -> align -> render -> list."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pipeline import datasets
from pipeline.atomic import write_text
from pipeline.config import RenderRequest
from pipeline.datasets import demo
from pipeline.errors import ScanError
from pipeline.records import RejectRow, RenderSummary, ScanRow
from pipeline.stages import align, people
from pipeline.stages.render import IMAGES_A_VIEW, Studio
from pipeline.store import DEPTH, SHADED, UNSHADED, Workspace, open_workspace

Report = Callable[[str], None]


def render(request: RenderRequest, report: Report) -> RenderSummary:
    """Draw every view of every scan of a dataset; says in plain lines what it does."""
    started = time.perf_counter()
    datasets.check_name(request.dataset)
    work = open_workspace(request.data, request.dataset)
    rejects: list[RejectRow] = []
    lines: list[str] = []
    with Studio(
        work, size=request.size, seed=request.seed, yaws=request.yaws, pitches=request.pitches
    ) as studio:
        scans = _scans(work, request, report)
        for number, scan in enumerate(scans, start=1):
            label = f"{scan.scan} ({number} of {len(scans)})"
            try:
                text, views = _build(work, studio, scan)
                lines += [_line(work, view, scan.scan) for view in views]
                report(f"{label}: {text}")
            except ScanError as error:
                rejects.append(RejectRow(scan.dataset, scan.scan, str(error)))
                report(f"{label}: not used: {error}")
    write_text(work.list_file("all"), "".join(f"{line}\n" for line in lines))
    return RenderSummary(
        scans=len(scans) - len(rejects),
        views=len(lines),
        images=len(lines) * IMAGES_A_VIEW,
        rejects=tuple(rejects),
        seconds=time.perf_counter() - started,
    )


def _scans(work: Workspace, request: RenderRequest, report: Report) -> list[ScanRow]:
    """The scans to draw; the demo's are made first."""
    if work.dataset != demo.NAME:
        return datasets.find_scans(work)
    people.run(work, request.demo_people, request.demo_vertices, request.seed, report)
    wanted = demo.ids(request.demo_people)
    return [scan for scan in datasets.find_scans(work) if scan.scan in wanted]


def _build(work: Workspace, studio: Studio, scan: ScanRow) -> tuple[str, list[str]]:
    """One scan from file to pictures: what to say of it, and the names of its views."""
    started = time.perf_counter()
    alignment = align.run(work, scan)
    facing = f"faces {math.degrees(alignment.front_yaw):.1f} degrees, known from {alignment.source}"
    if alignment.source == align.FROM_NOTHING:
        facing = "front unknown, taken to be +z"
    views = studio.run(scan, alignment)
    return f"{facing}; {len(views)} views, {time.perf_counter() - started:.1f} s", views


def _line(work: Workspace, view: str, scan: str) -> str:
    """What the list says of one view: its shaded colour, plain colour and depth, from the front."""
    return " ".join(f"/{work.image(kind, view, scan, 'front')}" for kind in (SHADED, UNSHADED, DEPTH))
