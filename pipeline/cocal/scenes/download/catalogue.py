"""What a catalogue knows of an area: granules, their days, and the tiles they touch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cocal.errors import DownloadError
from cocal.grid import Tile, Window, tiles, windows_bounds
from cocal.scenes.download.settings import MAX_SIDE_PX, DownloadSettings

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

SCREEN_M = 60
"""Pixel size of the screens, m."""


@dataclass(frozen=True)
class Granule:
    """One product of one MGRS tile, as a catalogue lists it."""

    id: str
    acquired: datetime
    footprint: BaseGeometry
    baseline: str = ""
    platform: str | None = None
    strip: str = ""
    """What reprocessed copies of one product share: the MGRS tile and the start of the datastrip's sensing."""
    item: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def day(self) -> date:
        return self.acquired.date()


@dataclass(frozen=True)
class Cell:
    """A tile of the download: what is fetched at once. `window` holds the tile and its margin."""

    tile: Tile
    window: Window


@dataclass(frozen=True)
class Look:
    """What is asked of a source at once: a window on a day, and the granules that hold it, best first."""

    unit: str
    day: date
    window: Window
    granules: tuple[Granule, ...]


def granule_of(feature: Mapping[str, Any], item: Mapping[str, Any] | None = None) -> Granule:
    """The granule that a STAC feature describes; names of Sentinel-2 products fill what properties lack.

    Raises
    ------
    DownloadError
        It has no id, time or place.
    """
    try:
        properties, name = feature["properties"], str(feature["id"])
        moment = datetime.fromisoformat(str(properties["datetime"]).replace("Z", "+00:00"))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        outline = feature.get("geometry")
        footprint = shapely.geometry.shape(outline) if outline else shapely.box(*feature["bbox"])
    except (KeyError, TypeError, ValueError) as err:
        raise DownloadError(
            "an entry of the catalogue cannot be read", "", f"{type(err).__name__}: {err}"
        ) from err
    names = " ".join(str(properties.get(key, "")) for key in ("s2:product_uri", "s2:product_id")) + " " + name
    baseline = re.search(r"_N(\d\d)(\d\d)_", names)
    platform = properties.get("platform")
    return Granule(
        name,
        moment,
        footprint,
        str(
            properties.get("s2:processing_baseline")
            or properties.get("processing:version")
            or (".".join(baseline.groups()) if baseline else "")
        ),
        str(platform).lower() if platform else None,
        _strip(properties, names, moment),
        item or {},
    )


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
    """Granules of a day in the order in which they give pixels: most recent, newest baseline, id.

    Of reprocessed copies of one product only those of the newest baseline stay. Two products of one tile and
    time that complement each other (a datatake cut in two datastrips) are of one baseline, and both stay.
    """
    newest: dict[str, str] = {}
    found = list(granules)
    for granule in found:
        newest[granule.strip] = max(newest.get(granule.strip, ""), granule.baseline)
    kept = sorted((g for g in found if g.baseline == newest[g.strip]), key=lambda g: g.id)
    kept.sort(key=lambda g: (g.acquired, g.baseline), reverse=True)
    return tuple(kept)


def cells_of(area: BaseGeometry, settings: DownloadSettings) -> list[Cell]:
    """The cells that touch `area` (degrees)."""
    return [Cell(tile, tile.window.expanded(settings.margin_px)) for tile in tiles(area, settings.tile_px)]


def months_of(spans: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """The spans of days (ends included) cut at months: first and last day of each part, in order, once."""
    days = sorted({start + timedelta(n) for start, end in spans for n in range((end - start).days + 1)})
    parts: dict[tuple[int, int], list[date]] = defaultdict(list)
    for day in days:
        parts[day.year, day.month].append(day)
    return [(part[0], part[-1]) for part in parts.values()]


def looks_of(cells: Sequence[Cell], granules: Iterable[Granule], name: str) -> Iterator[tuple[Cell, Look]]:
    """Every cell on every day on which a granule touches its tile, in order of days and cells."""
    outlines = [outline for _, outline in windows_bounds(cell.tile.window for cell in cells)]
    tree = shapely.STRtree(outlines)
    by_day: dict[date, list[Granule]] = defaultdict(list)
    for granule in granules:
        by_day[granule.day].append(granule)
    for day in sorted(by_day):
        touching: dict[int, list[Granule]] = defaultdict(list)
        pairs = tree.query(np.array([g.footprint for g in by_day[day]]), predicate="intersects")
        for which, index in pairs.T:
            touching[int(index)].append(by_day[day][which])
        for index in sorted(touching):
            cell = cells[index]
            unit = f"{name}-{day:%Y%m%d}-{cell.tile.id}"
            yield cell, Look(unit, day, cell.window, best_first(touching[index]))


def boxes_of(looks: Sequence[tuple[Cell, Look]], name: str) -> list[tuple[Look, tuple[Cell, ...]]]:
    """Screens to be asked for: the looks of a day grouped into boxes of up to 2500 px of 60 m."""
    groups: dict[tuple[Any, ...], list[tuple[Cell, Look]]] = defaultdict(list)
    for cell, look in looks:
        window = cell.tile.window
        side = window.width * window.resolution
        step = side * max(1, MAX_SIDE_PX * SCREEN_M // side)
        groups[look.day, window.epsg, window.left // step, window.bottom // step].append((cell, look))
    found = []
    for key in sorted(groups):
        cells = tuple(cell for cell, _ in groups[key])
        box = enclosing([cell.tile.window for cell in cells]).at(SCREEN_M)
        granules = {g.id: g for _, look in groups[key] for g in look.granules}
        unit = f"{name}-{key[0]:%Y%m%d}-{box.epsg}-{box.left}-{box.top}-{box.width}x{box.height}"
        found.append((Look(unit, key[0], box, best_first(granules.values())), cells))
    return found


def enclosing(windows: Sequence[Window]) -> Window:
    """The smallest window that holds all of these, which are of one zone and pixel size."""
    first = windows[0]
    left, top = min(w.left for w in windows), max(w.top for w in windows)
    right, bottom = max(w.right for w in windows), min(w.bottom for w in windows)
    size = first.resolution
    return replace(first, left=left, top=top, width=(right - left) // size, height=(top - bottom) // size)
