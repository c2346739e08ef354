"""The network with known weights gives what the published one gave: every output, at full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from oracle import image_by_rule, published_outputs, published_placement, weights_by_rule
from torch import Tensor

from recon.checkpoint import load_published
from recon.network import Network, paper

WORST = 1e-4  # measured 2e-5, where the merged normals are steep; a fault is a thousand times that
CLOSE = 1e-5  # where nothing is laid back

Outputs = dict[str, tuple[Tensor, int]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """Every output by its published name, and the step at which it is compared."""
    path: Path = tmp_path_factory.mktemp("weights") / "published.pt"
    torch.save({"model_state_dict": weights_by_rule()}, path)
    network = Network(paper()).eval()
    load_published(network, path)
    path.unlink()
    with torch.inference_mode():
        made = network(image_by_rule(), published_placement())
    assert made.fine is not None
    fine, small = made.fine.surfaces.cleared(), made.low.with_background()
    named = {
        "pred_depth_front": (fine[:, :1], 32),
        "pred_depth_back": (fine[:, 1:], 32),
        "pred_depth_mask": (made.fine.surfaces.mask_B1HW, 32),
        "pred_down_depth_front": (small[:, :1], 4),
        "pred_down_depth_back": (small[:, 1:], 4),
        "pred_down_depth_mask": (made.low.mask_B1HW, 4),
        "occupancy": (made.fine.covered_B1HW[:, 0].float(), 32),
    }
    whole = {"pred_down": (made.low_normals_B6hw, 4), "pred": (made.fine.normals_B6HW, 32)}
    parts = {
        f"pred_{name}": (view[0], 4 if name == "leg" else 8) for name, view in made.part_normals.items()
    }
    for name, (normals, step) in {**whole, **parts}.items():
        named[f"{name}_normal_front"] = normals[:, :3], step
        named[f"{name}_normal_back"] = normals[:, 3:], step
    return named


GIVEN = {"keypoints", "part_similarity", "part_sampling"}
LAID_BACK = {"pred_normal_front", "pred_normal_back", "pred_depth_back"}


@pytest.mark.parametrize("name", sorted(published_outputs().keys() - GIVEN))
def test_an_output_is_the_published_one(outputs: Outputs, name: str) -> None:
    made, step = outputs[name]
    expected = published_outputs()[name]
    sampled = made[..., step // 2 :: step, step // 2 :: step].numpy()
    assert sampled.shape == expected.shape
    assert np.abs(sampled - expected).max() < (WORST if name in LAID_BACK else CLOSE)
