"""What a build is asked to do, checked before any work is done.

Refuses to read files, the environment or the hardware.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError

DEFAULT_YAWS = (-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)
LEAST_SIZE = 16
LARGEST_SIZE = 16_384  # as much as any GL draws; the device may draw less
PASSES = ("color", "shaded", "shaded-back", "depth", "normal", "mask")
PERSPECTIVE, ORTHOGRAPHIC = PROJECTIONS = ("perspective", "orthographic")
LIGHTS = ("studio", "sh", "ring", "flat")
IMAGE_FORMATS = ("png", "jxl")
DEPTH_FORMATS = ("png", "jxl", "exr")
EXPORTS = ("lists", "webdataset", "hf", "croissant")
LOCAL, SLURM = CLUSTERS = ("local", "slurm")
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/:]+:\d{1,5}|(tcp|tls)://\[[0-9a-fA-F:.]+\]:\d{1,5}")
MOST_WORKERS = 10_000


@dataclass(frozen=True)
class SplitShares:
    """Which part of the people is for what, where the release of a dataset does not say."""

    train: float = 0.9
    val: float = 0.05
    test: float = 0.05

    def __post_init__(self) -> None:
        shares = (self.train, self.val, self.test)
        said = f"shares of train, val and test are {', '.join(f'{share:g}' for share in shares)}"
        if not all(0.0 <= share <= 1.0 for share in shares):
            raise ConfigError(f"{said}; each must be from 0 to 1")
        if not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
            raise ConfigError(f"{said}; they must add up to 1, not to {sum(shares):g}")


@dataclass(frozen=True)
class ListRequest:
    """Whom to look for: which dataset, where the data folder is, and how it is laid out if not as usual."""

    dataset: str
    data: Path = Path("data")
    layout: str | None = None
    shares: SplitShares = SplitShares()


@dataclass(frozen=True)
class ExportRequest:
    """Which dataset to write in which other form, and where: None = in the usual place.

    A shard has at most `shard_mb` megabytes of files.
    """

    dataset: str
    to: str
    data: Path = Path("data")
    out: Path | None = None
    shard_mb: int = 1000

    def __post_init__(self) -> None:
        _check_names("to", (self.to,), EXPORTS)
        _check_range("shard_mb", self.shard_mb, 1, 1_000_000)


@dataclass(frozen=True)
class RenderRequest:
    """One build: which dataset, where the data folder is, and which views (degrees, pixels) to draw.

    `layout` says how the dataset is laid out, where its name does not; `body_models` where SMPL-X's files
    are, where they are not in the usual place. Of each scan, pieces under the share `drop_fragments` of the
    area are left out, and a floor if `drop_floor`; textures over `max_texture_mpx` megapixels are refused.
    `demo_people` and `demo_vertices` say what is made when the dataset is the demo and is not there yet.
    `passes` are the kinds of images, `projections` the cameras; `light` is a preset, and `light_file` has
    the coefficients that `sh` chooses from; with `occlusion` what is hidden from the room gets less of its
    light. `depth_format` is also that of normals; None = as the other images. `gl_device` is the index of
    an EGL device; None = chosen. `overlays` asks for pictures of the keypoints, and `compat_keypoints` for
    keypoints where the published files have them.
    """

    dataset: str
    data: Path = Path("data")
    yaws: tuple[float, ...] = DEFAULT_YAWS
    pitches: tuple[float, ...] = (0.0,)
    size: int = 2048
    seed: int = 0
    demo_people: int = 4
    demo_vertices: int = 1_000_000
    layout: str | None = None
    body_models: Path | None = None
    drop_fragments: float = 0.0
    drop_floor: bool = False
    max_texture_mpx: int | None = None
    passes: tuple[str, ...] = ("color", "shaded", "depth")
    projections: tuple[str, ...] = (PERSPECTIVE,)
    light: str = "studio"
    light_file: Path | None = None
    occlusion: bool = False
    image_format: str = "png"
    depth_format: str | None = None
    gl_device: int | None = None
    overlays: bool = False
    compat_keypoints: bool = False

    def __post_init__(self) -> None:
        _check_angles("yaws", self.yaws, 360.0)
        _check_angles("pitches", self.pitches, 90.0)
        _check_range("size", self.size, LEAST_SIZE, LARGEST_SIZE)
        _check_range("seed", self.seed, 0, 2**63 - 1)
        _check_range("demo_people", self.demo_people, 1, 9_999)
        _check_range("demo_vertices", self.demo_vertices, 5_000, 10_000_000)
        if self.max_texture_mpx is not None:
            _check_range("max_texture_mpx", self.max_texture_mpx, 1, 10_000)
        if not 0.0 <= self.drop_fragments < 1.0:
            raise ConfigError(
                f"drop_fragments is {self.drop_fragments:g}; it is a share of a scan's area, "
                "from 0 (keep all) to under 1, such as 0.01"
            )
        _check_names("passes", self.passes, PASSES)
        _check_names("projections", self.projections, PROJECTIONS)
        _check_names("light", (self.light,), LIGHTS)
        _check_names("format", (self.image_format,), IMAGE_FORMATS)
        _check_names("depth_format", (self.geometry_format,), DEPTH_FORMATS)
        self._check_light()
        if self.overlays and not {"depth", "shaded"} <= {*self.passes}:
            raise ConfigError("overlays are drawn over shaded images by depth: ask for both passes as well")

    @property
    def geometry_format(self) -> str:
        """What depth and normals are written in."""
        return self.depth_format or self.image_format

    def _check_light(self) -> None:
        if (self.light == "sh") != (self.light_file is not None):
            raise ConfigError(
                "light 'sh' needs a file of coefficients; give one"
                if self.light_file is None
                else f"a file of coefficients is for light 'sh', and light is {self.light!r}"
            )
        if self.occlusion and self.light != "studio":
            raise ConfigError(f"occlusion is an option of light 'studio', and light is {self.light!r}")


@dataclass(frozen=True)
class Conduct:
    """How a build is carried out: whom of a dataset it is about, who does the work, and what is kept.

    Nothing here decides what a picture looks like. `subjects` are ids, ranges or wildcards; none = all.
    `workers` are processes, 0 = this one alone, None = as the machine or the profile says. `cluster` is
    `local`, `slurm`, with its options in the file `profile`, or a Dask scheduler's address, and `patience`
    how many seconds it may take to give a worker. With `force` what is up to date is made again too, and
    with `retry_rejects` scans that were refused are tried again.
    """

    subjects: tuple[str, ...] = ()
    workers: int | None = None
    cluster: str = LOCAL
    profile: Path | None = None
    patience: int = 300
    force: bool = False
    retry_rejects: bool = False

    def __post_init__(self) -> None:
        if self.cluster not in CLUSTERS and not self.is_address:
            raise ConfigError(
                f"cluster is {self.cluster!r}; it is local, slurm, or a scheduler's address such as "
                "tcp://10.0.0.5:8786, with its port"
            )
        if self.workers is not None:
            _check_range("workers", self.workers, 0, MOST_WORKERS)
            if self.is_address or (self.cluster == SLURM and not self.workers):
                raise ConfigError(
                    f"workers is {self.workers}, and {self.cluster} "
                    + ("has the workers it has" if self.is_address else "cannot do without any")
                )
        if (self.cluster == SLURM) != (self.profile is not None):
            raise ConfigError(
                "cluster slurm needs a profile, a TOML file with partition, cores, memory and more; "
                "docs/cluster.md shows one"
                if self.profile is None
                else f"a profile is for cluster slurm, and cluster is {self.cluster}"
            )
        _check_range("patience", self.patience, 1, 7 * 24 * 3600)

    @property
    def is_address(self) -> bool:
        """Whether the cluster is a scheduler that somebody else has begun."""
        return bool(_ADDRESS.fullmatch(self.cluster))


def _check_angles(name: str, values: tuple[float, ...], limit: float) -> None:
    """Refuse a list of angles that is empty, repeats itself, or leaves -limit .. limit."""
    if not values:
        raise ConfigError(f"{name} is empty; give at least one angle in degrees, such as -30 0 30")
    for value in values:
        if not (math.isfinite(value) and abs(value) <= limit):
            raise ConfigError(f"{name} has {value:g}; angles are degrees from {-limit:g} to {limit:g}")
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise ConfigError(f"{name} has {twice[0]:g} twice; give each angle once")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse a whole number outside low .. high."""
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}; it must be from {low} to {high}")


def _check_names(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuse a list of names that is empty, repeats itself, or has one that is not known."""
    if not names:
        raise ConfigError(f"{what} is empty; choose from {', '.join(known)}")
    for i, name in enumerate(names):
        if name not in known:
            raise ConfigError(f"{what} has {name!r}; choose from {', '.join(known)}")
        if name in names[:i]:
            raise ConfigError(f"{what} has {name!r} twice; give each once")
