"""What shoes are like, style by style, as numbers, and the charts drawn from them.

All places are in the left foot's own frame (outwards, up, forwards; see foot.py). Refuses to compute
distances: shoe.py builds the solids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.errors import ConfigError
from pipeline.records import F64
from pipeline.synth.outline import Chart, Slab, closed_curve, outward, profile, under_line
from pipeline.synth.solids import Loft, Vector

Profile = tuple[tuple[float, ...], tuple[float, ...]]  # places forwards, values there

_ROUND_TOE = (
    (0.000, -0.0620), (-0.0240, -0.0540), (-0.0350, -0.0300), (-0.0355, 0.0000), (-0.0345, 0.0300),
    (-0.0370, 0.0600), (-0.0435, 0.0900), (-0.0510, 0.1220), (-0.0525, 0.1480), (-0.0490, 0.1730),
    (-0.0405, 0.1960), (-0.0260, 0.2110), (-0.0090, 0.2160), (0.0100, 0.2115), (0.0280, 0.1985),
    (0.0440, 0.1800), (0.0550, 0.1580), (0.0590, 0.1350), (0.0580, 0.1100), (0.0545, 0.0850),
    (0.0490, 0.0550), (0.0430, 0.0250), (0.0395, 0.0000), (0.0365, -0.0300), (0.0240, -0.0540),
)  # fmt: skip
_NEAT_TOE = (
    (0.000, -0.0600), (-0.0230, -0.0520), (-0.0335, -0.0300), (-0.0345, 0.0000), (-0.0330, 0.0300),
    (-0.0350, 0.0600), (-0.0420, 0.0900), (-0.0495, 0.1220), (-0.0512, 0.1460), (-0.0480, 0.1720),
    (-0.0405, 0.1960), (-0.0275, 0.2140), (-0.0090, 0.2220), (0.0095, 0.2165), (0.0285, 0.1990),
    (0.0450, 0.1800), (0.0562, 0.1575), (0.0590, 0.1340), (0.0560, 0.1100), (0.0525, 0.0850),
    (0.0465, 0.0550), (0.0410, 0.0250), (0.0375, 0.0000), (0.0350, -0.0300), (0.0230, -0.0520),
)  # fmt: skip
_CLOSE_TOE = (
    (0.000, -0.0570), (-0.0215, -0.0500), (-0.0345, -0.0300), (-0.0362, 0.0000), (-0.0345, 0.0300),
    (-0.0345, 0.0600), (-0.0410, 0.0930), (-0.0490, 0.1230), (-0.0505, 0.1450), (-0.0485, 0.1700),
    (-0.0425, 0.1950), (-0.0275, 0.2110), (-0.0095, 0.2155), (0.0100, 0.2080), (0.0290, 0.1960),
    (0.0450, 0.1790), (0.0560, 0.1580), (0.0585, 0.1350), (0.0550, 0.1120), (0.0510, 0.0850),
    (0.0455, 0.0550), (0.0420, 0.0250), (0.0385, -0.0050), (0.0350, -0.0300), (0.0215, -0.0500),
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """One kind of shoe. Profiles run forwards; stations are those of a Loft (height, ...)."""

    outline: tuple[Vector, ...]
    ridge: Profile  # height of the upper along the middle
    fall: float  # how fast it falls to the sides
    rounding: float  # of the upper's edges
    sole: float  # thickness below the foot
    edge: Profile  # height of the sole's upper edge
    underside: Profile  # rise of the sole's underside above the ground: arch and toe spring
    welt: float  # how far the sole stands out
    collar: tuple[Vector, ...]  # the part around the ankle, none where the foot is bare
    topline: tuple[Vector, ...]  # (forwards, up): where the upper ends, from the heel to the front
    wall: float = 0.006  # thickness of the collar
    depth: float = 0.010  # how deep one sees into the shoe
    eyelets: tuple[
        Vector, ...
    ] = ()  # rows from the top: a place within (forwards, up), angle of the way out
    tongue: tuple[Vector, ...] = ()  # root and top of the tongue (forwards, up)
    cap: float = 0.0  # place forwards of the seam across the toes, 0 for none
    grooves: tuple[float, ...] = ()  # heights of the furrows around the sole
    grain: str = "leather"
    trim: tuple[str, ...] = ()  # panels of the second colour


_LOW_COLLAR = (
    (0.004, 0.0, -0.002, 0.0260, 0.040, 0.0460, 2.0),
    (0.020, 0.0, -0.002, 0.0285, 0.042, 0.0490, 2.0),
    (0.045, 0.0, -0.003, 0.0340, 0.045, 0.0510, 2.0),
    (0.065, 0.0, -0.004, 0.0405, 0.049, 0.0500, 2.0),
    (0.080, 0.0, -0.005, 0.0440, 0.050, 0.0495, 2.0),
    (0.100, 0.0, -0.005, 0.0445, 0.050, 0.0500, 2.0),
    (0.125, 0.0, -0.005, 0.0440, 0.050, 0.0500, 2.0),
)
_SHAFT = (
    *_LOW_COLLAR[:3],
    (0.070, 0.0, -0.004, 0.0425, 0.052, 0.0510, 2.0),
    (0.100, 0.0, -0.005, 0.0455, 0.051, 0.0500, 2.0),
    (0.140, 0.0, -0.007, 0.0470, 0.052, 0.0520, 2.0),
    (0.180, 0.0, -0.010, 0.0505, 0.055, 0.0560, 2.0),
    (0.225, 0.0, -0.013, 0.0540, 0.058, 0.0600, 2.0),
)


def _from_below(*places: float) -> tuple[Vector, ...]:
    """Rows of eyelets on the instep, met by going straight up."""
    return tuple((f, 0.0, 0.0) for f in places)


STYLES: dict[str, Style] = {
    "sneaker": Style(
        outline=_ROUND_TOE,
        ridge=((-0.07, -0.03, 0.0, 0.03, 0.05, 0.07, 0.10, 0.13, 0.16, 0.185, 0.205, 0.22),
               (0.052, 0.062, 0.080, 0.0865, 0.0825, 0.075, 0.064, 0.0555, 0.0495, 0.045, 0.037, 0.028)),
        fall=6.0,
        rounding=0.034,
        sole=0.022,
        edge=((-0.07, -0.03, 0.03, 0.09, 0.16, 0.22), (0.013, 0.010, 0.005, 0.004, 0.007, 0.015)),
        underside=((-0.07, -0.045, 0.13, 0.18, 0.22), (0.004, 0.0, 0.0, 0.003, 0.012)),
        welt=0.0030,
        collar=_LOW_COLLAR,
        topline=((-0.09, 0.088), (-0.057, 0.087), (-0.040, 0.076), (-0.014, 0.068), (0.012, 0.074),
                 (0.035, 0.089), (0.048, 0.093), (0.070, 0.094)),
        wall=0.0075,
        eyelets=_from_below(0.056, 0.072, 0.088, 0.104, 0.120),
        tongue=((0.050, 0.070), (0.029, 0.113)),
        grooves=(-0.0080, -0.0150),
        grain="canvas",
        trim=("toe", "heel", "stripe", "lacing"),
    ),
    "leather": Style(
        outline=_NEAT_TOE,
        ridge=((-0.07, -0.03, 0.0, 0.03, 0.05, 0.07, 0.10, 0.13, 0.16, 0.19, 0.215, 0.235),
               (0.048, 0.058, 0.074, 0.0810, 0.0765, 0.069, 0.0575, 0.049, 0.0425, 0.0375, 0.030, 0.022)),
        fall=6.0,
        rounding=0.034,
        sole=0.018,
        edge=((-0.07, 0.24), (-0.003, -0.003)),
        underside=((-0.07, -0.05, 0.007, 0.0140, 0.05, 0.10, 0.15, 0.23),
                   (0.0, 0.0, 0.0, 0.0100, 0.0095, 0.0, 0.0, 0.008)),
        welt=0.0042,
        collar=_LOW_COLLAR,
        topline=((-0.09, 0.076), (-0.056, 0.075), (-0.035, 0.063), (-0.012, 0.057), (0.012, 0.064),
                 (0.035, 0.081), (0.048, 0.086), (0.070, 0.088)),
        wall=0.0050,
        eyelets=_from_below(0.058, 0.072, 0.086, 0.100),
        tongue=((0.050, 0.066), (0.033, 0.102)),
        cap=0.165,
        trim=("lacing",),
    ),
    "boot": Style(
        outline=_ROUND_TOE,
        ridge=((-0.07, -0.03, 0.0, 0.03, 0.05, 0.07, 0.10, 0.13, 0.16, 0.185, 0.205, 0.22),
               (0.052, 0.062, 0.080, 0.0900, 0.0860, 0.077, 0.065, 0.055, 0.048, 0.043, 0.036, 0.028)),
        fall=6.0,
        rounding=0.034,
        sole=0.024,
        edge=((-0.07, 0.24), (-0.001, -0.001)),
        underside=((-0.07, -0.05, 0.004, 0.0210, 0.05, 0.085, 0.15, 0.22),
                   (0.0, 0.0, 0.0, 0.0105, 0.0095, 0.0, 0.0, 0.010)),
        welt=0.0045,
        collar=_SHAFT,
        topline=((-0.09, 0.218), (-0.060, 0.217), (0.0, 0.210), (0.050, 0.216), (0.075, 0.218)),
        depth=0.014,
        eyelets=((0.0, 0.196, 1.571), (0.0, 0.176, 1.571), (0.0, 0.156, 1.571), (0.0, 0.136, 1.571),
                 (0.0, 0.116, 1.50), (0.010, 0.080, 1.05), (0.020, 0.060, 0.75),
                 *_from_below(0.088, 0.106)),
        grooves=(-0.0085,),
        trim=("heel", "lacing"),
    ),
    "ballerina": Style(
        outline=_CLOSE_TOE,
        ridge=((-0.07, -0.03, 0.0, 0.05, 0.10, 0.13, 0.15, 0.17, 0.19, 0.205, 0.22),
               (0.073, 0.078, 0.076, 0.070, 0.053, 0.0445, 0.0400, 0.0365, 0.0335, 0.0295, 0.023)),
        fall=2.5,
        rounding=0.017,
        sole=0.010,
        edge=((-0.07, 0.24), (-0.002, -0.002)),
        underside=((-0.07, 0.000, 0.004, 0.05, 0.09, 0.15, 0.22),
                   (0.0, 0.0, 0.0038, 0.0035, 0.0, 0.0, 0.005)),
        welt=0.0010,
        collar=(),
        topline=((-0.09, 0.060), (-0.054, 0.059), (-0.030, 0.046), (0.010, 0.037), (0.060, 0.032),
                 (0.110, 0.029), (0.138, 0.031), (0.150, 0.040), (0.157, 0.060)),
        depth=0.0,
        trim=("rim",),
    ),
}  # fmt: skip


def style_of(name: str) -> Style:
    """The numbers of a style, or the list of styles there are."""
    if name not in STYLES:
        raise ConfigError(f"unknown shoe {name!r}; choose one of {', '.join(STYLES)}")
    return STYLES[name]


@dataclass(frozen=True)
class Last:
    """A style's charts: sole and upper as slabs, the collar as a loft, the topline as distances."""

    style: Style
    sole: Slab
    upper: Slab
    collar: Loft | None
    topline: Chart  # over (forwards, up): negative below the line


@lru_cache(maxsize=8)
def last_of(name: str) -> Last:
    """The charts of a style, drawn once."""
    style = style_of(name)
    curve = closed_curve(style.outline)

    def ridge(u: F64, f: F64) -> F64:
        middle = profile(f, (0.0, 0.08, 0.15, 0.20), (-0.002, -0.010, -0.010, -0.006))
        return np.asarray(profile(f, *style.ridge) - style.fall * (u - middle) ** 2)

    def edge(u: F64, f: F64) -> F64:
        return np.asarray(profile(f, *style.edge) + 0 * u)

    def underside(u: F64, f: F64) -> F64:
        return np.asarray(np.interp(f, *style.underside) - style.sole + 0 * u)

    def inside(u: F64, f: F64) -> F64:
        return np.full_like(u, -0.005) + 0 * f

    wider = curve + style.welt * outward(curve)
    return Last(
        style,
        Slab.draw(wider, edge, underside, 0.0030, 0.0030),
        Slab.draw(curve, ridge, inside, style.rounding, 0.004),
        Loft(style.collar) if style.collar else None,
        under_line(np.array(style.topline)),
    )
