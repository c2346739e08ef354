"""`scan2k synth`, and what stands below it."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands.options import names
from pipeline.commands.progress import reporting


class SynthGroup(click.Group):
    """`synth OUT` is `synth people OUT`, and the help of the group shows both."""

    default = "people"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the unnamed command's name where it was left out."""
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both ways to call it."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] OUT")
        formatter.write_usage(ctx.command_path, "body-model OUT")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of the unnamed command, then the commands."""
        click.Command.format_options(self.commands[self.default], ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=SynthGroup)
def synth() -> None:
    """Make synthetic people, as scans, or the body model they are posed by.

    OUT is a data folder: the scans go to OUT/obj/DATASET, laid out as that dataset is, and beside each
    the truth: parameters, body mesh, joints, front, scale and centre. People that are there already,
    made with the same options, are kept. `scan2k synth body-model OUT` writes the body model instead.

    \b
    Examples:
      scan2k synth people --people 12
      scan2k synth people --layout thuman2 --people 3 --seed 7
      scan2k synth rough --defects holes,fragments,floor,yaw
      scan2k synth sitting --pose sitting --people 5
      scan2k synth small --people 1 --vertices 20000            (a second, for tests)
      scan2k synth body-model data/body_models
    """


@synth.command("people", short_help="What `scan2k synth OUT` does.")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--people", type=int, default=4, help="How many people.")
@click.option("--seed", type=int, default=0, help="Decides who they are and how they stand.")
@click.option("--layout", default="2k2k", help="2k2k, thuman2, renderpeople or folder.")
@click.option("--vertices", type=int, default=1_000_000, help="Of a person, within 5 %.")
@click.option(
    "--defects",
    metavar="NAME,...",
    callback=names,
    default="",
    show_default=False,
    help="What real scans have: holes, fragments, floor, centimetres, yaw, origin.",
)
@click.option(
    "--pose", metavar="NAME", help="Everybody's pose, such as a-pose; drawn by seed if not given."
)
def people(
    *,
    out: Path,
    people: int,
    seed: int,
    layout: str,
    vertices: int,
    defects: tuple[str, ...],
    pose: str | None,
) -> None:
    """Make synthetic people as scans, the truth beside each; see `scan2k synth --help`."""
    from pipeline.synth import layouts
    from pipeline.synth.defects import defects_of

    request = layouts.SynthRequest(out, people, seed, layout, vertices, defects_of(defects), pose)
    with reporting(f"making {people} people of {vertices:,} vertices") as report:
        done = layouts.write_people(request, report)
    click.echo(f"people made: {done.made}, kept: {done.kept}, in {done.seconds:.0f} s")
    click.echo(f"scans: {done.folder}")


@synth.command("body-model", short_help="Write the body model.")
@click.argument("out", type=click.Path(path_type=Path))
def body_model(out: Path) -> None:
    """Write the synthetic people's body model, in SMPL-X's file format, below OUT.

    It is this project's own and not SMPL-X: same format, same joints, other meaning of its shape
    coefficients. The `smplx` package loads it: smplx.create(OUT, model_type="smplx").
    """
    from pipeline.synth.model import write_body_model

    for path in write_body_model(out):
        click.echo(str(path))
