"""Keeping people back to be judged by: who, how many, and that nobody is on both sides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from manifest_rows import FACTS, view_row

from manifests.files import write_table
from manifests.schema import VIEWS, table_of
from pipeline.rows import ViewRow
from recon.data.choice import Choice, choose
from recon.data.hold_out import count_people, held_out
from recon.recipe import Source


def _choice(folder: Path, **people: int) -> Choice:
    """Two views of each of so many people, by dataset; there are no pictures."""
    for dataset, count in people.items():
        rows = [
            view_row(f"{number:05}", yaw, dataset=dataset, split="train")
            for number in range(count)
            for yaw in (0, 30)
        ]
        path = folder / "manifests" / dataset / "views.parquet"
        write_table(path, VIEWS, FACTS, [table_of(ViewRow, rows)])
    return choose([Source(dataset) for dataset in people], folder, "train", (), 64)


def _names(choice: Choice) -> list[str]:
    return [choice.view(index).name for index in range(len(choice))]


def _people(choice: Choice) -> Counter[str]:
    return Counter(name.rpartition("/")[0] for name in _names(choice))


def test_everybody_is_on_one_side_with_all_views(tmp_path: Path) -> None:
    whole = _choice(tmp_path, ours=40, theirs=20)
    rest, back = held_out(whole, 0.1)
    assert sorted(_names(rest) + _names(back)) == sorted(_names(whole))
    assert not set(_people(rest)) & set(_people(back))
    assert set(_people(back).values()) == {2}
    assert (back.views, rest.views) == ({"ours": 8, "theirs": 4}, {"ours": 72, "theirs": 36})
    assert (count_people(whole), count_people(back)) == (60, 6)


@pytest.mark.parametrize(
    ("people", "share", "kept_back"),
    [(3, 0.5, 0), (4, 0.02, 1), (50, 0.02, 1), (100, 0.02, 2), (100, 0.0, 0), (4, 0.5, 2)],
)
def test_a_share_but_at_least_one_is_kept_back_and_nobody_of_a_handful(
    tmp_path: Path, people: int, share: float, kept_back: int
) -> None:
    rest, back = held_out(_choice(tmp_path, ours=people), share)
    assert (count_people(rest), count_people(back)) == (people - kept_back, kept_back)
    assert back.views == {"ours": 2 * kept_back}


def test_who_it_is_has_nothing_to_do_with_their_order(tmp_path: Path) -> None:
    _, back = held_out(_choice(tmp_path, ours=400), 0.05)
    numbers = sorted(int(name.split("/")[1]) for name in _people(back))
    assert min(numbers) < 100 and max(numbers) > 300
    _, more = held_out(_choice(tmp_path / "grown", ours=440), 0.05)
    assert len(set(_people(back)) & set(_people(more))) >= 0.7 * len(numbers)


def test_each_part_has_a_digest_of_its_own_and_always_the_same(tmp_path: Path) -> None:
    whole = _choice(tmp_path, ours=10)
    digests = [part.digest for share in (0.1, 0.2, 0.1) for part in held_out(whole, share)]
    assert digests[:2] == digests[4:]
    assert len({whole.digest, *digests}) == 5
