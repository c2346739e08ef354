"""How far a dataset is: what the next build would make if it were asked for the same as the last one.

What is not up to date is for `conduct` to say, as in a build. Refuses to open an image, to wait for a build
that runs, and to write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from manifests import journal
from manifests.read import Manifest, open_manifest
from manifests.sums import sums_of
from pipeline.audit.asked import asked_in
from pipeline.audit.recalled import needs_as_recalled
from pipeline.conduct.beginning import survey_of, workspace_of
from pipeline.conduct.needs import Count, Needs, needs_of
from pipeline.conduct.staleness import GONE, NEW, UNSEEN
from pipeline.conduct.standing import EXCLUDED
from pipeline.config import Conduct, ListRequest, RenderRequest
from pipeline.datasets.layouts import layout_of
from pipeline.datasets.places import Tree
from pipeline.errors import ConfigError, ManifestError
from pipeline.records import Survey
from pipeline.store import Workspace


@dataclass(frozen=True)
class Status:
    """How far a dataset is, against what the last build was asked for; None = that is not known.

    `stale`, `missing` (files gone) and `unmade` (views without a row) count views, `stale` by reason; a
    view may have several. `unbuilt` are scans that are yet to be made or to be tried again, `absent` those
    of the manifest that are not in the dataset any more. `rejected` counts rejects by reason, and
    `left_out` those that the user wants out, as far as the next build leaves them at that. `unasked` are
    rows of other views, `waiting` entries of the journal, which are in no table yet, and `unknown` says why
    things are not known.
    """

    dataset: str
    scans: int
    views: int
    up_to_date: int | None
    stale: Mapping[str, int]
    missing: int
    unmade: int
    rejected: Mapping[str, int]
    left_out: int
    unbuilt: int | None
    absent: int | None
    unasked: int | None
    waiting: int
    bytes: int
    unknown: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is known what is up to date, and nothing is stale, missing or left to do."""
        left = self.stale or self.missing or self.unmade or self.unbuilt or self.waiting
        return self.up_to_date is not None and not left


class _Seen(NamedTuple):
    """What a dataset is compared with: what was asked for, who is there, and why one is not known."""

    work: Workspace
    asked: RenderRequest | None
    found: Survey | None
    unknown: tuple[str, ...]


def status(request: ListRequest) -> Status:
    """How far a dataset is, by names, sizes and times alone."""
    place = Workspace(request.data.absolute(), request.dataset)
    waiting = journal.waiting(place.manifests)
    manifest = open_manifest(place.manifests)
    seen = _seen(place, request, manifest)
    needs = _needs(seen, manifest)
    reasons = needs.reasons if needs is not None else {}
    rejected = _rejected(needs, manifest)
    sums = sums_of(manifest)
    asked = [(at.view, at.projection) for at in needs.places] if needs is not None else []
    unbuilt, absent = _elsewhere(seen, needs, manifest)
    return Status(
        dataset=request.dataset,
        scans=manifest.counts["scans"],
        views=manifest.counts["views"],
        up_to_date=needs.kept.views if needs is not None else None,
        stale={why: count.views for why, count in reasons.items() if why not in (NEW, UNSEEN, GONE)},
        missing=reasons.get(GONE, Count()).views,
        unmade=reasons.get(UNSEEN, Count()).views,
        left_out=rejected.pop(EXCLUDED, 0),
        rejected=dict(sorted(rejected.items())),
        unbuilt=unbuilt,
        absent=absent,
        unasked=sums.rows.total() - sum(sums.rows[view] for view in asked) if needs is not None else None,
        waiting=waiting,
        bytes=sums.bytes,
        unknown=seen.unknown,
    )


def _seen(work: Workspace, request: ListRequest, manifest: Manifest) -> _Seen:
    asked, found, unknown = None, None, list[str]()
    try:
        asked = asked_in(manifest.facts.config, request)
    except ManifestError as error:
        unknown.append(f"what the last build was asked for: {error}")
    wish = asked or RenderRequest(request.dataset, request.data, layout=request.layout)
    try:
        work = workspace_of(wish)
        found = survey_of(work, wish)
    except ConfigError as error:
        if _is_anybody_there(work, wish):
            raise
        unknown.append(f"the scans, and whether they changed: {error}")
    return _Seen(work, asked, found, tuple(unknown))


def _is_anybody_there(work: Workspace, wish: RenderRequest) -> bool:
    """Whether a dataset has scans, whatever else is wrong."""
    try:
        layout = layout_of(wish.dataset, wish.layout)
    except ConfigError:
        return False
    people = layout.find(Tree(work), lambda name: "")
    return "mesh" in layout.facts and next(people, None) is not None


def _needs(seen: _Seen, manifest: Manifest) -> Needs | None:
    """What is not up to date, as far as that is known."""
    if seen.asked is None:
        return None
    if seen.found is None:
        return needs_as_recalled(seen.work, seen.asked, manifest)
    return needs_of(seen.work, seen.asked, seen.found, Conduct(), manifest)


def _rejected(needs: Needs | None, manifest: Manifest) -> Counter[str]:
    """The rejects by reason, without those that the next build tries again, or finds to be none."""
    tried: Collection[str] = ()
    if needs is not None:
        tried = {person.id for person in needs.subjects} - {row.scan for row in needs.skipped}
    rows = manifest.rejects(["scan", "reason"]).to_pylist()
    return Counter(row["reason"] for row in rows if row["scan"] not in tried)


def _elsewhere(seen: _Seen, needs: Needs | None, manifest: Manifest) -> tuple[int | None, int | None]:
    """How many scans are in the dataset alone, and how many in the manifest alone."""
    if seen.found is None:
        return None, None
    if needs is not None:
        return needs.reasons.get(NEW, Count()).scans, needs.absent
    made = set(manifest.scans(["scan"]).column(0).to_pylist())
    known = made.union(manifest.rejects(["scan"]).column(0).to_pylist())
    there = {person.id for person in seen.found.subjects}
    return len(there - known), len(made - there)
