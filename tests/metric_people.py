"""Figures of ellipsoids as a network is shown them, and predictions that say exactly what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from training_rows import Person, figure, seen

from pipeline.geometry.camera import portrait_camera, project
from recon import losses
from recon.data.augment import Prepared
from recon.network import Fine, Prediction, Surfaces
from recon.parts import normalised, place_parts
from recon.rays import network_depth
from recon.windows import laid_back, landings

SURE = 20.0  # a mask's logit that leaves no doubt


def people(size: int = 256, absent: Sequence[int] = (), scans: Sequence[str] = ("ann", "bob")) -> Prepared:
    """Shaded images, depth, and where parts are; of keypoints that are absent nobody knows anything."""
    camera = portrait_camera(size)
    whom: list[Person] = [figure(scan) for scan in scans]
    shots = [seen(person, 0.0, camera) for person in whom]
    images = torch.stack([torch.from_numpy(shot.color).permute(2, 0, 1) for shot in shots]) / 127.5 - 1
    lengths = torch.stack([torch.stack([*map(torch.from_numpy, (s.front, s.back))]) for s in shots])
    depth = torch.where(lengths > 0, network_depth(lengths), 0.0).float()
    pixels = torch.stack([torch.from_numpy(project(p.keypoints, camera)[:, :2]) for p in whom]).float()
    valid = torch.ones(len(whom), 31, dtype=torch.bool)
    valid[:, [*absent]] = False
    return Prepared(images, depth, place_parts(normalised(pixels, size), valid))


def truth(shown: Prepared, profile: losses.Profile, *, fine: bool = False) -> Prediction:
    """What a perfect network would predict."""
    wanted = losses.targets(shown.depth_B2HW, shown.place, profile)
    low = Surfaces(wanted.low_depth_B2hw, mask_logits(wanted.low_depth_B2hw))
    prediction = Prediction(wanted.part_normals, wanted.low_normals_B6hw, low, None)
    if not fine:
        return prediction
    size = shown.depth_B2HW.shape[-1]
    normals, covered = laid_back(wanted.part_normals, shown.place, landings(shown.place, size), size)
    surfaces = Surfaces(shown.depth_B2HW, mask_logits(shown.depth_B2HW))
    return replace(prediction, fine=Fine(normals, covered, surfaces))


def mask_logits(depth_B2HW: Tensor) -> Tensor:
    return torch.where(losses.mask_of(depth_B2HW), SURE, -SURE)
