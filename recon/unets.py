"""The networks that the model is made of: attention U-Nets with one and two encoders, and a refiner.

Under autocast all is computed in half precision but what depth comes from and becomes: there, half
precision would round it by millimetres. Refuses to know what channels mean, where the input came from, and
how weights are stored.

Legend of suffixes: B batch, C channels, H height, W width; `hw` stands for a smaller height and width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from recon.recompute import kept, recomputed

STRIP = 256  # rows that the refiner works on at once
REACH = (
    4  # rows that its three convolutions see to either side, and one more to keep pairs of rows together
)
MULTIPLES = (1, 2, 4, 8)  # channels of the four levels, in units of the first level's


class ConvNormRelu(nn.Sequential):
    """A convolution that keeps height and width, batch norm, ReLU."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__(nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class ConvPair(nn.Sequential):
    """Two of those, one after the other, as one flat list."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__(*ConvNormRelu(into, out), *ConvNormRelu(out, out))


class Unrounded(nn.Module):
    """A layer that autocast leaves alone: it computes in the precision of its weights."""

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """What the layer makes of its input, in the precision of its weights."""
        with torch.autocast(features_BCHW.device.type, enabled=False):
            made: Tensor = super().forward(features_BCHW.to(next(self.parameters()).dtype))
        return made


class LinearHead(Unrounded, nn.Conv2d):
    """The last convolution, pixel by pixel."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__(into, out, 1)


class Raise(nn.Sequential):
    """Twice the height and width by repeating pixels, then a convolution, batch norm and ReLU."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2), *ConvNormRelu(into, out))


class RaiseDepth(Unrounded, Raise):
    """The same for depth itself, of which a person takes up but a small part of the range."""


class AttentionGate(nn.Module):
    """Weighs each pixel of a skip connection between 0 and 1 by what the level below makes of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.raised = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.skip = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.weight = nn.Sequential(nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, raised_BCHW: Tensor, skip_BCHW: Tensor) -> Tensor:
        """The skip connection (B, C, H, W), weighed."""
        seen = functional.relu(self.raised(raised_BCHW) + self.skip(skip_BCHW))
        weighed: Tensor = skip_BCHW * self.weight(seen)
        return weighed


class Decoder(nn.Module):
    """One level up: the level below at twice its size, beside the weighed skip connection of this level."""

    def __init__(self, into: int, skip: int, out: int) -> None:
        super().__init__()
        self.enlarge = Raise(into, skip)
        self.gate = AttentionGate(skip)
        self.pair = ConvPair(2 * skip, out)

    def forward(self, below_BChw: Tensor, skip_BCHW: Tensor) -> Tensor:
        """What this level makes of both, (B, C, H, W)."""
        raised = self.enlarge(below_BChw)
        made: Tensor = self.pair(torch.cat((self.gate(raised, skip_BCHW), raised), 1))
        return made


def encoder(into: int, widths: Iterable[int]) -> nn.ModuleList:
    """One ConvPair a level; `encoded` runs them."""
    pairs = nn.ModuleList()
    for width in widths:
        pairs.append(ConvPair(into, width))
        into = width
    return pairs


def encoded(levels: nn.ModuleList, image_BCHW: Tensor) -> list[Tensor]:
    """What each level makes of the one above it at half the size: largest first."""
    made = [levels[0](image_BCHW)]
    for level in list(levels)[1:]:
        made.append(level(functional.max_pool2d(made[-1], 2)))
    return made


def decoded(levels: nn.ModuleList, deepest_BChw: Tensor, skips: list[Tensor]) -> Tensor:
    """The deepest features brought up to the size of the first skip connection; skips are largest first."""
    for level, skip_BCHW in zip(reversed(list(levels)), reversed(skips), strict=True):
        deepest_BChw = level(deepest_BChw, skip_BCHW)
    return deepest_BChw


class AttentionUnet(nn.Module):
    """Four levels with attention on the skip connections: `into` channels become `out`, at the same size.

    Height and width must be multiples of 8. What comes back is linear: the caller chooses where it ends.
    """

    def __init__(self, into: int, out: int, width: int) -> None:
        super().__init__()
        widths = [width * multiple for multiple in MULTIPLES]
        self.encoder = encoder(into, widths)
        self.decoder = nn.ModuleList(Decoder(2 * w, w, w) for w in widths[:-1])
        self.head = LinearHead(width, out)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """The linear output (B, out, H, W)."""
        *skips, deepest = encoded(self.encoder, image_BCHW)
        made: Tensor = self.head(decoded(self.decoder, deepest, skips))
        return made


class DualUnet(nn.Module):
    """Five levels with two encoders, one an input, and one decoder over the features of both.

    Height and width must be multiples of 16. What comes back is linear.
    """

    def __init__(self, into: tuple[int, int], out: int, width: int) -> None:
        super().__init__()
        widths = [width * multiple for multiple in (*MULTIPLES, 2 * MULTIPLES[-1])]
        self.first_encoder = encoder(into[0], widths)
        self.second_encoder = encoder(into[1], widths)
        self.decoder = nn.ModuleList(Decoder(4 * w, 2 * w, 2 * w) for w in widths[:-1])
        self.head = LinearHead(2 * width, out)

    def forward(self, first_BCHW: Tensor, second_BCHW: Tensor) -> Tensor:
        """The linear output (B, out, H, W)."""
        levels = zip(
            encoded(self.first_encoder, first_BCHW), encoded(self.second_encoder, second_BCHW), strict=True
        )
        *skips, deepest = [torch.cat(pair, 1) for pair in levels]
        made: Tensor = self.head(decoded(self.decoder, deepest, skips))
        return made


class Refiner(nn.Module):
    """Brings two depth maps to eight times their size, guided on the way by six channels of normals.

    What comes back is linear. Where nothing is learnt it works in strips: the same numbers, less memory.
    Where something is, it may recompute activations instead of keeping them: again the same numbers.
    """

    def __init__(self, out: int, width: int) -> None:
        super().__init__()
        both = 2 * width
        self.recomputes = False
        self.depth = nn.ModuleList([RaiseDepth(2, width), Raise(both, width), Raise(both, width)])
        self.normal = nn.ModuleList([ConvNormRelu(6, width) for _ in range(3)])
        self.merge = nn.ModuleList([ConvPair(both, both) for _ in range(3)])
        inner = [nn.Sequential(nn.Conv2d(both, both, 1), nn.ReLU(inplace=True)) for _ in range(2)]
        self.out = nn.ModuleList([*inner, LinearHead(both, out)])

    def forward(self, depth_B2hw: Tensor, normals_B6HW: Tensor) -> Tensor:
        """The linear output (B, out, H, W), where H is 8 h."""
        # The published weights were fitted to these pixels standing for their neighbours.
        guides = (normals_B6HW[..., 1::4, 1::4], normals_B6HW[..., ::2, ::2], normals_B6HW)
        learns = self.training or torch.is_grad_enabled()
        made = depth_B2hw
        for level, guide in enumerate(guides):
            made = self._level(level, made, guide) if learns else self._in_strips(level, made, guide)
        return made

    def _level(self, level: int, below_BChw: Tensor, guide_B6HW: Tensor) -> Tensor:
        run = recomputed if self.recomputes else kept
        both = torch.cat((run(self.depth[level], below_BChw), run(self.normal[level], guide_B6HW)), 1)
        return run(self.out[level], run(self.merge[level], both))

    def _in_strips(self, level: int, below_BChw: Tensor, guide_B6HW: Tensor) -> Tensor:
        """The same from a strip of rows at a time, and from as many rows around it as it can see."""
        height = guide_B6HW.shape[-2]
        strips = []
        for start in range(0, height, STRIP):
            top, bottom = max(start - REACH, 0), min(start + STRIP + REACH, height)
            below, guide = below_BChw[..., top // 2 : bottom // 2, :], guide_B6HW[..., top:bottom, :]
            strips.append(self._level(level, below, guide)[..., start - top :, :][..., :STRIP, :])
        return torch.cat(strips, -2)


def initialise(network: nn.Module) -> None:
    """Draws every convolution from He's normal by fan-out; biases become 0, batch norm 1 and 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
