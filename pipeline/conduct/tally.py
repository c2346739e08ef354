"""The tally of a build: what came of every job, told to who watches and to the log, and summed up at last.

Refuses to make anything, and to know who does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pipeline.conduct.logbook import Logbook
from pipeline.conduct.needs import Need, Needs
from pipeline.conduct.standing import EXCLUDED, Standing, Summary, Watch
from pipeline.conduct.steps import Made
from pipeline.errors import RenderError
from pipeline.records import Fault
from pipeline.rows import ScanRow
from pipeline.stages.align import FROM_NOTHING

_HOPELESS = 3  # scans that workers died of, with nothing made, after which it is not the scans


class Tally:
    """Counts what comes in, and says it; `standing` is for those who look now and then."""

    def __init__(self, needs: Needs, standing: Standing, watch: Watch, book: Logbook) -> None:
        self._needs, self._standing, self._watch, self._book = needs, standing, watch, book
        self._rejects: Counter[tuple[str, str]] = Counter()
        self._scans = self._views = self._images = 0
        self._lost = 0
        self._settled = 0  # views of jobs that came in
        self._done = 0  # scans of which all that was wanted came in
        self._refused = 0  # scans of which something was wanted
        self._warned: set[str] = set()
        self._of_scan: Counter[str] = Counter()  # views made so far, of scans in hand

    def say(self, text: str) -> None:
        """Something about the whole build."""
        self._watch.say(text)
        self._book.note(text)

    def ending(self, text: str) -> None:
        """The build was asked to end, and does as the text says."""
        self._standing.ending(text)
        self.say(text)

    def made(self, need: Need, made: Made, is_done: bool) -> None:
        """A job came in with what it was for, some of which may have been up to date after all."""
        scan, row = need.subject.id, made.row
        self._standing.made(is_done, len(need.wants), made.images)
        self._views, self._images = self._views + made.views, self._images + made.images
        self._settled += len(need.wants)
        self._of_scan[scan] += made.views
        if made.warning and made.warning not in self._warned:
            self._warned.add(made.warning)
            self.say(f"warning: {made.warning}")
        if is_done and row:
            views = self._of_scan.pop(scan)
            self._done, self._scans = self._done + 1, self._scans + bool(views)
            said = _told(row, views, need.why)
            self._watch.scan(said)
            self._book.note(said)
            for text in row.warnings:
                self._watch.warn(f"{scan}: warning: {text}")
                self._book.warn(f"{scan}: {text}")

    def lost(self) -> None:
        """Workers died of a scan; that is the scan's fault only as long as others can be made."""
        self._lost += 1
        if self._lost == _HOPELESS and not self._settled:
            raise RenderError(
                f"workers died of each of the first {_HOPELESS} scans, and none could be made: that is not "
                "the scans' fault; see what `scan2k doctor` says, give workers more memory, and call again "
                "with --retry-rejects"
            )

    def refused(self, fault: Fault, views: int = 0) -> None:
        """A scan cannot be used, and so many views will not be made."""
        self._of_scan.pop(fault.scan, None)
        self._refused += bool(views)
        self._rejects[fault.stage, fault.reason] += 1
        self._standing.rejected(fault.reason, views)
        self._watch.warn(f"{fault.scan}: not used: {fault.detail}")
        self._book.reject(fault)

    def summary(self, seconds: float, stopped: bool, places: Mapping[str, Path]) -> Summary:
        """All of it; a build that was stopped with nothing left to do was not stopped early."""
        kept = self._needs.kept
        left = self._needs.total.scans - self._done - self._refused
        return Summary(
            dataset=self._needs.manifest.facts.dataset,
            scans_made=self._scans,
            scans_kept=kept.scans + self._done - self._scans,
            views_made=self._views,
            views_kept=kept.views + self._settled - self._views,
            images=self._images,
            rejects=dict(self._rejects),
            skipped_rejects=sum(row.reason != EXCLUDED for row in self._needs.skipped),
            seconds=seconds,
            stopped=stopped and left > 0,
            places=places,
        )


def _told(row: ScanRow, views: int, why: tuple[str, ...]) -> str:
    """What to say of a scan that is done."""
    facing = f"faces {math.degrees(row.front_yaw):.1f} degrees, known from {row.front_source}"
    if row.front_source == FROM_NOTHING:
        facing = "front unknown, taken to be +z"
    made = f"{views} view{'s' * (views != 1)} made" if views else "up to date after all"
    return f"{row.scan}: {made} ({', '.join(why)}); {facing}{_cleaned(row)}"


def _cleaned(row: ScanRow) -> str:
    """What cleaning took away, where it was asked for."""
    text = ""
    if row.fragments_under:
        share = 100 * row.removed_fragment_share
        text += f"; {row.removed_fragments} fragments dropped ({share:.2g} % of the area)"
    if row.drop_floor:
        faces = row.removed_floor_faces
        text += f"; floor dropped ({faces:,} faces)" if faces else "; no floor"
    return text
