"""Alignment from all that is known: the best source leads, the others are compared, nothing is hidden."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.errors import MeshError
from pipeline.formats.ply import write_ply
from pipeline.geometry.transform import FILL, aligned, turn_y
from pipeline.records import (
    F64,
    Alignment,
    Body,
    BodyParameters,
    Cleaning,
    Evidence,
    Joints,
    Mesh,
    Override,
    Subject,
    Torso,
)
from pipeline.stages import align as stage
from pipeline.stages import load
from pipeline.stages.align import Models, align
from pipeline.store import Workspace
from pipeline.synth.defects import Defects, placed, turned
from pipeline.synth.figure import figure_of
from pipeline.synth.joints import smplx_joints, whole_body
from pipeline.synth.layouts import SynthRequest, write_people
from pipeline.synth.model import model_arrays, write_body_model
from pipeline.synth.person import draw
from pipeline.synth.scan import Cast, Scan, cast, pose, registered
from pipeline.synth.traits import Traits

NO_CLEANING = Cleaning()
ELSEWHERE = Defects(centimetres=True, yaw=True, origin=True)


@cache
def torso() -> Torso:
    arrays = model_arrays("neutral")
    rest, pelvis = arrays["v_template"].astype(np.float32), arrays["weights"][:, 0].astype(np.float32)
    return Torso(rest, arrays["f"].astype(np.int32), pelvis)


@cache
def cast_of(index: int) -> tuple[Traits, Cast, BodyParameters]:
    traits = draw(8, index)
    figure = figure_of(traits)
    return traits, cast(figure, 6000), figure.body


def scan_of(index: int, defects: Defects = ELSEWHERE) -> Scan:
    traits, surface, body = cast_of(index)
    return pose(surface, placed(body, defects, traits.seed), defects, traits.seed)


def mesh_of(scan: Scan) -> Mesh:
    return Mesh(scan.skin.vertices, scan.skin.faces, scan.skin.colors)


def run(
    work: Workspace, subject: Subject, wish: Cleaning = NO_CLEANING, models: Models = None
) -> Alignment:
    return stage.run(work, subject, load.run(work, subject, wish), models=models)


def evidence_of(body: BodyParameters) -> Evidence:
    """All that can be known of a person."""
    joints = smplx_joints(body)
    return Evidence(
        parameters=body,
        body=Body(registered(body), joints),
        registered=registered(body).vertices,
        torso=torso(),
        joints=Joints(whole_body(joints), np.ones(133), "coco-wholebody"),
    )


def joints(points: F64, confidence: F64, order: str = "coco-wholebody") -> Evidence:
    return Evidence(joints=Joints(points, confidence, order))


def degrees_apart(a: float, b: float) -> float:
    return abs(float(np.degrees(np.angle(np.exp(1j * (a - b))))))


def plainly(mesh: Mesh) -> tuple[F64, float]:
    """Centre and scale in the words of the convention, all at once and in double precision."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    areas = (
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    )
    centre = (corners.mean(axis=1) * areas[:, None]).sum(axis=0) / areas.sum()
    placed = mesh.vertices - centre
    return centre, 1 / (FILL * max(placed.max(), abs(placed.min())))


@pytest.mark.parametrize("index", range(4))
def test_all_sources_agree_on_a_person(index: int) -> None:
    scan = scan_of(index)
    found = align(mesh_of(scan), evidence_of(scan.body))
    assert found.source == stage.FROM_PARAMETERS
    assert degrees_apart(found.front_yaw, scan.alignment.front_yaw) < 1e-9
    assert [front.source for front in found.fronts] == [
        stage.FROM_PARAMETERS, stage.FROM_REGISTERED, stage.FROM_JOINTS,
    ]  # fmt: skip
    assert [round(angle.degrees) < limit for angle, limit in zip(found.angles, (1, 10, 10), strict=True)]
    assert found.angles[0].degrees < 0.3
    assert [(fit.source, fit.verdict) for fit in found.fits] == [
        (stage.FROM_PARAMETERS, "good"), (stage.FROM_REGISTERED, "good"),
    ]  # fmt: skip
    assert (found.warnings, found.missing) == ((), ())


@pytest.mark.parametrize("index", range(4))
def test_centre_and_scale_are_the_definition(index: int) -> None:
    mesh = mesh_of(scan_of(index))
    found, (centre, scale) = align(mesh, Evidence()), plainly(mesh)
    np.testing.assert_allclose(found.centre, centre, rtol=1e-12)
    assert found.scale == pytest.approx(scale, rel=1e-12)
    assert np.abs(aligned(mesh.vertices, found)).max() * FILL == pytest.approx(1, abs=1e-6)


@given(st.floats(-3.1, 3.1), st.floats(0.01, 100), st.integers(0, 2**32 - 1))
@settings(max_examples=3, deadline=None)
def test_a_person_moved_and_turned_is_aligned_to_the_same_place(yaw: float, unit: float, seed: int) -> None:
    traits, surface, body = cast_of(0)
    shift = unit * np.random.default_rng(seed).normal(size=3)
    moved = turned(replace(body, scale=unit, translation=shift), yaw)
    for known in (0, 1, 2):  # parameters; registered; joints
        results = []
        for someone in (body, moved):
            scan, all_known = pose(surface, someone, Defects(), traits.seed), evidence_of(someone)
            evidence = (
                Evidence(parameters=all_known.parameters),
                Evidence(registered=all_known.registered, torso=torso()),
                Evidence(joints=all_known.joints),
            )[known]
            # the scale is that of the scan as it stands, so it changes with the turn
            found = align(mesh_of(scan), evidence)
            results.append(aligned(scan.skin.vertices, found) / found.scale / someone.scale)
        np.testing.assert_allclose(results[1], results[0], atol=2e-4)


def test_the_best_source_leads() -> None:
    scan = scan_of(1)
    everything, mesh = evidence_of(scan.body), mesh_of(scan)
    without = replace(everything, parameters=None, body=None)
    steps = (
        (replace(everything, override=Override(yaw=30.0)), stage.FROM_OVERRIDE),
        (everything, stage.FROM_PARAMETERS),
        (without, stage.FROM_REGISTERED),
        (replace(without, registered=None), stage.FROM_JOINTS),
        (Evidence(), stage.FROM_NOTHING),
    )
    for evidence, source in steps:
        assert align(mesh, evidence).source == source
    assert align(mesh, Evidence()).front_yaw == 0.0


@pytest.mark.parametrize("yaw", [-90.0, 0.0, 30.0, 180.0, 360.0])
def test_a_user_says_how_far_to_turn(yaw: float) -> None:
    scan = scan_of(0, Defects())
    found = align(mesh_of(scan), Evidence(override=Override(yaw=yaw, scale=0.9)))
    turned_by_user = (scan.skin.vertices - np.array(found.centre)) @ turn_y(np.radians(yaw)).T
    np.testing.assert_allclose(aligned(scan.skin.vertices, found) / found.scale, turned_by_user, atol=1e-5)
    assert found.scale == pytest.approx(0.9 * align(mesh_of(scan), Evidence()).scale)


@pytest.mark.parametrize(("turn", "warned"), [(15.0, False), (25.0, True), (170.0, True), (-170.0, True)])
def test_sources_far_apart_are_a_warning(turn: float, warned: bool) -> None:
    scan = scan_of(2)
    other = evidence_of(turned(scan.body, np.radians(turn))).registered
    evidence = Evidence(parameters=scan.body, registered=other, torso=torso())
    found = align(mesh_of(scan), evidence)
    assert found.angles[0].degrees == pytest.approx(abs(turn), abs=0.3)
    said = [text for text in found.warnings if "degrees apart" in text]
    assert bool(said) == warned
    if warned:
        assert said[0].startswith(
            f"SMPL-X parameters and registered mesh are {abs(turn):.0f} degrees apart"
        )


def test_a_body_in_the_wrong_place_is_corrected_and_said() -> None:
    scan = scan_of(0, Defects(origin=True))
    wrong = replace(scan.body, translation=scan.body.translation + np.array([0, 1.5, 0]), scale=0.5)
    found = align(
        mesh_of(scan), Evidence(parameters=wrong, body=Body(registered(wrong), smplx_joints(wrong)))
    )
    assert found.fits[0].verdict == "corrected"
    assert any("fit the scan only with" in text for text in found.warnings)
    assert degrees_apart(found.front_yaw, scan.alignment.front_yaw) < 1e-9


def test_a_body_of_somebody_else_is_said_to_be_bad() -> None:
    scan = scan_of(0, Defects())
    other = turned(scan.body, np.pi / 2)
    found = align(
        mesh_of(scan), Evidence(parameters=other, body=Body(registered(other), smplx_joints(other)))
    )
    assert found.fits[0].verdict == "bad"
    assert any("no joints are taken from it" in text for text in found.warnings)


def test_a_registered_body_without_a_model_is_said_to_be_silent() -> None:
    scan = scan_of(0)
    found = align(mesh_of(scan), Evidence(registered=registered(scan.body).vertices))
    assert (found.source, found.fits) == (stage.FROM_NOTHING, ())
    assert found.missing == ("front from registered mesh: no body model was found to compare it with",)


def test_a_registered_body_of_another_kind_is_said_to_be_silent() -> None:
    scan = scan_of(0)
    found = align(mesh_of(scan), replace(Evidence(torso=torso()), registered=torso().rest[:6890]))
    assert found.source == stage.FROM_NOTHING
    assert "has 6890 vertices, the body model 10475" in found.missing[0]


def test_a_registered_body_without_extent_is_said_to_be_silent() -> None:
    found = align(mesh_of(scan_of(0)), Evidence(torso=torso(), registered=np.ones_like(torso().rest)))
    assert (found.source, found.fits) == (stage.FROM_NOTHING, ())
    assert "points lie on a line" in found.missing[0]


def test_joints_that_cannot_be_are_a_warning() -> None:
    scan = scan_of(3)
    known = whole_body(smplx_joints(scan.body))
    other_side = np.arange(133)
    other_side[[5, 6, 11, 12]] = [6, 5, 12, 11]
    everywhere = np.ones(133)
    swapped = align(mesh_of(scan), joints(known[other_side], everywhere))
    assert any("left and right may be mistaken" in text for text in swapped.warnings)
    metres = align(mesh_of(scan), joints(known / scan.body.scale - 5, everywhere))
    assert any("joints lie outside the scan" in text for text in metres.warnings)
    lone = align(mesh_of(scan), joints(known, np.eye(133)[0]))
    assert lone.source == stage.FROM_NOTHING
    assert "neither both shoulders nor both hips" in lone.missing[0]
    strange = align(mesh_of(scan), joints(known, everywhere, "halpe-136"))
    assert "joints in the order 'halpe-136' have no known shoulders" in strange.missing[0]


def test_a_mesh_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(MeshError, match="no faces"):
        align(Mesh(np.zeros((3, 3), np.float32), np.zeros((0, 3), np.int32)), Evidence())


def test_cleaning_comes_first_and_is_recorded(tmp_path: Path) -> None:
    dirty = scan_of(1, Defects(fragments=True, floor=True))
    place = tmp_path / "obj" / "2K2K" / "00001" / "00001.ply"
    write_ply(place, mesh_of(dirty))
    work = Workspace(tmp_path, "2K2K")
    subject = Subject("2K2K", "00001", "train", mesh="obj/2K2K/00001/00001.ply")
    wish = Cleaning(fragments_under=0.005, floor=True)
    found = run(work, subject, wish)
    np.testing.assert_allclose(found.centre, dirty.alignment.centre, rtol=1e-12)
    assert found.scale == pytest.approx(dirty.alignment.scale, rel=1e-12)
    assert found.cleaning == wish
    assert found.removed.fragments == 7 and found.removed.floor_faces > 50
    as_it_is = run(work, subject)
    assert np.linalg.norm(np.subtract(as_it_is.centre, found.centre)) > 0.02
    assert (as_it_is.cleaning, as_it_is.removed.floor_faces) == (Cleaning(), 0)


def test_every_file_beside_a_scan_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMPLX_MODEL_DIR", raising=False)
    request = SynthRequest(tmp_path, people=1, seed=3, vertices=6000, defects=ELSEWHERE)
    write_people(request, lambda text: None)
    write_body_model(tmp_path / "body_models")
    work = Workspace(tmp_path, "2K2K")
    subject = survey(work, layout_of("2K2K")).subjects[0]
    truth = json.loads(
        (work.absolute(subject.mesh or "").parent / "truth.json").read_text(encoding="utf-8")
    )
    found = run(work, subject, models=stage.models_of(work))
    sources = [stage.FROM_PARAMETERS, stage.FROM_REGISTERED, stage.FROM_JOINTS]
    assert [front.source for front in found.fronts] == sources
    for front, most in zip(found.fronts, (1e-4, 0.5, 9), strict=True):
        assert degrees_apart(front.yaw, truth["front_yaw"]) < most
    assert [(fit.source, fit.verdict) for fit in found.fits] == [(name, "good") for name in sources[:2]]
    assert (found.warnings, found.missing) == ((), ())
    (tmp_path / "body_models" / "smplx" / "SMPLX_NEUTRAL.npz").unlink()
    others = run(work, subject, models=stage.models_of(work))
    assert [front.source for front in others.fronts] == sources
    assert len(others.missing) == 1 and "SMPLX_NEUTRAL" in others.missing[0]
    alone = run(work, subject)
    assert [front.source for front in alone.fronts] == [sources[0], sources[2]]
    assert alone.missing == (
        "fit of SMPL-X parameters: no body model was found to pose",
        "front from registered mesh: no body model was found to compare it with",
    )
    assert (alone.front_yaw, alone.centre, alone.scale) == (found.front_yaw, found.centre, found.scale)


def test_thumans_bodies_are_men_with_their_hands_in_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPLX_MODEL_DIR", raising=False)
    write_people(
        SynthRequest(tmp_path, people=1, seed=3, vertices=6000, layout="thuman2"), lambda text: None
    )
    write_body_model(tmp_path / "body_models")
    work = Workspace(tmp_path, "THuman2")
    subject = survey(work, layout_of("THuman2")).subjects[0]
    evidence = stage.evidence_of(work, subject, models=stage.models_of(work))
    assert evidence.parameters and evidence.parameters.gender == "male"
    assert evidence.body and evidence.registered is not None
    unit = evidence.parameters.scale
    np.testing.assert_allclose(evidence.body.mesh.vertices, evidence.registered, atol=0.002 * unit)


def test_without_a_folder_of_models_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMPLX_MODEL_DIR", raising=False)
    assert stage.models_of(Workspace(tmp_path, "2K2K")) is None
