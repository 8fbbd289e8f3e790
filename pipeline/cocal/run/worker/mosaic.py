"""What a worker reads of the ground: maps of several tiles on one window, across their edges; regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.content import Place, Ref
from cocal.grid import Tile, Window, owned_by_zone, transformer, windows_bounds
from cocal.regions import Regions, RegionSettings, read_regions


@dataclass(frozen=True)
class Source:
    """Regions as workers get them: how they are read, as JSON, and the sha256 of their content."""

    settings: Place[str]
    sha256: str

    @classmethod
    def of(cls, settings: RegionSettings, regions: Regions) -> Source:
        return cls(Place(settings.model_dump_json()), regions.sha256)


Maps = tuple[tuple[Tile, Ref], ...]
"""Tiles and their maps; all of a map that failed is unobserved."""


def maps_in_reach(maps: Maps, halo: int) -> dict[Tile, Maps]:
    """Per tile the maps that touch it or the `halo` pixels around it, whatever their zone."""
    outlines = np.array([o for _, o in windows_bounds(t.window for t, _ in maps)], dtype=object)
    tree = shapely.STRtree(outlines)
    around = [o for _, o in windows_bounds(t.window.expanded(halo + 1) for t, _ in maps)]
    return {
        tile: tuple(maps[i] for i in np.sort(tree.query(outline, predicate="intersects")).tolist())
        for (tile, _), outline in zip(maps, around, strict=True)
    }


def mosaic(maps: Maps, window: Window, name: str, dtype: str, fill: int) -> Any:
    """(y, x) values of the maps on a window; across the meridian those of the pixel that holds the centre."""
    out = np.full(window.shape, fill, dtype=dtype)
    for tile, ref in maps:
        common = window.intersection(tile.window)
        if ref.folder is not None and common is not None:
            part = read_raster(ref.file(name), common, common.resolution, dtype, fill)
            out[window.slices_of(common)] = part
    if any(tile.window.epsg != window.epsg for tile, _ in maps):
        _fill_across(out, maps, window, name, fill)
    return out


def _fill_across(out: NDArray[Any], maps: Maps, window: Window, name: str, fill: int) -> None:
    """Fill the pixels that another zone owns, in place."""
    rows, columns = np.nonzero(~owned_by_zone(window))
    if not rows.size:
        return
    out[rows, columns] = fill
    for tile, ref in maps:
        there = tile.window
        if ref.folder is None or there.epsg == window.epsg:
            continue
        x, y = transformer(window.epsg, there.epsg).transform(window.x[columns], window.y[rows])
        row, column, inside = there.locate(x, y)
        if inside.any():
            values = read_raster(ref.file(name), there, there.resolution, str(out.dtype), fill)
            out[rows[inside], columns[inside]] = values[row[inside], column[inside]]


@lru_cache(maxsize=4)
def regions_of(source: Source) -> Regions:
    """The regions of a source, read once in a worker."""
    regions = read_regions(RegionSettings.model_validate_json(source.settings.value))
    if regions.sha256 != source.sha256:
        raise RuntimeError("the region files changed while the run was going on")
    return regions
