"""What one worker does: tickets in, batches out; a view that cannot be read is lost, and another drawn.

Refuses to know who else works, and to stop for bad files.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch.utils.data import Dataset

from pipeline.errors import ScanError
from recon.data.backgrounds import Backgrounds
from recon.data.batch import Batch, Draw, Lost, batched
from recon.data.choice import Choice
from recon.data.order import Drawn, generator
from recon.data.sample import Sample, read
from recon.recipe import Recipe

_SPARES = 16  # views that are tried in place of one that is lost
NOT_FOR_WORKERS = (signal.SIGINT, signal.SIGHUP)  # a terminal's, to all of its processes


@dataclass(frozen=True, slots=True)
class Ticket:
    """One sample to load: where it stands in which epoch, and its view's place in the choice."""

    epoch: int
    position: int
    view: int


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What a worker hands over; no batch if every view that it tried is lost."""

    batch: Batch | None
    lost: tuple[Lost, ...]

    def pin_memory(self) -> Loaded:
        """The same in memory from which a GPU can copy by itself."""
        return replace(self, batch=self.batch and self.batch.pin_memory())


class Samples(Dataset[Loaded]):
    """Samples by ticket: jittered and before backgrounds, or plain if there are none.

    With `spares`, another view takes the place of one that is lost.
    """

    def __init__(
        self,
        choice: Choice,
        recipe: Recipe,
        backgrounds: Backgrounds | None = None,
        *,
        spares: bool = False,
    ) -> None:
        self._choice, self._recipe, self._backgrounds = choice, recipe, backgrounds
        self._tries = 1 + _SPARES if spares else 1

    def __getitems__(self, tickets: Sequence[Ticket]) -> Loaded:
        """What tickets stand for, as one batch."""
        lost: list[Lost] = []
        samples = []
        for ticket in tickets:
            found = self._read(ticket, lost)
            if found is not None:
                samples.append((*found, self._draw(ticket, lost)))
        whole = samples and (len(samples) == len(tickets) or self._tries == 1)
        return Loaded(batched(samples, self._recipe.size) if whole else None, tuple(lost))

    def _read(self, ticket: Ticket, lost: list[Lost]) -> tuple[str, Sample] | None:
        """A view by its name; None if it is lost, and so is every one that was drawn in its place."""
        place = ticket.epoch, ticket.position
        for attempt in range(self._tries):
            index = ticket.view
            if attempt:
                spare = generator(self._recipe.seed, Drawn.SPARE, *place, attempt)
                index = int(spare.integers(len(self._choice)))
            view = self._choice.view(index)
            try:
                return view.name, read(view, self._recipe.size)
            except (ScanError, OSError) as error:
                lost.append(Lost(view.name, str(error), index))
        return None

    def _draw(self, ticket: Ticket, lost: list[Lost]) -> Draw:
        """What a sample is changed by."""
        if self._backgrounds is None:
            return Draw()
        draw = generator(self._recipe.seed, Drawn.SAMPLE, ticket.epoch, ticket.position)
        brightness, contrast, saturation = draw.uniform(*self._recipe.jitter, 3).tolist()
        if draw.random() >= self._recipe.backgrounds:
            return Draw((brightness, contrast, saturation))
        picture, bad = self._backgrounds.picture(draw, self._recipe.size // 2)
        lost += [Lost("a background", str(error)) for error in bad]
        return Draw((brightness, contrast, saturation), picture)


def start(_: int) -> None:
    """Begin as a worker: who wants training to end tells the process that trains, and that ends workers."""
    for number in NOT_FOR_WORKERS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, NOT_FOR_WORKERS)
