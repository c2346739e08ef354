"""Where a build's data lies and who is there: what must make sense before anything is written.

Refuses to write, but for the demo's people, who are made when they are wanted.
"""

from __future__ import annotations

from dataclasses import replace

from manifests.read import owners
from pipeline import datasets
from pipeline.conduct.selection import chosen
from pipeline.conduct.standing import Standing, Watch
from pipeline.config import Conduct, RenderRequest
from pipeline.datasets import demo
from pipeline.datasets.layouts import Layout, layout_of
from pipeline.errors import ConfigError
from pipeline.records import Subject, Survey
from pipeline.store import Workspace

_MAKING = "making the demo's people"


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
    """Everybody whose scans can be drawn; of the demo those who were asked for, made or not."""
    layout = _layout_of(request)
    if work.dataset != demo.NAME:
        return datasets.survey(work, layout)
    expected = _demo_people(request)
    if not any(work.absolute(person.mesh or "").exists() for person in expected):
        return Survey(work.dataset, layout.name, layout.folder(work), layout.facts, expected, (), {})
    found = datasets.survey(work, layout)
    there = {person.id: person for person in found.subjects}
    return replace(found, subjects=tuple(there.get(person.id, person) for person in expected))


def make_people(
    work: Workspace, request: RenderRequest, conduct: Conduct, standing: Standing, watch: Watch
) -> None:
    """Have the demo's people made; other datasets' come from elsewhere."""
    if work.dataset == demo.NAME:
        chosen(_demo_people(request), conduct.subjects)
        from pipeline.stages import people  # noqa: PLC0415  who only looks does not wait for it

        def report(text: str) -> None:
            standing.doing(f"{_MAKING}: {text}")
            watch.scan(text)

        standing.doing(_MAKING)
        people.run(work, request.demo_people, request.demo_vertices, request.seed, report)


def _demo_people(request: RenderRequest) -> tuple[Subject, ...]:
    """The demo's people who are asked for, as far as they are known before they are made."""
    places = {name: f"obj/{demo.NAME}/{name}/{name}.ply" for name in demo.ids(request.demo_people)}
    return tuple(Subject(demo.NAME, name, "train", mesh=place) for name, place in places.items())


def _layout_of(request: RenderRequest) -> Layout:
    """The dataset's layout; one that holds no scans is refused."""
    layout = layout_of(request.dataset, request.layout)
    if "mesh" not in layout.facts:
        raise ConfigError(
            f"{request.dataset} has no scans to draw, only {', '.join(layout.facts)}; "
            f"`scan2k scan-list {request.dataset}` shows them"
        )
    return layout
