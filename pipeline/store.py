"""Where things lie under the data folder. Refuses to know a file format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ORTHOGRAPHIC, PERSPECTIVE

SHADED = "COLOR/SHADED"
UNSHADED = "COLOR/NOSHADING"
DEPTH = "DEPTH"
NORMAL = "NORMAL"
MASK = "MASK"
KEYPOINT = "keypoint"
OVERLAY = "OVERLAY"
_ANGLE = r"-?\d+(\.\d+)?"
_CAMERAS = {PERSPECTIVE: "PERS", ORTHOGRAPHIC: "ORTH"}


@dataclass(frozen=True)
class Picture:
    """One of the files of a view: `kind` is SHADED or another of the names above, `side` front or back."""

    kind: str
    side: str
    format: str = "png"
    projection: str = PERSPECTIVE

    def path(self, view: str, scan: str) -> str:
        """Where it lies, below the data folder."""
        return f"{images_of(self.projection)}/{self.kind}/{view}/{scan}_{self.side}.{self.format}"


@dataclass(frozen=True)
class Workspace:
    """One dataset in one data folder, and how many pixels may be opened there (None: as readers allow)."""

    root: Path
    dataset: str
    most_texture_pixels: int | None = None

    @property
    def scans(self) -> Path:
        """The folder that the dataset's own files lie in."""
        return self.root / "obj" / self.dataset

    @property
    def parsed(self) -> Path:
        """The folder of meshes that were read from text once; it may be deleted at any time."""
        return self.root / "cache" / "meshes"

    @property
    def openness(self) -> Path:
        """The folder of what meshes' vertices see of the room; it may be deleted at any time."""
        return self.root / "cache" / "openness"

    @property
    def manifests(self) -> Path:
        """The folder of the tables that say what was made."""
        return self.root / "manifests" / self.dataset

    @property
    def logs(self) -> Path:
        """The folder of what builds noted while they ran; it may be deleted at any time."""
        return self.root / "logs" / self.dataset

    def view(self, pitch: float, yaw: float) -> str:
        """The folder name of a view, as `2K2K_0_y_-30_x`; angles are degrees."""
        return f"{self.dataset}_{degrees_text(pitch)}_y_{degrees_text(yaw)}_x"

    def is_view(self, folder: str) -> bool:
        """Whether a folder of this name holds a view of this dataset."""
        return bool(re.fullmatch(rf"{re.escape(self.dataset)}_{_ANGLE}_y_{_ANGLE}_x", folder))

    def absolute(self, path: str) -> Path:
        """A path below the data folder as one that can be opened."""
        return self.root / path

    def list_file(self, split: str) -> Path:
        """The list that published loaders read: one line a view."""
        return self.root / "list" / f"{self.dataset}_{split}.txt"


def images_of(projection: str) -> str:
    """The folder below the data folder that the images through a camera are in."""
    return _CAMERAS[projection]


def degrees_text(angle: float) -> str:
    """An angle as folder names have it: no point where there is no fraction, and no minus zero."""
    return f"{round(angle, 6) + 0.0:.6f}".rstrip("0").rstrip(".")
