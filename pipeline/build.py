"""The build, top to bottom: (the demo's people,) scans, align, render, keypoints, rows, lists."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from manifests.croissant import describe
from manifests.files import Facts
from manifests.fold import fold
from manifests.journal import record as note
from manifests.journal import reject as note_reject
from manifests.lock import BuildLock
from manifests.read import Keys as KnownKeys
from manifests.read import Manifest, open_manifest
from manifests.schema import rows_of
from pipeline import datasets
from pipeline.config import RenderRequest
from pipeline.datasets import demo
from pipeline.datasets.layouts import Layout, layout_of
from pipeline.errors import ConfigError, ManifestError, ScanError
from pipeline.export.chosen import choose
from pipeline.export.lists import write_lists
from pipeline.keys import Keys, laid_as, looks_of, source_key
from pipeline.records import Alignment, Cleaning, Fault, Override, Subject, Survey
from pipeline.rows import Inspected, ViewRow
from pipeline.stages import align, keypoints, load, people, record
from pipeline.stages.render import Studio, shots_of
from pipeline.store import Workspace, open_workspace
from pipeline.version import code_version

Report = Callable[[str], None]
_LICENCE = "Scans, and what is made of them, keep their publisher's terms; scan2k gives no right to either."


@dataclass(frozen=True, slots=True)
class RenderSummary:
    """What a build made: how many scans, views and images, what was refused, and how long it took."""

    scans: int
    views: int
    images: int
    rejects: tuple[Fault, ...]
    seconds: float


@dataclass(frozen=True)
class _Errand:
    """What every scan of a build needs: where, what is asked for, who draws, and what was known before."""

    work: Workspace
    request: RenderRequest
    studio: Studio
    models: align.Models
    earlier: Manifest
    known: KnownKeys
    keys: Keys


def render(request: RenderRequest, report: Report) -> RenderSummary:
    """Draw every view of every scan of a dataset; says in plain lines what it does."""
    started = time.perf_counter()
    layout = _drawable(request)
    largest = request.max_texture_mpx and request.max_texture_mpx * 1_000_000
    work = open_workspace(request.data, request.dataset, largest)
    studio = Studio(work, request)
    if studio.device.warning:
        report(f"warning: {studio.device.warning}")
    with BuildLock(work.manifests) as lock, studio:
        facts = _facts(request)
        fold(lock, facts)  # what a build that was cut short left
        found = _survey(work, layout, request, report)
        models = align.models_of(work, request.body_models)
        earlier = open_manifest(work.manifests)
        errand = _Errand(work, request, studio, models, earlier, earlier.keys(), Keys(request, work))
        try:
            summary = _every(errand, found, report)
        finally:
            fold(lock, facts)
        describe(work.manifests)
    _list(work, report)
    return replace(summary, seconds=time.perf_counter() - started)


def _every(errand: _Errand, found: Survey, report: Report) -> RenderSummary:
    """Every scan that was found, one after the other, each noted when it is done."""
    rejects, scans, views, images = list(found.rejects), 0, 0, 0
    for fault in found.rejects:
        report(f"{fault.scan}: not used: {fault.detail}")
        note_reject(errand.work.manifests, record.reject_row(fault))
    for number, subject in enumerate(found.subjects, start=1):
        label = f"{subject.id} ({number} of {len(found.subjects)})"
        began = time.perf_counter()
        done = _one(errand, subject, found.overrides.get(subject.id))
        if isinstance(done, Fault):
            rejects.append(done)
            report(f"{label}: not used: {done.detail}")
            continue
        scans, views = scans + 1, views + len(done.drawing.views)
        images += sum(len(view.files) for view in done.drawing.views)
        report(f"{label}: {_told(done)}, {time.perf_counter() - began:.1f} s")
    return RenderSummary(scans, views, images, tuple(rejects), 0.0)


def _one(errand: _Errand, subject: Subject, said: Override | None) -> record.Finished | Fault:
    """One scan from its files to its rows, or what is wrong with it; either is noted."""
    work, request, stage = errand.work, errand.request, "read"
    inspected = None
    try:
        if said and said.exclude:
            raise ScanError(f"left out by {said.place}{f': {said.note}' if said.note else ''}")
        files = record.sources(work, subject)
        inspected = Inspected(files, source_key(files), stamp="", laid_key="")
        stage = "align"
        cleaned = load.run(work, subject, Cleaning(request.drop_fragments, request.drop_floor))
        alignment = align.run(work, subject, cleaned, said, errand.models)
        stage = "render"
        wanted = dict.fromkeys(errand.keys.places, frozenset(shot.column for shot in shots_of(request)))
        scan_key = errand.keys.of_scan(looks_of(subject.mesh, subject.textures, files), laid_as(alignment))
        drawing = errand.studio.run(cleaned.mesh, subject, alignment, wanted, scan_key)
        stage = "keypoints"
        marked = []
        if "depth" in request.passes:
            marks = keypoints.Wish(request, errand.models, request.overlays, request.compat_keypoints)
            marked = keypoints.run(work, subject, alignment, marks, errand.keys.places)
    except ScanError as error:
        fault = Fault(subject.dataset, subject.id, stage, type(error).__name__, str(error))
        note_reject(work.manifests, record.reject_row(fault, inspected))
        return fault
    done = record.Finished(subject, inspected, alignment, drawing, marked)
    there = subject.id in errand.known
    known = rows_of(ViewRow, errand.earlier.views(scans=[subject.id])) if there else []
    note(work.manifests, record.scan_row(done), record.view_rows(done, request, known, errand.keys))
    return done


def _facts(request: RenderRequest) -> Facts:
    """What the manifest says of the whole build."""
    config = json.dumps(asdict(request), default=str)
    return Facts(request.dataset, _LICENCE, config, code_version())


def _list(work: Workspace, report: Report) -> None:
    """Write the lists that published loaders read, of all that the manifest has."""
    try:
        write_lists(choose(work), work.list_file("all").parent)
    except ManifestError as error:
        report(f"the lists are left as they are: {error}")


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


def _told(done: record.Finished) -> str:
    """What to say of a scan that was drawn."""
    alignment, count = done.alignment, len(done.drawing.views)
    facing = f"faces {math.degrees(alignment.front_yaw):.1f} degrees, known from {alignment.source}"
    if alignment.source == align.FROM_NOTHING:
        facing = "front unknown, taken to be +z"
    facing += "".join(f"; warning: {text}" for text in alignment.warnings)
    return f"{facing}{_cleaned(alignment)}; {'1 view' if count == 1 else f'{count} views'}"


def _cleaned(alignment: Alignment) -> str:
    """What cleaning took away, where it was asked for."""
    wish, removed = alignment.cleaning, alignment.removed
    text = ""
    if wish.fragments_under:
        text += (
            f"; {removed.fragments} fragments dropped ({100 * removed.fragment_share:.2g} % of the area)"
        )
    if wish.floor:
        text += f"; floor dropped ({removed.floor_faces:,} faces)" if removed.floor_faces else "; no floor"
    return text
