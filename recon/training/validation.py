"""How good a network is with people it does not learn from: means over all of them, of all processes.

Sums and counts are what processes tell each other, so the means do not depend on how people are shared out.
Refuses to know where batches come from, and what is done about it.

Legend of suffixes: B batch, N names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipeline.errors import ManifestError
from recon.data.augment import Prepared
from recon.data.batch import Batch
from recon.metrics.views import measured
from recon.network import Prediction
from recon.training.processes import Processes
from recon.training.stepping import Stepper

Show = Callable[[Prediction, Prepared], None]


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over `samples` people: the loss, its terms, and metrics by the names of `metrics.views`.

    A metric may mean nothing for somebody: its mean is over the others, `undefined` says of how many people
    it is not, and one that is defined for nobody is not in `metrics`.
    """

    loss: float
    terms: Mapping[str, float]
    metrics: Mapping[str, float]
    samples: int
    undefined: Mapping[str, int] = field(default_factory=dict)


def validate(
    stepper: Stepper, batches: Iterable[Batch], processes: Processes, show: Show | None = None
) -> Scores:
    """The scores of everybody in this process's batches and in those of the others; all get the same.

    `show` gets the first prediction of this process, and what the network was shown.
    """
    terms, metrics, samples = _Sums(), _Sums(), 0
    for batch in batches:
        prediction, shown = stepper.predict(batch)
        if show is not None and not samples:
            show(prediction, shown)
        with torch.no_grad():
            terms.add(_spread(stepper.terms(prediction, shown), len(batch)))
            metrics.add(measured(prediction, shown.depth_B2HW, shown.place, stepper.plan.profile))
        samples += len(batch)
    told = json.dumps([terms.told(), metrics.told(), samples])
    of_all = [json.loads(text) for text in processes.gathered([told])]
    samples = sum(each[2] for each in of_all)
    if not samples:
        raise ManifestError("there is nobody to validate with: none of the views could be read")
    wrong, _ = _means([each[0] for each in of_all])
    means, counts = _means([each[1] for each in of_all])
    undefined = {name: samples - count for name, count in counts.items() if count < samples}
    return Scores(sum(wrong.values()), wrong, means, samples, undefined)


class _Sums:
    """Sums by name, and of how many people, which stay on the device until they are told."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sums: Tensor | None = None

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Adds people's values (B,) by name; those that are NaN do not count."""
        self._names = [*values]
        values_NB = torch.stack([*values.values()]).double()
        sums_2N = torch.stack((values_NB.nansum(1), values_NB.isnan().logical_not().sum(1).double()))
        self._sums = sums_2N if self._sums is None else self._sums + sums_2N

    def told(self) -> dict[str, tuple[float, int]]:
        """Sums and counts by name."""
        if self._sums is None:
            return {}
        sums, counts = self._sums.tolist()
        return {name: (s, int(n)) for name, s, n in zip(self._names, sums, counts, strict=True)}


def _spread(terms: Mapping[str, Tensor], people: int) -> dict[str, Tensor]:
    """Means over a batch as if each of its people had them (B,); no number is as bad as can be."""
    # A metric may be NaN because it means nothing for somebody. A term means something for everybody.
    return {n: term.nan_to_num(torch.inf, torch.inf, torch.inf).expand(people) for n, term in terms.items()}


def _means(told: Sequence[Mapping[str, tuple[float, int]]]) -> tuple[dict[str, float], dict[str, int]]:
    """Means of all processes, and of how many people; there is no mean of nobody."""
    names = dict.fromkeys(name for one in told for name in one)
    pairs = {name: [one[name] for one in told if name in one] for name in names}
    sums = {name: sum(s for s, _ in own) for name, own in pairs.items()}
    counts = {name: sum(n for _, n in own) for name, own in pairs.items()}
    return {name: sums[name] / count for name, count in counts.items() if count}, counts
