"""What this machine can do, and the command that would fix what it cannot.

Looks and tells: refuses to install, to change anything, and to import torch just to learn its version.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import RenderError
from pipeline.formats.body_files import VARIABLE, find_models, is_stand_in, model_folder
from pipeline.render.probe import GLDevice, probe
from pipeline.render.remedies import gl_fix, nvidia_fix, permission_fix

FULL_SIZE = 2048  # a build's usual image side, pixels
_SHOWS_TRAINING = ("tensorboard", "matplotlib")  # what torch is not enough without


@dataclass(frozen=True)
class Problem:
    """Something missing and the command that fixes it; `is_fatal` where nothing can be rendered without."""

    what: str
    fix: str
    is_fatal: bool = False


@dataclass(frozen=True)
class Machine:
    """Everything the doctor looked at; sizes in bytes, empty texts for what is not there.

    `stand_ins` are those of the body models that are the project's own and not SMPL-X.
    """

    devices: tuple[GLDevice, ...]
    memory_free: int
    memory_total: int
    data: str
    disk_free: int
    cpus: int
    python: str
    torch: str
    cuda: str
    body_models: tuple[str, ...]
    stand_ins: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def can_render(self) -> bool:
        """Whether nothing stands in the way of drawing."""
        return not any(problem.is_fatal for problem in self.problems)


def examine(data: Path) -> Machine:
    """Look at this machine as a build with this data folder would find it."""
    devices, gl_problems = _look_at_gl()
    torch, cuda, torch_problems = _look_at_torch()
    body_models = find_models(model_folder(data))
    memory_free, memory_total = _memory()
    problems = (*gl_problems, *torch_problems, *_body_model_problems(body_models, data))
    return Machine(
        devices=devices,
        memory_free=memory_free,
        memory_total=memory_total,
        data=str(data),
        disk_free=shutil.disk_usage(_nearest_existing(data)).free,
        cpus=len(os.sched_getaffinity(0)),
        python=f"{platform.python_version()} ({sys.executable})",
        torch=torch,
        cuda=cuda,
        body_models=tuple(str(path) for path in body_models),
        stand_ins=tuple(str(path) for path in body_models if is_stand_in(path)),
        problems=problems,
    )


def lines(machine: Machine) -> list[str]:
    """The examination as one screen of text."""
    told = [line for device in machine.devices for line in _device_lines(device)]
    told += [
        *([] if told else ["EGL         no device"]),
        f"memory      {_gigabytes(machine.memory_free)} free of {_gigabytes(machine.memory_total)}",
        f"disk        {_gigabytes(machine.disk_free)} free for {machine.data}",
        f"CPUs        {machine.cpus}",
        f"Python      {machine.python}",
        f"torch       {machine.torch or 'not installed'}",
        f"CUDA        {machine.cuda}",
        *_body_model_lines(machine),
        "",
    ]
    for problem in machine.problems:
        told += [f"{'MISSING' if problem.is_fatal else 'missing'}: {problem.what}", f"    {problem.fix}"]
    told.append("This machine can render." if machine.can_render else "This machine cannot render.")
    return told


def as_json(machine: Machine) -> dict[str, object]:
    """The examination as plain values, with `can_render` said outright."""
    return {"can_render": machine.can_render, **asdict(machine)}


def _look_at_gl() -> tuple[tuple[GLDevice, ...], list[Problem]]:
    try:
        devices = tuple(probe())
    except RenderError as error:
        return (), [Problem(f"EGL does not answer: {error}", gl_fix(), is_fatal=True)]
    working = [device for device in devices if not device.problem]
    if not working:
        return devices, [Problem("an EGL device that works", gl_fix(), is_fatal=True)]
    problems = []
    largest = max(device.largest_target for device in working)
    if largest < FULL_SIZE:
        what = f"a device that draws {FULL_SIZE} x {FULL_SIZE} pixels; smaller images still work"
        problems.append(Problem(what, f"{_program()} render ... --size {largest}"))
    if all(device.is_software for device in working):
        if nvidia_fix():
            what = "GL on the NVIDIA card: only the software renderer answers"
            problems.append(Problem(what, nvidia_fix()))
        elif permission_fix():
            what = "GL on the card under /dev/dri: only the software renderer answers"
            problems.append(Problem(what, permission_fix()))
    return devices, problems


def _look_at_torch() -> tuple[str, str, list[Problem]]:
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        what = "torch and smplx: without them nothing that needs a body model or training runs"
        return "", "not asked: torch is not installed", [Problem(what, _extras("body,train"))]
    missing = [name for name in _SHOWS_TRAINING if find_spec(name) is None]
    what = f"{' and '.join(missing)}: without, nothing trains"
    return version, _cuda(version), [Problem(what, _extras("train"))] if missing else []


def _extras(names: str) -> str:
    """The command that installs what some extras of this project need."""
    return f"{sys.executable} -m pip install 'scan2k[{names}]'"


def _cuda(torch_version: str) -> str:
    """What torch will find, without loading it where the answer is plain."""
    if torch_version.endswith("+cpu"):
        return "no: this torch is built for CPUs"
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no: there is no NVIDIA driver"
    question = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run(  # noqa: S603  (this interpreter, a fixed text)
        (sys.executable, "-P", "-c", question), capture_output=True, text=True, check=False
    )
    name = done.stdout.strip()
    return f"yes: {name}" if name else "no: torch finds no card it can use"


def _body_model_problems(found: list[Path], data: Path) -> list[Problem]:
    if found:
        return []
    what = "a body model in SMPL-X's format (this makes the project's own; a licensed one goes to\n"
    what += f"    FOLDER/smplx/SMPLX_NEUTRAL.npz, with {VARIABLE}=FOLDER)"
    return [Problem(what, f"{_program()} synth body-model {data / 'body_models'}")]


def _memory() -> tuple[int, int]:
    """Free and whole memory, by /proc/meminfo or the limit of the control group, whichever is tighter."""
    table = _table(Path("/proc/meminfo"))
    free, total = table["MemAvailable:"] * 1024, table["MemTotal:"] * 1024
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        kept = _table(group / "memory.stat")["inactive_file"]  # cache that goes when memory is wanted
        used = int((group / "memory.current").read_text()) - kept
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return free, total
    return min(free, limit - used), min(total, limit)


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a whole number, as the kernel writes them."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows}


def _nearest_existing(folder: Path) -> Path:
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    return place


def _body_model_lines(machine: Machine) -> list[str]:
    told = [
        path + (" (scan2k's stand-in, not SMPL-X)" if path in machine.stand_ins else "")
        for path in machine.body_models
    ] or ["none"]
    return [f"{'' if number else 'body model':<12}{line}" for number, line in enumerate(told)]


def _device_lines(device: GLDevice) -> list[str]:
    head = f"EGL {device.index:<8}"
    if device.problem:
        return [f"{head}does not work: {device.problem}"]
    kind = "software" if device.is_software else "hardware"
    target = f"targets up to {device.largest_target} x {device.largest_target}"
    return [
        f"{head}{device.renderer}, {kind}",
        f"{'':12}{device.vendor}, GL {device.version}",
        f"{'':12}{target}, meshes up to {device.most_faces / 1e6:.0f} million faces",
    ]


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _program() -> str:
    """How this program is called from here: by its place where its name alone is not found."""
    return "scan2k" if shutil.which("scan2k") else str(Path(sys.executable).with_name("scan2k"))
