"""A small land with one flaw of each kind that a run goes on with: it leaves something out, or repairs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import rasterio
import shapely
import xarray as xr
from numpy.typing import NDArray

from cocal.grid import project
from tests.support.small_world import (
    DAYS,
    EPSG,
    REGIONS,
    SmallWorld,
    make_world,
    write_csv,
    write_geojson,
)

BANDS = ("red", "nir", "swir16", "scl")
EXPECTED: dict[str, tuple[int, int]] = {
    "files_without_pattern": (1, 5), "dates_without_pixel": (1, 2), "scenes_unused": (1, 10),
    "regions_without_scene": (1, 6), "labels_unused": (2, 20), "regions_without_pixel": (1, 6),
    "records_same_place": (1, 119), "record_columns_unread": (1, 1),
    "records_outside": (2, 119), "records_elsewhere": (1, 119), "records_in_no_period": (1, 120),
    "official_unmatched": (1, 5), "field_unmatched": (1, 2), "scene_without_pixel": (1, 1),
    "elevation_short": (1, 1), "zones_outside": (1, 2), "claims_unmatched": (1, 2),
    "claims_without_maps": (1, 1),
    "region_area_repaired": (1, 1), "region_polygons_repaired": (1, 1), "regions_overlap": (1, 1),
}  # fmt: skip
"""Code -> how many of how many; (1, 1) where the note does not count."""


def flawed_world(folder: Path) -> SmallWorld:
    """The land with all flaws; two days of images lie on it."""
    world = make_world(folder, 96, DAYS[:2])
    imports = [_other_names(world), _cube(world), *_single(world)]
    _regions(world)
    _labels(world)
    _tables(world)

    def change(config: dict[str, Any]) -> None:
        config["imports"] += imports
        config["records"] |= {"outside": "allowed"}
        config["comparison"] |= {"field": "field.csv", "eradication": "claims.csv"}
        source = {"path": "zones.geojson", "id": "id", "name": "id", "country_code": "PE"}
        config["legal"] = {"zones": {"sliver_m": 0, "sources": [source]}, "kinds": {"*": "protected"}}
        config["records"]["columns"] |= {"region_id": "region_id"}

    world.edit(change)
    return world


def _read(world: SmallWorld) -> tuple[Any, dict[str, Any]]:
    with rasterio.open(world.source(DAYS[0])) as source:
        return source.read(), dict(source.profile)


def _brighter(values: NDArray[np.uint16], by: int) -> NDArray[np.uint16]:
    """Other pixels than the land's first scene has: a copy of it under another date is refused."""
    return np.where(values > 100, values + by, values).astype(np.uint16)


def _other_names(world: SmallWorld) -> dict[str, Any]:
    """A folder of bands; one file of another day has a name that does not fit the pattern."""
    values, profile = _read(world)
    folder = world.folder / "bands"
    folder.mkdir()
    names = [f"20240301_{band}.tif" for band in BANDS] + ["L2A_20240310_red.tif"]
    for name, band in zip(names, (*range(4), 0), strict=True):
        with rasterio.open(folder / name, "w", **profile | {"count": 1}) as target:
            target.write(_brighter(values[band], 1), 1)
    return {
        "kind": "files", "name": "bands", "folder": "bands",
        "pattern": r"^(?P<date>\d{8})_(?P<band>\w+)\.tif$",
        "bands": {band: band for band in BANDS}, "scale": 0.0001, "offset": 0, "resampling": "nearest",
        "simulated": True,
    }  # fmt: skip


def _cube(world: SmallWorld) -> dict[str, Any]:
    """A cube of two dates; the second has no pixel."""
    values, window = _brighter(_read(world)[0], 2), world.window
    stacked = np.stack([values, np.zeros_like(values)])
    cube = xr.Dataset(
        {band: (("time", "y", "x"), stacked[:, i]) for i, band in enumerate(BANDS)},
        coords={"time": pd.to_datetime(["2024-03-15", "2024-03-20"]), "y": window.y, "x": window.x},
    )
    cube["spatial_ref"] = xr.DataArray(0, attrs={"crs_wkt": pyproj.CRS(EPSG).to_wkt()})
    for band in BANDS:
        cube[band].attrs["grid_mapping"] = "spatial_ref"
    encoding = {band: {"dtype": "uint16", "_FillValue": 0} for band in BANDS}
    cube.to_netcdf(world.folder / "cube.nc", engine="h5netcdf", encoding=encoding)
    return {
        "kind": "netcdf", "name": "cube", "path": "cube.nc", "bands": {band: band for band in BANDS},
        "scale": 0.0001, "offset": 0, "resampling": "nearest", "simulated": True,
    }  # fmt: skip


def _single(world: SmallWorld) -> list[dict[str, Any]]:
    """A scene without a pixel, and one of another year."""
    values, profile = _read(world)
    west = profile | {"width": 36}  # as wide as one zone, so that it makes one scene
    made = []
    for name, day, content in (
        ("blank", "2024-03-25", values * 0),
        ("old", "2023-03-25", _brighter(values, 3)),
    ):
        with rasterio.open(world.folder / f"{name}.tif", "w", **west) as target:
            target.write(content[:, :, :36])
        made.append(
            {"kind": "multiband", "name": name, "path": f"{name}.tif", "date": day, "scale": 0.0001,
             "offset": 0, "bands": {b: i for i, b in enumerate(BANDS, 1)}, "resampling": "nearest",
             "simulated": True}
        )  # fmt: skip
    return made


def _regions(world: SmallWorld) -> None:
    """Repaired polygons, an overlap, a region off every scene, one of 2 m; a zone of the law beside them."""
    west, south, east, north = world.window.bounds
    x, y = (west + east) / 2 + 200.0, (south + north) / 2 + 53.0
    west, south, east, north = west + 97, south + 97, east - 97, north - 97
    nested = shapely.MultiPolygon(
        [shapely.box(west, south, x, y), shapely.box(west + 50, south + 50, west + 100, south + 100)]
    )
    corner = [(x, y), (east - 20, y), (east - 20, north - 20), (east, north - 20), (east, north),
              (east - 20, north), (east - 20, north - 20), (x, north - 20)]  # fmt: skip
    shapes = (
        shapely.box(west, y, x, north), nested, shapely.Polygon(corner),
        shapely.box(x - 10, south, east, y), shapely.box(east + 3000, south, east + 3300, south + 300),
        shapely.box(west - 49, south + 1, west - 47, south + 3),
    )  # fmt: skip
    keys = (*REGIONS, ("BO-3", "BO"), ("BO-4", "BO"))
    rows = [
        ({"id": key, "name": key, "country": country}, project(shape, EPSG, 4326))
        for (key, country), shape in zip(keys, shapes, strict=True)
    ]
    write_geojson(world.folder / "regions.geojson", rows)

    boxes = {"PA-1": shapely.box(west, south, x, y), "PA-2": shapely.box(west - 900, south, west - 600, y)}
    zones = [({"id": key}, project(box, EPSG, 4326)) for key, box in boxes.items()]
    write_geojson(world.folder / "zones.geojson", zones)


def _labels(world: SmallWorld) -> None:
    """A square smaller than a pixel, and one where no scene lies."""
    path = world.folder / "labels.geojson"
    content = json.loads(path.read_text(encoding="utf-8"))
    left, bottom = world.window.bounds[:2]
    tiny = shapely.box(left + 1, bottom + 1, left + 6, bottom + 6)
    far = shapely.box(left + 9000, bottom, left + 9090, bottom + 90)
    for name, shape in (("tiny", tiny), ("far", far)):
        geometry = json.loads(shapely.to_geojson(project(shape, EPSG, 4326)))
        properties = {"id": name, "class": "coca"}
        content["features"].append({"type": "Feature", "properties": properties, "geometry": geometry})
    path.write_text(json.dumps(content), encoding="utf-8")


def _tables(world: SmallWorld) -> None:
    """Two records in no region, one drawn in another region, one of another year; figures of others."""
    records = pd.read_csv(world.folder / "records.csv", dtype=str)
    records["region_id"], records["role"] = None, "main"
    records.loc[5, ["lon", "lat"]] = records.loc[4, ["lon", "lat"]]
    records.loc[[0, 1], "lon"] = "-71.9"
    inside = records["lon"].astype(float).between(-72.003, -72.001) & (records["lat"].astype(float) > -12.5)
    records.loc[records.index[inside][-1:], "region_id"] = "BO-2"
    records.loc[2, "observed_on"] = "2023-03-01"
    write_csv(world.folder / "records.csv", records)
    official = pd.read_csv(world.folder / "official.csv", dtype=str)
    official.loc[len(official)] = ["XX-1", "2024", "7", "SIMULATED office"]
    write_csv(world.folder / "official.csv", official)
    claims = {"region_id": ["PE-1", "XX-1"], "year": 2024, "claimed_ha": 3, "source": "SIMULATED office"}
    write_csv(world.folder / "claims.csv", pd.DataFrame(claims))
    rows = [("PE-1", "2024", "coca", 3.0), ("PE-1", "2019", "coca", 4.0)]
    write_csv(
        world.folder / "field.csv", pd.DataFrame(rows, columns=["region_id", "period", "class", "field_ha"])
    )


def stated(world: SmallWorld) -> list[dict[str, Any]]:
    """The notes in run.json, which must be those of the flaws."""
    facts = json.loads((world.root / "run.json").read_text(encoding="utf-8"))
    notes: list[dict[str, Any]] = facts["left_out"]
    found = {n["code"]: (n["values"].get("n", 1), n["values"].get("of", 1)) for n in notes}
    assert found == EXPECTED, {code: found.get(code) for code in {*found, *EXPECTED}}
    assert len(notes) == len(EXPECTED)
    return notes


def warned(stderr: str) -> list[str]:
    """The texts of the WARNING lines."""
    return [line.split(" WARNING ", 1)[1] for line in stderr.splitlines() if " WARNING " in line]
