from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import DEFAULT_YAWS, RenderRequest
from pipeline.errors import ConfigError


def test_the_default_sweep_is_seven_views() -> None:
    request = RenderRequest("demo")
    assert request.yaws == DEFAULT_YAWS == tuple(range(-30, 31, 10))
    assert (request.pitches, request.size) == ((0.0,), 2048)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"yaws": ()}, "yaws is empty"),
        ({"yaws": (0.0, float("nan"))}, "yaws has nan"),
        ({"yaws": (0.0, 400.0)}, "yaws has 400; angles are degrees from -360 to 360"),
        ({"yaws": (10.0, 0.0, 10.0)}, "yaws has 10 twice"),
        ({"pitches": (91.0,)}, "pitches has 91"),
        ({"size": 4096}, "size is 4096; it must be from 16 to 2048"),
        ({"size": 0}, "size is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"demo_people": 0}, "demo_people is 0"),
        ({"demo_vertices": 10}, "demo_vertices is 10"),
    ],
)
def test_requests_that_make_no_sense_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        replace(RenderRequest("demo"), **change)  # type: ignore[arg-type]


def test_a_full_circle_is_a_sweep() -> None:
    assert len(RenderRequest("demo", yaws=tuple(map(float, range(0, 360, 10)))).yaws) == 36
