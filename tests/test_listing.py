"""What scan-list says of a dataset, and how long it takes."""

from __future__ import annotations

import builtins
import json
import time
from pathlib import Path

import pytest
from building import nothing

import cli
from pipeline import build
from pipeline.conduct.standing import Summary
from pipeline.config import ListRequest, RenderRequest
from pipeline.listing import as_json, lacks, lines, scan_list
from pipeline.records import Subject

FACTS = ("mesh", "textures", "parameters", "registered", "joints")


def lay(root: Path, *names: str) -> Path:
    """A data folder with these empty files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three people of 2K2K: one with everything, one for tests, one without a mesh; and a bad name."""
    new = "obj/2K2K/train/00003"
    names = ("00003.ply", "00003.json", "kp3ds.json", "smplx10475_rigid_mesh.obj")
    others = ("obj/2K2K/test/00001/00001.obj", "obj/2K2K/train/00009/kp3ds.json", "obj/2K2K/a\nb/a\nb.ply")
    lay(tmp_path, *(f"{new}/{name}" for name in names), *others)
    (tmp_path / "obj/2K2K/overrides.toml").write_text(
        '[00001]\nyaw = 12.5\nscale = 0.9\nnote = "from behind"\n[00009]\nexclude = true\n'
    )
    return tmp_path


def test_the_table_shows_what_is_there_and_what_is_lacking(data: Path) -> None:
    table = list(lines(scan_list(ListRequest("2K2K", data))))
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in table[:4]]
    assert cells == [
        ["subject", "split", *FACTS, "lacks", "override"],
        [
            *("00001", "test", "obj", "-", "-", "-", "-", "textures, parameters, registered, joints"),
            "yaw 12.5, scale 0.9, from behind",
        ],
        ["00003", "train", "ply", "in mesh", "json", "obj", "kp3ds", "-", "-"],
        ["00009", "train", "-", "-", "-", "-", "kp3ds", "mesh, parameters, registered", "left out"],
    ]
    assert table[4:] == [
        "",
        r"not used: a\nb: its name has a control character in it, so no file can be named for it; "
        r"rename obj/2K2K/a\nb/a\nb.ply",
        "obj/2K2K, laid out as 2k2k: 3 subjects",
        "split: train 2, val 0, test 1",
        "found: mesh 2, textures 0, parameters 1, registered 1, joints 2",
    ]


def test_columns_stand_below_their_heads(data: Path) -> None:
    head, *rows = list(lines(scan_list(ListRequest("2K2K", data))))[:4]
    starts = [head.index(name) for name in (*FACTS, "lacks", "override")]
    for row in rows:
        assert all(row[start - 1] == " " and row[start] != " " for start in starts)


def test_json_says_the_same_for_programs(data: Path) -> None:
    said = json.loads(json.dumps(as_json(scan_list(ListRequest("2K2K", data)))))
    assert (said["dataset"], said["layout"], said["folder"]) == ("2K2K", "2k2k", "obj/2K2K")
    assert said["facts"] == list(FACTS)
    assert said["split"] == {"train": 2, "val": 0, "test": 1}
    assert said["found"]["joints"] == 2
    first, second, third = said["subjects"]
    assert second == {
        "id": "00003",
        "split": "train",
        "mesh": "obj/2K2K/train/00003/00003.ply",
        "textures": [],
        "parameters": "obj/2K2K/train/00003/00003.json",
        "registered": "obj/2K2K/train/00003/smplx10475_rigid_mesh.obj",
        "joints": "obj/2K2K/train/00003/kp3ds.json",
        "joints_kind": "kp3ds",
        "lacks": [],
        "attributes": {},
        "override": None,
    }
    assert (first["override"]["yaw"], third["mesh"], third["override"]["exclude"]) == (12.5, None, True)
    assert [reject["scan"] for reject in said["rejects"]] == [r"a\nb"]


def test_shares_move_only_those_whose_split_was_not_released(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(data, "obj/2K2K/00005/00005.ply")
    assert cli.main(["scan-list", "2K2K", "--data", str(data), "--shares", "0,1,0", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {subject["id"]: subject["split"] for subject in said["subjects"]} == {
        "00001": "test",
        "00003": "train",
        "00005": "val",
        "00009": "train",
    }


def test_the_command_prints_the_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scan-list", "2K2K", "--data", str(data)]) == 0
    assert capsys.readouterr().out.splitlines() == list(lines(scan_list(ListRequest("2K2K", data))))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("THuman3",),
            "there is no dataset 'THuman3'; choose demo, 2K2K, THuman2, RP, HuGe100K, folder, or say",
        ),
        (
            ("ours", "--layout", "flat"),
            "there is no layout 'flat'; choose 2k2k, thuman2, renderpeople, huge100k",
        ),
        (("THuman2",), "nobody of THuman2 is under"),
        (("2K2K", "--shares", "1,1,1"), "they must add up to 1, not to 3"),
        (("2K2K", "--shares", "half"), "'half' is not three shares such as 0.9,0.05,0.05"),
        (("../obj/2K2K", "--layout", "folder"), "the dataset's name '../obj/2K2K' has a path separator"),
    ],
)
def test_a_request_without_sense_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert cli.main(["scan-list", *arguments, "--data", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_a_build_is_told_of_the_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RenderRequest] = []

    def pretend(request: RenderRequest, watch: object, conduct: object) -> Summary:
        asked.append(request)
        return nothing()

    monkeypatch.setattr(build, "render", pretend)
    assert cli.main(["render", "ours", "--layout", "folder"]) == 0
    assert cli.main(["render", "RP"]) == 0
    assert asked == [RenderRequest("ours", layout="folder"), RenderRequest("RP")]


@pytest.mark.parametrize("mesh", ["a.ply", "a.glb", None])
def test_a_texture_is_lacking_only_beside_an_obj(mesh: str | None) -> None:
    assert "textures" not in lacks(Subject("folder", "a", "train", mesh=mesh), FACTS)
    assert "textures" in lacks(Subject("folder", "a", "train", mesh="a.obj"), FACTS)


def test_nothing_is_written_and_no_scan_is_opened(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(data.rglob("*"))
    opened: list[str] = []
    real = Path.open

    def watched(path: Path, *arguments: object, **options: object) -> object:
        opened.append(path.name)
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    def refused(*arguments: object, **options: object) -> object:
        raise AssertionError(f"opened {arguments}")

    monkeypatch.setattr(Path, "open", watched)
    monkeypatch.setattr(builtins, "open", refused)
    list(lines(scan_list(ListRequest("2K2K", data))))
    assert set(opened) <= {"overrides.toml"}
    assert sorted(data.rglob("*")) == before


@pytest.mark.slow
def test_a_hundred_thousand_people_take_seconds(tmp_path: Path) -> None:
    folders = [tmp_path / "HuGe100K" / f"flux_batch{1 + i % 9}" / f"images{i % 10}" for i in range(90)]
    for folder in set(folders):
        (folder / "param").mkdir(parents=True)
    for number in range(100_000):
        folder = folders[number % 90]
        (folder / "param" / f"Kenya_female_fit_casual wear_20~30 years old_{number}.npy").touch()
    started = time.process_time()
    found = scan_list(ListRequest("HuGe100K", tmp_path))
    told = sum(1 for _ in lines(found))
    assert time.process_time() - started < 10.0
    assert len(found.subjects) == 100_000
    assert told > 100_000
