"""Rays, points and normals of depth maps against spheres and planes in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.geometry.camera import portrait_camera, rays
from pipeline.geometry.depth import encode
from recon.normals import published_normals, slopes, true_normals
from recon.rays import network_depth, points, ray_lengths

CENTRE = (0.03, -0.05, 0.02)  # in the world, whose origin is a unit before the camera


def directions(size: int, box: slice = slice(None)) -> Tensor:
    """Unit rays (3, H, W), from the camera of every view; only those of a box of its picture."""
    start, end, _ = box.indices(size)
    whole = portrait_camera(size)
    _, towards = rays(
        replace(whole, width=end - start, height=end - start, cx=whole.cx - start, cy=whole.cy - start)
    )
    return torch.from_numpy(towards).permute(2, 0, 1)


def sphere(ray_3HW: Tensor, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Depth (1, 2, H, W), mask (1, 1, H, W) and normals (1, 2, 3, H, W) of a sphere along these rays."""
    centre = torch.tensor(CENTRE, dtype=torch.float64) - torch.tensor([0, 0, 1.0])
    along = (ray_3HW * centre[:, None, None]).sum(0)
    square = along.square() - centre.square().sum() + radius**2
    mask = square > 0
    half = square.clamp(min=0).sqrt()
    lengths = torch.stack((along - half, along + half))
    depth = torch.where(mask, network_depth(lengths), 0.0)
    normals = (lengths[:, None] * ray_3HW - centre[:, None, None]) / radius
    return depth[None], mask[None, None], normals[None]


def plane(size: int, normal: Tensor, distance: float) -> Tensor:
    """Depth (1, 1, H, W) of a plane that lies so far from the camera along its normal."""
    lengths = -distance / (normal[:, None, None] * directions(size)).sum(0)
    return network_depth(lengths)[None, None]


def decoded(normals: Tensor) -> Tensor:
    """Vectors (B, 2, 3, H, W) from normals in six channels."""
    return torch.stack((normals * 2 - 1).chunk(2, 1), 1)


def angles(first: Tensor, second: Tensor) -> Tensor:
    """Degrees between vectors (B, 2, 3, H, W)."""
    sine = torch.linalg.cross(first.double(), second.double(), dim=2).norm(dim=2)
    return torch.rad2deg(torch.atan2(sine, (first * second).sum(2).double()))


def test_depth_is_what_the_files_hold() -> None:
    lengths = np.linspace(0.7, 1.3, 50, dtype=np.float32)[None]
    stored = torch.from_numpy(encode(lengths, portrait_camera(2048)).astype(np.float64))
    torch.testing.assert_close(
        network_depth(torch.from_numpy(lengths).double()), stored / 32 / 512, rtol=0, atol=0.51 / 32 / 512
    )
    torch.testing.assert_close(
        ray_lengths(network_depth(torch.tensor([0.6, 1.0]))), torch.tensor([0.6, 1.0])
    )


@pytest.mark.parametrize("size", [8, 256])
def test_points_lie_on_the_cameras_rays(size: int) -> None:
    depth = torch.rand(1, 2, size, size, dtype=torch.float64)
    expected = ray_lengths(depth)[:, :, None] * directions(size)
    torch.testing.assert_close(points(depth), expected)


@pytest.mark.parametrize(
    ("size", "radius", "precision", "worst"),
    [(256, 0.3, torch.float64, 0.2), (256, 0.3, torch.float32, 0.2), (2048, 0.1, torch.float32, 0.1)],
)
def test_normals_of_a_sphere_are_its_own(
    size: int, radius: float, precision: torch.dtype, worst: float
) -> None:
    box = slice(size // 4, size * 3 // 4) if size > 256 else slice(None)  # all of a small sphere
    ray = directions(size, box)
    depth, mask, truth = sphere(ray, radius)
    depth, mask = (functional.pad(part, [(size - len(ray[0])) // 2] * 4) for part in (depth, mask))
    found = true_normals(depth.to(precision), mask)
    assert not found[~mask.expand_as(found)].any()
    vectors, seen = decoded(found[..., box, box]), mask[0, 0, box, box]
    off = angles(vectors, truth)[:, :, seen]
    facing = (truth * ray).sum(2).abs()[:, :, seen]
    assert off[facing > 0.3].max() < worst
    assert off[facing > 0.3].square().mean().sqrt() < worst / 3
    towards = (vectors * ray).sum(2)[:, :, seen]
    assert (towards[:, 0] < 0).all(), "the front looks at the camera"
    assert (towards[:, 1] > 0).all(), "the back looks away"


def test_normals_do_not_depend_on_the_size_of_the_image() -> None:
    depth, mask, _ = sphere(directions(512), 0.3)
    fine = decoded(true_normals(depth, mask))[..., 3::8, 3::8]
    coarse_depth, coarse_mask = depth[..., 3::8, 3::8], mask[..., 3::8, 3::8]
    coarse = decoded(true_normals(coarse_depth, coarse_mask))
    inner = 1 - functional.max_pool2d((~coarse_mask).double(), 9, 1, 4) > 0
    assert inner.sum() > 200
    off = angles(fine, coarse)[inner.expand(-1, 2, -1, -1)]
    assert off.max() < 1.0
    published = (decoded(published_normals(d, m)) for d, m in ((depth, mask), (coarse_depth, coarse_mask)))
    fine, coarse = next(published)[..., 3::8, 3::8], next(published)
    assert angles(fine, coarse)[inner.expand(-1, 2, -1, -1)].max() > 20


@pytest.mark.parametrize("find", [true_normals, slopes])
def test_normals_of_planes_are_exact_also_where_two_meet_and_at_every_edge(find: object) -> None:
    assert callable(find)
    first = functional.normalize(torch.tensor([0.3, -0.4, 1.0], dtype=torch.float64), dim=0)
    second = functional.normalize(torch.tensor([-0.5, 0.1, 1.0], dtype=torch.float64), dim=0)
    size = 32
    depth, mask = torch.zeros(1, 2, size, size, dtype=torch.float64), torch.zeros(1, 1, size, size).bool()
    mask[..., 5:29, 3:30] = True
    depth[:, 0], depth[:, 1] = plane(size, first, 0.8)[0], plane(size, second, 1.1)[0]
    found = decoded(find(torch.where(mask, depth, 0.0), mask))
    expected = torch.stack((first, -second))[None, :, :, None, None]
    torch.testing.assert_close(torch.where(mask[:, :, None], found, expected), expected.expand_as(found))
    if find is true_normals:  # a hand before a body: neither side knows of the other
        depth[:, 0, :, 15:] = plane(size, first, 0.5)[0, :, :, 15:]
        found = decoded(true_normals(torch.where(mask, depth, 0.0), mask))
        torch.testing.assert_close(
            torch.where(mask[:, :, None], found, expected), expected.expand_as(found)
        )


def test_what_stands_alone_has_no_normal() -> None:
    depth, mask = torch.full((1, 2, 8, 8), 2.0), torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., 2, 2] = mask[..., 5, 4] = mask[..., 5, 5] = True  # a pixel, and a row of two
    for find in (true_normals, slopes):
        assert not find(depth, mask).any()


def test_slopes_see_what_goes_up_and_down_from_pixel_to_pixel() -> None:
    flat, mask = torch.full((1, 2, 16, 16), 2.0), torch.ones(1, 1, 16, 16, dtype=torch.bool)
    board = torch.arange(16)[:, None] + torch.arange(16) & 1
    bumpy = flat + 0.05 * board
    inside = (..., slice(1, -1), slice(1, -1))
    blind = (true_normals(bumpy, mask) - true_normals(flat, mask))[inside].abs().max()
    seeing = (slopes(bumpy, mask) - slopes(flat, mask))[inside].abs().min(1).values.max()
    assert blind < 0.01
    assert seeing > 0.05


def test_published_normals_are_those_of_the_published_code() -> None:
    generator = torch.Generator().manual_seed(3)
    depth = torch.rand(2, 2, 6, 5, generator=generator, dtype=torch.float64)
    mask = torch.rand(2, 1, 6, 5, generator=generator) < 0.8
    found = published_normals(depth, mask)
    for person, side, row, column in np.ndindex(2, 2, 6, 5):
        here = depth[person, side, row, column]
        x = here - depth[person, side, row, min(column + 1, 4)]
        y = depth[person, side, max(row - 1, 0), column] - here
        vector = torch.stack((x, y, torch.full_like(x, 1 / 255)))
        expected = (vector / vector.norm() + 1) / 2 * (here >= 0.2) * mask[person, 0, row, column]
        torch.testing.assert_close(found[person, 3 * side : 3 * side + 3, row, column], expected)


@pytest.mark.parametrize(("size", "factor"), [(2048, 0.498), (256, 3.98)])
def test_published_slopes_are_steeper_the_smaller_the_image(size: int, factor: float) -> None:
    slope = 0.1
    normal = functional.normalize(torch.tensor([-slope, 0.0, 1.0], dtype=torch.float64), dim=0)
    middle = slice(size // 2 - 2, size // 2 + 2)
    depth = plane(size, normal, float(normal[2]))[..., middle, middle].expand(1, 2, 4, 4)
    vector = decoded(published_normals(depth, torch.ones(1, 1, 4, 4, dtype=torch.bool)))[0, 0, :, 2, 1]
    # Their x looks to the left: it is the true one's with the other sign.
    assert float(vector[0] / vector[2]) == pytest.approx(slope * factor, rel=0.01)


@pytest.mark.parametrize("find", [true_normals, slopes, published_normals])
def test_gradients_are_those_of_small_steps_and_finite_everywhere(find: object) -> None:
    assert callable(find)
    generator = torch.Generator().manual_seed(5)
    depth = 2 + 0.02 * torch.rand(1, 2, 6, 6, generator=generator, dtype=torch.float64)
    mask = torch.rand(1, 1, 6, 6, generator=generator) < 0.7
    assert torch.autograd.gradcheck(lambda d: find(d, mask), depth.clone().requires_grad_())
    for value in (0.0, 2.0, 6.0):
        same = torch.full((1, 2, 6, 6), value, requires_grad=True)
        (gradient,) = torch.autograd.grad(find(same, mask).square().sum(), same)
        assert gradient.isfinite().all()
