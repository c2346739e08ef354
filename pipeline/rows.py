"""The rows of the manifests: each class is the one definition of its table in Parquet.

A field's annotation is its column's type and its description; nothing is inferred from data. Refuses to
compute, and to know how rows are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Numbers:
    """A tuple of a fixed count of numbers of one type; several sides are laid out row by row."""

    sides: tuple[int, ...]
    type: str  # as Arrow calls it: float32, float64 or bool

    @property
    def count(self) -> int:
        """How many they are."""
        total = 1
        for side in self.sides:
            total *= side
        return total


@dataclass(frozen=True, slots=True)
class Unique:
    """A value that hardly any two rows share; the others are stored once, and by number in the rows."""


FilePath = Annotated[str, Unique()]
Digest = Annotated[str, Unique()]
Vector = Annotated[tuple[float, ...], Numbers((3,), "float64")]
Matrix3 = Annotated[tuple[float, ...], Numbers((3, 3), "float64")]
Matrix4 = Annotated[tuple[float, ...], Numbers((4, 4), "float64")]
LightNumbers = Annotated[tuple[float, ...], Numbers((25, 3), "float32"), Unique()]
Points = Annotated[tuple[float, ...], Numbers((31, 2), "float32"), Unique()]
Lengths = Annotated[tuple[float, ...], Numbers((31,), "float32"), Unique()]
_NAMED = "What its files name, such as a material's images: below the data folder, there or not."
Flags = Annotated[tuple[bool, ...], Numbers((31,), "bool")]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a scan was made from, as it was then."""

    path: Annotated[str, "Where it is, below the data folder."]
    bytes: Annotated[int, "How long it is."]
    modified: Annotated[datetime, "When it was last changed, UTC."]
    digest: Annotated[str, "BLAKE2b of its bytes, 128 bits in hexadecimal, as `b2sum -l 128` prints it."]


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a dataset says of a person, in its own words."""

    name: Annotated[str, "What is said, such as `clothing`."]
    value: Annotated[str, "What it is."]


@dataclass(frozen=True, slots=True)
class FrontEntry:
    """Where one source says the person faces."""

    source: Annotated[str, "Which source."]
    yaw: Annotated[float, "Radians about +y from +z."]


@dataclass(frozen=True, slots=True)
class AngleEntry:
    """How far two sources' fronts are apart."""

    first: Annotated[str, "One source."]
    second: Annotated[str, "The other."]
    degrees: Annotated[float, "The angle between them."]


@dataclass(frozen=True, slots=True)
class FitEntry:
    """How well a body lies in its scan; millimetres are the body's own, after the correction."""

    source: Annotated[str, "Which body: `parameters` or `registered`."]
    verdict: Annotated[str, "`good`, `corrected` or `bad`."]
    surface_mm: Annotated[float, "Median distance of the body's surface to the scan."]
    surface_p99_mm: Annotated[float, "The distance that a hundredth of the body's surface is beyond."]
    scan_mm: Annotated[float, "Median distance of the scan to the body's surface."]
    box_mm: Annotated[float, "Farthest that a side of the body's box is from that of the scan's."]
    joints_outside_mm: Annotated[float | None, "How far a joint reaches out of the scan's box."]
    given_mm: Annotated[float, "Median distance of the body's surface to the scan before the correction."]
    correction_scale: Annotated[float | None, "What the body's points are multiplied by; null = nothing."]
    correction_place: Annotated[tuple[float, ...], "What is added to x, y, z after that; empty = nothing."]
    reading: Annotated[str, "What the correction takes the file to mean."]


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One scan: its files, and where its centre, size and front are.

    Its alignment takes a point p of the scan to `turn_y(-front_yaw) @ ((p - centre) * scale)`, where
    `turn_y(a)` takes (x, z) to (x cos a + z sin a, -x sin a + z cos a).
    """

    dataset: Annotated[str, "The dataset's name."]
    scan: Annotated[str, "The person's id; the rows lie in its order, by code points."]
    split: Annotated[str, "`train`, `val` or `test`."]
    mesh: Annotated[str | None, "The scan's file, below the data folder."]
    textures: Annotated[tuple[str, ...], "Its images, or the material file that names them."]
    sources: Annotated[tuple[SourceFile, ...], "Every file that was read for it."]
    named: Annotated[tuple[str, ...], _NAMED]
    source_key: Annotated[str, "Digest of all of `sources`: another one means that the scan is another."]
    stamp: Annotated[
        Digest,
        "Digest of its files' names, sizes and times, and of what dataset and user say of it: while it is "
        "the same there is nothing to look at again.",
    ]
    laid_key: Annotated[
        str, "Digest of all that decided the alignment, besides what is in the files: wishes, body models."
    ]
    attributes: Annotated[tuple[Attribute, ...], "What the dataset says of the person."]
    gender: Annotated[str, "Of the body model that the parameters are for."]
    vertices: Annotated[int, "How many vertices the mesh has, after cleaning."]
    faces: Annotated[int, "How many faces the mesh has, after cleaning."]
    centre: Annotated[Vector, "The scan's centre, in its own coordinates."]
    scale: Annotated[float, "What centred coordinates are multiplied by."]
    front_yaw: Annotated[float, "Where the person faces: radians about +y from +z, before the turn."]
    front_source: Annotated[str, "How that is known."]
    fronts: Annotated[tuple[FrontEntry, ...], "Every source's answer, best first."]
    angles: Annotated[tuple[AngleEntry, ...], "How far any two of them are apart."]
    fits: Annotated[tuple[FitEntry, ...], "The bodies' checks against the scan."]
    warnings: Annotated[tuple[str, ...], "What is odd about the alignment."]
    missing: Annotated[tuple[str, ...], "What could not be had, and why."]
    fragments_under: Annotated[float, "Pieces under this share of the area were to be dropped; 0 = none."]
    drop_floor: Annotated[bool, "Whether a floor was to be dropped."]
    removed_fragments: Annotated[int, "How many pieces were dropped."]
    removed_fragment_faces: Annotated[int, "Their faces."]
    removed_fragment_share: Annotated[float, "Their share of the area."]
    removed_floor_faces: Annotated[int, "Faces of the floor that was dropped."]
    removed_floor_share: Annotated[float, "Its share of the area."]
    made_at: Annotated[datetime, "When the row was made, UTC."]
    code_version: Annotated[str, "By which version of the program."]


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One view of one scan, through one camera: all that is needed to use its images.

    A point of the scan, aligned as ScanRow says, is turned by `aligned_to_world` and then seen by
    `world_to_camera`: x right, y down, z forward. Light and orthographic depth live in that world.
    """

    dataset: Annotated[str, "The dataset's name."]
    scan: Annotated[str, "The person's id; the rows lie in its order, by code points."]
    split: Annotated[str, "`train`, `val` or `test`."]
    view: Annotated[str, "The view's name, which is its folder's."]
    projection: Annotated[str, "`perspective` or `orthographic`."]
    yaw: Annotated[float, "Degrees that the person is turned about +y."]
    pitch: Annotated[float, "Degrees that the person is then turned about +x."]
    width: Annotated[int, "Of the images, in pixels."]
    height: Annotated[int, "Of the images, in pixels."]
    intrinsics: Annotated[
        Matrix3,
        "K of the camera, row by row: pixel ~ K (x, y, z), or with an orthographic camera K (x, y, 1). "
        "Pixel (i, j) has its centre at (i + 0.5, j + 0.5).",
    ]
    world_to_camera: Annotated[Matrix4, "Takes a point of the world, not of the scan, to the camera."]
    aligned_to_world: Annotated[
        Matrix4, "Takes a point of the aligned scan to the world: the view's turn by yaw and pitch."
    ]
    depth_kind: Annotated[
        str, "What depth is: `ray_length`, from the camera, or with an orthographic one from its plane."
    ]
    depth_near: Annotated[float, "In 16-bit depth, stored = (length - near) * scale + offset."]
    depth_scale: Annotated[float, "Stored steps to one unit of length."]
    depth_offset: Annotated[float, "What a length of `depth_near` is stored as."]
    depth_focal: Annotated[
        float,
        "Pixels that one unit takes at `depth_near`; scale / focal are the steps to a pixel, 32 as a rule.",
    ]
    zero_means: Annotated[str, "What 0 stands for in the images: `nothing`."]
    depth_coding: Annotated[
        str | None, "`uint16`, by the formula at `depth_near`, or `float32`: lengths as they are."
    ]
    normal_coding: Annotated[
        str | None,
        "`uint16`: n = stored / 65535 * 2 - 1; or `float32`. Camera space, x right, y up, z to the camera.",
    ]
    light: Annotated[str, "The preset that the light was drawn from."]
    light_numbers: Annotated[
        LightNumbers,
        "Linear RGB in rows of three: nine harmonics of irradiance, eight lamps: directions, colours.",
    ]
    seed: Annotated[int, "What the light was drawn from, with scan and view."]
    occlusion: Annotated[bool, "Whether places that are hidden from the room get less of its light."]
    keypoints_uv: Annotated[Points, "Pixel position (u, v) of each of the 31 keypoints; 0 where not valid."]
    keypoints_depth: Annotated[Lengths, "Their ray lengths; 0 where not valid."]
    keypoints_valid: Annotated[Flags, "Whether each is known."]
    keypoints_visible: Annotated[Flags, "Whether each is known and not hidden by the front surface."]
    keypoints_confidence: Annotated[Lengths, "How well each is known, as its source says; 0 = not at all."]
    keypoints_source: Annotated[
        tuple[str, ...], "Where each of the 31 is from; an empty text: nobody knows it."
    ]
    box_left: Annotated[int, "First column of the silhouette."]
    box_top: Annotated[int, "First row of the silhouette."]
    box_width: Annotated[int, "Columns of the silhouette."]
    box_height: Annotated[int, "Rows of the silhouette."]
    silhouette_pixels: Annotated[int, "Pixels that show the person."]
    color_front: Annotated[
        FilePath | None, "Plain colour of the nearest surface: file below the data folder."
    ]
    color_front_bytes: Annotated[int | None, "How long that file is."]
    color_front_blake2b: Annotated[
        Digest | None, "BLAKE2b of it, 128 bits in hexadecimal (`b2sum -l 128`)."
    ]
    color_back: Annotated[
        FilePath | None, "Plain colour of the farthest surface: file below the data folder."
    ]
    color_back_bytes: Annotated[int | None, "How long that file is."]
    color_back_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    shaded_front: Annotated[
        FilePath | None, "Shaded colour of the nearest surface: file below the data folder."
    ]
    shaded_front_bytes: Annotated[int | None, "How long that file is."]
    shaded_front_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    shaded_back: Annotated[
        FilePath | None, "Shaded colour of the farthest surface: file below the data folder."
    ]
    shaded_back_bytes: Annotated[int | None, "How long that file is."]
    shaded_back_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    depth_front: Annotated[FilePath | None, "Depth of the nearest surface: file below the data folder."]
    depth_front_bytes: Annotated[int | None, "How long that file is."]
    depth_front_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    depth_back: Annotated[FilePath | None, "Depth of the farthest surface: file below the data folder."]
    depth_back_bytes: Annotated[int | None, "How long that file is."]
    depth_back_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    normal_front: Annotated[FilePath | None, "Normals of the nearest surface: file below the data folder."]
    normal_front_bytes: Annotated[int | None, "How long that file is."]
    normal_front_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    normal_back: Annotated[FilePath | None, "Normals of the farthest surface: file below the data folder."]
    normal_back_bytes: Annotated[int | None, "How long that file is."]
    normal_back_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    mask: Annotated[FilePath | None, "The silhouette: file below the data folder."]
    mask_bytes: Annotated[int | None, "How long that file is."]
    mask_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    keypoints_file: Annotated[FilePath | None, "The keypoints' own file (31, 3), u, v, 1, for loaders."]
    keypoints_file_bytes: Annotated[int | None, "How long that file is."]
    keypoints_file_blake2b: Annotated[Digest | None, "BLAKE2b of it, 128 bits in hexadecimal."]
    key: Annotated[Digest, "Digest of all that decides the pixels, light aside, 128 bits in hexadecimal."]
    shaded_key: Annotated[Digest, "The same with the light, for what is shaded."]
    keypoints_key: Annotated[
        Digest, "The same with all that decides the keypoints; an empty text: they were not made."
    ]
    made_at: Annotated[datetime, "When the images were made, UTC."]
    code_version: Annotated[str, "By which version of the program."]


@dataclass(frozen=True, slots=True)
class RejectRow:
    """One scan that could not be used when it was last tried, and why."""

    dataset: Annotated[str, "The dataset's name."]
    scan: Annotated[str, "The person's id, or the name that could not be one."]
    stage: Annotated[str, "What was being done, such as `align`."]
    reason: Annotated[str, "The kind of fault, such as `MeshError`."]
    detail: Annotated[str, "What was wrong, in one line."]
    named: Annotated[tuple[str, ...], _NAMED]
    source_key: Annotated[str | None, "Digest of the files that were read, as in scans; null = none were."]
    stamp: Annotated[
        Digest,
        "Digest as in scans, with what was asked: while it is the same, so is the answer; an empty text: "
        "it was not looked at.",
    ]
    made_at: Annotated[datetime, "When it was tried, UTC."]
    code_version: Annotated[str, "By which version of the program."]


FILES = (
    *("color_front", "color_back", "shaded_front", "shaded_back", "depth_front", "depth_back"),
    *("normal_front", "normal_back", "mask", "keypoints_file"),
)  # the columns of a ViewRow that name files


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is seen from: a view's name, its camera, and the turn that it stands for (degrees)."""

    view: str
    projection: str
    yaw: float
    pitch: float


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a scan was made from, as it was looked at; the digests are ScanRow's."""

    sources: tuple[SourceFile, ...]
    source_key: str
    stamp: str
    laid_key: str
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a build made, below the data folder; `column` is the one of ViewRow that names it."""

    column: str
    path: str
    bytes: int
    blake2b: str


@dataclass(frozen=True, slots=True)
class DrawnView:
    """One view as it was drawn, before one camera; `light_numbers` and the keys are ViewRow's."""

    view: str
    projection: str
    yaw: float
    pitch: float
    light_numbers: tuple[float, ...]
    box: tuple[int, int, int, int]  # left, top, width, height
    pixels: int
    files: tuple[WrittenFile, ...]
    key: str
    shaded_key: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What was drawn of one scan, and how large its mesh is after cleaning."""

    vertices: int
    faces: int
    views: tuple[DrawnView, ...]


@dataclass(frozen=True, slots=True)
class MarkedView:
    """The keypoints of one view before one camera, as ViewRow has them, and the file that they are in."""

    view: str
    projection: str
    file: WrittenFile
    uv: tuple[float, ...]
    depth: tuple[float, ...]
    valid: tuple[bool, ...]
    visible: tuple[bool, ...]
    confidence: tuple[float, ...]
    source: tuple[str, ...]
