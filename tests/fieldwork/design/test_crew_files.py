from __future__ import annotations

from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
from pyxform.xls2xform import convert

from cocal.fieldwork import RecordSettings, read_records
from cocal.fieldwork.design import write_form, write_geopackage, write_gpx, write_point_list, write_sheet
from cocal.fieldwork.design.texts import CHOICES, FIELDS, HINTS, SHEET, VISIT

TITLE = {"es": "Verificación", "en": "Verification"}
NAMES = {"PE-1": "Sandia & <b>Inambari</b>", "BO-1": "Ñuqa"}


@pytest.fixture
def form(tmp_path, scheme):
    path = tmp_path / "form.xlsx"
    write_form(path, scheme, title=TITLE, form_id="cocal_test", version="1a2b")
    return path


def test_a_name_that_looks_like_a_formula_is_text_in_the_workbook_and_in_the_list_of_points(tmp_path, scheme):
    hostile = '=HYPERLINK("x")'
    write_form(tmp_path / "a.xlsx", scheme, title={"es": hostile}, form_id="cocal_test", version="1")
    kinds = {c.data_type for s in openpyxl.load_workbook(tmp_path / "a.xlsx") for row in s for c in row}
    assert "f" not in kinds
    sample = pd.DataFrame({"point_id": ["P0001"], "role": "main", "stratum": "a", "region_id": hostile})
    sample = sample.assign(inclusion_probability=0.5, lat=-12.0, lon=-72.0)
    write_point_list(tmp_path / "points.csv", sample)
    assert pd.read_csv(tmp_path / "points.csv")["region_id"].tolist() == [f"'{hostile}"]


@pytest.mark.parametrize("suffix", [".csv", ".gpkg"])
def test_ids_that_begin_like_a_formula_come_back_with_the_records_as_they_went_out(tmp_path, scheme, suffix):
    ids = ["=1+1", "+PE", "-BO", "@x", "'y", "PE-1"]
    sample = pd.DataFrame(
        {"point_id": [f"P{n}" for n in range(6)], "role": "main", "stratum": ids, "region_id": ids}
    )
    sample = sample.assign(inclusion_probability=0.5, lat=-12.0, lon=-72.0)
    write_point_list(tmp_path / "points.csv", sample)
    # what an export of the form holds: each cell of points.csv as it stands there
    sent = pd.read_csv(tmp_path / "points.csv", dtype=str).assign(seen="coca")
    assert all(cell[0] == "'" for cell in sent["region_id"][:5])
    path = tmp_path / f"records{suffix}"
    if suffix == ".csv":
        sent.to_csv(path, index=False)
    else:
        gpd.GeoDataFrame(sent, geometry=gpd.points_from_xy([-72.0] * 6, [-12.0] * 6), crs=4326).to_file(path)
    columns = {"record_id": "name", "class": "seen", "stratum": "stratum", "region_id": "region_id",
               "inclusion_probability": "inclusion_probability"}  # fmt: skip
    settings = RecordSettings(
        path=path, design="probability", matching={"support": "pixel", "positional_error": "ignore"},
        columns=columns | ({"lon": "lon", "lat": "lat"} if suffix == ".csv" else {}),
    )  # fmt: skip
    records = read_records(settings, scheme)
    assert records["region_id"].tolist() == records["stratum"].tolist() == ids


def test_every_text_stands_in_both_languages():
    words = [*FIELDS.values(), *HINTS.values(), *SHEET.values(), *VISIT.values()]
    words += [w for choices in CHOICES.values() for w in choices.values()]
    assert all(set(w) == {"es", "en"} and all(w.values()) for w in words)


def test_the_workbook_has_the_three_sheets_of_an_xlsform_in_both_languages(form):
    book = openpyxl.load_workbook(form)
    assert book.sheetnames == ["survey", "choices", "settings"]
    survey = pd.DataFrame(list(book["survey"].values)[1:], columns=next(book["survey"].values))
    asked = survey[~survey["type"].isin(["start", "end", "calculate"])]
    for column in ("label::Español (es)", "label::English (en)"):
        assert asked[column].notna().all()
        assert column in next(book["choices"].values)
    choices = list(book["choices"].values)
    assert ("class", "forest", "Bosque", "Forest") in choices


def test_the_official_converter_takes_the_form(form):
    xform = ET.fromstring(convert(xlsform=form).xform)
    space = {"x": "http://www.w3.org/2002/xforms", "h": "http://www.w3.org/1999/xhtml"}
    languages = [t.get("lang") for t in xform.iterfind(".//x:translation", space)]
    assert sorted(languages) == ["English (en)", "Español (es)"]
    assert [i.get("src") for i in xform.iterfind(".//x:instance[@src]", space)] == [
        "jr://file-csv/points.csv"
    ]
    binds = {b.get("nodeset").rsplit("/", 1)[1]: b for b in xform.iterfind(".//x:bind", space)}
    assert binds["position"].get("type") == "geopoint"
    assert "visited" in binds["class"].get("relevant")
    shown = [e.get("ref") or "" for e in xform.find("h:body", space).iter()]
    assert not any("stratum" in ref or "inclusion_probability" in ref for ref in shown)
    assert "stratum" in binds["stratum"].get("calculate")


def test_the_list_of_points_holds_what_the_form_looks_up(tmp_path, sample):
    write_point_list(tmp_path / "points.csv", sample)
    table = pd.read_csv(tmp_path / "points.csv")
    assert table["name"].tolist() == sample["point_id"].tolist()
    assert table["stratum"].tolist() == sample["stratum"].tolist()
    assert table["inclusion_probability"].tolist() == sample["inclusion_probability"].tolist()


def test_a_receiver_reads_the_waypoints_and_learns_no_stratum(tmp_path, sample):
    write_gpx(tmp_path / "s.gpx", sample, simulated=True)
    found = pyogrio.read_dataframe(tmp_path / "s.gpx", layer="waypoints")
    assert found["name"].tolist() == sample["point_id"].tolist()
    assert found.geometry.x.to_numpy() == pytest.approx(sample["lon"].to_numpy())
    assert found.geometry.y.to_numpy() == pytest.approx(sample["lat"].to_numpy())
    text = (tmp_path / "s.gpx").read_text(encoding="utf-8")
    assert "elsewhere" not in text
    assert "coca" not in text
    assert "SIMULATED" in text


def test_the_geopackage_has_fields_to_fill_in_and_a_style_that_hides_the_design(tmp_path, sample, scheme):
    write_geopackage(tmp_path / "s.gpkg", sample, scheme, simulated=False)
    points = pyogrio.read_dataframe(tmp_path / "s.gpkg", layer="points")
    assert points["point_id"].tolist() == sample["point_id"].tolist()
    assert points["class"].isna().all()
    assert points.crs.to_epsg() == 4326
    style = pyogrio.read_dataframe(tmp_path / "s.gpkg", layer="layer_styles").iloc[0]
    assert (style["f_table_name"], bool(style["useAsDefault"])) == ("points", True)
    tree = ET.fromstring(style["styleQML"].split("\n", 1)[1])
    widgets = {f.get("name"): f.find("editWidget").get("type") for f in tree.iter("field")}
    assert widgets["stratum"] == widgets["inclusion_probability"] == "Hidden"
    values = [o.get("value") for o in tree.find(".//field[@name='class']").iter("Option") if o.get("value")]
    assert values == ["coca", "forest"]


def test_equal_samples_give_equal_geopackages(tmp_path, sample, scheme):
    for name in ("a.gpkg", "b.gpkg"):
        write_geopackage(tmp_path / name, sample, scheme, simulated=True)
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()


def test_a_geopackage_that_was_filled_in_is_read_as_records(tmp_path, sample, scheme):
    write_geopackage(tmp_path / "s.gpkg", sample, scheme, simulated=False)
    points = pyogrio.read_dataframe(tmp_path / "s.gpkg", layer="points")
    points["visited"] = ["yes", "yes", "no", "no"]
    points["class"] = ["coca", "forest", None, None]
    points["observed_on"] = pd.Timestamp("2024-07-01")
    pyogrio.write_dataframe(points, tmp_path / "back.gpkg", layer="points")
    columns = {name: name for name in ("class", "visited", "observed_on", "stratum", "inclusion_probability")}
    settings = RecordSettings(
        path=tmp_path / "back.gpkg", layer="points", columns={"record_id": "point_id", **columns},
        design="probability", matching={"support": "pixel", "positional_error": "ignore"},
    )  # fmt: skip
    records = read_records(settings, scheme)
    assert records["stratum"].tolist() == sample["stratum"].tolist()
    assert records["inclusion_probability"].to_numpy() == pytest.approx(
        sample["inclusion_probability"].to_numpy()
    )
    assert np.flatnonzero(records["visited"]).tolist() == [0, 1]


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_sheet_lists_every_point_once_and_escapes_names(tmp_path, sample, scheme, language):
    path = tmp_path / "sheet.html"
    write_sheet(path, sample, scheme, language=language, regions=NAMES, simulated=True)
    text = path.read_text(encoding="utf-8")
    assert all(text.count(f">{point}<") == 1 for point in sample["point_id"])
    assert "<b>" not in text
    assert "Sandia &amp; &lt;b&gt;Inambari&lt;/b&gt;" in text
    assert SHEET["simulated"][language] in text
    assert SHEET["restricted"][language] in text
    assert "-14.010000, -69.050000" in text
    assert "19S  494605  8451235" in text
    assert "elsewhere" not in text
    assert "http" not in text.replace("http-equiv", "")
