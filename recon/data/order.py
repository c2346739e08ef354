"""In which order views are learnt from: a function of the seed and the epoch alone.

Refuses to know what a view is, and who loads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from recon.recipe import Source

I64 = npt.NDArray[np.int64]


class Drawn(IntEnum):
    """What is drawn: each has numbers of its own, whatever else is drawn."""

    CYCLE = 0
    EPOCH = 1
    SAMPLE = 2
    SPARE = 3


def generator(seed: int, what: Drawn, *place: int) -> np.random.Generator:
    """The random numbers of one thing in one place, such as a sample in its epoch."""
    return np.random.default_rng([seed, what, *place])


class Order:
    """What an epoch sees, and when: as many views as there are, of each dataset by its weight.

    A dataset is gone through from end to end before any of its views comes again, also over epochs.
    """

    def __init__(self, sources: Sequence[Source], views: Mapping[str, int], seed: int) -> None:
        there = [source for source in sources if views[source.dataset]]
        self._counts = [views[source.dataset] for source in sources if source in there]
        self._shares = _shares(there, self._counts)
        self._seed = seed

    def __len__(self) -> int:
        return sum(self._counts)

    def epoch(self, number: int) -> I64:
        """The views (N,) of an epoch, by their place in the choice."""
        starts = np.cumsum([0, *self._counts[:-1]])
        seen = [
            start + self._cycled(dataset, number * share, share)
            for dataset, (start, share) in enumerate(zip(starts, self._shares, strict=True))
        ]
        return generator(self._seed, Drawn.EPOCH, number).permutation(np.concatenate(seen))

    def _cycled(self, dataset: int, start: int, share: int) -> I64:
        """What comes next of a dataset, after `start` of its views have been seen."""
        count = self._counts[dataset]
        first, last = start // count, (start + share - 1) // count
        cycles = [
            generator(self._seed, Drawn.CYCLE, dataset, cycle).permutation(count)
            for cycle in range(first, last + 1)
        ]
        return np.concatenate(cycles)[start - first * count :][:share]


def _shares(sources: Sequence[Source], counts: Sequence[int]) -> list[int]:
    """How many views of each dataset an epoch has, all together as many as there are."""
    if all(source.weight is None for source in sources):
        return list(counts)
    weights = np.array([source.weight for source in sources], dtype=np.float64)
    wanted = weights / weights.sum() * sum(counts)
    shares = np.floor(wanted).astype(np.int64)
    largest = np.argsort(shares - wanted, kind="stable")[: sum(counts) - shares.sum()]
    shares[largest] += 1
    for source, share in zip(sources, shares, strict=True):
        if not share:
            raise ConfigError(
                f"weight of {source.dataset} is {source.weight:g}, which is none of an epoch's "
                f"{sum(counts)} views; raise it"
            )
    return [int(share) for share in shares]
