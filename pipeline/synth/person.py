"""Who the people are: traits drawn by seed, so that any two seeds differ and any run repeats.

Sex, outfit, hair and pose go round in shuffled turns, so that a dozen people show all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from pipeline.records import BodyParameters
from pipeline.synth import poses
from pipeline.synth.traits import Colour, Face, Garment, Hair, Traits

T = TypeVar("T")

_SKINS: tuple[Colour, ...] = (
    (0.91, 0.74, 0.65),
    (0.87, 0.68, 0.57),
    (0.82, 0.62, 0.50),
    (0.75, 0.55, 0.42),
    (0.64, 0.45, 0.33),
    (0.50, 0.34, 0.25),
    (0.37, 0.25, 0.19),
)
_EYES: tuple[Colour, ...] = ((0.26, 0.16, 0.09), (0.36, 0.26, 0.13), (0.30, 0.40, 0.30), (0.32, 0.45, 0.58))
_HAIRS: tuple[Colour, ...] = (
    (0.07, 0.055, 0.05),
    (0.17, 0.105, 0.065),
    (0.29, 0.18, 0.10),
    (0.55, 0.40, 0.22),
    (0.45, 0.20, 0.09),
    (0.48, 0.46, 0.45),
)
_TOP_COLOURS: tuple[Colour, ...] = (
    (0.90, 0.89, 0.86),
    (0.62, 0.16, 0.18),
    (0.14, 0.30, 0.48),
    (0.22, 0.42, 0.30),
    (0.86, 0.66, 0.24),
    (0.16, 0.17, 0.20),
    (0.48, 0.60, 0.72),
    (0.74, 0.50, 0.52),
)
_BOTTOM_COLOURS: tuple[Colour, ...] = (
    (0.20, 0.21, 0.24),
    (0.55, 0.47, 0.36),
    (0.28, 0.31, 0.26),
    (0.33, 0.24, 0.19),
    (0.42, 0.43, 0.45),
)
_DENIMS: tuple[Colour, ...] = ((0.17, 0.25, 0.40), (0.27, 0.38, 0.54), (0.12, 0.15, 0.23))
_COATS: tuple[Colour, ...] = (
    (0.56, 0.43, 0.29),
    (0.17, 0.19, 0.25),
    (0.30, 0.31, 0.32),
    (0.40, 0.16, 0.17),
)
_SHOES: tuple[Colour, ...] = (
    (0.88, 0.87, 0.85),
    (0.13, 0.12, 0.12),
    (0.36, 0.22, 0.13),
    (0.20, 0.25, 0.36),
)

_STYLES_WOMAN = ("long", "bob", "bun", "ponytail", "curly", "long")
_STYLES_MAN = ("short", "side", "buzz", "curly", "short", "bald")
_OUTFITS_WOMAN = ("jeans", "skirt", "coat", "shirt", "shorts", "skirt")
_OUTFITS_MAN = ("jeans", "shirt", "shorts", "coat", "jeans", "shirt")
# in the order of Face: nose length and width, lips, brow, jaw, chin, cheeks, eyes, ears
_WOMANS_FACE = np.array([-0.4, -0.4, 0.4, -0.7, -0.6, -0.35, 0.2, 0.5, -0.3])
_MANS_FACE = np.array([0.15, 0.2, -0.1, 0.4, 0.5, 0.4, -0.1, -0.2, 0.2])
POSES_DRAWN = (
    "standing",
    "a-pose",
    "walking",
    "hands-on-hips",
    "looking-sideways",
    "arms-up",
    "arm-behind-back",
    "sitting",
)


def _turn(choices: Sequence[T], seed: int, index: int, salt: int) -> T:
    """The index-th of the choices, shuffled anew for every round of them."""
    rounds, place = divmod(index, len(choices))
    order = np.random.default_rng([seed, salt, rounds]).permutation(len(choices))
    return choices[int(order[place])]


def _pick(random: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(random.integers(len(choices)))]


def _top(kind: str, random: np.random.Generator) -> Garment:
    patterns = {"tshirt": ("plain", "plain", "stripes"), "shirt": ("plain", "checks", "stripes", "dots")}[
        kind
    ]
    first = int(random.integers(len(_TOP_COLOURS)))
    second = int(random.integers(1, len(_TOP_COLOURS)))
    return Garment(
        kind,
        _TOP_COLOURS[first],
        _TOP_COLOURS[(first + second) % len(_TOP_COLOURS)],
        _pick(random, patterns),
        length=float(random.uniform(0.2, 0.8)),
        looseness=float(random.uniform(0.1, 0.8)),
    )


def _bottom(kind: str, random: np.random.Generator) -> Garment:
    denim = kind in ("trousers", "shorts") and random.uniform() < 0.45
    return Garment(
        kind,
        _pick(random, _DENIMS if denim else _BOTTOM_COLOURS),
        pattern="denim" if denim else "plain",
        length=float(random.uniform(0.35, 0.9)),
        looseness=float(random.uniform(0.1, 0.7)),
    )


def _outfit(name: str, woman: bool, random: np.random.Generator) -> tuple[Garment, ...]:
    """The garments from the inside out."""
    lower = {"shorts": "shorts", "skirt": "skirt"}.get(name, "trousers")
    upper = "shirt" if name in ("shirt", "coat") else "tshirt"
    formal = name in ("shirt", "coat")
    shoes = "ballerina" if woman and (name == "skirt" or formal) else "leather" if formal else "sneaker"
    if name == "coat":
        shoes = "boot"
    trousers, blouse = _bottom(lower, random), _top(upper, random)
    belted = formal and lower == "trousers" and random.uniform() < 0.6
    worn = [blouse, trousers] if belted or lower == "skirt" else [trousers, blouse]
    if belted:
        worn.append(Garment("belt", (0.24, 0.14, 0.08)))
    if name == "coat":
        length = float(random.uniform(0.1, 0.9))
        worn.append(
            Garment("coat", _pick(random, _COATS), length=length, looseness=float(random.uniform(0.1, 0.6)))
        )
    leather = _SHOES[1:3] if shoes in ("leather", "boot") else _SHOES
    return (Garment(shoes, _pick(random, leather), _pick(random, _SHOES)), *worn)


def _betas(woman: bool, random: np.random.Generator) -> tuple[float, ...]:
    """Body shape: the third component leans to woman (-) or man (+), the others are free."""
    spread = np.array([0.85, 0.9, 0.35, 0.6, 0.5, 0.5, 0.5, 0.7, 0.5, 0.6])
    lean = np.zeros(10)
    lean[2] = -1.5 if woman else 1.4
    lean[0] = -0.5 if woman else 0.5
    return tuple(
        float(v) for v in np.round(np.clip(lean + spread * random.standard_normal(10), -2.2, 2.2), 4)
    )


def _expression(random: np.random.Generator) -> tuple[float, ...]:
    """A quiet face, now and then with the trace of a smile."""
    values = np.clip(random.normal(0, 0.10, 10), -0.25, 0.25)
    values[0] = abs(values[0]) * 3
    return tuple(float(v) for v in np.round(values, 4))


def draw(seed: int, index: int, pose: str | None = None) -> Traits:
    """The traits of person number `index` of the people of this seed, in a drawn or a named pose."""
    random = np.random.default_rng([seed, index, 0x90])
    woman = _turn((True, False), seed, index, 1)
    nth = index // 2
    style = _turn(_STYLES_WOMAN if woman else _STYLES_MAN, seed, nth, 2 if woman else 3)
    outfit = _turn(_OUTFITS_WOMAN if woman else _OUTFITS_MAN, seed, nth, 4 if woman else 5)
    pose = pose or _turn(POSES_DRAWN, seed, index, 6)
    if pose == "sitting" and outfit in ("skirt", "coat"):
        outfit = "jeans"  # cloth that hangs free would stand on the lap like a board
    tone = int(random.integers(len(_SKINS)))
    hairs = _HAIRS if tone < 3 else _HAIRS[:2]
    lean = _WOMANS_FACE if woman else _MANS_FACE
    face = Face(*(float(v) for v in np.round(np.clip(lean + random.normal(0, 0.3, 9), -1, 1), 4)))
    beard = "none" if woman else _pick(random, ("none", "none", "stubble", "full"))
    return Traits(
        seed=int(random.integers(2**31 - 1)),
        woman=woman,
        skin=_SKINS[tone],
        eye_colour=_pick(random, _EYES if tone < 4 else _EYES[:2]),
        face=face,
        hair=Hair(style, _pick(random, hairs), beard),
        garments=_outfit(outfit, woman, random),
        betas=_betas(woman, random),
        expression=_expression(random),
        pose=pose,
    )


def body_of(traits: Traits) -> BodyParameters:
    """Shape and pose of a person on the neutral body model."""
    values = poses.pose(traits.pose, traits.seed, np.array(traits.betas))
    return BodyParameters(
        gender="neutral",
        betas=np.array(traits.betas),
        expression=np.array(traits.expression),
        global_orient=values.global_orient,
        body_pose=values.body_pose,
        jaw_pose=values.jaw_pose,
        leye_pose=values.leye_pose,
        reye_pose=values.reye_pose,
        left_hand_pose=values.left_hand_pose,
        right_hand_pose=values.right_hand_pose,
    )
