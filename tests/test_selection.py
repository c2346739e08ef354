from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.conduct.selection import chosen
from pipeline.errors import ConfigError
from pipeline.records import Subject

NUMBERS = ("00003", "00009", "00010", "00020", "00100")


def people(*ids: str) -> list[Subject]:
    return [Subject("2K2K", name, "train") for name in ids]


def pick(ids: tuple[str, ...], *asked: str) -> list[str]:
    return [subject.id for subject in chosen(people(*ids), asked)]


def test_nothing_asked_is_everybody() -> None:
    assert pick(NUMBERS) == list(NUMBERS)


def test_ids_wildcards_and_ranges_add_up_in_the_order_of_the_people() -> None:
    assert pick(NUMBERS, "00100", "00003") == ["00003", "00100"]
    assert pick(NUMBERS, "0001*") == ["00010"]
    assert pick(NUMBERS, "000?0", "00003-00009", "00009") == ["00003", "00009", "00010", "00020"]
    assert pick(("rp_anna_posed_001", "rp_ben.2_posed_001"), "rp_ben.*") == ["rp_ben.2_posed_001"]


def test_a_range_goes_by_value_and_its_ends_need_not_be_there() -> None:
    assert pick(NUMBERS, "4-50") == ["00009", "00010", "00020"]
    assert pick(("1", "2", "10"), "00002-00010") == ["2", "10"]
    assert pick(("a-9", "a-10", "a-11", "b-10"), "a-10-a-99") == ["a-10", "a-11"]
    assert pick(("p1_2", "p1_12", "p2_3"), "p1_1-p1_9") == ["p1_2"]


def test_what_is_an_id_is_no_range_and_no_wildcard() -> None:
    assert pick(("1", "1-3", "2", "3"), "1-3") == ["1-3"]
    assert pick(("a", "a*", "ab"), "a*") == ["a*"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("00030", "nobody is called that; did you mean "),
        ("anna", "nobody is called that; the ids go from 00003 to 00100"),
        ("rp_*", "nobody is called that; the ids go from 00003 to 00100"),
        ("200-300", "nobody is in it; the ids go from 00003 to 00100"),
        ("00020-00010", "it runs backwards; write 00010-00020"),
        ("00010-", "a range is such as 00010-00020"),
        ("-00010", "a range is such as 00010-00020"),
        ("a1-b2", "with the same letters before both numbers"),
        ("", "nobody is called that"),
    ],
)
def test_what_means_nobody_is_refused_by_name_with_what_may_have_been_meant(word: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pick(NUMBERS, "00003", word)
    assert str(refused.value).startswith(f"subjects has {word!r}: ")
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_dataset_of_nobody_says_so() -> None:
    with pytest.raises(ConfigError, match="there is nobody at all"):
        pick((), "00003")


@given(
    st.lists(st.integers(0, 300), unique=True, min_size=1).map(sorted),
    st.integers(0, 300),
    st.integers(0, 300),
    st.integers(1, 5),
)
def test_a_range_means_whose_numbers_lie_in_it(ids: list[int], one: int, other: int, width: int) -> None:
    low, high = sorted((one, other))
    names = tuple(f"x-{number:0{width}}" for number in ids)
    expected = [f"x-{number:0{width}}" for number in ids if low <= number <= high]
    word = f"x-{low}-x-{high}"
    if expected:
        assert pick(names, word) == expected
    else:
        with pytest.raises(ConfigError, match="nobody is in it"):
            pick(names, word)


@given(st.text(string.digits + "ab-_.*?[]", max_size=12))
def test_any_word_means_somebody_or_is_refused(word: str) -> None:
    ids = ("1", "2-3", "10", "a", "a-1", "a-2", "b.1", "b_2")
    try:
        found = pick(ids, word)
    except ConfigError as error:
        assert repr(word) in str(error)
    else:
        assert found and set(found) <= set(ids)
