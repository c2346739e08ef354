"""`scan2k render`. An option is called as the field of the request that it fills."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.commands.conduct import conduct_options
from pipeline.commands.options import angles, data_option, layout_option, listed, names
from pipeline.commands.progress import watching
from pipeline.config import (
    DEPTH_FORMATS,
    IMAGE_FORMATS,
    LIGHTS,
    PASSES,
    PROJECTIONS,
    Conduct,
    RenderRequest,
)

if TYPE_CHECKING:
    from pipeline.conduct.standing import Summary

Request = TypeVar("Request", RenderRequest, Conduct)


def _device(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """An EGL device's index; None = auto."""
    if value == "auto":
        return None
    if not value.isdecimal():
        fault = f"{value!r} is neither auto nor the index of an EGL device; `scan2k doctor` lists them"
        raise click.BadParameter(fault, ctx, param)
    return int(value)


@click.command()
@click.argument("dataset")
@data_option
@layout_option
@click.option(
    "--yaws",
    metavar="DEGREES,...",
    callback=angles,
    default=listed(RenderRequest.yaws),
    help="Turns about the vertical, one view each.",
)
@click.option(
    "--pitches",
    metavar="DEGREES,...",
    callback=angles,
    default=listed(RenderRequest.pitches),
    help="Tilts; every yaw is drawn at each.",
)
@click.option(
    "--passes",
    metavar="NAME,...",
    callback=names,
    default=",".join(RenderRequest.passes),
    help=f"Kinds of images: {', '.join(PASSES)}.",
)
@click.option(
    "--projections",
    metavar="NAME,...",
    callback=names,
    default=",".join(RenderRequest.projections),
    help=f"Cameras: {', '.join(PROJECTIONS)}.",
)
@click.option(
    "--light",
    metavar="NAME",
    default=RenderRequest.light,
    help=f"Of the shaded pictures: {', '.join(LIGHTS)}.",
)
@click.option(
    "--light-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="NPY file of spherical harmonics that light sh chooses from.",
)
@click.option("--occlusion", is_flag=True, help="Darken folds and gaps, where little of the room is seen.")
@click.option(
    "--format",
    "image_format",
    metavar="NAME",
    default=RenderRequest.image_format,
    help=f"Of the images: {', '.join(IMAGE_FORMATS)}.",
)
@click.option(
    "--depth-format",
    metavar="NAME",
    help=f"Of depth and normals: {', '.join(DEPTH_FORMATS)}; as --format if not given.",
)
@click.option(
    "--drop-fragments",
    metavar="SHARE",
    type=float,
    default=RenderRequest.drop_fragments,
    help="Drop pieces under this share of a scan's area, such as 0.01; 0 keeps all.",
)
@click.option("--drop-floor", is_flag=True, help="Drop a piece of floor under the person.")
@click.option(
    "--body-models",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where SMPL-X's files are; see doctor.",
)
@click.option(
    "--gl-device",
    metavar="auto|N",
    callback=_device,
    default="auto",
    help="EGL device that draws, as doctor counts them; auto takes a card, or else software.",
)
@click.option("--overlays", is_flag=True, help="Draw the keypoints over small shaded pictures, to look at.")
@click.option(
    "--compat-keypoints",
    is_flag=True,
    help="Put keypoints where the published files have them, up to 27 pixels off.",
)
@click.option("--max-texture-mpx", type=int, help="Megapixels that textures may have; 268 if not given.")
@click.option("--size", type=int, default=RenderRequest.size, help="Side of an image, in pixels.")
@click.option("--seed", type=int, default=RenderRequest.seed, help="Decides the people and the light.")
@click.option(
    "--people", "demo_people", type=int, default=RenderRequest.demo_people, help="How many; demo only."
)
@click.option(
    "--vertices",
    "demo_vertices",
    type=int,
    default=RenderRequest.demo_vertices,
    help="Of a person; demo only.",
)
@conduct_options
@click.option("--dry-run", is_flag=True, help="Only say what would be made, and why.")
def render(**asked: Any) -> None:
    """Draw the views of the scans of DATASET that are not there yet, or not as they would be now.

    Writes colour and depth of both surfaces, and a shaded picture, in the places where the published
    2K2K training code looks for them; --passes asks for others. DATASET is `demo`, whose people are made
    first, or one whose scans lie under DATA/obj/DATASET: `2K2K`, `THuman2`, `RP`, `folder`, or any name
    with --layout. What is up to date stays; Ctrl-C finishes the scans in hand, and the next call goes on.

    \b
    Examples:
      scan2k render demo
      scan2k render demo --people 1 --vertices 50000 --size 512     (seconds, for a first look)
      scan2k render 2K2K --data /mnt/data --yaws -30,0,30 --dry-run (what would be made, and why)
      scan2k render 2K2K --subjects "00003 00010-00020"             (these people alone)
      scan2k render 2K2K --yaws $(seq -s, -180 10 170)              (a full circle)
      scan2k render 2K2K --passes normal,depth --depth-format exr
      scan2k render THuman2 --light ring --projections perspective,orthographic
      scan2k render ours --layout folder --drop-floor --drop-fragments 0.01
      scan2k render 2K2K --cluster slurm --profile slurm.toml       (docs/cluster.md)
    """
    from pipeline import build
    from pipeline.conduct.wording import lines_of, lines_of_plan

    request, conduct = _taken(RenderRequest, asked), _taken(Conduct, asked)
    if asked["dry_run"]:
        with watching(f"looking at {request.dataset}") as watch:
            planned = build.plan(request, watch, conduct)
        click.echo("\n".join(lines_of_plan(planned)))
        return
    with watching(f"rendering {request.dataset}") as watch:
        done = build.render(request, watch, conduct)
    click.echo("\n".join(lines_of(done)))
    raise click.exceptions.Exit(_code(done))


def _code(done: Summary) -> int:
    """How a build ends: 130 if it was stopped early, 3 if scans could not be used."""
    if done.stopped:
        return 130
    return 3 if done.has_faults else 0


def _taken(request: type[Request], asked: dict[str, Any]) -> Request:
    """The request, of those options that are its fields."""
    return request(**{field.name: asked[field.name] for field in fields(request)})
