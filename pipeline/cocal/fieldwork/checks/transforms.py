"""Faults of positions, each undone: pairs as they stand -> pairs as they were measured.

All are for x and y in the CRS of the file, x before y: longitude and latitude, or easting and northing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

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
    """Undoes one fault, or several in turn; `text` does so in the cells as written, where possible."""

    rules: tuple[str, ...]
    name: str
    apply: Callable[[Array, Array], Pair]
    text: Callable[[str, str], Texts] | None = None
    slack_m: float = 0.0

    def then(self, other: Transform) -> Transform:
        """Return the transform that applies this one first, then the other."""
        texts = self.text is not None and other.text is not None
        return Transform(
            self.rules + other.rules,
            f"{self.name}, then {other.name}",
            partial(_chained, self.apply, other.apply),
            partial(_chained, self.text, other.text) if texts else None,
            self.slack_m + other.slack_m,
        )


def _chained(first: Any, second: Any, x: object, y: object) -> Any:
    return second(*first(x, y))


def _swap(x: Array, y: Array) -> Pair:
    return y, x


def _negate(which: str, x: Array, y: Array) -> Pair:
    return (-x if "x" in which else x), (-y if "y" in which else y)


def toggled(text: str) -> str:
    """Return a number as text with the other sign."""
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
    """Project from `source` to `target`, take those numbers as `again`, project from there to `back`."""
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
    """Return the same metres in other zones than the assumed one, the `home` zone (1 to 60, south)."""
    here = crs.to_wkt()
    if not crs.is_geographic:
        others = [z for z in _ZONES if CRS(f"EPSG:{32700 + z}") != CRS(here)]
        return tuple(_metres_of("wrong_zone", here, z, f"read the metres in zone {z}S") for z in others)
    true, found = f"EPSG:{32700 + home}", []
    for code, zone in ((32700, home - 1), (32700, home + 1), (32600, home)):
        words = f"metres are of zone {home}S, not {zone}{'S' if code == 32700 else 'N'}"
        change = partial(_through, here, f"EPSG:{code + zone}", true, here)
        found.append(Transform(("wrong_zone",), words, change))
    return tuple(found)


def metres_for_degrees(crs: CRS) -> tuple[Transform, ...]:
    """Return the readings of UTM metres that stand in columns of degrees."""
    here = crs.to_wkt()
    return tuple(_metres_of("utm_as_degrees", here, z, f"read the metres in UTM zone {z}S") for z in _ZONES)


def _metres_of(rule: str, here: str, zone: int, name: str) -> Transform:
    return Transform((rule,), name, partial(_through, here, here, f"EPSG:{32700 + zone}", here))


def datums(crs: CRS, home: int) -> tuple[Transform, ...]:
    """Return the published shifts of PSAD56 that was taken for WGS 84, of degrees and of metres."""
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
    """Return (transforms of one fault, of two) that may have moved a position out of the area."""
    others = zones(crs, home)
    if crs.is_projected:
        return (SWAP, *others), tuple(SWAP.then(z) for z in others)
    metres = metres_for_degrees(crs)
    double = [SWAP.then(t) for t in (*SIGNS, *MINUTES, *metres)]
    double += [sign.then(t) for sign in SIGNS for t in (*MINUTES, *others)]
    return (SWAP, *SIGNS, *MINUTES, *others, *metres), tuple(double)
