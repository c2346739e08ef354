"""What is kept of a phase and told of it: in the run's record, for TensorBoard, and to who watches.

Refuses to decide anything. Of several processes only the first keeps and tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from recon.data.augment import Prepared
from recon.losses import Profile
from recon.metrics.views import DEPTH_ERROR, MASK_IOU, NORMAL_ANGLE
from recon.network import Prediction
from recon.training.board import Board
from recon.training.pace import by_group
from recon.training.pictures import sheet
from recon.training.record import Moment, Record
from recon.training.stepping import Stepped
from recon.training.validation import Scores
from recon.training.watch import Pace, Watch

_CALLED = {
    NORMAL_ANGLE: "normals {:.1f} deg",
    DEPTH_ERROR: "depth {:.1f} thousandths",
    MASK_IOU: "mask {:.3f}",
}


class Silence:
    """Who watches where nobody does."""

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""

    def pace(self, pace: Pace) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Books:
    """Where a phase is written down: the run's record, and its own run in TensorBoard."""

    record: Record
    board: Board


class Notes:
    """One phase's; without books it keeps nothing."""

    def __init__(self, watch: Watch, profile: Profile, books: Books | None) -> None:
        self.watch = watch
        self._profile, self._books = profile, books
        self._told_absent = False

    def stepped(self, number: int, stepped: Stepped, pace: Pace) -> None:
        """A step was made, the `number`th of the phase."""
        if self._books:
            self._books.record.step(_moment(pace), stepped)
            self._books.board.step(number, stepped)
        self.watch.pace(pace)

    def validated(self, number: int, scores: Scores, pace: Pace) -> None:
        """People who are not learnt from were looked at, after an epoch."""
        if self._books:
            self._books.record.validated(_moment(pace), scores)
            self._books.board.validated(number, scores)
        measures = measures_text(scores.metrics)
        self.watch.say(f"{_place(pace)}: {_loss(scores.loss, scores.terms)}; {measures}")

    def absent(self, people: Mapping[str, int], pace: Pace) -> None:
        """Parts could not be placed in an epoch, by name, each of so many people; told once."""
        if people and not self._told_absent:
            self._told_absent = True
            parts = ", ".join(f"{part} {count:,}" for part, count in people.items())
            self.watch.say(f"{_place(pace)}: parts whose keypoints are not known are not learnt: {parts}")

    def passed(self, pace: Pace) -> None:
        """An epoch is over, and there is nobody to validate with."""
        self.watch.say(f"{_place(pace)}: {_loss(pace.loss, pace.terms)}, of those learnt from")

    def pictured(self, number: int, prediction: Prediction, shown: Prepared) -> None:
        """One person as the network sees him now."""
        if self._books:
            self._books.board.picture(number, sheet(prediction, shown, self._profile))

    def warned(self, kind: str, texts: Sequence[str], pace: Pace) -> None:
        """Something is odd."""
        for text in texts:
            if self._books:
                self._books.record.note(_moment(pace), kind, text)
            self.watch.warn(text)

    def flush(self) -> None:
        """What was noted reaches its files: a checkpoint is about to say that it was."""
        if self._books:
            self._books.board.flush()


def _moment(pace: Pace) -> Moment:
    return Moment(pace.phase, pace.epoch, pace.step, pace.steps)


def _place(pace: Pace) -> str:
    return f"phase {pace.phase}, epoch {pace.epoch} of {pace.epochs}"


def _loss(loss: float, terms: Mapping[str, float]) -> str:
    parts = ", ".join(f"{name} {value:.3g}" for name, value in by_group(terms).items())
    return f"loss {loss:.4g} ({parts})"


def measures_text(metrics: Mapping[str, float]) -> str:
    """Metrics in a few words: means of front and back, by where they are measured."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, value in metrics.items():
        metric, where = name.split("/")[:2]
        found.setdefault(metric, {}).setdefault(where, []).append(value)
    return ", ".join(
        f"{_CALLED[metric].format(fmean(values))} ({where})"
        for metric, places in found.items()
        for where, values in places.items()
    )
