"""Shader text into GL programs. Refuses to know what they draw."""

from __future__ import annotations

import re
from importlib import resources

import moderngl
import numpy as np

from pipeline.errors import RenderError
from pipeline.records import F64

_INCLUDE = re.compile(r'^#include "([\w.]+)"$', re.MULTILINE)


def shader_text(name: str) -> str:
    """The text of one shader, with what it includes in place."""
    folder = resources.files("shaders")
    text = (folder / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: (folder / "include" / found[1]).read_text(encoding="utf-8"), text)


def compile_program(context: moderngl.Context, vertex: str, fragment: str) -> moderngl.Program:
    """The program made of two shaders, by their file names."""
    try:
        return context.program(vertex_shader=shader_text(vertex), fragment_shader=shader_text(fragment))
    except moderngl.Error as error:
        reason = " ".join(str(error).split())
        raise RenderError(f"{vertex} with {fragment} does not compile: {reason}") from error


def set_uniform(program: moderngl.Program, name: str, value: F64) -> None:
    """Give a vector, a matrix (rows first) or an array of vectors to a program."""
    uniform = program[name]
    if not isinstance(uniform, moderngl.Uniform):
        raise RenderError(f"{name} is not a uniform of this program")
    is_matrix = uniform.array_length == 1 and value.ndim == 2
    uniform.write((value.T if is_matrix else value).astype(np.float32).tobytes())
