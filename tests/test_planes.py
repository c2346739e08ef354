from __future__ import annotations

import re

import numpy as np
import pytest

from pipeline.errors import RenderError
from pipeline.records import Window
from pipeline.render.planes import SIDES, WORDS, Layer, Planes

WINDOW = Window(3, 4, 20, 30)


@pytest.mark.parametrize(("kind", "side"), [("colour", "front"), ("color", "left"), ("", "back")])
def test_layers_that_are_not_there_are_refused(kind: str, side: str) -> None:
    with pytest.raises(RenderError, match=f"no layer {kind} {side}"):
        Layer(kind, side)


def test_asking_for_nothing_is_refused() -> None:
    with pytest.raises(RenderError, match="at least one layer"):
        Planes([])


def test_asking_twice_or_in_another_order_is_the_same() -> None:
    layers = [Layer("normal", "back"), Layer("color"), Layer("depth")]
    one, other = Planes(layers), Planes([*layers[::-1], Layer("color")])
    assert one.defines() == other.defines()
    assert one.count == other.count == 4


def test_no_two_layers_share_a_plane() -> None:
    planes = Planes([Layer(kind, side) for kind in WORDS for side in SIDES])
    taken = []
    for kind, words in WORDS.items():
        choice = planes.defines()[f"{kind.upper()}_PLANE(side)"]
        starts = [int(number) for number in re.findall(r"-?\d+", choice.split("?")[1])]
        assert len(starts) == 2
        taken += [start + i for start in starts for i in range(words)]
    assert sorted(taken) == list(range(planes.count))
    assert planes.count == 2 * sum(WORDS.values())


def test_words_are_read_as_what_they_hold() -> None:
    layers = [Layer(kind) for kind in WORDS]
    random = np.random.default_rng(0)
    color = random.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    depth = random.integers(0, 65_536, (5, 7), dtype=np.uint32)
    vectors = random.normal(size=(3, 5, 7)).astype(np.float32)
    codes = random.integers(0, 65_536, (3, 5, 7), dtype=np.uint32)
    words = {
        "color": color.view(np.uint32)[..., 0][None],
        "shaded": color[::-1].copy().view(np.uint32)[..., 0][None],
        "mask": np.where(depth % 2, 255, 0).astype(np.uint32)[None],
        "depth": depth[None],
        "length": vectors[:1].view(np.uint32),
        "normal": np.stack([codes[0] | codes[1] << np.uint32(16), codes[2]]),
        "direction": vectors.view(np.uint32),
    }
    planes = Planes(layers)
    frame = planes.frame(np.concatenate([words[layer.kind] for layer in sorted(layers)]), WINDOW)
    assert frame.window == WINDOW
    assert all(getattr(frame.back, kind) is None for kind in WORDS)
    expected = {
        "color": color[..., :3],
        "shaded": color[::-1, :, :3],
        "mask": np.where(depth % 2, 255, 0).astype(np.uint8),
        "depth": depth.astype(np.uint16),
        "length": vectors[0],
        "normal": np.moveaxis(codes, 0, -1).astype(np.uint16),
        "direction": np.moveaxis(vectors, 0, -1),
    }
    for kind, picture in expected.items():
        found = getattr(frame.front, kind)
        np.testing.assert_array_equal(found, picture, err_msg=kind)
        assert found.dtype == picture.dtype
