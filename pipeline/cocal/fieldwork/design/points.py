"""The sample as files: GeoPackage for QField, GPX for receivers.

A crew never sees the stratum or the map's class: an observer who has seen that class tends to confirm it.
No file of theirs has them; `records: sample:` joins them to what comes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from cocal.fieldwork.design.draw import MAIN
from cocal.fieldwork.design.texts import CHOICES, FIELDS, VISIT
from cocal.scheme import ClassScheme

SAMPLE_COLUMNS = (
    "point_id", "role", "order", "stratum", "region_id", "inclusion_probability", "map_class", "lon", "lat",
    "epsg", "x", "y",
)  # fmt: skip
LAYER = "points"
_MEASURED = {
    "gps_lon": "x(@gnss_coordinate)",
    "gps_lat": "y(@gnss_coordinate)",
    "positional_accuracy_m": "@gnss_horizontal_accuracy",
}
"""Fields that QField fills in from the receiver (its docs, expression variables), in degrees and metres."""

_WRITTEN = (
    "class", "second_class", "method", "why_not", "state", "shade", "mixture", "observer",
    "second_observer", "notes",
)  # fmt: skip


def number_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return the sample with `point_id`: P0001 ... main, R0001 ... reserves, by region, north to south.

    The number shows the place of a point in the list, not its stratum.
    """
    keys = ["role", "region_id", "epsg", "row", "column"]
    ordered = table.sort_values(keys, ascending=[True, True, True, False, True], kind="stable")
    place = ordered.groupby("role", sort=False).cumcount() + 1
    digits = max(4, len(str(len(ordered))))
    letter = ordered["role"].map({MAIN: "P"}).fillna("R")
    ids = letter + place.astype(str).str.zfill(digits)
    return ordered.assign(point_id=ids)[list(SAMPLE_COLUMNS)].reset_index(drop=True)


def write_gpx(path: Path, sample: pd.DataFrame, *, simulated: bool, words: Sequence[str] = ()) -> None:
    """Write waypoints named by `point_id`, without the stratum. `words` may say more of each of them."""
    mark = "SIMULATED. " if simulated else ""
    points = _geometry(
        pd.DataFrame(
            {
                "name": sample["point_id"],
                "desc": [
                    mark + "; ".join([" / ".join(VISIT[role].values()), *more])
                    for role, *more in zip(sample["role"], *([words] if words else []), strict=True)
                ],
                "type": sample["role"],
            }
        ),
        sample,
    )
    pyogrio.write_dataframe(points, path, driver="GPX", layer="waypoints")


def write_geopackage(path: Path, sample: pd.DataFrame, scheme: ClassScheme, *, simulated: bool) -> None:
    """Write a layer of points with fields to fill in, and a style with lists of choices in two languages.

    Columns of the sample that are none of `SAMPLE_COLUMNS` are in it too.
    """
    shown = [name for name in sample if name not in SAMPLE_COLUMNS]
    empty = {name: pd.Series(None, index=sample.index, dtype="string") for name in _WRITTEN}
    table = sample[["point_id", "role", "region_id", *shown]].assign(
        visited=pd.Series(None, index=sample.index, dtype="string"),
        observed_on=pd.Series(pd.NaT, index=sample.index, dtype="datetime64[ms]"),
        gps_lon=np.nan,
        gps_lat=np.nan,
        positional_accuracy_m=np.nan,
        cover=np.nan,
        age=np.nan,
        **empty,
    )
    style = pd.DataFrame(
        {
            "f_table_catalog": [""], "f_table_schema": [""], "f_table_name": [LAYER],
            "f_geometry_column": ["geom"], "styleName": ["crew"], "styleQML": [layer_style(scheme)],
            "styleSLD": [""], "useAsDefault": [True], "description": ["cocal"], "owner": [""], "ui": [""],
        }
    )  # fmt: skip
    mark = {"SIMULATED": "yes"} if simulated else None
    with fixed_date():
        pyogrio.write_dataframe(
            _geometry(table, sample), path, driver="GPKG", layer=LAYER, layer_metadata=mark
        )
        pyogrio.write_dataframe(style, path, driver="GPKG", layer="layer_styles", append=True)


def _geometry(table: pd.DataFrame, sample: pd.DataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(sample["lon"], sample["lat"]), crs="EPSG:4326")


@contextmanager
def fixed_date() -> Iterator[None]:
    """Within, GeoPackages have one date of change, so that equal content gives equal bytes."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def layer_style(scheme: ClassScheme) -> str:
    """Return the QGIS style (QML) of the layer: labels and lists of choices."""
    root = ET.Element("qgis", version="3.28.0", styleCategories="Fields|Forms")
    root.extend(form_elements(scheme))
    text: str = ET.tostring(root, encoding="unicode")
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + text


def form_elements(scheme: ClassScheme) -> list[ET.Element]:
    """Return the form of the layer as QGIS states it in styles and in projects."""
    classes = {c.key: {"es": c.name_es, "en": c.name_en} for c in scheme.classes}
    lists = {"class": classes, "second_class": classes, "visited": CHOICES["yes_no"]}
    lists |= {name: CHOICES[name] for name in ("why_not", "state", "shade", "mixture", "method")}
    fields, aliases = ET.Element("fieldConfiguration"), ET.Element("aliases")
    for name, choices in lists.items():
        options = _widget(fields, name, "ValueMap")
        entries = ET.SubElement(options, "Option", type="List", name="map")
        for key, words in choices.items():
            entry = ET.SubElement(entries, "Option", type="Map")
            ET.SubElement(entry, "Option", type="QString", name=" / ".join(words.values()), value=key)
    defaults = ET.Element("defaults")
    for name, value in _MEASURED.items():  # once, at the point: not again when the form is opened elsewhere
        ET.SubElement(
            defaults, "default", field=name, expression=f'coalesce("{name}", {value})', applyOnUpdate="1"
        )
    for index, (name, words) in enumerate(FIELDS.items()):
        ET.SubElement(aliases, "alias", field=name, index=str(index), name=" / ".join(words.values()))
    return [fields, defaults, aliases]


def _widget(fields: ET.Element, name: str, kind: str) -> ET.Element:
    """Return the options of a new edit widget for one field."""
    widget = ET.SubElement(ET.SubElement(fields, "field", name=name), "editWidget", type=kind)
    return ET.SubElement(ET.SubElement(widget, "config"), "Option", type="Map")
