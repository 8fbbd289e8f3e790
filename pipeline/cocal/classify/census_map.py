"""The map of a census on disk, as one tile and period of a run.

<folder>/class.tif          uint8 codes of the class with most ground in each pixel, 0 = not observed
<folder>/class.tif.aux.xml  the classes' names for GDAL and QGIS
<folder>/shares.npz         of the mixed pixels: flat index, code, ground in 1e-6 m2
<folder>/<item id>.json     STAC item, relative links only
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.census.settings import MapSettings
from cocal.classify.census.shares import Shares
from cocal.classify.product import (
    add_raster,
    colours_of,
    item_classes,
    map_item,
    title_of,
    write_cog,
    write_names,
)
from cocal.contracts import CLASS_TIF, NO_DATA, SHARES_NPZ, UNOBSERVED, Period
from cocal.grid import Tile
from cocal.scheme import ClassScheme
from cocal.store import write_json


def write_census_tile(
    folder: Path,
    codes: NDArray[np.uint8],
    shares: Shares,
    *,
    place: tuple[Tile, Period],
    scheme: ClassScheme,
    about: MapSettings,
) -> None:
    """Write class raster, shares and STAC item of one tile and period; equal maps give equal bytes."""
    tile, period = place
    window = tile.window
    values = {NO_DATA: UNOBSERVED, **{c.code: c.key for c in scheme.classes}}
    tags = {
        "census": about.id, "class_scheme": scheme.id,
        "period": f"{period.name} ({period.start} to {period.end})",
        "flag_values": ",".join(map(str, values)), "flag_meanings": " ".join(values.values()),
        **({"SIMULATED": "YES, not an observation"} if about.simulated else {}),
    }  # fmt: skip
    write_cog(folder / CLASS_TIF, codes, window, tags, colours=colours_of(scheme))
    write_names(folder / f"{CLASS_TIF}.aux.xml", scheme)
    shares.write(folder / SHARES_NPZ)
    item = map_item(f"{period.name}-{tile.id}", window, period, _properties(place, scheme, about))
    fields: dict[str, Any] = {"classification:classes": item_classes(scheme)}
    add_raster(item, "class", CLASS_TIF, window, {"data_type": "uint8"}, title="class", role="data", **fields)
    write_json(
        folder / f"{period.name}-{tile.id}.json", item.to_dict(include_self_link=False, transform_hrefs=False)
    )


def _properties(place: tuple[Tile, Period], scheme: ClassScheme, about: MapSettings) -> dict[str, Any]:
    tile, period = place
    return {
        "title": title_of(scheme, period, about.simulated),
        "proj:code": f"EPSG:{tile.window.epsg}",
        "processing:lineage": (
            f"A map made elsewhere: {about.source}. Each pixel shows the class with most ground in it."
            + (" The map is SIMULATED." if about.simulated else "")
        ),
        "license": about.licence,
        "cocal:census": about.id,
        "cocal:class_scheme": scheme.id,
        "cocal:class_scheme_sha256": scheme.sha256,
        "cocal:period": period.name,
        "cocal:simulated": about.simulated,
    }
