"""Every type that crosses from one room to another.

Refuses to compute: a record checks its shapes and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh: V vertices, F faces, and what it says of their colours and normals.

    `colors` and `normals` are the vertices' own. `face_uvs` are indices into `uvs` (T, 2), whose v = 1 is
    the top row of a texture; the picture repeats beyond 0..1. `face_textures` are indices into `textures`,
    each (H, W, 3) with row 0 at the top; -1 = none, in both.
    """

    vertices: F32  # (V, 3)
    faces: I32  # (F, 3)
    colors: U8 | None = None  # (V, 3)
    _: KW_ONLY
    normals: F32 | None = None  # (V, 3)
    uvs: F32 | None = None  # (T, 2)
    face_uvs: I32 | None = None  # (F, 3)
    textures: tuple[U8, ...] = ()
    face_textures: I32 | None = None  # (F,)


@dataclass(frozen=True, slots=True, eq=False)
class BodyParameters:
    """One SMPL-X body: rotations as axis-angle (radians), hands relative to the hand mean.

    Hands are rotations (15, 3), or (n,) the first coefficients of the model's hand components. Posed
    vertices are `smplx(...) * scale + translation`, in the scan's own coordinates.
    """

    gender: str
    betas: F64  # (10,)
    expression: F64  # (10,)
    global_orient: F64  # (3,)
    body_pose: F64  # (21, 3)
    jaw_pose: F64  # (3,)
    leye_pose: F64  # (3,)
    reye_pose: F64  # (3,)
    left_hand_pose: F64  # (15, 3) or (n,)
    right_hand_pose: F64  # (15, 3) or (n,)
    transl: F64 = field(default_factory=lambda: np.zeros(3))
    translation: F64 = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body model in a pose: its surface, and its joints (J, 3) in the order of the smplx package."""

    mesh: Mesh
    joints: F64


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """Places on a person (N, 3) in scan units, in the order that `convention` names.

    `confidence` (N,): 0 is unknown, and then the point says nothing.
    """

    points: F64
    confidence: F64
    convention: str


@dataclass(frozen=True, slots=True, eq=False)
class ImageJoints:
    """Places on one person in a picture (N, 2), in pixels, as `Joints` has them in space."""

    points: F64
    confidence: F64
    convention: str


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where a person's 31 keypoints are (31, 3), or (31, 2) in a picture, in the order of the conventions.

    `confidence` (31,): 0 = not known, and then the place is 0. `source` (31,) says who knows.
    """

    points: F64
    confidence: F64
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """A person's 31 keypoints in one view: pixels `uv` (31, 2), and the `depth` of their rays (31,).

    What is not `valid` is not known, and 0 in both. `visible` ones are hidden by no other part of the body.
    """

    uv: F64
    depth: F64
    confidence: F64
    valid: Bool
    visible: Bool
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole in OpenCV form: `pixel ~ K (rotation @ world + translation)`, x right, y down, z forward.

    A `parallel` one, orthographic, leaves out the division by z: K takes x and y as they are.
    Pixel (i, j) has its centre at (i + 0.5, j + 0.5), row 0 is the top row.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    rotation: F64  # (3, 3)
    translation: F64  # (3,)
    parallel: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """A body, and the cameras that see it, in the cameras' own world.

    `scale` and `transl` (3,) stand beside it in the file, and the pictures show the body without them.
    """

    body: BodyParameters
    cameras: tuple[Camera, ...]
    scale: float
    transl: F64


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Light from far away: what a white body that faces along a normal gives back, in linear RGB.

    `coefficients` (9, 3) are irradiance in spherical harmonics. Each of L lamps, at most 8, adds its colour
    in `lamps` (L, 3) times the cosine between the normal and `towards` (L, 3), unit length, where that is
    positive. World axes, so the light stays where it is when the person turns. 1 is the brightest to show.
    """

    coefficients: F64
    towards: F64 = field(default_factory=lambda: np.zeros((0, 3)))
    lamps: F64 = field(default_factory=lambda: np.zeros((0, 3)))


@dataclass(frozen=True, slots=True)
class Similarity:
    """A change of scale and place, without a turn: a point x goes to `scale * x + place`."""

    scale: float
    place: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Front:
    """What one source says of where the person faces: `yaw` in radians about +y, 0 = +z."""

    source: str
    yaw: float


@dataclass(frozen=True, slots=True)
class Angle:
    """How far two sources' fronts are apart."""

    first: str
    second: str
    degrees: float


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a body lies in its scan; millimetres are the body's own.

    `correction` takes the body as given to where it belongs; the distances are those after it.
    """

    source: str
    verdict: str  # good, corrected or bad
    surface_mm: float  # median distance of the body's surface to the scan
    surface_p99_mm: float  # a hundredth of the body's surface is farther from the scan than that
    scan_mm: float  # median distance of the scan to the body's surface
    box_mm: float  # farthest that a side of the body's box is from that of the scan's
    joints_outside_mm: float | None  # how far a joint reaches out of the scan's box; None = no joints
    given_mm: float  # the median distance before the correction
    correction: Similarity | None = None
    reading: str = "as given"  # what the correction takes the file to mean


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is to be taken away from a scan: pieces under a share of the area (0 = none), and a floor."""

    fragments_under: float = 0.0
    floor: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """What cleaning took away: pieces, faces, and their shares of the scan's area."""

    fragments: int = 0
    fragment_faces: int = 0
    fragment_share: float = 0.0
    floor_faces: int = 0
    floor_share: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Torso:
    """A body model at rest: vertices (N, 3), faces, and how firmly each goes with the pelvis (N,)."""

    rest: F32
    faces: I32
    pelvis: F32  # 0 to 1


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where a scan's centre, size and front are, in the scan's own coordinates.

    `scale` is what centred coordinates are multiplied by; `front_yaw` (radians, about +y from +z) is where
    the person faces, and `source` is how that is known. `fronts` are all sources' answers, best first, and
    `angles` how far any two are apart; `fits` are the bodies' checks against the scan. `cleaning` is what
    was asked to be taken away before all this, and `removed` what was.
    """

    centre: tuple[float, float, float]
    scale: float
    front_yaw: float
    source: str
    fronts: tuple[Front, ...] = ()
    angles: tuple[Angle, ...] = ()
    fits: tuple[Fit, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    cleaning: Cleaning = Cleaning()
    removed: Removed = Removed()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture to take: how far the person is turned (degrees), from where, in which light."""

    yaw: float
    pitch: float
    camera: Camera
    light: Light


@dataclass(frozen=True, slots=True)
class Window:
    """Where a smaller picture lies in a whole one of height x width; the rest of the whole is 0."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What each pixel's ray meets on one side, each only where asked for; 0 = nothing.

    `color` and `shaded` (h, w, 3) are sRGB, `mask` (h, w) 255 or 0, `depth` (h, w) the 16-bit code of the
    ray's `length` (h, w). Unit normals, x right, y up, z towards the camera, are `direction` (h, w, 3), and
    as 16-bit codes `normal` (h, w, 3).
    """

    color: U8 | None = None
    shaded: U8 | None = None
    mask: U8 | None = None
    depth: U16 | None = None
    length: F32 | None = None
    normal: U16 | None = None
    direction: F32 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One view drawn, cropped to where the person is: both surfaces, and where there are any, `hit`."""

    window: Window
    front: Surface
    back: Surface
    hit: Bool


@dataclass(frozen=True, slots=True)
class Subject:
    """What a dataset has of one person: paths are relative to the data folder, None = not there.

    `id` names the person's files wherever any are written, and has been checked for that. `textures` are
    images, or the material file that names them. `joints_kind` says which format `joints` are in;
    `pictures` are photographs or films, `cameras` what saw them.
    """

    dataset: str
    id: str
    split: str  # train, val or test
    mesh: str | None = None
    textures: tuple[str, ...] = ()
    parameters: str | None = None
    registered: str | None = None
    joints: str | None = None
    joints_kind: str | None = None  # kp3ds or joint3d
    cameras: str | None = None
    pictures: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    gender: str = "neutral"  # of the body model that the parameters are for, where they do not say


@dataclass(frozen=True, slots=True)
class Override:
    """What a user says of one subject, against all else that is known; None = nothing.

    `yaw` (degrees about +y) is the turn that makes the person face +z, so the front is at -yaw. `scale` is
    a factor on the aligned size. `place` is where it was said, file and line.
    """

    yaw: float | None = None
    scale: float | None = None
    exclude: bool = False
    note: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that is known of a scan besides its mesh; None = not known.

    `override` is what the user says. `body` is what `parameters` stand for, `registered` (N, 3) a body that
    somebody laid into the scan, `torso` the model of both. `missing` says what could not be had, and why.
    """

    override: Override | None = None
    parameters: BodyParameters | None = None
    body: Body | None = None
    registered: F32 | None = None
    torso: Torso | None = None
    joints: Joints | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One scan that cannot be used: the stage, the kind of fault (an error's class), and what it is."""

    dataset: str
    scan: str
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Who is in a dataset, in the order of the ids, and what could not be taken for anybody.

    `folder` is below the data folder, `facts` are what its people can have, `overrides` what is said of
    some.
    """

    dataset: str
    layout: str
    folder: str
    facts: tuple[str, ...]
    subjects: tuple[Subject, ...]
    rejects: tuple[Fault, ...]
    overrides: Mapping[str, Override]
