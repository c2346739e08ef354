"""Normals of depth maps: true ones, and the published ones.

Refuses to know what they are compared with.

Normals have six channels, front and then back, each x, y, z as (n + 1) / 2; all 0 where there is none. True
ones have x right, y up, z towards the camera; the front's look at the camera and the back's away from it.
The published ones have x left, and look at the camera on both sides.
Legend of suffixes: B batch, H and W of the image; 2 is front and back, 3 is x, y, z, 6 is both.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from recon.rays import points

_JUMP = 4.0  # a step so much longer than the one opposite leads to another surface
_PUBLISHED_Z, _PUBLISHED_NEAREST = 1 / 255, 0.2


def true_normals(depth_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Normals (B, 6, H, W) at the pixels of a mask, by the points to either side of each.

    Where one side is outside the mask or on another surface, the other one serves alone.
    """
    return _normals(depth_B2HW, mask_B1HW, one_sided=False)


def slopes(depth_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Normals (B, 6, H, W) by the points to the right and above, or opposite if those are outside the mask.

    They are half a pixel off. But they see what goes up and down from pixel to pixel, to which true normals
    are blind, so they are what predicted depth is held together by.
    """
    return _normals(depth_B2HW, mask_B1HW, one_sided=True)


def published_normals(depth_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """What the published code trains on (B, 6, H, W): steps of depth, whatever the size of a pixel."""
    down_B2HW = functional.pad(depth_B2HW, (0, 0, 1, 0), mode="replicate").diff(dim=2)
    right_B2HW = functional.pad(depth_B2HW, (0, 1, 0, 0), mode="replicate").diff(dim=3)
    steep_B2HW = torch.full_like(depth_B2HW, _PUBLISHED_Z)
    normals_B23HW = _unit(torch.stack((-right_B2HW, -down_B2HW, steep_B2HW), 2))
    return _encoded(normals_B23HW, mask_B1HW & (depth_B2HW >= _PUBLISHED_NEAREST))


def _normals(depth_B2HW: Tensor, mask_B1HW: Tensor, *, one_sided: bool) -> Tensor:
    points_B23HW = points(depth_B2HW)
    mask_B11HW = mask_B1HW[:, :, None]
    right_B23HW, has_right = _step(points_B23HW, mask_B11HW, 4, one_sided=one_sided)
    up_B23HW, has_up = _step(points_B23HW.flip(3), mask_B11HW.flip(3), 3, one_sided=one_sided)
    there = mask_B11HW & has_right & has_up.flip(3)
    across_B23HW = _cross(right_B23HW, up_B23HW.flip(3))
    # Where there is no normal nothing may be divided by the length of one, not even by its gradient.
    ahead_3HW = torch.eye(3, dtype=across_B23HW.dtype, device=across_B23HW.device)[2, :, None, None]
    looking_B23HW = _unit(torch.where(there, across_B23HW, ahead_3HW))
    front_B3HW, back_B3HW = looking_B23HW.unbind(1)
    return _encoded(torch.stack((front_B3HW, -back_B3HW), 1), there[:, :, 0])


def _cross(first_B23HW: Tensor, second_B23HW: Tensor) -> Tensor:
    """Products of vectors. Torch's own goes along each vector, whose numbers lie far apart: it is slow."""
    (ax, ay, az), (bx, by, bz) = first_B23HW.unbind(2), second_B23HW.unbind(2)
    return torch.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), 2)


def _unit(vectors_B23HW: Tensor) -> Tensor:
    """The same vectors with a length of 1; of torch's own the same is true."""
    return vectors_B23HW * vectors_B23HW.square().sum(2, keepdim=True).rsqrt()


def _step(points: Tensor, mask: Tensor, axis: int, *, one_sided: bool) -> tuple[Tensor, Tensor]:
    """How points change along an axis from one pixel to the next, and where that can be said."""
    length = mask.shape[axis]
    both = mask.narrow(axis, 1, length - 1) & mask.narrow(axis, 0, length - 1)
    steps = torch.where(both, points.diff(dim=axis), 0.0)
    ahead, behind = _padded(steps, axis, after=True), _padded(steps, axis, after=False)
    has_ahead, has_behind = _padded(both, axis, after=True), _padded(both, axis, after=False)
    if one_sided:
        has_behind = has_behind & ~has_ahead
    else:
        squares = [step.detach().square().sum(2, keepdim=True) for step in (ahead, behind)]
        alone = [has_ahead & ~has_behind, has_behind & ~has_ahead]
        has_ahead = has_ahead & (alone[0] | (squares[0] < _JUMP**2 * squares[1]))
        has_behind = has_behind & (alone[1] | (squares[1] < _JUMP**2 * squares[0]))
    return torch.where(has_ahead, ahead, 0.0) + torch.where(has_behind, behind, 0.0), has_ahead | has_behind


def _padded(steps: Tensor, axis: int, *, after: bool) -> Tensor:
    """With nothing for the pixel that has no next one, or for the one that has none before it."""
    nothing = torch.zeros_like(steps.narrow(axis, 0, 1))
    return torch.cat((steps, nothing) if after else (nothing, steps), axis)


def _encoded(normals_B23HW: Tensor, there_B2HW: Tensor) -> Tensor:
    return torch.where(there_B2HW[:, :, None], (normals_B23HW + 1) / 2, 0.0).flatten(1, 2)
