from __future__ import annotations

from xml.etree import ElementTree as ET

import openpyxl
import pandas as pd
import pyogrio
import pytest
from pyxform.xls2xform import convert

from cocal.fieldwork import RecordSettings, read_records
from cocal.fieldwork.design import write_form, write_geopackage, write_gpx, write_point_list, write_sheet
from cocal.fieldwork.design.texts import CHOICES, COLUMNS, FIELDS, HINTS, SHEET, VISIT
from cocal.store import write_csv

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


def test_ids_that_begin_like_a_formula_come_back_with_the_records_as_they_went_out(tmp_path, scheme):
    ids = ["=1+1", "+PE", "-BO", "@x", "'y", "PE-1"]
    drawn = pd.DataFrame(
        {"point_id": [f"P{n}" for n in range(6)], "role": "main", "order": range(6), "stratum": ids,
         "region_id": ids, "inclusion_probability": 0.5, "lat": -12.0, "lon": -72.0}
    )  # fmt: skip
    write_csv(tmp_path / "sample.csv", drawn)
    write_point_list(tmp_path / "points.csv", drawn)
    sent = pd.read_csv(tmp_path / "points.csv", dtype=str)
    assert all(cell[0] == "'" for cell in sent["region_id"][:5])
    pd.DataFrame({"point_id": sent["name"], "class": "coca"}).to_csv(tmp_path / "visits.csv", index=False)
    settings = RecordSettings(path=tmp_path / "visits.csv", sample=tmp_path / "sample.csv")
    records = read_records(settings, scheme)
    assert records["region_id"].tolist() == records["stratum"].tolist() == ids


def test_every_text_stands_in_both_languages():
    words = [*FIELDS.values(), *COLUMNS.values(), *HINTS.values(), *SHEET.values(), *VISIT.values()]
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
    body = {e.get("ref"): e for e in xform.find("h:body", space).iter()}
    assert body["/data/point_id"].get("appearance") == "map"
    assert "stratum" not in convert(xlsform=form).xform
    assert "instance('points')" in binds["distance_m"].get("calculate")


def test_odk_validate_takes_the_form_and_pyxform_has_nothing_to_say(form):
    """ODK's own validator, a Java program that pyxform brings along."""
    assert convert(xlsform=form, validate=True).warnings == []


def test_the_list_of_points_places_them_as_odk_writes_a_position_and_tells_no_stratum(tmp_path, sample):
    write_point_list(tmp_path / "points.csv", sample)
    table = pd.read_csv(tmp_path / "points.csv")
    assert table["name"].tolist() == sample["point_id"].tolist()
    assert table["geometry"].tolist()[0] == "-14.0000000 -69.1000000 0 0", "no ' before it: a map reads it"
    assert not {"stratum", "inclusion_probability", "map_class"} & set(table.columns)
    assert "elsewhere" not in (tmp_path / "points.csv").read_text()


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


def test_the_geopackage_has_fields_to_fill_in_and_a_style_but_no_design(tmp_path, sample, scheme):
    write_geopackage(tmp_path / "s.gpkg", sample, scheme, simulated=False)
    points = pyogrio.read_dataframe(tmp_path / "s.gpkg", layer="points")
    assert points["point_id"].tolist() == sample["point_id"].tolist()
    assert points["class"].isna().all()
    assert points.crs.to_epsg() == 4326
    style = pyogrio.read_dataframe(tmp_path / "s.gpkg", layer="layer_styles").iloc[0]
    assert (style["f_table_name"], bool(style["useAsDefault"])) == ("points", True)
    tree = ET.fromstring(style["styleQML"].split("\n", 1)[1])
    assert not {"stratum", "inclusion_probability", "map_class"} & set(points.columns)
    defaults = {d.get("field"): d for d in tree.iter("default")}
    assert defaults["gps_lon"].get("expression") == 'coalesce("gps_lon", x(@gnss_coordinate))'
    assert set(defaults) <= set(points.columns)
    values = [o.get("value") for o in tree.find(".//field[@name='class']").iter("Option") if o.get("value")]
    assert values == ["coca", "forest"]


def test_equal_samples_give_equal_geopackages(tmp_path, sample, scheme):
    for name in ("a.gpkg", "b.gpkg"):
        write_geopackage(tmp_path / name, sample, scheme, simulated=True)
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()


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
    assert all(both[language] in text for both in COLUMNS.values()), "the columns of the form"
    assert "elsewhere" not in text
    assert "http" not in text.replace("http-equiv", "")
