"""The command line: which commands there are, and how every one of them may end.

The commands themselves are in `pipeline.commands`. Refuses to hold logic and to load anything heavy.
"""

from __future__ import annotations

import difflib
import errno
import sys
from collections.abc import Iterable, Sequence

import click

from pipeline.commands.checkpoint import checkpoint
from pipeline.commands.doctor import doctor
from pipeline.commands.export import export
from pipeline.commands.keypoints import keypoints
from pipeline.commands.listing import scan_list
from pipeline.commands.render import render
from pipeline.commands.status import status
from pipeline.commands.synth import synth
from pipeline.commands.train import train
from pipeline.commands.verify import verify
from pipeline.errors import ConfigError, PipelineError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}
_THE_DISK_SAYS_NO = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
}


@click.group(context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(package_name="scan2k", message="%(package)s %(version)s")
@click.pass_context
def scan2k(ctx: click.Context) -> None:
    """Turn 3D human scans into training data, and training data into a model.

    \b
    Start here:
      scan2k doctor           what this machine can do, and what is missing
      scan2k scan-list 2K2K   who is in a dataset, and what each has
      scan2k render demo      four synthetic people, seen from seven sides
      scan2k train --dataset demo   a small model of them, in minutes
      scan2k synth OUT        synthetic people as scans, the truth beside each
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (doctor, scan_list, render, keypoints, status, synth, verify, export, train, checkpoint):
    scan2k.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 done, 1 failed, 2 the request makes no sense, 3 what was looked at is not as it should be, 130
    interrupted.
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
