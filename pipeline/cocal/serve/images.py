"""Images on the map: tiles of a date or of the period's median, and the dates of a place as a strip.

Pixels come from the archive's own reader, which merges the scenes of a day as the run does and compares every
file with its manifest; a tile shows the nearest pixel. On a scene of 10,980 px that takes a third of the time
of a warp by GDAL, whose rasters would need overviews (docs/serve.md).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.archive import Scene, read_scenes
from cocal.code import code_of
from cocal.contracts import BANDS, Period
from cocal.features import INDICES
from cocal.grid import Window, transformer, utm_zones, windows_bounds
from cocal.run.images import COMBINATIONS, RunImages, Shown, as_reflectance, chips, marked, median_bands, webp
from cocal.serve.kept import Kept
from cocal.serve.rasters import TILE_PX, Square
from cocal.store import address

MEDIAN = "median"
LEAST_ZOOM, LEAST_MEDIAN_ZOOM = 12, 13
"""Below, one tile would read a whole scene; the median reads all dates."""

STRIP_PX = 65
"""Side of a date's picture in a strip; the pixel in the middle is the place's."""

_BLOCK_M = 3840
"""Side of what the median is made of at once: the tiles of the archive's rasters."""

_KNOTS = 17
"""Points along a tile's side that are projected; between them places are interpolated."""


@dataclass(frozen=True)
class Picture:
    """What a tile shows: `shown` on a day, or the median of the period's clear dates."""

    period: Period
    day: date | None
    shown: Shown


class ImageTiles:
    """The images of one run, with a spatial index; `blocks` keeps medians for several runs."""

    def __init__(self, images: RunImages, blocks: Kept[NDArray[np.uint16]]) -> None:
        self.images = images
        self._blocks = blocks
        self._outlines = [outline for _, outline in windows_bounds(s.window for s in images.scenes)]

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._outlines)

    @cached_property
    def _made_by(self) -> str:
        return code_of(ImageTiles.tile, ImageTiles.strip)

    def facts(self, periods: Sequence[Period]) -> dict[str, Any]:
        """What can be shown: bands, combinations and indices of these with their legends, dates by period."""
        bands, found = self.images.bands, []
        wanted = COMBINATIONS | {name: index.bands for name, index in INDICES.items()}
        for name, needed in wanted.items():
            if {*needed} <= bands:
                shown = Shown(name, needed, name if name in INDICES else None)
                found.append({"id": name, "bands": needed, "legend": shown.legend})
        days = sorted({s.day for s in self.images.scenes})
        dates = {p.name: [str(d) for d in days if p.start <= d <= p.end] for p in periods}
        ordered = [b for b in BANDS if b in bands]
        zooms = [LEAST_ZOOM, LEAST_MEDIAN_ZOOM]
        return {"pictures": found, "bands": ordered, "dates": dates, "zooms": zooms}

    def near(self, outline: shapely.Geometry, picture: Picture) -> list[Scene]:
        """The scenes of a picture that touch an outline (degrees)."""
        start, end = picture.day or picture.period.start, picture.day or picture.period.end
        found = np.sort(self._tree.query(outline, predicate="intersects")).tolist()
        return [s for s in (self.images.scenes[i] for i in found) if start <= s.day <= end]

    def around(self, pixel: Window, picture: Picture) -> list[Scene]:
        """The scenes of a picture that a strip of a pixel is made of."""
        reach = STRIP_PX // 2 + self.images.mask.dilate_px
        return self._within(pixel.expanded(reach), picture)

    def _within(self, window: Window, picture: Picture) -> list[Scene]:
        ((_, outline),) = windows_bounds([window])
        return [s for s in self.near(outline, picture) if s.window.epsg == window.epsg]

    def address(self, scenes: Sequence[Scene], picture: Picture, place: Sequence[Any]) -> str:
        """The SHA-256 of all that a tile or a strip depends on."""
        mask = self.images.mask.model_dump(mode="json")
        what = [picture.shown.name, str(picture.day), mask, list(place)]
        return address([self._made_by, what, [s.digest for s in scenes]])

    def tile(self, scenes: Sequence[Scene], picture: Picture, square: Square) -> bytes:
        """A WebP of `square`; transparent where there is no data."""
        pixels = np.zeros((TILE_PX, TILE_PX, 4), dtype=np.uint8)
        for epsg, columns in owners(square, {s.window.epsg for s in scenes}).items():
            x, y = (v[:, columns] for v in places(square, epsg))
            own = [s for s in scenes if s.window.epsg == epsg]
            window = _around(epsg, x, y)
            planes = self._planes(own, picture, window)
            row, column, _ = window.locate(x, y)
            bands = {name: plane[row, column] for name, plane in planes.items()}
            there = np.logical_and.reduce([band > 0 for band in bands.values()])
            pixels[:, columns, :3] = np.where(
                there[..., None], picture.shown.colours(as_reflectance(bands)), 0
            )
            pixels[:, columns, 3] = 255 * there
        return webp(pixels)

    def _planes(
        self, scenes: Sequence[Scene], picture: Picture, window: Window
    ) -> Mapping[str, NDArray[np.uint16]]:
        """(y, x) reflectance x 10000 of each band on `window`, 0 = no data."""
        names = [*dict.fromkeys(picture.shown.bands)]
        if picture.day is not None:
            cube = read_scenes(scenes, window, names)
            return {name: cube[name].values[0] for name in names}
        whole = window.snapped(_BLOCK_M)
        out = np.zeros((len(names), *whole.shape), dtype=np.uint16)
        for block in _blocks_of(whole):
            rows, columns = whole.slices_of(block)
            out[:, rows, columns] = self._median(picture, block)
        rows, columns = whole.slices_of(window)
        return dict(zip(names, out[:, rows, columns], strict=True))

    def _median(self, picture: Picture, block: Window) -> NDArray[np.uint16]:
        """(band, y, x) median of the clear dates x 10000, 0 = never clear."""
        near = self._within(block.expanded(self.images.mask.dilate_px), picture)

        def make() -> NDArray[np.uint16]:
            found = median_bands(near, block, picture.shown, self.images.mask)
            planes = np.stack([found[name] for name in dict.fromkeys(picture.shown.bands)])
            return np.rint(np.nan_to_num(planes) * 10_000).astype(np.uint16)

        place = [block.epsg, block.left, block.top, block.width]
        return self._blocks.get(self.address(near, picture, place), make)

    def strip(self, scenes: Sequence[Scene], picture: Picture, pixel: Window) -> bytes:
        """JSON of the dates around a pixel: day, share of cloud, share with data; and their pictures in one,
        side by side, the pixel framed.
        """
        window = pixel.expanded(STRIP_PX // 2)
        found = chips(scenes, window, picture.shown, self.images.mask)
        row = [marked(pixels) for pixels in found.pixels]
        image = webp(np.concatenate(row, axis=1)) if row else b""
        days = [
            {"day": str(day), "cloud": None if np.isnan(cloud) else round(float(cloud), 3),
             "seen": round(float(seen), 3)}
            for day, cloud, seen in zip(found.days, found.cloud, found.seen, strict=True)
        ]  # fmt: skip
        uri = "data:image/webp;base64," + base64.b64encode(image).decode()
        return json.dumps({"side": STRIP_PX, "days": days, "image": uri}).encode()


def owners(square: Square, zones: set[int]) -> dict[int, NDArray[np.intp]]:
    """EPSG code -> the columns of a tile whose zone it is, of the zones that have images."""
    longitude, latitude = square.degrees()
    zone = utm_zones(longitude, latitude.mean())
    found = {epsg: np.flatnonzero(zone == epsg) for epsg in sorted(zones)}
    return {epsg: columns for epsg, columns in found.items() if columns.size}


def places(square: Square, epsg: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(y, x) metres in a zone of the pixels' centres of a tile.

    Projected at `_KNOTS` x `_KNOTS` places, linear between them: at zoom 12 and above less than 1 m off.
    """
    west, south, east, north = square.metres
    along = np.linspace(0, 1, _KNOTS)
    x, y = np.meshgrid(west + (east - west) * along, north - (north - south) * along)
    knots = np.stack(transformer(3857, epsg).transform(x, y))
    at = (np.arange(TILE_PX) + 0.5) / TILE_PX * (_KNOTS - 1)
    low = at.astype(int)
    share = at - low
    down = knots[:, low] * (1 - share)[:, None] + knots[:, low + 1] * share[:, None]
    found = down[..., low] * (1 - share) + down[..., low + 1] * share
    return found[0], found[1]


def _around(epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> Window:
    """The window of 10 m pixels, on multiples of 60 m, that holds all places."""
    side = 60
    west, north = int(x.min() // side * side), int(-(-y.max() // side) * side)
    east, south = int(x.max() // side * side) + side, int(y.min() // side * side) - side
    return Window.from_bounds(epsg, (west, south, east, north), 10)


def _blocks_of(whole: Window) -> list[Window]:
    px = _BLOCK_M // whole.resolution
    return [
        Window(whole.epsg, whole.left + j * _BLOCK_M, whole.top - i * _BLOCK_M, px, px, whole.resolution)
        for i in range(whole.height // px)
        for j in range(whole.width // px)
    ]
