"""How many samples a second two workers load, beside what decoding their three files takes at least.

scan2k render demo --people 2 --data DATA
python benchmarks/loading.py DATA [--dataset demo] [--size 2048] [--seconds 10] [--repeat 3] [--json FILE]

A sample is shaded colour and depth of front and back. `loaded` is all that a training waits for: decoding,
cutting, a background, and the way to the process that trains, where nothing is done with it. As many
processes decode plainly and keep nothing: by this project's readers, Pillow and imagecodecs, where they
can. Every row is the median of `--repeat` runs, which take turns; the last column is how many times as long
a sample takes as plain decoding by this project's readers. What becomes of a batch on the device is below
the table: milliseconds a sample on one core.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import chain, count
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image

from pipeline.formats.image import read_color, read_grey16
from recon.data.augment import prepared
from recon.data.backgrounds import Backgrounds
from recon.data.choice import Choice, View, choose
from recon.data.loading import Loader
from recon.recipe import Recipe, Source

Decoder = Callable[[View], object]
Run = Callable[[float], float]  # seconds to samples a second
OURS = "plain decoding, this project"


def ours(view: View) -> object:
    """The three files by this project's readers."""
    return read_color(view.color), [read_grey16(path) for path in view.depths]


def pillow(view: View) -> object:
    """The same by Pillow."""
    return [np.asarray(Image.open(path)) for path in (view.color, *view.depths)]


def codecs(package: ModuleType, view: View) -> object:
    """The same by imagecodecs."""
    return [package.png_decode(path.read_bytes()) for path in (view.color, *view.depths)]


def decoded(decode: Decoder, choice: Choice, workers: int, seconds: float) -> float:
    """Samples a second of processes that only decode, each for itself."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.SimpleQueue[float] = context.SimpleQueue()
    views = [choice.view(index) for index in range(len(choice))]

    def work() -> None:
        for view in views:  # what is done for the first time is not measured
            decode(view)
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            decode(views[done % len(views)])
            done += 1
        results.put(done / (time.perf_counter() - start))

    processes = [context.Process(target=work) for _ in range(workers)]
    for process in processes:
        process.start()
    rates = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(rates)


def loaded(
    backgrounds: Backgrounds | None, choice: Choice, recipe: Recipe, workers: int, seconds: float
) -> float:
    """Samples a second that come from a loader, after those that its workers have ready at first."""
    loader = Loader(choice, recipe, backgrounds=backgrounds, workers=workers)
    batches = chain.from_iterable(chain.from_iterable(map(loader.epoch, count())))
    for _ in range(4 * workers):
        next(batches)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        done += len(next(batches))
    rate = done / (time.perf_counter() - start)
    del batches  # it holds the workers
    loader.close()
    return rate


def runs(choice: Choice, recipe: Recipe, workers: int) -> dict[str, Run]:
    """Everything that is measured, by name."""
    found: dict[str, Run] = {
        OURS: partial(decoded, ours, choice, workers),
        "plain decoding, Pillow": partial(decoded, pillow, choice, workers),
    }
    try:
        package = import_module("imagecodecs")
        found["plain decoding, imagecodecs"] = partial(decoded, partial(codecs, package), choice, workers)
    except ImportError:
        print("imagecodecs is not installed: left out")
    found["loaded, before black"] = partial(loaded, None, choice, recipe, workers)
    found["loaded, backgrounds drawn"] = partial(loaded, Backgrounds(), choice, recipe, workers)
    return found


def on_device(choice: Choice, recipe: Recipe) -> float:
    """Milliseconds that a sample takes to become an image, on one core."""
    torch.set_num_threads(1)
    loader = Loader(choice, recipe, backgrounds=Backgrounds(), workers=0)
    batch = next(loader.epoch(0))[0]
    prepared(batch, recipe)
    start = time.perf_counter()
    prepared(batch, recipe)
    return (time.perf_counter() - start) / len(batch) * 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in turns, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args(arguments)
    choice = choose((Source(wish.dataset),), wish.data, "train", (), wish.size)
    if not len(choice):
        sys.exit(f"{wish.dataset} has nobody to train on; scan2k render {wish.dataset} --people 4")
    recipe = Recipe(size=wish.size)
    rates: dict[str, list[float]] = {}
    for _ in range(wish.repeat):
        for name, run in runs(choice, recipe, wish.workers).items():
            rates.setdefault(name, []).append(run(wish.seconds))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print(f"{len(choice)} views at {wish.size} pixels, {wish.workers} workers")
    print(f"{'':32}{'samples/s':>10} {'least':>7} {'most':>7} {'times':>7}")
    for name, found in rates.items():
        times = middle[OURS] / middle[name]
        print(f"{name:32}{middle[name]:10.1f} {min(found):7.1f} {max(found):7.1f} {times:7.2f}")
    device_ms = on_device(choice, recipe)
    print(f"prepared on one core: {device_ms:.0f} ms a sample")
    if wish.json:
        report = {"size": wish.size, "workers": wish.workers, "rates": rates, "prepared_ms": device_ms}
        wish.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
