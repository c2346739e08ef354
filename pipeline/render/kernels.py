"""Shader text into kernels: GL programs that run once for each item of a list.

Refuses to know what they do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

import moderngl
import numpy as np

from pipeline.errors import RenderError

_INCLUDE = re.compile(r'^#include "([\w.]+)"$', re.MULTILINE)
_VERSION = re.compile(r"^#version .*$", re.MULTILINE)
_GROUP = 64  # what the shaders' local_size_x says
_MOST_GROUPS = 65_535  # in one row, by what every GL offers
Value = int | float | bool | tuple[int, ...] | np.ndarray


def shader_text(name: str, defines: Mapping[str, int | str]) -> str:
    """The text of one shader, with what it includes in place and the defines on top."""
    folder = resources.files("shaders")
    text = (folder / name).read_text(encoding="utf-8")
    text = _INCLUDE.sub(lambda found: (folder / "include" / found[1]).read_text(encoding="utf-8"), text)
    lines = "".join(f"\n#define {key} {value}" for key, value in defines.items())
    return _VERSION.sub(lambda found: found[0] + lines, text, count=1)


class Kernel:
    """One compute shader, ready to run over a list."""

    def __init__(self, context: moderngl.Context, name: str, defines: Mapping[str, int | str]) -> None:
        self._name = name
        self._text = shader_text(name, defines)
        self._context = context
        try:
            self._program = context.compute_shader(self._text)
        except moderngl.Error as error:
            raise RenderError(f"{name} does not compile: {' '.join(str(error).split())}") from error

    def release(self) -> None:
        """Give the program back."""
        self._program.release()

    def set(self, **values: Value) -> None:
        """Give uniforms their values, matrices rows first; one that the compiler dropped is passed over."""
        for name, value in values.items():
            if name in self._program:
                self._write(name, value)
            elif name not in self._text:
                raise RenderError(f"{self._name} has no {name}")

    def run(self, count: int) -> None:
        """Run once for each of `count` items, after all that was run before."""
        groups = -(-max(count, 1) // _GROUP)
        across = min(groups, _MOST_GROUPS)
        self.run_groups(across, -(-groups // across))

    def run_groups(self, across: int, down: int = 1) -> None:
        """Run this many work groups, after all that was run before."""
        self._program.run(across, down)
        self._context.memory_barrier()

    def _write(self, name: str, value: Value) -> None:
        uniform = self._program[name]
        if not isinstance(uniform, moderngl.Uniform):
            raise RenderError(f"{name} is not a uniform of {self._name}")
        if isinstance(value, np.ndarray):
            is_matrix = value.ndim == 2 and uniform.dimension == value.size
            numbers = (value.T if is_matrix else value).astype(np.float32).ravel()
            # A compiler may keep only as much of an array as is used.
            uniform.write(numbers[: uniform.dimension * uniform.array_length].tobytes())
        else:
            uniform.value = value
