"""Keypoints that somebody found in pictures, brought into the files that published loaders read.

Refuses to look at a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.atomic import require_writable
from pipeline.errors import ConfigError, FormatError
from pipeline.formats.joints import read_openpose
from pipeline.formats.keypoint_file import write_keypoints
from pipeline.geometry.keypoints import best_of, in_picture

FROM_OPENPOSE = "openpose"
_ENDING = "_keypoints"  # what OpenPose adds to a picture's name
Report = Callable[[str], None]


@dataclass(frozen=True)
class Brought:
    """How many files were written, were there already, show nobody, and cannot be read."""

    written: int = 0
    kept: int = 0
    empty: int = 0
    unreadable: int = 0


def bring(folder: Path, out: Path, report: Report, *, overwrite: bool = False) -> Brought:
    """Write OUT/a/b.npy for every a/b_keypoints.json or a/b.json of a folder; says what is left out.

    What is there already is kept unless `overwrite`: it may be projected from a scan's own joints.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the one that OpenPose wrote its JSON to")
    jobs = dict(_jobs(folder))
    if not jobs:
        raise ConfigError(f"{folder} has no .json files, nor have its subfolders")
    require_writable(out)
    ends = [_one(folder / source, out / name, report, overwrite) for name, source in jobs.items()]
    return Brought(*(ends.count(end) for end in ("written", "kept", "empty", "unreadable")))


def _jobs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each file that is to be written, and the one it is read from, both below their folders."""
    seen: dict[Path, Path] = {}
    for path in sorted(folder.rglob("*.json")):
        source = path.relative_to(folder)
        target = source.with_name(f"{source.stem.removesuffix(_ENDING)}.npy")
        if target.name == ".npy":
            raise ConfigError(f"{path} is named after no picture; name it PICTURE{_ENDING}.json")
        if target in seen:
            raise ConfigError(f"{folder}: {seen[target]} and {source} are of one picture; remove one")
        seen[target] = source
        yield target, source


def _one(source: Path, target: Path, report: Report, overwrite: bool) -> str:
    """Bring one picture's keypoints; what became of them."""
    if target.exists() and not overwrite:
        return "kept"
    try:
        people = read_openpose(source)
    except FormatError as error:
        report(f"not used: {error}")
        return "unreadable"
    person = best_of(people)
    if person is None:
        report(f"{source}: shows nobody")
        return "empty"
    if len(people) > 1:
        report(f"{source}: shows {len(people)} people; person {people.index(person)} is taken")
    keypoints = in_picture(person, FROM_OPENPOSE)
    write_keypoints(target, keypoints, keypoints.confidence)
    return "written"
