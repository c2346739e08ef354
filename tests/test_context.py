from __future__ import annotations

import moderngl
import numpy as np
import pytest

from pipeline.errors import RenderError
from pipeline.render import context as module
from pipeline.render import programs
from pipeline.render.context import create_context
from pipeline.render.programs import compile_program, set_uniform, shader_text


def test_a_context_is_new_enough() -> None:
    context = create_context()
    assert context.version_code >= 330
    context.release()


def test_a_device_that_is_not_there_is_refused_with_the_way_out() -> None:
    with pytest.raises(RenderError, match=r"no EGL device 63.*scan2k doctor"):
        create_context(63)


def test_a_machine_without_devices_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "device_count", lambda: 0)
    with pytest.raises(RenderError, match=r"no OpenGL 3\.3 .*no EGL device is found; `scan2k doctor`"):
        create_context()


def test_the_first_device_that_works_is_taken_and_the_others_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = 2

    def create(*, device_index: int, **settings: object) -> str:
        if device_index < works:
            raise ValueError(f"too old {device_index}")
        return f"context {device_index}"

    monkeypatch.setattr(module, "device_count", lambda: 4)
    monkeypatch.setattr(module, "can_open", lambda index: index != 0)
    monkeypatch.setattr(moderngl, "create_context", create)
    assert create_context() == "context 2"  # type: ignore[comparison-overlap]
    works = 9
    with pytest.raises(RenderError, match=r"device 0: its driver does not start; device 1: too old 1"):
        create_context()


def test_includes_are_put_in_place() -> None:
    text = shader_text("front.frag")
    assert "#include" not in text
    assert "vec3 irradiance(" in text
    assert text.startswith("#version 330 core\n")


def test_a_shader_that_does_not_compile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    context = create_context()
    monkeypatch.setattr(programs, "shader_text", lambda name: "#version 330 core\nnonsense")
    with pytest.raises(RenderError, match=r"scan\.vert with back\.frag does not compile") as caught:
        compile_program(context, "scan.vert", "back.frag")
    assert "\n" not in str(caught.value)
    context.release()


def test_only_uniforms_can_be_set() -> None:
    context = create_context()
    program = compile_program(context, "scan.vert", "back.frag")
    with pytest.raises(RenderError, match="vertex is not a uniform"):
        set_uniform(program, "vertex", np.zeros(3))
    context.release()
