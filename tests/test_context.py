from __future__ import annotations

import moderngl
import pytest

from pipeline.errors import RenderError
from pipeline.render import context as module
from pipeline.render.context import create_context


def test_a_context_is_new_enough() -> None:
    context = create_context()
    assert context.version_code >= 430
    context.release()


def test_a_device_that_is_not_there_is_refused_with_the_way_out() -> None:
    with pytest.raises(RenderError, match=r"no EGL device 63.*scan2k doctor"):
        create_context(63)


def test_a_machine_without_devices_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "device_count", lambda: 0)
    with pytest.raises(RenderError, match=r"no OpenGL 4\.3 .*no EGL device is found; `scan2k doctor`"):
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
