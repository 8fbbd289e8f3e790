"""Ways in which positions go wrong, each undone: pairs as they stand -> pairs as they were measured.

All are for x and y in the CRS of the file, x before y: longitude and latitude, or easting and northing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from cocal.grid import transformer

Array = NDArray[np.float64]
Pair = tuple[Array, Array]
Texts = tuple[str, str]

PSAD56 = {
    "Peru, EPSG:1208, 16 m": (-279, 175, -379),
    "Bolivia, EPSG:1202, 19 m": (-270, 188, -388),
}
"""Shifts of PSAD56 (International 1924) to WGS 84, m, with their stated accuracy. EPSG registry, from NGA
TR8350.2. All of them, applied to degrees or to UTM metres, lie within 30 m of each other at the border."""

_ZONES = (17, 18, 19, 20, 21)
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Transform:
    """Undoes one fault, or several at once. `text` does it to the cells as written, where that is possible."""

    rules: tuple[str, ...]
    name: str
    apply: Callable[[Array, Array], Pair]
    text: Callable[[str, str], Texts] | None = None
    slack_m: float = 0.0

    def then(self, other: Transform) -> Transform:
        """First this, then the other."""
        first, second = self.text, other.text
        text = None
        if first is not None and second is not None:
            text = partial(_chained, first, second)
        return Transform(
            self.rules + other.rules,
            f"{self.name}, then {other.name}",
            partial(_chained, self.apply, other.apply),
            text,
            self.slack_m + other.slack_m,
        )


def _chained(first: Callable[..., tuple], second: Callable[..., tuple], x: object, y: object) -> tuple:  # type: ignore[type-arg]
    return second(*first(x, y))


def _swap(x: Array, y: Array) -> Pair:
    return y, x


def _negate(which: str, x: Array, y: Array) -> Pair:
    return (-x if "x" in which else x), (-y if "y" in which else y)


def toggled(text: str) -> str:
    """A number as text with the other sign."""
    text = text.strip()
    return text[1:] if text.startswith("-") else "-" + text.removeprefix("+")


def _negate_text(which: str, x: str, y: str) -> Texts:
    return (toggled(x) if "x" in which else x), (toggled(y) if "y" in which else y)


def sixtieths(value: Array) -> Array:
    """Degrees.minutes (14.12345 for 14 degrees 12.345') as degrees; NaN where the minutes reach 60."""
    degrees = np.trunc(value)
    minutes = 100 * np.abs(value - degrees)
    return np.where(minutes < 60 + _ROUNDING, degrees + np.copysign(minutes / 60, value), np.nan)


def hundreds(value: Array) -> Array:
    """Degrees x 100 + minutes (1412.345, as NMEA writes it) as degrees; NaN where the minutes reach 60."""
    degrees = np.trunc(value / 100)
    minutes = np.abs(value) - 100 * np.abs(degrees)
    return np.where(minutes < 60 + _ROUNDING, degrees + np.copysign(minutes / 60, value), np.nan)


def _both(change: Callable[[Array], Array], x: Array, y: Array) -> Pair:
    return change(x), change(y)


def _through(source: str, target: str, again: str, back: str, x: Array, y: Array) -> Pair:
    """From `source` to `target`; those numbers taken as `again`; from there to `back`."""
    x, y = transformer(source, target).transform(x, y, errcheck=False)
    x, y = transformer(again, back).transform(x, y, errcheck=False)
    return np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)


def _psad(shift: tuple[int, int, int], zone: int | None) -> str:
    east, north, up = shift
    system = "+proj=longlat" if zone is None else f"+proj=utm +zone={zone} +south +units=m"
    return f"{system} +ellps=intl +towgs84={east},{north},{up} +no_defs"


SWAP = Transform(("swapped",), "exchange the two coordinates", _swap, _swap)  # type: ignore[arg-type]
SIGNS = tuple(
    Transform(("sign_lost",), f"give {words} the other sign", partial(_negate, w), partial(_negate_text, w))
    for w, words in (("x", "the longitude"), ("y", "the latitude"), ("xy", "both coordinates"))
)
MINUTES = (
    Transform(("degrees_minutes",), "read dd.mmmm as degrees and minutes", partial(_both, sixtieths)),
    Transform(("degrees_minutes",), "read ddmm.mmm as degrees and minutes", partial(_both, hundreds)),
)


def zones(crs: CRS, home: int) -> tuple[Transform, ...]:
    """The same metres in another zone than the one that was assumed, the `home` zone (1 to 60, south)."""
    here, found = crs.to_wkt(), []
    assumed = f"EPSG:{32700 + home}" if crs.is_geographic else here
    others = [n for n in (f"EPSG:{32700 + z}" for z in _ZONES) if CRS(n) != CRS(assumed)]
    if crs.is_geographic:
        north = f"EPSG:{32600 + home}"
        for zone in (home - 1, home + 1):
            found.append(_zone(f"EPSG:{32700 + zone}", assumed, here, f"zone {home}S, not {zone}S"))
        found.append(_zone(north, assumed, here, f"zone {home}S, not {home}N"))
    else:
        for other in others:
            change = partial(_through, here, here, other, here)
            found.append(Transform(("wrong_zone",), f"read the metres in zone {other[-2:]}S", change))
    return tuple(found)


def _zone(assumed: str, true: str, here: str, words: str) -> Transform:
    return Transform(("wrong_zone",), f"metres are of {words}", partial(_through, here, assumed, true, here))


def metres_for_degrees(crs: CRS) -> tuple[Transform, ...]:
    """UTM metres that stand in columns of degrees."""
    here = crs.to_wkt()
    return tuple(
        Transform(
            ("utm_as_degrees",),
            f"read the metres in UTM zone {zone}S",
            partial(_through, here, here, f"EPSG:{32700 + zone}", here),
        )
        for zone in _ZONES
    )


def datums(crs: CRS, home: int) -> tuple[Transform, ...]:
    """PSAD56 that was taken for WGS 84: degrees as they were read, or metres, by each published shift."""
    here, found = crs.to_wkt(), []
    metres = f"EPSG:{32700 + home}"
    for place, shift in PSAD56.items():
        name = f"shift PSAD56 to WGS 84 ({place})"
        if crs.is_geographic:
            change = partial(_through, here, here, _psad(shift, None), here)
            found.append(Transform(("datum",), f"{name}, degrees", change, None, 20.0))
        change = partial(_through, here, metres, _psad(shift, home), here)
        found.append(Transform(("datum",), f"{name}, UTM metres", change, None, 20.0))
    return tuple(found)


def candidates(crs: CRS, home: int) -> tuple[tuple[Transform, ...], ...]:
    """(transforms of one fault, transforms of two): what may have happened to a position outside the area."""
    if crs.is_projected:
        single = (SWAP, *zones(crs, home))
        return single, tuple(SWAP.then(z) for z in zones(crs, home))
    single = (SWAP, *SIGNS, *MINUTES, *zones(crs, home), *metres_for_degrees(crs))
    double = [SWAP.then(t) for t in (*SIGNS, *MINUTES, *metres_for_degrees(crs))]
    double += [sign.then(t) for sign in SIGNS for t in (*MINUTES, *zones(crs, home))]
    return single, tuple(double)
