"""Handlers that need no run: a place that was written, and what was measured on the map."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cocal.grid import geodesic_hectares
from cocal.serve.places import MOST_CORNERS, drawn_polygon, measured, place_facts, read_place


def find_place(request: Request) -> Response:
    """The place that `q` states, or that `lng` and `lat` name, in degrees and UTM; null where `q` is none."""
    text = request.query_params.get("q")
    if text is None:
        place = degrees(request, "lng", 180.0), degrees(request, "lat", 85.0)
        return JSONResponse(place_facts(*place))
    found = read_place(text)
    return JSONResponse(found and place_facts(*found))


def measure(request: Request) -> Response:
    """Length, perimeter and area of the corners `at`."""
    return JSONResponse(measured(_corners(request)))


def asked_polygon(request: Request, most_ha: float) -> shapely.Polygon:
    """The polygon in degrees with the corners `at`; 400 where it cannot be counted."""
    corners = _corners(request)
    polygon = drawn_polygon(corners) if len(corners) >= 3 else None
    if polygon is None:
        raise HTTPException(400, "at: three corners or more, sides that do not cross")
    if geodesic_hectares(polygon) > most_ha:
        raise HTTPException(400, f"at: at most {most_ha:g} ha")
    return polygon


def degrees(request: Request, name: str, most: float) -> float:
    """The number of degrees that the request states under a name; 400 beyond `most`."""
    try:
        value = float(request.query_params[name])
    except (KeyError, ValueError) as err:
        raise HTTPException(400, f"{name}: a number of degrees") from err
    if not math.isfinite(value) or abs(value) > most:
        raise HTTPException(400, f"{name}: -{most:g} to {most:g} degrees")
    return value


def _corners(request: Request) -> NDArray[np.float64]:
    """(n, 2) longitude, latitude: the numbers of `at`, one after the other."""
    try:
        flat = np.array([float(v) for v in request.query_params["at"].split(",")])
        corners = flat.reshape(-1, 2)
    except (KeyError, ValueError) as err:
        raise HTTPException(400, "at: longitude,latitude,longitude,latitude,...") from err
    if len(corners) > MOST_CORNERS:
        raise HTTPException(400, f"at: at most {MOST_CORNERS} corners")
    if not (np.abs(corners) <= [180, 85]).all():
        raise HTTPException(400, "at: degrees")
    return corners
