"""The steps from one scan to its rows, as any worker carries them out.

A step takes the errand, whom it is about, and what the steps before it found. What is wrong with one scan
is a value that goes through to the last step, which notes it; what is wrong with all stops the build.
Refuses to know who calls, and in which process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from manifests import journal
from pipeline.conduct.needs import Need
from pipeline.conduct.shop import Errand, Lacking, shop
from pipeline.conduct.staleness import KEYPOINTS_FILE, OVERLAY_FILE, Looks
from pipeline.errors import ScanError
from pipeline.keys import laid_as, looks_of
from pipeline.records import Alignment, Fault
from pipeline.rows import Drawing, Inspected, MarkedView, Place, ScanRow
from pipeline.stages import align as aligning
from pipeline.stages import inspect as inspecting
from pipeline.stages import keypoints as marking
from pipeline.stages import record
from pipeline.stages.inspect import refusal_of

_MARKS = frozenset({KEYPOINTS_FILE, OVERLAY_FILE})


@dataclass(frozen=True)
class Drawn:
    """What was drawn of a scan, where its keypoints are still to be marked; `warning` is of the device."""

    drawing: Drawing
    to_mark: tuple[Place, ...]
    warning: str = ""


@dataclass(frozen=True)
class Made:
    """What came of some views of a scan: its row, and how many views and images were made; or the fault.

    `warning` is about the device that drew.
    """

    row: ScanRow | None = None
    views: int = 0
    images: int = 0
    fault: Fault | None = None
    warning: str = ""


def _step(stage: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A step whose fault with one scan is a value, and which is left out where there was one before."""

    def decorated(work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def step(errand: Errand, need: Need, *found: Any) -> Any:  # noqa: ANN401  whatever came before
            faults = [one for one in found if isinstance(one, Fault)]
            if faults:
                return faults[0]
            try:
                return work(errand, need, *found)
            except (ScanError, MemoryError) as error:
                said = str(error) or "there is not enough memory for it"
                return Fault(need.subject.dataset, need.subject.id, stage, type(error).__name__, said)

        return step

    return decorated


@_step("read")
def inspect(errand: Errand, need: Need) -> Inspected:
    """The scan's files, as they are now."""
    here, known = shop(errand), need.known
    if known:
        return Inspected(known.sources, known.source_key, known.stamp, known.laid_key, known.named)
    return inspecting.run(errand.work, need.subject, need.said, here.wishes)


@_step("align")
def align(errand: Errand, need: Need, found: Inspected) -> Alignment:
    """Where the scan's centre, size and front are; what is known already is not found again."""
    here, known = shop(errand), need.earlier
    is_laid_so = known and (known.source_key, known.laid_key) == (found.source_key, found.laid_key)
    if known and (need.is_same or (is_laid_so and not errand.force)):
        return record.alignment_of(known)
    return aligning.run(errand.work, need.subject, here.cleaned(need), need.said, here.models)


@_step("render")
def render(errand: Errand, need: Need, found: Inspected, alignment: Alignment) -> Drawn:
    """The pictures that are not up to date, drawn and written."""
    here, subject, known = shop(errand), need.subject, need.earlier
    files = looks_of(subject.mesh, (*subject.textures, *found.named), found.sources)
    scan_key = here.keys.of_scan(files, laid_as(alignment))
    looks = Looks(scan_key, here.keys.marks_of(found.source_key, found.laid_key))
    lacking = here.lacking(need, looks)
    _note_what_goes(errand, need, lacking)
    wanted = lacking.wanted
    to_mark = tuple(place for place, columns in wanted.items() if columns & _MARKS)
    is_same = known and known.source_key == found.source_key
    if known and is_same and not any(columns - _MARKS for columns in wanted.values()):
        return Drawn(Drawing(known.vertices, known.faces, ()), to_mark)
    mesh = here.cleaned(need).mesh
    drawing = here.studio.run(mesh, subject, alignment, wanted, scan_key)
    return Drawn(drawing, to_mark, here.studio.device.warning)


def _note_what_goes(errand: Errand, need: Need, lacking: Lacking) -> None:
    """Take from the rows what is about to be overwritten: in whatever way this ends, no row is wrong."""
    rows = record.without(need.rows, lacking.void)
    if rows and need.earlier:
        journal.record(errand.work.manifests, need.earlier, rows)


@_step("keypoints")
def keypoints(errand: Errand, need: Need, alignment: Alignment, drawn: Drawn) -> list[MarkedView]:
    """The keypoints that are not up to date."""
    if not drawn.to_mark:
        return []
    here, request = shop(errand), errand.request
    fronts = here.studio.fronts if drawn.drawing.views else {}
    wish = marking.Wish(request, here.models, request.overlays, request.compat_keypoints, fronts)
    return marking.run(errand.work, need.subject, alignment, wish, drawn.to_mark)


def rows(errand: Errand, need: Need, *found: Any) -> Made:  # noqa: ANN401  what was found, or a fault
    """Note what came of a scan, good or bad, so that it is never lost."""
    folder, request = errand.work.manifests, errand.request
    fault = next((one for one in found if isinstance(one, Fault)), None)
    if fault:
        seen = found[0] if isinstance(found[0], Inspected) else need.unseen
        refused = replace(seen, stamp=refusal_of(seen.stamp, request))
        journal.reject(folder, record.reject_row(fault, refused))
        return Made(fault=fault)
    inspected, alignment, drawn, marked = found
    done = record.Finished(need.subject, inspected, alignment, drawn.drawing, marked)
    scan = record.scan_row(done, need.earlier)
    views = record.view_rows(done, request, need.rows, shop(errand).keys)
    if views or scan != need.earlier:
        journal.record(folder, scan, views)
    made = {(view.view, view.projection) for view in (*drawn.drawing.views, *marked)}
    images = sum(len(view.files) for view in drawn.drawing.views)
    return Made(scan, len(made), images, warning=drawn.warning)
