"""Cleaning takes away what floats and the floor, and not one vertex of the person."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pipeline.errors import MeshError
from pipeline.geometry.clean import clean, pieces, without
from pipeline.geometry.transform import turn_x
from pipeline.records import F32, I32, Cleaning, Mesh
from pipeline.synth.defects import Defects, placed
from pipeline.synth.figure import figure_of
from pipeline.synth.person import draw
from pipeline.synth.scan import Cast, cast, pose

ALL = Cleaning(fragments_under=0.005, floor=True)
PEOPLE = {"walking": 1, "sitting": 5, "skirt": 3}
ELSEWHERE = Defects(centimetres=True, yaw=True, origin=True)


@cache
def cast_of(index: int) -> Cast:
    return cast(figure_of(draw(5, index)), 8000)


def scan(name: str, defects: Defects) -> Mesh:
    index = PEOPLE[name]
    seed, body = draw(5, index).seed, figure_of(draw(5, index)).body
    skin = pose(cast_of(index), placed(body, defects, seed), defects, seed).skin
    return Mesh(skin.vertices, skin.faces, skin.colors)


def assert_same(mesh: Mesh, expected: Mesh) -> None:
    np.testing.assert_array_equal(mesh.vertices, expected.vertices)
    np.testing.assert_array_equal(mesh.faces, expected.faces)
    assert mesh.colors is not None and expected.colors is not None
    np.testing.assert_array_equal(mesh.colors, expected.colors)


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("place", [Defects(), ELSEWHERE], ids=["metres", "elsewhere"])
@pytest.mark.parametrize("holes", [False, True], ids=["whole", "holes"])
def test_fragments_and_floor_go_and_nothing_else(name: str, place: Defects, holes: bool) -> None:
    person = scan(name, replace(place, holes=holes))
    dirty = scan(name, replace(place, holes=holes, fragments=True, floor=True))
    cleaned, removed, _ = clean(dirty, ALL)
    assert_same(cleaned, person)
    assert removed.fragments == 7
    assert removed.fragment_faces + removed.floor_faces == len(dirty.faces) - len(person.faces)
    assert 0.05 < removed.floor_share < 0.3
    assert 0 < removed.fragment_share < 0.03


@pytest.mark.parametrize("name", PEOPLE)
def test_a_clean_person_loses_nothing(name: str) -> None:
    person = scan(name, Defects())
    cleaned, removed, _ = clean(person, ALL)
    assert cleaned is person
    assert removed == clean(person, Cleaning()).removed
    assert (removed.fragments, removed.fragment_faces, removed.floor_faces) == (0, 0, 0)


def test_only_what_is_asked_for_goes() -> None:
    dirty = scan("walking", Defects(fragments=True, floor=True))
    assert clean(dirty, Cleaning()).mesh is dirty
    assert_same(clean(dirty, Cleaning(floor=True)).mesh, scan("walking", Defects(fragments=True)))
    assert_same(clean(dirty, Cleaning(fragments_under=0.005)).mesh, scan("walking", Defects(floor=True)))


@pytest.mark.parametrize("tilt", [0.0, 1.5])
def test_a_floor_that_has_grown_together_with_the_feet_goes(tilt: float) -> None:
    """The floor's sheet is cut at the person: what goes lies in the floor, what is left is no sheet."""
    dirty = scan("walking", Defects(floor=True))
    person = scan("walking", Defects())
    bridge = np.array([[0, len(person.vertices), len(person.vertices) + 1]], dtype=np.int32)
    turn = turn_x(np.radians(tilt))
    vertices = (dirty.vertices @ turn.T).astype(np.float32)
    cleaned, removed, _ = clean(
        replace(dirty, vertices=vertices, faces=np.concatenate([dirty.faces, bridge])), ALL
    )
    assert 0.97 * (len(dirty.faces) - len(person.faces)) <= removed.floor_faces
    assert removed.floor_faces <= len(dirty.faces) - len(person.faces)
    body = (person.vertices @ turn.T).astype(np.float32)
    kept = {tuple(vertex) for vertex in cleaned.vertices.tolist()}
    assert all(tuple(vertex) in kept for vertex in body.tolist())


def box(low: tuple[float, ...], high: tuple[float, ...]) -> tuple[F32, I32]:
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners.astype(np.float32), np.array(
        [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32
    )


def test_pieces_are_dropped_by_their_share_of_the_area() -> None:
    """Boxes of areas 600, 24 and 6: shares 0.952, 0.038 and 0.0095."""
    boxes = [box((0, 0, 0), (10, 10, 10)), box((20, 0, 0), (22, 2, 2)), box((30, 0, 0), (31, 1, 1))]
    vertices = np.concatenate([v for v, _ in boxes])
    faces = np.concatenate([f + np.int32(8 * i) for i, (_, f) in enumerate(boxes)])
    mesh = Mesh(vertices, faces)
    for share, left in ((0.0, 36), (0.009, 36), (0.01, 24), (0.03, 24), (0.04, 12)):
        cleaned, removed, _ = clean(mesh, Cleaning(fragments_under=share))
        assert len(cleaned.faces) == left
        assert removed.fragments == (36 - left) // 12
    assert removed.fragment_share == pytest.approx(30 / 630)


def test_seams_and_triangle_soup_are_no_gaps() -> None:
    person = scan("walking", Defects(fragments=True))
    soup = Mesh(
        person.vertices[person.faces].reshape(-1, 3),
        np.arange(3 * len(person.faces), dtype=np.int32).reshape(-1, 3),
    )
    cleaned, removed, _ = clean(soup, Cleaning(fragments_under=0.005))
    assert removed.fragments == 7
    expected = clean(person, Cleaning(fragments_under=0.005)).mesh
    np.testing.assert_array_equal(cleaned.vertices[cleaned.faces], expected.vertices[expected.faces])


def test_plus_and_minus_zero_are_one_place() -> None:
    vertices = np.array(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 0, 0], [-1, 0, 0], [0, 1, 0]], dtype=np.float32
    )
    mesh = Mesh(vertices, np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32))
    assert clean(mesh, Cleaning(fragments_under=0.6)).removed.fragments == 0


def test_all_that_a_mesh_says_stays_with_its_faces() -> None:
    rng = np.random.default_rng(0)
    vertices, faces = (
        rng.normal(size=(30, 3)).astype(np.float32),
        rng.integers(0, 30, (40, 3)).astype(np.int32),
    )
    mesh = Mesh(
        vertices,
        faces,
        rng.integers(0, 255, (30, 3)).astype(np.uint8),
        normals=vertices[::-1].copy(),
        uvs=rng.random((9, 2)).astype(np.float32),
        face_uvs=rng.integers(-1, 9, (40, 3)).astype(np.int32),
        textures=(np.zeros((2, 2, 3), np.uint8),),
        face_textures=rng.integers(-1, 1, 40).astype(np.int32),
    )
    gone = rng.random(40) < 0.7
    left = without(mesh, gone)
    for name in ("vertices", "colors", "normals"):
        before, after = getattr(mesh, name), getattr(left, name)
        np.testing.assert_array_equal(after[left.faces], before[faces[~gone]])
    np.testing.assert_array_equal(left.face_uvs, mesh.face_uvs[~gone])  # type: ignore[index]
    np.testing.assert_array_equal(left.face_textures, mesh.face_textures[~gone])  # type: ignore[index]
    assert left.uvs is mesh.uvs and left.textures is mesh.textures
    lonely = set(range(30)) - set(faces.ravel().tolist())
    assert len(left.vertices) == len(set(faces[~gone].ravel().tolist()) | lonely)


def test_pieces_are_those_that_share_a_corner() -> None:
    faces = np.array([[0, 1, 2], [9, 8, 7], [2, 3, 4], [5, 7, 6]], dtype=np.int32)
    assert pieces(faces).tolist() == [0, 1, 0, 1]


def test_senseless_wishes_are_refused() -> None:
    vertices, faces = box((0, 0, 0), (1, 1, 1))
    two = Mesh(np.concatenate([vertices, vertices + 5]), np.concatenate([faces, faces + np.int32(8)]))
    with pytest.raises(MeshError, match="leave nothing; lower the share"):
        clean(two, Cleaning(fragments_under=0.9))
    with pytest.raises(MeshError, match="share from 0 to 1"):
        clean(two, Cleaning(fragments_under=1.5))
    with pytest.raises(MeshError, match="zero area"):
        clean(Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32)), ALL)
