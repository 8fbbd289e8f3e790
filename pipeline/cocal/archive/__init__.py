"""The local scene archive: a static STAC catalog of GeoTIFFs.

    archive/catalog.json
    archive/scenes/collection.json
    archive/scenes/<item id>/<item id>.json    STAC item: eo, proj, raster and processing fields
    archive/scenes/<item id>/<band>.tif        scenes/1 values: uint16 reflectance x 10000, 0 = no data
    archive/scenes/<item id>/manifest.json     commit mark: address, checksums

An item is one acquisition in one UTM zone; pystac, odc-stac and QGIS read it without conversion.

    catalog    items: written, listed, checked
    geotiff    tiles of the archive's own rasters, read without GDAL; unpack is the compiled part
    read       window + items -> scenes/1
"""

from __future__ import annotations

from cocal.archive.catalog import (
    SIMULATED,
    Band,
    Scene,
    band_profile,
    band_writer,
    baseline_rank,
    check_unchanged,
    list_scenes,
    read_scene,
    scene_item,
    scene_store,
    scenes_within,
    write_catalog,
)
from cocal.archive.read import read_raster, read_scenes

__all__ = [
    "SIMULATED",
    "Band",
    "Scene",
    "band_profile",
    "band_writer",
    "baseline_rank",
    "check_unchanged",
    "list_scenes",
    "read_raster",
    "read_scene",
    "read_scenes",
    "scene_item",
    "scene_store",
    "scenes_within",
    "write_catalog",
]
