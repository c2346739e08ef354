from __future__ import annotations

import numpy as np
import pytest
from drawing import WHITE, studio
from raycaster import cast

from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.transform import aligned, view_turn
from pipeline.records import F64, Mesh
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

SIZE = 1024


@pytest.fixture(scope="module")
def person() -> Mesh:
    scan = make_scan(draw(0, 1), 20_000)
    return Mesh(aligned(scan.skin.vertices, scan.alignment), scan.skin.faces, scan.skin.colors)


def stored(length: F64) -> F64:
    """The depth that a ray length is stored as, before rounding."""
    return np.asarray(((length - 1) * SIZE / (2 * np.tan(np.radians(25))) + SIZE / 2) * 32)


@pytest.mark.parametrize(("yaw", "pitch"), [(-30, 0), (95, 0), (160, -20)])
def test_a_person_is_drawn_as_a_ray_caster_sees_it(person: Mesh, yaw: float, pitch: float) -> None:
    camera = portrait_camera(SIZE)
    with studio(SIZE) as shoot:
        drawn = shoot(person, yaw, pitch, light=WHITE)
    turned = person.vertices.astype(np.float64) @ view_turn(yaw, pitch).T
    nearest, farthest = cast(turned, person.faces, SIZE, camera.fx)
    seen = np.isfinite(nearest)
    assert seen.sum() > 50_000
    assert (seen != drawn.front.hit).sum() < 1e-4 * seen.sum()
    both = seen & drawn.front.hit
    for side, true in zip(drawn.sides(), (nearest, farthest), strict=True):
        error = np.abs(side.depth[both] - stored(true[both]))
        close = error <= 0.55  # half a step of rounding and a little for float32
        assert close.mean() > 0.9998, close.mean()
        assert error[close].mean() == pytest.approx(0.25, abs=0.005)  # what rounding to the nearest leaves
