"""Whether a body lies in its scan: distances in millimetres, and the size and place it should have had.

A body lies inside its clothes and touches the scan where skin shows, so what reaches out of the scan counts
for much and what lies inside for little. Refuses to turn anything: which way a body faces is not for the
scan's shape to say, from which a person's front and back are hard to tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from pipeline.errors import MeshError
from pipeline.geometry.mesh import areas_and_slopes
from pipeline.geometry.procrustes import unturned_between
from pipeline.records import F32, F64, I32, BodyParameters, Fit, Mesh, Similarity

GOOD, CORRECTED, BAD = "good", "corrected", "bad"
AS_GIVEN, FROM_SHAPE = "as given", "size and place taken from the scan's shape"
# measured on dressed people: a right fit stays below a third of each, skirts and coats below two thirds
OF_PARAMETERS = "SMPL-X parameters"  # what the fit of a posed body is called
SIZE_OFF = 0.05  # most that a body may be larger or smaller than the scan's shape asks for
PLACE_OFF_MM = 60.0  # most that its middle may be away from where the shape asks for it
SURFACE_MM = 40.0  # most that half of its surface may be away from the scan, or half of the scan from it
FARTHEST_MM = 100.0  # most that 99 hundredths of its surface may be: an arm elsewhere is farther out
CLEAR = 0.8  # of these distances: what a place taken from the scan's shape alone must keep to
_SCAN_POINTS = 20_000
_BODY_POINTS = 4_000
_THIN = 5  # of the scan's points every fifth is enough to pull at the body
_ROUNDS = (15, 60)
_NEAREST = (0.7, 0.9)  # share of the pairs that pull: the farthest are clothes, hair, or no pairs at all
_INSIDE = (
    0.03  # weight of a body's point inside the scan, where clothes are; outside there is nothing to be
)
_STILL = 1e-4
_DRIFT = 2.0  # a body that grows or shrinks by more than that on the way is lost
_WHOLE = (0.01, 0.99)  # between these quantiles lies the person, without what floats around
_PLASTIC = 1.32471795724474602596  # its powers spread points over a triangle without clumps
_NOTHING = Similarity(1.0, (0.0, 0.0, 0.0))


def sample(vertices: F32, faces: I32, count: int) -> tuple[F64, F64]:
    """Points (count, 3) spread evenly over a surface by area, and its unit normals there (count, 3)."""
    reach = np.cumsum(areas_and_slopes(vertices, faces)[0])
    if not (len(reach) and reach[-1] > 0):
        raise MeshError("all triangles have zero area")
    steps = (np.arange(count) + 0.5) / count * reach[-1]
    chosen = faces[np.minimum(np.searchsorted(reach, steps, side="right"), len(faces) - 1)]
    a, b, c = (vertices[chosen[:, i]].astype(np.float64) for i in range(3))
    u, v = np.modf(np.arange(1, count + 1)[:, None] / _PLASTIC ** np.array([1, 2]))[0].T
    over = u + v > 1
    u, v = np.where(over, 1 - u, u)[:, None], np.where(over, 1 - v, v)[:, None]
    normals = np.cross(b - a, c - a)
    return a * (1 - u - v) + b * u + c * v, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def moved(points: F64, by: Similarity) -> F64:
    """Points (N, 3) after a change of scale and place."""
    return np.asarray(points * by.scale + np.array(by.place))


def moved_body(body: BodyParameters, by: Similarity) -> BodyParameters:
    """The parameters of a body after a change of scale and place."""
    return replace(body, scale=body.scale * by.scale, translation=moved(body.translation, by))


def trusted(body: BodyParameters, fit: Fit) -> BodyParameters | None:
    """The body as joints may be taken from it: as given, corrected, or not at all."""
    if fit.verdict == BAD:
        return None
    return moved_body(body, fit.correction) if fit.correction else body


def readings(scale: float, place: F64) -> Iterator[tuple[str, Similarity]]:
    """What else `vertices * scale + place` may have meant, as changes of what it gives.

    Two batches of THuman 2.1 write the same body in two ways, of which one has the place before the scale.
    """
    yield "place counted before the scale", _shift(place * (scale - 1))
    yield "place counted after the scale", _shift(place * (1 / scale - 1))
    x, y, z = (float(v) for v in place * (1 - 1 / scale))
    yield "scale not applied", Similarity(1 / scale, (x, y, z))


def _shift(by: F64) -> Similarity:
    return Similarity(1.0, (float(by[0]), float(by[1]), float(by[2])))


class Target:
    """A scan that bodies are checked against: points of its surface, found by place."""

    def __init__(self, scan: Mesh) -> None:
        self.points, normals = sample(scan.vertices, scan.faces, _SCAN_POINTS)
        # a closed surface's points lie ahead of its middle, seen along normals that point outward
        outward = float(((self.points - self.points.mean(axis=0)) * normals).sum())
        self.normals = normals if outward >= 0 else -normals
        self.tree = cKDTree(self.points)
        self.low, self.high = np.quantile(self.points, _WHOLE, axis=0)
        self.box = np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    def shape_of(self, body: F64) -> Similarity | None:
        """The change of size and place that lays a body's points (N, 3) into the scan; None = none does."""
        low, high = np.quantile(body, _WHOLE, axis=0)
        scale = float((self.high - self.low).max() / (high - low).max())
        x, y, z = (self.low + self.high) / 2 - scale * (low + high) / 2
        first = Similarity(scale, (float(x), float(y), float(z)))
        for pull, rounds in ((self._nearest, _ROUNDS[0]), (self._nested, _ROUNDS[1])):
            found = first
            for _ in range(rounds):
                before, found = found, pull(body, found)
                if not 1 / _DRIFT < found.scale / scale < _DRIFT:
                    return None
                if _is_still(before, found):
                    break
            first = found
        return first

    def _nearest(self, body: F64, found: Similarity) -> Similarity:
        """Nearest points pulled together from both sides: near enough for what follows."""
        here, thin = moved(body, found), self.points[::_THIN]
        to_scan, scan = self.tree.query(here)
        to_body, other = cKDTree(here).query(thin)
        near = to_scan <= np.quantile(to_scan, _NEAREST[0])
        back = to_body <= np.quantile(to_body, _NEAREST[0])
        source = np.concatenate([body[near], body[other[back]]])
        target = np.concatenate([self.points[scan[near]], thin[back]])
        return unturned_between(source, target, np.ones(len(source)))

    def _nested(self, body: F64, found: Similarity) -> Similarity:
        """Pulled in from wherever the body reaches out of the scan."""
        here = moved(body, found)
        away, scan = self.tree.query(here)
        outside = ((here - self.points[scan]) * self.normals[scan]).sum(axis=1) > 0
        weights = np.where(outside, 1.0, _INSIDE) * (away <= np.quantile(away, _NEAREST[1]))
        return unturned_between(body, self.points[scan], weights)


def _is_still(before: Similarity, after: Similarity) -> bool:
    shift = np.abs(np.subtract(after.place, before.place)).max()
    return bool(abs(after.scale / before.scale - 1) < _STILL and shift < _STILL * after.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A body to be checked: its surface and joints (J, 3) in the scan's coordinates, and how it came there.

    `unit` is a metre of the body in those coordinates, `place` the shift after it.
    """

    source: str
    surface: Mesh
    unit: float
    place: F64 | None = None
    joints: F64 | None = None


def check_fit(suspect: Suspect, target: Target) -> Fit:
    """How well a body lies in a scan, after a correction if the scan's shape plainly asks for one."""
    points, _ = sample(suspect.surface.vertices, suspect.surface.faces, _BODY_POINTS)
    shape = target.shape_of(points)
    given = _distances(suspect, points, _NOTHING, target)
    if shape is None:
        return given
    if _agrees(points, _NOTHING, shape, suspect.unit) and _is_near(given):
        return replace(given, verdict=GOOD)
    known = [] if suspect.place is None else list(readings(suspect.unit, suspect.place))
    exact = [r for r in known if _agrees(points, r[1], shape, suspect.unit)]
    for reading, change in (*exact, (FROM_SHAPE, shape)):
        fit = _distances(suspect, points, change, target)
        if _is_near(fit, CLEAR if change is shape else 1.0):
            return replace(
                fit, verdict=CORRECTED, given_mm=given.surface_mm, correction=change, reading=reading
            )
    return given


def _agrees(points: F64, change: Similarity, shape: Similarity, unit: float) -> bool:
    """Whether a change leaves the body in the size and place that the scan's shape asks for."""
    middle = points.mean(axis=0)[None]
    off = np.linalg.norm(moved(middle, change) - moved(middle, shape))
    size = abs(change.scale / shape.scale - 1)
    return bool(size <= SIZE_OFF and off * 1000 / (unit * shape.scale) <= PLACE_OFF_MM)


def _is_near(fit: Fit, share: float = 1.0) -> bool:
    near = max(fit.surface_mm, fit.scan_mm) <= share * SURFACE_MM
    return near and fit.surface_p99_mm <= share * FARTHEST_MM


def _distances(suspect: Suspect, points: F64, change: Similarity, target: Target) -> Fit:
    """The distances of a body from the scan after a change; a fit of no verdict but bad."""
    here, mm = moved(points, change), 1000 / (suspect.unit * change.scale)
    to_scan = target.tree.query(here)[0]
    to_body = cKDTree(here).query(target.points[::_THIN])[0]
    box = np.stack([here.min(axis=0), here.max(axis=0)])
    outside = None
    if suspect.joints is not None:
        joints = moved(suspect.joints, change)
        reach = np.maximum(target.box[0] - joints, joints - target.box[1]).max()
        outside = max(0.0, float(reach)) * mm
    return Fit(
        source=suspect.source,
        verdict=BAD,
        surface_mm=float(np.median(to_scan)) * mm,
        surface_p99_mm=float(np.quantile(to_scan, 0.99)) * mm,
        scan_mm=float(np.median(to_body)) * mm,
        box_mm=float(np.abs(box - target.box).max()) * mm,
        joints_outside_mm=outside,
        given_mm=float(np.median(to_scan)) * mm,
    )
