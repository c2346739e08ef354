"""How bright a light comes out: the same on a white body, whatever the light.

A body is a fixed set of normals, so the answer comes from the light alone and nothing need be drawn.
Refuses to know presets.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pipeline.geometry.lighting import irradiance
from pipeline.records import F64, Light

MEDIAN = 0.6  # luminance of half of a white body's visible surface, linear; 203 of 255 in sRGB
CEILING = 0.99  # what no surface reaches in any channel: white would clip at 1
LEEWAY = 0.07  # how far the median may go when the body turns by LEAN, as a share of it
LEAN = 10.0  # degrees: nobody stands as evenly as the body here
BODY_OPENNESS = 0.89  # how much of the room half of a person's visible surface sees more of
FLOOR = 0.1  # what every surface is given: no side of a body is black
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue, as in sRGB
# What a camera sees of people, from all round: heights and sideways parts of normals, each as likely as
# the next. Medians of eight and twelve equal parts of the pixels of four synthetic people from six sides.
_HEIGHTS = (-0.402, -0.174, -0.076, 0.004, 0.086, 0.178, 0.315, 0.567)
_SIDEWAYS = (0.064, 0.199, 0.347, 0.511, 0.695, 0.892)
_TILT = 0.7  # of the pitch is how far what is seen tilts, as other parts come into view; measured likewise
_SPHERE = 600
_DIGITS = 6
_FAINT = 1e-9


@cache
def body_normals(turn: float = 0.0, pitch: float = 0.0) -> F64:
    """What a camera in front sees of a person turned by these degrees: unit normals (96, 3), all alike."""
    across = np.array([-s for s in reversed(_SIDEWAYS)] + list(_SIDEWAYS))
    y, s = (grid.ravel() for grid in np.meshgrid(_HEIGHTS, across, indexing="ij"))
    level, around = np.sqrt(1 - y * y), np.arcsin(s) + np.radians(turn)
    x, z = level * np.sin(around), level * np.cos(around)
    tilt = _TILT * np.radians(pitch)
    return np.stack([x, y * np.cos(tilt) - z * np.sin(tilt), y * np.sin(tilt) + z * np.cos(tilt)], axis=1)


def luminance(colors: F64) -> F64:
    """How bright linear RGB (N, 3) looks (N,)."""
    red, green, blue = colors.T
    return np.asarray(red * _LUMINANCE[0] + green * _LUMINANCE[1] + blue * _LUMINANCE[2])


def exposed(light: Light, openness: float = 1.0, pitch: float = 0.0) -> Light:
    """The light, as bright as all are: half of a white body brighter than MEDIAN, all of it below CEILING.

    Where a light has more contrast than fits between FLOOR and CEILING, or more from one side than LEEWAY
    lets pass, grey takes the place of some of it, and the median stays. `openness` is how much of the room
    half of the body sees more of; what is lost by that, the soft part of the light gets more. `pitch` is
    the view's, in degrees.
    """
    middle, *leaning = (_middle(light, openness, body_normals(turn, pitch)) for turn in (0.0, -LEAN, LEAN))
    everywhere = irradiance(light, np.concatenate([_sphere(), light.towards]))
    wanted = MEDIAN / openness
    scale = min(
        wanted / max(middle, _FAINT),
        (CEILING - wanted) / max(float(everywhere.max()) - middle, _FAINT),
        (wanted - FLOOR) / max(middle - float(everywhere.min()), _FAINT),
        *(LEEWAY * wanted / max(abs(other - middle), _FAINT) for other in leaning),
    )
    coefficients = light.coefficients * scale
    coefficients[0] += wanted - scale * middle
    return Light(_short(coefficients), _short(light.towards), _short(light.lamps * scale))


def _middle(light: Light, openness: float, body: F64) -> float:
    """The soft grey light that would make a white body's median luminance what it is."""
    return float(np.median(luminance(irradiance(light, body, openness)))) / openness


def _short(numbers: F64) -> F64:
    """Numbers that a float32 holds, without the last digits, which differ from machine to machine."""
    return np.round(numbers, _DIGITS).astype(np.float32).astype(np.float64)


@cache
def _sphere() -> F64:
    """Directions spread evenly over the sphere (_SPHERE, 3), along a spiral."""
    z = 1 - (2 * np.arange(_SPHERE) + 1) / _SPHERE
    around = np.arange(_SPHERE) * (np.pi * (3 - 5**0.5))
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(around), radius * np.sin(around), z], axis=1)
