"""Closed surfaces that touch themselves come out as surfaces that do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_stitch import assert_closed, volume

from pipeline.errors import MeshError
from pipeline.geometry.clean import pieces
from pipeline.geometry.untangle import untangled
from pipeline.records import F32, I32, Bool

_AROUND = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def cubes(solid: Bool) -> tuple[F32, I32]:
    """The surface of cubes, which touch in corners and along edges."""
    padded = np.pad(solid, 1)
    number = np.arange((padded.shape[0] + 1) ** 3, dtype=np.int32).reshape((padded.shape[0] + 1,) * 3)
    quads = []
    for axis in range(3):
        ahead, aside, up = _AROUND[axis], _AROUND[(axis + 1) % 3], _AROUND[(axis + 2) % 3]
        for sign, neighbour in ((1, -1), (-1, 1)):
            cells = np.argwhere(padded & ~np.roll(padded, neighbour, axis=axis))
            at = cells + np.array(ahead) * (sign > 0)
            ring = [at, at + aside, at + np.add(aside, up), at + up][::sign]
            quads.append(np.stack([number[tuple(corner.T)] for corner in ring], axis=1))
    quad = np.concatenate(quads)
    places = np.argwhere(number >= 0).astype(np.float32)
    return places, np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 0.9))
def test_any_heap_of_cubes_becomes_one_closed_surface(seed: int, full: float) -> None:
    solid = np.random.default_rng(seed).random((4, 4, 4)) < full
    solid[0, 0, 0] = True
    vertices, faces = cubes(solid)
    made = untangled(vertices, faces)
    assert_closed(made.faces, len(made.vertices))
    assert (pieces(made.faces) == 0).all()
    assert len(np.unique(made.vertices, axis=0)) == len(made.vertices)
    assert np.abs(made.vertices - vertices[made.origin]).max() < 0.1


def test_a_surface_that_is_fine_stays_as_it_is() -> None:
    vertices, faces = cubes(np.ones((2, 2, 2), dtype=np.bool_))
    made = untangled(vertices, faces)
    assert (vertices[made.origin] == made.vertices).all()
    assert (made.origin[made.faces] == faces).all()
    assert volume(made.vertices, made.faces) == pytest.approx(8)


@pytest.mark.parametrize("second", [(1, 1, 0), (1, 1, 1)])
def test_two_cubes_that_touch_come_apart_and_the_larger_one_stays(second: tuple[int, int, int]) -> None:
    solid = np.zeros((3, 3, 3), dtype=np.bool_)
    solid[0, 0, 0] = solid[second] = solid[1, 1, 2] = True
    made = untangled(*cubes(solid))
    assert_closed(made.faces, len(made.vertices))
    kept = volume(made.vertices, made.faces)
    assert kept == pytest.approx({(1, 1, 0): 1.0, (1, 1, 1): 2.0}[second], rel=0.1)


def test_triangles_with_vertices_of_their_own_are_joined_and_needles_go() -> None:
    vertices, faces = cubes(np.ones((2, 2, 2), dtype=np.bool_))
    soup = vertices[faces].reshape(-1, 3)
    own = np.arange(len(soup), dtype=np.int32).reshape(-1, 3)
    a, b, _ = own[0]
    needle = np.array([[b, a, len(soup)]], dtype=np.int32)  # a third corner where the first one is
    made = untangled(np.vstack([soup, soup[a] + np.float32(1e-7)]), np.vstack([own, needle]))
    assert_closed(made.faces, len(made.vertices))
    assert len(made.faces) == len(faces)
    assert volume(made.vertices, made.faces) == pytest.approx(8)


def test_a_mesh_with_a_hole_is_refused() -> None:
    vertices, faces = cubes(np.ones((1, 1, 1), dtype=np.bool_))
    with pytest.raises(MeshError, match="3 of 33 sides of triangles meet no other"):
        untangled(vertices, faces[1:])
