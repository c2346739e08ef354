"""A person's scan, read from whatever format it is in. Refuses to know the formats."""

from __future__ import annotations

from pathlib import PurePosixPath

from pipeline.errors import FormatError
from pipeline.formats.ply import read_ply
from pipeline.records import Mesh, Subject
from pipeline.store import Workspace

_READERS = {".ply": read_ply}


def read_scan(work: Workspace, subject: Subject) -> Mesh:
    """The mesh of a subject."""
    if subject.mesh is None:
        raise FormatError("has no mesh: there is no scan among its files")
    ending = PurePosixPath(subject.mesh).suffix.lower()
    if ending not in _READERS:
        known = ", ".join(sorted(_READERS))
        raise FormatError(
            f"{subject.mesh} is {ending}; this version draws {known} with vertex colours only"
        )
    return _READERS[ending](work.absolute(subject.mesh))
