"""Which views are learnt from: rows of manifests, chosen once, and held as Arrow has them.

Refuses to open a picture.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.formats.image import require_writer
from pipeline.records import F32, Bool
from pipeline.store import degrees_text
from recon.data.sift import FILES, HELD, NUMBERS, Sifted, Table, Wish, near, sifted
from recon.recipe import Source


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One view: its pictures, how depth is stored in them, and its keypoints in pixels (31, 2)."""

    dataset: str
    scan: str
    view: str
    color: Path
    depths: tuple[Path, Path]  # front and back
    size: int
    near: float
    scale: float
    offset: float
    coding: str
    keypoints_uv: F32
    keypoints_valid: Bool

    @property
    def name(self) -> str:
        """What to call it: dataset, scan and view."""
        return f"{self.dataset}/{self.scan}/{self.view}"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The chosen views, in the order of datasets and scans.

    `views` is how many each dataset has, `left_out` how many could not be chosen, by the reason, and
    `elsewhere` how many each dataset has for other splits. `digest` is of all that decides what is in them.
    """

    data: Path
    split: str
    sources: tuple[Source, ...]
    pieces: tuple[tuple[str, Table], ...] = field(repr=False)  # of the datasets, in their order
    views: Mapping[str, int]
    left_out: Mapping[str, int]
    elsewhere: Mapping[str, Mapping[str, int]]
    digest: str

    def __len__(self) -> int:
        return sum(self.views.values())

    def view(self, index: int) -> View:
        """One of the views."""
        if not 0 <= index < len(self):
            raise IndexError(f"view {index} of {len(self)}")
        starts = [0, *accumulate(table.num_rows for _, table in self.pieces)]
        place = bisect_right(starts, index) - 1
        dataset, table = self.pieces[place]
        row = {name: table.column(name)[index - starts[place]] for name in HELD}
        color, front, back = (self.data / row[name].as_py() for name in FILES)
        near, scale, offset = (row[name].as_py() for name in NUMBERS)
        uv, valid = (
            row[f"keypoints_{name}"].values.to_numpy(zero_copy_only=False) for name in ("uv", "valid")
        )
        return View(
            dataset,
            scan=row["scan"].as_py(),
            view=row["view"].as_py(),
            color=color,
            depths=(front, back),
            size=row["width"].as_py(),
            near=near,
            scale=scale,
            offset=offset,
            coding=row["depth_coding"].as_py(),
            keypoints_uv=uv.reshape(-1, 2),
            keypoints_valid=valid,
        )


def choose(sources: Sequence[Source], data: Path, split: str, yaws: Sequence[float], size: int) -> Choice:
    """The views of datasets that are for a split, with these yaws in degrees (none = all).

    A dataset may have no views for the split at all: then the choice has none of it. One that has some, of
    which none can be used, is refused.
    """
    wish = Wish(split, tuple(yaws), size)
    found = {source.dataset: sifted(data, source.dataset, wish) for source in sources}
    _require_yaws(yaws, found)
    for dataset, one in found.items():
        _require_some(dataset, one, wish)
    require_writer(*{suffix for one in found.values() for suffix in one.formats})
    digest = hashlib.blake2b(digest_size=16)
    for source in sources:
        digest.update(f"{source.dataset} {source.weight} {found[source.dataset].digest}\n".encode())
    return Choice(
        data,
        split,
        tuple(sources),
        pieces=tuple((dataset, table) for dataset, one in found.items() for table in one.tables),
        views={dataset: one.count for dataset, one in found.items()},
        left_out=dict(sum((one.left_out for one in found.values()), Counter())),
        elsewhere={dataset: one.elsewhere for dataset, one in found.items()},
        digest=digest.hexdigest(),
    )


def why_empty(choice: Choice) -> str:
    """Which datasets have no views for the split, and what they have instead, in one line."""
    said = []
    for dataset in (name for name, count in choice.views.items() if not count):
        others = [f"{count} for {split}" for split, count in sorted(choice.elsewhere[dataset].items())]
        said.append(f"{dataset} has no views for {choice.split}; it has {', '.join(others) or 'none'}")
    return "; ".join(said)


def _require_yaws(yaws: Sequence[float], found: Mapping[str, Sifted]) -> None:
    """Refuse an angle from which no person is seen, unless there are no views of the split at all."""
    offered = sorted({yaw for one in found.values() for yaw in one.yaws})
    missing = [yaw for yaw in yaws if offered and not any(near(yaw, other) for other in offered)]
    if missing:
        raise ConfigError(
            f"no view has yaw {degrees_text(missing[0])}; there are {', '.join(map(degrees_text, offered))}"
        )


def _require_some(dataset: str, found: Sifted, wish: Wish) -> None:
    """Refuse a dataset that has views for the split, of which none can be used."""
    if found.other_sizes:
        (width, height), count = found.other_sizes.most_common(1)[0]
        raise ConfigError(
            f"{dataset} has {count} views of {width} x {height} pixels, and {wish.size} x {wish.size} or a "
            f"power of two larger is needed; `scan2k render {dataset} --size {wish.size}` makes them"
        )
    if found.yaws and not found.count:
        reasons = [f"{count} {reason}" for reason, count in found.left_out.most_common()]
        others = ", ".join(map(degrees_text, sorted(found.yaws)))
        raise ConfigError(
            f"{dataset} has no view for {wish.split} that can be used: "
            + ("; ".join(reasons) if reasons else f"none has the wanted yaw, there are {others}")
        )
