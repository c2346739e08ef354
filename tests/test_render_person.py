from __future__ import annotations

import numpy as np
import pytest
from raycaster import cast

from pipeline.geometry.camera import portrait_camera
from pipeline.geometry.depth import encode
from pipeline.geometry.transform import view_turn
from pipeline.records import F64, Evidence, Mesh, View
from pipeline.render.renderer import Renderer
from pipeline.stages.align import align
from pipeline.stages.render import light_of, placed
from pipeline.synth.person import draw
from pipeline.synth.scan import make_scan

SIZE = 1024


@pytest.fixture(scope="module")
def person() -> Mesh:
    scan = make_scan(draw(0, 1), 20_000)
    mesh = Mesh(scan.skin.vertices, scan.skin.faces, scan.skin.colors)
    return placed(mesh, align(mesh, Evidence(parameters=scan.body)))


def stored(length: F64) -> F64:
    """The depth that a ray length is stored as, before rounding."""
    return np.asarray(((length - 1) * SIZE / (2 * np.tan(np.radians(25))) + SIZE / 2) * 32)


@pytest.mark.parametrize(("yaw", "pitch"), [(-30, 0), (95, 0), (160, -20)])
def test_a_person_is_drawn_as_a_ray_caster_sees_it(person: Mesh, yaw: float, pitch: float) -> None:
    camera = portrait_camera(SIZE)
    with Renderer(SIZE) as renderer:
        (frame,) = renderer.shoot(person, [View(yaw, pitch, camera, light_of(0, "person", "view"))])
    turned = person.vertices.astype(np.float64) @ view_turn(yaw, pitch).T
    nearest, farthest = cast(turned, person.faces, SIZE, camera.fx)
    seen, drawn = np.isfinite(nearest), frame.front.length > 0
    assert seen.sum() > 50_000
    assert (seen != drawn).sum() < 1e-4 * seen.sum()
    both = seen & drawn
    for surface, true in ((frame.front, nearest), (frame.back, farthest)):
        error = np.abs(encode(surface.length, camera)[both] - stored(true[both]))
        close = error <= 0.55  # half a step of rounding and a little for float32
        assert close.mean() > 0.9998
        assert error[close].mean() == pytest.approx(0.25, abs=0.005)  # what rounding to the nearest leaves
    np.testing.assert_array_equal(drawn, frame.back.length > 0)
    assert not frame.shaded[~drawn].any()
    assert frame.shaded[drawn].max() < 255
