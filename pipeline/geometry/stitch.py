"""Stitch: one closed surface from the first and the last thing that every pixel's ray meets.

Between the two a person is taken to be solid. So the surface is the front's pixels joined to each other,
the back's pixels joined in the same way, and both joined half a pixel outside the silhouette. Where depth
jumps from one pixel to the next there is a wall, straight along the ray between them; where two pixels'
stretches of ray have no depth in common, nothing joins them. Whatever the pixels are, every edge has two
triangles, every vertex one ring of them, and no triangle crosses another: both sides are cut into the same
triangles as seen by the camera, and in all of those the front is in front.

Refuses to know where depth comes from, and what colour anything has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.errors import MeshError
from pipeline.geometry.cells import MIDDLE, OPEN, PLAIN, STEP, triangles
from pipeline.geometry.points import unproject
from pipeline.records import F32, F64, I32, U8, U16, Bool, Camera, Mesh

_STEEP = 10.0  # pixels; what is so much deeper than the pixel beside it is behind a wall
_HALF, _APART = 0.5, 0.45  # of a pixel, to the rim; two rims between the same two pixels do not touch
_NEAREST, _FARTHEST, _ABSURD = 0.05, 0.95, 1.5  # to a rim that the last two pixels tell of
# Of every place beside an edge: right of (0) or below (1) a pixel, at which end, and how far is the pixel.
_BESIDE = (
    (0, 0, 0, 0),
    (0, 1, 0, 0),
    (1, 0, 0, 1),
    (1, 1, 0, 1),
    (0, 1, 1, 0),
    (0, 0, 1, 0),
    (1, 1, 0, 0),
    (1, 0, 0, 0),
)
_CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Stitched:
    """A closed mesh, and which pixel each vertex was seen at.

    `pixels` (V,) count along the picture's rows. `sides` (V,) are 0 on the front, 1 on the back, 2 on the
    rim between them. Of the pixels given, `thin` have nothing between front and back, and `lost` are in
    the `pieces` smaller than the largest.
    """

    mesh: Mesh
    pixels: I32
    sides: U8
    thin: int
    lost: int
    pieces: int


class _Grid(NamedTuple):
    """The part of a picture with a person in it and a pixel around that, and where it begins."""

    front: F32  # (H, W)
    back: F32  # (H, W)
    there: Bool  # (H, W)
    edges: U8  # (2, H, W): to the right of a pixel, and below it
    top: int
    left: int


class _Rim(NamedTuple):
    """Places beside edges, by pixel: those with a step come first."""

    steps: int
    edge: I32  # (N,) into (2, 2, H, W): edge to the right or below, near end or far end, pixel
    pixel: I32  # (N,) the pixel at that end
    inward: I32  # (N,) to the pixel behind that one


def stitch(front: F32 | F64, back: F32 | F64, camera: Camera) -> Stitched:
    """The surface of what is between front and back (H, W), lengths of rays, 0 = nothing."""
    if front.shape != (camera.height, camera.width) or back.shape != front.shape:
        sizes = f"{front.shape} and {back.shape}, and the camera's {(camera.height, camera.width)}"
        raise MeshError(f"depth maps of shape {sizes}; give maps and camera of one size")
    seen = (front > 0) & (back > 0) & np.isfinite(front) & np.isfinite(back)
    solid = seen & (front < back)
    if not solid.any():
        raise MeshError(f"no pixel of {front.size} has a back behind its front; there is nobody to mesh")
    grid, lost, pieces = _largest(_grid(front, back, solid, camera))
    mesh, pixels, sides = _surface(grid, camera)
    return Stitched(mesh, pixels, sides, int((seen & ~solid).sum()), lost, pieces)


def _grid(front: F32 | F64, back: F32 | F64, solid: Bool, camera: Camera) -> _Grid:
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    there = np.pad(solid[box], 1)
    near, far = (np.where(there, np.pad(side[box], 1), 0).astype(np.float32) for side in (front, back))
    edges = np.full((2, *there.shape), OPEN, dtype=np.uint8)
    steep = _STEEP * (1.0 if camera.parallel else float(near[there].mean())) / camera.fx
    for axis, out in ((1, edges[0, :, :-1]), (0, edges[1, :-1])):
        before, after = (np.s_[:, :-1], np.s_[:, 1:]) if axis else (np.s_[:-1], np.s_[1:])
        (a, b), (c, d) = ((side[before], side[after]) for side in (near, far))
        joined = there[before] & there[after] & (np.maximum(a, b) < np.minimum(c, d))
        steps = (np.abs(a - b) > steep) | (np.abs(c - d) > steep)
        out[joined] = np.where(steps[joined], STEP, PLAIN)
    return _Grid(near, far, there, edges, int(rows[0]) - 1, int(columns[0]) - 1)


def _largest(grid: _Grid) -> tuple[_Grid, int, int]:
    """Only the piece of most pixels, how many pixels the others had, and how many there were."""
    shape = grid.there.shape
    joined = grid.edges != OPEN
    begins = grid.there.copy()
    begins[:, 1:] &= ~joined[0, :, :-1]
    run = np.cumsum(begins.ravel(), dtype=np.int32).reshape(shape) - 1
    down = joined[1, :-1]
    ends = run[:-1][down], run[1:][down]
    count = int(begins.sum())
    graph = coo_matrix((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(count, count))
    pieces, label = connected_components(graph, directed=False)
    if pieces == 1:
        return grid, 0, 0
    of_pixel = label[run]
    sizes = np.bincount(of_pixel[grid.there], minlength=pieces)
    there = grid.there & (of_pixel == sizes.argmax())
    edges = np.where(there, grid.edges, OPEN).astype(np.uint8)
    return grid._replace(there=there, edges=edges), int(sizes.sum() - sizes.max()), pieces - 1


def _surface(grid: _Grid, camera: Camera) -> tuple[Mesh, I32, U8]:
    inside = np.flatnonzero(grid.there).astype(np.int32)
    rim = _rim(grid)
    codes = _codes(grid)
    slits = _slits(codes)
    corners, n, k = _numbers(grid, inside), len(inside), rim.steps
    beside = np.full(4 * grid.there.size, -1, dtype=np.int32)
    beside[rim.edge] = 2 * n + np.arange(len(rim.edge), dtype=np.int32)
    first = 2 * n + len(rim.edge) + k  # after the back's places at steps
    middles = np.full(grid.there.size, -1, dtype=np.int32)
    middles[slits] = first + np.arange(len(slits), dtype=np.int32)
    flat = _triangles(grid, codes, corners, beside, middles)
    behind = _behind(n, k, len(rim.edge), len(slits))
    faces = np.concatenate([flat[:, [0, 2, 1]], behind[flat]])
    vertices, pixels, sides = _vertices(grid, inside, rim, slits, camera)
    return Mesh(vertices, faces), pixels, sides


def _numbers(grid: _Grid, inside: I32) -> I32:
    numbers = np.full(grid.there.size, -1, dtype=np.int32)
    numbers[inside] = np.arange(len(inside), dtype=np.int32)
    return numbers


def _behind(n: int, k: int, rims: int, slits: int) -> I32:
    """The back's vertex for each of the front's: pixels, places at steps, and the rim, which both share.

    In all it is n of the front, n of the back, k at steps, the rest of the rim, k behind steps, the slits.
    """
    behind = np.arange(2 * n + rims + k + slits, dtype=np.int32)
    behind[:n] += n
    behind[2 * n : 2 * n + k] += rims
    return behind


def _codes(grid: _Grid) -> U16:
    """What each cell (H - 1, W - 1) looks like, as `cells` counts them."""
    right, below = (side.astype(np.uint16) for side in grid.edges)
    codes = right[:-1, :-1] << 4 | below[:-1, 1:] << 6 | right[1:, :-1] << 8 | below[:-1, :-1] << 10
    high, wide = codes.shape
    for i, (row, column) in enumerate(_CORNERS):
        codes |= grid.there[row : row + high, column : column + wide].astype(np.uint16) << i
    return np.asarray(codes, dtype=np.uint16)


def _slits(codes: U16) -> I32:
    """Cells, as pixels of the grid, with all four corners and one edge that is open."""
    slit = np.zeros(1 << 12, dtype=np.bool_)
    for code in np.unique(codes).tolist():
        slit[code] = any(MIDDLE in triangle for triangle in triangles(code))
    return _as_pixels(slit[codes])


def _as_pixels(cells: Bool) -> I32:
    """Cells as the numbers of the pixels at their left upper corners."""
    rows, columns = np.nonzero(cells)
    return np.asarray(rows * (cells.shape[1] + 1) + columns, dtype=np.int32)


def _rim(grid: _Grid) -> _Rim:
    """Every place beside an edge that has a step, or that is open on one side of a pixel that is there."""
    size = grid.there.size
    wide = grid.there.shape[1]
    flat, there = grid.edges.reshape(2, size), grid.there.ravel()
    kinds: dict[int, list[tuple[I32, I32, I32]]] = {STEP: [], OPEN: []}
    for axis, step in ((0, 1), (1, wide)):
        for kind in (STEP, OPEN):
            at = np.flatnonzero(flat[axis] == kind).astype(np.int32)
            at = at[at + step < size]
            for end in (0, 1):
                mine = at[there[at + end * step]]
                inward = np.full(len(mine), (2 * end - 1) * step, dtype=np.int32)
                edge = mine + np.int32((2 * axis + end) * size)
                kinds[kind].append((edge, mine + np.int32(end * step), inward))
    order = [*kinds[STEP], *kinds[OPEN]]
    edge, pixel, inward = (np.concatenate([one[i] for one in order]) for i in range(3))
    return _Rim(sum(len(one[0]) for one in kinds[STEP]), edge, pixel, inward)


def _triangles(grid: _Grid, codes: U16, corners: I32, beside: I32, middles: I32) -> I32:
    """The front's triangles (F, 3), clockwise in the picture."""
    size, wide = grid.there.size, grid.there.shape[1]
    plain = codes == 0b1111
    found = [_quads(grid, corners, _as_pixels(plain))]
    special = _as_pixels(~plain & ((codes & 0b1111) > 0))
    codes_of = codes[special // wide, special % wide]
    for code in np.unique(codes_of).tolist():
        at = special[codes_of == code]
        for triangle in triangles(code):
            sides = [_place(place, at, size, wide, (corners, beside, middles)) for place in triangle]
            found.append(np.stack(sides, axis=1))
    return np.concatenate(found)


def _place(place: int, at: I32, size: int, wide: int, numbers: tuple[I32, I32, I32]) -> I32:
    corners, beside, middles = numbers
    if place == MIDDLE:
        return middles[at]
    if place < 4:
        row, column = _CORNERS[place]
        return corners[at + (row * wide + column)]
    axis, end, row, column = _BESIDE[place - 4]
    return beside[at + ((2 * axis + end) * size + row * wide + column)]


def _quads(grid: _Grid, corners: I32, at: I32) -> I32:
    """Two triangles for each cell, split along the diagonal that is shorter, taking both sides together."""
    wide = grid.there.shape[1]
    a, b, c, d = (corners[at + step] for step in (0, 1, wide + 1, wide))
    down, up = np.zeros(len(at), dtype=np.float32), np.zeros(len(at), dtype=np.float32)
    for side in (grid.front.ravel(), grid.back.ravel()):
        down += np.square(side[at] - side[at + wide + 1])
        up += np.square(side[at + 1] - side[at + wide])
    falls = down <= up
    first = np.stack([a, b, np.where(falls, c, d)], axis=1)
    second = np.stack([np.where(falls, a, b), c, d], axis=1)
    return np.concatenate([first, second])


def _vertices(grid: _Grid, inside: I32, rim: _Rim, slits: I32, camera: Camera) -> tuple[F32, I32, U8]:
    """Places (V, 3), pixels of the whole picture (V,) and sides (V,), in the order of `_behind`."""
    wide, k = grid.there.shape[1], rim.steps
    front, back = grid.front.ravel(), grid.back.ravel()
    middle = (front + back) / 2
    between = np.mean([middle[slits + step] for step in (0, 1, wide, wide + 1)], axis=0)
    edge = middle[rim.pixel[k:]]
    steps = rim.pixel[:k]
    pixel = np.concatenate([inside, inside, rim.pixel, steps, slits])
    lengths = np.concatenate([front[inside], back[inside], front[steps], edge, back[steps], between])
    out = _reach(grid, rim)
    across = np.sign(rim.inward) * (np.abs(rim.inward) == 1)
    down = np.sign(rim.inward) * (np.abs(rim.inward) > 1)
    half = np.full(len(slits), 0.5)
    u, v = (
        part + np.concatenate([np.zeros(2 * len(inside)), -side * out, -side[:k] * out[:k], half])
        for part, side in ((pixel % wide + grid.left + 0.5, across), (pixel // wide + grid.top + 0.5, down))
    )
    parts = (len(inside), len(inside), k, len(edge), k, len(slits))
    sides = np.repeat(np.array([0, 1, 0, 2, 1, 2], dtype=np.uint8), parts)
    whole = (pixel // wide + grid.top) * camera.width + pixel % wide + grid.left
    return unproject(u, v, lengths.astype(np.float64), camera), whole.astype(np.int32), sides


def _reach(grid: _Grid, rim: _Rim) -> F64:
    """How far from its pixel each place is: half-way at steps, and where front and back meet at the rim.

    A round surface's thickness, squared, falls by as much from each pixel to the next: so it is known where
    it would be nothing.
    """
    there, size = grid.there.ravel(), grid.there.size
    thick = np.square((grid.back - grid.front).ravel().astype(np.float64))
    behind = (rim.pixel + rim.inward).clip(0, size - 1)
    last = thick[rim.pixel]
    falls = np.where(there[behind], thick[behind], 0.0) - last
    reach = np.divide(last, falls, out=np.full(len(last), np.inf), where=falls > 0)
    reach = np.where(reach < _ABSURD, reach.clip(_NEAREST, _FARTHEST), _HALF)
    shared = there[(rim.pixel - rim.inward).clip(0, size - 1)]
    reach[shared] = _APART
    reach[: rim.steps] = _HALF
    return reach
