"""The ground that records are compared with: area, plots, roads; distances in metres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.errors import InputError
from cocal.fieldwork.checks.layout import Layout
from cocal.grid import project, transformer, utm_epsg
from cocal.user_tables import read_vector

Array = NDArray[np.float64]

PERU_AND_BOLIVIA = (-81.4, -22.95, -57.4, 0.05)
"""West, south, east, north of both countries' land, degrees: the area where none is given."""

_NEAR_DEGREES = 0.1
"""About 11 km."""

_PLOT_IDS = ("plot_id", "parcela_id", "id_parcela", "sample_id", "record_id", "id")


@dataclass(frozen=True)
class Ground:
    """The area in degrees; plots and roads in metres of the UTM zone `epsg`, or None.

    `plot_ids` are texts, row by row of `plots`; `stated` is False where no area was given.
    """

    area: BaseGeometry
    stated: bool
    epsg: int
    plots: NDArray[np.object_] | None
    plot_ids: tuple[str, ...] | None
    roads: NDArray[np.object_] | None

    @property
    def home_zone(self) -> int:
        """The UTM zone of the area's middle, 1 to 60."""
        return self.epsg % 100

    def inside(self, lon: Array, lat: Array) -> NDArray[np.bool_]:
        """Return True where a position in degrees lies in the area; False for NaN."""
        return np.asarray(shapely.contains_xy(self.area, lon, lat) & np.isfinite(lon) & np.isfinite(lat))

    def points(self, lon: Array, lat: Array) -> NDArray[np.object_]:
        """Return points in metres; missing where a position is not on the Earth or far from the area."""
        x, y = transformer(4326, self.epsg).transform(lon, lat, errcheck=False)
        good = np.isfinite(x) & np.isfinite(y)
        points = np.asarray(shapely.points(np.where(good, x, 0), np.where(good, y, 0)), dtype=object)
        points[~good] = None
        return points

    def own_plots(self, ids: list[str]) -> NDArray[np.int64]:
        """Return the index of each record's own plot, -1 where it is not known."""
        number = {name: i for i, name in reversed(list(enumerate(self.plot_ids or ())))}
        return np.array([number.get(i, -1) if i else -1 for i in ids], dtype=np.int64)

    def _own_or_nearest(self, points: NDArray[np.object_], own: NDArray[np.int64]) -> NDArray[np.object_]:
        plots = np.asarray(self.plots, dtype=object)
        return np.asarray(plots[np.where(own >= 0, own, _nearest(plots, points))], dtype=object)

    def plot_distance(self, points: NDArray[np.object_], own: NDArray[np.int64]) -> Array:
        """Return metres from each point to its own, else the nearest plot; NaN: no plots."""
        if self.plots is None:
            return np.full(len(points), np.nan)
        return np.asarray(shapely.distance(points, self._own_or_nearest(points, own)), dtype=np.float64)

    def plot_offset(self, points: NDArray[np.object_], own: NDArray[np.int64]) -> Array:
        """Return (n, 2) metres east and north of the middle of the own, else the nearest plot."""
        middles = shapely.centroid(self._own_or_nearest(points, own))
        return np.asarray(shapely.get_coordinates(points) - shapely.get_coordinates(middles))

    def road_distance(self, points: NDArray[np.object_]) -> Array:
        """Return metres from each point to the nearest road; NaN: no roads."""
        if self.roads is None:
            return np.full(len(points), np.nan)
        return np.asarray(shapely.distance(points, self.roads[_nearest(self.roads, points)]), np.float64)

    def plot_of(self, points: NDArray[np.object_], own: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the own plot, or of the plot that holds the point; -1: none."""
        if self.plots is None:
            return own
        index = _nearest(self.plots, points)
        return np.where(own >= 0, own, np.where(shapely.distance(points, self.plots[index]) == 0, index, -1))


def _nearest(shapes: NDArray[np.object_], points: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the index of the nearest shape; 0 for a missing point."""
    found = np.zeros(len(points), dtype=np.int64)
    there = np.flatnonzero(~shapely.is_missing(points))
    if there.size:
        point, nearest = shapely.STRtree(shapes).query_nearest(points[there], all_matches=False)
        found[there[point]] = nearest
    return found


def read_ground(area: str | None, plots: Path | None, roads: Path | None, layout: Layout) -> Ground:
    """Read the ground that the user gives; `area` is "west,south,east,north" or a file of polygons."""
    box = _area(area)
    shapely.prepare(box)
    epsg = utm_epsg(box.centroid.x, box.centroid.y)
    found = Ground(box, area is not None, epsg, None, None, None)
    if plots is not None:
        frame = _read(plots, "plots", (3, 6))
        _check_near(frame, box, plots, "plots")
        found = replace(found, plots=_metres(frame, epsg), plot_ids=_ids(frame, layout))
    if roads is not None:
        frame = _read(roads, "roads", (1, 5))
        _check_near(frame, box, roads, "roads")
        found = replace(found, roads=_metres(frame, epsg))
    return found


def _check_near(frame: gpd.GeoDataFrame, area: BaseGeometry, path: Path, what: str) -> None:
    """Raise an InputError if no shape is near the area: nothing would be found beside them."""
    shapes = frame.geometry.to_crs(4326)
    if not shapes.intersects(area.buffer(_NEAR_DEGREES)).any():
        found, expected = (", ".join(f"{v:.4f}" for v in shapely.total_bounds(g)) for g in (shapes, area))
        raise InputError(
            f"{what} {path} lie elsewhere", f"shapes near the area, which is within {expected} (degrees)",
            f"{len(shapes)} within {found}",
            "correct the file (longitude comes before latitude), its CRS, or --area",
        )  # fmt: skip


def _area(text: str | None) -> BaseGeometry:
    if text is None:
        return shapely.box(*PERU_AND_BOLIVIA)
    numbers = text.split(",")
    if len(numbers) == 4:
        try:
            west, south, east, north = map(float, numbers)
        except ValueError:
            west, south, east, north = 0.0, 0.0, 0.0, 0.0
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise InputError("--area", "west,south,east,north in degrees", repr(text), "correct --area")
        return shapely.box(west, south, east, north)
    frame = _read(Path(text), "area", (3, 6))
    parts = [project(g, frame.crs.to_wkt(), 4326) for g in shapely.make_valid(frame.geometry.to_numpy())]
    return shapely.union_all(np.array(parts, dtype=object))


def _read(path: Path, what: str, kinds: tuple[int, ...]) -> gpd.GeoDataFrame:
    wanted = f"a vector file of {'polygons' if 3 in kinds else 'lines'} in a stated CRS"
    if not path.exists():
        raise InputError(f"{what} {path}", wanted, "no such file", f"correct --{what}")
    frame = read_vector(path).reset_index(drop=True)
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None or frame.empty:
        raise InputError(f"{what} {path}", wanted, "no features, or no CRS", "export it again")
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)].reset_index(drop=True)
    if frame.empty or not np.isin(shapely.get_type_id(frame.geometry.to_numpy()), kinds).all():
        raise InputError(f"{what} {path}", wanted, "other geometry", "export it again")
    return frame


def _metres(frame: gpd.GeoDataFrame, epsg: int) -> NDArray[np.object_]:
    shapes: NDArray[np.object_] = shapely.force_2d(frame.geometry.to_numpy())
    wkt = frame.crs.to_wkt()
    return np.array([project(shape, wkt, epsg) for shape in shapes], dtype=object)


def _ids(frame: gpd.GeoDataFrame, layout: Layout) -> tuple[str, ...] | None:
    """Return the ids of the plots: the column with the records' name for it, or a usual one."""
    column = layout.column("plot_id")
    if column is None:
        return None
    names = (column, column.split("/")[-1], *_PLOT_IDS)
    name = next((n for n in names if n in frame.columns), None)
    return None if name is None else tuple(str(v).strip() for v in frame[name])
