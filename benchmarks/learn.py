"""Whether training teaches: synthetic people to learn from, others to be examined on, two baselines beside.

python benchmarks/learn.py [--folder DIR] [--size N] [--epochs ONE TWO] [--json FILE] [--pictures DIR]

People are made, drawn and learnt from in DIR, and what is there already is kept: a call that was cut goes
on where it stopped. Both phases are trained as `scan2k train` does. The exam is on people of another
dataset, drawn from another seed, whom neither training nor the choice of its best weights has seen;
benchmarks/learn_exam.py says what is measured. On a GPU: --size 2048 --width 64 --vertices 1000000
--precision bf16 --batch 2 --rates 1e-4 1e-4.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from learn_exam import Exam, Row
from learn_pictures import draw_people

from pipeline import build
from pipeline.conduct.standing import Standing
from pipeline.config import Conduct, RenderRequest
from pipeline.synth.layouts import SynthRequest, write_people
from recon.recipe import PRECISIONS, Recipe, Source, TrainRequest
from recon.train import train
from recon.training.watch import Pace

TAUGHT, UNSEEN = "taught", "unseen"
TEST = f"{UNSEEN}/test"  # in a folder of that name all are for testing, whatever their ids
SEEDS = {TAUGHT: 0, TEST: 1}
YAWS = (-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)
EVERY = 60.0  # seconds between two lines about how far it is


class Teller:
    """Who is told how far builds and trainings are: lines on standard error."""

    def __init__(self) -> None:
        self._told = 0.0

    def say(self, text: str) -> None:
        """A line that must be seen."""
        print(text, file=sys.stderr, flush=True)

    warn = say

    def scan(self, text: str) -> None:
        """What a build did with one scan; its log has it."""

    def follow(self, standing: Standing) -> None:
        """How far a build is; it is short."""

    def pace(self, pace: Pace) -> None:
        """How far a training is, now and then."""
        if time.monotonic() - self._told < EVERY:
            return
        self._told = time.monotonic()
        left = "" if pace.seconds_left is None else f", {pace.seconds_left / 60:.0f} min left"
        self.say(
            f"phase {pace.phase}, epoch {pace.epoch} of {pace.epochs}, step {pace.step} of {pace.steps}: "
            f"loss {pace.loss:.3f}, {pace.samples_a_second:.1f} samples a second, "
            f"{pace.memory_bytes / 1e6:.0f} MB{left}"
        )


def people(wish: argparse.Namespace, teller: Teller) -> Path:
    """The data folder, with everybody in it, drawn."""
    data: Path = wish.folder / "data"
    for dataset, count in ((TAUGHT, wish.people), (TEST, wish.examined)):
        write_people(
            SynthRequest(data, count, SEEDS[dataset], "2k2k", wish.vertices, dataset=dataset), teller.say
        )
    for dataset in (TAUGHT, UNSEEN):
        request = RenderRequest(
            dataset, data, yaws=YAWS, size=wish.size, passes=("shaded", "depth"), layout="2k2k"
        )
        done = build.render(request, teller, Conduct(workers=wish.drawers))
        if done.stopped or done.rejects:
            raise SystemExit(
                f"{dataset}: stopped, or {len(done.rejects)} people could not be drawn; see its log"
            )
    return data


def teach(wish: argparse.Namespace, data: Path, teller: Teller) -> Mapping[str, float]:
    """Train what is left of both phases; minutes that this call took, by phase."""
    minutes = {}
    for phase, (epochs, falls, rate) in enumerate(zip(wish.epochs, wish.falls, wish.rates, strict=True), 1):
        recipe = replace(recipe_of(wish), restart_epochs=epochs / falls, rate=rate)
        request = TrainRequest(
            (Source(TAUGHT),),
            wish.folder / "run",
            recipe,
            epochs,
            data,
            phase=str(phase),
            device=wish.device,
            workers=wish.workers,
            save_minutes=2.0,
        )
        begun = time.perf_counter()
        done = train(request, teller)
        minutes[f"phase {phase}"] = (time.perf_counter() - begun) / 60
        teller.say("\n".join(done.lines()))
        if done.stopped:
            raise SystemExit(130)
    return minutes


def recipe_of(wish: argparse.Namespace) -> Recipe:
    """What is trained, but for the rate."""
    return Recipe(size=wish.size, width=wish.width, batch=wish.batch, precision=wish.precision)


def main() -> None:
    """Make, teach, examine, print."""
    wish = asked()
    if wish.threads:
        torch.set_num_threads(wish.threads)
    teller = Teller()
    data = people(wish, teller)
    minutes = teach(wish, data, teller)
    exam = Exam(data, UNSEEN, TAUGHT, recipe_of(wish), wish.device)
    weights = wish.folder / "run" / "phase2" / "best.pt"
    rows = exam.rows(weights)
    print(table(rows))
    if wish.json:
        said = {
            name: value for name, value in vars(wish).items() if isinstance(value, int | float | str | list)
        }
        found = {"asked": said, "minutes": minutes, "rows": [asdict(row) for row in rows]}
        wish.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if wish.pictures:
        wish.pictures.mkdir(parents=True, exist_ok=True)
        draw_people(exam.shown(), exam.network(weights), wish.pictures / "learnt.jpg")


def table(rows: list[Row]) -> str:
    """The rows as the page has them."""
    return "\n".join([Row.head(), *(row.line() for row in rows)])


def asked() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/learn"))
    parser.add_argument("--people", type=int, default=96, help="of whom nine in ten are learnt from")
    parser.add_argument("--examined", type=int, default=12)
    parser.add_argument("--vertices", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument(
        "--rates", type=float, nargs=2, default=[4e-3, 1e-2], help="of each phase, at first"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--epochs", type=int, nargs=2, default=[18, 3], help="of each phase")
    parser.add_argument(
        "--falls", type=int, nargs=2, default=[2, 1], help="of the rate to 0, in each phase"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="of the processor")
    parser.add_argument("--workers", type=int, help="that load images")
    parser.add_argument("--drawers", type=int, default=0, help="processes that draw; 0: this one")
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--pictures", type=Path, help="folder for a picture of people; curves are in DIR/run"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
