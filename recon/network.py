"""The model, read from top to bottom: one image of a person and twelve parts in, surfaces and normals out.

Refuses to know the config file, the device and the dataset, and how anything is trained.

Legend of suffixes: B batch, P parts, C channels, H and W of the image, h and w of an eighth of
it or of a window. Normals have six channels, front and then back, in [0, 1]; depth has two, front
and then back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ConfigError
from recon.unets import AttentionUnet, DualUnet, Refiner, initialise
from recon.windows import FULL, SMALLEST, WINDOWS, Placement, laid_back, window_views

SHRINK = 8  # the whole person is first seen at an eighth of the image
FARTHEST = 6.0  # where depth ends, and what the front of the background is
WIDTH = 64  # channels of the published networks' first level
NARROWEST = 4  # channels below which a level of a network would have none


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is built for: pixels of the image's side, channels, and how its normals end."""

    size: int = FULL
    width: int = WIDTH
    bounded_normals: bool = True

    def __post_init__(self) -> None:
        if self.size < SMALLEST or self.size & (self.size - 1):
            raise ConfigError(
                f"size is {self.size}; it must be a power of two from {SMALLEST} on, such as {FULL}"
            )
        if self.width < NARROWEST or self.width % NARROWEST:
            raise ConfigError(
                f"width is {self.width}; it must be a multiple of {NARROWEST}, such as {WIDTH}"
            )


def paper(size: int = FULL) -> Shape:
    """The network as published: normals end in a ReLU, which can die."""
    return Shape(size, bounded_normals=False)


def default(size: int = FULL) -> Shape:
    """The network to train: normals end in a sigmoid, which cannot."""
    return Shape(size)


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Depth of front and back (B, 2, H, W), and how sure it is that a person is there at all."""

    depth_B2HW: Tensor
    mask_logit_B1HW: Tensor

    @property
    def mask_B1HW(self) -> Tensor:
        """How likely each pixel shows the person."""
        return torch.sigmoid(self.mask_logit_B1HW)

    def with_background(self) -> Tensor:
        """Depth (B, 2, H, W), where a pixel that shows no person has its front behind its back."""
        nobody_B1HW = self.mask_logit_B1HW <= 0
        nothing = self.depth_B2HW.new_tensor((FARTHEST, 0.0))[:, None, None]
        return torch.where(nobody_B1HW, nothing, self.depth_B2HW)

    def cleared(self) -> Tensor:
        """Depth (B, 2, H, W), 0 where front lies behind back: there is nobody."""
        nobody_B1HW = self.depth_B2HW[:, :1] > self.depth_B2HW[:, 1:]
        return torch.where(nobody_B1HW, 0.0, self.depth_B2HW)


@dataclass(frozen=True, slots=True)
class Fine:
    """What the refiner adds: normals merged from the parts, where any part covers; and surfaces."""

    normals_B6HW: Tensor
    covered_B1HW: Tensor
    surfaces: Surfaces


@dataclass(frozen=True, slots=True)
class Prediction:
    """Normals of the parts, by window (B, P, 6, h, w), and of the whole; surfaces, small and full."""

    part_normals: Mapping[str, Tensor]
    low_normals_B6hw: Tensor
    low: Surfaces
    fine: Fine | None


class Network(nn.Module):
    """The published network. Without the refiner it is what the first phase trains."""

    def __init__(self, shape: Shape, *, refines: bool = True) -> None:
        super().__init__()
        self.shape = shape
        self.low_normals = AttentionUnet(3, 6, shape.width)
        self.part_normals = nn.ModuleDict({name: AttentionUnet(6, 6, shape.width) for name in WINDOWS})
        self.low_surfaces = DualUnet((3, 6), 3, shape.width // 2)
        self.refiner = Refiner(3, shape.width // 2) if refines else None
        self._only_refining = False
        initialise(self)

    def forward(self, image_B3HW: Tensor, place: Placement) -> Prediction:
        """Everything at once: the whole person small, the parts at full size, and both together."""
        size = self.shape.size
        if image_B3HW.shape[-2:] != (size, size):
            height, width = image_B3HW.shape[-2:]
            raise ConfigError(f"image is {height} x {width}, and the network is built for {size} x {size}")
        image_B3hw = _resized(image_B3HW, size // SHRINK)
        low_normals_B6hw = self._bounded(self.low_normals(image_B3hw))
        part_normals = self._parts(image_B3HW, low_normals_B6hw, place)
        low = _surfaces(self.low_surfaces(image_B3hw, low_normals_B6hw))
        fine = self._fine(part_normals, low, place) if self.refiner is not None else None
        return Prediction(part_normals, low_normals_B6hw, low, fine)

    def _parts(self, image_B3HW: Tensor, low_normals_B6hw: Tensor, place: Placement) -> dict[str, Tensor]:
        """Normals of the parts by window, (B, P, 6, h, w), from the image and a rough idea of the front."""
        rough_B3HW = _resized(low_normals_B6hw[:, :3].detach(), self.shape.size)
        seen_B6HW = torch.cat((image_B3HW, rough_B3HW.to(image_B3HW)), 1)
        made = {}
        for name, window in WINDOWS.items():
            view_BPChw = window_views(seen_B6HW, place.of(window), window.at(self.shape.size))
            normals = self._bounded(self.part_normals[name](view_BPChw.flatten(0, 1)))
            made[name] = normals.reshape(*view_BPChw.shape[:2], *normals.shape[1:])
        return made

    def _fine(self, part_normals: Mapping[str, Tensor], low: Surfaces, place: Placement) -> Fine:
        """The parts merged into one picture, and with it the low depth at full size."""
        assert self.refiner is not None
        normals_B6HW, covered_B1HW = laid_back(part_normals, place, self.shape.size)
        surfaces = _surfaces(self.refiner(low.with_background(), normals_B6HW))
        return Fine(normals_B6HW, covered_B1HW, surfaces)

    def _bounded(self, normals: Tensor) -> Tensor:
        return torch.sigmoid(normals) if self.shape.bounded_normals else functional.relu(normals)

    def refine_only(self) -> Self:
        """Holds all but the refiner still, weights and batch-norm statistics, for the second phase."""
        if self.refiner is None:
            raise ConfigError(
                "this network has no refiner, so there is nothing for a second phase to train"
            )
        self._only_refining = True
        self.requires_grad_(False)
        self.refiner.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation; what is held still stays in evaluation."""
        super().train(mode)
        if self._only_refining:
            for held in (self.low_normals, self.part_normals, self.low_surfaces):
                held.eval()
        return self


def _resized(image_BCHW: Tensor, size: int) -> Tensor:
    return functional.interpolate(image_BCHW, size=(size, size), mode="bilinear", align_corners=False)


def _surfaces(linear_B3HW: Tensor) -> Surfaces:
    return Surfaces(functional.relu6(linear_B3HW[:, :2]), linear_B3HW[:, 2:])
