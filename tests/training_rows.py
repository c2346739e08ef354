"""People to train on, in tests: views, images and a manifest of figures made of ellipsoids, without GL.

Depth is in closed form: the nearest and the farthest point where a pixel's ray meets any ellipsoid.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from manifest_rows import FACTS, scan_row, view_row

from manifests import fold, journal
from manifests.lock import FolderLock
from pipeline.formats.image import write_image
from pipeline.geometry.camera import portrait_camera, position, project, rays
from pipeline.geometry.depth import coding_of, encode
from pipeline.geometry.transform import view_turn
from pipeline.records import F64, U8, Camera
from pipeline.rows import FILES, ViewRow
from pipeline.store import DEPTH, SHADED, Picture, Workspace

_TRUNK = {"nose": (0.0, 0.26, 0.05), "neck": (0.0, 0.2, 0.0), "pelvis": (0.0, -0.03, 0.0)}
_LEFT = {  # of every left joint: x is to the person's left, y up, z ahead
    "eye": (0.014, 0.278, 0.045),
    "ear": (0.036, 0.27, 0.0),
    "shoulder": (0.07, 0.185, 0.0),
    "elbow": (0.125, 0.085, 0.0),
    "wrist": (0.165, -0.005, 0.02),
    "hip": (0.038, -0.03, 0.0),
    "knee": (0.045, -0.175, 0.008),
    "ankle": (0.05, -0.305, 0.0),
    "big toe": (0.048, -0.332, 0.055),
    "small toe": (0.068, -0.332, 0.045),
    "heel": (0.05, -0.332, -0.02),
    "index": (0.18, -0.037, 0.034),
    "middle": (0.182, -0.04, 0.026),
    "ring": (0.184, -0.042, 0.018),
    "pinky": (0.185, -0.043, 0.01),
}
_TOES, _KNUCKLES = ("big toe", "small toe", "heel"), ("index", "middle", "ring", "pinky")
_ORDER = (  # of the 31 keypoints
    "nose",
    *(f"{side} {n}" for n in ("eye", "ear") for side in "LR"),
    *(f"{s} {n}" for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in "LR"),
    *(f"{side} {name}" for side in "LR" for name in _TOES),
    *(f"{side} {name}" for side in "LR" for name in _KNUCKLES),
)
_LIMBS = (  # from, to, how thick, which colour
    ("shoulder", "elbow", 0.027, 1),
    ("elbow", "wrist", 0.021, 0),
    ("wrist", "middle", 0.017, 0),
    ("hip", "knee", 0.042, 2),
    ("knee", "ankle", 0.03, 2),
    ("heel", "big toe", 0.021, 3),
)
_LAMP = np.array([0.35, 0.55, 0.76])


@dataclass(frozen=True)
class Ellipsoid:
    """Where it is, what takes it to the unit ball (3, 3), and its colour in [0, 1]."""

    centre: F64
    to_ball: F64
    color: F64


@dataclass(frozen=True)
class Person:
    """A figure about the origin that faces +z, and its keypoints (31, 3)."""

    shapes: tuple[Ellipsoid, ...]
    keypoints: F64


@dataclass(frozen=True)
class Seen:
    """What a camera sees of a person: ray lengths (H, W) to front and back, 0 = nothing, and colour."""

    front: F64
    back: F64
    color: U8


def ball(radius: float, centre: Sequence[float] = (0.0, 0.0, 0.0)) -> Person:
    """Nobody's shape, for closed forms: a white ball with a figure's keypoints."""
    shape = Ellipsoid(np.array(centre, dtype=np.float64), np.eye(3) / radius, np.ones(3))
    return Person((shape,), figure("ball").keypoints)


def figure(scan: str) -> Person:
    """A person, the same for the same name: stature, width, stance and colours are its own."""
    draw = np.random.default_rng(zlib.crc32(scan.encode()))
    places = {name: np.array(place) for name, place in _TRUNK.items()}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        places |= {f"{side} {name}": np.array(p) * (sign, 1.0, 1.0) for name, p in _LEFT.items()}
        _swing(places, f"{side} shoulder", [f"{side} {n}" for n in ("elbow", "wrist", *_KNUCKLES)], draw)
        _swing(places, f"{side} hip", [f"{side} {n}" for n in ("knee", "ankle", *_TOES)], draw, 0.12)
    stretch = draw.uniform((0.85, 0.88, 0.9), (1.08, 1.02, 1.1))
    colors = draw.uniform(0.2, 0.95, (4, 3))
    thick = draw.uniform(0.85, 1.15)
    shapes = [
        _between(places["neck"] + (0, 0.04, 0.004), places["neck"] + (0, 0.115, 0.008), 0.036, colors[0]),
        _between(places["neck"], places["pelvis"] - (0, 0.03, 0), 0.062 * thick, colors[1]),
        _between(places["L shoulder"], places["R shoulder"], 0.036 * thick, colors[1]),
        _between(places["L hip"], places["R hip"], 0.05 * thick, colors[2]),
        *(
            _between(places[f"{side} {a}"], places[f"{side} {b}"], radius * thick, colors[color])
            for side in "LR"
            for a, b, radius, color in _LIMBS
        ),
    ]
    stretched = [replace(s, centre=s.centre * stretch, to_ball=s.to_ball / stretch) for s in shapes]
    return Person(tuple(stretched), np.array([places[name] for name in _ORDER]) * stretch)


def seen(person: Person, yaw: float, camera: Camera) -> Seen:
    """What a camera sees of a person who is turned by `yaw` degrees."""
    turn = view_turn(yaw, 0.0)
    _, ways = rays(camera)
    start, ways = position(camera) @ turn, ways @ turn  # the camera goes round the person
    front, back = np.full(ways.shape[:2], np.inf), np.zeros(ways.shape[:2])
    color = np.zeros(ways.shape)
    for shape in person.shapes:
        near, far = _hits(shape, start, ways)
        nearer = near < front
        at = start + np.where(nearer, near, 0.0)[..., None] * ways
        front = np.minimum(front, near)
        back = np.maximum(back, far)
        color[nearer] = (_shade(shape, at, turn) * shape.color)[nearer]
    nothing = ~np.isfinite(front)
    front[nothing], color[nothing] = 0.0, 0.0
    return Seen(front, back, np.rint(color * 255).astype(np.uint8))


def write_people(
    data: Path,
    dataset: str = "spheres",
    people: int = 2,
    *,
    size: int = 256,
    yaws: Sequence[int] = (0,),
    split: str = "train",
) -> None:
    """Add people to a dataset: their images, and their rows in its manifest, which is made if need be."""
    for number in range(people):
        write_person(data, f"{split}{number:03d}", dataset=dataset, size=size, yaws=yaws, split=split)
    fold_people(data, dataset)


def write_person(  # its options are what tests change
    data: Path,
    scan: str,
    *,
    dataset: str = "spheres",
    size: int = 256,
    yaws: Sequence[int] = (0,),
    split: str = "train",
    person: Person | None = None,
    depth: str = "png",
    **columns: object,
) -> list[ViewRow]:
    """Draw one person and note the rows, which `fold_people` takes into the manifest; `columns` replace."""
    work, camera = Workspace(data, dataset), portrait_camera(size)
    whom = person or figure(scan)
    rows = [_written(work, _row(work, scan, yaw, split), whom, camera, depth) for yaw in yaws]
    rows = [replace(row, **columns) for row in rows]  # type: ignore[arg-type]
    journal.record(work.manifests, scan_row(scan, dataset=dataset, split=split), rows)
    return rows


def fold_people(data: Path, dataset: str = "spheres") -> None:
    """Take what was noted into the manifest."""
    with FolderLock(Workspace(data, dataset).manifests) as lock:
        fold.fold(lock, replace(FACTS, dataset=dataset))


def _row(work: Workspace, scan: str, yaw: int, split: str) -> ViewRow:
    none: dict[str, Any] = {f"{name}{what}": None for name in FILES for what in ("", "_bytes", "_blake2b")}
    return view_row(scan, yaw, dataset=work.dataset, split=split, view=work.view(0.0, yaw), **none)


def _written(work: Workspace, row: ViewRow, person: Person, camera: Camera, depth: str) -> ViewRow:
    """The row with its pictures, which are written."""
    shot = seen(person, row.yaw, camera)
    floats = depth == "exr"
    pictures = {
        "shaded_front": (Picture(SHADED, "front"), shot.color),
        "depth_front": (Picture(DEPTH, "front", depth), _stored(shot.front, camera, floats)),
        "depth_back": (Picture(DEPTH, "back", depth), _stored(shot.back, camera, floats)),
    }
    columns: dict[str, Any] = {}
    for name, (picture, pixels) in pictures.items():
        place = picture.path(row.view, row.scan)
        content = write_image(work.absolute(place), pixels)
        columns[name] = place
        columns[f"{name}_bytes"] = len(content)
        columns[f"{name}_blake2b"] = hashlib.blake2b(content, digest_size=16).hexdigest()
    near, scale, offset = coding_of(camera)
    points = project(person.keypoints @ view_turn(row.yaw, 0.0).T, camera)
    return replace(
        row,
        **columns,
        width=camera.width,
        height=camera.height,
        depth_near=near,
        depth_scale=scale,
        depth_offset=offset,
        depth_focal=camera.fx,
        depth_coding="float32" if floats else "uint16",
        intrinsics=(camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0),
        silhouette_pixels=int((shot.front > 0).sum()),
        keypoints_uv=tuple(points[:, :2].ravel().tolist()),
        keypoints_depth=tuple(points[:, 2].tolist()),
        keypoints_valid=(True,) * 31,
        keypoints_visible=(True,) * 31,
    )


def _stored(lengths: F64, camera: Camera, floats: bool) -> Any:  # noqa: ANN401  either kind of number
    return lengths.astype(np.float32) if floats else encode(lengths.astype(np.float32), camera)


def _swing(
    places: dict[str, F64], about: str, names: list[str], draw: np.random.Generator, most: float = 0.5
) -> None:
    """Turn a limb about a joint, sideways and ahead."""
    turn = view_turn(0.0, np.degrees(draw.uniform(-most, most)))
    angle = draw.uniform(-most, most) / 2
    aside = np.array(
        [[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]]
    )
    for name in names:
        places[name] = places[about] + aside @ turn @ (places[name] - places[about])


def _between(start: F64, end: F64, radius: float, color: F64) -> Ellipsoid:
    """An ellipsoid that reaches a little beyond two points."""
    along = end - start
    length = float(np.linalg.norm(along))
    first = along / length
    second = np.cross(first, (0.0, 0.0, 1.0) if abs(first[2]) < 0.9 else (0.0, 1.0, 0.0))
    second /= np.linalg.norm(second)
    axes = np.stack([first, second, np.cross(first, second)])
    radii = np.array([0.6 * length + 0.3 * radius, radius, radius])
    return Ellipsoid((start + end) / 2, axes / radii[:, None], color)


def _hits(shape: Ellipsoid, start: F64, ways: F64) -> tuple[F64, F64]:
    """Ray lengths to where rays enter and leave (H, W): infinity and 0 where they miss."""
    way, off = ways @ shape.to_ball.T, shape.to_ball @ (start - shape.centre)
    square, along = (way * way).sum(-1), way @ off
    inside = along * along - square * (off @ off - 1)
    root = np.sqrt(np.maximum(inside, 0.0))
    hit = inside > 0
    return np.where(hit, (-along - root) / square, np.inf), np.where(hit, (-along + root) / square, 0.0)


def _shade(shape: Ellipsoid, at: F64, turn: F64) -> F64:
    """How light a surface is (H, W, 1): a lamp that stays when the person turns, and woven cloth."""
    normal = (at - shape.centre) @ shape.to_ball.T @ shape.to_ball
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
    lit = np.maximum(normal @ (_LAMP @ turn), 0.0)
    weave = np.sin(at[..., 1] * 190) * np.sin((at[..., 0] + at[..., 2]) * 170)
    light: F64 = (0.3 + 0.55 * lit + 0.06 * weave)[..., None]
    return light
