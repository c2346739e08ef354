"""How what was found is told: to people in lines, to programs as plain values. Refuses to find anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from pipeline.audit.files import STRAY, Verdict
from pipeline.audit.outlook import Status
from pipeline.conduct.wording import printable


def status_lines(found: Status) -> Iterator[str]:
    """How far a dataset is, a line for each thing that there is to say."""
    scans, views = _count(found.scans, "scan"), _count(found.views, "view")
    yield f"{found.dataset}: {scans}, {views}, {found.bytes / 1e9:.2f} GB"
    if found.up_to_date is not None:
        yield f"up to date: {_count(found.up_to_date, 'view')}"
    yield from (f"stale: {_count(count, 'view')}, {reason}" for reason, count in found.stale.items())
    if found.missing:
        yield f"missing: files of {_count(found.missing, 'view')}"
    if found.unmade:
        yield f"missing: {_count(found.unmade, 'view')} that the last build was to make"
    for reason, count in found.rejected.items():
        yield f"rejected: {_count(count, 'scan')}, {printable(reason)}"
    if found.left_out:
        yield f"left out: {_count(found.left_out, 'scan')}, as the user wishes"
    if found.unbuilt:
        yield f"not built yet: {_count(found.unbuilt, 'scan')}"
    if found.absent:
        yield f"not in the dataset any more: {_count(found.absent, 'scan')}"
    if found.unasked:
        yield f"not what the last build was asked for: {_count(found.unasked, 'view')}"
    if found.waiting:
        entries = "entry" if found.waiting == 1 else "entries"
        yield f"in the journal: {found.waiting:,} {entries}, in no table until a build ends or begins"
    yield from (f"not known: {printable(what)}" for what in found.unknown)


def verdict_lines(found: Verdict) -> Iterator[str]:
    """Whether rows and files agree: a line a fault, and of files that are in no row a line a folder."""
    yield from (f"{fault.kind}: {fault.path}: {fault.said}" for fault in found.faults if fault.key)
    strays: dict[str, list[str]] = {}
    for fault in (fault for fault in found.faults if not fault.key):
        folder, _, name = fault.path.rpartition("/")
        strays.setdefault(folder, []).append(name)
    for folder, names in strays.items():
        yield f"{STRAY}: {folder}: {_count(len(names), 'file')} in no row, such as {names[0]}"
    counts = Counter(fault.kind for fault in found.faults)
    sums = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "all is as it says"
    yield f"{found.dataset}: {found.views:,} views, {found.files:,} files: {sums}"
    if found.forgotten:
        yield f"forgotten: {_count(found.forgotten, 'view')}, which the next build makes again"


def status_json(found: Status) -> dict[str, object]:
    """How far a dataset is, for programs."""
    return asdict(found)


def verdict_json(found: Verdict) -> dict[str, object]:
    """Whether rows and files agree, for programs."""
    return asdict(found)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"
