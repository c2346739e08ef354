"""One person, from traits to a coloured surface in the scan's coordinates, and the truth about it.

The solid's surface is found at rest, wrinkled and painted there, and carried into the pose by the same rig
that the body model is made of. Refuses to know files.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from pipeline.geometry.mesh import area_centre, vertex_normals
from pipeline.geometry.transform import front_yaw, scale_about
from pipeline.records import F32, F64, I32, U8, Alignment, BodyParameters, Mesh
from pipeline.synth import rig
from pipeline.synth.defects import NONE, Defects, Skin, damaged, placed, vertices_added
from pipeline.synth.figure import figure_of
from pipeline.synth.lattice import DEFAULT
from pipeline.synth.skeleton import JOINT_INDEX, REST
from pipeline.synth.surface import extract_count
from pipeline.synth.template import template
from pipeline.synth.traits import Traits

CHUNK = 1 << 15  # vertices handled at once; neighbours in the list are neighbours in space
JOBS = DEFAULT.jobs
_ENDS = ("left_foot", "left_middle1", "head")  # foot and shoe, hand, face and hair
_SURFACE = (
    3.3  # a dressed person's surface in cells that a vertex takes: 2.2 square metres, 1.5 vertices a cell
)

Made = TypeVar("Made", bound=np.generic)


class Solid(Protocol):
    """What a figure is, as far as making a scan of it goes: functions of points (3, N) at rest."""

    low: F32
    high: F32
    body: BodyParameters

    def distance(self, points: F32) -> F32:
        """Signed distance (N,)."""

    def relief(self, points: F32, normals: F32) -> F32:
        """Height (N,) of the finished surface above the solid, along the normals."""

    def paint(self, points: F32, normals: F32) -> U8:
        """Colours (N, 3)."""

    def spread(self, points: F32) -> F32:
        """How widely (N,) the blend between the legs reaches."""


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """A person's surface at rest: where it is, its triangles, its colours, and how it hangs on the legs."""

    rest: F32  # (V, 3)
    faces: I32  # (F, 3)
    colors: U8  # (V, 3)
    spread: F32  # (V,)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A person's scan, the body under it, and how the clean surface is to be aligned."""

    skin: Skin
    body: BodyParameters
    joints: F64  # (55, 3)
    alignment: Alignment


def make_scan(
    traits: Traits,
    vertices: int,
    defects: Defects = NONE,
    fit: Callable[[BodyParameters], BodyParameters] = lambda body: body,
) -> Scan:
    """The scan of a person; `fit` says the body in the terms of a layout before it is posed."""
    figure = figure_of(traits, spacing=(_SURFACE / vertices) ** 0.5)
    body = placed(fit(figure.body), defects, traits.seed)
    own = vertices - vertices_added(defects, vertices)
    return pose(cast(figure, own), body, defects, traits.seed)


def cast(figure: Solid, vertices: int) -> Cast:
    """The figure's surface at rest, with about so many vertices, wrinkled and painted."""
    _warm(figure)
    smooth, faces = extract_count(figure.distance, figure.low, figure.high, vertices)
    normals = vertex_normals(smooth, faces)
    heights = in_chunks(lambda p, n: figure.relief(p.T, n.T), smooth, normals)
    colors = in_chunks(lambda p, n: figure.paint(p.T, n.T), smooth, normals)
    spread = in_chunks(lambda p: figure.spread(p.T), smooth)
    return Cast(smooth + normals * heights[:, None], faces, colors, spread)


def _warm(figure: Solid) -> None:
    """Ask once near each end of the body, so that no two threads then draw the same look-up table."""
    ends = (REST[[JOINT_INDEX[name]]].T.astype(np.float32) for name in _ENDS)
    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(figure.distance, ends))


def pose(cast: Cast, body: BodyParameters, defects: Defects, seed: int) -> Scan:
    """The surface carried along with the body, with the defects it has."""
    vertices = in_chunks(lambda p, s: rig.deform(p, body, s), cast.rest, cast.spread)
    centre = area_centre(vertices, cast.faces)
    alignment = Alignment(
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        scale=scale_about(vertices, centre),
        front_yaw=front_yaw(body.global_orient),
        source="truth",
    )
    skin = damaged(Skin(vertices, cast.rest, cast.faces, cast.colors), defects, seed, body.scale)
    return Scan(skin, body, rig.posed_joints(body), alignment)


def registered(body: BodyParameters) -> Mesh:
    """The body under a scan (10475 vertices), in the scan's coordinates."""
    return Mesh(rig.deform(template().vertices, body), template().faces)


def in_chunks(function: Callable[..., np.typing.NDArray[Made]], *arrays: F32) -> np.typing.NDArray[Made]:
    """A function of rows, some rows at a time in threads, the results in order."""

    def one(start: int) -> np.typing.NDArray[Made]:
        return function(*(np.ascontiguousarray(a[start : start + CHUNK]) for a in arrays))

    with ThreadPoolExecutor(JOBS) as pool:
        return np.concatenate(list(pool.map(one, range(0, len(arrays[0]), CHUNK))))
