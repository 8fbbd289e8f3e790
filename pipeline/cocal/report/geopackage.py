"""A GeoPackage that QGIS opens with colours: layers in degrees, styles in its own table `layer_styles`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import pyogrio

_MOMENT = "2000-01-01T00:00:00.000Z"
_STYLES = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
  f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
  description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
)
"""


@dataclass(frozen=True)
class Graduated:
    """Polygons coloured by the number in `column`: one colour per step from `steps[i]` to `steps[i + 1]`."""

    column: str
    steps: Sequence[float]
    colours: Sequence[str]


def write_geopackage(
    path: Path, layers: Mapping[str, gpd.GeoDataFrame], styles: Mapping[str, Graduated]
) -> None:
    """Write `layers` by name, and the style that QGIS shows each with. Bytes depend on the content only."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _MOMENT})
    try:
        for name, frame in layers.items():
            pyogrio.write_dataframe(frame, path, driver="GPKG", layer=name)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(_STYLES)
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
            (_MOMENT,),
        )
        for name, style in styles.items():
            base.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
                "styleQML, useAsDefault, description, owner, update_time) VALUES ('', '', ?, 'geom', ?, ?, 1, '', '', ?)",
                (name, style.column, qml(style), _MOMENT),
            )


def qml(style: Graduated) -> str:
    """The style as QGIS reads it (QML of QGIS 3)."""
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology")
    renderer = ET.SubElement(
        root, "renderer-v2", type="graduatedSymbol", attr=style.column, graduatedMethod="GraduatedColor"
    )
    ranges = ET.SubElement(renderer, "ranges")
    symbols = ET.SubElement(renderer, "symbols")
    pairs = zip(style.steps[:-1], style.steps[1:], style.colours, strict=True)
    for index, (low, high, colour) in enumerate(pairs):
        label = f"{low:g} - {high:g}"
        ET.SubElement(
            ranges,
            "range",
            lower=f"{low:.6f}",
            upper=f"{high:.6f}",
            label=label,
            symbol=str(index),
            render="true",
        )
        symbol = ET.SubElement(symbols, "symbol", type="fill", name=str(index), alpha="1", clip_to_extent="1")
        layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1", locked="0")
        options = ET.SubElement(layer, "Option", type="Map")
        red, green, blue = bytes.fromhex(colour[1:])
        for key, value in (
            ("color", f"{red},{green},{blue},255"), ("outline_color", "28,43,54,255"), ("outline_width", "0.3"),
            ("style", "solid"), ("outline_style", "solid"),
        ):  # fmt: skip
            ET.SubElement(options, "Option", name=key, type="QString", value=value)
    return '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM">\n' + ET.tostring(
        root, encoding="unicode"
    )
