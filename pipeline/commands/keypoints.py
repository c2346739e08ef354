"""`scan2k keypoints`, and what stands below it."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands.progress import reporting


@click.group(invoke_without_command=True)
@click.pass_context
def keypoints(ctx: click.Context) -> None:
    """Bring in keypoints that do not come from a scan's own joints."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@keypoints.command("import", short_help="From the JSON files of OpenPose.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace keypoints that are there already.")
def bring(folder: Path, out: Path, overwrite: bool) -> None:
    """Take the 31 keypoints from the JSON files that OpenPose wrote for pictures.

    FOLDER holds PICTURE_keypoints.json or PICTURE.json, in subfolders too. For each, OUT gets
    PICTURE.npy in the same subfolder: u, v and confidence of the 31, in pixels of the picture that
    OpenPose saw, and zeros for those it did not find. Run OpenPose with --hand, or knuckles are lacking.
    Of several people, the one is taken whose confidences add up to most, times the diagonal of their box.

    \b
    Examples:
      scan2k keypoints import photos photos                  (photos/a_keypoints.json -> photos/a.npy)
      scan2k keypoints import openpose data/PERS/keypoint    (openpose/2K2K_0_y_0_x/..., view by view)
    """
    from pipeline import detections

    with reporting(f"reading {folder}") as report:
        made = detections.bring(folder, out, report, overwrite=overwrite)
    click.echo(
        f"keypoints: {made.written} written, {made.kept} kept, {made.empty} without a person, "
        f"{made.unreadable} unreadable, in {out}"
    )
    if not made.written + made.kept:
        raise click.exceptions.Exit(1)
