"""How a build is told in words and numbers: how far it is, what it did, what it would do; 80 columns.

Refuses to know where the words go.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from pipeline.conduct.standing import Planned, Snapshot, Summary

COLUMNS = 80
STOPPING = "finishing the scans in hand; once more to stop at once"
_MOST_SCANS = 20  # that a plan names
_MOST_REASONS = 5  # that a line names
_HEAD = ("scans", "views", "images")
_AGAIN = "not tried again; --retry-rejects does"


def printable(text: str) -> str:
    """A text on one line, in which nothing moves a cursor: names of files may hold anything."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def time_text(seconds: float) -> str:
    """A time as exact as anybody wants it: `8.1 s`, `45 s`, `3 min 20 s`, `2 h 05 min`, `3 days 4 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole, minutes, hours = round(seconds), round(seconds / 60), round(seconds / 3600)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{hours // 24} days {hours % 24} h"


def bytes_text(count: int) -> str:
    """An amount of memory: `850 MB`, `12.3 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 999.5e6 else f"{count / 1e6:.0f} MB"


def rate_text(views_a_second: float) -> str:
    """A rate in three digits, by the minute where it is low."""
    if views_a_second < 0.1:
        return f"{60 * views_a_second:.2g} views a minute"
    if views_a_second < 100:
        return f"{views_a_second:.3g} views a second"
    return f"{views_a_second:,.0f} views a second"


def reasons_text(rejects: Mapping[str, int]) -> str:
    """Why how many scans were rejected, as `3 MeshError, 1 FormatError`."""
    named = [f"{number:,} {reason}" for reason, number in rejects.items()]
    more = sum(list(rejects.values())[_MOST_REASONS:])
    return ", ".join([*named[:_MOST_REASONS], *([f"{more:,} others"] if more else [])])


def line_of(found: Snapshot) -> str:
    """How far a build is, in one line of a log."""
    if not found.begun:
        return found.doing
    parts = [
        f"{found.views_made:,} of {found.views:,} views, {found.scans_made:,} of {found.scans:,} scans"
    ]
    if found.views_a_second is not None:
        parts.append(rate_text(found.views_a_second))
    if found.seconds_left is not None:
        parts.append(f"{time_text(found.seconds_left)} left")
    if found.rejected:
        parts.append(f"{found.rejected:,} rejected ({reasons_text(found.rejects)})")
    parts += [hands_text(found), found.doing]
    return ", ".join(part for part in parts if part)


def hands_text(found: Snapshot) -> str:
    """Who is at how much, as `8 in hand, 120 waiting, 4 workers, 12.3 GB`."""
    parts = [f"{found.in_flight:,} in hand, {found.waiting:,} waiting"]
    parts += [_counted(found.workers, "worker")] if found.workers else []
    parts += [bytes_text(found.memory_bytes)] if found.memory_bytes else []
    return ", ".join(parts)


def lines_of(done: Summary) -> list[str]:
    """What a build did, as a table."""
    rows: list[tuple[str, tuple[int, ...], str]] = [
        ("made", (done.scans_made, done.views_made, done.images), ""),
        ("kept", (done.scans_kept, done.views_kept), ""),
    ]
    if done.rejects:
        rows.append(("rejected", (sum(done.rejects.values()),), ""))
    most_first = sorted(done.rejects.items(), key=lambda item: (-item[1], item[0]))
    rows += [(f"  {stage}: {reason}", (number,), "") for (stage, reason), number in most_first]
    rows += _before(done.skipped_rejects)
    time = time_text(done.seconds)
    if done.views_made and done.seconds > 0:
        time += f", {rate_text(done.views_made / done.seconds)}"
    beside = [("time", time), *((name, str(path)) for name, path in done.places.items())]
    return [f"{done.dataset}: {_verdict(done)}", *_table(rows, beside)]


def lines_of_plan(planned: Planned) -> list[str]:
    """What a build would do and why, as a table, and the first of those whom it would be about."""
    if not planned.scans:
        title = f"{planned.dataset}: {_all_is_done(planned.skipped_rejects)}, nothing would be made"
    else:
        title = f"{planned.dataset}: what would be made, and why"
    rows: list[tuple[str, tuple[int, ...], str]] = [
        (reason, counts, "") for reason, counts in planned.reasons.items()
    ]
    if planned.scans:
        rows.append(("in all", (len(planned.scans), planned.views, planned.images), ""))
    rows.append(("kept", (planned.scans_kept, planned.views_kept), ""))
    rows += _before(planned.skipped_rejects)
    return [title, *_table(rows, ()), *([""] if planned.scans else []), *_named(planned)]


def _named(planned: Planned) -> Iterable[str]:
    """The first scans of a plan, each with its reasons."""
    shown = planned.scans[:_MOST_SCANS]
    width = max((len(scan) for scan, _ in shown), default=0) + 2
    for scan, reasons in shown:
        said = textwrap.wrap("; ".join(reasons), max(COLUMNS - width, 20)) or [""]
        yield f"{scan:{width}}{said[0]}"
        yield from (" " * width + rest for rest in said[1:])
    if more := len(planned.scans) - len(shown):
        yield f"and {_counted(more, 'scan')} more"


def _verdict(done: Summary) -> str:
    if done.stopped:
        return "stopped early; the same command goes on from here"
    if not done.scans_made and not done.rejects:
        return _all_is_done(done.skipped_rejects)
    return "done"


def _all_is_done(skipped: int) -> str:
    return "all that can be used is up to date" if skipped else "everything is up to date"


def _before(skipped: int) -> list[tuple[str, tuple[int, ...], str]]:
    return [("rejected before", (skipped,), _AGAIN)] if skipped else []


def _table(
    rows: Iterable[tuple[str, tuple[int, ...], str]], beside: Iterable[tuple[str, str]]
) -> Iterable[str]:
    """Rows of a name, right-aligned counts and a remark; then rows of a name and a text."""
    rows, beside = list(rows), list(beside)
    width = max(len(name) for name in (*(row[0] for row in rows), *(name for name, _ in beside))) + 1
    yield " " * width + "".join(f"{name:>12}" for name in _HEAD)
    for name, counts, remark in rows:
        text = f"{name:{width}}" + "".join(f"{number:12,}" for number in counts)
        yield f"{text}   {remark}" if remark else text
    yield from (f"{name:{width}} {text}" for name, text in beside)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
