"""Align: where a scan's centre, size and front are. Writes nothing: the answer is a record.

Sources of the front, best first: what the user says, SMPL-X parameters, a registered body, joints, nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.body.model import BodyModels
from pipeline.body.torso import read_torso
from pipeline.datasets.joints import read_joints
from pipeline.errors import AlignmentError, ConfigError
from pipeline.formats.body_files import find_models, model_folder
from pipeline.formats.obj_read import read_registered
from pipeline.formats.parameters import read_parameters
from pipeline.geometry.clean import Cleaned
from pipeline.geometry.fit import BAD, CORRECTED, OF_PARAMETERS, Suspect, Target, check_fit
from pipeline.geometry.front import (
    angles_between,
    heading,
    is_backward,
    joints_heading,
    landmarks_of,
    torso_motion,
)
from pipeline.geometry.mesh import area_centre, check
from pipeline.geometry.transform import rotation_of, scale_about
from pipeline.records import (
    Alignment,
    Evidence,
    Fit,
    Front,
    Joints,
    Mesh,
    Override,
    Subject,
)
from pipeline.store import Workspace

FROM_OVERRIDE = "override"
FROM_PARAMETERS = OF_PARAMETERS
FROM_REGISTERED = "registered mesh"
FROM_JOINTS = "joints"
FROM_NOTHING = "nothing"
MOST_APART = 20.0  # degrees between two sources; more is worth a look
_MOST_OUTSIDE = 0.1  # of the scan's height: joints farther out than that are in other units or places
Models = BodyModels | None


class _Answer(NamedTuple):
    source: str
    yaw: Callable[[], float]


def align(mesh: Mesh, evidence: Evidence) -> Alignment:
    """The alignment of a mesh; where nothing is known of its front, it is taken to face +z already."""
    said = evidence.override or Override()
    check(mesh)
    centre = area_centre(mesh.vertices, mesh.faces)
    fronts, unsaid = _fronts(evidence)
    angles = angles_between(fronts)
    fits = tuple(_fits(mesh, evidence, {front.source for front in fronts}))
    far = [a for a in angles if a.degrees > MOST_APART]
    warnings = (
        *(f"{a.first} and {a.second} are {a.degrees:.0f} degrees apart; look at the scan" for a in far),
        *(text for fit in fits for text in _remarks(fit)),
        *_joint_remarks(mesh, evidence.joints),
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
    if evidence.registered is not None and not evidence.torso:
        silent.append(f"front from {FROM_REGISTERED}: no body model was found to compare it with")
    return tuple(answers), tuple(silent)


def _answers(evidence: Evidence) -> Iterator[_Answer]:
    said, known = evidence.override, evidence.parameters
    body, torso, joints = evidence.registered, evidence.torso, evidence.joints
    if said and said.yaw is not None:
        turn = float(np.radians(-said.yaw))
        yield _Answer(FROM_OVERRIDE, lambda: float(np.angle(np.exp(1j * turn))))
    if known:
        orient = known.global_orient
        yield _Answer(FROM_PARAMETERS, lambda: heading(rotation_of(orient)))
    if body is not None and torso:
        surface, model = body, torso
        yield _Answer(FROM_REGISTERED, lambda: heading(torso_motion(surface, model)[0]))
    if joints:
        places = joints
        yield _Answer(FROM_JOINTS, lambda: joints_heading(landmarks_of(places)))


def _fits(mesh: Mesh, evidence: Evidence, answered: set[str]) -> Iterator[Fit]:
    """The check against the scan of each body that could be made sense of."""
    suspects = list(_suspects(evidence, answered))
    if suspects:
        target = Target(mesh)
        yield from (check_fit(suspect, target) for suspect in suspects)


def _suspects(evidence: Evidence, answered: set[str]) -> Iterator[Suspect]:
    known, body, torso = evidence.parameters, evidence.registered, evidence.torso
    if known and evidence.body:
        place = known.translation + known.scale * known.transl
        yield Suspect(FROM_PARAMETERS, evidence.body.mesh, known.scale, place, evidence.body.joints)
    if body is not None and torso and FROM_REGISTERED in answered:
        yield Suspect(FROM_REGISTERED, Mesh(body, torso.faces), torso_motion(body, torso)[1])


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


def _joint_remarks(mesh: Mesh, joints: Joints | None) -> Iterator[str]:
    if joints is None:
        return
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    known = joints.points[joints.confidence > 0]
    out = np.maximum(low - known, known - high).max(initial=0.0)
    if out > _MOST_OUTSIDE * float(high[1] - low[1]):
        yield "joints lie outside the scan: they are in other units or another place"
    try:
        if is_backward(landmarks_of(joints)):
            yield "the nose lies behind the shoulders: left and right may be mistaken in the joints"
    except AlignmentError:
        return  # said already, where the front was asked for


def models_of(work: Workspace, asked: Path | None = None) -> Models:
    """The body models in the folder that is asked for or usual; None = there are none."""
    folder = model_folder(work.root, asked)
    return BodyModels(folder) if find_models(folder) else None


def evidence_of(
    work: Workspace, subject: Subject, said: Override | None = None, models: Models = None
) -> Evidence:
    """What a subject's files and the user say of its scan; bodies are posed only where there are models."""
    known = (
        read_parameters(work.absolute(subject.parameters), subject.gender) if subject.parameters else None
    )
    laid = read_registered(work.absolute(subject.registered)) if subject.registered else None
    body, torso, missing = None, None, []
    if known and models is None:
        missing.append(f"fit of {FROM_PARAMETERS}: no body model was found to pose")
    if models:
        try:
            body = models.posed(known) if known else None
        except ConfigError as error:  # another gender's model, or no torch: all else can still be known
            missing.append(f"fit of {FROM_PARAMETERS}: {error}")
        if laid is not None:
            torso = read_torso(models.folder, _gender(models.folder))
    joints = read_joints(work, subject)
    return Evidence(said, known, body, laid, torso, joints, tuple(missing))


def _gender(folder: Path) -> str:
    """Whichever model is there: the front by the pelvis is the same by all of them."""
    return find_models(folder)[0].stem.partition("_")[2].lower()


def run(
    work: Workspace,
    subject: Subject,
    cleaned: Cleaned,
    said: Override | None = None,
    models: Models = None,
) -> Alignment:
    """The alignment of one subject's scan as it is after cleaning."""
    found = align(cleaned.mesh, evidence_of(work, subject, said, models))
    return replace(found, cleaning=cleaned.wish, removed=cleaned.removed)
