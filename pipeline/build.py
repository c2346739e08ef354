"""The build, top to bottom: people (demo only) -> scans -> align -> render -> list."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pipeline import datasets
from pipeline.atomic import write_text
from pipeline.config import PERSPECTIVE, RenderRequest
from pipeline.datasets import demo
from pipeline.datasets.layouts import Layout, layout_of
from pipeline.errors import ConfigError, ScanError
from pipeline.records import (
    Alignment,
    Cleaning,
    Override,
    RejectRow,
    Removed,
    RenderSummary,
    Subject,
    Survey,
)
from pipeline.stages import align, people
from pipeline.stages.render import Studio
from pipeline.store import DEPTH, SHADED, UNSHADED, Picture, Workspace, open_workspace

Report = Callable[[str], None]
_LIST_PASSES = ("color", "shaded", "depth")


def render(request: RenderRequest, report: Report) -> RenderSummary:
    """Draw every view of every scan of a dataset; says in plain lines what it does."""
    started = time.perf_counter()
    layout = _drawable(request)
    largest = request.max_texture_mpx and request.max_texture_mpx * 1_000_000
    work = open_workspace(request.data, request.dataset, largest)
    rejects: list[RejectRow] = []
    lines: list[str] = []
    drawn = 0
    with Studio(work, request) as studio:
        if studio.device.warning:
            report(f"warning: {studio.device.warning}")
        found = _survey(work, layout, request, report)
        models = align.models_of(work, request.body_models)
        wish = Cleaning(request.drop_fragments, request.drop_floor)
        place = partial(align.run, work, models=models, wish=wish)
        rejects += found.rejects
        for reject in rejects:
            report(f"{reject.scan}: not used: {reject.reason}")
        for number, subject in enumerate(found.subjects, start=1):
            label = f"{subject.id} ({number} of {len(found.subjects)})"
            try:
                text, views = _build(studio, subject, found.overrides.get(subject.id), place)
                lines += [_line(view, subject.id) for view in views]
                drawn += 1
                report(f"{label}: {text}")
            except ScanError as error:
                rejects.append(RejectRow(subject.dataset, subject.id, str(error)))
                report(f"{label}: not used: {error}")
        images = len(lines) * len(studio.shots) * len(request.projections)
    if _listed(request):
        write_text(work.list_file("all"), "".join(f"{line}\n" for line in lines))
    else:
        report("the list is left as it is: it names PNG images of color, shaded and depth, in perspective")
    return RenderSummary(
        scans=drawn,
        views=len(lines),
        images=images,
        rejects=tuple(rejects),
        seconds=time.perf_counter() - started,
    )


def _drawable(request: RenderRequest) -> Layout:
    """The dataset's layout; one that holds no scans is refused."""
    layout = layout_of(request.dataset, request.layout)
    if "mesh" not in layout.facts:
        raise ConfigError(
            f"{request.dataset} has no scans to draw, only {', '.join(layout.facts)}; "
            f"`scan2k scan-list {request.dataset}` shows them"
        )
    return layout


def _survey(work: Workspace, layout: Layout, request: RenderRequest, report: Report) -> Survey:
    """Who is to be drawn; the demo's people are made first, and are those who were asked for."""
    if work.dataset != demo.NAME:
        return datasets.survey(work, layout)
    people.run(work, request.demo_people, request.demo_vertices, request.seed, report)
    found = datasets.survey(work, layout)
    wanted = demo.ids(request.demo_people)
    return replace(found, subjects=tuple(s for s in found.subjects if s.id in wanted))


def _build(
    studio: Studio,
    subject: Subject,
    said: Override | None,
    place: Callable[[Subject, Override | None], Alignment],
) -> tuple[str, list[str]]:
    """One scan from file to pictures: what to say of it, and the names of its views."""
    started = time.perf_counter()
    if said and said.exclude:
        raise ScanError(f"left out by {said.place}{f': {said.note}' if said.note else ''}")
    alignment = place(subject, said)
    facing = f"faces {math.degrees(alignment.front_yaw):.1f} degrees, known from {alignment.source}"
    if alignment.source == align.FROM_NOTHING:
        facing = "front unknown, taken to be +z"
    facing += "".join(f"; warning: {text}" for text in alignment.warnings)
    facing += _cleaned(alignment.removed, alignment.cleaning)
    views = studio.run(subject, alignment)
    count = "1 view" if len(views) == 1 else f"{len(views)} views"
    return f"{facing}; {count}, {time.perf_counter() - started:.1f} s", views


def _cleaned(removed: Removed, wish: Cleaning) -> str:
    """What cleaning took away, where it was asked for."""
    text = ""
    if wish.fragments_under:
        text += (
            f"; {removed.fragments} fragments dropped ({100 * removed.fragment_share:.2g} % of the area)"
        )
    if wish.floor:
        text += f"; floor dropped ({removed.floor_faces:,} faces)" if removed.floor_faces else "; no floor"
    return text


def _listed(request: RenderRequest) -> bool:
    """Whether this build makes what the published list names."""
    formats = {request.image_format, request.geometry_format}
    return (
        {*_LIST_PASSES} <= {*request.passes} and PERSPECTIVE in request.projections and formats == {"png"}
    )


def _line(view: str, scan: str) -> str:
    """What the list says of one view: its shaded colour, plain colour and depth, from the front."""
    return " ".join(f"/{Picture(kind, 'front').path(view, scan)}" for kind in (SHADED, UNSHADED, DEPTH))
