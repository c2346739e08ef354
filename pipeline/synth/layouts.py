"""Synthetic people as the files of a dataset, the truth beside each.

OUT is a data folder: the scans go to OUT/obj/DATASET as that dataset has them, so that `render DATASET
--data OUT` reads them as it reads real ones. A person that is there and was made with the same options is
kept, so a run that was interrupted goes on where it stopped. Refuses to know how a person is made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.atomic import require_writable, write_text
from pipeline.errors import ConfigError
from pipeline.formats.parameters import to_dict
from pipeline.synth.defects import NONE, Defects
from pipeline.synth.folders import LAYOUTS, Layout, Person
from pipeline.synth.joints import smplx_joints
from pipeline.synth.person import draw
from pipeline.synth.poses import POSES
from pipeline.synth.scan import Scan, make_scan, registered
from pipeline.synth.skeleton import JOINT_NAMES
from pipeline.synth.traits import Traits

_LIMITS = {"people": (1, 9_999), "seed": (0, 2**63 - 1), "vertices": (5_000, 10_000_000)}
_LAYOUT = "2k2k"


@dataclass(frozen=True)
class SynthRequest:
    """Who is to be made, and how they are to be written.

    `pose` is everybody's, None lets the seed draw; `dataset` renames the folder in OUT/obj.
    """

    out: Path
    people: int = 4
    seed: int = 0
    layout: str = _LAYOUT
    vertices: int = 1_000_000
    defects: Defects = NONE
    pose: str | None = None
    dataset: str | None = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"there is no layout {self.layout!r}; choose from {', '.join(LAYOUTS)}")
        if self.pose is not None and self.pose not in POSES:
            raise ConfigError(f"there is no pose {self.pose!r}; choose from {', '.join(POSES)}")
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from {low} to {high}")


@dataclass(frozen=True)
class SynthSummary:
    """What came of a request."""

    folder: Path
    made: int
    kept: int
    seconds: float


def write_people(request: SynthRequest, report: Callable[[str], None]) -> SynthSummary:
    """Make the people that are not there yet; `report` gets a line about each."""
    started = time.perf_counter()
    layout = LAYOUTS[request.layout]
    dataset = request.dataset or layout.dataset
    folder = request.out / "obj" / dataset
    require_writable(folder)
    wanted = [index for index in range(request.people) if not _is_finished(request, layout, dataset, index)]
    for index in range(request.people):
        name = layout.name(index)
        label = f"{name} ({index + 1} of {request.people})"
        if index not in wanted:
            report(f"{label}: kept")
            continue
        begun = time.perf_counter()
        traits, scan = _write_person(request, layout, dataset, index)
        report(
            f"{label}: {len(scan.skin.vertices):,} vertices, {traits.pose}, "
            f"{time.perf_counter() - begun:.1f} s"
        )
    return SynthSummary(folder, len(wanted), request.people - len(wanted), time.perf_counter() - started)


def _options(request: SynthRequest, index: int) -> dict[str, object]:
    """All that decides a person's files."""
    return {
        "layout": request.layout,
        "seed": request.seed,
        "index": index,
        "vertices": request.vertices,
        "defects": list(request.defects.names()),
        "pose": request.pose,
    }


def _is_finished(request: SynthRequest, layout: Layout, dataset: str, index: int) -> bool:
    """Whether a person's files are there, made with the same options.

    The scan is written last, so where it is, all is. One without the truth beside it was not made here.
    """
    scan = layout.scan(request.out, dataset, layout.name(index))
    truth = layout.truth(scan)
    if not scan.exists():
        return False
    if not truth.exists():
        raise ConfigError(f"{scan} was not made by scan2k and is left alone; give another folder")
    try:
        return bool(json.loads(truth.read_text(encoding="utf-8"))["options"] == _options(request, index))
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _write_person(request: SynthRequest, layout: Layout, dataset: str, index: int) -> tuple[Traits, Scan]:
    """Make one person and write all that belongs to it."""
    traits = draw(request.seed, index, request.pose)
    made = make_scan(traits, request.vertices, request.defects, layout.fit)
    name = layout.name(index)
    scan = layout.scan(request.out, dataset, name)
    scan.unlink(missing_ok=True)  # an old one must not pass for the new one until all is written
    truth = _truth(made, traits) | {"options": _options(request, index)}
    write_text(layout.truth(scan), json.dumps(truth, indent=1) + "\n")
    person = Person(made.skin, made.body, smplx_joints(made.body), registered(made.body))
    layout.write(request.out, dataset, name, person)
    return traits, made


def _truth(made: Scan, traits: Traits) -> dict[str, object]:
    """What a build should find out about a scan, in the scan's own coordinates.

    `front_yaw` (radians, about +y from +z) is where the person faces. Centre and scale are those of the
    person's clean surface, whatever floats around it.
    """
    return {
        "front_yaw": made.alignment.front_yaw,
        "centre": list(made.alignment.centre),
        "scale": made.alignment.scale,
        "units_a_metre": made.body.scale,
        "pose": traits.pose,
        "parameters": to_dict(made.body),
        "joints": dict(zip(JOINT_NAMES, made.joints.tolist(), strict=True)),
        "traits": asdict(traits),
    }
