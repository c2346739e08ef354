"""A closed triangle surface where a signed distance is zero.

Marching cubes over the cells a `Lattice` keeps: every edge has exactly two faces, faces turn outward, and
only the largest piece stays. Refuses to know what it is the surface of.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.errors import MeshError
from pipeline.records import F32, I32
from pipeline.synth.cubes import COUNTS, EDGES, TRIANGLES
from pipeline.synth.lattice import DEFAULT, Lattice, Sampling, any_corner, corners_of
from pipeline.synth.solids import Distance, Vector

_SLIVER = np.float32(0.03)  # no vertex comes nearer than this part of a cell to a grid point
_CLOSE = 0.04  # how far, in parts of it, a vertex count may be from what was asked
_TRIES = 8

Surface = tuple[F32, I32]


def extract(
    distance: Distance, low: Vector, high: Vector, cell: float, sampling: Sampling = DEFAULT
) -> Surface:
    """The largest closed piece of the zero surface within a box: vertices (V, 3) and faces (F, 3)."""
    return _largest(*_march(Lattice(distance, low, high, cell, sampling)))


def extract_count(
    distance: Distance, low: Vector, high: Vector, vertices: int, sampling: Sampling = DEFAULT
) -> Surface:
    """The surface with about as many vertices as asked for: within 4 % as a rule.

    Vertices times the square of the cell is nearly a constant of the surface. It is measured on coarser
    surfaces, carried on to the cell that is wanted, and measured again if that failed.
    """
    cell = sampling.coarse
    cells: list[float] = []
    worths: list[float] = []
    for _ in range(_TRIES):
        made = extract(distance, low, high, cell, sampling)
        count = len(made[0])
        if abs(count - vertices) < _CLOSE * vertices:
            break
        cells.append(cell)
        worths.append(count * cell**2)
        if len(cells) == 1 and 4 * count < vertices:
            cell /= 2
        else:
            aim = vertices if 32 * count > vertices else vertices / 16
            cell = _next_cell(cells[-2:], worths[-2:], aim)
    return made


def _next_cell(cells: list[float], worths: list[float], vertices: float) -> float:
    """The cell that should give so many vertices, from what cells were worth (vertices x cell^2)."""
    cell = float(np.sqrt(worths[-1] / vertices))
    if len(cells) == 1 or cells[0] < 1.2 * cells[1]:
        return cell
    slope = (worths[1] - worths[0]) / (cells[1] - cells[0])
    for _ in range(4):
        worth = worths[1] + slope * (cell - cells[1])
        cell = float(np.sqrt(np.clip(worth, 0.8 * worths[1], 1.25 * worths[1]) / vertices))
    return cell


def _march(lattice: Lattice) -> Surface:
    """Vertices on the crossed edges of the lattice, and the faces between them."""
    if not len(lattice.blocks):
        raise MeshError("there is no surface in the box: the distance is far from zero everywhere")
    owner, edge_ids, vertices = _vertices(lattice)
    faces = [_faces(lattice, slots, owner, edge_ids) for slots in lattice.batches()]
    return vertices, np.concatenate(faces)


def _vertices(lattice: Lattice) -> tuple[I32, I32, F32]:
    """For each point its row (blocks, side, side, side) in a table of vertex numbers (P, 3); vertices."""
    owner = np.full(lattice.values.shape, -1, dtype=np.int32)
    ids, vertices = [np.zeros((0, 3), dtype=np.int32)], [np.zeros((0, 3), dtype=np.float32)]
    points, made = 0, 0
    for slots in lattice.batches():
        padded = lattice.padded(lattice.values, slots)
        inside, known = padded < 0, ~np.isnan(padded)
        start = (slice(None), *3 * (slice(None, -1),))
        crossed = np.zeros((*padded[start].shape, 3), dtype=np.bool_)
        for axis in range(3):
            end = tuple(slice(1, None) if i == axis + 1 else s for i, s in enumerate(start))
            crossed[..., axis] = (inside[start] != inside[end]) & known[start] & known[end]
        at = np.flatnonzero(crossed.any(axis=-1))
        flags = crossed.reshape(-1, 3)[at]
        numbers = made + np.cumsum(flags.reshape(-1), dtype=np.int32).reshape(-1, 3) - 1
        owner[slots[0] : slots[-1] + 1].reshape(-1)[at] = points + np.arange(len(at), dtype=np.int32)
        ids.append(numbers)
        vertices.append(_crossings(lattice, slots, padded, at, flags))
        points, made = points + len(at), made + len(vertices[-1])
    return owner, np.concatenate(ids), np.concatenate(vertices)


def _crossings(lattice: Lattice, slots: I32, padded: F32, at: np.ndarray, flags: np.ndarray) -> F32:
    """Where the surface crosses the flagged edges (N, 3) of the points `at` of some blocks (V, 3)."""
    row, axis = np.nonzero(flags)
    slot, *local = np.unravel_index(at[row], (len(slots), *3 * (lattice.side,)))
    place = np.stack(local, axis=1)
    first = padded[(slot, *place.T)]
    beyond = place.copy()
    beyond[np.arange(len(axis)), axis] += 1
    part = first / (first - padded[(slot, *beyond.T)])
    grid = (lattice.blocks[slots[slot]] * lattice.side + place).astype(np.float64)
    grid[np.arange(len(axis)), axis] += np.clip(part, _SLIVER, 1 - _SLIVER)
    return np.asarray(lattice.low + grid * lattice.cell, dtype=np.float32)


def _faces(lattice: Lattice, slots: I32, owner: I32, edge_ids: I32) -> I32:
    """Triangles of the cells of some blocks (F, 3)."""
    padded = lattice.padded(lattice.values, slots)
    inside, known = padded < 0, ~np.isnan(padded)
    n = lattice.side
    case = np.zeros((len(slots), n, n, n), dtype=np.uint8)
    for corner, flags in enumerate(corners_of(inside)):
        case |= flags.astype(np.uint8) << np.uint8(corner)
    case[any_corner(~known)] = 0
    cells = np.flatnonzero(COUNTS[case] > 0)
    case = case.reshape(-1)[cells]
    rows = lattice.padded(owner, slots).reshape(-1)
    m = n + 1
    slot, i, j, k = np.unravel_index(cells, (len(slots), n, n, n))
    base = ((slot * m + i) * m + j) * m + k
    step = np.array([((c & 1) * m + (c >> 1 & 1)) * m + (c >> 2 & 1) for c, _ in EDGES])
    axis = np.array([a for _, a in EDGES])
    faces = []
    for t in range(TRIANGLES.shape[1]):
        some = np.flatnonzero(COUNTS[case] > t)
        edges = TRIANGLES[case[some], t]
        row = rows[base[some, None] + step[edges]]
        faces.append(edge_ids[row, axis[edges]])
    return np.concatenate(faces)


def _largest(vertices: F32, faces: I32) -> Surface:
    """The connected piece with the most vertices."""
    if not len(faces):
        raise MeshError("there is no surface in the box: the distance is nowhere negative")
    start = np.concatenate([faces[:, 0], faces[:, 1]])
    end = np.concatenate([faces[:, 1], faces[:, 2]])
    graph = coo_matrix((np.ones(len(start), dtype=np.bool_), (start, end)), shape=2 * (len(vertices),))
    pieces, label = connected_components(graph, directed=False)
    if pieces == 1:
        return vertices, faces
    kept = label == np.argmax(np.bincount(label))
    number = np.cumsum(kept, dtype=np.int32) - 1
    return vertices[kept], number[faces[kept[faces[:, 0]]]]
