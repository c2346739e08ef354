"""A GL context without a window or a display. Importing this touches no GL and loads no GL library."""

from __future__ import annotations

from typing import Any

import moderngl

from pipeline.errors import RenderError
from pipeline.render.egl import can_open, context_settings, device_count

GL_VERSION = 430  # compute shaders
_OLDEST = 330  # what is tried only to learn how old a GL is
_ADVICE = "`scan2k doctor` says what is missing and how to get it"


def create_context(device: int | None = None) -> moderngl.Context:
    """An OpenGL 4.3 context on the EGL device with this index, or on the first one that works."""
    count = device_count()
    if device is not None and not 0 <= device < count:
        raise RenderError(f"there is no EGL device {device}; {count} are found; {_ADVICE}")
    complaints = []
    for index in range(count) if device is None else (device,):
        try:
            return open_context(index)
        except RenderError as error:
            complaints.append(f"device {index}: {error}")
    reasons = "; ".join(complaints) or "no EGL device is found"
    raise RenderError(f"no OpenGL {GL_VERSION / 100:.1f} context without a display: {reasons}; {_ADVICE}")


def open_context(index: int) -> moderngl.Context:
    """An OpenGL 4.3 context on one EGL device that there is; the error says no more than the reason."""
    if not can_open(index):
        raise RenderError("its driver does not start")
    settings: dict[str, Any] = context_settings(index)
    try:
        return moderngl.create_context(require=GL_VERSION, standalone=True, **settings)
    except Exception as error:  # the binding raises bare exceptions of several classes
        raise RenderError(_reason(settings, error)) from error


def _reason(settings: dict[str, Any], error: Exception) -> str:
    """Why a device has no context: its version where it is too old, otherwise what the binding said."""
    try:
        context = moderngl.create_context(require=_OLDEST, standalone=True, **settings)
    except Exception:
        return str(error)
    version = context.version_code
    context.release()
    if version >= GL_VERSION:
        return str(error)
    needed = f"{GL_VERSION / 100:.1f}"
    return f"its OpenGL is {version / 100:.1f} and compute shaders need {needed}: take a newer driver"
