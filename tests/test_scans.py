"""Scans of every layout, from the dataset's folders to meshes and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from building import Heard, build
from PIL import Image

from manifests.read import open_manifest
from pipeline.conduct.standing import Summary
from pipeline.config import RenderRequest
from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.datasets.scans import read_scan
from pipeline.errors import ConfigError, FormatError
from pipeline.formats.image import write_image
from pipeline.geometry.mesh import area_centre
from pipeline.records import Subject, Survey
from pipeline.store import Workspace
from pipeline.synth.folders import LAYOUTS
from pipeline.synth.layouts import SynthRequest, write_people

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
RED = np.full((4, 4, 3), (200, 0, 0), dtype=np.uint8)


@pytest.fixture(scope="module", params=LAYOUTS)
def people(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Workspace]:
    """A data folder with one small person of a layout."""
    root = tmp_path_factory.mktemp(request.param)
    folder = write_people(SynthRequest(root, 1, 0, request.param, 6_000), lambda text: None).folder
    return request.param, Workspace(root, folder.name)


def found(work: Workspace, layout: str | None = None) -> Survey:
    return survey(work, layout_of(work.dataset, layout))


def drawn(work: Workspace, layout: str | None = None) -> tuple[Summary, list[str]]:
    """What came of a build with one small view, and what it said."""
    heard = Heard()
    request = RenderRequest(work.dataset, work.root, yaws=(0.0,), size=64, layout=layout)
    summary = build(request, heard)
    return summary, [text for text in heard.lines if not text.startswith("warning: ")]


def test_synthetic_people_are_read_as_they_were_made(people: tuple[str, Workspace]) -> None:
    layout, work = people
    (subject,) = found(work).subjects
    mesh = read_scan(work, subject)
    path = LAYOUTS[layout].truth(work.absolute(subject.mesh or ""))
    truth = json.loads(path.read_text(encoding="utf-8"))
    centre = area_centre(mesh.vertices, mesh.faces)
    np.testing.assert_allclose(centre, truth["centre"], atol=1e-5 / truth["scale"])
    assert (mesh.colors is None) == (len(mesh.textures) == len(subject.textures) == 1)


def test_synthetic_people_of_every_layout_are_drawn(people: tuple[str, Workspace]) -> None:
    _, work = people
    summary, said = drawn(work)
    assert (summary.views_made, summary.rejects) == (1, {})
    assert "known from SMPL-X parameters" in said[0]


def test_an_image_that_the_layout_knows_needs_no_materials(tmp_path: Path) -> None:
    folder = tmp_path / "obj" / "2K2K" / "00003"
    folder.mkdir(parents=True)
    (folder / "00003.obj").write_text(f"mtllib missing.mtl\nusemtl skin\n{TRIANGLE}")
    write_image(folder / "00003.png", RED)
    work = Workspace(tmp_path, "2K2K")
    mesh = read_scan(work, found(work).subjects[0])
    np.testing.assert_array_equal(mesh.textures, [RED])


def test_ones_own_materials_are_asked_before_an_image(tmp_path: Path) -> None:
    folder = tmp_path / "obj" / "ours"
    folder.mkdir(parents=True)
    (folder / "a.obj").write_text(f"mtllib a.mtl\nusemtl skin\n{TRIANGLE}")
    (folder / "a.mtl").write_text("newmtl skin\nmap_Kd real.png\n")
    write_image(folder / "real.png", RED)
    write_image(folder / "a.png", RED // 2)
    work = Workspace(tmp_path, "ours")
    (subject,) = found(work, "folder").subjects
    np.testing.assert_array_equal(read_scan(work, subject).textures, [RED])


@pytest.mark.parametrize(
    ("mesh", "reason"), [(None, "has no mesh"), ("a.fbx", r"a\.fbx is \.fbx; \.ply, \.obj")]
)
def test_a_scan_that_cannot_be_read_says_why(tmp_path: Path, mesh: str | None, reason: str) -> None:
    subject = Subject("folder", "a", "train", mesh=mesh)
    with pytest.raises(FormatError, match=reason):
        read_scan(Workspace(tmp_path, "folder"), subject)


def test_who_is_left_out_is_said_with_the_place_and_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "obj" / "ours"
    folder.mkdir(parents=True)
    (folder / "a.ply").touch()
    (folder / "overrides.toml").write_text('[a]\nexclude = true\nnote = "a statue"\n')
    summary, said = drawn(Workspace(tmp_path, "ours"), "folder")
    assert summary.rejects == {("read", "Excluded"): 1}
    assert not summary.has_faults
    assert said[0] == f"a: not used: left out by {folder / 'overrides.toml'}, line 1: a statue"


def test_bad_names_are_rejects_of_a_build(tmp_path: Path) -> None:
    folder = tmp_path / "obj" / "ours"
    folder.mkdir(parents=True)
    (folder / "a..b.ply").touch()
    heard = Heard()
    for _ in range(2):
        with pytest.raises(ConfigError, match="none of the 1 scans of ours can be used"):
            build(RenderRequest("ours", tmp_path, size=64, layout="folder"), heard)
    (line,) = set(heard.lines)
    assert line.startswith("a..b: not used: its name has `..` in it")
    assert len(open_manifest(tmp_path / "manifests" / "ours").rejects()) == 1


def test_people_who_were_not_scanned_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"HuGe100K has no scans to draw, only parameters, cameras, pictures"
    ):
        drawn(Workspace(tmp_path / "data", "HuGe100K"))
    assert not (tmp_path / "data").exists()


def test_the_pixels_that_a_user_allows_are_the_limit(tmp_path: Path) -> None:
    folder = tmp_path / "obj" / "folder" / "a"
    folder.mkdir(parents=True)
    (folder / "a.obj").write_text(
        "mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    )
    (folder / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    Image.new("RGB", (1500, 1000)).save(folder / "a.png")
    for allowed in (None, 2_000_000):
        work = Workspace(tmp_path, "folder", allowed)
        assert read_scan(work, found(work).subjects[0]).textures[0].shape == (1000, 1500, 3)
    work = Workspace(tmp_path, "folder", 1_000_000)
    with pytest.raises(FormatError, match=r"1500 x 1000 = 2 Mpx, over 1 Mpx; .*--max-texture-mpx"):
        read_scan(work, found(work).subjects[0])
