"""What colours a surface gets from one picture."""

from __future__ import annotations

import numpy as np
import pytest
from training_rows import ball, seen

from pipeline.errors import MeshError
from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.paint import painted, repainted
from pipeline.geometry.stitch import Stitched, stitch
from pipeline.records import U8, Mesh

SIZE = 256


def a_ball() -> Stitched:
    camera = portrait_camera(SIZE)
    shot = seen(ball(0.2), 0.0, camera)
    return stitch(shot.front, shot.back, camera)


def halves(background: int = 255) -> U8:
    """Red on the left, blue on the right, white around the ball."""
    shot = seen(ball(0.2), 0.0, portrait_camera(SIZE))
    picture = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    picture[:, : SIZE // 2, 0] = picture[:, SIZE // 2 :, 2] = 200
    picture[shot.front == 0] = background
    return picture


def colors(made: Stitched, picture: U8) -> U8:
    mesh = painted(made, picture)
    assert mesh.colors is not None and mesh.colors.dtype == np.uint8
    assert mesh.vertices is made.mesh.vertices and mesh.faces is made.mesh.faces
    return mesh.colors


def test_the_front_has_the_colours_of_its_pixels() -> None:
    made, rng = a_ball(), np.random.default_rng(0)
    picture = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    found = colors(made, picture)
    middle = (made.sides == 0) & (np.linalg.norm(made.mesh.vertices[:, :2], axis=1) < 0.15)
    assert (found[middle] == picture.reshape(-1, 3)[made.pixels[middle]]).all()


def test_nothing_has_the_colour_of_the_background_though_edges_are_mixed_with_it() -> None:
    made, picture = a_ball(), halves()
    rows, columns = np.divmod(np.unique(made.pixels), SIZE)
    rim = (picture[rows - 1, columns] == 255).all(axis=1) | (picture[rows, columns - 1] == 255).all(axis=1)
    picture[rows[rim], columns[rim]] = 230
    assert colors(made, picture).max() <= 200


def test_the_background_does_not_matter() -> None:
    made = a_ball()
    assert (colors(made, halves(255)) == colors(made, halves(0))).all()


def test_the_back_has_the_fronts_colours_without_their_details() -> None:
    made, picture = a_ball(), halves()
    picture[SIZE // 2 - 1 : SIZE // 2 + 1, 100:102, 1] = 255  # a button
    found = colors(made, picture)
    back = made.sides == 1
    x = made.mesh.vertices[:, 0]
    assert (found[back & (x < -0.06)][:, 2] == 0).all() and (found[back & (x > 0.06)][:, 0] == 0).all()
    assert found[back & (x < -0.06)][:, 0].min() >= 199
    assert found[made.sides == 0][:, 1].max() == 255
    assert found[back][:, 1].max() < 30
    across = found[back & (made.pixels // SIZE == SIZE // 2)]
    assert ((across[:, 0] > 20) & (across[:, 2] > 20)).sum() > 4  # the two colours run into each other


def test_the_rim_lies_between_front_and_back() -> None:
    made = a_ball()
    found = colors(made, halves())[made.sides == 2]
    assert found.max() <= 200 and (found.sum(axis=1) >= 199).all()


def test_a_lone_pixel_has_its_own_colour() -> None:
    front = np.zeros((64, 64))
    front[20, 30] = 1.0
    made = stitch(front, front * 1.1, portrait_camera(64))
    picture = np.full((64, 64, 3), 9, dtype=np.uint8)
    picture[20, 30] = 70, 80, 90
    assert (colors(made, picture) == (70, 80, 90)).all()


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(MeshError, match="give the picture of this size"):
        painted(a_ball(), np.zeros((64, 64, 3), dtype=np.uint8))


def test_another_mesh_gets_the_colours_that_lie_nearest() -> None:
    like = painted(a_ball(), halves())
    assert like.colors is not None
    some = np.arange(0, len(like.vertices), 7)[::-1]
    bare = Mesh(like.vertices[some] * np.float32(1.0001), np.array([[0, 1, 2]], dtype=np.int32))
    found = repainted(bare, like)
    assert found.colors is not None and (found.colors == like.colors[some]).all()
    assert found.vertices is bare.vertices
    with pytest.raises(MeshError, match="has no colours to give"):
        repainted(bare, bare)
