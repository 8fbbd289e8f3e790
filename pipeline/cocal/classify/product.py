"""classmap/1 -> cloud-optimised GeoTIFFs with names and colours, and a STAC item.

<folder>/class.tif          uint8 codes, 0 = not observed, colour table
<folder>/class.tif.aux.xml  the classes' names for GDAL and QGIS
<folder>/probability.tif    uint16, 10000 = 1, 65535 = not observed
<folder>/n_clear.tif        uint16 clear dates
<folder>/dissimilarity.tif  uint8, 100 = threshold of the area of applicability, 255 = not observed; if made
<folder>/margin.tif         uint8, 100 x (probability of the likeliest class less the second's), 255 = not
                            observed; if made
<folder>/alternative.tif    uint8, likeliest class besides the target; in drafts of a map with a minimum unit
<folder>/<item id>.json     STAC item, relative links only
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
import rasterio.shutil
import shapely
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from cocal.classify.applicability import UNKNOWN
from cocal.contracts import (
    ALTERNATIVE_TIF,
    CLASS_TIF,
    DISSIMILARITY_TIF,
    MARGIN_TIF,
    N_CLEAR_TIF,
    NO_DATA,
    PROBABILITY_NO_DATA,
    PROBABILITY_SCALE,
    PROBABILITY_TIF,
    UNOBSERVED,
    Period,
    check_classmap,
    window_of,
)
from cocal.errors import InputError, ModelMismatchError
from cocal.grid import Window, windows_bounds
from cocal.scheme import ClassScheme
from cocal.store import MANIFEST, proven, write_json

UNOBSERVED_COLOUR = "#d9d9d9"
_GDAL_TAGS = ("AREA_OR_POINT", "OVR_RESAMPLING_ALG")
"""Tags that GDAL writes itself."""
_PROCESSING_URI = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"

_COG = {
    "driver": "COG", "COMPRESS": "DEFLATE", "LEVEL": "6", "BLOCKSIZE": "384", "NUM_THREADS": "1",
    "RESAMPLING": "NEAREST", "OVERVIEW_RESAMPLING": "NEAREST", "BIGTIFF": "IF_SAFER",
}  # fmt: skip


def probability_on_disk(probability: NDArray[np.float32]) -> NDArray[np.uint16]:
    """uint16: 10000 = 1, 65535 where `probability` is NaN."""
    missing = np.isnan(probability)
    scaled = np.rint(np.where(missing, 0, probability).astype(np.float64) / PROBABILITY_SCALE)
    return np.where(missing, PROBABILITY_NO_DATA, scaled).astype(np.uint16)


def write_class_map(
    folder: str | Path,
    classmap: xr.Dataset,
    *,
    n_clear: xr.DataArray,
    scheme: ClassScheme,
    item_id: str,
    period: Period,
) -> Path:
    """Write the rasters and the STAC item of a class map; returns the item's path.

    Equal maps give equal bytes. Overviews are the nearest pixel, so they hold codes that exist.

    Parameters
    ----------
    folder : path
        Created if missing; the caller commits it.
    classmap : Dataset
        classmap/1 of a whole tile.
    n_clear : DataArray
        (y, x) uint16, of the same tile.
    scheme : ClassScheme
        The scheme the map was made with.
    item_id : str
        Letters, digits, `.`, `_`, `-`; names the item and its file.
    period : Period
        First and last day of the map's scenes.

    Raises
    ------
    ContractError
        `classmap` is not classmap/1.
    ModelMismatchError
        The map was made with another class scheme.
    InputError
        `item_id` cannot be a file name, or `n_clear` is of another tile.
    """
    check_classmap(classmap)
    _check(classmap, n_clear, scheme, item_id)
    folder, window = Path(folder), window_of(classmap)
    folder.mkdir(parents=True, exist_ok=True)
    tags, colours, flags = _tags(classmap, period), colours_of(scheme), classmap["crop_class"].attrs
    flag_values = ",".join(map(str, flags["flag_values"]))
    flag_tags = {"flag_values": flag_values, "flag_meanings": flags["flag_meanings"]}
    crop_class = classmap["crop_class"].values
    write_cog(folder / CLASS_TIF, crop_class, window, tags | flag_tags, colours=colours)
    write_names(folder / f"{CLASS_TIF}.aux.xml", scheme)
    probability = probability_on_disk(classmap["probability"].values)
    content = {"content": f"probability of {scheme.target} x 10000"}
    write_cog(folder / PROBABILITY_TIF, probability, window, tags | content, nodata=PROBABILITY_NO_DATA)
    write_cog(folder / N_CLEAR_TIF, n_clear.values, window, tags | {"content": "clear dates"})
    if "dissimilarity" in classmap:
        steps = classmap["dissimilarity"].values
        content = {"content": "dissimilarity from the training samples; above 100 the model does not apply"}
        write_cog(folder / DISSIMILARITY_TIF, steps, window, tags | content, nodata=UNKNOWN)
    if "margin" in classmap:
        content = {"content": "probability of the likeliest class less that of the second x 100"}
        write_cog(folder / MARGIN_TIF, classmap["margin"].values, window, tags | content, nodata=UNKNOWN)
    if "alternative" in classmap:
        other, content = classmap["alternative"].values, {"content": "likeliest class besides the target"}
        write_cog(folder / ALTERNATIVE_TIF, other, window, tags | content, colours=colours)
    write_json(folder / f"{item_id}.json", _map_item(classmap, scheme, item_id, period))
    return folder / f"{item_id}.json"


def write_revised_map(
    folder: Path,
    draft: Path,
    crop_class: NDArray[np.uint8],
    window: Window,
    *,
    scheme: ClassScheme,
    lineage: Mapping[str, str],
) -> None:
    """Write the class map of `draft` with other classes into `folder`; its other files are copied.

    Parameters
    ----------
    folder, draft
        Folder of the result; folder that `write_class_map` has filled.
    crop_class
        (y, x) uint8 codes of the whole tile.
    window, scheme
        Of the draft.
    lineage
        Tag of class.tif -> sentence that states how the classes were made, also for the item's lineage.
    """
    for path in sorted(draft.iterdir()):
        if path.suffix in (".tif", ".xml") and path.name not in (CLASS_TIF, ALTERNATIVE_TIF):
            shutil.copyfile(proven(path), folder / path.name)
    with rasterio.open(proven(draft / CLASS_TIF)) as source:
        tags = {k: v for k, v in source.tags().items() if k not in _GDAL_TAGS}
    write_cog(folder / CLASS_TIF, crop_class, window, tags | dict(lineage), colours=colours_of(scheme))
    (item_path,) = (p for p in draft.glob("*.json") if p.name != MANIFEST)
    item = json.loads(proven(item_path).read_text(encoding="utf-8"))
    properties = item["properties"]
    properties["processing:lineage"] = " ".join([properties["processing:lineage"], *lineage.values()])
    write_json(folder / item_path.name, item)


def _check(classmap: xr.Dataset, n_clear: xr.DataArray, scheme: ClassScheme, item_id: str) -> None:
    if classmap.attrs.get("class_scheme_sha256") != scheme.sha256:
        raise ModelMismatchError(
            "this class map was made with another class scheme", f"{scheme.id} ({scheme.sha256[:12]})",
            str(classmap.attrs.get("class_scheme")), "write it with the scheme of its model",
        )  # fmt: skip
    if (
        not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", item_id)
        or n_clear.shape != classmap["crop_class"].shape
    ):
        raise InputError(
            "this class map cannot be written",
            "an item id of letters, digits, . _ - and n_clear of the same tile",
            f"item id {item_id!r}, n_clear {n_clear.shape}, map {classmap['crop_class'].shape}",
            "rename the item, or pass n_clear of the map's tile",
        )  # fmt: skip


def _tags(classmap: xr.Dataset, period: Period) -> dict[str, str]:
    attrs = classmap.attrs
    tags = {name: str(attrs[name]) for name in ("model_id", "model_sha256", "class_scheme")}
    tags["period"] = f"{period.name} ({period.start} to {period.end})"
    return tags | ({"SIMULATED": "YES, not an observation"} if attrs.get("simulated") else {})


def _rgba(colour: str) -> tuple[int, int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue, 255


def colours_of(scheme: ClassScheme) -> dict[int, tuple[int, int, int, int]]:
    """Code -> red, green, blue, alpha."""
    return {NO_DATA: _rgba(UNOBSERVED_COLOUR), **{c.code: _rgba(c.colour) for c in scheme.classes}}


def write_cog(
    path: Path,
    values: NDArray[Any],
    window: Window,
    tags: dict[str, str],
    *,
    nodata: int | None = None,
    colours: dict[int, tuple[int, int, int, int]] | None = None,
) -> None:
    """Write one band as a cloud-optimised GeoTIFF; equal values give equal bytes."""
    profile = {
        "driver": "GTiff", "dtype": values.dtype, "count": 1, "height": window.height, "width": window.width,
        "crs": f"EPSG:{window.epsg}", "transform": window.transform, "nodata": nodata,
    }  # fmt: skip
    with rasterio.Env(GDAL_PAM_ENABLED="NO"), MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(values, 1)
            plain.update_tags(**tags)
            if path.name == PROBABILITY_TIF:
                plain.scales = (PROBABILITY_SCALE,)
            if colours is not None:
                plain.write_colormap(1, colours)
        rasterio.shutil.copy(memory.name, path, **_COG)


def write_names(path: Path, scheme: ClassScheme) -> None:
    """The classes' names as GDAL's persistent auxiliary metadata: one category per code from 0."""
    names = {NO_DATA: UNOBSERVED, **{c.code: f"{c.name_es} / {c.name_en}" for c in scheme.classes}}
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    categories = ET.SubElement(band, "CategoryNames")
    for code in range(max(names) + 1):
        ET.SubElement(categories, "Category").text = names.get(code, "")
    ET.indent(root)
    path.write_text(ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def map_item(item_id: str, window: Window, period: Period, properties: Mapping[str, Any]) -> Any:
    """A STAC item of a class map on its window and in its period, without assets."""
    import pystac  # 0.25 s that a download does without
    from pystac.extensions import classification, projection, raster

    outline = next(windows_bounds([window]))[1]
    return pystac.Item(
        item_id,
        json.loads(shapely.to_geojson(shapely.set_precision(outline, 1e-8))),
        [round(v, 8) for v in outline.bounds],
        None,
        dict(properties),
        datetime.combine(period.start, time.min, UTC),
        datetime.combine(period.end, time(23, 59, 59), UTC),
        [
            projection.SCHEMA_URI,
            raster.SCHEMA_URI,
            classification.ClassificationExtension.get_schema_uri(),
            _PROCESSING_URI,
        ],
    )


def title_of(scheme: ClassScheme, period: Period, simulated: bool) -> str:
    """The title of a class map."""
    return f"{'SIMULATED: ' if simulated else ''}classes of {scheme.id}, {period.name}"


def add_raster(
    item: Any, key: str, name: str, window: Window, band: Mapping[str, Any], **fields: Any
) -> None:
    """Add a raster of the map as an asset; `fields` hold its title and its role."""
    import pystac

    title, role = fields.pop("title"), fields.pop("role")
    grid = {"proj:shape": list(window.shape), "proj:transform": list(window.transform)[:6]}
    bands = [{**band, "spatial_resolution": window.resolution}]
    fields |= grid | {"raster:bands": bands}
    item.add_asset(key, pystac.Asset(f"./{name}", title, None, pystac.MediaType.COG, [role], fields))


def _map_item(classmap: xr.Dataset, scheme: ClassScheme, item_id: str, period: Period) -> dict[str, Any]:
    """The STAC item of a model's class map: projection, classification, processing and model fields."""
    window, attrs = window_of(classmap), classmap.attrs
    properties = {
        "title": title_of(scheme, period, bool(attrs.get("simulated"))),
        "proj:code": f"EPSG:{window.epsg}",
        "processing:lineage": _lineage(attrs, scheme),
        "mlm:name": attrs["model_id"],
        "cocal:model_sha256": attrs["model_sha256"],
        "cocal:contract": attrs["contract"],
        "cocal:class_scheme": scheme.id,
        "cocal:class_scheme_sha256": scheme.sha256,
        "cocal:period": period.name,
        "cocal:simulated": bool(attrs.get("simulated")),
    }
    item = map_item(item_id, window, period, properties)

    def add(key: str, name: str, title: str, role: str, band: dict[str, Any], **fields: Any) -> None:
        add_raster(item, key, name, window, band, title=title, role=role, **fields)

    classes = {"classification:classes": item_classes(scheme)}
    add("class", CLASS_TIF, "class", "data", {"data_type": "uint8"}, **classes)
    stored = {"data_type": "uint16", "nodata": PROBABILITY_NO_DATA, "scale": PROBABILITY_SCALE, "offset": 0.0}
    add("probability", PROBABILITY_TIF, f"probability of {scheme.target}", "data", stored)
    add("n_clear", N_CLEAR_TIF, "clear dates", "metadata", {"data_type": "uint16"})
    if "dissimilarity" in classmap:
        title = "dissimilarity from the training samples, 100 = threshold"
        stored = {"data_type": "uint8", "nodata": UNKNOWN}
        add("dissimilarity", DISSIMILARITY_TIF, title, "metadata", stored)
    if "margin" in classmap:
        stored = {"data_type": "uint8", "nodata": UNKNOWN, "scale": 0.01, "offset": 0.0}
        title = "probability of the likeliest class less that of the second"
        add("margin", MARGIN_TIF, title, "metadata", stored)
    found: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    return found


def item_classes(scheme: ClassScheme) -> list[dict[str, Any]]:
    """The classes of a map as the STAC extension classification has them."""
    return [
        {"value": NO_DATA, "name": UNOBSERVED, "title": "not observed", "color_hint": UNOBSERVED_COLOUR[1:]},
        *(
            {
                "value": c.code,
                "name": c.key,
                "title": f"{c.name_es} / {c.name_en}",
                "color_hint": c.colour[1:],
            }
            for c in scheme.classes
        ),
    ]


def _lineage(attrs: dict[Any, Any], scheme: ClassScheme) -> str:
    native = attrs.get("missing") == "native"
    inputs = attrs.get("inputs")
    return (
        f"Each pixel was classified by model {attrs['model_id']} (sha256 {attrs['model_sha256']}) "
        f"into the classes of {scheme.id}; a pixel counts as observed with at least {attrs.get('min_clear')} "
        f"clear dates{'' if native else ' and no missing feature'}."
        + (f" Scenes: {', '.join(map(str, np.atleast_1d(inputs)))}." if inputs is not None else "")
        + (" The scenes or the labels are SIMULATED." if attrs.get("simulated") else "")
    )
