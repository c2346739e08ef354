"""How fast training steps are, and what memory they take, in both phases, at several sizes of image.

python benchmarks/train.py [--sizes 512 1024 2048] [--precisions fp32 bf16] [--device auto] [--json FILE]

Each case is a process of its own, so its peak of memory is its own: on a processor what it holds in all,
on a GPU what torch allocated there. Steps are those of `scan2k train`, from samples in memory to moved
weights: how fast samples are loaded is what benchmarks/loading.py measures. Beside them, in the same
process: the prediction alone, and the limit, which is how many samples a second there would be if all that
a step multiplies went as fast as one plain convolution does on the same machine, forward and back. A case
that would need more memory or time than there is, judged by the size before it, is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from recon import losses
from recon.data.batch import Batch
from recon.network import Network, Shape
from recon.recipe import BF16, FP32, PRECISIONS, Recipe
from recon.training.processes import CPU, CUDA, Processes
from recon.training.stepping import Plan, Stepper

SIZES, PHASES = (512, 1024, 2048), (1, 2)
LEAST_SECONDS = 3.0  # that something is measured for
PLAIN = 64, 512  # channels and side of the plain convolution
GROWTH = 4  # of work and memory, from one size to the next
SPARE = 0.85  # of the memory that is free may be planned with
# Keypoints of a person who stands with arms a little out: x right, y down, as parts of the picture's side.
STANDING = (
    *((0.50, 0.20), (0.515, 0.19), (0.485, 0.19), (0.53, 0.20), (0.47, 0.20)),
    *((0.57, 0.28), (0.43, 0.28), (0.62, 0.39), (0.38, 0.39), (0.66, 0.49), (0.34, 0.49)),
    *((0.54, 0.51), (0.46, 0.51), (0.545, 0.67), (0.455, 0.67), (0.55, 0.83), (0.45, 0.83)),
    *((0.56, 0.87), (0.58, 0.86), (0.545, 0.85), (0.44, 0.87), (0.42, 0.86), (0.455, 0.85)),
    *((0.675, 0.53), (0.68, 0.53), (0.685, 0.53), (0.69, 0.53)),
    *((0.325, 0.53), (0.32, 0.53), (0.315, 0.53), (0.31, 0.53)),
)


@dataclass(frozen=True)
class Case:
    """What one process measures."""

    size: int
    phase: int
    precision: str
    width: int
    batch: int
    device: str
    recompute: bool


@dataclass(frozen=True)
class Found:
    """What came of a case: samples a second of steps, of prediction alone and at the limit; memory."""

    step: float
    predict: float
    limit: float
    step_gb: float
    predict_gb: float


def measured(case: Case) -> Found:
    """Carry out a case in this process."""
    device = torch.device(case.device)
    torch.backends.cudnn.benchmark = True  # as `train` has it
    recipe = Recipe(size=case.size, width=case.width, batch=case.batch, precision=case.precision)
    torch.manual_seed(0)
    network = Network(Shape(case.size, case.width), refines=case.phase == 2)
    plan = Plan(recipe, losses.default(), case.phase, 1000, recompute=case.recompute)
    stepper = Stepper(network, plan, Processes(device))
    batch = people(case)
    stepper.predict(batch)
    predict_seconds = seconds(lambda: stepper.predict(batch), device)
    predict_gb = peak_gb(device)
    counter = FlopCounterMode(display=False)
    with counter:
        stepper.step([batch])
    step_seconds = seconds(lambda: stepper.step([batch]), device)
    step_gb = peak_gb(device)
    limit_seconds = counter.get_total_flops() / plain_rate(case)
    step, predict, limit = (case.batch / each for each in (step_seconds, predict_seconds, limit_seconds))
    return Found(step, predict, limit, step_gb, predict_gb)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """What a call takes, on average over some; the first has been made."""
    wait(device)
    begun, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - begun < LEAST_SECONDS:
        run()
        calls += 1
        wait(device)
    return (time.perf_counter() - begun) / calls


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == CUDA:
        torch.cuda.synchronize(device)


def peak_gb(device: torch.device) -> float:
    """The most memory so far."""
    if device.type == CUDA:
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def plain_rate(case: Case) -> float:
    """Multiplications and additions a second of a plain convolution, forward and back."""
    channels, side = PLAIN
    device = torch.device(case.device)
    kind = {FP32: torch.float32, BF16: torch.bfloat16}.get(case.precision, torch.float16)
    image = torch.randn(1, channels, side, side, device=device, dtype=kind, requires_grad=True)
    weight = torch.randn(channels, channels, 3, 3, device=device, dtype=kind, requires_grad=True)
    seen = image.contiguous(memory_format=torch.channels_last)
    kernel = weight.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        functional.conv2d(seen, kernel, padding=1).sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]

    with FlopCounterMode(display=False) as counter:
        run()
    rate: float = counter.get_total_flops() / seconds(run, device)
    return rate


def people(case: Case) -> Batch:
    """A batch of people, all alike, standing before noise."""
    size = case.size
    generator = torch.Generator().manual_seed(0)
    keypoints_K2 = torch.tensor(STANDING) * size
    return Batch(
        color_Bhw3=torch.randint(
            0, 256, (case.batch, size, size, 3), generator=generator, dtype=torch.uint8
        ),
        stored_B2hw=egg(size).repeat(case.batch, 1, 1, 1),
        coding_B2=torch.tensor([[1.0, 0.0]]).repeat(case.batch, 1),
        keypoints_BK2=keypoints_K2.repeat(case.batch, 1, 1),
        valid_BK=torch.ones(case.batch, len(STANDING), dtype=torch.bool),
        jitter_B3=torch.full((case.batch, 3), 0.9),
        background_Bhw3=torch.randint(
            0, 256, (case.batch, size // 2, size // 2, 3), generator=generator, dtype=torch.uint8
        ),
        has_background_B=torch.ones(case.batch, dtype=torch.bool),
        corners=((0, 0),) * case.batch,
        size=size,
        names=tuple(map(str, range(case.batch))),
    )


def egg(size: int) -> Tensor:
    """Network depth of the front and the back of an egg (2, H, W); 0 around it."""
    at = (torch.arange(size) + 0.5) / size * 2 - 1
    square_HW = 1 - (at / 0.25).square() - (at[:, None] / 0.75).square()
    half_HW = 0.4 * square_HW.clamp(min=0).sqrt()
    return torch.where(square_HW > 0, torch.stack((2 - half_HW, 2 + half_HW)), 0.0)


def table(cases: list[Case], device: str, patience: float) -> list[dict[str, object]]:
    """Print a line for each case as it is known; all of them with their numbers."""
    print(
        "| phase | precision | size | samples a second | limit | prediction alone | GB | GB, prediction |\n"
        "|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    rows: list[dict[str, object]] = []
    before: dict[tuple[int, str], tuple[Found, float]] = {}
    for case in cases:
        name = f"| {case.phase} | {case.precision} | {case.size} |"
        kind = case.phase, case.precision
        reason = fault(before.get(kind), device, patience) if case.size != cases[0].size else ""
        found = None
        if not reason:
            begun = time.perf_counter()
            found, reason = run(case)
        if found is None:
            before.pop(kind, None)
            print(f"{name} {reason} | | | | |", flush=True)
            rows.append({"case": asdict(case), "left out": reason})
            continue
        before[kind] = found, time.perf_counter() - begun
        print(
            f"{name} {found.step:.3g} | {found.limit:.3g} | {found.predict:.3g} | {found.step_gb:.2f} | "
            f"{found.predict_gb:.2f} |",
            flush=True,
        )
        rows.append({"case": asdict(case), "found": asdict(found)})
    return rows


def fault(smaller: tuple[Found, float] | None, device: str, patience: float) -> str:
    """Why the next larger size cannot be measured, judged by the smaller one, if it cannot."""
    if smaller is None:
        return "left out, as the size before it"
    found, took = smaller
    needed, free = found.step_gb * GROWTH, free_gb(device)
    if needed > free * SPARE:
        return f"left out: would take {needed:.0f} GB, and {free:.0f} GB are free"
    if took * GROWTH > patience:
        return f"left out: would take {took * GROWTH:.0f} s, over {patience:.0f}"
    return ""


def free_gb(device: str) -> float:
    """Memory that can be had."""
    if device == CUDA:
        return torch.cuda.mem_get_info()[0] / 1e9
    told = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(told["MemAvailable"].split()[0]) * 1024 / 1e9


def run(case: Case) -> tuple[Found | None, str]:
    """A case in a process of its own; what it found, or how it ended."""
    command = [sys.executable, __file__, "--case", json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  itself
    if done.returncode:
        return None, f"failed: {(done.stderr.strip().splitlines() or [str(done.returncode)])[-1]}"
    return Found(**json.loads(done.stdout.splitlines()[-1])), ""


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    wish = asked()
    if wish.case:
        print(json.dumps(asdict(measured(Case(**json.loads(wish.case))))))
        return
    has_gpu = wish.device != CPU and torch.cuda.is_available()
    device = CUDA if has_gpu else CPU
    machine = torch.cuda.get_device_name() if has_gpu else f"{os.cpu_count()} cores"
    print(f"{machine}, torch {torch.__version__}\n")
    cases = [
        Case(
            size, phase, precision, wish.width, wish.batch or (2 if has_gpu else 1), device, wish.recompute
        )
        for phase in PHASES
        for precision in wish.precisions
        for size in sorted(wish.sizes)
    ]
    rows = table(cases, device, wish.patience)
    if wish.json:
        wish.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def asked() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=[FP32, BF16])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, help="1 on a processor, 2 on a GPU if not given")
    parser.add_argument("--device", default="auto", choices=("auto", CPU, CUDA))
    parser.add_argument("--recompute", action="store_true", help="activations are made again: less memory")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds that a case may take")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
