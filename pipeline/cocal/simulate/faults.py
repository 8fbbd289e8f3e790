"""Invented field records in a Kobo-like CSV, with every usual fault planted and labelled. SIMULATED.

The faults are made from their causes, by code independent of the checks that detect them: lines are joined
and encoded by hand, datums shifted with PROJ's default operation. `truth` is hidden from the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.grid import transformer
from cocal.simulate import crews
from cocal.simulate.crews import EPSG, LAT, LON, PERIOD, PLOT, PRECISION, SITE, TRUE_PLOT
from cocal.simulate.output import write_vector

Array = NDArray[np.float64]

PER_FAULT, OFFICE, SHARED, FEWEST = 100, 25, 50, 1_000


@dataclass(frozen=True)
class FaultyRecords:
    """Invented records, their faults, and the plots and roads that they refer to.

    `lines`: the CSV's bytes, header first; `truth`: one row per record (row as a spreadsheet counts,
    record_id, fault: "" where none); `clean`: the columns before any fault, and the true plot; `plots`,
    `roads` EPSG:32719; `area`: west, south, east, north in degrees.
    """

    lines: tuple[bytes, ...]
    truth: pd.DataFrame
    clean: pd.DataFrame
    plots: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame
    area: tuple[float, float, float, float]


def simulate_records(seed: int, *, n: int = 5_000) -> FaultyRecords:
    """`n` records, 1,000 or more, with about `PER_FAULT` of each fault, one fault a record; at most n/24.

    The same seed gives the same bytes.
    """
    if n < FEWEST:
        raise ValueError(f"{n} records are too few for every fault; give {FEWEST} or more")
    per_fault = min(PER_FAULT, n // 24)
    rng = np.random.default_rng(seed)
    roads = crews.invent_roads(rng)
    plots = crews.invent_plots(rng, roads)
    clean = crews.sound_records(rng, plots, n)
    table, fault = clean.copy(), np.full(n, "", dtype=object)
    free = rng.permutation(n)
    free = free[~np.isin(free, _presence_only(rng, table, plots, fault))]
    world = _World(rng, table, plots, roads)
    for name, plant in _PLANTS.items():
        rows = world.suited(name, free)[:per_fault]
        fault[plant(world, rows)] = name
        free = free[~np.isin(free, rows)]
    _copy_points(table)
    table = table.drop(columns=TRUE_PLOT)
    table, fault = _twins(rng, table, fault, free[: 2 * per_fault])
    lines, fault = _written(table, fault, np.split(free[2 * per_fault :], [per_fault, 2 * per_fault])[:2])
    rows = np.arange(2, len(table) + 2)
    truth = pd.DataFrame({"row": rows, "record_id": table["_uuid"].to_numpy(), "fault": fault})
    return FaultyRecords(lines, truth, clean, plots, roads, crews.records_area())


def write_records(records: FaultyRecords, folder: Path) -> None:
    """records.csv, plots.gpkg, roads.gpkg and, apart from what the checks see, truth.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "records.csv").write_bytes(b"".join(records.lines))
    write_vector(folder / "plots.gpkg", records.plots, "plots")
    write_vector(folder / "roads.gpkg", records.roads, "roads")
    records.truth.to_csv(folder / "truth.csv", index=False)


@dataclass(frozen=True)
class _World:
    """The records while faults are planted in them."""

    rng: np.random.Generator
    table: pd.DataFrame
    plots: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame

    def suited(self, name: str, free: NDArray[np.int64]) -> NDArray[np.int64]:
        """The records of `free` that a fault can be planted in: on_road, those whose plot has a road within
        300 m; observers_disagree, alternately one that is alone in its plot and one that is not.
        """
        if name == "on_road":
            road = shapely.MultiLineString(list(self.roads.geometry))
            plots = self.plots.geometry.to_numpy()[self.plot_index(free)]
            return np.asarray(free[shapely.distance(plots, road) < 300], dtype=np.int64)
        if name == "observers_disagree":
            alone = ~self.table[TRUE_PLOT].duplicated(keep=False).to_numpy()[free]
            pairs = min(alone.sum(), (~alone).sum())
            pair = np.stack([free[alone][:pairs], free[~alone][:pairs]], axis=1)
            return np.asarray(pair.ravel(), dtype=np.int64)
        return free

    def degrees(self, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        cells = self.table.loc[rows, [LON, LAT]].astype(float).to_numpy()
        return cells[:, 0], cells[:, 1]

    def set_degrees(self, rows: NDArray[np.int64], lon: Array, lat: Array) -> NDArray[np.int64]:
        self.table.loc[rows, LON] = [f"{v:.7f}" for v in lon]
        self.table.loc[rows, LAT] = [f"{v:.7f}" for v in lat]
        return rows

    def set_metres(self, rows: NDArray[np.int64], xy: Array) -> NDArray[np.int64]:
        return self.set_degrees(rows, *transformer(EPSG, 4326).transform(xy[:, 0], xy[:, 1]))

    def plot_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        place = {name: i for i, name in enumerate(self.plots["parcela_id"])}
        return np.array([place[p] for p in self.table.loc[rows, TRUE_PLOT]], dtype=np.int64)


Rows = NDArray[np.int64]


def _swapped(world: _World, rows: Rows) -> Rows:
    lon, lat = world.degrees(rows)
    return world.set_degrees(rows, lat, lon)


def _sign_lost(world: _World, rows: Rows) -> Rows:
    lon, lat = world.degrees(rows)
    which = world.rng.integers(1, 4, len(rows))
    return world.set_degrees(rows, np.where(which & 1, -lon, lon), np.where(which & 2, -lat, lat))


def _wrong_zone(world: _World, rows: Rows) -> Rows:
    """Metres of zone 19S, turned into degrees as of 18S, 20S or 19N."""
    x, y = transformer(4326, EPSG).transform(*world.degrees(rows))
    for k, zone in enumerate((32718, 32720, 32619)):
        lon, lat = transformer(zone, 4326).transform(x[k::3], y[k::3])
        world.set_degrees(rows[k::3], lon, lat)
    return rows


def _datum(world: _World, rows: Rows) -> Rows:
    """Two receivers set to PSAD56: half show degrees, half UTM metres that were taken for WGS 84."""
    lon, lat = world.degrees(rows)
    half = len(rows) // 2
    lon_a, lat_a = transformer(4326, 4248).transform(lon[:half], lat[:half])
    x, y = transformer(4326, 24879).transform(lon[half:], lat[half:])
    lon_b, lat_b = transformer(EPSG, 4326).transform(x, y)
    world.table.loc[rows[:half], "deviceid"] = "garmin 1"
    world.table.loc[rows[half:], "deviceid"] = "garmin 2"
    return world.set_degrees(rows, np.concatenate([lon_a, lon_b]), np.concatenate([lat_a, lat_b]))


def _degrees_minutes(world: _World, rows: Rows) -> Rows:
    """14 degrees 12.345 minutes, typed as 14.12345."""
    typed = []
    for value in world.degrees(rows):
        whole = np.trunc(value)
        typed.append(whole + (value - whole) * 60 / 100)
    return world.set_degrees(rows, *typed)


def _decimal_comma(world: _World, rows: Rows) -> Rows:
    for column in (LON, LAT, PRECISION):
        world.table.loc[rows, column] = [v.replace(".", ",") for v in world.table.loc[rows, column]]
    return rows


def _mojibake(world: _World, rows: Rows) -> Rows:
    names = world.table.loc[rows, "comunidad"]
    world.table.loc[rows, "comunidad"] = [n.encode().decode("cp1252") for n in names]
    return rows


def _copied_position(world: _World, rows: Rows) -> Rows:
    """Pairs: the second has the first one's position, of another plot."""
    rows = rows[: len(rows) // 2 * 2]
    lon, lat = world.degrees(rows[::2])
    world.set_degrees(rows[1::2], lon, lat)
    return rows


def _office(world: _World, rows: Rows) -> Rows:
    """Four offices from which days of records were sent, within the noise of a receiver under a roof."""
    for start in range(0, len(rows), OFFICE):
        some = rows[start : start + OFFICE]
        place = crews.corner() + world.rng.uniform(0.1, 0.9, 2) * crews.SIDE_M
        world.set_metres(some, place + world.rng.normal(0, 6, (len(some), 2)))
    return rows


def _gps_error(world: _World, rows: Rows) -> Rows:
    """Errors of 0.3 to 1 times the plot's side, and positions to match."""
    plots = world.plots.geometry.to_numpy()[world.plot_index(rows)]
    error = (np.sqrt(shapely.area(plots)) * world.rng.uniform(0.3, 1.0, len(rows))).round(1)
    x, y = transformer(4326, EPSG).transform(*world.degrees(rows))
    world.table.loc[rows, PRECISION] = [f"{v:.1f}" for v in error]
    noise = world.rng.normal(0, 1, (len(rows), 2)) * (error / 1.52)[:, None]
    return world.set_metres(rows, np.column_stack([x, y]) + noise)


def _visit_date(world: _World, rows: Rows) -> Rows:
    """Up to a year before or after the period; one in ten unreadable."""
    first, last = (pd.Timestamp(d) for d in PERIOD)
    days = world.rng.integers(1, 366, len(rows))
    moved = [last + pd.Timedelta(days=int(d)) if d % 2 else first - pd.Timedelta(days=int(d)) for d in days]
    texts = [str(m.date()) if k % 10 else f"{m.day} de ese mes" for k, m in enumerate(moved)]
    world.table.loc[rows, "fecha"] = texts
    return rows


def _on_road(world: _World, rows: Rows) -> Rows:
    """Near the point of the road that is nearest to the plot."""
    road = shapely.MultiLineString(list(world.roads.geometry))
    plots = world.plots.geometry.to_numpy()[world.plot_index(rows)]
    along = shapely.line_locate_point(road, shapely.centroid(plots)) + world.rng.uniform(-20, 20, len(rows))
    xy = shapely.get_coordinates(shapely.line_interpolate_point(road, along))
    return world.set_metres(rows, xy + world.rng.normal(0, 3, xy.shape))


def _observers_disagree(world: _World, rows: Rows) -> Rows:
    """Pairs: the second visits the first one's plot within 60 days, with another crew and another class."""
    rows = rows[: len(rows) // 2 * 2]
    table, plots = world.table, world.plots.geometry.to_numpy()
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        index = int(world.plot_index(np.array([first]))[0])
        others = [key for key in crews.CLASS_NAMES if key != world.plots["class"].iloc[index]]
        crew = (int(table.loc[first, "encuestador"][-2:]) + 1) % 12
        day = pd.Timestamp(table.loc[first, "fecha"]) + pd.Timedelta(days=int(world.rng.integers(-60, 61)))
        day = min(max(day, pd.Timestamp(PERIOD[0])), pd.Timestamp(PERIOD[1]))
        shared = [PLOT, TRUE_PLOT, "superficie_ha"]
        table.loc[second, shared] = table.loc[first, shared]
        table.loc[second, ["encuestador", "deviceid"]] = [f"brigada {crew:02d}", f"ee.kobo:{crew:02d}"]
        other = crews.CLASS_NAMES[world.rng.choice(others)][0]
        table.loc[second, ["fecha", "cobertura"]] = [str(day.date()), other]
        world.set_metres(np.array([second]), crews.place_within(world.rng, plots[index])[None, :])
    return rows


_PLANTS: dict[str, Callable[[_World, Rows], Rows]] = {
    plant.__name__.removeprefix("_"): plant
    for plant in (
        _swapped, _sign_lost, _wrong_zone, _datum, _degrees_minutes, _decimal_comma, _mojibake,
        _copied_position, _office, _gps_error, _visit_date, _on_road, _observers_disagree,
    )
}  # fmt: skip

PLANTED = (*_PLANTS, "presence_only", "duplicate", "separator", "encoding")
"""Every fault that is planted."""


def _presence_only(
    rng: np.random.Generator, table: pd.DataFrame, plots: gpd.GeoDataFrame, fault: NDArray[np.object_]
) -> Rows:
    """Two sources that only went where coca was known."""
    coca = set(plots.loc[plots["class"] == "coca", "parcela_id"])
    rows = rng.permutation(np.flatnonzero(table[TRUE_PLOT].isin(coca)))[: 2 * SHARED]
    table.loc[rows[:SHARED], "fuente"] = "SIMULATED visita dirigida A"
    table.loc[rows[SHARED:], "fuente"] = "SIMULATED visita dirigida B"
    fault[rows] = "presence_only"
    return rows


def _copy_points(table: pd.DataFrame) -> None:
    """Kobo's geopoint beside its parts: 'lat lon alt acc'."""
    parts = table[[LAT, LON, f"{SITE}/_ubicacion_altitude", PRECISION]]
    table[crews.POINT] = parts.agg(" ".join, axis=1)


def _twins(
    rng: np.random.Generator, table: pd.DataFrame, fault: NDArray[np.object_], rows: Rows
) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Records sent twice: the second takes the place of a sound one, with the server's own ids."""
    targets, sources = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    server = ["_id", "_uuid", "_submission_time"]
    columns = [c for c in table.columns if c not in server]
    swap = targets < sources[: len(targets)]
    first, second = np.where(swap, [targets, sources[: len(targets)]], [sources[: len(targets)], targets])
    table = table.copy()
    table.loc[second, columns] = table.loc[first, columns].to_numpy()
    table.loc[second, "_submission_time"] = [
        (pd.Timestamp(t) + pd.Timedelta(minutes=int(rng.integers(1, 99)))).isoformat()
        for t in table.loc[first, "_submission_time"]
    ]
    fault[second] = "duplicate"
    return table, fault


def _written(
    table: pd.DataFrame, fault: NDArray[np.object_], chosen: Sequence[Rows]
) -> tuple[tuple[bytes, ...], NDArray[np.object_]]:
    """The lines of the file, as when exports are put together.

    Of `chosen`, the first rows are joined by semicolons, the second ones in Latin-1.
    """
    semicolons, latin = chosen
    fault[semicolons], fault[latin] = "separator", "encoding"
    joint = np.full(len(table), ",", dtype=object)
    joint[semicolons] = ";"
    encoding = np.full(len(table), "utf-8", dtype=object)
    encoding[latin] = "latin-1"
    lines = [(",".join(table.columns) + "\r\n").encode()]
    for cells, mark, code in zip(table.to_numpy().tolist(), joint, encoding, strict=True):
        quoted = [f'"{c}"' if mark in c else c for c in cells]
        lines.append((mark.join(quoted) + "\r\n").encode(code))
    return tuple(lines), fault
