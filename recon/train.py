"""Training from top to bottom: what is learnt from, the network, the phases. Read this first.

A call goes on from where an earlier one with the same run folder ended. Refuses to compute a loss or a
metric, to choose a device in silence, and to show anything.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from manifests.lock import FolderLock
from pipeline.atomic import require_writable, write_text
from pipeline.errors import ConfigError
from pipeline.stopping import Stopping
from recon import losses
from recon.data.backgrounds import Backgrounds
from recon.data.choice import Choice, choose, why_empty
from recon.data.hold_out import count_people, held_out
from recon.data.loading import Lane, Loader, usual_workers
from recon.network import Network, Shape
from recon.recipe import PAPER, Recipe, TrainRequest
from recon.training.board import Board
from recon.training.course import BEST, LAST, Course, Means
from recon.training.curves import draw
from recon.training.looks import statistics
from recon.training.notes import Books, Notes, Silence, measures_text
from recon.training.processes import Processes, opened
from recon.training.record import Record
from recon.training.snapshot import Asked, Data, Position, Snapshot, load, require_same
from recon.training.start import start_from
from recon.training.stepping import Plan, Stepper
from recon.training.watch import Watch

STOPPING = "finishing the step in hand, then saving; once more to stop at once"
METRICS, CURVES, RECIPE, BOARD = "metrics.jsonl", "curves.png", "recipe.json", "board"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a phase stands at the end of a call: epochs that are done, and what was measured last."""

    phase: int
    epochs: int
    scores: Mapping[str, float]

    def line(self) -> str:
        """The same for people."""
        told = f"phase {self.phase}: {self.epochs} epochs"
        return f"{told}: {measures_text(self.scores)}" if self.scores else told


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to."""

    out: Path
    phases: tuple[Ended, ...]
    stopped: bool

    def lines(self) -> list[str]:
        """The same for people."""
        told = [phase.line() for phase in self.phases]
        if self.stopped:
            return [*told, f"stopped; the same command goes on from {self.out}"]
        last = self.out / folder_of(self.phases[-1].phase)
        return [*told, f"weights: {last / BEST}", f"curves: {self.out / CURVES}"]


def folder_of(phase: int) -> str:
    """The folder of a phase's checkpoints, in a run's."""
    return f"phase{phase}"


def train(request: TrainRequest, watch: Watch) -> Outcome:
    """Train the phases asked for; of several processes, each calls this."""
    with ExitStack() as stack:
        processes = stack.enter_context(opened(request, watch))
        heard = watch if processes.is_first else Silence()
        shape = _shape(request.recipe)
        stopping = stack.enter_context(Stopping(lambda: heard.say(STOPPING)))
        people = _people(request, processes, heard)
        record = stack.enter_context(_run_folder(request)) if processes.is_first else None
        training = _Training(request, shape, processes, people, heard, record, lambda: stopping.asked)
        done: list[Ended] = []
        for phase in request.phases:
            ended, stopped = training.phase(phase)
            done.append(ended)
            if stopped:
                return Outcome(request.out, tuple(done), stopped=True)
        return Outcome(request.out, tuple(done), stopped=False)


@contextmanager
def _run_folder(request: TrainRequest) -> Iterator[Record]:
    """The run's record, while nobody else trains there; however it ends, what was learnt is drawn."""
    require_writable(request.out)
    with FolderLock(request.out, "training"), Record(request.out / METRICS) as record:
        asked = json.dumps(dataclasses.asdict(request), indent=1, default=str)
        write_text(request.out / RECIPE, f"{asked}\n")
        try:
            yield record
        finally:
            draw(request.out / METRICS, request.out / CURVES)


@dataclass(frozen=True, slots=True)
class _People:
    """Who is learnt from, and who is not and can be judged by."""

    seen: Loader
    unseen: Loader | None
    data: Data


def _people(request: TrainRequest, processes: Processes, watch: Watch) -> _People:
    seen, unseen = (_chosen(request, split) for split in ("train", "val"))
    if not len(seen):
        raise ConfigError(why_empty(seen))
    if not len(unseen):
        seen, unseen = held_out(seen, request.hold_out)
        if len(unseen):
            watch.say(f"nobody is of split val: people held out to validate with: {count_people(unseen):,}")
    workers = usual_workers(processes.ranks_here) if request.workers is None else request.workers
    lane = Lane(processes.rank, processes.ranks, request.accumulate)
    backgrounds = Backgrounds(request.background_folders)
    loader = Loader(seen, request.recipe, backgrounds=backgrounds, workers=workers, lane=lane)
    for reason, count in seen.left_out.items():
        watch.warn(f"{count:,} views are left out: {reason}")
    counts = ", ".join(f"{count:,} of {name}" for name, count in seen.views.items())
    watch.say(f"learns from {counts} views: {loader.steps:,} steps of {request.recipe.batch} an epoch")
    data = Data(loader.digest, dict(seen.views))
    if not len(unseen):
        watch.warn("nobody is there to validate with, so the best weights are the latest")
        return _People(loader, None, data)
    watch.say(f"validates with {len(unseen):,} views")
    judge = Loader(unseen, request.recipe, backgrounds=None, workers=workers, lane=lane)
    return _People(loader, judge, data)


def _shape(recipe: Recipe) -> Shape:
    return Shape(recipe.size, recipe.width, published_ends=recipe.profile == PAPER)


def _chosen(request: TrainRequest, split: str) -> Choice:
    return choose(request.sources, request.data, split, request.yaws, request.recipe.size)


@dataclass(frozen=True, slots=True)
class _Training:
    """What all phases have in common; only the first process has a record."""

    request: TrainRequest
    shape: Shape
    processes: Processes
    people: _People
    watch: Watch
    record: Record | None
    stops: Callable[[], bool]

    def phase(self, phase: int) -> tuple[Ended, bool]:
        """Carry out a phase, from where it stands; whether it was asked to stop."""
        folder = self.request.out / folder_of(phase)
        self.processes.barrier()  # what the first one has written, all of them read
        snapshot = self._snapshot(folder / LAST, phase)
        stepper = self._stepper(phase, fresh=snapshot is None)
        with ExitStack() as stack:
            books = None
            if self.record is not None:
                self.record.begin(phase, Position() if snapshot is None else snapshot.at)
                steps_done = 0 if snapshot is None else _steps(snapshot.at, self.people.seen.steps)
                board = stack.enter_context(Board(self.request.out / BOARD, phase, steps_done))
                books = Books(self.record, board)
            notes = Notes(self.watch, stepper.plan.profile, books)
            people = self.people
            means = Means(
                stepper, people.seen, people.unseen, people.data, notes, self.processes, self.stops
            )
            course = Course(self.request, means, folder)
            if snapshot is not None:
                course.resume(snapshot, folder / LAST)
                self.watch.say(f"phase {phase} goes on after {course.at}")
            stopped = course.run()
        return Ended(phase, course.at.epoch, course.scores), stopped

    def _snapshot(self, last: Path, phase: int) -> Snapshot | None:
        """Where an earlier call ended with this phase, if one began it."""
        if not last.exists():
            return None
        snapshot = load(last)
        require_same(last, snapshot, Asked(self.request.recipe, phase, self.people.data))
        return snapshot

    def _stepper(self, phase: int, *, fresh: bool) -> Stepper:
        """A network of the phase and what moves it; a fresh one starts from weights that there are."""
        recipe = self.request.recipe
        torch.manual_seed(recipe.seed)
        network = Network(self.shape, refines=phase == 2)
        start = self._start(phase)
        if fresh and start is not None:
            self.watch.say(start_from(network, start))
        plan = Plan(
            recipe,
            losses.paper() if recipe.profile == PAPER else losses.default(),
            phase,
            self.people.seen.steps,
            self.request.compiled,
            self.request.recompute,
            statistics,
        )
        return Stepper(network, plan, self.processes)

    def _start(self, phase: int) -> Path | None:
        """The weights that a phase starts from: those that were asked for, or the first phase's best."""
        request = self.request
        if request.init_from is not None and phase == request.phases[0]:
            return request.init_from
        if phase == 1:
            return None
        first = request.out / folder_of(1) / BEST
        if not first.exists():
            raise ConfigError(
                f"phase 2 starts from the weights of phase 1, and {first} is not there: train phase 1 or "
                "both in this folder, or give --init-from"
            )
        return first


def _steps(at: Position, steps: int) -> int:
    return at.epoch * steps + at.step
