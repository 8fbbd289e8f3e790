import sqlite3
from contextlib import closing
from xml.etree import ElementTree as ET

import geopandas as gpd
import pyogrio
import shapely

from cocal.report.geopackage import Graduated, qml, write_geopackage

STYLE = Graduated("hectares", (0.0, 10.0, 100.0), ("#ffffff", "#d94801"))


def squares():
    shapes = [shapely.box(x, 0, x + 1, 1) for x in (0, 1)]
    return gpd.GeoDataFrame(
        {"name": ["<img src=x onerror=alert(1)>", "b"], "hectares": [5.0, 50.0]}, geometry=shapes, crs=4326
    )


def test_the_layers_come_back_and_each_has_its_style_where_qgis_looks_for_it(tmp_path):
    path = tmp_path / "a.gpkg"
    write_geopackage(path, {"regions": squares()}, {"regions": STYLE})
    assert pyogrio.read_dataframe(path, layer="regions")["hectares"].tolist() == [5.0, 50.0]
    with closing(sqlite3.connect(path)) as base:
        rows = base.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        geometry = base.execute("SELECT column_name FROM gpkg_geometry_columns").fetchall()
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [row[:3] for row in rows] == [("regions", geometry[0][0], 1)]
    assert ET.fromstring(rows[0][3]).find("renderer-v2").get("attr") == "hectares"


def test_the_style_has_a_range_and_a_symbol_per_step():
    root = ET.fromstring(qml(STYLE))
    ranges = [(float(r.get("lower")), float(r.get("upper")), r.get("symbol")) for r in root.iter("range")]
    assert ranges == [(0, 10, "0"), (10, 100, "1")]
    colours = [o.get("value") for o in root.iter("Option") if o.get("name") == "color"]
    assert colours == ["255,255,255,255", "217,72,1,255"]


def test_equal_layers_give_equal_bytes(tmp_path):
    for name in ("a.gpkg", "b.gpkg"):
        write_geopackage(tmp_path / name, {"regions": squares()}, {"regions": STYLE})
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
