"""The model, read from top to bottom: one image of a person and twelve parts in, surfaces and normals out.

Refuses to know the config file, the device and the dataset, and how anything is trained.

Legend of suffixes: B batch, P parts, C channels, H and W of the image, h and w of an eighth of
it or of a window. Normals have six channels, front and then back, in [0, 1]; depth has two, front
and then back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ConfigError
from recon.recompute import kept, recomputed
from recon.unets import AttentionUnet, DualUnet, Refiner, initialise
from recon.windows import (
    FULL,
    SMALLEST,
    WINDOWS,
    Placement,
    laid_back,
    landings,
    stand_ins,
    window_views,
)

SHRINK = 8  # the whole person is first seen at an eighth of the image
FARTHEST = 6.0  # where depth ends, and what the front of the background is
WIDTH = 64  # channels of the published networks' first level
NARROWEST = 4  # channels below which a level of a network would have none


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is built for: pixels of the image's side, channels, and how normals and depth end.

    The published ends are dead for ever where nothing but 0 comes out of them. Ours are not.
    """

    size: int = FULL
    width: int = WIDTH
    published_ends: bool = False

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
    """The network as published: normals end in a ReLU, depth in a ReLU6."""
    return Shape(size, published_ends=True)


def default(size: int = FULL) -> Shape:
    """The network to train: normals end in a sigmoid, and depth beyond its range is called back."""
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
        return torch.where(nobody_B1HW, nothing(self.depth_B2HW), self.depth_B2HW)

    def cleared(self) -> Tensor:
        """Depth (B, 2, H, W), 0 where front lies behind back: there is nobody."""
        nobody_B1HW = self.depth_B2HW[:, :1] > self.depth_B2HW[:, 1:]
        return torch.where(nobody_B1HW, 0.0, self.depth_B2HW)


def nothing(like: Tensor) -> Tensor:
    """Depth (2, 1, 1) of a pixel that shows no person, made on the device: a copy would be waited for."""
    return torch.linspace(FARTHEST, 0, 2, dtype=like.dtype, device=like.device)[:, None, None]


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
        self._recomputes = False
        initialise(self)

    def forward(self, image_B3HW: Tensor, place: Placement) -> Prediction:
        """Everything at once: the whole person small, the parts at full size, and both together."""
        size = self.shape.size
        if image_B3HW.shape[-2:] != (size, size):
            height, width = image_B3HW.shape[-2:]
            raise ConfigError(f"image is {height} x {width}, and the network is built for {size} x {size}")
        where = landings(place, size) if self.refiner is not None else []
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._only_refining):
            image_B3hw = _resized(image_B3HW, size // SHRINK)
            low_normals_B6hw = self._bounded(self._run(self.low_normals, image_B3hw))
            part_normals = self._parts(image_B3HW, low_normals_B6hw, place)
            low = self._surfaces(self._run(self.low_surfaces, image_B3hw, low_normals_B6hw))
        if self.refiner is None:
            return Prediction(part_normals, low_normals_B6hw, low, None)
        normals_B6HW, covered_B1HW = laid_back(part_normals, place, where, size)
        surfaces = self._surfaces(self.refiner(low.with_background(), normals_B6HW))
        return Prediction(part_normals, low_normals_B6hw, low, Fine(normals_B6HW, covered_B1HW, surfaces))

    def _parts(self, image_B3HW: Tensor, low_normals_B6hw: Tensor, place: Placement) -> dict[str, Tensor]:
        """Normals of the parts by window, (B, P, 6, h, w), from the image and a rough idea of the front."""
        rough_B3HW = _resized(low_normals_B6hw[:, :3].detach(), self.shape.size)
        seen_B6HW = torch.cat((image_B3HW, rough_B3HW.to(image_B3HW)), 1)
        made = {}
        for name, window in WINDOWS.items():
            own = place.of(window)
            view_BPChw = window_views(seen_B6HW, own, window.at(self.shape.size))
            view_NChw = view_BPChw.flatten(0, 1)
            if self.training and not self._only_refining:
                view_NChw = view_NChw[stand_ins(own.present_BP.flatten())]
            normals = self._bounded(self._run(self.part_normals[name], view_NChw))
            made[name] = normals.reshape(*view_BPChw.shape[:2], *normals.shape[1:])
        return made

    def _run(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        return (recomputed if self._recomputes else kept)(network, *inputs)

    def _bounded(self, normals: Tensor) -> Tensor:
        return functional.relu(normals) if self.shape.published_ends else torch.sigmoid(normals)

    def _surfaces(self, linear_B3HW: Tensor) -> Surfaces:
        """Front and back depth from 0 to 6, and the mask."""
        linear_B2HW = linear_B3HW[:, :2]
        depth_B2HW = functional.relu6(linear_B2HW)
        if not self.shape.published_ends:
            # The same numbers, but what lies beyond either end still learns: all depth wanted is between.
            depth_B2HW = depth_B2HW.detach() + (linear_B2HW - linear_B2HW.detach())
        return Surfaces(depth_B2HW, linear_B3HW[:, 2:])

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

    def recompute(self, on: bool) -> Self:
        """Whether gradients are found with activations made anew, or kept: less time or less memory."""
        self._recomputes = on
        if self.refiner is not None:
            self.refiner.recomputes = on
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as torch has it
        """Compiles each network by itself; what lies between them is of another form in every batch.

        For the shapes they meet: one for all, of any shape, is more than every compiler can make.
        """
        kwargs.setdefault("dynamic", False)
        for network in (self.low_normals, *self.part_normals.values(), self.low_surfaces, self.refiner):
            if network is not None:
                network.compile(*args, **kwargs)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation; what is held still stays in evaluation."""
        super().train(mode)
        if self._only_refining:
            for held in (self.low_normals, self.part_normals, self.low_surfaces):
                held.eval()
        return self


def _resized(image_BCHW: Tensor, size: int) -> Tensor:
    return functional.interpolate(image_BCHW, size=(size, size), mode="bilinear", align_corners=False)
