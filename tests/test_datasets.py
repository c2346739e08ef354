"""Who is found in a dataset's folders, from names alone."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.datasets import survey
from pipeline.datasets.huge100k import attributes_of
from pipeline.datasets.ids import MOST_BYTES
from pipeline.datasets.layouts import DATASETS, LAYOUTS, layout_of
from pipeline.errors import ConfigError
from pipeline.records import Subject, Survey
from pipeline.store import Workspace
from pipeline.synth.folders import LAYOUTS as SYNTHETIC
from pipeline.synth.layouts import SynthRequest, write_people

KENYA = "Kenya_female_fit_smart casual_20~30 years old_15"


def lay(root: Path, *names: str) -> None:
    """These files, empty."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def find(root: Path, dataset: str, *names: str, layout: str | None = None) -> Survey:
    """What is found in a data folder that has these files."""
    lay(root, *names)
    return survey(Workspace(root, dataset), layout_of(dataset, layout))


def only(found: Survey) -> Subject:
    """The one subject of a survey in which nothing was refused; its split is another test's matter."""
    assert found.rejects == ()
    (subject,) = found.subjects
    return replace(subject, split="")


def test_the_new_release_of_2k2k(tmp_path: Path) -> None:
    folder = "obj/2K2K/train/00003"
    files = ("00003.ply", "00003.json", "kp3ds.json", "smplx10475_rigid_mesh.obj", "truth.json")
    found = find(tmp_path, "2K2K", *(f"{folder}/{name}" for name in files), "obj/2K2K/test/00001/00001.ply")
    assert [(subject.id, subject.split) for subject in found.subjects] == [
        ("00001", "test"),
        ("00003", "train"),
    ]
    assert found.subjects[1] == Subject(
        dataset="2K2K",
        id="00003",
        split="train",
        mesh=f"{folder}/00003.ply",
        parameters=f"{folder}/00003.json",
        registered=f"{folder}/smplx10475_rigid_mesh.obj",
        joints=f"{folder}/kp3ds.json",
        joints_kind="kp3ds",
    )


def test_the_old_release_of_2k2k_counts_each_person_once(tmp_path: Path) -> None:
    names = ("1M/01968/01968.ply", "50K/01968/01968.ply", "50K/01969/01969.ply")
    found = find(tmp_path, "2K2K", *(f"obj/2K2K/{name}" for name in names))
    assert [subject.mesh for subject in found.subjects] == [
        "obj/2K2K/1M/01968/01968.ply",
        "obj/2K2K/50K/01969/01969.ply",
    ]
    assert found.rejects == ()


@pytest.mark.parametrize("mesh", ["00003.ply", "00003.obj", "00003.OBJ"])
def test_the_published_renderers_form_of_2k2k(tmp_path: Path, mesh: str) -> None:
    subject = only(find(tmp_path, "2K2K", f"obj/2K2K/00003/{mesh}", "obj/2K2K/00003/00003.png"))
    assert subject.mesh == f"obj/2K2K/00003/{mesh}"
    assert subject.textures == (() if mesh.endswith("ply") else ("obj/2K2K/00003/00003.png",))


@pytest.mark.parametrize("name", ["00003.json", "smplx_param.json", "00003_smplx.npz", "smplx_param.pkl"])
def test_parameters_beside_a_scan_are_found_among_other_facts(tmp_path: Path, name: str) -> None:
    others = ("kp3ds.json", "00003.joints.json", "00003.truth.json", "truth.json")
    found = find(tmp_path, "2K2K", *(f"obj/2K2K/00003/{n}" for n in ("00003.ply", name, *others)))
    assert only(found).parameters == f"obj/2K2K/00003/{name}"


@pytest.mark.parametrize("data", ["data/", ""])
def test_thuman2_with_and_without_its_data_folder(tmp_path: Path, data: str) -> None:
    folder, body = f"obj/THuman2/{data}0525", "obj/THuman2/smplx/0525"
    files = (f"{folder}/0525.obj", f"{folder}/material0.mtl", f"{folder}/material0.jpeg")
    facts = (f"{body}/smplx_param.pkl", f"{body}/mesh_smplx.obj", "Joint3D/THuman2/0525.json")
    assert only(find(tmp_path, "THuman2", *files, *facts)) == Subject(
        dataset="THuman2",
        id="0525",
        split="",
        mesh=files[0],
        textures=(files[2],),
        parameters=facts[0],
        registered=facts[1],
        joints=facts[2],
        joints_kind="joint3d",
        attributes=(("release", "2.0"),),
        gender="male",
    )


def test_thuman2_says_who_came_with_2_1_and_whose_scan_is_missing(tmp_path: Path) -> None:
    found = find(
        tmp_path, "THuman2", "obj/THuman2/data/0526/0526.obj", "obj/THuman2/smplx/0000/smplx_param.pkl"
    )
    assert [(subject.id, subject.mesh is None) for subject in found.subjects] == [
        ("0000", True),
        ("0526", False),
    ]
    assert [dict(subject.attributes)["release"] for subject in found.subjects] == ["2.0", "2.1"]


@pytest.mark.parametrize(
    ("mesh", "texture"),
    [
        ("_100k.obj", "tex/rp_anna_posed_001_dif_8k.jpg"),
        ("_100k.OBJ", "tex/rp_anna_posed_001_dif.jpg"),
        ("_200k.obj", "tex/rp_anna_posed_001_dif_2k.jpg"),
    ],
)
def test_renderpeople_by_any_of_its_names(tmp_path: Path, mesh: str, texture: str) -> None:
    folder = "obj/RP/rp_anna_posed_001_OBJ"
    normals = f"{folder}/tex/rp_anna_posed_001_norm_8k.jpg"
    names = (f"{folder}/rp_anna_posed_001{mesh}", f"{folder}/{texture}", normals)
    subject = only(find(tmp_path, "RP", *names, "Joint3D/RP/rp_anna_posed_001.json"))
    assert (subject.id, subject.mesh, subject.textures) == ("rp_anna_posed_001", names[0], (names[1],))
    assert (subject.joints, subject.joints_kind) == ("Joint3D/RP/rp_anna_posed_001.json", "joint3d")


def test_renderpeople_take_the_mesh_and_texture_that_published_loaders_take(tmp_path: Path) -> None:
    stem = "obj/RP/rp_anna_posed_001_OBJ"
    name = "rp_anna_posed_001"
    meshes = (f"{stem}/{name}_200k.obj", f"{stem}/{name}_100k.obj", f"{stem}/{name}_30k.obj")
    images = (f"{stem}/tex/{name}_dif_2k.jpg", f"{stem}/tex/{name}_dif_8k.jpg")
    subject = only(find(tmp_path, "RP", *meshes, *images))
    assert (subject.mesh, subject.textures) == (meshes[1], (images[1],))


def test_huge100k_people_are_known_by_batch_folder_and_name(tmp_path: Path) -> None:
    folder = "HuGe100K/flux_batch8/images3"
    names = (f"{folder}/videos/{KENYA}.jpg", f"{folder}/videos/{KENYA}.mp4", f"{folder}/param/{KENYA}.npy")
    assert only(find(tmp_path, "HuGe100K", *names)) == Subject(
        dataset="HuGe100K",
        id=f"flux_batch8_images3_{KENYA}",
        split="",
        parameters=names[2],
        cameras=names[2],
        pictures=names[:2],
        attributes=(
            ("batch", "flux_batch8"),
            ("pose", "diverse"),
            ("area", "Kenya"),
            ("gender", "female"),
            ("body_type", "fit"),
            ("clothing", "smart casual"),
            ("age", "20~30 years old"),
            ("number", "15"),
        ),
    )


def test_huge100k_keeps_people_of_whom_something_is_missing(tmp_path: Path) -> None:
    names = ("flux_batch1/images0/videos/a.mp4", "deepfashion/images1/param/b.npy", "flux_batch1/notes.txt")
    found = find(tmp_path, "HuGe100K", *(f"HuGe100K/{name}" for name in names))
    assert [(s.id, s.parameters is None, len(s.pictures)) for s in found.subjects] == [
        ("deepfashion_images1_b", False, 0),
        ("flux_batch1_images0_a", True, 1),
    ]


@pytest.mark.parametrize("name", ["a_b_c_d_e", "Kenya_female_fit__20_1", "img-001", ""])
def test_names_in_another_form_have_no_attributes(name: str) -> None:
    assert attributes_of(name) == ()


def test_a_clothing_with_underscores_stays_whole() -> None:
    assert dict(attributes_of("Mali_male_slim_a_b_30~40_7"))["clothing"] == "a_b"


def test_a_folder_of_ones_own_scans(tmp_path: Path) -> None:
    names = (
        *("anna.ply", "anna.json", "anna.joints.json", "anna.registered.obj", "anna.truth.json"),
        *("studio/ben.OBJ", "studio/ben.png", "studio/cy.glb", "studio/cy.npz", "studio/other.jpg"),
        *(
            "dora/dora.ply",
            "dora/smplx10475_rigid_mesh.obj",
            "two words/scan.ply",
            ".hidden/x.ply",
            "._y.ply",
        ),
    )
    found = find(tmp_path, "folder", *(f"obj/folder/{name}" for name in names))
    base = "obj/folder"
    assert [(s.id, s.mesh, s.textures, s.parameters) for s in found.subjects] == [
        ("anna", f"{base}/anna.ply", (), f"{base}/anna.json"),
        ("dora", f"{base}/dora/dora.ply", (), None),
        ("studio__ben", f"{base}/studio/ben.OBJ", (f"{base}/studio/ben.png",), None),
        ("studio__cy", f"{base}/studio/cy.glb", (), f"{base}/studio/cy.npz"),
        ("two_words__scan", f"{base}/two words/scan.ply", (), None),
    ]
    anna, dora = found.subjects[:2]
    assert (anna.joints, anna.registered) == (f"{base}/anna.joints.json", f"{base}/anna.registered.obj")
    assert dora.registered == f"{base}/dora/smplx10475_rigid_mesh.obj"


def test_ones_own_obj_wears_what_its_materials_say_or_the_image_of_its_name(tmp_path: Path) -> None:
    names = (
        "a/a.obj",
        "a/a.mtl",
        "a/a.png",
        "b/b.obj",
        "b/m.mtl",
        "b/x.png",
        "c/c.obj",
        "c/c.jpg",
        "c/x.png",
    )
    mixed = ("d/d.obj", "d/e.obj", "d/m.mtl", "d/x.png")
    found = find(tmp_path, "folder", *(f"obj/folder/{name}" for name in (*names, *mixed)))
    assert {s.id: [path.rpartition("/")[2] for path in s.textures] for s in found.subjects} == {
        "a": ["a.mtl"],
        "b": ["m.mtl"],
        "c": ["c.jpg"],
        "d": [],
        "d__e": [],
    }


def test_any_name_will_do_for_a_dataset_that_says_how_it_is_laid_out(tmp_path: Path) -> None:
    subject = only(find(tmp_path, "ours", "obj/ours/a.ply", layout="folder"))
    assert (subject.dataset, subject.mesh) == ("ours", "obj/ours/a.ply")


def test_links_are_followed_and_circles_dead_ends_and_pipes_are_nobody(tmp_path: Path) -> None:
    lay(tmp_path, "elsewhere/anna.ply")
    (tmp_path / "obj" / "folder").mkdir(parents=True)
    (tmp_path / "obj" / "folder" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "obj")
    (tmp_path / "elsewhere" / "broken.ply").symlink_to(tmp_path / "nowhere")
    (tmp_path / "elsewhere" / "itself.ply").symlink_to(tmp_path / "elsewhere" / "itself.ply")
    os.mkfifo(tmp_path / "elsewhere" / "pipe.ply")
    assert only(find(tmp_path, "folder")).mesh == "obj/folder/linked/anna.ply"


def test_a_second_scan_of_one_id_is_a_line_that_names_both(tmp_path: Path) -> None:
    found = find(tmp_path, "2K2K", "obj/2K2K/train/00003/00003.ply", "obj/2K2K/1M/00003/00003.ply")
    assert [(s.id, s.split, s.mesh) for s in found.subjects] == [
        ("00003", "train", "obj/2K2K/train/00003/00003.ply")
    ]
    (reject,) = found.rejects
    assert reject.scan == "00003"
    assert "obj/2K2K/train/00003/00003.ply and obj/2K2K/1M/00003/00003.ply" in reject.detail


def test_folders_without_their_scan_are_passed_over_unless_they_have_the_rest(tmp_path: Path) -> None:
    names = ("00003/00003.ply", "00004/other.ply", "notes/read.me", "00005/kp3ds.json")
    found = find(tmp_path, "2K2K", *(f"obj/2K2K/{name}" for name in names))
    assert [(subject.id, subject.mesh is None) for subject in found.subjects] == [
        ("00003", False),
        ("00005", True),
    ]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a\nb", "control character"),
        ("a\x1b[31mb", "control character"),
        ("a\x7f", "control character"),
        ("a\u2028b", "line break"),
        ("a\\b", "path separator"),
        ("a..b", "`..`"),
        (os.fsdecode(b"caf\xe9"), "UTF-8"),
        ("x" * (MOST_BYTES + 1), "bytes long"),
    ],
)
def test_an_id_that_cannot_name_a_file_is_a_line_and_not_a_crash(
    tmp_path: Path, name: str, fault: str
) -> None:
    found = find(tmp_path, "folder", f"obj/folder/{name}.ply", "obj/folder/anna.ply")
    assert [subject.id for subject in found.subjects] == ["anna"]
    (reject,) = found.rejects
    assert fault in reject.detail
    for text in (reject.scan, reject.detail):
        assert text.isprintable()


def test_a_folder_that_cannot_be_listed_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = find(tmp_path, "folder", "obj/folder/anna.ply", "obj/folder/closed/ben.ply")
    assert [subject.id for subject in found.subjects] == ["anna"]
    assert [(reject.scan, "permission denied" in reject.detail) for reject in found.rejects] == [
        ("obj/folder/closed", True)
    ]


def test_a_tree_without_an_end_is_a_line(tmp_path: Path) -> None:
    found = find(tmp_path, "folder", "obj/folder/" + "d/" * 70 + "anna.ply", "obj/folder/ben.ply")
    assert [subject.id for subject in found.subjects] == ["ben"]
    assert "64 folders deep" in found.rejects[0].detail


def test_nobody_at_all_is_an_error_that_says_what_to_put_where(tmp_path: Path) -> None:
    for dataset, layout in DATASETS.items():
        with pytest.raises(ConfigError, match=f"nobody of {dataset} is under ") as caught:
            find(tmp_path, dataset)
        place = tmp_path / (dataset if dataset == "HuGe100K" else f"obj/{dataset}")
        assert f"{place}; expected {layout.expected} there" in str(caught.value)


def test_unknown_datasets_and_layouts_are_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="no dataset '2k2k'") as caught:
        layout_of("2k2k")
    assert all(name in str(caught.value) for name in (*DATASETS, "--layout folder"))
    with pytest.raises(ConfigError, match="no layout '2K2K'") as caught:
        layout_of("2K2K", "2K2K")
    assert all(name in str(caught.value) for name in LAYOUTS)


@pytest.mark.parametrize("name", ["../2K2K", "a\nb", "", "/etc"])
def test_a_datasets_name_stays_in_the_data_folder(name: str) -> None:
    with pytest.raises(ConfigError, match="the dataset's name"):
        layout_of(name, "folder")


@pytest.mark.parametrize("layout", SYNTHETIC)
def test_all_that_synthetic_people_have_is_found(tmp_path: Path, layout: str) -> None:
    request = SynthRequest(tmp_path, people=1, layout=layout, vertices=6_000)
    name = write_people(request, lambda text: None).folder.name
    subject = only(find(tmp_path, name))
    facts = (subject.mesh, subject.parameters, subject.registered, subject.joints, *subject.textures)
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    beside = {path for path in there if path.endswith(("truth.json", ".mtl"))}
    assert set(facts) == there - beside


def test_the_page_tells_how_each_dataset_is_laid_out_and_what_is_looked_for() -> None:
    page = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)`.*? \| `(\w+)` \|", page, flags=re.MULTILINE))
    assert told == {dataset: layout.name for dataset, layout in DATASETS.items()}
    assert set(LAYOUTS) == set(told.values())
    assert all(f"`{key}`" in page or f"{key} = " in page for key in ("yaw", "scale", "note", "exclude"))
