"""What scan-list says: who is in a dataset, what each has and what each lacks. Refuses to open a scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import PurePosixPath

from pipeline.config import ListRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.records import Override, Subject, Survey
from pipeline.store import Workspace

_ABSENT = "-"


def scan_list(request: ListRequest) -> Survey:
    """Who is in a dataset."""
    layout = layout_of(request.dataset, request.layout)
    return survey(Workspace(request.data, request.dataset), layout, request.shares)


def lacks(subject: Subject, facts: tuple[str, ...]) -> tuple[str, ...]:
    """What a subject could have and has not; only an OBJ needs a texture beside it."""
    return tuple(fact for fact in facts if not _paths(subject, fact) and not _needs_none(subject, fact))


def lines(found: Survey) -> Iterator[str]:
    """A table for people: one line each, then a line for each that is not used, then the sums."""
    heads = ("subject", "split", *found.facts, "lacks", "override")
    rows = [_row(subject, found) for subject in found.subjects]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    for reject in found.rejects:
        yield f"not used: {reject.scan}: {reject.detail}"
    sums = counts(found)
    yield f"{found.folder}, laid out as {found.layout}: {len(found.subjects):,} subjects"
    yield "split: " + ", ".join(f"{name} {number:,}" for name, number in sums["split"].items())
    yield "found: " + ", ".join(f"{name} {number:,}" for name, number in sums["found"].items())


def counts(found: Survey) -> dict[str, dict[str, int]]:
    """How many are in each split, and how many have each fact."""
    splits = Counter(subject.split for subject in found.subjects)
    return {
        "split": {name: splits[name] for name in ("train", "val", "test")},
        "found": {fact: sum(bool(_paths(s, fact)) for s in found.subjects) for fact in found.facts},
    }


def as_json(found: Survey) -> dict[str, object]:
    """The same for programs: paths are below the data folder."""
    return {
        "dataset": found.dataset,
        "layout": found.layout,
        "folder": found.folder,
        "facts": list(found.facts),
        **counts(found),
        "subjects": [_entry(subject, found) for subject in found.subjects],
        "rejects": [asdict(reject) for reject in found.rejects],
    }


def _entry(subject: Subject, found: Survey) -> dict[str, object]:
    said = found.overrides.get(subject.id)
    return {
        "id": subject.id,
        "split": subject.split,
        **{fact: getattr(subject, fact) for fact in found.facts},
        **({"joints_kind": subject.joints_kind} if "joints" in found.facts else {}),
        "lacks": list(lacks(subject, found.facts)),
        "attributes": dict(subject.attributes),
        "override": asdict(said) if said else None,
    }


def _row(subject: Subject, found: Survey) -> tuple[str, ...]:
    cells = (_cell(subject, fact) for fact in found.facts)
    missing = ", ".join(lacks(subject, found.facts)) or _ABSENT
    return (subject.id, subject.split, *cells, missing, _said(found.overrides.get(subject.id)))


def _cell(subject: Subject, fact: str) -> str:
    """The formats of what is there."""
    if fact == "joints" and subject.joints_kind:
        return subject.joints_kind
    kinds = [PurePosixPath(path).suffix[1:].lower() for path in _paths(subject, fact)]
    if not kinds and subject.mesh and _needs_none(subject, fact):
        return "in mesh"
    return "+".join(dict.fromkeys(kinds)) or _ABSENT


def _said(override: Override | None) -> str:
    """What a user, or what ships, says of one person."""
    if override is None:
        return _ABSENT
    parts = [
        "left out" if override.exclude else "",
        f"yaw {override.yaw:g}" if override.yaw is not None else "",
        f"scale {override.scale:g}" if override.scale is not None else "",
        ascii(override.note)[1:-1] if override.note and not override.note.isprintable() else override.note,
    ]
    return ", ".join(part for part in parts if part) or _ABSENT


def _paths(subject: Subject, fact: str) -> tuple[str, ...]:
    """The paths under a field's name, however many it holds."""
    held: tuple[str, ...] | str | None = getattr(subject, fact)
    return held if isinstance(held, tuple) else (held,) if held else ()


def _needs_none(subject: Subject, fact: str) -> bool:
    """Whether a texture is not missed: there is no mesh for it, or the mesh carries its own colours."""
    return fact == "textures" and not (subject.mesh or "").lower().endswith(".obj")
