"""Which datasets there are, and who is in each: one file per dataset's folders."""

from __future__ import annotations

from pipeline.config import SplitShares
from pipeline.datasets.ids import fault_of, printable
from pipeline.datasets.layouts import Layout
from pipeline.datasets.overrides import read_overrides
from pipeline.datasets.places import Tree
from pipeline.datasets.splits import split_of
from pipeline.errors import ConfigError
from pipeline.records import Fault, Subject, Survey
from pipeline.store import Workspace

_STAGE, _REASON = "survey", "NameFault"


def survey(work: Workspace, layout: Layout, shares: SplitShares | None = None) -> Survey:
    """Everybody in a dataset, in the order of the ids, and what could not be taken for anybody.

    Only names are looked at. An id that cannot name a file, or a second scan of the same id, is a reject.
    """
    wanted = shares or SplitShares()
    tree = Tree(work)
    subjects: dict[str, Subject] = {}
    rejects: list[Fault] = []
    for subject in layout.find(tree, lambda name: split_of(name, wanted)):
        reason = _refusal(subject, subjects)
        if reason:
            rejects.append(_fault(work, subject.id, reason))
        else:
            subjects[subject.id] = subject
    rejects += [_fault(work, path, reason) for path, reason in tree.faults]
    place = work.root / layout.folder(work)
    if not subjects and not rejects:
        raise ConfigError(f"nobody of {work.dataset} is under {place}; expected {layout.expected} there")
    return Survey(
        dataset=work.dataset,
        layout=layout.name,
        folder=layout.folder(work),
        facts=layout.facts,
        subjects=tuple(subjects[name] for name in sorted(subjects)),
        rejects=tuple(sorted(rejects, key=lambda reject: (reject.scan, reject.detail))),
        overrides=read_overrides(place, layout.overrides, subjects),
    )


def _fault(work: Workspace, name: str, detail: str) -> Fault:
    return Fault(work.dataset, printable(name), _STAGE, _REASON, detail)


def _refusal(subject: Subject, known: dict[str, Subject]) -> str | None:
    """Why a subject cannot be taken, if it cannot."""
    fault = fault_of(subject.id)
    if fault:
        return f"its name {fault}, so no file can be named for it; rename {_somewhere(subject)}"
    if subject.id in known:
        first, second = _somewhere(known[subject.id]), _somewhere(subject)
        return f"is there twice: {first} and {second}; the first is used, so remove or rename one"
    return None


def _somewhere(subject: Subject) -> str:
    """A path that leads to a subject, fit to be shown."""
    paths = (subject.mesh, subject.parameters, subject.registered, subject.joints, *subject.pictures)
    return ascii(next((path for path in paths if path), subject.id))[1:-1]
