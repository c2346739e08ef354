"""What real scans have and a clean surface has not: holes, fragments, a floor, odd units and places.

Units, yaw and origin are put into the body's parameters, so everything posed by them follows. The rest is
done to the posed mesh. Refuses to know how a person is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from pipeline.errors import ConfigError
from pipeline.geometry.mesh import vertex_normals
from pipeline.geometry.transform import rotation_of, turn_y
from pipeline.records import F32, I32, U8, BodyParameters, Bool
from pipeline.synth.noise import fractal, noise
from pipeline.synth.shape import full_betas, shaped_joints
from pipeline.synth.surface import extract

CENTIMETRES = 100.0
_FLOOR_SHARE = 0.02  # of the vertices
_FLOOR_RADIUS = 0.42
_LUMPS = 7
_LUMP_VERTICES = 80


@dataclass(frozen=True)
class Defects:
    """Which defects a scan has; how many and how large is drawn by seed."""

    holes: bool = False
    fragments: bool = False
    floor: bool = False
    centimetres: bool = False
    yaw: bool = False
    origin: bool = False

    def names(self) -> tuple[str, ...]:
        """The defects that are there."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name))


NONE = Defects()
CHOICES = tuple(f.name for f in fields(Defects))


def defects_of(names: Iterable[str]) -> Defects:
    """The defects with these names."""
    wanted = tuple(names)
    for name in wanted:
        if name not in CHOICES:
            raise ConfigError(f"there is no defect {name!r}; choose from {', '.join(CHOICES)}")
    return Defects(**dict.fromkeys(wanted, True))


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """A coloured surface in the scan's coordinates, and where each vertex was at rest (V, 3)."""

    vertices: F32
    rest: F32
    faces: I32
    colors: U8


def _random(seed: int, defect: str) -> np.random.Generator:
    return np.random.default_rng([0xDEF, seed, CHOICES.index(defect)])


def turned(body: BodyParameters, yaw: float) -> BodyParameters:
    """The body turned by radians about the vertical through the origin.

    The root rotates about the pelvis, which is not at the origin, so the place changes as well.
    """
    turn = turn_y(yaw)
    orient = Rotation.from_matrix(turn @ rotation_of(body.global_orient)).as_rotvec()
    pelvis = shaped_joints(full_betas(body.gender, body.betas))[0] + body.transl
    place = body.scale * (turn @ pelvis - pelvis) + turn @ body.translation
    return replace(body, global_orient=orient, translation=place)


def placed(body: BodyParameters, defects: Defects, seed: int) -> BodyParameters:
    """The body in the units, direction and place that its scan has."""
    if defects.centimetres:
        body = replace(body, scale=CENTIMETRES, translation=body.translation * (CENTIMETRES / body.scale))
    if defects.yaw:
        body = turned(body, float(_random(seed, "yaw").uniform(-np.pi, np.pi)))
    if defects.origin:
        away = _random(seed, "origin").uniform((-2.0, -0.5, -2.0), (2.0, 1.5, 2.0))
        body = replace(body, translation=body.translation + body.scale * np.round(away, 4))
    return body


def damaged(skin: Skin, defects: Defects, seed: int, unit: float) -> Skin:
    """The surface with the defects that are parts of it; `unit` is a metre in the scan's coordinates."""
    pieces = [skin]
    if defects.fragments:
        pieces += _fragments(skin, _random(seed, "fragments"), seed, unit)
    if defects.floor:
        pieces.append(_floor(skin, _random(seed, "floor"), seed, unit))
    if defects.holes:
        pieces[0] = _perforated(skin, _random(seed, "holes"), unit)
    return _joined(pieces)


def vertices_added(defects: Defects, vertices: int) -> int:
    """About how many vertices the defects add to a surface of so many."""
    return _LUMPS * _LUMP_VERTICES * defects.fragments + int(_FLOOR_SHARE * vertices) * defects.floor


def _perforated(skin: Skin, random: np.random.Generator, unit: float) -> Skin:
    """Without the faces around a few places."""
    count = int(random.integers(6, 15))
    centres = skin.vertices[random.integers(len(skin.vertices), size=count)]
    radii = random.uniform(0.004, 0.014, count) * unit
    gone: Bool = np.zeros(len(skin.vertices), dtype=np.bool_)
    for centre, radius in zip(centres, radii, strict=True):
        gone |= np.einsum("ni,ni->n", skin.vertices - centre, skin.vertices - centre) < radius**2
    faces = skin.faces[~gone[skin.faces].any(axis=1)]
    used = np.zeros(len(skin.vertices), dtype=np.bool_)
    used[faces] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return Skin(skin.vertices[used], skin.rest[used], number[faces], skin.colors[used])


def _fragments(skin: Skin, random: np.random.Generator, seed: int, unit: float) -> list[Skin]:
    """Lumps that float off the surface, in the colour of what is near."""
    lumps: list[Skin] = []
    normals = vertex_normals(skin.vertices, skin.faces)
    tree = cKDTree(skin.vertices[:: max(1, len(skin.vertices) // 20_000)])
    while len(lumps) < _LUMPS:
        at = int(random.integers(len(skin.vertices)))
        radius = random.uniform(0.006, 0.02)
        centre = skin.vertices[at] + normals[at] * np.float32(random.uniform(0.04, 0.12) * unit)
        number = len(lumps)
        if tree.query(centre)[0] < 0.03 * unit:
            continue

        def distance(points: F32, radius: float = radius, number: int = number) -> F32:
            reach = np.sqrt((points * points).sum(axis=0))
            rough = noise(points, radius, seed % 1000 + number) * np.float32(0.4 * radius)
            return np.asarray(reach - np.float32(radius) + rough, dtype=np.float32)

        vertices, faces = extract(distance, (-2 * radius,) * 3, (2 * radius,) * 3, radius / 2)
        place = np.asarray(centre + vertices * np.float32(unit), dtype=np.float32)
        lumps.append(Skin(place, place, faces, np.repeat(skin.colors[at : at + 1], len(place), axis=0)))
    return lumps


def _floor(skin: Skin, random: np.random.Generator, seed: int, unit: float) -> Skin:
    """A ragged sheet under the feet, some hundredths of the scan."""
    side = max(8, int(np.sqrt(_FLOOR_SHARE * len(skin.vertices) / 0.6)))
    u, v = (a.ravel() for a in np.meshgrid(*2 * (np.linspace(-1, 1, side),), indexing="ij"))
    flat = np.stack([u, np.zeros_like(u), v]).astype(np.float32)
    kept = u**2 + v**2 < (0.8 + 0.2 * noise(flat, 0.35, seed % 1000)) ** 2
    level = skin.vertices[:, 1].min()
    feet = skin.vertices[skin.vertices[:, 1] < level + 0.08 * unit]
    middle = (feet.min(axis=0) + feet.max(axis=0)) / 2
    centre = np.array([middle[0], level, middle[2]]) + random.uniform(-0.1, 0.1, 3) * unit * (1, 0, 1)
    bumps = 0.001 * fractal(flat, 0.2, 3, seed % 1000 + 7)
    place = (centre + (flat * _FLOOR_RADIUS + np.stack([0 * u, bumps, 0 * u])).T * unit).astype(np.float32)
    corner = np.arange(side * side).reshape(side, side)
    a, b, c, d = (corner[i, j].ravel() for i, j in _QUAD)
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    faces = faces[kept[faces].all(axis=1)]
    used = np.unique(faces)
    number = np.zeros(len(place), dtype=np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    grey = np.clip(118 + 14 * noise(flat, 0.05, seed % 1000 + 3) + random.uniform(-30, 50), 0, 255)
    colors = np.repeat(grey[used, None], 3, axis=1).astype(np.uint8)
    return Skin(place[used], place[used], number[faces], colors)


_LOW, _HIGH = slice(None, -1), slice(1, None)
_QUAD = ((_LOW, _LOW), (_LOW, _HIGH), (_HIGH, _HIGH), (_HIGH, _LOW))


def _joined(pieces: list[Skin]) -> Skin:
    if len(pieces) == 1:
        return pieces[0]
    starts = np.cumsum([0, *(len(p.vertices) for p in pieces[:-1])])
    return Skin(
        np.concatenate([p.vertices for p in pieces]),
        np.concatenate([p.rest for p in pieces]),
        np.concatenate([p.faces + np.int32(s) for p, s in zip(pieces, starts, strict=True)]),
        np.concatenate([p.colors for p in pieces]),
    )
