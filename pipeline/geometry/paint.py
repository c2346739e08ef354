"""Paint: vertex colours from the one picture that there is.

The front has the picture's colours, but for a few pixels inside the silhouette, whose colours are partly
the background's: they take those of the nearest pixel further in. Nobody has seen the back. It gets the
front's colours at the same pixels, mixed over a few centimetres, so that clothes and skin have about their
own colours and no face, print or button looks out behind. The rim has what lies between the two.

Refuses to know light: what is shaded in the picture is painted as if it were dark.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from pipeline.errors import MeshError
from pipeline.geometry.stitch import Stitched
from pipeline.records import F32, U8, Bool, Mesh

_MIXED = 2.0 / 2048  # of the picture's width: how far in the background's colour reaches
_SPREAD = 12.0 / 2048  # of the picture's width: over how much the back's colours are mixed, three times


def painted(stitched: Stitched, picture: U8) -> Mesh:
    """The mesh with colours from the picture (H, W, 3) that its depth belongs to."""
    high, wide = picture.shape[:2]
    rows, columns = np.divmod(stitched.pixels, wide)
    if rows.max() >= high:
        raise MeshError(f"picture is {wide} x {high}, the depth's is larger; give the picture of this size")
    there = np.zeros((high, wide), dtype=np.bool_)
    there[rows, columns] = True
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    front = _without_background(picture[box], there[box], wide)
    back = _mixed(front, there[box], wide)
    at = rows - rows.min(), columns - columns.min()
    share = np.array([0.0, 1.0, 0.5], dtype=np.float32)[stitched.sides][:, None]
    colors = front[at] * (1 - share) + back[at] * share
    return replace(stitched.mesh, colors=np.rint(colors).clip(0, 255).astype(np.uint8))


def repainted(bare: Mesh, like: Mesh) -> Mesh:
    """A mesh with the colours of the nearest vertices of another one."""
    if like.colors is None:
        raise MeshError(f"mesh of {len(like.vertices)} vertices has no colours to give; paint it first")
    _, nearest = cKDTree(like.vertices).query(bare.vertices)
    return replace(bare, colors=like.colors[nearest])


def _without_background(picture: U8, there: Bool, wide: int) -> F32:
    """The picture (H, W, 3), whose pixels near the silhouette have the colours of those further in."""
    away = ndimage.distance_transform_edt(np.pad(there, 1))[1:-1, 1:-1]
    inside = away > max(_MIXED * wide, 1.0)
    # A finger may have nothing further in: then its own middle is the best that there is.
    inside |= (away == ndimage.maximum_filter(away, 3)) & there
    rows, columns = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.asarray(picture[rows, columns], dtype=np.float32)


def _mixed(colors: F32, there: Bool, wide: int) -> F32:
    """The means (H, W, 3) of the colours around each pixel that is there."""
    width = 2 * round(_SPREAD * wide) + 1
    weights = there.astype(np.float32)
    sums = colors * weights[..., None]
    for _ in range(3):
        weights = ndimage.uniform_filter(weights, width, mode="constant")
        sums = ndimage.uniform_filter(sums, (width, width, 0), mode="constant")
    return np.asarray(sums / np.maximum(weights, 1e-6)[..., None], dtype=np.float32)
