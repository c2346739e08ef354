"""The command line: read the request, call one function, report. Holds no logic and loads nothing heavy."""

from __future__ import annotations

import difflib
import errno
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import click

from pipeline.config import ListRequest, RenderRequest, SplitShares
from pipeline.errors import ConfigError, PipelineError

Report = Callable[[str], None]

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}
_THE_DISK_SAYS_NO = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
}
_PATIENCE = 2.0  # seconds after which something must have been said
_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=RenderRequest.data,
    help="The data folder.",
)


_LAYOUT = click.option(
    "--layout",
    metavar="NAME",
    default=None,
    help="2k2k, thuman2, renderpeople, huge100k or folder; without it, as DATASET's name says.",
)


def _angles(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Degrees, separated by commas."""
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a list of degrees such as -30,0,30", ctx, param
        ) from None


def _shares(ctx: click.Context, param: click.Parameter, value: str) -> SplitShares:
    """Shares of train, val and test, separated by commas."""
    try:
        train, val, test = (float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not three shares such as 0.9,0.05,0.05", ctx, param
        ) from None
    return SplitShares(train, val, test)


def _names(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    """Names, separated by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _listed(angles: Sequence[float]) -> str:
    return ",".join(f"{angle:g}" for angle in angles)


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


@click.group(context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(package_name="scan2k", message="%(package)s %(version)s")
@click.pass_context
def scan2k(ctx: click.Context) -> None:
    """Turn 3D human scans into training data.

    \b
    Start here:
      scan2k doctor           what this machine can do, and what is missing
      scan2k scan-list 2K2K   who is in a dataset, and what each has
      scan2k render demo      four synthetic people, seen from seven sides
      scan2k synth OUT        synthetic people as scans, the truth beside each
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@scan2k.command()
@_DATA
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(data: Path, as_json: bool) -> None:
    """Say what this machine can do.

    One screen: every EGL device with its GL, memory and disk, Python, torch and CUDA, the body model;
    and for everything missing the command that would fix it. Exit code 1 if rendering is impossible.
    """
    from pipeline import doctor as examination

    machine = examination.examine(data)
    if as_json:
        click.echo(json.dumps(examination.as_json(machine), indent=2))
    else:
        click.echo("\n".join(examination.lines(machine)))
    if not machine.can_render:
        raise click.exceptions.Exit(1)


@scan2k.command("scan-list")
@click.argument("dataset")
@_DATA
@_LAYOUT
@click.option(
    "--shares",
    metavar="TRAIN,VAL,TEST",
    callback=_shares,
    default=_listed((SplitShares.train, SplitShares.val, SplitShares.test)),
    help="Of the people whose split the release does not say.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def scan_list(dataset: str, data: Path, layout: str | None, shares: SplitShares, as_json: bool) -> None:
    """Say who is in DATASET, what each has and what each lacks.

    Looks at names only, so a hundred thousand people take seconds, and a file that is there may still be
    broken. DATASET is `2K2K`, `THuman2`, `RP`, `HuGe100K`, `folder` or `demo`; with --layout it may be any
    folder of DATA/obj.

    \b
    Examples:
      scan2k scan-list 2K2K --data /mnt/data
      scan2k scan-list our-scans --layout folder
      scan2k scan-list HuGe100K --json > people.json
    """
    from pipeline import listing

    found = listing.scan_list(ListRequest(dataset, data, layout, shares))
    if as_json:
        click.echo(json.dumps(listing.as_json(found)))
    else:
        click.echo("\n".join(listing.lines(found)))


@scan2k.command()
@click.argument("dataset")
@_DATA
@_LAYOUT
@click.option(
    "--yaws",
    metavar="DEGREES,...",
    callback=_angles,
    default=_listed(RenderRequest.yaws),
    help="Turns about the vertical, one view each.",
)
@click.option(
    "--pitches",
    metavar="DEGREES,...",
    callback=_angles,
    default=_listed(RenderRequest.pitches),
    help="Tilts; every yaw is drawn at each.",
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
@click.option("--max-texture-mpx", type=int, help="Megapixels that textures may have; 268 if not given.")
@click.option("--size", type=int, default=RenderRequest.size, help="Side of an image, in pixels.")
@click.option("--seed", type=int, default=RenderRequest.seed, help="Decides the people and the light.")
@click.option("--people", type=int, default=RenderRequest.demo_people, help="How many; demo only.")
@click.option("--vertices", type=int, default=RenderRequest.demo_vertices, help="Of a person; demo only.")
def render(
    *,
    dataset: str,
    data: Path,
    layout: str | None,
    yaws: tuple[float, ...],
    pitches: tuple[float, ...],
    drop_fragments: float,
    drop_floor: bool,
    body_models: Path | None,
    max_texture_mpx: int | None,
    size: int,
    seed: int,
    people: int,
    vertices: int,
) -> None:
    """Draw every view of every scan of DATASET.

    Writes colour and depth of both surfaces, and a shaded picture, in the places where the published
    2K2K training code looks for them. DATASET is `demo`, whose people are made first, or one whose scans
    lie under DATA/obj/DATASET: `2K2K`, `THuman2`, `RP`, `folder`, or any name with --layout. This version
    draws PLY with vertex colours; other scans are named and left out.

    \b
    Examples:
      scan2k render demo
      scan2k render demo --people 1 --vertices 50000 --size 512     (seconds, for a first look)
      scan2k render 2K2K --data /mnt/data --yaws -30,0,30
      scan2k render 2K2K --yaws $(seq -s, -180 10 170)              (a full circle)
      scan2k render ours --layout folder --drop-floor --drop-fragments 0.01
    """
    from pipeline import build

    request = RenderRequest(
        dataset, data, yaws, pitches, size, seed, people, vertices, layout,
        body_models, drop_fragments, drop_floor, max_texture_mpx,
    )  # fmt: skip
    with _reporting(f"rendering {dataset}") as report:
        made = build.render(request, report)
    for reject in made.rejects:
        click.echo(f"not used: {reject.scan}: {reject.reason}")
    click.echo(
        f"scans drawn: {made.scans}, views: {made.views}, images: {made.images}, in {made.seconds:.0f} s"
    )
    click.echo(f"images: {data / 'PERS'}, list: {data / 'list' / f'{dataset}_all.txt'}")
    if not made.scans:
        raise click.exceptions.Exit(1)


@scan2k.group(cls=SynthGroup)
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
    callback=_names,
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
    with _reporting(f"making {people} people of {vertices:,} vertices") as report:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 done, 1 failed, 2 the request makes no sense, 130 interrupted.
    """
    try:
        code = scan2k.main(args=arguments, prog_name="scan2k", standalone_mode=False)
    except (click.ClickException, click.Abort, PipelineError, OSError, KeyboardInterrupt) as error:
        code, text = _answer(error)
        click.echo(f"scan2k: {' '.join(text.split())}", err=True)
    return code if isinstance(code, int) else 0


def _answer(error: BaseException) -> tuple[int, str]:
    """The exit code and the one line for an end that is nobody's bug; any other error goes on up."""
    match error:
        case click.ClickException():
            return 2, _explained(error)
        case PipelineError():
            return 2 if isinstance(error, ConfigError) else 1, str(error)
        case OSError() if error.errno in _THE_DISK_SAYS_NO:
            return 1, f"{error.filename}: {error.strerror}"
        case click.Abort() | KeyboardInterrupt():
            return 130, "interrupted"
    raise error


@contextmanager
def _reporting(title: str) -> Iterator[Report]:
    """Something to call with one line of progress: a live line on a terminal, plain lines elsewhere.

    Elsewhere the title comes too, but only after a while, so that a request refused at once stays one line.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if console.is_terminal:
        with console.status(title):
            yield console.print
        return
    after_a_while = Timer(_PATIENCE, click.echo, (title,), {"err": True})
    after_a_while.daemon = True
    after_a_while.start()
    try:
        yield lambda text: click.echo(text, err=True)
    finally:
        after_a_while.cancel()


def _explained(error: click.ClickException) -> str:
    """A usage error in one line that names what could have been said instead."""
    if isinstance(error, click.exceptions.NoSuchCommand) and isinstance(error.ctx, click.Context):
        names = (
            error.ctx.command.list_commands(error.ctx) if isinstance(error.ctx.command, click.Group) else ()
        )
        return _with_choices(f"there is no command {error.command_name!r}", error.command_name, names)
    if isinstance(error, click.NoSuchOption) and isinstance(error.ctx, click.Context):
        names = [opt for param in error.ctx.command.params for opt in param.opts if opt.startswith("--")]
        return _with_choices(
            f"{error.ctx.command_path} has no option {error.option_name!r}", error.option_name, names
        )
    return error.format_message()


def _with_choices(text: str, said: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(said, names, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{text}{hint}; choose from: {', '.join(names)}"


if __name__ == "__main__":
    sys.exit(main())
