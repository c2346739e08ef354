"""What one synthetic person is like: everything that is drawn by seed, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]  # sRGB, 0..1


@dataclass(frozen=True)
class Face:
    """Departures from the average face, each in [-1, 1] and worth a few millimetres; 0 is the template."""

    nose_length: float = 0.0
    nose_width: float = 0.0
    lips: float = 0.0
    brow: float = 0.0
    jaw: float = 0.0
    chin: float = 0.0
    cheeks: float = 0.0
    eyes: float = 0.0
    ears: float = 0.0


@dataclass(frozen=True)
class Hair:
    """Style: bald, buzz, short, side, curly, bob, long, bun or ponytail; beard: none, stubble, full."""

    style: str = "short"
    colour: Colour = (0.16, 0.10, 0.06)
    beard: str = "none"


@dataclass(frozen=True)
class Garment:
    """One piece of clothing: what it is, its colours and pattern (plain, stripes, checks, dots, denim)."""

    kind: str
    colour: Colour
    second: Colour = (0.9, 0.9, 0.9)
    pattern: str = "plain"
    length: float = 0.5  # 0 short .. 1 long, within what the kind allows
    looseness: float = 0.5  # 0 tight .. 1 loose


@dataclass(frozen=True)
class Traits:
    """One person. `seed` feeds every noise of this person, so two people never share a wrinkle."""

    seed: int = 0
    woman: bool = False
    skin: Colour = (0.80, 0.60, 0.48)
    eye_colour: Colour = (0.30, 0.20, 0.12)
    face: Face = Face()
    hair: Hair = Hair()
    garments: tuple[Garment, ...] = ()  # from the inside out: shoes, trousers, T-shirt, coat
    betas: tuple[float, ...] = (0.0,) * 10
    expression: tuple[float, ...] = (0.0,) * 10
    pose: str = "a-pose"
