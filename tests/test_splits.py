"""Who is for training, validation and testing, where a release does not say."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.config import SplitShares
from pipeline.datasets.splits import split_of
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("rp_anna_posed_001", 0.263414605),
        ("00003", 0.506369584),
        ("Zoë", 0.775896465),
        ("0525", 0.930268230),
    ],
)
def test_a_persons_place_among_the_splits_is_the_same_for_ever(name: str, place: float) -> None:
    below, above = place - 1e-9, 1.0 - place - 1e-9
    assert split_of(name, SplitShares(below, 1.0 - below, 0.0)) == "val"
    assert split_of(name, SplitShares(1.0 - above, 0.0, above)) == "train"
    assert split_of(name, SplitShares(0.0, below, 1.0 - below)) == "test"


def test_splits_have_their_shares() -> None:
    people = [f"{number:05d}" for number in range(20_000)]
    shares = SplitShares(0.5, 0.3, 0.2)
    split = Counter(split_of(person, shares) for person in people)
    for name, share in (("train", 0.5), ("val", 0.3), ("test", 0.2)):
        assert split[name] / len(people) == pytest.approx(share, abs=0.015)


def test_a_larger_share_for_training_only_adds_to_it() -> None:
    people = [f"{number:05d}" for number in range(2_000)]
    small, large = SplitShares(0.6, 0.2, 0.2), SplitShares(0.8, 0.1, 0.1)
    before = {person for person in people if split_of(person, small) == "train"}
    assert before < {person for person in people if split_of(person, large) == "train"}


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_everybody_may_be_for_one_thing(name: str) -> None:
    shares = SplitShares(**{"train": 0.0, "val": 0.0, "test": 0.0, name: 1.0})
    assert {split_of(str(number), shares) for number in range(500)} == {name}


@pytest.mark.parametrize("shares", [(0.9, 0.05, 0.1), (1.1, -0.1, 0.0), (float("nan"), 0.5, 0.5)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="shares of train, val and test are"):
        SplitShares(*shares)
