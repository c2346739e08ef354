"""Where a person in a photograph stands in the square picture that the model knows people from.

The model learns from scans that are centred on their surface and scaled by their farthest coordinate
(`transform.FILL`). Of a photograph only the silhouette and the keypoints are known, so this is a guess.
Measured by benchmarks/framing.py on views of 108 synthetic people, who stand, walk, sit and crouch:

* by the silhouette, the side of the square is off by 3 % (root of the mean square; 14 % for the worst), its
  centre by 10 of 2048 pixels across and 34 along the body;
* by the torso, for a person who is cut off, the side by 6.5 % (17 %), the centre by 22 and 58 pixels.

Refuses to resample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import FormatError
from pipeline.geometry.keypoints import NAMES
from pipeline.geometry.resample import Box
from pipeline.records import F64, Bool

SIDE_BY_BOX = 1.274  # the square's side over the longer side of the silhouette's box
SIDE_BY_TORSO = 4.78  # and over the way from between the shoulders to between the hips
CENTRE_BY_TORSO = -0.07  # from between the hips to the centre, in torsos towards the shoulders
_LEAST_TORSO = 2.0  # pixels; of a shorter one no direction is known
_SHOULDERS, _HIPS = (
    [NAMES.index(f"{side} {joint}") for side in ("left", "right")] for joint in ("shoulder", "hip")
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A square of whole pixels of a photograph, which may reach out of it, shown at `size` pixels."""

    left: int
    top: int
    side: int
    size: int

    @property
    def box(self) -> Box:
        """The square in the photograph."""
        return Box(self.left, self.top, self.side, self.side)

    def box_of(self, shape: tuple[int, int]) -> Box:
        """Where a photograph (H, W) lies in the frame: resampled, this box brings maps back to it."""
        (left, top), (right, bottom) = self.to_model(
            np.array([[0, 0], [shape[1], shape[0]]], dtype=np.float64)
        )
        return Box(float(left), float(top), float(right - left), float(bottom - top))

    def to_model(self, points: F64) -> F64:
        """Positions (N, 2) in the photograph as those in the frame."""
        return np.asarray((points - (self.left, self.top)) * (self.size / self.side))

    def to_photo(self, points: F64) -> F64:
        """Positions (N, 2) in the frame as those in the photograph."""
        return np.asarray(points * (self.side / self.size) + (self.left, self.top))


def frame_of_mask(mask: Bool, size: int) -> Frame:
    """The frame of the one person whose silhouette (H, W) is seen whole."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise FormatError("mask shows nobody")
    top, left = int(rows[0]), int(columns[0])
    seen = mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    # Counted from the silhouette's own corner, so that room around the person changes no digit.
    total = np.count_nonzero(seen)
    across = float(seen.sum(axis=0) @ (np.arange(seen.shape[1]) + 0.5)) / total
    along = float(seen.sum(axis=1) @ (np.arange(seen.shape[0]) + 0.5)) / total
    return _around((left, top), (across, along), SIDE_BY_BOX * max(seen.shape), size)


def frame_of_torso(uv: F64, valid: Bool, size: int) -> Frame | None:
    """The frame by the torso's keypoints (31, 2); None where not all four are known, or they coincide."""
    if not valid[_SHOULDERS + _HIPS].all():
        return None
    shoulders, hips = uv[_SHOULDERS].mean(axis=0), uv[_HIPS].mean(axis=0)
    torso = shoulders - hips
    length = float(np.linalg.norm(torso))
    if length < _LEAST_TORSO:
        return None
    centre = hips + CENTRE_BY_TORSO * torso
    return _around((0, 0), (float(centre[0]), float(centre[1])), SIDE_BY_TORSO * length, size)


def _around(corner: tuple[int, int], centre: tuple[float, float], side: float, size: int) -> Frame:
    """The frame about a centre that is given from a corner; of whole pixels."""
    whole = max(round(side), 1)
    left, top = (
        start + int(np.floor(at - whole / 2 + 0.5)) for start, at in zip(corner, centre, strict=True)
    )
    return Frame(left, top, whole, size)
