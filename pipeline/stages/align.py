"""Align: where a scan's centre, size and front are. Writes nothing: the answer is a record."""

from __future__ import annotations

from pipeline.datasets.scans import read_scan
from pipeline.formats.parameters import read_parameters
from pipeline.geometry.mesh import area_centre, check
from pipeline.geometry.transform import front_yaw, scale_about
from pipeline.records import F64, Alignment, Mesh, Subject
from pipeline.store import Workspace

FROM_PARAMETERS = "SMPL-X parameters"
FROM_NOTHING = "nothing"


def align(mesh: Mesh, global_orient: F64 | None) -> Alignment:
    """The alignment of a mesh; without a root rotation (3,) it is taken to face +z already."""
    check(mesh)
    centre = area_centre(mesh.vertices, mesh.faces)
    return Alignment(
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        scale=scale_about(mesh.vertices, centre),
        front_yaw=0.0 if global_orient is None else front_yaw(global_orient),
        source=FROM_NOTHING if global_orient is None else FROM_PARAMETERS,
    )


def run(work: Workspace, subject: Subject) -> Alignment:
    """The alignment of one subject's scan."""
    mesh = read_scan(work, subject)
    known = read_parameters(work.absolute(subject.parameters)) if subject.parameters else None
    return align(mesh, known.global_orient if known else None)
