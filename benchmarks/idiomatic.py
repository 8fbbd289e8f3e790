"""The yardstick: the same map as its libraries' documentation would have it made.

    python -m benchmarks.idiomatic LAND_FOLDER FOREST.joblib OUT

odc-stac loads lazily, xarray masks and takes quarterly medians, indices and statistics with Dask,
scikit-learn predicts, odc-geo writes, rasterio counts. One process. Tuned where that is cheap for its author:
whole-period chunks of 1,024 px, Dask's synchronous scheduler (its threads cost more CPU), the loader's own
`groupby`, `skipna=False` where a missing window leaves the pixel unobserved anyway (NaN-aware quantiles take
far longer), standard deviations in float64 (so that classes can be equal), scikit-learn in one thread.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dask
import geopandas as gpd
import joblib
import numpy as np
import odc.stac
import pandas as pd
import pystac
import rasterio.features
import xarray as xr
from odc.geo.cog import write_cog

from benchmarks.bands import COARSE, FINE, INDICES

CHUNK = 1024
CLEAR = (2, 4, 5, 6, 7)
MIN_CLEAR, TARGET = 4, 1


def load(folder: Path) -> xr.Dataset:
    """All dates on the 10 m grid."""
    items = [pystac.Item.from_file(path) for path in sorted((folder / "archive/scenes").glob("*/SIM-*.json"))]
    return odc.stac.load(
        items, bands=[*FINE, *COARSE, "scl"], chunks={"x": CHUNK, "y": CHUNK}, groupby="solar_day",
        crs=items[0].properties["proj:code"], resolution=10, resampling="nearest",
    )  # fmt: skip


def indices(b: xr.Dataset) -> dict[str, xr.DataArray]:
    """Twelve indices of reflectances."""

    def nd(a: str, c: str) -> xr.DataArray:
        return (b[a] - b[c]) / (b[a] + b[c])

    return {
        "NDVI": nd("nir", "red"),
        "EVI2": 2.5 * (b.nir - b.red) / (b.nir + 2.4 * b.red + 1.0),
        "SAVI": 1.5 * (b.nir - b.red) / (b.nir + b.red + 0.5),
        "NDMI": nd("nir", "swir16"),
        "NBR2": nd("swir16", "swir22"),
        "BSI": ((b.swir16 + b.red) - (b.nir + b.blue)) / ((b.swir16 + b.red) + (b.nir + b.blue)),
        "CIRE": b.nir / b.rededge071 - 1.0,
        "NDREI": nd("nir", "rededge071"),
        "GNDVI": nd("nir", "green"),
        "MCARI": ((b.rededge071 - b.red) - 0.2 * (b.rededge071 - b.green)) * (b.rededge071 / b.red),
        "NDWI": nd("green", "nir"),
        "MTCI": (b.rededge075 - b.rededge071) / (b.rededge071 - b.red),
    }


def features(quarters: xr.Dataset) -> xr.DataArray:
    """(feature, y, x): the quarters of bands and two indices, then four statistics of each index."""
    found = indices(quarters)
    layers = [quarters[name] for name in (*FINE, *COARSE)] + [found["NDVI"], found["NDMI"]]
    stack = [layer.isel(time=i, drop=True) for layer in layers for i in range(4)]
    for name in INDICES:
        series = found[name].chunk({"time": -1})
        percentiles = series.quantile([0.1, 0.5, 0.9], dim="time", skipna=False)
        stack += [percentiles.isel(quantile=i, drop=True).astype("float32") for i in range(3)]
        stack.append(series.astype("float64").std("time", skipna=False).astype("float32"))
    return xr.concat(stack, dim="feature", coords="minimal").chunk({"feature": -1})


def predict(pixels: np.ndarray, n_clear: np.ndarray, forest: object) -> np.ndarray:
    """(y, x, 2) class, and probability of the target x 10000; 0 and 65535 where not observed."""
    out = np.zeros((*n_clear.shape, 2), dtype=np.uint16)
    out[..., 1] = 65535
    seen = np.isfinite(pixels).all(axis=-1) & (n_clear >= MIN_CLEAR)
    if seen.any():
        answer = forest.predict_proba(pixels[seen])
        out[seen, 0] = forest.classes_[answer.argmax(axis=1)]
        out[seen, 1] = np.rint(answer[:, list(forest.classes_).index(TARGET)].astype("float32") * 1e4)
    return out


def make_map(folder: Path, forest: object) -> xr.Dataset:
    """Class, probability and number of clear dates."""
    scenes = load(folder)
    clear = scenes.scl.isin(CLEAR)
    bands = scenes[[*FINE, *COARSE]].where(clear).astype("float32")
    quarters = bands.resample(time="QS").median() / np.float32(10_000)
    n_clear = clear.sum("time", dtype="uint16")
    found = xr.apply_ufunc(
        predict, features(quarters), n_clear, kwargs={"forest": forest}, input_core_dims=[["feature"], []],
        output_core_dims=[["part"]], dask="parallelized", output_dtypes=["uint16"],
        dask_gufunc_kwargs={"output_sizes": {"part": 2}},
    )  # fmt: skip
    crop, probability = found.isel(part=0).astype("uint8"), found.isel(part=1)
    return xr.Dataset({"class": crop, "probability": probability, "n_clear": n_clear}).compute()


def count(crop: xr.DataArray, regions: Path) -> pd.DataFrame:
    """Hectares by region and class."""
    table = gpd.read_file(regions).to_crs(crop.odc.crs)
    shapes = zip(table.geometry, range(1, len(table) + 1), strict=True)
    zones = rasterio.features.rasterize(shapes, crop.shape, transform=crop.odc.transform, dtype="uint16")
    pixels = np.bincount(zones.ravel().astype(int) * 8 + crop.values.ravel(), minlength=(len(table) + 1) * 8)
    return pd.DataFrame(pixels.reshape(-1, 8)[1:] * 0.01, index=table.region_id)


def main(folder: Path, forest: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with dask.config.set(scheduler="synchronous"):
        found = make_map(folder, joblib.load(forest))
    for name, layer in found.data_vars.items():
        write_cog(
            layer.odc.assign_crs(found.odc.crs), out / f"{name}.tif", overwrite=True, compression="deflate"
        )
    count(found["class"], folder / "regions.gpkg").to_csv(out / "hectares.csv")
    (out / "versions.json").write_text(json.dumps({m.__name__: m.__version__ for m in (xr, dask, np)}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
