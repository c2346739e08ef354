"""The numbers that the network sees as depth, as lengths of rays and as points in front of the camera.

Refuses to know files, and whether there is anything at a depth. A surface has the same depths, lengths and
points in an image of any size.

Legend of suffixes: B batch, H and W of the image; 2 is front and back, 3 is x right, y up, z to the camera.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.geometry.camera import DISTANCE, FIELD_OF_VIEW

_SPREAD = math.tan(math.radians(FIELD_OF_VIEW) / 2)  # half the picture's width, a unit away
_MIDDLE = 2.0  # network depth of what is as far away as the person's centre
_UNIT = _SPREAD / _MIDDLE  # of the world, to one of network depth


def ray_lengths(depth: Tensor) -> Tensor:
    """Lengths of rays from network depth, of any shape; they are never 0."""
    return DISTANCE + (depth - _MIDDLE) * _UNIT


def network_depth(lengths: Tensor) -> Tensor:
    """Network depth from lengths of rays, of any shape."""
    return (lengths - DISTANCE) / _UNIT + _MIDDLE


def points(depth_B2HW: Tensor) -> Tensor:
    """Where rays of these depths end, as the camera sees it (B, 2, 3, H, W)."""
    height, width = depth_B2HW.shape[-2:]
    x_W, y_H = _centres(width, depth_B2HW), -_centres(height, depth_B2HW)
    x_HW, y_HW = x_W.expand(height, width), y_H[:, None].expand(height, width)
    shrink_HW = (x_HW.square() + y_HW.square() + 1).rsqrt()
    rays_3HW = torch.stack((x_HW * shrink_HW, y_HW * shrink_HW, -shrink_HW))
    return ray_lengths(depth_B2HW)[:, :, None] * rays_3HW


def _centres(length: int, like: Tensor) -> Tensor:
    """Pixel centres along one axis, a unit away from the camera; rounded only at the end."""
    pixels = torch.arange(length, dtype=torch.float64, device=like.device)
    return (_SPREAD * ((2 * pixels + 1) / length - 1)).to(like.dtype)
