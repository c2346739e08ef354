"""What a process that was ended in the middle of writing leaves beside the images.

Refuses to touch whatever has a name of its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pipeline.atomic import is_unfinished
from pipeline.config import PROJECTIONS
from pipeline.store import Workspace, images_of


def sweep(work: Workspace) -> None:
    """Remove unfinished files from the folders of a dataset's views; nobody may be writing there."""
    for top in map(images_of, PROJECTIONS):
        for place, _, names in os.walk(work.absolute(top)):
            if work.is_view(Path(place).name):
                for name in filter(is_unfinished, names):
                    with suppress(FileNotFoundError):
                        (Path(place) / name).unlink()
