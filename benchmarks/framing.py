"""How exact the guess is where a photographed person stands in the model's picture.

A view of a dataset is what the model learns from, so its true frame is all of it. What the constants
in `pipeline.geometry.framing` should be is told by every second person; how far guesses are off,
by the others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from manifests.read import open_manifest
from pipeline.formats.image import read_grey16
from pipeline.geometry.framing import SIDE_BY_BOX, SIDE_BY_TORSO, Frame, frame_of_mask, frame_of_torso
from pipeline.records import F64

SIZE = 2048  # errors of places are in pixels of such a picture
_COLUMNS = ("scan", "depth_front", "keypoints_uv", "keypoints_valid")
WAYS = {"silhouette": ("SIDE_BY_BOX", SIDE_BY_BOX), "torso": ("SIDE_BY_TORSO", SIDE_BY_TORSO)}


def off(frame: Frame | None, true: int) -> F64:
    """Side over the true side, and how far the centre is off (3,); NaN if there is no guess."""
    if frame is None:
        return np.full(3, np.nan)
    middle = frame.to_photo(np.array([[SIZE / 2, SIZE / 2]]))[0]
    return np.array([frame.side / true, *((middle - true / 2) * (SIZE / true))])


def guesses(data: Path, dataset: str) -> tuple[list[str], F64]:
    """The people of a dataset's views, and how far the guess by each way is off (N, 2, 3)."""
    rows = open_manifest(data / "manifests" / dataset).views(columns=_COLUMNS).to_pylist()
    found = []
    for row in rows:
        mask = read_grey16(data / row["depth_front"]) > 0
        uv = np.array(row["keypoints_uv"], dtype=np.float64).reshape(-1, 2)
        torso = frame_of_torso(uv, np.array(row["keypoints_valid"], dtype=np.bool_), SIZE)
        found.append([off(frame, mask.shape[0]) for frame in (frame_of_mask(mask, SIZE), torso)])
    return [f"{dataset}/{row['scan']}" for row in rows], np.array(found)


def told(errors: F64) -> dict[str, float]:
    """Root mean squares and worst of errors (N, 3): of the side in percent, of the centre in pixels."""
    side, across, along = (errors - (1, 0, 0)).T * [[100], [1], [1]]
    return {
        "side_percent": round(float(np.sqrt((side**2).mean())), 1),
        "side_percent_worst": round(float(np.abs(side).max()), 1),
        "across_px": round(float(np.sqrt((across**2).mean()))),
        "along_px": round(float(np.sqrt((along**2).mean()))),
        "along_px_worst": round(float(np.abs(along).max())),
    }


def main() -> None:
    """Print what the constants should be, and how far guesses are off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data folder whose depth is PNG")
    parser.add_argument("datasets", nargs="+")
    asked = parser.parse_args()
    parts = [guesses(asked.data, dataset) for dataset in asked.datasets]
    people = [person for names, _ in parts for person in names]
    errors = np.concatenate([found for _, found in parts])
    setters = set(sorted(set(people))[::2])
    sets = np.array([person in setters for person in people])
    report: dict[str, object] = {"people": len(set(people)), "views": len(people)}
    for place, (way, (name, value)) in enumerate(WAYS.items()):
        known = np.isfinite(errors[:, place, 0])
        report[name] = round(float(value / np.median(errors[sets & known, place, 0])), 3)
        report[way] = told(errors[~sets & known, place])
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
