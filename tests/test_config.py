from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import DEFAULT_YAWS, LIGHTS, Conduct, RenderRequest
from pipeline.errors import ConfigError
from pipeline.geometry.presets import PRESETS


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
        ({"size": 20_000}, "size is 20000; it must be from 16 to 16384"),
        ({"size": 0}, "size is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"demo_people": 0}, "demo_people is 0"),
        ({"demo_vertices": 10}, "demo_vertices is 10"),
        ({"passes": ()}, "passes is empty; choose from color, shaded, shaded-back, depth, normal, mask"),
        ({"passes": ("depth", "colour")}, "passes has 'colour'; choose from color, "),
        ({"passes": ("depth", "depth")}, "passes has 'depth' twice"),
        ({"projections": ("fisheye",)}, "projections has 'fisheye'; choose from perspective, orthographic"),
        ({"light": "sun"}, "light has 'sun'; choose from studio, sh, ring, flat"),
        ({"light": "sh"}, "light 'sh' needs a file of coefficients"),
        ({"light_file": Path("room.npy")}, "is for light 'sh', and light is 'studio'"),
        ({"light": "flat", "occlusion": True}, "an option of light 'studio', and light is 'flat'"),
        ({"image_format": "exr"}, "format has 'exr'; choose from png, jxl"),
        ({"depth_format": "tiff"}, "depth_format has 'tiff'; choose from png, jxl, exr"),
    ],
)
def test_requests_that_make_no_sense_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        replace(RenderRequest("demo"), **change)  # type: ignore[arg-type]


def test_a_full_circle_is_a_sweep() -> None:
    assert len(RenderRequest("demo", yaws=tuple(map(float, range(0, 360, 10)))).yaws) == 36


def test_every_light_that_can_be_asked_for_is_there() -> None:
    assert tuple(PRESETS) == LIGHTS


def test_depth_is_written_like_the_other_images_unless_said_otherwise() -> None:
    assert RenderRequest("demo", image_format="jxl").geometry_format == "jxl"
    assert RenderRequest("demo", image_format="jxl", depth_format="exr").geometry_format == "exr"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"cluster": "slrum"},
            "cluster is 'slrum'; it is local, slurm, or a scheduler's address such as tcp",
        ),
        ({"cluster": "tcp://host"}, "such as tcp://10.0.0.5:8786, with its port"),
        ({"cluster": "tcp://:8786"}, "it is local, slurm, or a scheduler's address"),
        ({"cluster": "http://host:1"}, "it is local, slurm, or a scheduler's address"),
        ({"workers": -1}, "workers is -1; it must be from 0"),
        ({"workers": 2, "cluster": "tcp://host:1"}, "tcp://host:1 has the workers it has"),
        ({"workers": 0, "cluster": "slurm", "profile": Path("p")}, "slurm cannot do without any"),
        ({"cluster": "slurm"}, "cluster slurm needs a profile"),
        ({"profile": Path("p")}, "a profile is for cluster slurm, and cluster is local"),
        ({"patience": 0}, "patience is 0; it must be from 1"),
    ],
)
def test_a_conduct_that_makes_no_sense_is_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Conduct(**asked)  # type: ignore[arg-type]


def test_a_conduct_takes_what_makes_sense() -> None:
    assert Conduct(("1", "2"), 4).cluster == "local"
    assert Conduct(cluster="tls://host:8786").is_address
    assert Conduct(cluster="tcp://[::1]:8786").is_address
    assert Conduct(workers=4, cluster="slurm", profile=Path("p")).workers == 4
