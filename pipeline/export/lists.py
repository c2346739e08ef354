"""The lists that published loaders read: one line a view, its shaded colour, plain colour and depth."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from pipeline.atomic import replacing
from pipeline.config import PERSPECTIVE, RenderRequest
from pipeline.errors import ManifestError
from pipeline.export.chosen import SPLITS, Choice, DisagreementError, Row

NAMED = ("shaded_front", "color_front", "depth_front")  # in the order of a line
_CHECKED = (*NAMED, "keypoints_file")
_COLUMNS = (
    *("scan", "view", "split", "projection", "depth_coding"),
    *(f"{file}{ending}" for file in _CHECKED for ending in ("", "_bytes")),
)


def write_lists(choice: Choice, folder: Path) -> dict[str, int]:
    """Write `{DATASET}_{all,train,val,test}.txt`, all or none of them; how many lines each has.

    A view that lacks one of the images in PNG, or was seen in parallel, is not in them.
    """
    faults: list[str] = []
    counts = dict.fromkeys(("all", *SPLITS), 0)
    with ExitStack() as files:
        streams: dict[str, BinaryIO] = {
            name: files.enter_context(replacing(folder / f"{choice.work.dataset}_{name}.txt"))
            for name in counts
        }
        for row in choice.checked(choice.rows(None, _COLUMNS), _CHECKED, faults):
            if is_listed(row):
                for name in ("all", row["split"]):
                    streams[name].write(line_of(row).encode())
                    counts[name] += 1
        if faults:
            raise DisagreementError(faults)
        if not counts["all"]:
            raise ManifestError(
                f"no view of {choice.work.dataset} has shaded, color and depth as PNG in perspective, "
                f"which the lists name; `scan2k render {choice.work.dataset}` makes them"
            )
    return counts


def is_for_lists(request: RenderRequest) -> bool:
    """Whether views that are made as asked are in the lists."""
    formats = {request.image_format, request.geometry_format}
    passes = {"shaded", "color", "depth"} <= {*request.passes}
    return passes and formats == {"png"} and PERSPECTIVE in request.projections


def is_listed(row: Row) -> bool:
    """Whether a published loader can use a view; its lists are split at spaces."""
    paths = [row[file] for file in NAMED]
    return (
        row["projection"] == PERSPECTIVE
        and row["depth_coding"] == "uint16"
        and all(path is not None and path.endswith(".png") and not set(path) & {*" \n"} for path in paths)
    )


def line_of(row: Row) -> str:
    """A view's line."""
    return " ".join(f"/{row[file]}" for file in NAMED) + "\n"
