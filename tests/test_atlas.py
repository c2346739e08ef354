"""The texture atlas: every face has room of its own, and the picture says what the vertices said."""

from functools import cache

import numpy as np
import pytest
from scipy.spatial import Delaunay

from pipeline.records import F32, I32, U8
from pipeline.synth.atlas import GUTTER, Atlas, size_for, texture_of, unwrap
from pipeline.synth.noise import fractal
from pipeline.synth.surface import extract
from pipeline.synth.texels import cover, filled


@cache
def lump() -> tuple[F32, I32, U8]:
    """Two rough balls and a bar, a metre across, in smooth colours."""

    def distance(points: F32) -> F32:
        x, y, z = points
        balls = np.sqrt((np.abs(x) - np.float32(0.3)) ** 2 + y * y + z * z) - np.float32(0.2)
        bar = np.maximum(np.sqrt(y * y + z * z) - np.float32(0.05), np.abs(x) - np.float32(0.3))
        return np.asarray(np.minimum(balls, bar) + fractal(points, 0.15, 3, 1) * np.float32(0.03))

    vertices, faces = extract(distance, (-0.6, -0.3, -0.3), (0.6, 0.3, 0.3), 0.012)
    colors = 128 + 100 * np.sin(vertices * (4, 5, 6) + (0, 1, 2))
    return vertices, faces, np.round(colors).astype(np.uint8)


@cache
def atlas() -> Atlas:
    vertices, faces, _ = lump()
    return unwrap(vertices, faces, 1024)


@cache
def picture() -> U8:
    _, faces, colors = lump()
    return texture_of(atlas(), faces, colors)


def sampled(image: U8, uvs: F32) -> F32:
    """Colours (N, 3) of a picture at texture coordinates (N, 2), bilinear, v = 1 at the top."""
    size = len(image)
    x, y = uvs[:, 0] * size - 0.5, (1 - uvs[:, 1]) * size - 0.5
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    s, t = (x - column)[:, None], (y - row)[:, None]
    wide = image.astype(np.float32)
    upper = wide[row, column] * (1 - s) + wide[row, column + 1] * s
    lower = wide[row + 1, column] * (1 - s) + wide[row + 1, column + 1] * s
    return np.asarray(upper * (1 - t) + lower * t)


def chart_boxes(made: Atlas) -> np.ndarray:
    """Left, top, right, bottom (C, 4) of the charts' pixels."""
    corners = made.layout.corners
    boxes = []
    for chart in range(made.charts.max() + 1):
        own = corners[made.charts == chart].reshape(-1, 2)
        boxes.append([*np.floor(own.min(axis=0)), *np.ceil(own.max(axis=0))])
    return np.array(boxes, dtype=int)


def test_coordinates_are_the_corners_of_the_layout() -> None:
    made = atlas()
    uvs = made.uvs[made.face_uvs].astype(np.float64)
    assert np.allclose(uvs * (1, -1) + (0, 1), made.layout.corners / 1024, atol=1e-6)
    assert made.uvs.min() > 0
    assert made.uvs.max() < 1


def test_charts_lie_apart_by_two_gutters() -> None:
    taken = np.zeros((1024, 1024), dtype=int)
    for left, top, right, bottom in chart_boxes(atlas()):
        assert min(left, top) >= GUTTER
        assert max(right, bottom) <= 1024 - GUTTER
        taken[top - GUTTER : bottom + GUTTER, left - GUTTER : right + GUTTER] += 1
    assert taken.max() == 1


def test_every_face_is_seen_from_its_front_and_keeps_its_shape() -> None:
    vertices, faces, _ = lump()
    a, b, c = (atlas().uvs.astype(np.float64)[atlas().face_uvs[:, i]] for i in range(3))
    flat = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    p, q, r = (vertices.astype(np.float64)[faces[:, i]] for i in range(3))
    solid = np.linalg.norm(np.cross(q - p, r - p), axis=1) / 2
    shrunk = flat * (1024 / atlas().layout.density) ** 2 / solid
    assert shrunk.min() > 0.19
    assert shrunk.max() < 1.01
    assert np.median(shrunk) > 0.8


def test_no_face_lies_over_another() -> None:
    pixel = atlas().layout.covered.pixel
    assert len(pixel) - len(np.unique(pixel)) <= 1e-4 * len(pixel)
    assert len(pixel) > 0.4 * 1024**2


def test_a_ramp_that_winds_over_itself_is_peeled_apart() -> None:
    turns, steps, across = 3, 300, 8
    angle, radius = np.meshgrid(np.linspace(0, 2 * np.pi * turns, steps), np.linspace(0.06, 0.13, across))
    ramp = np.stack([radius * np.cos(angle), angle * 0.01, radius * np.sin(angle)], axis=-1)
    corner = np.arange(across * steps).reshape(across, steps)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))]).astype(
        np.int32
    )
    made = unwrap(ramp.reshape(-1, 3).astype(np.float32), faces, 512)
    pixel = made.layout.covered.pixel
    assert len(pixel) - len(np.unique(pixel)) <= 1e-3 * len(pixel)
    assert made.charts.max() + 1 >= turns


def test_the_picture_shows_the_colours_of_the_vertices() -> None:
    _, faces, colors = lump()
    middles = atlas().uvs[atlas().face_uvs].mean(axis=1)
    off = np.abs(sampled(picture(), middles) - colors[faces].astype(np.float32).mean(axis=1)).max(axis=1)
    assert off.mean() < 0.5
    assert np.percentile(off, 99.5) < 2
    assert off.max() < 12


def test_a_smaller_picture_of_the_picture_bleeds_nothing_in() -> None:
    _, faces, colors = lump()
    small = picture().reshape(256, 4, 256, 4, 3).mean(axis=(1, 3))
    middles = atlas().uvs[atlas().face_uvs].mean(axis=1)
    off = np.abs(sampled(small, middles) - colors[faces].astype(np.float32).mean(axis=1)).max(axis=1)
    assert np.percentile(off, 99) < 6


def test_twice_the_same() -> None:
    vertices, faces, colors = lump()
    again = unwrap(vertices, faces, 1024)
    assert again.uvs.tobytes() == atlas().uvs.tobytes()
    assert again.face_uvs.tobytes() == atlas().face_uvs.tobytes()
    assert texture_of(again, faces, colors).tobytes() == picture().tobytes()


def test_triangles_that_tile_a_square_cover_each_pixel_once() -> None:
    points = np.random.default_rng(3).uniform(0, 64, (200, 2))
    points[:4] = np.array([[0.0, 0.0], [64.0, 0.0], [0.0, 64.0], [64.0, 64.0]])
    points[4:8] = np.array([[10.5, 0.0], [10.5, 10.5], [40.0, 10.5], [40.5, 40.5]])
    triangles = points[Delaunay(points).simplices]
    covered = cover(triangles, 64)
    assert np.array_equal(np.sort(covered.pixel), np.arange(64 * 64))


def test_a_pixel_is_covered_where_its_centre_is_inside() -> None:
    triangles = np.random.default_rng(4).uniform(0, 32, (60, 3, 2))
    covered = cover(triangles, 32)
    found = np.zeros((60, 32 * 32), dtype=bool)
    found[covered.triangle, covered.pixel] = True
    y, x = (a.ravel() + 0.5 for a in np.mgrid[0:32, 0:32])
    for triangle, mine in zip(triangles, found, strict=True):
        sides = [
            (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])
            for p, q in zip(triangle, np.roll(triangle, -1, axis=0), strict=True)
        ]
        signs = np.sign(sides)
        assert np.array_equal(mine, np.abs(signs.sum(axis=0)) == 3)


def test_colours_are_linear_inside_and_go_on_outside() -> None:
    corners = np.array([[[10.0, 10], [50, 10], [10, 50]]])
    colors = np.array([[[10, 0, 0], [210, 0, 0], [10, 80, 0]]], dtype=np.uint8)
    image = filled(corners, colors, cover(corners, 64), 3).astype(float)
    assert image[12, 20].tolist() == pytest.approx([10 + 10.5 * 5, 2.5 * 2, 0], abs=0.5)
    assert image[8, 20] == pytest.approx(image[10, 20], abs=8)
    assert np.array_equal(image[5, 20], image[60, 60])


@pytest.mark.parametrize(
    ("vertices", "size"), [(2000, 512), (20_000, 512), (1_000_000, 4096), (9_000_000, 4096)]
)
def test_the_size_follows_the_vertices(vertices: int, size: int) -> None:
    assert size_for(vertices) == size
