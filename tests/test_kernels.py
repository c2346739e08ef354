from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest

from pipeline.errors import RenderError
from pipeline.render import kernels as module
from pipeline.render.context import create_context
from pipeline.render.kernels import Kernel, shader_text

HEADER = "#version 430 core\nlayout(local_size_x = 64) in;\n"
NOTE = """
layout(std430, binding = 0) writeonly buffer Notes { float notes[]; };
uniform mat3 turn;
uniform vec3 row;
uniform vec3 rows[4];
uniform uint count;
uniform bool wanted;
void main() {
    uint i = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    i = i * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    vec3 value = turn * row + rows[1];
    if (i < count) notes[i] = wanted ? value.y : float(i % 251u);
}
"""


@pytest.fixture(scope="module")
def context() -> Iterator[moderngl.Context]:
    made = create_context()
    yield made
    made.release()


def kernel_of(text: str, context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(module, "shader_text", lambda name, defines: text)
    return Kernel(context, "note.comp", {})


def test_includes_are_put_in_place_and_defines_on_top() -> None:
    text = shader_text("resolve.comp", {"MOST": 3, "WORD": "int[2](0, 1)"})
    assert "#include" not in text
    assert "vec3 received(" in text
    assert text.startswith("#version 430 core\n#define MOST 3\n#define WORD int[2](0, 1)\n")


def test_a_shader_that_does_not_compile_is_named(
    context: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RenderError, match=r"note\.comp does not compile: .*syntax error") as caught:
        kernel_of(HEADER + "nonsense\nnonsense", context, monkeypatch)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 64 * 65_535 + 1])
def test_every_item_is_visited_and_none_beyond(
    context: moderngl.Context, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    kernel = kernel_of(HEADER + NOTE, context, monkeypatch)
    notes = context.buffer(np.full(count + 100, -1, dtype=np.float32))
    notes.bind_to_storage_buffer(0)
    kernel.set(count=count, wanted=False)
    kernel.run(count)
    got = np.frombuffer(notes.read(), dtype=np.float32)
    np.testing.assert_array_equal(got[:count], (np.arange(count) % 251).astype(np.float32))
    np.testing.assert_array_equal(got[count:], -1)
    notes.release()
    kernel.release()


def test_matrices_and_lists_arrive_as_numpy_has_them(
    context: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = kernel_of(HEADER + NOTE, context, monkeypatch)
    notes = context.buffer(np.zeros(1, dtype=np.float32))
    notes.bind_to_storage_buffer(0)
    turn, row, rows = (
        np.arange(9.0).reshape(3, 3),
        np.array([1.0, 10.0, 100.0]),
        np.arange(12.0).reshape(4, 3),
    )
    kernel.set(turn=turn, row=row, rows=rows, count=1, wanted=True)
    kernel.run(1)
    assert np.frombuffer(notes.read(), dtype=np.float32)[0] == (turn @ row + rows[1])[1]
    notes.release()
    kernel.release()


def test_only_uniforms_that_the_shader_knows_can_be_set(
    context: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = kernel_of(HEADER + NOTE.replace("wanted ? value.y :", ""), context, monkeypatch)
    kernel.set(wanted=True)  # the compiler dropped it, which is no reason to stop
    with pytest.raises(RenderError, match=r"Notes is not a uniform of note\.comp"):
        kernel.set(Notes=1)
    with pytest.raises(RenderError, match="unheard"):
        kernel.set(unheard=1)
    kernel.release()
