"""What each EGL device can do.

A device is asked in a process of its own, so that a driver that crashes is an answer like any other.
Refuses to advise: it says what is, and the doctor says what to do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import RenderError
from pipeline.render.egl import device_count

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")
_FACE_BYTES = 12  # three corners of 32 bits, in the buffer that holds a mesh's faces
_SECONDS = 30.0
_ROOT = Path(__file__).resolve().parents[2]
_SELF = (sys.executable, "-P", "-m", "pipeline.render.probe")


@dataclass(frozen=True)
class GLDevice:
    """One EGL device: what GL says of itself there, or the problem that keeps it from working."""

    index: int
    vendor: str = ""
    renderer: str = ""
    version: str = ""
    largest_target: int = 0  # pixels along one side
    most_faces: int = 0  # of one mesh
    is_software: bool = False
    problem: str = ""


def probe() -> list[GLDevice]:
    """Every EGL device found, in the order of its index; `RenderError` where even counting them fails."""
    count = device_count_apart()
    if count == 0:
        return []
    with ThreadPoolExecutor(max_workers=min(count, 8)) as pool:
        return list(pool.map(probe_one, range(count)))


def device_count_apart() -> int:
    """How many EGL devices there are, counted in a process of its own."""
    return int(ask((*_SELF, "count")))


def probe_one(index: int) -> GLDevice:
    """One EGL device; where it does not work the problem is in the answer."""
    try:
        return GLDevice(**json.loads(ask((*_SELF, str(index)))))
    except RenderError as error:
        return GLDevice(index=index, problem=str(error))


def ask(command: Sequence[str], seconds: float = _SECONDS) -> str:
    """What a command prints; a `RenderError` that tells its end if that is not a good one."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    try:
        done = subprocess.run(  # noqa: S603  (this very file, by this very interpreter)
            command, capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RenderError(f"the driver gave no answer in {seconds:g} s") from error
    if done.returncode < 0:
        raise RenderError(f"the driver crashed ({signal.Signals(-done.returncode).name})")
    if done.returncode > 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise RenderError(last[0])
    return done.stdout


def describe(index: int) -> GLDevice:
    """This device, asked in this process."""
    # Here, not above: counting devices must work, and be quick, without the binding.
    from pipeline.render.context import open_context  # noqa: PLC0415

    context = open_context(index)
    try:
        info = context.info
        return GLDevice(
            index=index,
            vendor=info["GL_VENDOR"],
            renderer=info["GL_RENDERER"],
            version=info["GL_VERSION"],
            largest_target=min(
                info["GL_MAX_TEXTURE_SIZE"], info["GL_MAX_RENDERBUFFER_SIZE"], *info["GL_MAX_VIEWPORT_DIMS"]
            ),
            most_faces=info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"] // _FACE_BYTES,
            is_software=any(word in info["GL_RENDERER"].lower() for word in _SOFTWARE),
        )
    finally:
        context.release()


def _main(wish: str) -> None:
    if wish == "count":
        print(device_count())
        return
    try:
        print(json.dumps(asdict(describe(int(wish)))))
    except RenderError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(sys.argv[1])
