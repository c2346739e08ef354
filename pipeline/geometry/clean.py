"""What a scanner left around a person, taken away: pieces that float, and the floor.

Takes away nothing that it was not asked to, closes no holes and moves no vertex. Refuses to decide whether
a scan needs it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.errors import MeshError
from pipeline.geometry.mesh import areas_and_slopes
from pipeline.records import F32, F64, I32, Bool, Cleaning, Mesh, Removed

_LOWEST = 0.08  # a floor lies in the lowest part of the height
_SLAB = 0.006  # and this far above and below its plane, as a share of the height
_BINS = 0.003
_FLAT = 0.94  # cosine: a floor's triangles lie within 20 degrees of level
_ROUGH = 0.5  # but its scraps may be bumpy
_FLOOR_AREA = 0.03  # of the height squared: the soles of two shoes are half of that, and look down
_ROUNDS = 5


class Cleaned(NamedTuple):
    """A scan without what `wish` is to take away, and what that was."""

    mesh: Mesh
    removed: Removed
    wish: Cleaning


def clean(mesh: Mesh, wish: Cleaning) -> Cleaned:
    """A scan without what is to be taken away, and what that was."""
    if not 0 <= wish.fragments_under < 1:
        raise MeshError(f"fragments under {wish.fragments_under:g} of the area; give a share from 0 to 1")
    if wish == Cleaning():
        return Cleaned(mesh, Removed(), wish)
    areas, up = areas_and_slopes(mesh.vertices, mesh.faces)
    total = float(areas.sum())
    if not total > 0:
        raise MeshError("all triangles have zero area")
    removed = Removed()
    gone: Bool = np.zeros(len(mesh.faces), dtype=np.bool_)
    welded = _welded(mesh.vertices)
    if wish.floor:
        gone = floor_faces(mesh, areas, up, welded[mesh.faces])
        share = float(areas[gone].sum()) / total
        removed = replace(removed, floor_faces=int(gone.sum()), floor_share=share)
    if wish.fragments_under > 0:
        there = np.flatnonzero(~gone)
        piece = pieces(welded[mesh.faces[there]])
        small = np.bincount(piece, areas[there]) < wish.fragments_under * areas[there].sum()
        lost = there[small[piece]]
        gone[lost] = True
        removed = replace(
            removed,
            fragments=int(small.sum()),
            fragment_faces=len(lost),
            fragment_share=float(areas[lost].sum()) / total,
        )
    if gone.all():
        raise MeshError("cleaning would leave nothing; lower the share under which pieces are dropped")
    return Cleaned(without(mesh, gone) if gone.any() else mesh, removed, wish)


def without(mesh: Mesh, gone: Bool) -> Mesh:
    """The mesh without some faces (F,), and without the vertices that only those had."""
    kept = ~gone
    used: Bool = np.ones(len(mesh.vertices), dtype=np.bool_)
    used[mesh.faces[gone]] = False
    used[mesh.faces[kept]] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        faces=number[mesh.faces[kept]],
        colors=None if mesh.colors is None else mesh.colors[used],
        normals=None if mesh.normals is None else mesh.normals[used],
        face_uvs=None if mesh.face_uvs is None else mesh.face_uvs[kept],
        face_textures=None if mesh.face_textures is None else mesh.face_textures[kept],
    )


def pieces(faces: I32) -> I32:
    """The number of the connected piece that each face (F, 3) belongs to (F,), counted from 0."""
    corners, local = np.unique(faces, return_inverse=True)
    local = local.reshape(faces.shape)
    ends = np.concatenate([local[:, [0, 1]], local[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends), dtype=np.int8), ends.T), shape=(len(corners), len(corners)))
    label = connected_components(graph, directed=False)[1][local[:, 0]]
    return np.asarray(np.unique(label, return_inverse=True)[1], dtype=np.int32)


def _welded(vertices: F32) -> I32:
    """One number for all vertices in the same place (V,): seams and triangle soups are no gaps."""
    bits = np.ascontiguousarray(vertices + np.float32(0)).view(np.uint32).astype(np.uint64)
    key = (bits[:, 0] | bits[:, 1] << np.uint64(32)) * np.uint64(0x9E3779B97F4A7C15)
    key ^= (bits[:, 2] + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    return np.asarray(np.unique(key, return_inverse=True)[1], dtype=np.int32)


def floor_faces(mesh: Mesh, areas: F64, up: F64, welded: I32) -> Bool:
    """Which faces (F,) are of a floor: level and looking up, low, and wider than any pair of shoes.

    `up` is the height of the faces' normals and `welded` their corners by place. The floor's scraps go
    with it: pieces that lie in the floor whole.
    """
    none: Bool = np.zeros(len(mesh.faces), dtype=np.bool_)
    used = np.unique(mesh.faces)
    heights = mesh.vertices[used, 1].astype(np.float64)
    bottom, height = float(heights.min()), float(np.ptp(heights))
    middles = _middles(mesh)
    level = (up > _FLAT) & (middles[:, 1] < bottom + _LOWEST * height)
    if not level.any():
        return none
    plane = _plane(middles[level], areas[level], bottom, height)
    away = np.abs(mesh.vertices.astype(np.float64) @ plane[:3] - plane[3])
    inside = (away < _SLAB * height)[mesh.faces].all(axis=1)
    sheet = np.flatnonzero(inside & (up > _ROUGH))
    if not len(sheet):
        return none
    piece = pieces(welded[sheet])
    wide = np.bincount(piece, areas[sheet]) > _FLOOR_AREA * height**2
    floor = none.copy()
    floor[sheet[wide[piece]]] = True
    return floor | _scraps(inside, floor, welded) if floor.any() else none


def _middles(mesh: Mesh) -> F64:
    return np.asarray(sum(mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))) / 3


def _plane(middles: F64, areas: F64, bottom: float, height: float) -> F64:
    """Unit normal and offset (4,) of the plane that most of the level area lies in."""
    bins = np.floor((middles[:, 1] - bottom) / (_BINS * height)).astype(np.int64)
    most = int(np.argmax(np.bincount(bins, areas)))
    plane = np.array([0.0, 1.0, 0.0, bottom + (most + 0.5) * _BINS * height])
    for _ in range(_ROUNDS):
        near = np.abs(middles @ plane[:3] - plane[3]) < _SLAB * height
        if near.sum() < 3:
            break
        share = areas[near] / areas[near].sum()
        centre = share @ middles[near]
        spread = (middles[near] - centre) * np.sqrt(share)[:, None]
        normal = np.linalg.svd(spread, full_matrices=False)[2][2]
        normal *= np.sign(normal[1]) or 1.0
        if normal[1] < _FLAT:
            break
        plane = np.append(normal, normal @ centre)
    return plane


def _scraps(inside: Bool, floor: Bool, welded: I32) -> Bool:
    """Faces of pieces that, without the floor, lie in its slab whole."""
    scraps: Bool = np.zeros(len(floor), dtype=np.bool_)
    rest = np.flatnonzero(~floor)
    if len(rest):
        piece = pieces(welded[rest])
        whole = np.bincount(piece, ~inside[rest]) == 0
        scraps[rest] = whole[piece]
    return scraps
