"""How far a build is: a tally that the build feeds and whoever shows it reads, from any thread.

Refuses to know how it is shown, and what a scan is; what time it is it is told.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Protocol

from pipeline.errors import Excluded

EXCLUDED = Excluded.__name__  # the reason of rejects that are nobody's fault
_WINDOW = 60.0  # seconds that the present rate is taken over
_FEWEST = 8  # jobs that it is taken over at least, however long they took


@dataclass(frozen=True)
class Snapshot:
    """A build as it stands: counts, who works on it, and how fast; None is what is not known yet.

    `views` are those to be made, without those of scans that were rejected on the way; `views_kept` were up
    to date. `views_a_second` is of the last minute, and the time left follows from it.
    """

    doing: str = ""
    begun: bool = False
    scans: int = 0
    scans_made: int = 0
    scans_rejected: int = 0
    views: int = 0
    views_made: int = 0
    views_kept: int = 0
    images: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    waiting: int = 0
    workers: int = 0
    memory_bytes: int = 0
    dashboard: str | None = None
    seconds: float = 0.0
    views_a_second: float | None = None
    views_a_second_overall: float | None = None
    seconds_left: float | None = None

    @property
    def rejected(self) -> int:
        """How many scans were rejected, those included that nothing could be made of from the start."""
        return sum(self.rejects.values())

    @property
    def share(self) -> float:
        """How much of what is to be made is made, 0 to 1."""
        return min(1.0, self.views_made / self.views) if self.views else 0.0


class Standing:
    """The tally of one build; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = RLock()  # may be asked again by a signal that comes while it is held
        self._rejects: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._doing, self._ends = "", False
        self._began: float | None = None
        self._crew: tuple[int, int, str | None, int] = (0, 0, None, 0)
        self._past: deque[tuple[float, int, int]] = deque()  # when, views made by then, and settled

    def doing(self, what: str) -> None:
        """Say what the build is at when it makes no views, such as "reading the manifest"; "" ends it."""
        with self._lock:
            self._doing = what

    def ending(self, what: str) -> None:
        """Say that the build was asked to end early; how long all of it would take is not told any more."""
        with self._lock:
            self._doing, self._ends = what, True

    def begin(self, scans: int, views: int, views_kept: int = 0) -> None:
        """So much is to be made, beginning now, and so many views are kept as they are."""
        with self._lock:
            self._began = self._clock()
            self._counts.update(scans=scans, views=views, kept=views_kept)
            self._past.append((self._began, 0, 0))

    def made(self, scan_done: bool, views: int, images: int) -> None:
        """One job came in with so many views and files; was it the last of its scan?"""
        with self._lock:
            self._counts.update(done=int(scan_done), made=views, images=images)
            self._settle(views, views)

    def rejected(self, reason: str, views: int = 0) -> None:
        """A scan was rejected, and so many of the views to be made will not be.

        Before `begin` it is one that nothing was to be made of.
        """
        with self._lock:
            self._rejects[reason] += 1
            if self._began is not None:
                self._counts.update(refused=1, lost=views)
                self._settle(0, views)

    def crew(self, workers: int, memory_bytes: int, dashboard: str | None, in_flight: int) -> None:
        """So many processes with so much memory between them are at so many jobs now."""
        with self._lock:
            self._crew = workers, memory_bytes, dashboard, in_flight

    def snapshot(self) -> Snapshot:
        """All of it, as of now."""
        with self._lock:
            counts, now = self._counts, self._clock()
            workers, memory, dashboard, in_flight = self._crew
            seconds = 0.0 if self._began is None else now - self._began
            pace, left = self._pace(now)
            return Snapshot(
                doing=self._doing,
                begun=self._began is not None,
                scans=counts["scans"],
                scans_made=counts["done"],
                scans_rejected=counts["refused"],
                views=counts["views"] - counts["lost"],
                views_made=counts["made"],
                views_kept=counts["kept"],
                images=counts["images"],
                rejects=dict(self._rejects.most_common()),
                in_flight=in_flight,
                waiting=max(0, counts["scans"] - counts["done"] - counts["refused"] - in_flight),
                workers=workers,
                memory_bytes=memory,
                dashboard=dashboard,
                seconds=seconds,
                views_a_second=pace,
                views_a_second_overall=counts["made"] / seconds if seconds > 0 and counts["made"] else None,
                seconds_left=None if self._ends else left,
            )

    def _settle(self, made: int, settled: int) -> None:
        """Keep what the rate needs: a minute, or as many jobs as come in twice over, and one before."""
        self._counts["jobs"] += 1
        if not settled:
            return
        now = self._clock()
        _, made_by_then, settled_by_then = self._past[-1] if self._past else (now, 0, 0)
        self._past.append((now, made_by_then + made, settled_by_then + settled))
        fewest = max(_FEWEST, 2 * self._crew[3])
        while len(self._past) > fewest + 1 and self._past[1][0] <= now - _WINDOW:
            self._past.popleft()

    def _pace(self, now: float) -> tuple[float | None, float | None]:
        """Views made a second, and the seconds until all are settled at the present rate.

        A rejected scan's views are settled too: others will be rejected likewise. The time is known once as
        many jobs came in as there are workers.
        """
        if len(self._past) < 2 or now <= self._past[0][0]:
            return None, None
        began, made, settled = self._past[0]
        _, made_now, settled_now = self._past[-1]
        pace = (made_now - made) / (now - began)
        if self._counts["jobs"] < self._crew[0]:
            return pace, None
        to_settle = max(0, self._counts["views"] - settled_now)
        return pace, to_settle * (now - began) / (settled_now - settled)


class Watch(Protocol):
    """Who watches a build: what it is told, in lines, and whose standing it looks at meanwhile."""

    def say(self, text: str) -> None:
        """A line that must be seen."""

    def scan(self, text: str) -> None:
        """A line about one scan that was made, where there is room for it."""

    def warn(self, text: str) -> None:
        """A line about something odd, such as a reject; of very many not every one is shown."""

    def follow(self, standing: Standing) -> None:
        """Show from now on how far this is."""


@dataclass(frozen=True)
class Summary:
    """What a build did: made, found up to date, rejected by stage and reason, and the time.

    `skipped_rejects` were rejected before and not tried again, those aside that the user leaves out;
    `stopped` means it was asked to end early. `places` are where its outcome lies.
    """

    dataset: str
    scans_made: int
    scans_kept: int
    views_made: int
    views_kept: int
    images: int
    rejects: Mapping[tuple[str, str], int]
    skipped_rejects: int
    seconds: float
    stopped: bool = False
    places: Mapping[str, Path] = field(default_factory=dict)

    @property
    def has_faults(self) -> bool:
        """Whether scans could not be used, besides those that the user leaves out."""
        return self.skipped_rejects > 0 or any(reason != EXCLUDED for _, reason in self.rejects)


@dataclass(frozen=True)
class Planned:
    """What a build would do: how many scans, views and images there are for each reason, and in all.

    One of them may have several reasons. `scans` are the ids to be made, each with its reasons.
    """

    dataset: str
    reasons: Mapping[str, tuple[int, int, int]]
    views: int
    images: int
    scans: Sequence[tuple[str, Sequence[str]]]
    scans_kept: int
    views_kept: int
    skipped_rejects: int
