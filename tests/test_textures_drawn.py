"""Textures on meshes: the exact colours, the right way up, repeated, mixed, and far away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from drawing import WHITE, Studio, bumpy, same_bytes, studio
from embree import blend, cast, texels

from pipeline.geometry.camera import portrait_camera
from pipeline.records import F32, F64, U8, Mesh, View
from pipeline.render.planes import Layer
from pipeline.render.renderer import Renderer

SIZE = 256
FLAT = portrait_camera(SIZE, parallel=True)
UPRIGHT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)


@pytest.fixture(scope="module")
def shoot() -> Iterator[Studio]:
    with studio(SIZE) as one:
        yield one


def noise(height: int, width: int, seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sheet(texture: U8, columns: int, rows: int, uvs: F32 | F64 | None = None) -> Mesh:
    """A square that a parallel camera sees on so many whole pixels, in the middle of the picture."""
    corners = (UPRIGHT - 0.5) * [columns, rows] / FLAT.fx
    places = np.column_stack([corners, np.zeros(4)]).astype(np.float32)
    spots = UPRIGHT if uvs is None else uvs.astype(np.float32)
    return Mesh(places, FACES, uvs=spots, face_uvs=FACES, textures=(texture,))


def middle(picture: U8, columns: int, rows: int) -> U8:
    top, left = (SIZE - rows) // 2, (SIZE - columns) // 2
    return picture[top : top + rows, left : left + columns]


def test_a_texel_a_pixel_is_the_texture(shoot: Studio) -> None:
    texture = noise(96, 128)
    drawn = shoot(sheet(texture, 128, 96), camera=FLAT)
    assert drawn.front.hit.sum() == 128 * 96
    for side in drawn.sides():
        np.testing.assert_array_equal(middle(side.color, 128, 96), texture)
        np.testing.assert_array_equal(side.shaded, side.color)


@pytest.mark.parametrize("shift", [(1, 0), (-3, 2), (0.25, 0.5)])
def test_textures_repeat_beyond_their_edges(shoot: Studio, shift: tuple[float, float]) -> None:
    texture = noise(64, 128)
    drawn = shoot(sheet(texture, 128, 64, UPRIGHT + np.array(shift)), camera=FLAT)
    rolled = np.roll(texture, (round(shift[1] * 64), -round(shift[0] * 128)), axis=(0, 1))
    np.testing.assert_array_equal(middle(drawn.front.color, 128, 64), rolled)


def test_blocks_of_one_colour_stay_that_colour(shoot: Studio) -> None:
    """From the middle of a block to half a texel before its end nothing is mixed in, near or far."""
    blocks = noise(4, 4)
    texture = np.ascontiguousarray(np.kron(blocks, np.ones((32, 32, 1), dtype=np.uint8)))
    for pixels in (64, 128, 192):
        front = shoot(sheet(texture, pixels, pixels), camera=FLAT).front
        found = middle(front.color, pixels, pixels)
        step = pixels // 4
        inner = np.arange(pixels) % step
        clear = (inner >= step // 4) & (inner < step - step // 4)
        expected = np.kron(blocks, np.ones((step, step, 1), dtype=np.uint8))
        np.testing.assert_array_equal(found[clear][:, clear], expected[clear][:, clear])


@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (2, 7), (16, 16), (1, 9)])
def test_magnified_textures_are_mixed_as_the_ray_caster_mixes(
    shoot: Studio, shape: tuple[int, int]
) -> None:
    """In perspective, on a tilted sheet, over several repeats."""
    texture = noise(*shape)
    mesh = sheet(texture, 150, 150, UPRIGHT * np.float32(1.7) - np.float32(0.3))
    mesh.vertices[:, 2] = [0.1, -0.1, -0.1, 0.1]
    drawn = shoot(mesh)
    sight = cast(mesh.vertices, mesh.faces, SIZE)
    assert mesh.uvs is not None
    for side, hits in zip(drawn.sides(), (sight.nearest, sight.farthest), strict=True):
        both = sight.seen & side.hit
        expected = texels(texture, blend(mesh.uvs, FACES, hits))[side.hit[sight.seen]]
        off = np.abs(side.color[both] - expected)
        # The filter of GL knows 256 places between two texels.
        assert off.max() < 2.0, off.max()
        assert off.mean() < 0.45, off.mean()


@pytest.mark.parametrize("texture_size", [512, 1000, 2048])
@pytest.mark.parametrize("pixels", [40, 61, 100])
def test_a_chequerboard_finer_than_pixels_is_its_mean(
    shoot: Studio, texture_size: int, pixels: int
) -> None:
    rows, columns = np.indices((texture_size, texture_size))
    board = np.where((rows + columns)[..., None] % 2, [250, 40, 0], [10, 100, 255]).astype(np.uint8)
    mesh = sheet(board, pixels, pixels)
    mesh.vertices[:, 2] = [0.03, -0.03, -0.03, 0.03]
    for camera in (FLAT, portrait_camera(SIZE)):
        front = shoot(mesh, camera=camera).front
        assert front.hit.sum() > pixels**2 * 0.9
        assert np.abs(front.color[front.hit] - [130, 70, 127.5]).max() <= 2


def test_two_textures_and_faces_without_one(shoot: Studio) -> None:
    """Four squares: the first texture, the second, none but vertex colours, and none in uvs alone."""
    squares = [sheet(noise(40, 40, seed), 40, 40) for seed in range(2)]
    places = [squares[0].vertices + np.array([x, y, 0], np.float32) * 0.2 for x in (-1, 1) for y in (-1, 1)]
    faces = np.vstack([FACES + 4 * i for i in range(4)])
    face_uvs = np.vstack([FACES, FACES, FACES, np.full((2, 3), -1)]).astype(np.int32)
    mesh = Mesh(
        np.vstack(places),
        faces,
        uvs=UPRIGHT,
        face_uvs=face_uvs,
        textures=(squares[0].textures[0], squares[1].textures[0]),
        face_textures=np.repeat([0, 1, -1, 1], 2).astype(np.int32),
    )
    shift = 0.2 * FLAT.fx

    def part(picture: U8, x: int, y: int) -> U8:
        column, row = SIZE / 2 + x * shift, SIZE / 2 - y * shift
        return picture[int(row) - 14 : int(row) + 14, int(column) - 14 : int(column) + 14]

    drawn = shoot(mesh, camera=FLAT)
    plain = shoot(replace(mesh, colors=np.full((16, 3), (9, 90, 200), np.uint8)), camera=FLAT)
    alone = [
        shoot(Mesh(place, FACES, uvs=UPRIGHT, face_uvs=FACES, textures=square.textures), camera=FLAT)
        for place, square in zip(places, squares, strict=False)
    ]
    for ours, coloured, *single in zip(
        drawn.sides(), plain.sides(), *(one.sides() for one in alone), strict=True
    ):
        for picture in (ours.color, coloured.color, ours.shaded):
            np.testing.assert_array_equal(part(picture, -1, -1), part(single[0].color, -1, -1))
            np.testing.assert_array_equal(part(picture, -1, 1), part(single[1].color, -1, 1))
        for y in (-1, 1):
            assert (part(ours.color, 1, y) == 128).all()
            assert (part(coloured.color, 1, y) == [9, 90, 200]).all()
        hit = ours.hit
        np.testing.assert_array_equal(hit, coloured.hit)
        assert hit.sum() == pytest.approx(4 * 1600, abs=200)


def test_a_textured_scan_leaves_nothing_behind(shoot: Studio) -> None:
    textured = sheet(noise(64, 64), 64, 64)
    first = shoot(bumpy(3), 20)
    shoot(textured)
    same_bytes(first, shoot(bumpy(3), 20))


def test_uv_seams_are_the_faces_own(shoot: Studio) -> None:
    """Two faces share an edge in space and lie far apart on the texture: nothing runs across."""
    texture = np.zeros((64, 128, 3), dtype=np.uint8)
    texture[:, :64], texture[:, 64:] = (250, 0, 0), (0, 0, 250)
    left = np.array([[0.05, 0.1], [0.2, 0.1], [0.2, 0.9]])
    right = np.array([[0.8, 0.1], [0.95, 0.9], [0.8, 0.9]])
    mesh = replace(
        sheet(texture, 120, 120),
        uvs=np.vstack([left, right]).astype(np.float32),
        face_uvs=np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32),
    )
    front = shoot(mesh).front
    colours = {tuple(int(n) for n in colour) for colour in np.unique(front.color[front.hit], axis=0)}
    assert colours == {(250, 0, 0), (0, 0, 250)}


@pytest.mark.parametrize("layer", [Layer("mask"), Layer("length", "back"), Layer("normal")])
def test_shape_needs_no_texture(layer: Layer) -> None:
    mesh = sheet(noise(64, 64), 64, 64)
    with studio(SIZE) as shoot:
        among = getattr(getattr(shoot(mesh), layer.side), layer.kind)
    with Renderer(SIZE, [layer]) as renderer:
        (frame,) = renderer.shoot(mesh, [View(0.0, 0.0, portrait_camera(SIZE), WHITE)])
    alone = getattr(getattr(frame, layer.side), layer.kind)
    top, left = frame.window.top, frame.window.left
    np.testing.assert_array_equal(alone, among[top : top + len(alone), left : left + alone.shape[1]])


@pytest.mark.parametrize("tall", [False, True])
def test_stripes_finer_than_pixels_are_their_mean_whichever_way_they_run(shoot: Studio, tall: bool) -> None:
    """Shrunk in one direction alone."""
    stripes = np.where(np.arange(1700)[:, None, None] % 2, [250, 40, 0], [10, 100, 255])
    texture = np.broadcast_to(stripes, (1700, 100, 3)).astype(np.uint8)
    if not tall:
        texture = np.ascontiguousarray(texture.swapaxes(0, 1))
    front = shoot(sheet(texture, 100, 100), camera=FLAT).front
    assert front.hit.sum() == 100 * 100
    assert np.abs(front.color[front.hit] - [130, 70, 127.5]).max() <= 2
