"""What users say of single people, and what is said to them when it makes no sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import survey
from pipeline.datasets.layouts import layout_of
from pipeline.datasets.overrides import line_of, parse_overrides, read_overrides
from pipeline.errors import ConfigError
from pipeline.records import Override
from pipeline.store import Workspace

GOOD = """\
# our own corrections

[00003]
yaw = -90          # degrees
scale = 0.9
note = "stands sideways"

["two words"]
exclude = true

[00004]
"""
TURNED = (
    "wendy_002 toshiro_021 scott_037 pamela_012 oliver_029 noah_011 mira_001 luke_008 luke_007 jessica_006 "
    "helen_038 eve_003 eric_036 eric_007 emma_025 dennis_008 chloe_004 anna_001 andrew_004 "
    "maya_027 petra_006"
).split()
SMALLER = (
    "michael_019 mei_007 joel_006 ethan_003 elena_013 dennis_001 christine_017 beatrice_034 andrew_007"
).split()


def _posed(short: str) -> str:
    name, number = short.split("_")
    return f"rp_{name}_posed_{number}"


def test_a_file_says_what_it_says() -> None:
    assert parse_overrides(GOOD, "o.toml", {"00003", "two words", "00004"}) == {
        "00003": Override(yaw=-90.0, scale=0.9, note="stands sideways", place="o.toml, line 3"),
        "two words": Override(exclude=True, place="o.toml, line 8"),
        "00004": Override(place="o.toml, line 11"),
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[00003]\nyaw = 1\nyow = 2\n", 3, "there is no key 'yow'; did you mean 'yaw'?"),
        ("[00003]\ncolour = 2\n", 2, "there is no key 'colour'; choose yaw, scale, exclude, note"),
        ("\n[00033]\nyaw = 2\n", 2, "there is no subject '00033'; did you mean '00003'?"),
        ("[zzz]\n", 1, "there is no subject 'zzz'; `scan2k scan-list` shows who there is"),
        ("yaw = 3\n[00003]\n", 1, "'yaw' stands outside a table"),
        ("[00003]\nscale = 1\n\nyaw = 'left'\n", 4, "yaw is 'left'; it must be a number"),
        ("[00003]\nyaw = true\n", 2, "yaw is True; it must be a number"),
        ("[00003]\nyaw = nan\n", 2, "yaw is nan; it must be from -360 to 360"),
        ("[00003]\nyaw = 361\n", 2, "yaw is 361; it must be from -360 to 360"),
        ("[00003]\nscale = 0\n", 2, "scale is 0; it must be from 0.001 to 1000"),
        ("[00003]\nscale = inf\n", 2, "scale is inf; it must be from"),
        ("[00003]\nscale = -0.9\n", 2, "scale is -0.9; it must be from"),
        ("[00003]\nexclude = 1\n", 2, "exclude is 1; it must be true or false"),
        ("[00003]\nnote = 1\n", 2, "note is 1; it must be text in quotes"),
        ('[00003]\nnote = """\na\n\nb"""\nyow = 1\n', 6, "there is no key 'yow'"),
        ("[00003]\r\nyaw = 1\r\nyow = 2\r\n", 3, "there is no key 'yow'"),
        ('[00003]\nnote = "a\u2028b\x85"\nyow = 2\n', 3, "there is no key 'yow'"),
        ("00003.yaw = 1\n00003.yow = 2\n", 2, "there is no key 'yow'"),
        ("00003 = {yaw = 1, yow = 2}\n", 1, "there is no key 'yow'"),
        ("[00003.more]\nyaw = 1\n", 1, "there is no key 'more'"),
        ("# [00033]\n[00003]\n# yow = 1\nyow = 2", 4, "there is no key 'yow'"),
    ],
)
def test_a_typo_is_an_error_that_names_file_and_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_overrides(text, "o.toml", {"00003", "00004"})
    assert str(caught.value).startswith(f"o.toml, line {line}: {said}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[00003\nyaw = 1\n", 1),
        ("[00003]\nyaw = \n", 2),
        ("[00003]\n\n[00003]\n", 3),
        ("[a]\nyaw=1\nyaw=2\n", 3),
    ],
)
def test_what_is_not_toml_is_an_error_that_names_file_and_line(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"^o\.toml: .*line {line}\b"):
        parse_overrides(text, "o.toml")


def test_nesting_without_end_is_an_error_too() -> None:
    with pytest.raises(ConfigError, match=r"^o\.toml: "):
        parse_overrides("a = " + "[" * 100_000, "o.toml")


@given(
    st.lists(
        st.sampled_from(["", "# [x]", "yaw = 1", 'note = """\n[00009]\n"""', "scale = 2"]), max_size=8
    ),
    st.sampled_from(["[{}]", "  [ {} ] # here", '["{}"]']),
)
def test_the_line_is_that_of_the_entry_whatever_stands_above(above: list[str], head: str) -> None:
    once = dict.fromkeys(above)
    before = "[00001]\n" + "".join(f"{entry}\n" for entry in once)
    text = f"{before}{head.format('00009')}\nyaw = 1\n"
    assert line_of(text, "00009") == before.count("\n") + 1
    assert line_of(text, "00009", "yaw") == before.count("\n") + 2


def test_what_ships_for_renderpeople_is_the_published_list() -> None:
    said = read_overrides(Path("nowhere"), "renderpeople.toml", {_posed(name) for name in TURNED + SMALLER})
    bare = {subject: replace(override, place="") for subject, override in said.items()}
    turned = {_posed(name): Override(yaw=-90.0) for name in TURNED}
    assert bare == turned | {_posed(name): Override(scale=0.9) for name in SMALLER}
    assert (len(TURNED), len(SMALLER)) == (21, 9)


def test_what_ships_is_not_asked_of_people_who_are_not_there() -> None:
    assert read_overrides(Path("nowhere"), "renderpeople.toml", {"rp_arvo_posed_001"}) == {}


def test_the_user_wins_over_what_ships_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "overrides.toml").write_text(
        "[rp_anna_posed_001]\nscale = 1.1\n[rp_eve_posed_003]\nyaw = 0\n"
    )
    people = {"rp_anna_posed_001", "rp_eve_posed_003", "rp_mira_posed_001"}
    said = read_overrides(tmp_path, "renderpeople.toml", people)
    assert {subject: (override.yaw, override.scale) for subject, override in said.items()} == {
        "rp_anna_posed_001": (-90.0, 1.1),
        "rp_eve_posed_003": (0.0, None),
        "rp_mira_posed_001": (-90.0, None),
    }
    assert said["rp_anna_posed_001"].place == f"{tmp_path / 'overrides.toml'}, line 1"


def test_the_user_may_name_people_of_the_release_who_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "overrides.toml").write_text("[rp_anna_posed_001]\nscale = 1.1\n")
    assert read_overrides(tmp_path, "renderpeople.toml", {"rp_arvo_posed_001"}) == {}


def test_a_file_lies_beside_the_scans(tmp_path: Path) -> None:
    scan = tmp_path / "obj" / "folder" / "anna.ply"
    scan.parent.mkdir(parents=True)
    scan.touch()
    path = scan.parent / "overrides.toml"
    path.write_bytes(b"\xef\xbb\xbf[anna]\r\nyaw = 45\r\n")
    found = survey(Workspace(tmp_path, "folder"), layout_of("folder"))
    assert found.overrides == {"anna": Override(yaw=45.0, place=f"{path}, line 1")}
    path.write_text("[ana]\nyaw = 45\n")
    with pytest.raises(
        ConfigError, match=r"overrides\.toml, line 1: there is no subject 'ana'; did you mean 'anna'"
    ):
        survey(Workspace(tmp_path, "folder"), layout_of("folder"))


@pytest.mark.parametrize("content", [b"[a]\nnote = '\xff'\n", None], ids=["not text", "a folder"])
def test_a_file_that_cannot_be_read_is_an_error_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "overrides.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"overrides\.toml: ") as caught:
        read_overrides(tmp_path, None, {"a"})
    assert "\n" not in str(caught.value)
