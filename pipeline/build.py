"""The build, top to bottom: whom it is about, what of them is not up to date, making that, and the lists.

What is made is noted at once by whoever made it, and taken into the manifest in the end: a build that was
cut short at any moment goes on where it was.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from manifests import croissant, journal
from manifests.files import Facts
from manifests.fold import fold
from manifests.lock import FolderLock
from manifests.read import Manifest, facts_in, open_manifest
from manifests.schema import KINDS, VIEWS
from pipeline.atomic import require_writable
from pipeline.conduct import rejects, steps
from pipeline.conduct.beginning import make_people, survey_of, workspace_of
from pipeline.conduct.jobs import Jobs
from pipeline.conduct.litter import sweep
from pipeline.conduct.logbook import Logbook, logbook
from pipeline.conduct.needs import Needs, needs_of
from pipeline.conduct.selection import chosen
from pipeline.conduct.shop import Errand, close_shop
from pipeline.conduct.standing import Planned, Standing, Summary, Watch
from pipeline.conduct.tally import Tally
from pipeline.conduct.wording import STOPPING, lines_of
from pipeline.config import Conduct, RenderRequest
from pipeline.errors import ConfigError, ManifestError
from pipeline.export.chosen import choose
from pipeline.export.lists import is_for_lists, write_lists
from pipeline.graph.crew import Terms, open_crew
from pipeline.graph.plan import Crew, Outcome, Step
from pipeline.graph.profile import Profile, read_profile
from pipeline.records import Fault, Survey
from pipeline.stages.inspect import refusal_of
from pipeline.stages.record import reject_row
from pipeline.stopping import Stopping
from pipeline.store import Workspace, images_of
from pipeline.version import code_version

PLAN = (
    Step("inspect", steps.inspect),
    Step("align", steps.align, ("inspect",)),
    Step("render", steps.render, ("inspect", "align")),
    Step("keypoints", steps.keypoints, ("align", "render")),
    Step("rows", steps.rows, ("inspect", "align", "render", "keypoints")),
)
_LICENCE = "Scans, and what is made of them, keep their publisher's terms; scan2k gives no right to either."
_USUAL = Conduct()
_DEATHS = (
    "its worker died twice: killed, out of memory, or by a crash of the driver; give workers more memory, "
    "or look at the scan, and try again with --retry-rejects"
)
_GLANCE = 0.5  # seconds between looks at the crew
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_NO_ROOM |= {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


@dataclass(frozen=True, eq=False)
class _Build:
    """A build that has begun: nobody else writes this manifest, and it is known what is needed."""

    request: RenderRequest
    conduct: Conduct
    work: Workspace
    lock: FolderLock
    found: Survey
    needs: Needs


def render(request: RenderRequest, watch: Watch, conduct: Conduct = _USUAL) -> Summary:
    """Make what of a dataset is not up to date, and say what was made."""
    standing = Standing()
    terms, work = _terms(request, conduct), workspace_of(request)
    watch.follow(standing)
    with _one_line(request):
        make_people(work, request, conduct, standing, watch)
    started = time.monotonic()
    with _one_line(request), _begun(request, conduct, standing) as build, _logged(build, watch) as book:
        tally = Tally(build.needs, standing, watch, book)
        rejects.settle(build.lock, build.found, build.needs)
        for fault in () if conduct.subjects else build.found.rejects:
            tally.refused(fault)
        standing.begin(build.needs.total.scans, build.needs.total.views, build.needs.kept.views)
        with Stopping(lambda: tally.ending(STOPPING)) as stopping:
            with _folding(build, standing):
                if build.needs.total.scans:
                    _make(build, tally, standing, Jobs(iter(build.needs), lambda: stopping.asked), terms)
            _describe(build, watch)
            done = tally.summary(time.monotonic() - started, stopping.asked, _places(request, book))
        book.table(lines_of(done))
        _require_some(done, conduct)
    return done


def plan(request: RenderRequest, watch: Watch, conduct: Conduct = _USUAL) -> Planned:
    """What `render` would make, and why; nothing is written."""
    standing, work = Standing(), workspace_of(request)
    watch.follow(standing)
    standing.doing("looking for scans")
    found = survey_of(work, request)
    standing.doing("reading the manifest")
    with _as_it_is(work, request, watch) as manifest:
        needs = needs_of(work, request, found, conduct, manifest)
        return Planned(
            dataset=request.dataset,
            reasons=needs.reasons,
            views=needs.total.views,
            images=needs.total.images,
            scans=list(needs.named()),
            scans_kept=needs.kept.scans,
            views_kept=needs.kept.views,
            skipped_rejects=len(needs.skipped),
        )


@contextmanager
def _begun(request: RenderRequest, conduct: Conduct, standing: Standing) -> Iterator[_Build]:
    """A build of which it is known what is needed; a request that makes no sense leaves no trace."""
    work = workspace_of(request)
    standing.doing("looking for scans")
    found = survey_of(work, request)
    chosen(found.subjects, conduct.subjects)
    require_writable(work.root)
    with FolderLock(work.manifests) as lock:
        standing.doing("reading the manifest")
        if lock.is_heir:
            sweep(work)
        fold(lock, _facts(request))  # what a build that was cut short left
        needs = needs_of(work, request, found, conduct, open_manifest(work.manifests))
        standing.doing("")
        yield _Build(request, conduct, work, lock, found, needs)


@contextmanager
def _as_it_is(work: Workspace, request: RenderRequest, watch: Watch) -> Iterator[Manifest]:
    """The manifest, untouched; an empty one where there is none."""
    noted = journal.waiting(work.manifests)
    if noted:
        notes = "1 note" if noted == 1 else f"{noted:,} notes"
        watch.say(f"not counted as made yet: {notes} of a build that runs or was cut short")
    if facts_in(work.manifests):
        yield open_manifest(work.manifests)
        return
    with TemporaryDirectory() as folder, FolderLock(Path(folder)) as lock:
        fold(lock, _facts(request))
        yield open_manifest(lock.folder)


def _make(build: _Build, tally: Tally, standing: Standing, jobs: Jobs, terms: Terms) -> None:
    """Have all that is needed made, by whoever there is."""
    errand = Errand(build.work, build.request, code_version(), build.lock.sign, build.conduct.force)
    is_whole = terms.workers == 0  # a process that goes on leaves nothing unfinished
    standing.doing("waiting for workers" if terms.workers != 0 else "")
    try:
        with (
            open_crew(replace(terms, most=build.needs.total.scans)) as crew,
            _watched(crew, standing, jobs),
        ):
            for outcome in crew.carry_out(PLAN, errand, jobs.take):
                _take_in(build, tally, jobs, outcome)
            is_whole = not crew.standing().cut_short
    finally:
        close_shop()
        if not is_whole:
            sweep(build.work)  # what workers that were ended were about to write


def _take_in(build: _Build, tally: Tally, jobs: Jobs, outcome: Outcome) -> None:
    """What came of a job: some views of a scan, a scan that cannot be used, or one that kills workers."""
    need, made = outcome.job.item, outcome.value
    if outcome.lost:
        fault = Fault(build.work.dataset, need.subject.id, outcome.lost, "WorkerDied", _DEATHS)
        seen = replace(need.unseen, stamp=refusal_of(need.stamp, build.request))
        journal.reject(build.work.manifests, reject_row(fault, seen))
        made = steps.Made(fault=fault)
        tally.lost()
    left = jobs.back(outcome.job, made)
    if made.fault:
        tally.refused(made.fault, len(need.wants) + left)
    else:
        tally.made(need, made, is_done=not left)


@contextmanager
def _folding(build: _Build, standing: Standing) -> Iterator[None]:
    """Whatever happens meanwhile, what was made is taken into the manifest, unless it must end at once."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        with suppress(OSError):
            fold(build.lock, _facts(build.request))
        raise
    standing.doing("writing the manifest")
    fold(build.lock, _facts(build.request))


@contextmanager
def _watched(crew: Crew, standing: Standing, jobs: Jobs) -> Iterator[None]:
    """While it lasts, the standing knows how the crew stands, and a crew with nothing left to do ends."""
    over = Event()

    def look() -> None:
        is_waiting = True
        while not over.wait(_GLANCE):
            facts = crew.standing()
            standing.crew(facts.workers, facts.memory_bytes, facts.dashboard, facts.in_flight)
            if is_waiting and facts.in_flight:
                is_waiting = False
                standing.doing("")
            if jobs.is_through:
                crew.stop()  # it may be waiting for a first worker

    looker = Thread(target=look, name="crew", daemon=True)
    looker.start()
    try:
        yield
    finally:
        over.set()
        looker.join()


@contextmanager
def _logged(build: _Build, watch: Watch) -> Iterator[Logbook]:
    """The build's log, with what was asked for on top."""
    facts = {
        "request": json.dumps(asdict(build.request), default=str),
        "conduct": json.dumps(asdict(build.conduct), default=str),
    }
    with logbook(build.work.logs, facts, watch.say) as book:
        total, kept = build.needs.total, build.needs.kept
        book.note(f"to make: {total.scans:,} scans, {total.views:,} views; kept: {kept.views:,} views")
        yield book


@contextmanager
def _one_line(request: RenderRequest) -> Iterator[None]:
    """A disk that does not take what is to be written is told as what it is."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        place = error.filename or request.data
        raise ConfigError(f"cannot write {place}: {error.strerror}; every file there is whole") from error


def _terms(request: RenderRequest, conduct: Conduct) -> Terms:
    """Who is to do the work."""
    profile = read_profile(conduct.profile) if conduct.profile else None
    return Terms(
        where=conduct.cluster,
        workers=conduct.workers,
        patience=conduct.patience,
        profile=profile,
        logs=Workspace(request.data.absolute(), request.dataset).logs,
        environment=_environment(profile, conduct.workers),
    )


def _environment(profile: Profile | None, workers: int | None) -> dict[str, str]:
    """What workers find in their environment: who draws in software takes a share of the cores."""
    if profile:
        cores, workers = profile.cores, profile.workers
    else:
        cores = len(os.sched_getaffinity(0))
    name = "LP_NUM_THREADS"
    return {name: os.environ.get(name, str(max(1, cores // (workers or cores))))}


def _places(request: RenderRequest, book: Logbook) -> dict[str, Path]:
    """Where to look, from where the user is."""
    work = Workspace(request.data, request.dataset)
    images = {f"{name} images": request.data / images_of(name) for name in request.projections}
    log = {"log": work.logs / book.path.name} if book.path else {}
    lists = {"list": work.list_file("all")} if work.list_file("all").exists() else {}
    return {**images, **lists, "manifest": work.manifests, **log}


def _require_some(done: Summary, conduct: Conduct) -> None:
    """Refuse a dataset of which not one scan can be used: it is not what it was taken for."""
    if done.has_faults and not (done.scans_made or done.scans_kept or done.stopped or conduct.subjects):
        bad = sum(done.rejects.values()) + done.skipped_rejects
        where = f"{done.places['log']} says why" if "log" in done.places else "look above for why"
        if not done.rejects:
            where = "they were refused before; --retry-rejects tries them again and says why"
        raise ConfigError(f"none of the {bad:,} scans of {done.dataset} can be used; {where}")


def _facts(request: RenderRequest) -> Facts:
    """What the manifest says of the whole build; its files by paths that hold wherever it is read."""
    files = {name: getattr(request, name) for name in ("light_file", "body_models")}
    asked = replace(request, **{name: path and path.absolute() for name, path in files.items()})
    config = json.dumps(asdict(asked), default=str)
    return Facts(request.dataset, _LICENCE, config, code_version())


def _describe(build: _Build, watch: Watch) -> None:
    """Write the lists that published loaders read, and the description, if the manifest has changed."""
    work = build.work
    described, listed = work.manifests / croissant.FILE, work.list_file("all")
    changed = max((work.manifests / kind.file).stat().st_mtime for kind in KINDS)
    is_described = described.exists() and described.stat().st_mtime >= changed
    if is_described and (listed.exists() or not is_for_lists(build.request)):
        return
    try:
        if open_manifest(work.manifests).counts[VIEWS.name]:
            write_lists(choose(work), listed.parent)
    except ManifestError as error:
        watch.say(f"the lists are left as they are: {error}")
    croissant.describe(work.manifests)  # last: it tells that both were written
