"""What is up to date of a dataset whose scans are not there, if they still are what its manifest says.

Refuses to know whether they are.
"""

from __future__ import annotations

import numpy as np

from manifests.read import Manifest
from manifests.schema import SCANS, VIEWS
from pipeline.conduct.needs import Needs
from pipeline.conduct.staleness import Asked, Looks, files_of, why_stale
from pipeline.config import RenderRequest
from pipeline.keys import Keys, Laid, looks_of
from pipeline.records import Subject
from pipeline.rows import SourceFile
from pipeline.store import Workspace

_TELLING = ("scan", "split", "source_key", "laid_key", "mesh", "textures", "sources", "named")


def needs_as_recalled(work: Workspace, request: RenderRequest, manifest: Manifest) -> Needs:
    """What a build would need if its scans came back as they were; rejects stay rejects."""
    keys = Keys(request, work)
    out = set(manifest.rejects(["scan"]).column(0).to_pylist())
    people, looks = list[Subject](), list[Looks]()
    for table in manifest.batches(SCANS, (*_TELLING, *Laid._fields)):
        for row in table.to_pylist():
            if row["scan"] not in out:
                sources = [SourceFile(**file) for file in row["sources"]]
                files = looks_of(row["mesh"], (*row["textures"], *row["named"]), sources)
                laid = Laid(*(row[name] for name in Laid._fields))
                marks = keys.marks_of(row["source_key"], row["laid_key"])
                people.append(Subject(work.dataset, row["scan"], row["split"]))
                looks.append(Looks(keys.of_scan(files, laid), marks))
    asked = Asked(work, keys, [person.id for person in people], files_of(request))
    return Needs(
        subjects=people,
        overrides={},
        stamps=[""] * len(people),
        is_same=np.ones(len(people), bool),
        places=keys.places,
        columns=tuple(asked.files),
        why=why_stale(asked, looks, manifest.batches(VIEWS, asked.columns)),
        skipped=(),
        absent=0,
        manifest=manifest,
    )
