from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import decode, encode


@given(st.floats(0.625, 1.4375, width=32))
def test_stored_depth_is_the_rounded_formula(length: float) -> None:
    stored = int(encode(np.array([[length]], dtype=np.float32), portrait_camera(2048))[0, 0])
    assert abs(stored - ((length - 1) * 2195.975086601788 + 1024) * 32) <= 0.5 + 1e-6


@pytest.mark.parametrize("size", [16, 257, 512, 2048, 4096])
def test_decoding_is_within_half_a_step(size: int) -> None:
    camera = portrait_camera(size)
    lengths = np.linspace(0.62, 1.45, 100_000, dtype=np.float32).reshape(100, 1000)
    error = np.abs(decode(encode(lengths, camera), camera) - lengths)
    step = 1 / (32 * portrait_camera(min(size, 2048)).fx)
    assert error.max() <= step * 0.5001
    assert size < 2048 or abs(step - 1.42e-5) < 1e-7


@pytest.mark.parametrize("size", [2049, 4096, 8192])
@pytest.mark.parametrize("parallel", [False, True])
def test_larger_pictures_have_the_code_of_2048(size: int, parallel: bool) -> None:
    lengths = np.linspace(0.6, 1.45, 100_000, dtype=np.float32)[None]
    codes = encode(lengths, portrait_camera(size, parallel)).astype(int)
    apart = np.abs(codes - encode(lengths, portrait_camera(2048)))
    assert apart.max() <= 1 and (apart > 0).sum() <= 2  # where rounding is a toss-up
    assert 0 < codes.min() < 5000 and 60_000 < codes.max() < 65_535


def test_nothing_is_zero_and_something_never_is() -> None:
    camera = portrait_camera(2048)
    stored = encode(np.array([[0.0, 0.1, 1.0, 9.0]], dtype=np.float32), camera)
    assert stored.tolist() == [[0, 1, 32768, 65535]]
    assert decode(stored, camera)[0, 0] == 0
