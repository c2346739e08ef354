"""Pictures that were looked at and found right, of a small person whose mesh lies beside them.

`python tests/test_golden.py` draws them anew; look at them before they are committed. They are compared on
Mesa's software rasteriser alone, for every GPU rounds in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from drawing import EVERY_LAYER, studio

from pipeline.formats.image import read_color, read_grey16, read_mask, read_rgb16, write_image
from pipeline.geometry.presets import preset_light
from pipeline.geometry.transform import aligned
from pipeline.records import Mesh
from pipeline.render.context import create_context
from pipeline.render.planes import Layer
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

GOLDEN = Path(__file__).parent / "golden"
PERSON = GOLDEN / "person.npz"
SIZE = 256
READERS: dict[str, Callable[[Path], npt.NDArray[Any]]] = {
    "color": read_color,
    "shaded": read_color,
    "mask": read_mask,
    "depth": read_grey16,
    "normal": read_rgb16,
}
MOST = {"color": 1, "shaded": 1, "mask": 0, "depth": 2, "normal": 257}  # 1/255, but where more is held
LAYERS = [layer for layer in EVERY_LAYER if layer.kind in READERS]
ADVICE = "if it is meant, `python tests/test_golden.py` draws the pictures anew: look at them"


def pictures() -> dict[str, npt.NDArray[Any]]:
    """Each layer of the person by the name of its file."""
    with np.load(PERSON) as held:
        vertices, faces, colors = (held[name] for name in ("vertices", "faces", "colors"))
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32), colors)
    openness = np.interp(mesh.vertices[:, 1], [-0.35, 0.35], [0.5, 1]).astype(np.float32)
    light = preset_light("studio", np.random.default_rng(5))
    with studio(SIZE) as shoot:
        drawn = shoot(mesh, 25, 10, light=light, openness=openness)
    return {name_of(layer): getattr(getattr(drawn, layer.side), layer.kind) for layer in LAYERS}


def name_of(layer: Layer) -> str:
    return f"{layer.kind}_{layer.side}.png"


@pytest.fixture(scope="module")
def drawn() -> dict[str, npt.NDArray[Any]]:
    context = create_context()
    name = str(context.info["GL_RENDERER"])
    context.release()
    if "llvmpipe" not in name:
        pytest.skip(f"draws with {name}")
    return pictures()


@pytest.mark.parametrize("layer", LAYERS, ids=name_of)
def test_the_picture_is_the_golden_one(drawn: dict[str, npt.NDArray[Any]], layer: Layer) -> None:
    """Within MOST, a fiftieth of that on average, but for a pixel or two that a processor rounds away."""
    name, most = name_of(layer), MOST[layer.kind]
    golden, picture = READERS[layer.kind](GOLDEN / name), drawn[name]
    assert golden.shape == picture.shape
    assert np.count_nonzero(golden) > 1000
    off = np.abs(golden.astype(np.int64) - picture)
    far = int((off > most).sum())
    assert far <= golden.size // 30_000, f"{name}: {far} numbers are off, by up to {off.max()}; {ADVICE}"
    mean = np.minimum(off, most).mean()
    assert mean <= most / 50, f"{name}: off by {mean:.3f} on average; {ADVICE}"


def redraw() -> None:
    """Write the pictures, and the person where there is none."""
    GOLDEN.mkdir(exist_ok=True)
    if not PERSON.exists():
        scan = make_scan(draw(0, 4), 4000)
        vertices = aligned(scan.skin.vertices, scan.alignment)
        np.savez_compressed(
            PERSON, vertices=vertices, faces=scan.skin.faces.astype(np.uint16), colors=scan.skin.colors
        )
    for name, picture in pictures().items():
        write_image(GOLDEN / name, picture)


if __name__ == "__main__":
    redraw()
