"""Places as people write them, in degrees or UTM (WGS 84); lengths and areas on the ellipsoid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from cocal.grid import geodesic_hectares, project, transformer, utm_epsg

MOST_CORNERS = 200
_LONGEST_TEXT = 80
_STEP_M, _MOST_STEPS = 100.0, 20_000
"""Sides are cut to this length in the plane of the map: what is measured is what was drawn, to 1 mm; those of
a polygon of more than 2,000 km to a part of it.
"""

_GEOD = Geod(ellps="WGS84")
_NUMBER = r"[-+\N{MINUS SIGN}]?\d{1,3}(?:[.,]\d+)?"
_PART = r"\d{1,2}(?:[.,]\d+)?"
_ANGLE = rf"({_NUMBER})\s*°?\s*(?:({_PART})\s*['′’]\s*(?:({_PART})\s*[\"″”]\s*)?)?([NSEWO])?"
_DEGREES = re.compile(rf"{_ANGLE}\s*[,;\s]\s*{_ANGLE}", re.ASCII)
_UTM = re.compile(
    r"(?:(?:EPSG:)?(32[67]\d\d)|(\d{1,2})\s*([C-HJ-NP-X]))[\s,;]+(\d{6}(?:[.,]\d+)?)\s*(?:ME|E)?[\s,;]+"
    r"(\d{1,8}(?:[.,]\d+)?)\s*(?:MN|N)?",
    re.ASCII,
)


def read_place(text: str) -> tuple[float, float] | None:
    """Longitude and latitude that a text states; None where it states no place.

    Degrees: latitude first, or with letters in any order; decimals with point or comma; minutes and seconds.
    UTM: zone, letter, easting, northing, or the EPSG code in place of zone and letter. N and S after the zone
    mean the hemisphere, other letters the band of latitude (of MGRS). O is west, as in Spanish.

    Examples
    --------
    >>> read_place("-12.5, -72.25"), read_place("72°15'O 12°30'S")
    ((-72.25, -12.5), (-72.25, -12.5))
    >>> [round(v, 6) for v in read_place("19S 500000 10000000")]
    [-69.0, 0.0]
    >>> read_place("Chirimayuq") is None, read_place("95, 10") is None
    (True, True)
    """
    text = text.strip().upper()
    if len(text) > _LONGEST_TEXT:
        return None
    if found := _UTM.fullmatch(text):
        return _from_utm(*found.groups())
    if found := _DEGREES.fullmatch(text):
        return _from_degrees(found.groups())
    return None


def _from_utm(code: str | None, zone: str, letter: str, east: str, north: str) -> tuple[float, float] | None:
    epsg = int(code) if code else (32700 if letter == "S" or letter < "N" else 32600) + int(zone)
    x, y = _value(east), _value(north)
    if not 1 <= epsg % 100 <= 60 or y > 10_000_000:
        return None
    longitude, latitude = transformer(epsg, 4326).transform(x, y)
    return float(longitude), float(latitude)


def _from_degrees(parts: Sequence[str | None]) -> tuple[float, float] | None:
    values, letters = [], [parts[3] or "", parts[7] or ""]
    for number, minutes, seconds, letter in (parts[:4], parts[4:]):
        size = abs(_value(number or "")) + _value(minutes or "0") / 60 + _value(seconds or "0") / 3600
        below = str(number).startswith(("-", "\N{MINUS SIGN}"))
        if letter and below:
            return None
        values.append(-size if below or (letter or "N") in "SWO" else size)
    if letters[0] and letters[0] in "EWO":
        values, letters = values[::-1], letters[::-1]
    if bool(letters[0]) != bool(letters[1]) or (
        letters[0] and (letters[0] not in "NS" or letters[1] in "NS")
    ):
        return None
    latitude, longitude = values
    return (longitude, latitude) if abs(latitude) <= 85 and abs(longitude) <= 180 else None


def _value(text: str) -> float:
    return float(text.replace(",", ".").replace("\N{MINUS SIGN}", "-"))


def place_facts(longitude: float, latitude: float) -> dict[str, Any]:
    """A place in degrees and in UTM, as text that `read_place` reads; the letter is the hemisphere.

    Examples
    --------
    >>> facts = place_facts(-69.0, -12.5)
    >>> facts["degrees"], facts["utm"], facts["epsg"]
    ('-12.500000, -69.000000', '19S 500000.0 8618156.3', 32719)
    """
    epsg = utm_epsg(longitude, latitude)
    x, y = transformer(4326, epsg).transform(longitude, latitude)
    return {
        "lng": longitude,
        "lat": latitude,
        "degrees": f"{latitude:.6f}, {longitude:.6f}",
        "utm": f"{epsg % 100}{'S' if epsg >= 32700 else 'N'} {x:.1f} {y:.1f}",
        "epsg": epsg,
    }


def drawn_polygon(corners: NDArray[np.float64]) -> shapely.Polygon | None:
    """The polygon in degrees whose sides are straight on the map (Mercator), as they were drawn.

    None where sides cross or touch, or the corners span no area.

    Parameters
    ----------
    corners : (n, 2) longitude, latitude; n >= 3.
    """
    drawn = project(shapely.Polygon(corners), 4326, 3857)
    if not drawn.is_valid:
        return None
    cut = shapely.segmentize(drawn, max(_STEP_M, drawn.length / _MOST_STEPS))
    return shapely.Polygon(shapely.get_coordinates(project(cut, 3857, 4326)))


def measured(corners: NDArray[np.float64]) -> dict[str, Any]:
    """Length of a line and, of three corners or more, perimeter and area of the closed polygon.

    The line runs along geodesics of WGS 84 (Karney 2013, doi:10.1007/s00190-012-0578-z). The sides of the
    polygon are straight on the map. Perimeter and area are None where the sides cross.

    Parameters
    ----------
    corners : (n, 2) longitude, latitude.

    Examples
    --------
    A degree along the equator is a 360th of its length, 2 pi 6378137 m:

    >>> measured(np.array([[-72, 0], [-71, 0]]))
    {'length_m': 111319.4908, 'perimeter_m': None, 'area_ha': None}
    """
    longitude, latitude = corners.T
    length = round(float(_GEOD.line_length(longitude, latitude)), 4)
    polygon = drawn_polygon(corners) if len(corners) >= 3 else None
    return {
        "length_m": length,
        "perimeter_m": polygon and round(float(_GEOD.geometry_length(polygon.exterior)), 4),
        "area_ha": polygon and round(geodesic_hectares(polygon), 6),
    }
