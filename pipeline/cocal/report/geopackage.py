"""A GeoPackage that QGIS opens with colours: layers in degrees, styles in its own table `layer_styles`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import pyogrio
from jinja2 import Environment, StrictUndefined

from cocal.assets import asset

_MOMENT = "2000-01-01T00:00:00.000Z"


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
            pyogrio.write_dataframe(frame, path, driver="GPKG", layer=name, VERSION="1.3")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    with closing(sqlite3.connect(path)) as base, base:
        base.executescript(asset("report/assets/layer_styles.sql").read_text(encoding="utf-8"))
        base.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
            "styleName, styleQML, useAsDefault, description, owner, update_time) "
            "VALUES ('', '', ?, 'geom', ?, ?, 1, '', '', ?)",
            [(name, style.column, qml(style), _MOMENT) for name, style in styles.items()],
        )


def qml(style: Graduated) -> str:
    """The style as QGIS reads it (QML of QGIS 3)."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        asset("report/assets/graduated.qml.j2").read_text(encoding="utf-8")
    )
    steps = [
        {"low": low, "high": high, "colour": ",".join(map(str, bytes.fromhex(colour[1:])))}
        for (low, high), colour in zip(pairwise(style.steps), style.colours, strict=True)
    ]
    return template.render(column=style.column, steps=steps)
