"""What to do on this machine where GL does not answer: commands, as text.

Refuses to open a device, and to run the commands.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.render.egl import missing_libraries

# The two loaders and Mesa's drivers, for open hardware and in software; by the name of the installer.
_INSTALLERS = {
    "apt-get": ("apt-get install -y --no-install-recommends", "libegl1 libgl1 libgl1-mesa-dri"),
    "dnf": ("dnf install -y", "mesa-libEGL mesa-libGL mesa-dri-drivers"),
    "pacman": ("pacman -S --needed", "libglvnd mesa"),
}
_NVIDIA_CONTROL = Path("/dev/nvidiactl")
_CARDS = Path("/dev/dri")
_IN_A_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))
_CAPABILITIES = "NVIDIA_DRIVER_CAPABILITIES"


def gl_fix() -> str:
    """What most likely brings a device that works: the libraries first, without which no card draws."""
    if missing_libraries():
        return mesa_fix()
    return nvidia_fix() or permission_fix() or mesa_fix()


def mesa_fix() -> str:
    """The command that installs the GL libraries and a renderer in software."""
    command, packages = next(
        (how for name, how in _INSTALLERS.items() if shutil.which(name)), _INSTALLERS["apt-get"]
    )
    return f"{_as_root()}{command} {packages}"


def nvidia_fix(environment: Mapping[str, str] = os.environ) -> str:
    """How to get GL from the NVIDIA card, whose driver lacks that part; "" where there is no card."""
    if not _NVIDIA_CONTROL.exists():
        return ""
    if any(mark.exists() for mark in _IN_A_CONTAINER) or _CAPABILITIES in environment:
        return f"docker run --gpus all -e {_CAPABILITIES}=all ...    (it takes `graphics`)"
    return f"{_as_root()}apt-get install -y libegl-nvidia0    (Ubuntu: libnvidia-gl-<driver version>)"


def permission_fix() -> str:
    """How to be let at the cards under /dev/dri; "" where there are none, or one may be opened."""
    cards = sorted(_CARDS.glob("renderD*"))
    if not cards or any(os.access(card, os.R_OK | os.W_OK) for card in cards):
        return ""
    return f"{_as_root()}usermod -aG render,video $USER    (then log in again; {cards[0]} is closed to you)"


def _as_root() -> str:
    return "" if os.geteuid() == 0 else "sudo "
