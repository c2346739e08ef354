"""The order of views: every view in its share, the same for the same seed, whatever else happens."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.errors import ConfigError
from recon.data.order import Order
from recon.recipe import Source

PLAIN = (Source("a"), Source("b"))


def test_an_epoch_without_weights_is_every_view_once_and_never_in_the_same_order() -> None:
    order = Order(PLAIN, {"a": 30, "b": 12}, seed=3)
    epochs = [order.epoch(number).tolist() for number in range(3)]
    assert all(sorted(epoch) == list(range(42)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    mixed = np.array(epochs[0]) >= 30
    assert 0 < mixed[:21].sum() < 12  # datasets are mixed, not one after the other


def test_an_order_is_a_function_of_seed_and_epoch() -> None:
    views = {"a": 30, "b": 12}
    first, again, other = (Order(PLAIN, views, seed) for seed in (3, 3, 4))
    first.epoch(0)
    assert np.array_equal(first.epoch(7), again.epoch(7))
    assert not np.array_equal(first.epoch(7), other.epoch(7))


def test_datasets_have_their_shares_and_are_gone_through_before_a_view_comes_again() -> None:
    order = Order((Source("a", 1.0), Source("b", 3.0)), {"a": 30, "b": 10}, seed=0)
    seen: Counter[int] = Counter()
    for number in range(6):
        epoch = order.epoch(number)
        assert len(epoch) == len(order) == 40
        assert ((epoch < 30).sum(), (epoch >= 30).sum()) == (10, 30)
        seen.update(epoch.tolist())
        for views in (range(30), range(30, 40)):
            counts = [seen[view] for view in views]
            assert max(counts) - min(counts) <= 1
    assert [seen[0], seen[39]] == [2, 18]


def test_shares_that_are_no_whole_numbers_still_fill_the_epoch() -> None:
    order = Order((Source("a", 1.0), Source("b", 1.0), Source("c", 1.0)), {"a": 5, "b": 3, "c": 3}, 0)
    epoch = order.epoch(0)
    counts = [int(((epoch >= low) & (epoch < high)).sum()) for low, high in ((0, 5), (5, 8), (8, 11))]
    assert sorted(counts) == [3, 4, 4]


def test_a_dataset_that_has_nothing_takes_no_part() -> None:
    order = Order((Source("a", 1.0), Source("none", 5.0), Source("b", 1.0)), {"a": 4, "none": 0, "b": 2}, 0)
    epoch = order.epoch(0)
    assert ((epoch < 4).sum(), (epoch >= 4).sum()) == (3, 3)


def test_a_weight_that_comes_to_no_view_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"weight of b is 0\.001, which is none of an epoch's 40 views"):
        Order((Source("a", 1.0), Source("b", 0.001)), {"a": 30, "b": 10}, 0)
