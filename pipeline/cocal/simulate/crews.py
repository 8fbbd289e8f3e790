"""Invented plots and roads, and sound field records of them in the form of a Kobo export. SIMULATED."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.grid import transformer

Array = NDArray[np.float64]

SITE = "grupo_sitio"
LAT, LON = f"{SITE}/_ubicacion_latitude", f"{SITE}/_ubicacion_longitude"
POINT, PRECISION, PLOT = f"{SITE}/ubicacion", f"{SITE}/_ubicacion_precision", f"{SITE}/parcela_id"
TRUE_PLOT = "plot"
PERIOD = ("2024-01-01", "2024-12-31")
MIDDLE, SIDE_M, EPSG = (-69.0, -14.2), 24_000.0, 32719

_PLACES = (
    "Ñanpallqa", "Quebrada Achúma", "Chirimayúq", "Yunkapata Ñeñe", "Región Suchuwára", "Tambo Kusísqa"
)  # fmt: skip
CLASS_NAMES = {
    "coca": ("coca", "cocal", "Hoja de coca", "Cultivo de coca"),
    "forest": ("bosque", "Monte alto"),
    "pasture": ("pasto", "Pastizal"),
    "other_crops": ("café", "yuca", "Cítricos"),
}
_SHARES = (0.45, 0.2, 0.15, 0.2)


def records_area() -> tuple[float, float, float, float]:
    """West, south, east, north of the area, degrees."""
    west, south = transformer(EPSG, 4326).transform(*corner())
    east, north = transformer(EPSG, 4326).transform(*(corner() + SIDE_M))
    return float(west), float(south), float(east), float(north)


def corner() -> Array:
    """The south-west corner of the area, m."""
    return np.array(transformer(4326, EPSG).transform(*MIDDLE)) - SIDE_M / 2


def invent_roads(rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Five winding roads each way."""
    along, lines = np.linspace(0, SIDE_M, 241), []
    for k in range(10):
        offset = (k // 2 + 0.5) * SIDE_M / 5
        phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(2_000, 5_000)
        bent = offset + 300 * np.sin(2 * np.pi * along / length + phase)
        pair = (along, bent) if k % 2 else (bent, along)
        lines.append(shapely.LineString(np.column_stack(pair) + corner()))
    return gpd.GeoDataFrame({"name": [f"SIMULATED {k}" for k in range(10)]}, geometry=lines, crs=EPSG)


def invent_plots(rng: np.random.Generator, roads: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One turned rectangle in most cells of 600 m; three in ten cells have theirs beside the road if near."""
    step, side = 600.0, int(SIDE_M // 600)
    road = shapely.MultiLineString(list(roads.geometry))
    shapes = []
    for cell in range(side * side):
        width, height = np.clip(rng.lognormal(np.log(75), 0.35, 2), 40, 180)
        middle = corner() + step * (np.array([cell % side, cell // side]) + rng.uniform(0.2, 0.8, 2))
        on_road = shapely.line_interpolate_point(road, shapely.line_locate_point(road, shapely.Point(middle)))
        away = middle - shapely.get_coordinates(on_road)[0]
        distance = float(np.hypot(*away))
        if distance < 400 and rng.random() < 0.5:
            middle = middle - away * (1 - (0.5 * np.hypot(width, height) + rng.uniform(8, 30)) / distance)
        half = np.array([width, height]) / 2
        box = shapely.box(*(middle - half), *(middle + half))
        turned = _turned(box, rng.uniform(0, np.pi))
        if shapely.distance(turned, road) > 6:
            shapes.append(turned)
    kept = [s for i, s in enumerate(shapes) if not shapely.intersects(s, shapes[max(0, i - 45) : i]).any()]
    columns = {
        "parcela_id": [f"P{i:04d}" for i in range(len(kept))],
        "class": rng.choice(list(CLASS_NAMES), len(kept), p=_SHARES),
        "note": "SIMULATED",
    }
    return gpd.GeoDataFrame(columns, geometry=kept, crs=EPSG)


def _turned(shape: shapely.Polygon, angle: float) -> shapely.Polygon:
    middle = np.array(shape.centroid.coords[0])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return shapely.transform(shape, lambda xy: ((xy - middle)[:, :, None] * turn[None]).sum(axis=1) + middle)


def place_within(rng: np.random.Generator, plot: shapely.Polygon) -> Array:
    """A place in the plot, 4 m or more from its edge."""
    inner = shapely.buffer(plot, -4)
    west, south, east, north = inner.bounds
    while True:
        place = rng.uniform([west, south], [east, north])
        if shapely.contains_xy(inner, *place):
            return place


def sound_records(rng: np.random.Generator, plots: gpd.GeoDataFrame, n: int) -> pd.DataFrame:
    """Sound records: some plots visited often, positions with the stated error, names as crews write.

    As in sound files, one crew writes four decimals, 1 in 20 records has no GPS error, 1 in 10 no plot id.
    """
    which = rng.integers(0, len(plots), n)
    error = np.clip(rng.lognormal(np.log(4.2), 0.3, n), 2.0, 9.0).round(1)
    shapes, classes = plots.geometry.to_numpy(), plots["class"].to_numpy()
    xy = np.array([place_within(rng, shapes[w]) for w in which])
    xy += rng.normal(0, 1, (n, 2)) * (error / 1.52)[:, None]
    lon, lat = transformer(EPSG, 4326).transform(xy[:, 0], xy[:, 1])
    day = pd.Timestamp(PERIOD[0]) + pd.to_timedelta(rng.integers(0, 366, n), unit="D")
    crew = rng.integers(0, 12, n)
    start = day + pd.to_timedelta(rng.integers(7 * 3600, 17 * 3600, n), unit="s")
    digits = np.where(crew == 11, 4, 7)
    area = shapely.area(shapes)[which] / 1e4
    return pd.DataFrame(
        {
            "start": [f"{s.isoformat()}.000-04:00" for s in start],
            "fecha": [str(d.date()) for d in day],
            "deviceid": [f"ee.kobo:{c:02d}" for c in crew],
            "encuestador": [f"brigada {c:02d}" for c in crew],
            PLOT: np.where(rng.random(n) < 0.1, "", plots["parcela_id"].to_numpy()[which]),
            TRUE_PLOT: plots["parcela_id"].to_numpy()[which],
            POINT: "",
            LAT: [f"{v:.{d}f}" for v, d in zip(lat, digits, strict=True)],
            LON: [f"{v:.{d}f}" for v, d in zip(lon, digits, strict=True)],
            f"{SITE}/_ubicacion_altitude": [f"{v:.1f}" for v in rng.uniform(900, 1_900, n)],
            PRECISION: np.where(rng.random(n) < 0.05, "", [f"{v:.1f}" for v in error]),
            "cobertura": [str(rng.choice(CLASS_NAMES[classes[w]])) for w in which],
            "superficie_ha": [f"{v:.2f}" for v in area],
            "comunidad": rng.choice(_PLACES, n),
            "fuente": "SIMULATED muestra",
            "_id": [str(400_000 + i) for i in range(n)],
            "_uuid": [f"{seed:08x}-sim-{i:05d}" for i, seed in enumerate(rng.integers(0, 2**32, n))],
            "_submission_time": [f"{s.isoformat()}" for s in start + pd.Timedelta(hours=9)],
        },
        dtype=object,
    )
