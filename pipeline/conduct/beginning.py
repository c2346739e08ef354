"""Where a build's data lies and who is there: what must make sense before anything is written.

Refuses to write, but for the demo's people, who are made when they are wanted.
"""

from __future__ import annotations

from dataclasses import replace

from manifests.read import owners
from pipeline import datasets
from pipeline.conduct.standing import Watch
from pipeline.config import RenderRequest
from pipeline.datasets import demo
from pipeline.datasets.layouts import Layout, layout_of
from pipeline.errors import ConfigError
from pipeline.records import Survey
from pipeline.stages import people
from pipeline.store import Workspace


def workspace_of(request: RenderRequest) -> Workspace:
    """The dataset's place in the data folder, by a path that is the same in other processes."""
    _layout_of(request)
    root = request.data.absolute()
    most = request.max_texture_mpx and request.max_texture_mpx * 1_000_000
    work = Workspace(root, request.dataset, most)
    if request.dataset != demo.NAME and not root.is_dir():
        raise ConfigError(f"there is no data folder {root}; make it, or name another with --data")
    others = owners(work.manifests) - {request.dataset}
    if others:
        raise ConfigError(
            f"the manifest in {work.manifests} is of {' and '.join(sorted(others))}, not of "
            f"{request.dataset}; move it to a folder of that name"
        )
    return work


def survey_of(work: Workspace, request: RenderRequest) -> Survey:
    """Everybody whose scans can be drawn; of the demo those who were asked for."""
    found = datasets.survey(work, _layout_of(request))
    if work.dataset != demo.NAME:
        return found
    wanted = demo.ids(request.demo_people)
    return replace(found, subjects=tuple(person for person in found.subjects if person.id in wanted))


def make_people(work: Workspace, request: RenderRequest, watch: Watch) -> None:
    """Have the demo's people made; other datasets' come from elsewhere."""
    if work.dataset == demo.NAME:
        people.run(work, request.demo_people, request.demo_vertices, request.seed, watch.scan)


def _layout_of(request: RenderRequest) -> Layout:
    """The dataset's layout; one that holds no scans is refused."""
    layout = layout_of(request.dataset, request.layout)
    if "mesh" not in layout.facts:
        raise ConfigError(
            f"{request.dataset} has no scans to draw, only {', '.join(layout.facts)}; "
            f"`scan2k scan-list {request.dataset}` shows them"
        )
    return layout
