"""People drawn, against a ray caster: embree finds the triangle, float64 the place. Edges count too."""

from __future__ import annotations

from collections.abc import Iterator

import embree
import numpy as np
import pytest
from drawing import Drawn, Side, Studio, coloured, studio

from pipeline.geometry.camera import portrait_camera, rays
from pipeline.geometry.transform import aligned, view_turn
from pipeline.records import F64, Bool, Camera, Mesh
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

SIZE = 1024
VIEWS = [(-30, 0, False), (95, 0, False), (160, -20, False), (20, 60, True), (250, 0, True)]


def person(vertices: int) -> Mesh:
    scan = make_scan(draw(0, 1), vertices)
    return Mesh(aligned(scan.skin.vertices, scan.alignment), scan.skin.faces, scan.skin.colors)


@pytest.fixture(scope="module")
def small() -> Mesh:
    return person(20_000)


@pytest.fixture
def shoot() -> Iterator[Studio]:
    with studio(SIZE) as one:
        yield one


@pytest.mark.parametrize(("yaw", "pitch", "parallel"), VIEWS)
def test_a_person_is_drawn_as_a_ray_caster_sees_it(
    small: Mesh, shoot: Studio, yaw: float, pitch: float, parallel: bool
) -> None:
    camera = portrait_camera(SIZE, parallel)
    check(shoot(small, yaw, pitch, camera=camera), small, view_turn(yaw, pitch), camera)


@pytest.mark.slow
@pytest.mark.parametrize(("yaw", "parallel"), [(-30, False), (100, True)])
def test_a_million_vertices_are_drawn_as_a_ray_caster_sees_them(yaw: float, parallel: bool) -> None:
    mesh = person(1_000_000)
    camera = portrait_camera(2048, parallel)
    with studio(2048) as shoot:
        drawn = shoot(mesh, yaw, camera=camera)
    check(drawn, mesh, view_turn(yaw, 0), camera)


def check(drawn: Drawn, mesh: Mesh, turn: F64, camera: Camera) -> None:
    """Fail where a drawing and the ray caster tell different things of the mesh; say by how much."""
    turned = mesh.vertices.astype(np.float64) @ turn.T
    sight = embree.cast(turned, mesh.faces, camera.width, camera.parallel)
    hit, count = drawn.front.hit, int(sight.seen.sum())
    assert count > camera.width**2 / 20
    told = {"silhouette": float((hit != sight.seen).sum()) / count}
    np.testing.assert_array_equal(hit, drawn.back.hit)
    normals = embree.smooth_normals(turned, mesh.faces)
    along = rays(camera)[1][sight.seen]
    for name, side, hits, way in zip(
        "fb", drawn.sides(), (sight.nearest, sight.farthest), (-1, 1), strict=True
    ):
        a, b, c = (turned[mesh.faces[hits.face, i]] for i in range(3))
        slope = np.einsum("ij,ij->i", np.cross(b - a, c - a), along)
        true = embree.blend(normals, mesh.faces, hits) * np.where(slope * way > 0, 1, -1)[:, None]
        told |= {f"{name} {what}": value for what, value in margins(side, hits, sight.seen, mesh, true)}
    assert told["silhouette"] < 1e-4, told
    for name in "fb":
        assert told[f"{name} depth off by over a step"] < 2e-4, told
        assert told[f"{name} depth off by over 0.55 steps"] < 4e-4, told
        # What rounding to the nearest leaves.
        assert told[f"{name} depth off by, mean"] == pytest.approx(0.25, abs=0.002), told
        assert told[f"{name} colour off by over 2"] < 1e-4, told
        assert told[f"{name} normal off by over 0.5 degrees"] < 2e-4, told
        assert told[f"{name} normal code off by, most"] < 0.52, told


def margins(
    side: Side, hits: embree.Hits, seen: Bool, mesh: Mesh, normals: F64
) -> Iterator[tuple[str, float]]:
    """What is measured of one side: shares of pixels, or steps of depth; `normals` are the true ones."""
    assert mesh.colors is not None
    both = side.hit[seen]
    pixels = seen & side.hit
    length = np.zeros(seen.shape)
    length[seen] = hits.length
    size = len(seen)
    focal = size / (2 * np.tan(np.radians(25)))
    code = ((length - 1) * focal + size / 2) * 32
    off = np.abs(side.depth - code)[pixels]
    yield "depth off by over a step", float((off > 1).mean())
    yield "depth off by over 0.55 steps", float((off > 0.55).mean())
    yield "depth off by, mean", float(off[off <= 1].mean())
    colour = embree.blend(mesh.colors, mesh.faces, hits)[both]
    yield "colour off by over 2", float((np.abs(side.color[pixels] - colour).max(axis=1) > 2).mean())
    true = normals[both] / np.linalg.norm(normals[both], axis=1, keepdims=True)
    cosine = np.einsum("ij,ij->i", true, side.direction[pixels])
    yield "normal off by over 0.5 degrees", float((cosine < np.cos(np.radians(0.5))).mean())
    codes = (side.direction[pixels].astype(np.float64) + 1) / 2 * 65535
    yield "normal code off by, most", float(np.abs(side.normal[pixels] - codes).max())


def test_the_very_faces_are_those_that_the_ray_caster_finds(small: Mesh, shoot: Studio) -> None:
    """Each face has corners of its own, whose colour is its number."""
    corners = small.vertices[small.faces].reshape(-1, 3)
    number = np.repeat(np.arange(len(small.faces)), 3)
    names = np.column_stack([number & 255, number >> 8 & 255, number >> 16])
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    drawn = shoot(coloured(corners, faces, names), 40, 15)
    sight = embree.cast(corners.astype(np.float64) @ view_turn(40, 15).T, faces, SIZE)
    pixels = sight.seen & drawn.front.hit
    assert pixels.sum() > 50_000
    for side, hits in zip(drawn.sides(), (sight.nearest, sight.farthest), strict=True):
        found = side.color[pixels] @ np.array([1, 256, 65_536])
        unlike = (found != hits.face[drawn.front.hit[sight.seen]]).mean()
        assert unlike < 0.005, unlike  # where a ray passes within 1/256 pixel of an edge
