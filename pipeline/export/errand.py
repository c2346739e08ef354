"""Exporting, top to bottom: manifest -> plan -> the folder's ledger -> shards -> card."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from manifests import croissant
from manifests.journal import entries
from pipeline.atomic import replacing, require_writable, write_text
from pipeline.config import ExportRequest
from pipeline.errors import ConfigError, ManifestError
from pipeline.export.card import Form, card_of
from pipeline.export.chosen import SPLITS, Choice, DisagreementError, Row, choose
from pipeline.export.huggingface import ParquetShards
from pipeline.export.ledger import CARD, Ledger, open_ledger
from pipeline.export.lists import write_lists
from pipeline.export.plan import Shard, Tally, plan
from pipeline.export.webdataset import TarShards
from pipeline.store import Workspace

Report = Callable[[str], None]
_ROWS_SHARE = 1.02  # what files take in a shard, at most, besides some room for each view's row
_ROW_BYTES = 20_000
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Exported:
    """What was written where: views by split, files made now and before; or the faults that forbade it."""

    place: Path
    views: Mapping[str, int] = field(default_factory=dict)
    made: int = 0
    kept: int = 0
    bytes: int = 0
    seconds: float = 0.0
    faults: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What was done, in plain lines."""
        views = ", ".join(f"{split} {count}" for split, count in self.views.items())
        files = f"files: {self.made} written" + (f", {self.kept} kept" if self.kept else "")
        size = f", {_size(self.bytes)}" if self.bytes else ""
        return [f"views: {views}"] * bool(views) + [f"{files}{size}, in {self.seconds:.0f} s: {self.place}"]


def export(request: ExportRequest, report: Report) -> Exported:
    """Write a dataset in another form; says in plain lines what it does."""
    started = time.perf_counter()
    work = Workspace(request.data, request.dataset)
    choice = choose(work)
    waiting = len(entries(work.manifests))
    if waiting:
        report(f"warning: {waiting} finished scans are not in the tables yet; the next build takes them in")
    if choice.rejected:
        report(f"left out: the views of rejected scans ({len(choice.rejected)} were rejected)")
    try:
        done = _WAYS[request.to](choice, request, report)
    except DisagreementError as error:
        done = Exported(work.manifests, faults=error.faults)
    return replace(done, seconds=time.perf_counter() - started)


def _lists(choice: Choice, request: ExportRequest, report: Report) -> Exported:
    folder = request.out or choice.work.list_file("all").parent
    require_writable(folder)
    counts = write_lists(choice, folder)
    left = choice.manifest.counts["views"] - counts["all"]
    if left:
        report(f"left out: {left} views that no published loader reads (see docs/export.md), or rejected")
    return Exported(folder, {split: counts[split] for split in SPLITS}, made=len(counts))


def _croissant(choice: Choice, request: ExportRequest, _: Report) -> Exported:
    if request.out is not None:
        raise ConfigError("a Croissant description lies beside the tables; leave the folder out")
    return Exported(croissant.describe(choice.work.manifests), made=1)


def _shards(choice: Choice, request: ExportRequest, report: Report) -> Exported:
    folder = request.out or choice.work.root / "export" / request.dataset / request.to
    planned = plan(choice, request.shard_mb * _MEGABYTE)
    if planned.faults:
        raise DisagreementError(planned.faults)
    if not planned.shards:
        raise ManifestError(f"{request.dataset} has no views to export; `scan2k render` makes them")
    form = TarShards(choice) if request.to == "webdataset" else ParquetShards(choice, planned.endings)
    owner = {"dataset": request.dataset, "to": request.to}
    ledger = open_ledger(folder, owner, {form.name(shard): shard.digest for shard in planned.shards})
    due = {shard: form.name(shard) not in ledger.kept for shard in planned.shards}
    _require_room(folder, [shard for shard in planned.shards if due[shard]], ledger)
    counts = {split: planned.views(split) for split in SPLITS}
    ledger.begin({**owner, "views": counts, "shards": [_noted(form, s) for s in planned.shards]})
    for split in SPLITS:
        if not counts[split]:
            report(f"{split}: no views")
        _write_split(
            choice, form, folder, {s: is_due for s, is_due in due.items() if s.split == split}, report
        )
    write_text(folder / CARD, card_of(form, choice, planned))
    made = sum(due.values())
    size = sum(shard.bytes for shard in planned.shards)
    return Exported(folder, counts, made, len(due) - made, bytes=size)


_WAYS: Mapping[str, Callable[[Choice, ExportRequest, Report], Exported]] = {
    "lists": _lists,
    "webdataset": _shards,
    "hf": _shards,
    "croissant": _croissant,
}


def _write_split(
    choice: Choice, form: Form, folder: Path, todo: Mapping[Shard, bool], report: Report
) -> None:
    """Write the shards of a split that are to be written; the others' rows are passed over."""
    if not any(todo.values()):
        return
    rows: Iterator[Row] = iter(())
    for shard, is_due in todo.items():
        rows = rows if shard.number else choice.rows(shard.split)
        own = islice(rows, shard.views)
        if not is_due:
            deque(own, maxlen=0)
            continue
        path = folder / form.name(shard)
        try:
            with replacing(path, durable=True) as stream:
                form.write(stream, _as_planned(own, shard))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(error.filename or path)) from error
        report(f"{path.name} ({shard.number + 1} of {shard.of}): {shard.views} views, {_size(shard.bytes)}")


def _as_planned(rows: Iterator[Row], shard: Shard) -> Iterator[Row]:
    """The same rows, found to be those that the shard was planned for: a build may have ended meanwhile."""
    tally = Tally()
    for row in rows:
        tally.add(row)
        yield row
    if tally.digest != shard.digest:
        raise ManifestError("the manifest was changed while it was exported; export again")


def _require_room(folder: Path, todo: Sequence[Shard], ledger: Ledger) -> None:
    """Refuse what the disk cannot hold, before anything is written or removed."""
    needed = sum(int(shard.bytes * _ROWS_SHARE) + shard.views * _ROW_BYTES for shard in todo)
    free = shutil.disk_usage(folder).free + sum(path.stat().st_size for path in ledger.outdated)
    if needed > free:
        raise ConfigError(
            f"{folder} has {_size(free)} free, and the shards to be written take {_size(needed)}; "
            "give a folder on another disk with --out"
        )


def _noted(form: Form, shard: Shard) -> dict[str, object]:
    return {
        "name": form.name(shard),
        "split": shard.split,
        "views": shard.views,
        "files_bytes": shard.bytes,
        "digest": shard.digest,
    }


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"
