"""EGL: the way to GL without a display, and the devices it offers.

Uses ctypes and nothing else, so that the set-up can run this file with the system's own Python before
any package is installed. Refuses to draw, and to know what is drawn.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

# What the runtime packages install; `libEGL.so` and `libGL.so` come with the development packages only.
LIBEGL = "libEGL.so.1"
LIBGL = "libGL.so.1"

_PLATFORM_DEVICE = 0x313F  # EGL_PLATFORM_DEVICE_EXT
_MOST_DEVICES = 64
_POINTERS = (ctypes.c_void_p, ctypes.c_void_p)


def context_settings(device: int) -> dict[str, object]:
    """What `moderngl.create_standalone_context` needs to open device `device` (an EGL device index)."""
    return {"backend": "egl", "libegl": LIBEGL, "libgl": LIBGL, "device_index": device}


def missing_libraries() -> list[str]:
    """Those of the two libraries that this machine does not have."""
    missing = []
    for name in (LIBEGL, LIBGL):
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def device_count() -> int:
    """How many EGL devices there are; 0 without the libraries, or where they cannot list any."""
    return len(_handles())


def can_open(device: int) -> bool:
    """Whether this device has a driver that starts; a bad driver may end the process instead."""
    handles = _handles()
    if not 0 <= device < len(handles):
        return False
    egl = ctypes.CDLL(LIBEGL)
    get_display = _extension(egl, b"eglGetPlatformDisplayEXT", ctypes.c_void_p, (ctypes.c_uint, *_POINTERS))
    display = get_display(_PLATFORM_DEVICE, handles[device], None) if get_display else None
    if not display:
        return False
    # Not terminated: a device has one display in a process, and that would end the contexts it already has.
    return bool(egl.eglInitialize(ctypes.c_void_p(display), None, None))


def _handles() -> list[int | None]:
    """The devices' handles, in the order of their indices."""
    if missing_libraries():
        return []
    egl = ctypes.CDLL(LIBEGL)
    query = _extension(egl, b"eglQueryDevicesEXT", ctypes.c_uint, (ctypes.c_int, *_POINTERS))
    found = (ctypes.c_void_p * _MOST_DEVICES)()
    count = ctypes.c_int(0)
    if query is None or not query(_MOST_DEVICES, found, ctypes.byref(count)):
        return []
    return list(found[: count.value])


def _extension(
    egl: ctypes.CDLL, name: bytes, result: type, arguments: tuple[type, ...]
) -> Callable[..., Any] | None:
    """A function EGL hands out by name only, or None where it has no such extension."""
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(name)
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None


if __name__ == "__main__":
    sys.exit(0 if any(can_open(device) for device in range(device_count())) else 1)
