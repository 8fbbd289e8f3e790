"""Granules of a catalogue, and the tile-dates and screens that are requested for them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from cocal.archive import SIMULATED, baseline_rank
from cocal.errors import DownloadError
from cocal.grid import Tile, Window, tiles, windows_bounds
from cocal.notes.account import record
from cocal.scenes.download.settings import MAX_SIDE_PX, DownloadSettings

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

MAX_PAGES = 200
"""Pages of a catalogue that are read for one month: 20,000 granules, those of 3 million km2."""

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, ShapelyError)
"""What reading an entry of a catalogue raises where it is no STAC item."""

SCREEN_M = 60
"""Pixel size of the screens, m."""


@dataclass(frozen=True)
class Granule:
    """One product of one MGRS tile in a catalogue."""

    id: str
    acquired: datetime
    footprint: BaseGeometry
    baseline: str = ""
    platform: str | None = None
    strip: str = ""
    """Common to reprocessed copies of a product: MGRS tile and start of sensing of the datastrip."""
    outlined: bool = True
    """Whether the footprint is the catalogue's polygon, not its box."""
    simulated: bool = False
    item: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def day(self) -> date:
        return self.acquired.date()


@dataclass(frozen=True)
class SceneRequest:
    """A window on one day, requested from a source as one unit; its granules in order of preference."""

    unit: str
    day: date
    window: Window
    granules: tuple[Granule, ...]

    @property
    def ground(self) -> list[tuple[str, Window, tuple[Granule, ...]]]:
        """Name, window and granules of the parts whose pixels are compared with the footprints."""
        return [(self.unit, self.window, self.granules)]


@dataclass(frozen=True)
class TileDate(SceneRequest):
    """One tile on one day: becomes an item of the archive. `window` holds the tile and its margin."""

    tile: Tile


@dataclass(frozen=True)
class Screen(SceneRequest):
    """The scene classification at 60 m of one day, over the tiles of some tile-dates."""

    tile_dates: tuple[TileDate, ...]

    @property
    def ground(self) -> list[tuple[str, Window, tuple[Granule, ...]]]:
        size = self.window.resolution
        return [(t.unit, t.tile.window.at(size), t.granules) for t in self.tile_dates]


def granule_of(feature: Mapping[str, Any], item: Mapping[str, Any] | None = None) -> Granule:
    """The granule of a STAC feature; missing properties are taken from the names of Sentinel-2 products.

    Raises
    ------
    DownloadError
        It has no id, time or geometry.
    """
    try:
        properties, name = feature["properties"], str(feature["id"])
        moment = datetime.fromisoformat(str(properties["datetime"]).replace("Z", "+00:00"))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        outline = feature.get("geometry")
        footprint = shapely.geometry.shape(outline) if outline else shapely.box(*feature["bbox"])
        if not np.isfinite(footprint.bounds).all():
            raise ValueError(f"the geometry of {name} has no finite coordinates")
    except UNREADABLE as err:
        raise _entry_error(err) from err
    names = " ".join(str(properties.get(key, "")) for key in ("s2:product_uri", "s2:product_id")) + " " + name
    in_name = re.search(r"_N(\d\d)(\d\d)_", names)
    baseline = properties.get("s2:processing_baseline") or properties.get("processing:version")
    baseline = str(baseline or (".".join(in_name.groups()) if in_name else ""))
    platform = str(properties["platform"]).lower() if properties.get("platform") else None
    strip = _strip(properties, names, moment)
    simulated = bool(properties.get(SIMULATED, False))
    return Granule(name, moment, footprint, baseline, platform, strip, bool(outline), simulated, item or {})


def _entry_error(err: Exception) -> DownloadError:
    return DownloadError(
        "an entry of the catalogue cannot be read",
        "a STAC item with id, datetime and geometry",
        f"{type(err).__name__}: {err}",
        "look at the service's status page and run again later",
    )


def granules_of(
    pages: Iterable[Sequence[Mapping[str, Any]]],
    trim: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> list[Granule]:
    """The granules of a catalogue's pages, each once. The first page without a new one is the last one read.

    Parameters
    ----------
    pages
        The features of each page, in order.
    trim
        What is kept of a feature as `Granule.item`; nothing without it.

    Raises
    ------
    DownloadError
        A feature cannot be read, or there are more than `MAX_PAGES` pages.
    """
    found: dict[str, Granule] = {}
    for number, features in enumerate(pages, start=1):
        before = len(found)
        for feature in features:
            try:
                granule = granule_of(feature, trim(feature) if trim else None)
            except UNREADABLE as err:
                raise _entry_error(err) from err
            found[granule.id] = granule
        if len(found) == before:
            record("catalogue_repeats", page=number, n=before)
            break
        if number >= MAX_PAGES:
            raise DownloadError(
                "the catalogue does not end",
                f"at most {MAX_PAGES} pages for a month",
                f"another page after {len(found)} granules",
                "look at the service's status page, or make the regions smaller",
            )
    return list(found.values())


def _strip(properties: Mapping[str, Any], names: str, moment: datetime) -> str:
    code = str(properties.get("grid:code") or properties.get("s2:mgrs_tile") or "")
    tile = re.search(r"(?:MGRS-|_T?|^)(\d{1,2}[C-X][A-Z]{2})(?:_|$)", code) or re.search(
        r"_T?(\d{1,2}[C-X][A-Z]{2})_", names
    )
    if tile is None:
        return names
    sensing = re.search(r"_S(\d{8}T\d{6})", str(properties.get("s2:datastrip_id", "")))
    return f"{tile[1]} {sensing[1] if sensing else f'{moment:%Y%m%dT%H%M%S}'}"


def best_first(granules: Iterable[Granule]) -> tuple[Granule, ...]:
    """Granules of a day in the order in which their pixels are taken: most recent, newest baseline, id.

    Of reprocessed copies of one product only those of the newest baseline stay (compared as numbers; a user's
    own processing, 99.xx, is older than all). Two products of one tile and
    time that complement each other (a datatake cut in two datastrips) are of one baseline, and both stay.
    """
    ordered = sorted(granules, key=lambda g: g.id)
    newest: dict[str, str] = {}
    for granule in ordered:
        newest[granule.strip] = max(newest.get(granule.strip, ""), granule.baseline, key=baseline_rank)
    ordered.sort(key=lambda g: (g.acquired, baseline_rank(g.baseline)), reverse=True)
    return tuple(g for g in ordered if g.baseline == newest[g.strip])


def months_within(spans: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """The spans of days (ends included) cut at months: first and last day of each part, in order, once."""
    days = sorted({start + timedelta(n) for start, end in spans for n in range((end - start).days + 1)})
    parts = [list(part) for _, part in groupby(days, key=lambda day: (day.year, day.month))]
    return [(part[0], part[-1]) for part in parts]


def list_tile_dates(
    area: BaseGeometry, granules: Iterable[Granule], settings: DownloadSettings
) -> list[TileDate]:
    """Every tile of `area` (degrees) on every day on which a granule touches it, by day and tile."""
    every = tiles(area, settings.tile_px)
    tree = shapely.STRtree([outline for _, outline in windows_bounds(tile.window for tile in every)])
    by_day: dict[date, list[Granule]] = defaultdict(list)
    for granule in granules:
        by_day[granule.day].append(granule)
    found = []
    for day, listed in sorted(by_day.items()):
        touching: dict[int, list[Granule]] = defaultdict(list)
        pairs = tree.query(np.array([g.footprint for g in listed]), predicate="intersects")
        for which, index in pairs.T:
            touching[int(index)].append(listed[which])
        for index, own in sorted(touching.items()):
            tile = every[index]
            unit, window = f"{settings.name}-{day:%Y%m%d}-{tile.id}", tile.window.expanded(settings.margin_px)
            found.append(TileDate(unit, day, window, best_first(own), tile))
    return found


def list_screens(tile_dates: Iterable[TileDate], name: str) -> list[Screen]:
    """The screens of these tile-dates: those of a day are grouped into boxes of up to 2500 px of 60 m."""
    groups: dict[tuple[Any, ...], list[TileDate]] = defaultdict(list)
    for tile_date in tile_dates:
        window = tile_date.tile.window
        side = window.width * window.resolution
        step = side * max(1, MAX_SIDE_PX * SCREEN_M // side)
        groups[tile_date.day, window.epsg, window.left // step, window.bottom // step].append(tile_date)
    found = []
    for (day, *_), group in sorted(groups.items(), key=lambda pair: pair[0]):
        box = _enclosing([tile_date.tile.window for tile_date in group]).at(SCREEN_M)
        granules = {g.id: g for tile_date in group for g in tile_date.granules}
        unit = f"{name}-{day:%Y%m%d}-{box.epsg}-{box.left}-{box.top}-{box.width}x{box.height}"
        found.append(Screen(unit, day, box, best_first(granules.values()), tuple(group)))
    return found


def _enclosing(windows: Sequence[Window]) -> Window:
    """The smallest window that holds all of these, which are of one zone and pixel size."""
    west, south, east, north = zip(*(w.bounds for w in windows), strict=True)
    bounds = min(west), min(south), max(east), max(north)
    return Window.from_bounds(windows[0].epsg, bounds, windows[0].resolution)
