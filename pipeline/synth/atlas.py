"""A texture for a coloured surface: its charts side by side in a square, no two over each other.

Charts are cut at rest, where arms and legs are apart. Faces that would lie under others of their chart are
peeled off into charts of their own. Refuses to know people and files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.records import F32, F64, I32, U8, Bool
from pipeline.synth.charts import Charts, along, cut, neighbours, split
from pipeline.synth.texels import Cover, cover, filled

GUTTER = 4  # pixels of colour around each chart
_SIZES = (512, 1024, 2048, 4096)
_PIXELS = 12  # of the square, for each vertex
_SHRINK = 0.97  # from one try at packing to the next
_APART = 6.0  # pixels: a face too thin to cover any, this far from what does, lies over or under it


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where each corner lies (F, 3, 2) in pixels, row 0 at the top; pixels a metre; what is covered."""

    corners: F64
    density: float
    covered: Cover


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """Texture coordinates (T, 2) and which of them each face has (F, 3); the chart of each face (F,)."""

    uvs: F32
    face_uvs: I32
    charts: I32
    layout: Layout


def size_for(vertices: int) -> int:
    """The side of the texture, in pixels, for so many vertices."""
    return next((s for s in _SIZES if s * s >= _PIXELS * vertices), _SIZES[-1])


def unwrap(vertices: F32, faces: I32, size: int) -> Atlas:
    """An atlas of a surface, whose every face is in one chart and over no other face."""
    pairs = neighbours(faces, len(vertices))
    charts = cut(vertices, faces, pairs)
    suspects = np.arange(len(faces), dtype=np.int32)
    while len(suspects):
        numbers, of_face = np.unique(charts.of_face[suspects], return_inverse=True)
        part = Charts(of_face.astype(np.int32), charts.frame[numbers])
        some = faces[suspects]
        suspects = suspects[_hidden(vertices, some, part, _packed(vertices, some, part, size))]
        charts = split(charts, suspects, pairs)
    layout = _packed(vertices, faces, charts, size)
    uvs, face_uvs = _coordinates(layout.corners, faces, charts.of_face, size)
    return Atlas(uvs, face_uvs, charts.of_face, layout)


def texture_of(atlas: Atlas, faces: I32, colors: U8) -> U8:
    """The picture (size, size, 3) of vertex colours (V, 3)."""
    return filled(atlas.layout.corners, colors[faces], atlas.layout.covered, GUTTER)


def _packed(vertices: F32, faces: I32, charts: Charts, size: int) -> Layout:
    """The charts side by side in the square, as large as they fit."""
    frame = charts.frame[charts.of_face]
    flat = np.empty((len(faces), 3, 2))
    flat[..., 0] = along(vertices, faces, frame, 0)
    flat[..., 1] = -along(vertices, faces, frame, 1)
    low, high = _bounds(flat, charts)
    lying = (high - low)[:, 0] > (high - low)[:, 1]  # turned by a quarter, to stand
    turn = lying[charts.of_face]
    flat[turn] = flat[turn][..., ::-1] * (1, -1)
    low, high = _bounds(flat, charts)
    density = size * float(np.sqrt(0.8 / np.prod(high - low, axis=1).sum()))
    places = None
    while places is None:
        density *= _SHRINK
        boxes = np.ceil((high - low) * density).astype(np.int64) + 1 + 2 * GUTTER
        places = _shelves(boxes, size)
    flat *= density
    flat += (places + (GUTTER + 0.5) - low * density)[charts.of_face][:, None]
    return Layout(flat, density, cover(flat, size))


def _bounds(flat: F64, charts: Charts) -> tuple[F64, F64]:
    """The least and greatest coordinates (C, 2) of each chart."""
    low, high = np.full((len(charts.frame), 2), np.inf), np.full((len(charts.frame), 2), -np.inf)
    for axis in range(2):
        np.minimum.at(low[:, axis], charts.of_face, flat[..., axis].min(axis=1))
        np.maximum.at(high[:, axis], charts.of_face, flat[..., axis].max(axis=1))
    return low, high


def _shelves(boxes: np.ndarray, size: int) -> I32 | None:
    """Where boxes (C, 2) lie in a square, on shelves, tall ones first; None if they do not fit."""
    places = np.zeros(boxes.shape, dtype=np.int32)
    x, y, shelf = 0, 0, 0
    for i in np.lexsort((-boxes[:, 0], -boxes[:, 1])).tolist():
        width, height = boxes[i].tolist()
        if x + width > size:
            x, y, shelf = 0, y + shelf, 0
        shelf = max(shelf, height)
        if width > size or y + height > size:
            return None
        places[i] = x, y
        x += width
    return places


def _hidden(vertices: F32, faces: I32, charts: Charts, layout: Layout) -> Bool:
    """Which faces (F,) lie under another one of their chart, or too far from it to tell."""
    depths = along(vertices, faces, charts.frame[charts.of_face], 2)
    depth = np.asarray(depths.mean(axis=1))
    face, pixel, size = layout.covered.triangle, layout.covered.pixel, layout.covered.size
    hidden = np.zeros(len(faces), dtype=np.bool_)
    owner = np.full(size * size, -1, dtype=np.int32)
    owner[pixel] = face
    twice = np.zeros(size * size, dtype=np.bool_)
    twice[pixel[owner[pixel] != face]] = True
    several = np.flatnonzero(twice[pixel])
    order = several[np.lexsort((-depth[face[several]], pixel[several]))]
    under = order[1:][pixel[order[1:]] == pixel[order[:-1]]]
    hidden[face[under]] = True
    bare = np.ones(len(faces), dtype=np.bool_)
    bare[face] = False
    thin = np.flatnonzero(bare)
    centre = np.floor(layout.corners[thin].mean(axis=1)).astype(np.int64)
    met = owner[centre[:, 1] * size + centre[:, 0]]
    apart = np.abs(depth[thin] - depth[met]) - np.ptp(depths[thin], axis=1) - np.ptp(depths[met], axis=1)
    hidden[thin] = (met >= 0) & (apart * layout.density > _APART)
    return hidden


def _coordinates(corners: F64, faces: I32, charts: I32, size: int) -> tuple[F32, I32]:
    """Texture coordinates (T, 2), one for each vertex of each chart, and the faces' (F, 3)."""
    vertex, chart = faces.ravel(), np.repeat(charts, 3)
    first = np.full(int(faces.max()) + 1, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first, vertex, chart)
    other = np.flatnonzero(chart != first[vertex])
    key = chart[other] * np.int64(len(first)) + vertex[other]
    extra, number = np.unique(key, return_inverse=True)
    index = vertex.copy()
    index[other] = len(first) + number
    uvs = np.zeros((len(first) + len(extra), 2), dtype=np.float32)
    uvs[index] = corners.reshape(-1, 2) / size
    uvs[:, 1] = 1 - uvs[:, 1]
    return uvs, index.reshape(-1, 3)
