"""An independent check of the renderer at full size: every pixel's ray through millions of triangles.

Embree, in float32, says only which triangle a ray meets first; where it meets it is then solved in float64.
The farthest triangle is the first one of the same line walked from its other end. Shares no code and no
formula with the renderer, and knows the cameras by docs/conventions.md alone. Refuses to know the encoding
of depth, and how far is too far: it says what is true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pipeline.records import F32, F64, I32, U8, Bool

_HALF = np.tan(np.radians(25.0))  # of the picture's width, one unit in front of the camera
_CAMERA = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Where N rays meet a mesh: how far along, in which triangle, and the weights of its three corners."""

    length: F64  # (N,)
    face: I32  # (N,)
    weights: F64  # (N, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Which pixels' rays meet the mesh, and where first and last, in the order of `picture[seen]`."""

    seen: Bool  # (size, size)
    nearest: Hits
    farthest: Hits


def cast(vertices: F32 | F64, faces: I32, size: int, orthographic: bool = False) -> Sight:
    """What every pixel's ray meets of a mesh that is before the camera, already turned for the view.

    The rays are those of a camera at (0, 0, 1) along -z, 50 degrees wide, or parallel ones from z = 1.
    """
    places = np.asarray(vertices, dtype=np.float64)
    seen, starts, along = _rays(places, size, orthographic)
    beyond = float(np.linalg.norm(places - _CAMERA, axis=1).max()) * 1.01
    scene = EmbreeScene(robust=True)
    TriangleMesh(scene, places.astype(np.float32), np.ascontiguousarray(faces, dtype=np.int32))
    first = _first(scene, starts, along)
    last = _first(scene, starts + along * beyond, -along)
    del scene
    # A line that slips between two triangles one way is stopped by them the other way.
    first, last = np.where(first < 0, last, first), np.where(last < 0, first, last)
    hit = first >= 0
    seen[seen] = hit
    starts, along = starts[hit], along[hit]
    nearest, farthest = (_meet(places, faces, which[hit], starts, along) for which in (first, last))
    return Sight(seen, nearest, farthest)


def blend(values: F32 | F64 | U8, faces: I32, hits: Hits) -> F64:
    """What is seen of values (V, C) that faces' corners name, linear in between (N, C)."""
    corners = faces[hits.face]
    return np.asarray(sum(values[corners[:, i]] * hits.weights[:, i, None] for i in range(3)))


def smooth_normals(vertices: F32 | F64, faces: I32) -> F64:
    """Unit normals (V, 3): the mean of a vertex's triangles, weighted by area; 0 where there are none."""
    a, b, c = (np.asarray(vertices, dtype=np.float64)[faces[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    sums = np.zeros((len(vertices), 3))
    for i in range(3):
        np.add.at(sums, faces[:, i], normals)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0))


def texels(texture: U8, uvs: F64) -> F64:
    """The texture (H, W, 3) at uvs (N, 2), bilinear and repeating, where v = 1 is the top edge (N, 3)."""
    high, wide = texture.shape[:2]
    x, y = uvs[:, 0] * wide - 0.5, (1 - uvs[:, 1]) * high - 0.5
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    right, down = (x - column)[:, None], (y - row)[:, None]
    here, there = column % wide, (column + 1) % wide
    above = texture[row % high, here] * (1 - right) + texture[row % high, there] * right
    below = texture[(row + 1) % high, here] * (1 - right) + texture[(row + 1) % high, there] * right
    return np.asarray(above * (1 - down) + below * down)


def _rays(places: F64, size: int, orthographic: bool) -> tuple[Bool, F64, F64]:
    """The pixels (size, size) around the mesh's picture, and where their rays start and go (N, 3)."""
    flat = places[:, :2] if orthographic else places[:, :2] / (1 - places[:, 2:])
    x, y = (flat / _HALF * [1, -1] * (size / 2) + size / 2).T
    box = np.zeros((size, size), dtype=bool)
    rows, columns = (slice(max(int(w.min()) - 1, 0), max(int(w.max()) + 2, 0)) for w in (y, x))
    box[rows, columns] = True
    row, column = np.nonzero(box)
    x, y = ((i + 0.5) * (2 / size) - 1 for i in (column, row))
    on_plane = np.stack([x, -y], axis=1) * _HALF
    if orthographic:
        starts = np.column_stack([on_plane, np.ones(len(row))])
        return box, starts, np.broadcast_to(-_CAMERA, starts.shape)
    along = np.column_stack([on_plane, -np.ones(len(row))])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return box, np.broadcast_to(_CAMERA, along.shape), along


def _first(scene: EmbreeScene, starts: F64, along: F64) -> I32:
    """The first triangle (N,) that each ray meets, -1 = none."""
    return np.asarray(scene.run(starts.astype(np.float32), along.astype(np.float32)))


def _meet(places: F64, faces: I32, which: I32, starts: F64, along: F64) -> Hits:
    """Where rays meet the triangles that they are known to meet.

    The three tetrahedra that a line spans with a triangle's sides share out the weights. A ray that passes
    outside by float32's rounding is taken to the side it passes, so no length leaves its triangle.
    """
    corners = [places[faces[which, i]] - starts for i in range(3)]
    ahead = np.einsum("ij,ij->i", sum(corners) / 3, along)
    a, b, c = (corner - along * ahead[:, None] for corner in corners)
    sides = np.stack(
        [np.einsum("ij,ij->i", along, np.cross(p, q)) for p, q in ((b, c), (c, a), (a, b))], axis=1
    )
    whole = sides.sum(axis=1, keepdims=True)
    weights = np.divide(sides, whole, out=np.full_like(sides, 1 / 3), where=whole != 0)
    weights = weights.clip(0)
    weights /= weights.sum(axis=1, keepdims=True)
    rest = np.stack([np.einsum("ij,ij->i", along, corner) for corner in (a, b, c)], axis=1)
    return Hits(ahead + np.einsum("ij,ij->i", weights, rest), which, weights)
