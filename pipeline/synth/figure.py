"""A whole person at rest: body, clothes, hair and shoes as one solid, with relief and colours.

Layers lie over each other as they are worn; the surface belongs to the outermost one, and each layer knows
its own wrinkles and paint. Refuses to know meshes: everything here is a function of points (3, N).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.records import F32, U8, BodyParameters
from pipeline.synth import anatomy, clothes, complexion, fabric, folds, hair, person, shoe
from pipeline.synth.skeleton import FLOOR, JOINT_INDEX
from pipeline.synth.solids import FAR, Vector, mirrored, smooth_max, smooth_min
from pipeline.synth.traits import Garment, Traits

_CREASE = 0.003  # metres over which one layer melts into the next
_WIDE = 0.12  # metres over which the cloth of a skirt or a coat's tails passes from one leg to the other
_SAMPLES_A_WALL = 2.5  # a sheet thinner than so many samples would come out in rags


@dataclass(frozen=True)
class Place:
    """Where distances are asked for: the points, the same mirrored above the floor, what is known there."""

    points: F32
    folded: F32
    beneath: clothes.Beneath


@dataclass(frozen=True)
class Layer:
    """What is worn: where it can be (mirrored, above the floor), its distance, relief and paint.

    Relief and paint get the points above the floor (not mirrored) and the normals.
    """

    low: Vector
    high: Vector
    distance: Callable[[Place], F32]
    relief: Callable[[F32, F32], F32] | None
    paint: Callable[[F32, F32], F32]
    is_cloth: bool = False  # other clothes go over it
    spread: float = 0.0  # metres over which it passes from one leg to the other when they part

    def misses(self, low: F32, high: F32) -> bool:
        """Whether no point of a box (mirrored, above the floor) can lie near this layer."""
        before = np.any(np.subtract(self.low, anatomy.REACH) > high)
        return bool(before or np.any(np.add(self.high, anatomy.REACH) < low))


def _lifted(points: F32, by: float) -> F32:
    moved = points.copy()
    moved[1] += np.float32(by)
    return moved


def _cloth(garment: Garment, traits: Traits, seed: int, bend: float, wall: float) -> Layer:
    """A top, a bottom or a belt."""
    kinds = [g.kind for g in traits.garments]
    wide = _WIDE if garment.kind in ("skirt", "coat") else 0.0
    tucked = any(kind in clothes.BOTTOMS for kind in kinds[kinds.index(garment.kind) :])
    low: Vector = (0.0, 0.0, -0.40)
    high: Vector = (0.42, 1.10, 0.40)

    def distance(at: Place) -> F32:
        if garment.kind in clothes.TOPS:
            return clothes.top(at.folded, at.beneath, garment, tucked=tucked, wall=wall)
        return clothes.bottom(at.folded, at.beneath, garment, wall=wall)

    if garment.kind in clothes.TOPS:
        low, high = (0.0, clothes.hem_height(garment, tucked), -0.40), (0.70, 1.52, 0.40)
    else:
        low = (0.0, clothes.hem_height(garment), -0.40)
    relief = partial(_wrinkled, garment=garment, seed=seed, bend=bend)
    return Layer(low, high, distance, relief, lambda p, _: fabric.paint_cloth(p, garment, seed), True, wide)


def _wrinkled(points: F32, normals: F32, *, garment: Garment, seed: int, bend: float) -> F32:
    return folds.wrinkles(points, normals, garment, seed, bend)


def _belt(seed: int) -> Layer:
    return Layer(
        (0.0, 0.97, -0.2),
        (0.25, 1.04, 0.2),
        lambda at: clothes.belt(at.folded, at.beneath.inner),
        None,
        lambda points, _: fabric.paint_belt(points, seed),
    )


def _shoes(garment: Garment, traits: Traits, seed: int) -> Layer:
    """Shoes; what would stand under trousers is left out, or it would show through them."""
    sole = shoe.sole_of(garment.kind)
    tops = [clothes.hem_height(g) + 0.03 for g in traits.garments if g.kind == "trousers"]
    cut = np.float32(min(tops, default=1.0))
    return Layer(
        (0.0, -sole - 0.01, -0.16),
        (0.22, 0.30, 0.24),
        lambda at: smooth_max(shoe.shoe(at.points, garment.kind), at.folded[1] - cut, 0.004),
        None,
        lambda p, _: shoe.paint_shoe(_lifted(p, FLOOR), garment.kind, garment.colour, garment.second, seed),
    )


def _hair(traits: Traits) -> Layer:
    style, seed = traits.hair, traits.seed
    return Layer(
        (0.0, 1.30, -0.30),
        (0.25, 1.90, 0.25),
        lambda at: smooth_min(
            hair.hair(at.points, style, seed), hair.beard(at.points, traits.face, style, seed), 0.004
        ),
        lambda points, normals: hair.hair_relief(_lifted(points, FLOOR), normals, style, seed),
        lambda points, normals: complexion.paint_hair(_lifted(points, FLOOR), normals, style, seed),
    )


def _skin(traits: Traits, bare_feet: bool) -> Layer:
    return Layer(
        (0.0, -0.01, -0.3),
        (1.0, 1.80, 0.3),
        lambda at: anatomy.skin(at.points, at.beneath.limbs, traits.face, bare_feet),
        None,
        lambda points, _: complexion.paint_skin(_lifted(points, FLOOR), traits),
    )


def _layers(traits: Traits, bend: float, wall: float) -> tuple[Layer, ...]:
    shod = {g.kind for g in traits.garments} & set(shoe.STYLES)
    low_cut = {"ballerina", "shorts", "skirt"} & {g.kind for g in traits.garments}  # the ankle shows
    layers = [_skin(traits, bare_feet=not shod or bool(low_cut))]
    for number, garment in enumerate(traits.garments):
        seed = (traits.seed + 101 * number) % 100_000
        if garment.kind in shoe.STYLES:
            layers.append(_shoes(garment, traits, seed))
        elif garment.kind == "belt":
            layers.append(_belt(seed))
        else:
            layers.append(_cloth(garment, traits, seed, bend, wall))
    if traits.hair.style != "bald" or traits.hair.beard == "full":
        layers.append(_hair(traits))
    return tuple(layers)


def _bend(body: BodyParameters) -> float:
    """How far elbows and knees are bent on average, 0 straight .. 1 a right angle or more."""
    joints = [JOINT_INDEX[f"{side}_{name}"] - 1 for side in ("left", "right") for name in ("elbow", "knee")]
    angles = np.linalg.norm(body.body_pose[joints], axis=1)
    return float(np.clip(angles / (np.pi / 2), 0, 1).mean())


class Figure:
    """One person's solid and surface at rest, and the body that poses them."""

    def __init__(self, traits: Traits, spacing: float = 0.0) -> None:
        self.body: BodyParameters = person.body_of(traits)
        self._layers = _layers(traits, _bend(self.body), max(clothes.WALL, _SAMPLES_A_WALL * spacing))
        self.low: F32 = np.array((-0.94, FLOOR - 0.05, -0.42), dtype=np.float32)
        self.high: F32 = np.array((0.94, 0.62, 0.42), dtype=np.float32)

    def _distances(self, points: F32) -> list[F32]:
        """Distance to each layer, outermost last; a layer out of reach is far away everywhere."""
        raised = _lifted(points, -FLOOR)
        folded = mirrored(raised)
        low, high = folded.min(axis=1), folded.max(axis=1)
        limbs = anatomy.limbs(points)
        far = np.full(points.shape[1], FAR, dtype=np.float32)
        inner, found = far, []
        for layer in self._layers:
            at = Place(points, folded, clothes.Beneath(limbs, inner))
            found.append(far if layer.misses(low, high) else layer.distance(at))
            if layer.is_cloth:
                inner = np.minimum(inner, found[-1])
        return found

    def distance(self, points: F32) -> F32:
        """Signed distance (N,) to the whole person."""
        layers = self._distances(points)
        total = layers[0]
        for layer in layers[1:]:
            total = smooth_min(total, layer, _CREASE)
        return total

    def _outermost(self, points: F32) -> npt.NDArray[np.intp]:
        """Which layer (N,) the surface at each point belongs to."""
        return np.asarray(np.argmin(np.stack(self._distances(points)), axis=0), dtype=np.intp)

    def relief(self, points: F32, normals: F32) -> F32:
        """How far (N,) the surface lies outside the solid, along the normals: folds and strands."""
        heights = np.zeros(points.shape[1], dtype=np.float32)
        raised, owner = _lifted(points, -FLOOR), self._outermost(points)
        for number, layer in enumerate(self._layers):
            mine = np.flatnonzero(owner == number)
            if layer.relief is not None and mine.size:
                heights[mine] = layer.relief(raised[:, mine], normals[:, mine])
        return heights

    def paint(self, points: F32, normals: F32) -> U8:
        """sRGB colours (N, 3) of the surface."""
        colours = np.zeros((points.shape[1], 3), dtype=np.float32)
        raised, owner = _lifted(points, -FLOOR), self._outermost(points)
        for number, layer in enumerate(self._layers):
            mine = np.flatnonzero(owner == number)
            if mine.size:
                colours[mine] = layer.paint(raised[:, mine], normals[:, mine])
        return np.asarray(np.round(np.clip(colours, 0, 1) * 255), dtype=np.uint8)

    def spread(self, points: F32) -> F32:
        """Over how many metres (N,) the surface at each point passes from one leg to the other."""
        widths = np.array([layer.spread for layer in self._layers], dtype=np.float32)
        if not widths.any():
            return np.zeros(points.shape[1], dtype=np.float32)
        return np.asarray(widths[self._outermost(points)])


def figure_of(traits: Traits, spacing: float = 0.0) -> Figure:
    """The figure of a person with these traits, to be sampled about every `spacing` metres."""
    return Figure(traits, spacing)
