from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import datasets
from pipeline.datasets import demo
from pipeline.errors import ConfigError
from pipeline.store import Workspace


def lay(root: Path, *names: str) -> Workspace:
    """A data folder with these empty files under obj/2K2K."""
    for name in names:
        path = root / "obj" / "2K2K" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Workspace(root, "2K2K")


@pytest.mark.parametrize("branch", ["", "train/", "test/", "1M/"])
def test_every_layout_of_2k2k_is_found(tmp_path: Path, branch: str) -> None:
    work = lay(tmp_path, f"{branch}00007/00007.ply", f"{branch}00003/00003.ply")
    found = datasets.find_scans(work)
    assert [(row.scan, row.path) for row in found] == [
        (scan, f"obj/2K2K/{branch}{scan}/{scan}.ply") for scan in ("00003", "00007")
    ]
    assert {row.parameters for row in found} == {None}


@pytest.mark.parametrize("name", ["00003.json", "smplx_param.json", "00003_smplx.npz"])
def test_parameters_beside_a_scan_are_found_among_other_facts(tmp_path: Path, name: str) -> None:
    others = (
        "kp3ds.json",
        "00003.joints.json",
        "00003.truth.json",
        "truth.json",
        "smplx10475_rigid_mesh.obj",
    )
    work = lay(tmp_path, *(f"00003/{n}" for n in ("00003.ply", name, *others)))
    assert datasets.find_scans(work)[0].parameters == f"obj/2K2K/00003/{name}"


def test_one_scan_in_two_places_is_refused(tmp_path: Path) -> None:
    work = lay(tmp_path, "train/00003/00003.ply", "1M/00003/00003.ply")
    with pytest.raises(ConfigError, match="00003 is there twice"):
        datasets.find_scans(work)


def test_folders_without_their_scan_are_passed_over(tmp_path: Path) -> None:
    work = lay(tmp_path, "00003/00003.ply", "00004/other.ply", "notes/read.me")
    assert [row.scan for row in datasets.find_scans(work)] == ["00003"]


def test_no_scans_at_all_is_an_error_that_says_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no scans of 2K2K under .*obj/2K2K; expected ID/ID\.ply"):
        datasets.find_scans(Workspace(tmp_path, "2K2K"))


def test_unknown_datasets_are_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="no dataset '2k2k'; choose demo, 2K2K"):
        datasets.check_name("2k2k")
    with pytest.raises(ConfigError, match="THuman2 is known but this version does not read it"):
        datasets.check_name("THuman2")


def test_demo_people_are_named_like_the_real_ones() -> None:
    assert demo.ids(3) == ["00001", "00002", "00003"]
