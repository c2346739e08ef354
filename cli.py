"""The command line: read the request, call one function, report. Holds no logic and loads nothing heavy."""

from __future__ import annotations

import difflib
import errno
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from pipeline.config import RenderRequest
from pipeline.errors import ConfigError, PipelineError

Report = Callable[[str], None]

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}
_THE_DISK_SAYS_NO = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}
_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=RenderRequest.data,
    help="The data folder.",
)


def _angles(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Degrees, separated by commas."""
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a list of degrees such as -30,0,30", ctx, param
        ) from None


def _listed(angles: Sequence[float]) -> str:
    return ",".join(f"{angle:g}" for angle in angles)


@click.group(context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(package_name="scan2k", message="%(package)s %(version)s")
@click.pass_context
def scan2k(ctx: click.Context) -> None:
    """Turn 3D human scans into training data.

    \b
    Start here:
      scan2k doctor         what this machine can do, and what is missing
      scan2k render demo    four synthetic people, seen from seven sides
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


@scan2k.command()
@click.argument("dataset")
@_DATA
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
@click.option("--size", type=int, default=RenderRequest.size, help="Side of an image, in pixels.")
@click.option("--seed", type=int, default=RenderRequest.seed, help="Decides the people and the light.")
@click.option("--people", type=int, default=RenderRequest.demo_people, help="How many; demo only.")
@click.option("--vertices", type=int, default=RenderRequest.demo_vertices, help="Of a person; demo only.")
def render(
    *,
    dataset: str,
    data: Path,
    yaws: tuple[float, ...],
    pitches: tuple[float, ...],
    size: int,
    seed: int,
    people: int,
    vertices: int,
) -> None:
    """Draw every view of every scan of DATASET.

    Writes colour and depth of both surfaces, and a shaded picture, in the places where the published
    2K2K training code looks for them. DATASET is `demo`, whose people are made first, or `2K2K`, whose
    scans are looked for under DATA/obj/2K2K.

    \b
    Examples:
      scan2k render demo
      scan2k render demo --people 1 --vertices 50000 --size 512     (seconds, for a first look)
      scan2k render 2K2K --data /mnt/data --yaws -30,0,30
      scan2k render 2K2K --yaws $(seq -s, -180 10 170)              (a full circle)
    """
    from pipeline import build

    request = RenderRequest(dataset, data, yaws, pitches, size, seed, people, vertices)
    with _reporting(f"rendering {dataset}") as report:
        made = build.render(request, report)
    for reject in made.rejects:
        click.echo(f"not used: {reject.scan}: {reject.reason}")
    click.echo(f"{made.images} images of {made.scans} scans ({made.views} views) in {made.seconds:.0f} s")
    click.echo(f"images: {data / 'PERS'}   list: {data / 'list' / f'{dataset}_all.txt'}")
    if not made.scans:
        raise click.exceptions.Exit(1)


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
    """Something to call with one line of progress: a live line on a terminal, plain lines elsewhere."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield lambda text: click.echo(text, err=True)
        return
    with console.status(title):
        yield console.print


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
