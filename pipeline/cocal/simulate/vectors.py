"""How files are written: labelled, GeoPackages whose bytes depend on what they hold only, in little memory."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio
import rasterio

from cocal.store import atomic_path

TAGS = {"SIMULATED": "yes", "DESCRIPTION": "SIMULATED, not an observation"}
"""What every raster and vector file says of itself."""


def write_vector(path: Path, table: gpd.GeoDataFrame, layer: str) -> None:
    """Write a GeoPackage; its date of change is fixed."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        with atomic_path(path) as temporary:
            table.to_file(temporary, driver="GPKG", layer=layer, engine="pyogrio", metadata=dict(TAGS))
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def no_cache() -> rasterio.Env:
    """A setting in which GDAL keeps no blocks, as every write is of whole ones.

    Each block goes to the file at once: the bytes do not depend on what else is open. (Rasterio counts this size in bytes,
    and puts the old one back at the end.)
    """
    return rasterio.Env(GDAL_CACHEMAX=0)
