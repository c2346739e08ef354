"""The rejects that a build begins with: of names that cannot be used, and those that are none any more.

Refuses to know why a scan is a reject.
"""

from __future__ import annotations

from manifests import journal
from manifests.fold import forget
from manifests.lock import FolderLock
from manifests.schema import REJECTS, rows_of
from pipeline.conduct.needs import Needs
from pipeline.records import Survey
from pipeline.rows import RejectRow
from pipeline.stages.record import reject_row


def settle(lock: FolderLock, found: Survey, needs: Needs) -> None:
    """Note what the survey refused, each once, and forget who is gone, or is up to date after all."""
    known = rows_of(RejectRow, needs.manifest.rejects())
    said = {(row.scan, row.detail) for row in known}
    for fault in found.rejects:
        if (fault.scan, fault.detail) not in said:
            journal.reject(lock.folder, reject_row(fault))
    chosen = {subject.id for subject in needs.subjects}
    stays = {subject.id for subject in found.subjects} - chosen
    stays |= {fault.scan for fault in found.rejects} | {row.scan for row in needs.skipped}
    stays |= {scan for scan, _ in needs.named()}  # each will be tried again
    gone = sorted((row.scan,) for row in known if row.scan not in stays)
    if gone:
        forget(lock, REJECTS, gone)
