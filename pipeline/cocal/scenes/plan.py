"""The plan of an import: one task per item, an item being one acquisition in one UTM zone."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cocal.archive import SIMULATED
from cocal.content import File
from cocal.contracts import QUALITY
from cocal.errors import CocalError, InputError
from cocal.grid import SNAP_M, Window, geodesic_hectares, project, transformer, zone_box, zones
from cocal.scenes.acquisition import Acquisition, list_acquisitions
from cocal.scenes.radiometry import decide_offset, decide_scale
from cocal.scenes.settings import SceneImport
from cocal.scenes.source import BandSource, SourceGrid

MARGIN_M = 640
"""An item holds so much ground beyond its zone's meridian, so that halos at the meridian are whole."""

SAME_M = 1e-3
"""Corners closer than this are the same."""

PIXEL_SIZES_M = (60, 20, 10)
COARSEST_M = 300
"""Largest pixels of a source: those of 60 m made of larger ones would fill a disk with copies."""


@dataclass(frozen=True)
class BandTask:
    """One band of an item: its source, the pixel size it is stored at, whether it must be warped."""

    source: BandSource
    resolution: int
    warped: bool


@dataclass(frozen=True)
class ImportTask:
    """One item to be made: all that decides its content, as plain picklable values."""

    unit: str
    acquired: datetime
    window: Window
    bands: tuple[BandTask, ...]
    offset: float
    scale: float
    offset_source: str
    baseline: str | None
    platform: str | None
    resampling: str | None
    simulated: bool
    metadata_files: tuple[Path, ...]

    @property
    def warped(self) -> bool:
        return any(band.warped for band in self.bands)

    @property
    def properties(self) -> dict[str, Any]:
        """The item's own properties; file names only, never folders."""
        stated = {
            "platform": self.platform,
            "s2:processing_baseline": self.baseline,
            "cocal:resampling": self.resampling if self.warped else None,
        }
        return {name: value for name, value in stated.items() if value is not None} | {
            "cocal:offset_applied": self.offset,
            "cocal:scale": self.scale,
            "cocal:offset_source": self.offset_source,
            "cocal:source": sorted({band.source.path.name for band in self.bands}),
            "cocal:warped": self.warped,
            SIMULATED: self.simulated,
        }

    def address_content(self) -> dict[str, Any]:
        """All fields; of the metadata files their bytes."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return own | {"metadata_files": sorted(File.of(path).sha256 for path in self.metadata_files)}


def plan_imports(imports: Sequence[SceneImport]) -> list[ImportTask]:
    """The items that these imports make, in order of their ids.

    Reads headers, names and metadata; of a NetCDF cube also pixels, until the first valid one of each date. A
    date without one makes no item, and is recorded (`cocal.notes.account`).

    Raises
    ------
    InputError, OffsetError
        A source is missing or unusable; its radiometry is unknown or contradictory; a warp is needed and
        `resampling` is not stated; two acquisitions would make the same item.
    """
    tasks = [
        task
        for settings in imports
        for acquisition in list_acquisitions(settings)
        for task in _tasks(settings, acquisition)
    ]
    doubled = sorted(unit for unit, n in Counter(task.unit for task in tasks).items() if n > 1)
    if doubled:
        raise InputError(
            "two acquisitions would make the same item",
            "one acquisition per name, time and tile",
            ", ".join(doubled[:4]),
            "give the imports different names, or add the groups tile or baseline to `pattern:`",
        )
    return sorted(tasks, key=lambda task: task.unit)


def _tasks(settings: SceneImport, acquisition: Acquisition) -> list[ImportTask]:
    facts = acquisition.facts
    try:
        offset, offset_source = decide_offset(facts.claims, settings.offset)
        scale = decide_scale(facts.claims, settings.scale)
    except CocalError as err:
        name = acquisition.bands[0].path.name
        raise type(err)(f"{settings.name}, {name}: {err.what}", err.expected, err.found, err.remedy) from err
    _check_day(settings, acquisition)
    return [
        ImportTask(
            unit=_item_id(settings.name, acquisition, window.epsg),
            acquired=acquisition.acquired,
            window=window,
            bands=_band_tasks(settings, acquisition.bands, window.epsg),
            offset=offset,
            scale=scale,
            offset_source=offset_source,
            baseline=facts.baseline,
            platform=facts.platform,
            resampling=settings.resampling,
            simulated=settings.simulated or facts.simulated,
            metadata_files=facts.files,
        )
        for window in item_windows(acquisition.bands)
    ]


def _check_day(settings: SceneImport, acquisition: Acquisition) -> None:
    """Raise if metadata state another day of sensing; the next one may be local time."""
    day = acquisition.acquired.date()
    wrong = [f"{source}: {own}" for source, own in acquisition.facts.days if abs((own - day).days) > 1]
    if wrong:
        raise InputError(
            f"the date of {settings.name}, {acquisition.bands[0].path.name}", "one day of sensing",
            f"{day} by the configuration or the file name; " + ", ".join(wrong),
            "correct the date, the group `date` of `pattern:`, or the metadata",
        )  # fmt: skip


def _item_id(name: str, acquisition: Acquisition, epsg: int) -> str:
    time = acquisition.acquired
    stamp = f"{time:%Y%m%dt%H%M%S}".removesuffix("t000000")
    tags = [re.sub(r"[^a-z0-9]+", "-", tag.lower()).strip("-") for tag in acquisition.tags]
    return "-".join([name, stamp, *filter(None, tags), str(epsg)])


def _band_tasks(settings: SceneImport, sources: Sequence[BandSource], epsg: int) -> tuple[BandTask, ...]:
    for source in sources:
        side = source_pixel_m(source.grid, epsg)
        if not side <= COARSEST_M:
            raise InputError(
                f"{source.path} ({source.band})", f"pixels of 10 to 60 m, or at most {COARSEST_M} m",
                f"pixels of {side:g} m", "correct its geotransform, or leave it out",
            )  # fmt: skip
    sizes = [stored_pixel_m(source.grid, epsg) for source in sources]
    tasks = tuple(
        BandTask(source, size, not is_aligned(source.grid, epsg, size))
        for source, size in zip(sources, sizes, strict=True)
    )
    warped = [t.source for t in tasks if t.warped and t.source.band not in QUALITY]
    if warped and settings.resampling is None:
        raise InputError(
            f"{warped[0].path} must be warped to EPSG:{epsg}",
            "`resampling:` nearest, bilinear or cubic in the import's settings",
            f"another grid than the zone's ({_grid_text(warped[0].grid)}) and no `resampling:`",
            "state `resampling:`",
        )
    return tasks


def _grid_text(grid: SourceGrid) -> str:
    a, _, c, _, e, f = grid.transform
    return f"{grid.crs.split(',')[0].split('[')[-1]}, origin {c:g} {f:g}, pixel {a:g} x {-e:g}"


def source_pixel_m(grid: SourceGrid, epsg: int) -> float:
    """The side, m, of a square with the area of the pixel in the middle of the grid."""
    row, column = grid.height // 2, grid.width // 2
    corners = [grid.affine @ (column + i, row + j) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return float(np.sqrt(project(shapely.Polygon(corners), grid.crs, epsg).area))


def stored_pixel_m(grid: SourceGrid, epsg: int) -> int:
    """The pixel size stored, m: the largest of 10, 20, 60 that is at most 1.05 source pixels, else 10."""
    limit = 1.05 * source_pixel_m(grid, epsg)
    return next((size for size in PIXEL_SIZES_M if size <= limit), 10)


def is_aligned(grid: SourceGrid, epsg: int, resolution: int) -> bool:
    """True if the source's pixels are pixels of the zone's lattice: they are then copied, not resampled."""
    left, top = (round(grid.transform[i] / resolution) * resolution for i in (2, 5))
    right, bottom = left + grid.width * resolution, top - grid.height * resolution
    lattice = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    corners = shapely.get_coordinates(grid.outline)[:4]
    if np.abs(corners - lattice).max() > SAME_M:
        return False
    there = np.column_stack(transformer(grid.crs, epsg).transform(*corners.T))
    return bool(np.abs(there - corners).max() < SAME_M)


def _footprint(sources: Sequence[BandSource]) -> BaseGeometry:
    """The ground covered by any band, in degrees."""
    crs = {source.grid.crs for source in sources}
    if len(crs) > 1:
        raise InputError(
            f"the bands of one acquisition differ in CRS ({sources[0].path})",
            "one CRS",
            "; ".join(sorted(text.split(",")[0] for text in crs)),
            "import them separately, or warp them first",
        )
    outlines = [_outline(grid, sources[0].path) for grid in dict.fromkeys(source.grid for source in sources)]
    if shapely.intersection_all(outlines).area == 0:
        raise InputError(
            f"the bands of one acquisition lie on different ground ({sources[0].path})", "bands that overlap",
            "; ".join(dict.fromkeys(f"{s.path.name} at {_grid_text(s.grid)}" for s in sources)),
            "correct the paths, or import them separately",
        )  # fmt: skip
    return shapely.union_all(outlines)


def _outline(grid: SourceGrid, path: Path) -> BaseGeometry:
    """The outline of a source in degrees; InputError where it is none."""
    own = grid.outline
    corners = transformer(grid.crs, 4326).transform(*shapely.get_coordinates(own).T)
    there = np.isfinite(corners).all() and own.is_valid and own.area > 0
    if there:
        step = max(own.bounds[2] - own.bounds[0], own.bounds[3] - own.bounds[1]) / 64
        outline = project(own, grid.crs, 4326, densify=step)
        there = outline.is_valid and outline.area > 0
    if not there:
        raise InputError(
            f"the place of {path}", "corners on the ground", f"a grid of {_grid_text(grid)}",
            "warp it with gdalwarp",
        )  # fmt: skip
    if outline.bounds[2] > 180:
        raise InputError(
            f"the place of {path}", "longitudes from -180 to 180",
            f"longitudes of {outline.bounds[0]:g} to {outline.bounds[2]:g}",
            "subtract 360 degrees, for instance with gdal_edit -a_ullr",
        )  # fmt: skip
    return outline


def item_windows(sources: Sequence[BandSource]) -> list[Window]:
    """The window of each zone that owns a part of the footprint, in pixels of the finest band, on 60 m.

    A window holds the footprint within its zone and reaches 640 m beyond the meridian where the footprint
    does, so that zones leave no gap between them.
    """
    footprint = _footprint(sources)
    windows = []
    for epsg in zones(footprint):
        resolution = min(stored_pixel_m(source.grid, epsg) for source in sources)
        part = shapely.intersection(footprint, zone_box(epsg))
        if geodesic_hectares(part) * 10_000 < resolution**2:
            continue
        own = project(part, 4326, epsg, densify=0.01).buffer(MARGIN_M)
        reach = shapely.intersection(own, project(footprint, 4326, epsg, densify=0.01))
        west, south, east, north = (float(metres) / SNAP_M for metres in np.round(reach.bounds, 3))
        lower, upper = (math.floor(west), math.floor(south)), (math.ceil(east), math.ceil(north))
        left, bottom, right, top = (steps * SNAP_M for steps in (*lower, *upper))
        windows.append(Window.from_bounds(epsg, (left, bottom, right, top), resolution))
    if not windows:
        raise InputError(
            f"{sources[0].path} lies on no ground of a UTM zone",
            "a raster between 80 S and 84 N",
            _grid_text(sources[0].grid),
            "fix its coordinate reference system or its geotransform",
        )
    return windows
