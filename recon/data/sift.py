"""Which rows of one dataset's manifest can be learnt from, and why the others cannot.

Reads `views.parquet` and nothing else. Refuses to know of other datasets, and to open a picture.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manifests.files import Facts
from manifests.read import Manifest
from manifests.schema import VIEWS
from pipeline.config import PERSPECTIVE
from pipeline.errors import ConfigError, ManifestError
from pipeline.geometry.camera import portrait_camera
from pipeline.records import Bool
from pipeline.store import Workspace

FILES = ("shaded_front", "depth_front", "depth_back")
INTEGERS, FLOATS = "uint16", "float32"  # how depth is stored
NUMBERS = ("depth_near", "depth_scale", "depth_offset")
HELD = ("scan", "view", *FILES, "width", *NUMBERS, "depth_coding", "keypoints_uv", "keypoints_valid")
_KEYS = ("scan", "view", "key", "shaded_key", "keypoints_key")  # what tells one picture from another
_LOOKED_AT = ("split", "projection", "depth_kind", "yaw", "height", "intrinsics", "silhouette_pixels")
_SUFFIXES = {INTEGERS: (".png", ".jxl"), FLOATS: (".exr",)}
_RAY_LENGTH = "ray_length"
_SAME_ANGLE = 1e-6  # degrees
_SAME_CAMERA = 1e-6  # of the picture's side

Table = Any  # Arrow has no types


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for: a split, angles in degrees (none = all), and the side of pictures in pixels."""

    split: str
    yaws: tuple[float, ...]
    size: int


@dataclass(slots=True)
class Sifted:
    """What one manifest has: tables of what can be used, and how many rows of what else there are.

    `yaws` are all angles of the split's views, `formats` those of the pictures that were chosen.
    """

    tables: list[Table] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    other_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    yaws: set[float] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)
    digest: str = ""

    @property
    def count(self) -> int:
        """How many views can be used."""
        return sum(table.num_rows for table in self.tables)


def near(yaw: float, other: float) -> bool:
    """Whether two angles in degrees are the same, whole turns aside."""
    return abs((yaw - other + 180.0) % 360.0 - 180.0) < _SAME_ANGLE


def sifted(data: Path, dataset: str, wish: Wish) -> Sifted:
    """What a dataset has of what is wished for."""
    folder = Workspace(data, dataset).manifests
    if not (folder / VIEWS.file).is_file():
        raise ConfigError(
            f"{folder / VIEWS.file} is not there; make it with `scan2k render {dataset}`, "
            "or give another --data"
        )
    found, digest = Sifted(), hashlib.blake2b(digest_size=16)
    columns = tuple(dict.fromkeys((*HELD, *_KEYS, *_LOOKED_AT)))
    for table in Manifest(folder, Facts(dataset), {}).batches(VIEWS, columns):
        chosen = _chosen(table, wish, found)
        if chosen.num_rows:
            _require_inside(folder / VIEWS.file, chosen, found)
            for name in _KEYS:
                digest.update("\n".join(chosen.column(name).to_pylist()).encode())
            found.tables.append(chosen.select(list(HELD)))
    found.digest = digest.hexdigest()
    return found


def _chosen(table: Table, wish: Wish, found: Sifted) -> Table:
    """The rows that can be used; `found` learns of the others."""
    splits = _values(table, "split")
    found.elsewhere.update(splits[splits != wish.split].tolist())
    table = table.take(np.flatnonzero(splits == wish.split))
    yaws = _values(table, "yaw")
    offered = np.unique(yaws)
    found.yaws.update(offered.tolist())
    if wish.yaws:
        wanted = [yaw for yaw in offered if any(near(yaw, other) for other in wish.yaws)]
        table = table.take(np.flatnonzero(np.isin(yaws, wanted)))
    usable = np.ones(table.num_rows, dtype=bool)
    for reason, is_bad in _faults(table):
        found.left_out[reason] += int((usable & is_bad).sum())
        usable &= ~is_bad
    found.left_out += Counter()  # forgets reasons that nothing was left out for
    table = table.take(np.flatnonzero(usable))
    width, height = _values(table, "width"), _values(table, "height")
    fits = (width == height) & _is_larger(width, wish.size)
    found.other_sizes.update(zip(width[~fits].tolist(), height[~fits].tolist(), strict=True))
    return table.take(np.flatnonzero(fits))


def _faults(table: Table) -> Iterator[tuple[str, Bool]]:
    """Why rows cannot be used, and which of them."""
    is_ray = (_values(table, "projection") == PERSPECTIVE) & (_values(table, "depth_kind") == _RAY_LENGTH)
    yield "without perspective", ~is_ray
    for name in FILES:
        yield f"without {name}", ~table.column(name).is_valid().to_numpy()
    yield "that show nobody", _values(table, "silhouette_pixels") <= 0
    yield "with depth that is stored in no known way", ~_is_coded(table)
    yield "through another camera", ~_is_portrait(table)


def _is_larger(width: npt.NDArray[np.int64], size: int) -> Bool:
    """Whether each is `size`, or that doubled some times."""
    times = np.maximum(width // size, 1)
    fits: Bool = (times * size == width) & (times & (times - 1) == 0)
    return fits


def _is_coded(table: Table) -> Bool:
    """Whether depth can be decoded by the row's own numbers, of files that can hold it."""
    _, scale, _ = numbers = [_values(table, name) for name in NUMBERS]
    known = np.isfinite(numbers).all(0) & (scale > 0)
    codings = _values(table, "depth_coding")
    for name in FILES[1:]:
        paths = zip(codings, _values(table, name), strict=True)
        known &= np.array([str(path).endswith(_SUFFIXES.get(coding, ())) for coding, path in paths], bool)
    return known


def _is_portrait(table: Table) -> Bool:
    """Whether each is seen by the camera that the model takes all pictures to be from."""
    lists = table.column("intrinsics").combine_chunks()
    intrinsics = lists.flatten().to_numpy().reshape(-1, 9) / _values(table, "width")[:, None]
    camera = portrait_camera(1)
    wanted = (camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy)
    same: Bool = (np.abs(intrinsics[:, :6] - wanted) < _SAME_CAMERA).all(1)
    return same


def _require_inside(path: Path, table: Table, found: Sifted) -> None:
    """Refuse a manifest that names a file outside of the data folder; note the formats of its pictures."""
    for column in FILES:
        names = table.column(column).to_pylist()
        for row, name in enumerate(names):
            if ".." in name.split("/") or name.startswith("/") or "\0" in name:
                view = f"{table.column('scan')[row]}/{table.column('view')[row]}"
                raise ManifestError(
                    f"{path}: {column} of {view} is {name!r}, which leads out of the data folder"
                )
        found.formats |= {name.rpartition(".")[2] for name in names}


def _values(table: Table, column: str) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = table.column(column).to_numpy()
    return values
