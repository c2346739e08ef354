"""What a build sends every worker, and what a worker keeps between one scan and the next.

Refuses to know what the steps do with it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from manifests.lock import sign_in
from manifests.schema import table_of
from pipeline.conduct.needs import Need
from pipeline.conduct.staleness import OVERWRITTEN, Asked, Looks, files_of, why_stale
from pipeline.config import RenderRequest
from pipeline.errors import ConfigError
from pipeline.geometry.clean import Cleaned
from pipeline.keys import Keys
from pipeline.records import Cleaning
from pipeline.rows import Place, ViewRow
from pipeline.stages import load
from pipeline.stages.align import models_of
from pipeline.stages.inspect import wishes_of
from pipeline.stages.render import Studio
from pipeline.store import Workspace
from pipeline.version import code_version

_SEEN_LATE = 30.0  # seconds for which a network disk may show a folder as it was before


@dataclass(frozen=True)
class Errand:
    """What every worker must know: where, what is asked for, and how to tell that it is in the right place.

    `code` is the version of the program that sends it, `sign` what the lock of the build says; with `force`
    what is up to date is made again.
    """

    work: Workspace
    request: RenderRequest
    code: str
    sign: str
    force: bool = False


@dataclass(frozen=True)
class Lacking:
    """The files to be made, by place; and those of them whose places are taken by something else so far."""

    wanted: Mapping[Place, frozenset[str]]
    void: Mapping[Place, frozenset[str]]


class Shop:
    """What one process keeps for an errand: who draws, the body models, and the mesh that is in hand."""

    def __init__(self, errand: Errand) -> None:
        _require_same_program(errand)
        _require_same_folder(errand)
        work, request = errand.work, errand.request
        self.errand = errand
        self.keys = Keys(request, work)
        self.models = models_of(work, request.body_models)
        self.wishes = wishes_of(work, request)
        self.studio = Studio(work, request)
        self._open = ExitStack()
        self._open.enter_context(self.studio)
        self._in_hand: tuple[tuple[str, str], Cleaned] | None = None

    def cleaned(self, need: Need) -> Cleaned:
        """The scan's mesh, read once for all steps."""
        name = (need.subject.id, need.stamp)
        if self._in_hand is None or self._in_hand[0] != name:
            self._in_hand = None  # two meshes are never in memory together
            request = self.errand.request
            wish = Cleaning(request.drop_fragments, request.drop_floor)
            self._in_hand = name, load.run(self.errand.work, need.subject, wish)
        return self._in_hand[1]

    def lacking(self, need: Need, looks: Looks) -> Lacking:
        """What is to be made of a need, once it is known how the scan looks."""
        wanted = {want.place: want.columns for want in need.wants}
        if not need.rows:
            return Lacking(wanted, {})
        asked = Asked(self.errand.work, self.keys, [need.subject.id], files_of(self.errand.request))
        (why,) = why_stale(asked, [looks], [table_of(ViewRow, need.rows)]).tolist()
        stale, void = {}, {}
        for place, codes in zip(self.keys.places, why, strict=True):
            if place in wanted:
                reasons = dict(zip(asked.files, codes, strict=True))
                files = {name for name in wanted[place] if reasons[name] or self.errand.force}
                stale[place] = frozenset(files)
                void[place] = frozenset(name for name in files if reasons[name] in OVERWRITTEN)
        return Lacking({place: files for place, files in stale.items() if files}, void)

    def close(self) -> None:
        """Give back what is held."""
        self._in_hand = None
        self._open.close()


_here: list[Shop] = []  # of this process: one or none


def shop(errand: Errand) -> Shop:
    """This process's shop for an errand; another errand closes the one before."""
    if not _here or _here[0].errand != errand:
        close_shop()
        _here.append(Shop(errand))
    return _here[0]


def close_shop() -> None:
    """Give back what this process keeps."""
    while _here:
        _here.pop().close()


def _require_same_program(errand: Errand) -> None:
    if errand.code != code_version():
        raise ConfigError(
            f"the worker on {socket.gethostname()} runs scan2k {code_version()}, and this build "
            f"{errand.code}; install the same on both"
        )


def _require_same_folder(errand: Errand) -> None:
    """Refuse a worker that sees another data folder, or none; on a network disk it may see it late."""
    late = time.monotonic() + _SEEN_LATE
    while sign_in(errand.work.manifests) != errand.sign:
        if time.monotonic() > late:
            raise ConfigError(
                f"the worker on {socket.gethostname()} does not see this build's data folder at "
                f"{errand.work.root}; mount it there, or give --data by a path that is the same everywhere"
            )
        time.sleep(0.5)
