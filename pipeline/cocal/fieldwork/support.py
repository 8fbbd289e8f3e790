"""The ground of a record, as pixels: one pixel, an error circle, a plot, a square of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.settings import MatchSettings
from cocal.grid import pixel_centres

_QUARTER_SEGMENTS = 16
"""Segments of a quarter circle: the polygon's area is 0.16 % below the circle's."""


@dataclass(frozen=True)
class Footprints:
    """Pixels under records: (k,) row of the record, pixel centre (m), and ground that they share, m2."""

    record: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shared_m2: NDArray[np.float64]


def footprints(
    shapes: NDArray[np.object_], accuracy_m: NDArray[np.float64], settings: MatchSettings, *, resolution: int
) -> Footprints:
    """Return every pixel of the absolute lattice under a record, with the ground that both share.

    Parameters
    ----------
    shapes : (n,) points or polygons in metres of one UTM zone.
    accuracy_m : (n,) radius of the error circle, m; NaN = `settings.unknown_accuracy_m`.
    settings : what the support is.
    resolution : pixel side, m.

    Raises
    ------
    InputError : the error circle is used and a record has no positional error, nor is one stated.
    """
    if settings.support == "plot":
        return _overlaps(shapes, resolution)
    if settings.positional_error == "majority":
        return _overlaps(_circles(shapes, accuracy_m, settings), resolution)
    half = 0 if settings.cluster_px is None else settings.cluster_px // 2
    steps = np.arange(-half, half + 1) * float(resolution)
    east, north = (a.ravel() for a in np.meshgrid(steps, steps))
    x, y = pixel_centres(shapely.get_x(shapes), shapely.get_y(shapes), resolution)
    return Footprints(
        np.repeat(np.arange(len(shapes)), east.size),
        np.add.outer(x, east).ravel(),
        np.add.outer(y, north).ravel(),
        np.full(len(shapes) * east.size, float(resolution**2)),
    )


def _circles(
    points: NDArray[np.object_], accuracy_m: NDArray[np.float64], settings: MatchSettings
) -> NDArray[np.object_]:
    unknown = np.isnan(accuracy_m)
    if unknown.any() and settings.unknown_accuracy_m is None:
        raise InputError(
            "records without a positional error have no error circle",
            "`positional_accuracy_m` of every record",
            f"{int(unknown.sum())} of {len(points)} records without it",
            "state `matching.unknown_accuracy_m:` for them, or `positional_error: ignore`",
        )
    radius = np.where(unknown, settings.unknown_accuracy_m or 0.0, accuracy_m)
    circles: NDArray[np.object_] = shapely.buffer(
        points, np.maximum(radius, 1e-3), quad_segs=_QUARTER_SEGMENTS
    )
    return circles


def _overlaps(shapes: NDArray[np.object_], resolution: int) -> Footprints:
    """Return the pixels that polygons share ground with."""
    low = np.floor(shapely.bounds(shapes)[:, :2] / resolution).astype(np.int64)
    high = np.ceil(shapely.bounds(shapes)[:, 2:] / resolution).astype(np.int64)
    wide, tall = (high - low).T
    pixels = wide * tall
    record = np.repeat(np.arange(len(shapes)), pixels)
    number = np.arange(len(record)) - np.repeat(np.cumsum(pixels) - pixels, pixels)
    column = low[record, 0] + number % wide[record]
    row = low[record, 1] + number // wide[record]
    west, south = column * float(resolution), row * float(resolution)
    cells = shapely.box(west, south, west + resolution, south + resolution)
    shared = shapely.area(shapely.intersection(cells, shapes[record]))
    touched = shared > 0
    middle = resolution / 2
    return Footprints(record[touched], west[touched] + middle, south[touched] + middle, shared[touched])
