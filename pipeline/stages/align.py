"""Align: where a scan's centre, size and front are. Writes nothing: the answer is a record.

Sources of the front, best first: what the user says, SMPL-X parameters, a registered body, joints, nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.datasets.scans import read_scan
from pipeline.errors import AlignmentError
from pipeline.formats.parameters import read_parameters
from pipeline.geometry.clean import clean
from pipeline.geometry.fit import BAD, CORRECTED, Suspect, Target, check_fit
from pipeline.geometry.front import angles_between, heading, is_backward, joints_heading, torso_motion
from pipeline.geometry.mesh import area_centre, check
from pipeline.geometry.transform import rotation_of, scale_about
from pipeline.records import (
    F64,
    Alignment,
    Cleaning,
    Evidence,
    Fit,
    Front,
    Mesh,
    Override,
    Subject,
)
from pipeline.store import Workspace

FROM_OVERRIDE = "override"
FROM_PARAMETERS = "SMPL-X parameters"
FROM_REGISTERED = "registered mesh"
FROM_JOINTS = "joints"
FROM_NOTHING = "nothing"
MOST_APART = 20.0  # degrees between two sources; more is worth a look
NO_CLEANING = Cleaning()
_MOST_OUTSIDE = 0.1  # of the scan's height: joints farther out than that are in other units or places


class _Answer(NamedTuple):
    source: str
    yaw: Callable[[], float]


def align(mesh: Mesh, evidence: Evidence) -> Alignment:
    """The alignment of a mesh; where nothing is known of its front, it is taken to face +z already."""
    said = evidence.override or Override()
    if said.exclude:
        raise AlignmentError(f"left out by {said.place}{f': {said.note}' if said.note else ''}")
    check(mesh)
    centre = area_centre(mesh.vertices, mesh.faces)
    fronts, unsaid = _fronts(evidence)
    angles = angles_between(fronts)
    fits = tuple(_fits(mesh, evidence))
    far = [a for a in angles if a.degrees > MOST_APART]
    warnings = (
        *(f"{a.first} and {a.second} are {a.degrees:.0f} degrees apart; look at the scan" for a in far),
        *(text for fit in fits for text in _remarks(fit)),
        *_joint_remarks(mesh, evidence.landmarks),
    )
    return Alignment(
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        scale=scale_about(mesh.vertices, centre) * (said.scale or 1.0),
        front_yaw=fronts[0].yaw if fronts else 0.0,
        source=fronts[0].source if fronts else FROM_NOTHING,
        fronts=fronts,
        angles=angles,
        fits=fits,
        warnings=warnings,
        missing=(*evidence.missing, *unsaid),
    )


def _fronts(evidence: Evidence) -> tuple[tuple[Front, ...], tuple[str, ...]]:
    """Every source's answer, best first, and why those that are there but silent have none."""
    answers, silent = [], []
    for source, yaw in _answers(evidence):
        try:
            answers.append(Front(source, yaw()))
        except AlignmentError as error:
            silent.append(f"front from {source}: {error}")
    if evidence.registered and not evidence.torso:
        silent.append(f"front from {FROM_REGISTERED}: no body model was found to compare it with")
    return tuple(answers), tuple(silent)


def _answers(evidence: Evidence) -> Iterator[_Answer]:
    said, known = evidence.override, evidence.parameters
    body, torso, joints = evidence.registered, evidence.torso, evidence.landmarks
    if said and said.yaw is not None:
        turn = float(np.radians(-said.yaw))
        yield _Answer(FROM_OVERRIDE, lambda: float(np.angle(np.exp(1j * turn))))
    if known:
        orient = known.global_orient
        yield _Answer(FROM_PARAMETERS, lambda: heading(rotation_of(orient)))
    if body and torso:
        surface, model = body, torso
        yield _Answer(FROM_REGISTERED, lambda: heading(torso_motion(surface, model)[0]))
    if joints is not None:
        five = joints
        yield _Answer(FROM_JOINTS, lambda: joints_heading(five))


def _fits(mesh: Mesh, evidence: Evidence) -> Iterator[Fit]:
    """The check of each body against the scan."""
    suspects = tuple(_suspects(evidence))
    if suspects:
        target = Target(mesh)
        yield from (check_fit(suspect, target) for suspect in suspects)


def _suspects(evidence: Evidence) -> Iterator[Suspect]:
    known, body, torso = evidence.parameters, evidence.registered, evidence.torso
    if known and evidence.body:
        place = known.translation + known.scale * known.transl
        yield Suspect(FROM_PARAMETERS, evidence.body, known.scale, place, evidence.body_joints)
    if body and torso and len(body.vertices) == len(torso.rest):
        yield Suspect(FROM_REGISTERED, body, torso_motion(body, torso)[1])


def _remarks(fit: Fit) -> Iterator[str]:
    if fit.verdict == BAD:
        yield (
            f"{fit.source} do not fit the scan: half of the body is over {fit.surface_mm:.0f} mm away; "
            "no joints are taken from it"
        )
    if fit.verdict == CORRECTED:
        yield (
            f"{fit.source} fit the scan only with {fit.reading}: "
            f"{fit.given_mm:.0f} mm before, {fit.surface_mm:.0f} mm after"
        )


def _joint_remarks(mesh: Mesh, landmarks: F64 | None) -> Iterator[str]:
    if landmarks is None:
        return
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    out = np.maximum(low - landmarks, landmarks - high)
    if np.nanmax(out, initial=0.0) > _MOST_OUTSIDE * float(high[1] - low[1]):
        yield "joints lie outside the scan: they are in other units or another place"
    try:
        if is_backward(landmarks):
            yield "the nose lies behind the shoulders: left and right may be mistaken in the joints"
    except AlignmentError:
        return  # said already, where the front was asked for


def evidence_of(work: Workspace, subject: Subject, said: Override | None = None) -> Evidence:
    """What a subject's files and the user say of its scan."""
    known = read_parameters(work.absolute(subject.parameters)) if subject.parameters else None
    return Evidence(override=said, parameters=known)


def run(
    work: Workspace, subject: Subject, said: Override | None = None, wish: Cleaning = NO_CLEANING
) -> Alignment:
    """The alignment of one subject's scan, after the cleaning that is wished for."""
    mesh, removed = clean(read_scan(work, subject), wish)
    return replace(align(mesh, evidence_of(work, subject, said)), cleaning=wish, removed=removed)
