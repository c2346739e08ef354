"""Material files: what each material's picture or colour is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import FormatError
from pipeline.formats.mtl import Material, read_mtl


def materials(folder: Path, text: str | bytes) -> dict[str, Material]:
    path = folder / "a.mtl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_mtl(path)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("a.png", Material("a.png")),
        ("my skin 01.png", Material("my skin 01.png")),
        ('"my skin.png"', Material("my skin.png")),
        ("tex\\skin.png  ", Material("tex\\skin.png")),
        ("-s 2 3 1 -o 0.5 -.25 0 my skin.png", Material("my skin.png", (2, 3), (0.5, -0.25))),
        ("-s 2 a.png", Material("a.png", (2, 1))),
        ("-o 1e-1 2 0.png", Material("0.png", offset=(0.1, 2))),
        ("-s 1 1 1 1.png", Material("1.png")),
        ("-bm 0.5 -clamp on -mm 0 1 -t 1 1 1 -blendu off a.png", Material("a.png")),
        ("-imfchan r -texres 512 -cc on -boost 2 a b.png", Material("a b.png")),
        ("-new.png", Material("-new.png")),
    ],
)
def test_map_kd_is_options_and_a_name(tmp_path: Path, said: str, expected: Material) -> None:
    assert materials(tmp_path, f"newmtl m\nmap_Kd {said}\n") == {"m": expected}


def test_every_material_is_found_by_its_whole_name(tmp_path: Path) -> None:
    lines = [
        "# c",
        "newmtl one two",
        "\tKd 0.5 0 1 # half",
        "newmtl b",
        "map_kd B.JPG",
        "Kd 1 1 1",
        "newmtl c",
    ]
    text = "\ufeff" + "\r\n".join(lines)
    assert materials(tmp_path, text) == {
        "one two": Material(color=(0.5, 0, 1)),
        "b": Material("B.JPG"),
        "c": Material(),
    }


def test_one_number_is_a_grey_and_other_colour_spaces_are_none(tmp_path: Path) -> None:
    found = materials(tmp_path, "newmtl a\nKd .25\nnewmtl b\nKd xyz 1 1 1\nnewmtl c\nKd spectral f.rfl\n")
    assert [m.color for m in found.values()] == [(0.25, 0.25, 0.25), None, None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("newmtl a\nmap_Kd\n", "line 2: map_Kd names no picture"),
        ("newmtl a\n\nmap_Kd -s 1 1 1\n", "line 3: map_Kd names no picture"),
        ("map_Kd a.png\n", "line 1: map_Kd comes before the first newmtl"),
        ("newmtl a\nKd 1 2 1\n", "line 2: Kd '1 2 1' is not three numbers"),
        ("newmtl a\nKd nan 0 0\n", "line 2: Kd 'nan 0 0' is not three numbers"),
        ("newmtl a\nKd red\n", "line 2: Kd 'red' is not three numbers"),
        ("newmtl a\nmap_Kd -s 1e999 1 a.png\n", "line 2: option -s is not finite"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        materials(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'a.mtl'}: ")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text('newmtl mapKd-so .123\n\t"\\#e', max_size=40), max_size=5), st.binary(max_size=60))
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], tail: bytes
) -> None:
    words = ["newmtl a", *(f"map_Kd {line}" for line in lines[:2]), *(f"Kd {line}" for line in lines[2:])]
    try:
        materials(tmp_path_factory.mktemp("mtl"), "\n".join(words).encode() + b"\n" + tail)
    except FormatError as error:
        assert "a.mtl: line" in str(error)
