"""What must not change a picture: who turns, how a mesh is listed, in how many bands it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from drawing import Drawn, Studio, bumpy, coloured, same_bytes, studio

from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.transform import turn_y, view_turn
from pipeline.records import Light, Mesh
from pipeline.render import renderer as module

SIZE = 257
STEP = 1 / (32 * portrait_camera(SIZE).fx)
LIGHT = Light(
    np.vstack([np.full((1, 3), 0.4), np.full((1, 3), 0.15), np.full((1, 3), 0.1), np.zeros((6, 3))]),
    np.array([[0.6, 0.0, 0.8]]),
    np.array([[0.3, 0.2, 0.1]]),
)
both = pytest.mark.parametrize("parallel", [False, True], ids=["perspective", "parallel"])


@pytest.fixture(scope="module")
def shoot() -> Iterator[Studio]:
    with studio(SIZE) as one:
        yield one


def nearly_same(a: Drawn, b: Drawn) -> None:
    """Fail where more than what float32 loses is different."""
    assert a.front.hit.sum() > 3000
    assert (a.front.hit != b.front.hit).sum() <= 4
    same = a.front.hit & b.front.hit
    for one, other in zip(a.sides(), b.sides(), strict=True):
        assert np.percentile(np.abs(one.length - other.length)[same], 99.9) < STEP / 10
        assert (np.abs(one.direction - other.direction)[same].max(axis=1) > 1e-3).mean() < 2e-3
        assert (np.abs(one.color.astype(int) - other.color)[same].max(axis=1) > 1).mean() < 2e-3
        assert (np.abs(one.shaded.astype(int) - other.shaded)[same].max(axis=1) > 1).mean() < 2e-3


@both
def test_turning_the_person_is_the_view(shoot: Studio, parallel: bool) -> None:
    mesh, camera = bumpy(4), portrait_camera(SIZE, parallel)
    turned = replace(mesh, vertices=mesh.vertices @ turn_y(np.radians(40)).T.astype(np.float32))
    nearly_same(shoot(mesh, 40, light=LIGHT, camera=camera), shoot(turned, 0, light=LIGHT, camera=camera))


@both
@pytest.mark.parametrize(("yaw", "pitch"), [(40, 0), (200, -35), (0, 90)])
def test_turning_the_camera_the_other_way_is_the_view(
    shoot: Studio, parallel: bool, yaw: float, pitch: float
) -> None:
    """All but the light, which stays where it is in the room."""
    mesh, camera, turn = bumpy(4), portrait_camera(SIZE, parallel), view_turn(yaw, pitch)
    walked = replace(camera, rotation=camera.rotation @ turn)
    nearly_same(shoot(mesh, yaw, pitch, camera=camera), shoot(mesh, camera=walked))


@pytest.mark.parametrize("yaw", [-360, 360, 720])
def test_a_full_turn_is_none(shoot: Studio, yaw: float) -> None:
    mesh = bumpy(4)
    nearly_same(shoot(mesh, yaw, light=LIGHT), shoot(mesh, light=LIGHT))
    nearly_same(shoot(mesh, 75 + yaw, 20, light=LIGHT), shoot(mesh, 75, 20, light=LIGHT))


def test_the_order_of_faces_vertices_and_corners_changes_nothing(shoot: Studio) -> None:
    """Down to the bytes, but for pixels whose ray goes through an edge: there the later face shows."""
    mesh, random = bumpy(4), np.random.default_rng(0)
    assert mesh.colors is not None
    shuffled = random.permutation(len(mesh.vertices))
    back = np.argsort(shuffled).astype(np.int32)
    faces = random.permutation(back[mesh.faces])
    faces = np.stack([np.roll(face, random.integers(3)) for face in faces])
    other = Mesh(mesh.vertices[shuffled], faces, mesh.colors[shuffled])
    a, b = shoot(mesh, 33, 12, light=LIGHT), shoot(other, 33, 12, light=LIGHT)
    np.testing.assert_array_equal(a.front.hit, b.front.hit)
    for one, another in zip(a.sides(), b.sides(), strict=True):
        assert np.abs(one.length - another.length).max() < STEP / 5
        assert np.abs(one.direction - another.direction).max() < 1e-4
        assert np.abs(one.color.astype(int) - another.color).max() <= 1
        assert np.abs(one.shaded.astype(int) - another.shaded).max() <= 1
        assert np.abs(one.depth.astype(int) - another.depth).max() <= 1


def test_faces_the_wrong_way_round_change_nothing(shoot: Studio) -> None:
    mesh = bumpy(4)
    reversed_ = replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]))
    a, b = shoot(mesh, 33, 12, light=LIGHT), shoot(reversed_, 33, 12, light=LIGHT)
    np.testing.assert_array_equal(a.front.hit, b.front.hit)
    for one, other in zip(a.sides(), b.sides(), strict=True):
        np.testing.assert_allclose(one.length, other.length, atol=STEP / 5)
        np.testing.assert_allclose(one.direction, other.direction, atol=1e-4)
        assert np.abs(one.shaded.astype(int) - other.shaded).max() <= 1


def test_a_mesh_in_two_halves_is_the_mesh(shoot: Studio) -> None:
    """Each half with vertices of its own, so that only the normals along the cut may differ."""
    mesh = bumpy(4)
    half = len(mesh.faces) // 2
    corners = np.concatenate([mesh.faces[:half], mesh.faces[half:] + len(mesh.vertices)]).astype(np.int32)
    doubled = coloured(np.vstack([mesh.vertices] * 2), corners, np.tile(np.asarray(mesh.colors), (2, 1)))
    a, b = shoot(mesh, 33), shoot(doubled, 33)
    for one, other in zip(a.sides(), b.sides(), strict=True):
        for layer in ("mask", "length", "depth", "color"):
            np.testing.assert_array_equal(getattr(one, layer), getattr(other, layer), err_msg=layer)


def test_faces_twice_or_without_area_change_nothing(shoot: Studio) -> None:
    mesh = bumpy(3)
    points = np.repeat(np.arange(50, dtype=np.int32)[:, None], 3, axis=1)
    needles = mesh.faces[:50, [0, 1, 1]]
    more = np.vstack([points, mesh.faces, needles, mesh.faces])
    same_bytes(shoot(mesh, 33, light=LIGHT), shoot(replace(mesh, faces=more), 33, light=LIGHT))


@pytest.mark.parametrize("pixels", [1, SIZE, 5000])
def test_bands_are_the_picture(shoot: Studio, monkeypatch: pytest.MonkeyPatch, pixels: int) -> None:
    """From a row at a time to a few rows; the whole picture comes from one band."""
    large = coloured([[-0.4, -0.4, 0.1], [0.4, -0.3, 0.0], [0.0, 0.4, -0.2]], [[0, 1, 2]], 77)
    for mesh in (bumpy(4), large):
        whole = shoot(mesh, 33, 12, light=LIGHT)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_MOST_PIXELS", pixels)
            same_bytes(whole, shoot(mesh, 33, 12, light=LIGHT))
