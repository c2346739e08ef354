"""Which files of which views are not up to date, and why: of all scans together, by keys and names alone.

Refuses to open an image, and to know what is done about it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from operator import eq
from typing import Any, NamedTuple

import numpy as np

from manifests.read import is_spelt
from pipeline.config import RenderRequest
from pipeline.errors import ConfigError
from pipeline.keys import Keys
from pipeline.records import I32, U8, Bool
from pipeline.rows import Place
from pipeline.stages.render import shots_of
from pipeline.store import KEYPOINT, OVERLAY, Picture, Workspace

NEW = "new scan"
CHANGED = "scan changed"
UNSEEN = "view not there"
REDRAWN = "drawn differently"
UNMADE = "not made yet"
RELIT = "shaded differently"
REMARKED = "keypoints changed"
REFORMED = "in another format"
GONE = "file gone"
FORCED = "made all the same"
REASONS = (NEW, CHANGED, UNSEEN, REDRAWN, UNMADE, RELIT, REMARKED, REFORMED, GONE, FORCED)
CODES = {reason: number for number, reason in enumerate(REASONS, start=1)}  # 0 = up to date
OVERWRITTEN = frozenset(CODES[reason] for reason in (REDRAWN, RELIT, REMARKED))  # by something else
KEYPOINTS_FILE, OVERLAY_FILE = "keypoints_file", "overlay"
_LIT = ("shaded_front", "shaded_back")
_LISTERS = 4  # each holds the names of a folder
_FEW = 50  # scans whose files are asked for one by one: it is not worth while to list a folder


class Looks(NamedTuple):
    """What is known of a scan that is as it was: its key, and what decides its keypoints."""

    scan_key: str
    marks: str


@dataclass(frozen=True, eq=False)
class Asked:
    """What a build is to have: of each scan, from each of the places, each of the files."""

    work: Workspace
    keys: Keys
    ids: Sequence[str]
    files: Mapping[str, Picture]  # by column of ViewRow, and the overlay, which has none

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """How many scans, places and files."""
        return len(self.ids), len(self.keys.places), len(self.files)

    @cached_property
    def columns(self) -> list[str]:
        """What must be known of every view: which it is, its keys, and the files that rows name."""
        names = ("scan", "view", "projection", "key", "shaded_key", "keypoints_key")
        return [*names, *(name for name in self.files if name != OVERLAY_FILE)]


def files_of(request: RenderRequest) -> dict[str, Picture]:
    """The files of every view that a request asks for, by their columns; as for a perspective camera."""
    files = {shot.column: shot.picture for shot in shots_of(request)}
    if "depth" in request.passes:
        files[KEYPOINTS_FILE] = Picture(KEYPOINT, "front", "npy")
        if request.overlays:
            files[OVERLAY_FILE] = Picture(OVERLAY, "front", "jpg")
    return files


def why_stale(asked: Asked, known: Sequence[Looks | None], rows: Iterable[Any]) -> U8:
    """Why each file of each place of each scan (S, P, F) is not up to date, as a code: 0 = it is.

    `rows` are tables of views, with the columns that are asked for at least. Of a scan of which nothing is
    known no row counts.
    """
    judge = _Judge(asked, known)
    why = np.full(asked.shape, CODES[UNSEEN], np.uint8)
    for table in rows:
        judge.mark(why, table)
    if OVERLAY_FILE in asked.files:
        _mark_overlays(asked, why, judge.there)
    return why


class _Judge:
    """Compares rows with what is asked for."""

    def __init__(self, asked: Asked, known: Sequence[Looks | None]) -> None:
        self._asked, self._known = asked, known
        self._scans = {scan: s for s, scan in enumerate(asked.ids) if known[s]}
        self._places = {(place.view, place.projection): p for p, place in enumerate(asked.keys.places)}
        self.there = _there(asked)

    def mark(self, why: U8, table: Any) -> None:  # noqa: ANN401  a table of Arrow's
        """Put down what is to be said of some rows; the worst that is wrong with a file counts."""
        table, s, p = self._found(table)
        if not len(s):
            return
        said = np.where(self.there[s, p], np.uint8(0), np.uint8(CODES[GONE]))
        right = self._right_keys(table, s, p)
        for f, name in enumerate(self._asked.files):
            if name != OVERLAY_FILE:
                said[~self._spelt(table, name, p), f] = CODES[REFORMED]
                if name in right:
                    said[~right[name], f] = CODES[REMARKED if name == KEYPOINTS_FILE else RELIT]
                said[~table.column(name).is_valid().to_numpy(), f] = CODES[UNMADE]
        said[~right["key"]] = CODES[REDRAWN]
        why[s, p] = said

    def _found(self, table: Any) -> tuple[Any, I32, I32]:  # noqa: ANN401  a table of Arrow's
        """The rows that count, and which scans' they are, from which places."""
        scans, *seen = (table.column(name).to_pylist() for name in ("scan", "view", "projection"))
        s = np.array([self._scans.get(scan, -1) for scan in scans], np.int32)
        p = np.array([self._places.get(place, -1) for place in zip(*seen, strict=True)], np.int32)
        counts = (s >= 0) & (p >= 0)
        return (table if counts.all() else table.take(np.flatnonzero(counts))), s[counts], p[counts]

    def _right_keys(self, table: Any, s: I32, p: I32) -> dict[str, Bool]:  # noqa: ANN401
        """Whether the rows have the keys that they must have, for the files that follow from each."""
        keys, ids, files = self._asked.keys, self._asked.ids, self._asked.files
        looks = [self._known[i] or Looks("", "") for i in s.tolist()]
        places = [keys.places[i] for i in p.tolist()]
        plain = [keys.of_view(look.scan_key, place) for look, place in zip(looks, places, strict=True)]
        right = {"key": _same(plain, table, "key")}
        if any(name in files for name in _LIT):
            named = zip(plain, (ids[i] for i in s.tolist()), places, strict=True)
            lit = _same([keys.lit(key, scan, place) for key, scan, place in named], table, "shaded_key")
            right |= dict.fromkeys(_LIT, lit)
        if KEYPOINTS_FILE in files:
            marked = [keys.marked(key, look.marks) for key, look in zip(plain, looks, strict=True)]
            right[KEYPOINTS_FILE] = _same(marked, table, "keypoints_key")
        return right

    def _spelt(self, table: Any, name: str, p: I32) -> Bool:  # noqa: ANN401  a table of Arrow's
        """Whether the rows name a file as it would be named now."""
        projections = [place.projection for place in self._asked.keys.places]
        spelt = np.zeros(len(p), bool)
        for projection in dict.fromkeys(projections):
            picture = replace(self._asked.files[name], projection=projection)
            is_here = np.array([other == projection for other in projections])[p]
            spelt |= is_here & is_spelt(table, name, picture.path("{view}", "{scan}"))
        return spelt


def _same(wanted: list[str], table: Any, column: str) -> Bool:  # noqa: ANN401  a table of Arrow's
    return np.fromiter(map(eq, wanted, table.column(column).to_pylist()), bool, len(wanted))


def _mark_overlays(asked: Asked, why: U8, there: Bool) -> None:
    """Overlays are made again with what is seen in them, and where they are not there."""
    order = list(asked.files)
    shown = np.where(there[..., order.index(OVERLAY_FILE)], np.uint8(0), np.uint8(CODES[UNMADE]))
    for name in (KEYPOINTS_FILE, _LIT[0]):
        of_it = why[..., order.index(name)]
        shown = np.where(of_it > 0, of_it, shown)
    why[..., order.index(OVERLAY_FILE)] = shown


def _there(asked: Asked) -> Bool:
    """Whether each file of each place of each scan is there (S, P, F).

    Some places are looked at together: a disk of a network takes its time with every folder.
    """
    endings = {picture.path("", "").rpartition("/")[2] for picture in asked.files.values()}
    names = {ending: [f"{scan}{ending}" for scan in asked.ids] for ending in endings}
    with ThreadPoolExecutor(_LISTERS) as listers:
        places = listers.map(lambda place: _there_from(place, asked, names), asked.keys.places)
        return np.stack(list(places), axis=1)


def _there_from(place: Place, asked: Asked, names: Mapping[str, Sequence[str]]) -> Bool:
    """The same from one place (S, F); `names` are the scans' files by what is behind the id."""
    there = np.zeros((len(asked.ids), len(asked.files)), bool)
    folders = defaultdict(list)
    for f, picture in enumerate(asked.files.values()):
        path = replace(picture, projection=place.projection).path(place.view, "")
        folder, _, ending = path.rpartition("/")
        folders[folder].append((f, ending))
    for folder, files in folders.items():
        wanted = [name for _, ending in files for name in names[ending]]
        held = _held(f"{asked.work.root}/{folder}", wanted)
        for f, ending in files:
            there[:, f] = np.fromiter(map(held.__contains__, names[ending]), bool, len(asked.ids))
    return there


def _held(folder: str, wanted: Sequence[str]) -> set[str]:
    """What is in a folder, of the names that are wanted or of all."""
    if len(wanted) <= _FEW:
        return {name for name in wanted if os.path.exists(f"{folder}/{name}")}  # noqa: PTH110  millions
    try:
        return set(os.listdir(folder))  # noqa: PTH208  a Path for each of millions is minutes
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be listed: {error.strerror}; make it readable") from error
