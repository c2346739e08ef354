"""Names that may name a person, judged by what a file system makes of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.ids import MOST_BYTES, fault_of, printable

NASTY = st.sampled_from(
    ["..", "/", "\\", "\n", "\0", "\x1b[2J", "\u2028", "\udcff", ".", " ", "~", "é", "x"]
)
NAMES = st.one_of(st.text(max_size=260), st.lists(NASTY | st.text(max_size=3), max_size=6).map("".join))


@given(NAMES)
def test_an_id_names_one_file_where_it_is_wanted_and_one_word_of_a_line(name: str) -> None:
    if fault_of(name) is not None:
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}_front.png.0123456789abcdef.tmp"
        path.touch()
        assert [found.name for found in Path(folder).iterdir()] == [path.name]
    assert len(f"{name} ".splitlines()) == 1
    assert name.encode().decode() == name


@given(NAMES)
def test_any_name_can_be_shown_in_one_line(name: str) -> None:
    assert printable(name).isprintable()


@pytest.mark.parametrize("name", ["00003", "Zoë", "李雷", "20~30 years old_15", "a-b.c", "x" * MOST_BYTES])
def test_names_of_people_are_ids_and_shown_as_they_are(name: str) -> None:
    assert fault_of(name) is None
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        ("..", "has `..` in it"),
        (".hidden", "begins with a point"),
        ("a/b", "path separator"),
        ("x" * (MOST_BYTES + 1), f"is {MOST_BYTES + 1} bytes long, over {MOST_BYTES}"),
        ("é" * 101, "is 202 bytes long, over 200"),
    ],
)
def test_what_is_no_name_says_why(name: str, fault: str) -> None:
    assert fault in str(fault_of(name))
