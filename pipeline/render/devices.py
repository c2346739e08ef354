"""Which EGL device draws. Refuses to draw, and to ask a device in this process, which its driver could end.

A device is called by its EGL index. The environment's variables do not pick one: those that hide cards from
CUDA do not hide them from EGL.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count

from pipeline.errors import RenderError
from pipeline.render.egl import missing_libraries
from pipeline.render.probe import GLDevice, device_count_apart, probe, probe_one
from pipeline.render.remedies import gl_fix, nvidia_fix, permission_fix

_TURNS = f"scan2k-worker-of-{os.getuid()}"


@dataclass(frozen=True)
class Picked:
    """The device that draws; `warning` is one line, or empty."""

    index: int
    name: str
    is_software: bool
    warning: str = ""


def pick_device(wish: int | None = None, worker: int = 0) -> Picked:
    """The device with this EGL index or, without a wish, the one that is this worker's turn.

    Workers 0, 1, 2 ... take turns at the hardware devices; where there are none, all draw in software, and
    worker 0 is warned. Devices are asked once in a process.
    """
    if wish is not None:
        device = _asked_for(wish)
        if device.problem:
            raise RenderError(f"{_reasons([device])}; try: {gl_fix()}")
        return Picked(device.index, device.renderer, device.is_software)
    devices = _everyone()
    hardware = [device for device in devices if not (device.problem or device.is_software)]
    if hardware:
        turn = hardware[worker % len(hardware)]
        return Picked(turn.index, turn.renderer, is_software=False)
    for device in devices:
        if not device.problem:
            warning = _in_software(device, devices) if worker == 0 else ""
            return Picked(device.index, device.renderer, is_software=True, warning=warning)
    raise RenderError(f"{_reasons(devices)}; try: {gl_fix()}")


@cache
def claim_turn() -> int:
    """This process's number among the workers of this user on this machine: the lowest that is free.

    It is free again when the process ends, however that comes about: what holds it is a name that only one
    socket can have at a time.
    """
    holder = socket.socket(socket.AF_UNIX)
    for number in count():
        try:
            holder.bind(f"\0{_TURNS}-{number}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            break  # no such names here, so nobody can be told from the first
        holder.detach()  # open until the process ends
        return number
    return 0


@cache
def _everyone() -> Sequence[GLDevice]:
    return tuple(probe())


@cache
def _asked_for(index: int) -> GLDevice:
    """This device alone, so that others that hang or crash are none of its business."""
    found = device_count_apart()
    if not found:
        raise RenderError(f"{_reasons(())}; try: {gl_fix()}")
    if not 0 <= index < found:
        raise RenderError(
            f"there is no EGL device {index}: they count from 0 to {found - 1}; `scan2k doctor` lists them"
        )
    return probe_one(index)


def _in_software(device: GLDevice, devices: Sequence[GLDevice]) -> str:
    text = f"no graphics card answers: drawing in software, on EGL device {device.index}, {device.renderer}"
    broken = [other for other in devices if other.problem]
    fix = nvidia_fix() or permission_fix()
    return "; ".join([text, *([_reasons(broken)] if broken else []), *([fix] if fix else [])])


def _reasons(devices: Sequence[GLDevice]) -> str:
    """Why none of these devices draws, in one line."""
    missing = missing_libraries()
    if missing:
        return f"nothing can be drawn: {' and '.join(missing)} cannot be loaded"
    told = [f"EGL device {device.index} cannot draw: {device.problem}" for device in devices]
    return "; ".join(told) or "nothing can be drawn: EGL finds no device, which means no driver"
