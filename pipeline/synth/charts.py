"""Cuts a surface into charts: pieces that lie on a coordinate plane and face one way.

A face goes with the axis it looks along, smoothed so that wrinkles do not shred the cut, and no chart is
much larger than a tile. Refuses to know pixels and colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.records import F32, I32, Bool

_TILE = 0.30  # metres: smaller pieces pack better, larger ones have fewer seams
_FACING = np.float32(0.2)  # least cosine between a face and the axis its chart lies on
_SMOOTHINGS = 12
_MERGES = 6
_SMALL = (8, 200)  # faces below which a chart would rather join another, for the smallest and largest mesh

# for each way to look, +x -x +y -y +z -z: what is to the right, what is up, and what comes to the eye
FRAMES: F32 = np.array(
    [
        [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
        [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    ],
    dtype=np.float32,
)


@dataclass(frozen=True, slots=True, eq=False)
class Charts:
    """The chart of each face (F,), and for each chart (C,) the frame it is looked at in."""

    of_face: I32
    frame: I32


def cut(vertices: F32, faces: I32, pairs: I32) -> Charts:
    """Charts in which every face with an area is seen from its front; `pairs` are the faces' neighbours."""
    normals = _face_normals(vertices, faces)
    cosines = normals @ FRAMES[:, 2].T
    smooth = _smoothed(normals, faces, len(vertices)) @ FRAMES[:, 2].T
    frame = np.where(cosines >= _FACING, smooth, cosines - 4).argmax(axis=1).astype(np.int32)
    label = frame + 6 * _tile(vertices, faces, frame)
    charts = joined(len(faces), pairs[label[pairs[:, 0]] == label[pairs[:, 1]]])
    frames = np.zeros(int(charts.max()) + 1, dtype=np.int32)
    frames[charts] = frame
    return _merged(Charts(charts, frames), pairs, cosines)


def split(charts: Charts, away: I32, pairs: I32) -> Charts:
    """The charts with some faces taken out of theirs, into new ones of the same frame."""
    taken = np.zeros(len(charts.of_face), dtype=np.bool_)
    taken[away] = True
    a, b = pairs[taken[pairs[:, 0]] & taken[pairs[:, 1]]].T
    same = charts.of_face[a] == charts.of_face[b]
    number = np.full(len(taken), -1, dtype=np.int32)
    number[away] = np.arange(len(away), dtype=np.int32)
    piece = joined(len(away), np.stack([number[a[same]], number[b[same]]], axis=1))
    mixed = charts.of_face.copy()
    mixed[away] = len(charts.frame) + piece
    frames = np.concatenate([charts.frame, np.zeros(int(piece.max(initial=-1)) + 1, dtype=np.int32)])
    frames[mixed[away]] = charts.frame[charts.of_face[away]]
    return _numbered(Charts(mixed, frames))


def _numbered(charts: Charts) -> Charts:
    """The same charts, without those that have no face."""
    used = np.bincount(charts.of_face, minlength=len(charts.frame)) > 0
    number = (np.cumsum(used) - 1).astype(np.int32)
    return Charts(np.asarray(number[charts.of_face]), charts.frame[used])


def neighbours(faces: I32, vertices: int) -> I32:
    """Pairs of faces (E, 2) that share an edge."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    key = ends.min(axis=1) * vertices + ends.max(axis=1)
    order = np.argsort(key)
    same = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    pairs = np.stack([order[same], order[same + 1]], axis=1) % len(faces)
    return pairs.astype(np.int32)


def joined(count: int, pairs: I32) -> I32:
    """The number of the connected piece of each of `count` things."""
    ones = np.ones(len(pairs), dtype=np.bool_)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)


def _face_normals(vertices: F32, faces: I32) -> F32:
    """Unit normals (F, 3); zero where a face has no area."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return _unit(np.cross(b - a, c - a))


def _smoothed(normals: F32, faces: I32, vertices: int) -> F32:
    """Normals (F, 3) averaged with those around, about unit length."""
    own = np.arange(vertices, dtype=np.int32)
    start = np.concatenate([own, faces[:, 0], faces[:, 1], faces[:, 2]])
    end = np.concatenate([own, faces[:, 1], faces[:, 2], faces[:, 0]])
    ones = np.ones(len(start), dtype=np.float32)
    around = coo_matrix((ones, (start, end)), shape=(vertices, vertices)).tocsr()
    smooth = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normals[:, i], 3), vertices) for i in range(3)], axis=1
    ).astype(np.float32)
    for _ in range(_SMOOTHINGS):
        smooth = around @ _unit(smooth)
    smooth = _unit(smooth)
    return np.asarray((smooth[faces[:, 0]] + smooth[faces[:, 1]] + smooth[faces[:, 2]]) / 3)


def _unit(vectors: F32) -> F32:
    """Vectors (N, 3) of length one; zero stays zero."""
    length = np.sqrt(np.einsum("ni,ni->n", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, np.float32(1e-12))[:, None])


def _tile(vertices: F32, faces: I32, frame: I32) -> I32:
    """Which tile (F,) of its plane a face lies in."""
    place = flat_centres(vertices, faces, frame)
    index = np.floor(place / np.float32(_TILE)).astype(np.int32)
    index -= index.min(axis=0)
    return np.asarray(index[:, 0] + index[:, 1] * (index[:, 0].max() + 1), dtype=np.int32)


def flat_centres(vertices: F32, faces: I32, frame: I32) -> F32:
    """Middle of each face (F, 2) in its plane, right and up."""
    corners = [along(vertices, faces, frame, which) for which in (0, 1)]
    return np.stack([np.asarray(c.mean(axis=1)) for c in corners], axis=1)


def along(vertices: F32, faces: I32, frame: I32, which: int) -> F32:
    """Coordinates (F, 3) of the corners in their face's frame: 0 to the right, 1 up, 2 to the eye."""
    axis = np.abs(FRAMES[:, which]).argmax(axis=1).astype(np.int32)
    sign = FRAMES[np.arange(len(FRAMES)), which, axis]
    flat = vertices.reshape(-1)[faces * np.int32(3) + axis[frame][:, None]]
    return np.asarray(flat * sign[frame][:, None])


def _merged(charts: Charts, pairs: I32, cosines: F32) -> Charts:
    """Charts after small ones have joined the neighbour they share most with, if they face its way."""
    of_face, frame = charts.of_face, charts.frame
    least = int(np.clip(len(of_face) / 10_000, *_SMALL))
    for _ in range(_MERGES):
        size = np.bincount(of_face, minlength=len(frame))
        worst = _least_cosines(of_face, cosines, size < least)
        ends = of_face[pairs[of_face[pairs[:, 0]] != of_face[pairs[:, 1]]]]
        a, b = np.concatenate([ends, ends[:, ::-1]]).T
        fits = (worst[a, frame[b]] >= _FACING) & ((size[b] > size[a]) | ((size[b] == size[a]) & (b < a)))
        shared, counts = np.unique(a[fits] * np.int64(len(frame)) + b[fits], return_counts=True)
        if not len(shared):
            break
        source, target = shared // len(frame), shared % len(frame)
        order = np.lexsort((counts, source))
        last = np.flatnonzero(np.diff(source[order], append=-1))
        source, target = source[order][last], target[order][last]
        moving = np.zeros(len(frame), dtype=np.bool_)
        moving[source] = True
        settled = ~moving[target]
        goes = np.arange(len(frame), dtype=np.int32)
        goes[source[settled]] = target[settled]
        of_face = np.asarray(goes[of_face])
    return _numbered(Charts(of_face, frame))


def _least_cosines(of_face: I32, cosines: F32, chosen: Bool) -> F32:
    """For each chosen chart (C, 6) how far its least willing face faces each way; -1 for the others."""
    worst = np.full((len(chosen), cosines.shape[1]), -1, dtype=np.float32)
    members = np.flatnonzero(chosen[of_face])
    if len(members):
        members = members[np.argsort(of_face[members], kind="stable")]
        chart = of_face[members]
        starts = np.flatnonzero(np.diff(chart, prepend=-1))
        worst[chart[starts]] = np.minimum.reduceat(cosines[members], starts, axis=0)
    return worst
