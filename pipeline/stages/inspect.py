"""Inspect: what a scan is made from. Its stamp tells by names, sizes and times whether to look again.

Writes nothing. Refuses to decode a scan: `run` reads bytes, and what other files they name; the rest does
not even do that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipeline.config import RenderRequest
from pipeline.datasets.scans import companions_of
from pipeline.errors import Excluded, FormatError
from pipeline.formats.body_files import find_models, model_folder
from pipeline.formats.digest import source_file
from pipeline.formats.texture import places_of
from pipeline.keys import EDITION, digest_of_causes, source_key
from pipeline.records import Cleaning, Override, Subject
from pipeline.rows import Inspected, SourceFile
from pipeline.store import Workspace

_MOST_BYTES = 1 << 34  # of files that one scan's own name; who names more means harm

_Seen = tuple[int, int] | None  # a file's length, and when it was changed; None = it is not there


@dataclass(frozen=True)
class Wishes:
    """What decides how every scan of a build is laid: the cleaning, and body models as they lie there."""

    cleaning: Cleaning
    models: tuple[tuple[str, _Seen], ...]


def wishes_of(work: Workspace, request: RenderRequest) -> Wishes:
    """A request's wishes, and the body models that its scans are laid by."""
    models = find_models(model_folder(work.root, request.body_models))
    cleaning = Cleaning(request.drop_fragments, request.drop_floor)
    return Wishes(cleaning, tuple((path.name, _seen(str(path))) for path in models))


def run(work: Workspace, subject: Subject, said: Override | None, wishes: Wishes) -> Inspected:
    """What one scan is made from, every file of it read."""
    if said and said.exclude:
        raise Excluded(f"left out by {said.place}{f': {said.note}' if said.note else ''}")
    own, named = files_of(subject), list[str]()
    seen = _seen_of(work, own)  # each before it is read: what changes meanwhile is looked at again
    for name in companions_of(work, subject):
        seen = _seen_as_named(work, name) | seen
        named.append(name)
    sources = (*(source_file(work.root, name) for name in own), *_read(work, set(named) - set(own)))
    return Inspected(
        sources=sources,
        source_key=source_key(sources),
        stamp=_stamp(subject, said, wishes, seen),
        laid_key=laid_key_of(subject, said, wishes),
        named=tuple(named),
    )


def files_of(subject: Subject) -> tuple[str, ...]:
    """A subject's own files, below the data folder, each once."""
    names = (
        *(subject.mesh, *subject.textures, subject.parameters),
        *(subject.registered, subject.joints, subject.cameras),
    )
    return tuple(dict.fromkeys(name for name in names if name))


def stamp_of(
    work: Workspace, subject: Subject, said: Override | None, wishes: Wishes, named: Sequence[str] = ()
) -> str:
    """A digest of all by which it can be told, with every file shut, that a scan is as it was.

    `named` are the files that its own were found to name. A file that is not there is a part of it; what a
    user says only where it changes what is made.
    """
    seen = dict[str, _Seen]()
    for name in named:
        seen |= _seen_as_named(work, name)
    return _stamp(subject, said, wishes, seen | _seen_of(work, files_of(subject)))


def laid_key_of(subject: Subject, said: Override | None, wishes: Wishes) -> str:
    """A digest of what decides how a scan is laid, besides what is in its files."""
    return digest_of_causes(_laid_by(subject, said, wishes))


def refusal_of(stamp: str, request: RenderRequest) -> str:
    """The stamp of a reject: of the scan, and of what was asked that others would not be refused for.

    A scan without colours can be drawn by depth alone, and one with a large texture if that is allowed.
    """
    return digest_of_causes([stamp, sorted(request.passes), request.max_texture_mpx])


def _laid_by(subject: Subject, said: Override | None, wishes: Wishes) -> list[object]:
    turned = [said.yaw, said.scale] if said else [None, None]
    cleaning = [wishes.cleaning.fragments_under, wishes.cleaning.floor]
    bodies = wishes.models if subject.parameters or subject.registered else ()
    return [EDITION, subject.gender, subject.joints_kind, turned, cleaning, bodies]


def _stamp(subject: Subject, said: Override | None, wishes: Wishes, seen: Mapping[str, _Seen]) -> str:
    facts = [subject.split, subject.attributes, subject.textures, subject.mesh]
    excluded = [said.place, said.note] if said and said.exclude else None
    return digest_of_causes([sorted(seen.items()), facts, excluded, _laid_by(subject, said, wishes)])


def _read(work: Workspace, named: Iterable[str]) -> Iterator[SourceFile]:
    """Those of the named files that can be read; of the rest the reader complains, if it needs them."""
    left = _MOST_BYTES
    for name in sorted(named):
        path = work.absolute(name)
        with suppress(FormatError, OSError):
            if path.is_file() and (size := path.stat().st_size) <= left:
                left -= size
                yield source_file(work.root, name)


def _seen_as_named(work: Workspace, name: str) -> dict[str, _Seen]:
    """A file as it lies there; if it does not, with the one that a reader takes for it, of other case."""
    seen = _seen_of(work, [name])
    if seen[name] is None:
        others = places_of(name, work.root, work.root)[1:]
        seen |= _seen_of(work, (os.path.relpath(place, work.root) for place in others))
    return seen


def _seen_of(work: Workspace, names: Iterable[str]) -> dict[str, _Seen]:
    root = f"{work.root}{os.sep}"
    return {name: _seen(root + name) for name in names}


def _seen(path: str) -> _Seen:
    try:
        facts = os.stat(path)  # noqa: PTH116  a Path each would take longer than to ask
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns
