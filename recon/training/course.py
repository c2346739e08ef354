"""One phase of a training, from where it stands to its end: steps, looks at those not learnt from, saves.

Refuses to know where the network, the data and the processes come from, and how anything is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.errors import TrainingError
from recon.data.augment import Prepared
from recon.data.batch import Batch
from recon.data.loading import Loader
from recon.network import Prediction
from recon.recipe import TrainRequest
from recon.training.notes import Notes
from recon.training.pace import Pacer
from recon.training.processes import Processes
from recon.training.signs import Signs
from recon.training.snapshot import Data, Position, Snapshot, require_fit, save
from recon.training.stepping import Stepped, Stepper
from recon.training.validation import validate
from recon.training.watch import SAVING, VALIDATING, Pace

LAST, BEST = "last.pt", "best.pt"
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Means:
    """What a phase is done with; `unseen` is None where there is nobody to validate with.

    `stops` says whether the training was asked to end.
    """

    stepper: Stepper
    seen: Loader
    unseen: Loader | None
    data: Data
    notes: Notes
    processes: Processes
    stops: Callable[[], bool]


class Course:
    """One phase: `run` carries it out from where it stands, `at`; `scores` are the latest there are."""

    def __init__(self, request: TrainRequest, means: Means, folder: Path) -> None:
        self.at = Position()
        self._best: float | None = None
        self.scores: dict[str, float] = {}
        self._request, self._means, self._folder = request, means, folder
        self._signs = Signs(request.recipe)
        self._pacer = Pacer(
            means.stepper.plan.phase,
            request.epochs,
            means.seen.steps,
            request.recipe.batch,
            means.processes.device,
        )
        self._saved = time.monotonic()

    def resume(self, snapshot: Snapshot, path: Path) -> None:
        """Go on from a checkpoint, which is in a file."""
        require_fit(path, snapshot, self._means.stepper.network.state_dict())
        self._means.stepper.load_state_dict(snapshot.state)
        self._signs.load_state_dict(snapshot.signs)
        self._signs.saved(path)
        snapshot.restore_random()
        self.at, self._best, self.scores = snapshot.at, snapshot.best, dict(snapshot.scores)
        self._pacer.resume(self.at.epoch + 1, self.at.step)

    def run(self) -> bool:
        """Train until all epochs are done, or until asked to stop: whether it was. Saved either way."""
        while self.at.epoch < self._request.epochs:
            if self._epoch():
                self._save(LAST)
                return True
            self._judge()
        return False

    def _epoch(self) -> bool:
        """What is left of an epoch; whether it was asked to stop."""
        try:
            return self._steps()
        except TrainingError:
            if not self._means.stops():
                raise
            return True  # a polite kill of all processes ends those that load too

    def _steps(self) -> bool:
        means = self._means
        for batches in self._pacer.waiting(means.seen.epoch(self.at.epoch, self.at.step)):
            self._step(batches)
            if means.processes.any(means.stops()):
                return True
            if time.monotonic() - self._saved >= self._request.save_minutes * _MINUTE:
                self._save(LAST)
        return False

    def _step(self, batches: list[Batch]) -> None:
        means = self._means
        stepped = means.stepper.step(batches)
        self.at = Position(self.at.epoch, self.at.step + 1)
        pace = self._pacer.stepped(self.at.epoch + 1, self.at.step, stepped.loss, stepped.terms)
        means.notes.stepped(means.stepper.steps_done, stepped, pace)
        lost = [f"{lost.name} is skipped: {lost.reason}" for batch in batches for lost in batch.lost]
        means.notes.warned("lost", lost, pace)
        self._look_for_signs(stepped, batches, pace)

    def _look_for_signs(self, stepped: Stepped, batches: list[Batch], pace: Pace) -> None:
        means = self._means
        names = [name for batch in batches for name in batch.names]
        if not stepped.is_finite:  # which all processes agree about
            names = means.processes.gathered(names)
        try:
            found = self._signs.seen(stepped, names)
        except TrainingError as error:
            means.notes.warned("stopped", [str(error)], pace)
            raise
        means.notes.warned("sign", [*found, *self._signs.waited(pace.wait_share)], pace)

    def _judge(self) -> None:
        """What an epoch has come to; the best so far is kept, or the latest if nobody judges."""
        means, pace = self._means, self._pacer.doing(VALIDATING)
        means.notes.watch.pace(pace)
        means.notes.absent(means.stepper.absent(), pace)
        is_best = True
        if means.unseen is None:
            means.notes.passed(pace)
            self._picture()
        else:
            scores = validate(means.stepper, means.unseen.all(), means.processes, self._pictured)
            means.notes.validated(means.stepper.steps_done, scores, pace)
            is_best = self._best is None or scores.loss < self._best
            self._best = scores.loss if is_best else self._best
            self.scores = dict(scores.metrics)
        self.at = Position(self.at.epoch + 1)
        # The last one comes last: if it says that it is the best, that is already kept.
        self._save(*([BEST] if is_best else []), *self._kept(), LAST)

    def _picture(self) -> None:
        """Show one of those learnt from, where there is nobody else."""
        if self._means.processes.is_first:
            for batch in islice(self._means.seen.all(), 1):
                self._pictured(*self._means.stepper.predict(batch))

    def _pictured(self, prediction: Prediction, shown: Prepared) -> None:
        self._means.notes.pictured(self._means.stepper.steps_done, prediction, shown)

    def _kept(self) -> list[str]:
        """The name of the checkpoint that stays for good, if one is due after this epoch."""
        every = self._request.keep_every
        return [f"epoch-{self.at.epoch:04}.pt"] if every and self.at.epoch % every == 0 else []

    def _save(self, *names: str) -> None:
        """Write the training as it stands under each of the names; the first process does."""
        means = self._means
        if not means.processes.is_first:
            return
        means.notes.watch.pace(self._pacer.doing(SAVING))
        means.notes.flush()
        snapshot = Snapshot(
            recipe=self._request.recipe,
            phase=means.stepper.plan.phase,
            at=self.at,
            data=means.data,
            state=means.stepper.state_dict(),
            best=self._best,
            scores=self.scores,
            signs=self._signs.state_dict(),
        )
        for name in names:
            save(self._folder / name, snapshot)
        self._signs.saved(self._folder / names[-1])
        self._saved = time.monotonic()
