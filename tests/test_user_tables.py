"""Tables of users: what reads like the right table and is not is refused, with its row."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

from cocal.classify.settings import PolygonSamples, SeriesSamples
from cocal.classify.training.samples import read_samples
from cocal.classify.training.series import read_series
from cocal.errors import InputError
from cocal.estimate import estimate_files
from cocal.fieldwork import RecordSettings, read_records, read_strata
from cocal.fieldwork.tables import read_rows
from cocal.notes import Note
from cocal.notes.account import recorded
from cocal.regions import RegionSettings, read_regions
from cocal.run.results.comparison import _check_unmatched
from cocal.run.tables import read_given_csv
from cocal.scheme import ClassScheme
from cocal.user_tables import local_times, read_csv_table, read_vector

SCHEME = ClassScheme(
    id="test",
    target="coca",
    definition={"unit": "pixel"},
    classes=[
        {"code": 1, "key": "coca", "name_es": "coca", "name_en": "coca", "colour": "#ff0000"},
        {"code": 2, "key": "other", "name_es": "otro", "name_en": "other", "colour": "#00ff00"},
    ],
)
DESIGN = {"estimator": "stratified", "interval": "gamma", "confidence": 0.95, "by": None}
POINTS = [
    ("a", "coca", "coca", 50),
    ("a", "coca", "other", 10),
    ("b", "other", "coca", 2),
    ("b", "other", "other", 58),
]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def estimated(folder: Path, points: list[tuple[str, str, str, int]], strata: str) -> pd.DataFrame:
    rows = "".join(f"{s},{m},{r}\n" * n for s, m, r, n in points)
    sample = write(folder / "sample.csv", "stratum,map_class,reference_class\n" + rows)
    return estimate_files(sample, write(folder / "strata.csv", strata), **DESIGN).classes.set_index("class")


def records(path: Path, class_names: dict[str, str] | None = None, **columns: str) -> RecordSettings:
    names = {"record_id": "id", "observed_on": "day", "class": "class"} | columns
    matching = {"support": "pixel", "positional_error": "ignore"}
    return RecordSettings(
        path=path, columns=names, design="purposive", matching=matching, class_names=class_names
    )


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n3,4,5\n", "a,b\n1,2\n3\n", "a,b\n1,2,\n3,4,\n", 'a,b\n\n"1\nx",2\n3,4,5\n'],
    ids=["more", "fewer", "comma at the end", "after a blank line"],
)
def test_rows_with_more_or_fewer_cells_than_the_header_are_refused_by_row(tmp_path: Path, text: str) -> None:
    row = {"a,b\n1,2,\n3,4,\n": 2, 'a,b\n\n"1\nx",2\n3,4,5\n': 4}.get(text, 3)
    with pytest.raises(InputError, match=rf"(?s)than the header.*2 cells.*row {row}: [13] cells"):
        read_csv_table(write(tmp_path / "t.csv", text))


@pytest.mark.parametrize("header", ["a,b,a", "a,b, a", f"{'é'},b,{unicodedata.normalize('NFD', 'é')}"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(InputError, match="several columns have the same name"):
        read_csv_table(write(tmp_path / "t.csv", header + "\n1,2,3\n"))


def test_texts_are_clean_and_rows_are_those_of_a_spreadsheet(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Almácigo")
    text = f'\ufeffsep=;\r\nid; name\r\n007; {decomposed} \r\n\r\n8;"  "\r\n'
    table = read_csv_table(write(tmp_path / "t.csv", text))
    assert table.columns.tolist() == ["id", "name"]
    assert table["id"].tolist() == ["007", "8"]
    assert table["name"].tolist()[0] == "Almácigo"
    assert table["name"].isna().tolist() == [False, True]
    assert table.index.tolist() == [2, 4]


@pytest.mark.parametrize("text", ["", "\n\n", 'a,b\n"1,2\n' + "x" * 200_000], ids=["empty", "blank", "quote"])
def test_what_is_no_table_is_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"comparison.official"):
        read_given_csv(write(tmp_path / "t.csv", text), "comparison.official")


def test_a_space_after_a_class_makes_no_second_class(tmp_path: Path) -> None:
    """100 * 50/60 + 900 * 2/60 = 113.33 ha, whatever stands after the word."""
    points = [("a", "coca", "coca", 30), ("a", "coca", "coca ", 20), ("a ", "coca", "other", 10), *POINTS[2:]]
    found = estimated(tmp_path, points, "stratum,area_ha\na,100\nb ,900\n")
    assert found.index.tolist() == ["coca", "other"]
    assert found.loc["coca", "area_ha"] == pytest.approx(100 * 50 / 60 + 900 * 2 / 60)


@pytest.mark.parametrize(
    ("strata", "words"),
    [
        ("stratum,area_ha\na,100,\nb,900,\n", "row 2: 3 cells"),
        ("stratum,area_ha,stratum\na,100,b\nb,900,a\n", "same name"),
        ("stratum,area_ha\na,inf\nb,900\n", "larger than the Earth"),
        ("stratum,area_ha\na,1e308\nb,900\n", "larger than the Earth"),
        ("stratum,area_ha\na,-100\nb,900\n", "no positive area"),
    ],
)
def test_strata_that_cannot_be_are_refused(tmp_path: Path, strata: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        estimated(tmp_path, POINTS, strata)


def test_a_day_stays_the_day_that_was_written(tmp_path: Path) -> None:
    """20:30 of 31 December in Lima is 1 January in UTC: the visit stays one of December."""
    times = ["2024-12-31T20:30:00-05:00", "2024-06-03T10:00:00-04:00", "2025-01-01T00:10:00+14:00"]
    features = [
        {
            "type": "Feature",
            "properties": {"id": f"r{i}", "day": time, "class": "coca"},
            "geometry": {"type": "Point", "coordinates": [-69.0, -14.5]},
        }
        for i, time in enumerate(times)
    ]
    path = write(tmp_path / "r.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    found = read_records(records(path), SCHEME)["observed_on"]
    assert found.dt.strftime("%Y-%m-%d").tolist() == ["2024-12-31", "2024-06-03", "2025-01-01"]


def test_an_offset_from_utc_is_no_part_of_a_time() -> None:
    written = [
        "2024-12-31T20:30:00-05:00",
        "2024-12-31 20:30Z",
        "2024-12-31T20:30:00.5+0530",
        "2024-12-31",
        "31/12",
    ]
    expected = ["2024-12-31T20:30", "2024-12-31T20:30", "2024-12-31T20:30:00.500", "2024-12-31", "NaT"]
    np.testing.assert_array_equal(
        local_times(pd.Series(written)).to_numpy(), np.array(expected, "datetime64[ns]")
    )


def test_a_class_name_in_another_unicode_form_is_the_same_class(tmp_path: Path) -> None:
    forms = [unicodedata.normalize(form, "Almácigo") for form in ("NFC", "NFD")]
    for i, (given, stated) in enumerate([forms, forms[::-1]]):
        text = f"id,day,class,lon,lat\nr1,2024-06-01,{given} ,-69,-14\n"
        path = write(tmp_path / f"{i}.csv", text)
        found = read_records(records(path, {stated: "coca"}, lon="lon", lat="lat"), SCHEME)
        assert found["class"].tolist() == ["coca"]


def test_a_stratum_is_found_whatever_spaces_stand_after_it(tmp_path: Path) -> None:
    strata = write(tmp_path / "s.csv", "stratum ,area_ha\nw ,46.5\n")
    table = read_strata(strata, pd.DataFrame({"stratum": ["w"]}))
    assert table[["stratum", "area_ha"]].to_numpy().tolist() == [["w", 46.5]]


def series(path: Path, **changes: object) -> SeriesSamples:
    values: dict[str, object] = {
        "kind": "series", "path": path, "label_column": "class", "source": "t", "licence": "t",
        "id_column": "id",
        "date_column": "day", "longitude_column": "lon", "latitude_column": "lat",
        "bands": {"red": "B04"}, "scale": 1e-4,
    }  # fmt: skip
    return SeriesSamples.model_validate(values | changes)


def long_table(path: Path, values: list[float]) -> Path:
    rows = [f"{i:03d},2024-01-01,coca,-69,-14,{v}\n" for i, v in enumerate(values)]
    return write(path, "id,day,class,lon,lat,B04\n" + "".join(rows))


def test_up_to_one_value_in_a_hundred_may_be_no_reflectance(tmp_path: Path) -> None:
    path = long_table(tmp_path / "t.csv", [500.0] * 198 + [-2500] * 2)
    cube, samples = read_series(series(path), SCHEME)
    assert samples["sample_id"].tolist()[:2] == ["000", "001"]
    assert float(cube["red"].max()) == pytest.approx(0.05)
    path = long_table(tmp_path / "t.csv", [500.0] * 197 + [-2500] * 3)
    with pytest.raises(InputError, match=r"'B04': 3 of 200 values.*-2500: state it as `missing_value`"):
        read_series(series(path), SCHEME)
    assert np.isnan(read_series(series(path, missing_value=-2500), SCHEME)[0]["red"].values).sum() == 3


@pytest.mark.parametrize(("value", "words"), [(0.3, "no reflectance is above 0.001"), (65535, "65535")])
def test_series_of_a_wrong_scale_are_refused(tmp_path: Path, value: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_series(series(long_table(tmp_path / "t.csv", [value] * 50)), SCHEME)


def test_series_of_two_offsets_keep_the_days_as_written(tmp_path: Path) -> None:
    days = ("2024-12-31T20:00:00-05:00", "2024-12-30T20:00:00-04:00")
    text = "id,day,class,lon,lat,B04\n" + "".join(f"a,{day},coca,-69,-14,500\n" for day in days)
    cube, _ = read_series(series(write(tmp_path / "t.csv", text)), SCHEME)
    assert cube["time"].values.astype("datetime64[D]").astype(str).tolist() == ["2024-12-30", "2024-12-31"]


def test_official_ids_without_their_leading_zeros_are_refused() -> None:
    with pytest.raises(InputError, match="'080101' for '80101'"):
        _check_unmatched({"80101", "80102"}, pd.DataFrame({"region_id": ["080101"]}), 1)


def test_official_figures_of_other_places_are_recorded() -> None:
    with recorded() as notes:
        _check_unmatched({"80101"}, pd.DataFrame({"region_id": ["XX", "XX"]}), 8)
    assert notes == [Note("official_unmatched", n=2, of=8, share=0.25, which=["XX"])]


def workbook(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_two_columns_of_one_name_are_refused_in_excel_and_geojson(tmp_path: Path) -> None:
    """GDAL takes the last of them in silence: pasture, where the first says coca."""
    book = workbook(
        tmp_path / "r.xlsx", ["id", "lon", "lat", "class", "class "], ["r1", -69.0, -14.5, "coca", "pasture"]
    )
    text = (
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"id": "r1", "class": '
        '"coca", "class": "pasture"}, "geometry": {"type": "Point", "coordinates": [-69.0, -14.5]}}]}'
    )
    for path in (book, write(tmp_path / "r.geojson", text)):
        with pytest.raises(InputError, match="several columns have the same name"):
            read_rows(path)


def test_a_sheet_is_read_as_text_with_the_rows_that_excel_counts(tmp_path: Path) -> None:
    day = datetime(2024, 2, 1, 23, 30, tzinfo=None)  # noqa: DTZ001 - a cell of Excel has no zone
    book = workbook(
        tmp_path / "r.xlsx", ["id", "day", "lon"], ["007", day, -69.12345678901], [], [8, "2024-02-02", 1e-9]
    )
    rows = read_rows(book)
    assert rows.index.tolist() == [2, 4]
    assert rows["id"].tolist() == ["007", "8"]
    assert [text[:10] for text in rows["day"]] == ["2024/02/01", "2024-02-02"]
    assert rows["lon"].astype(float).tolist() == [-69.12345678901, 1e-9]
    texts = workbook(tmp_path / "t.xlsx", ["id", "class"], ["r1", "coca"])
    assert read_rows(texts)["class"].tolist() == ["coca"], "a sheet of texts alone has a header too"


def test_cells_beside_the_header_are_refused_by_row(tmp_path: Path) -> None:
    book = workbook(tmp_path / "r.xlsx", ["id", "class"], ["r1", "coca"], ["r2", "coca", "x"])
    with pytest.raises(InputError, match=r"(?s)columns without a header.*row 3"):
        read_rows(book)


def test_labels_of_the_second_layer_are_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "l.gpkg"
    for layer in ("one", "two"):
        gpd.GeoDataFrame({"id": [layer]}, geometry=[shapely.Point(-69, -14)], crs=4326).to_file(
            path, layer=layer
        )
    with pytest.raises(InputError, match=r"(?s)one layer.*'one', 'two'"):
        read_vector(path)
    assert read_vector(path, "two")["id"].tolist() == ["two"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["01/02/2024", "25/12/2024"], ["2024-02-01", "2024-12-25"]),
        (["01/02/2024", "12/25/2024"], ["2024-01-02", "2024-12-25"]),
        (["01-02-2024 08:00", "25.12.2024"], ["2024-02-01", "2024-12-25"]),
        (["01/02/2024", "2024-12-25"], ["NaT", "2024-12-25"]),
        (["25/12/2024", "12/25/2024", "01/02/2024"], ["NaT", "NaT", "NaT"]),
        (["2024/12/05", "2024-1-2", "20241205"], ["2024-12-05", "2024-01-02", "2024-12-05"]),
        (["2024-06-31", "2024", "2024-12", "45323", "31/04/2024"], ["NaT"] * 5),
    ],
    ids=["day first", "month first", "other signs", "not proven", "both ways", "year first", "no days"],
)
def test_the_order_of_day_and_month_is_proven_by_the_column(written: list[str], read: list[str]) -> None:
    found = local_times(pd.Series(written)).dt.normalize()
    np.testing.assert_array_equal(found.to_numpy(), np.array(read, "datetime64[ns]"))


def test_a_record_whose_day_may_be_another_month_is_refused(tmp_path: Path) -> None:
    """1 February or 2 January: with two periods it would count in one or the other."""
    path = write(tmp_path / "r.csv", "id,day,class,lon,lat\nr1,01/02/2024,coca,-69,-14.5\n")
    with pytest.raises(InputError, match=r"(?s)'day' is not a date.*above 12.*row 2"):
        read_records(records(path, lon="lon", lat="lat"), SCHEME)
    write(path, path.read_text() + "r2,13/02/2024,coca,-69,-14.5\n")
    days = read_records(records(path, lon="lon", lat="lat"), SCHEME)["observed_on"]
    assert days.dt.strftime("%Y-%m-%d").tolist() == ["2024-02-01", "2024-02-13"]


def _stating(cover: object) -> ClassScheme:
    return ClassScheme.model_validate(SCHEME.model_dump() | {"definition": {"minimum_cover": cover}})


def test_a_record_of_the_target_below_the_minimum_cover_of_the_scheme_is_refused(tmp_path: Path) -> None:
    text = "id,day,class,cover,lon,lat\n" + "".join(
        f"r{i},2024-02-01,{key},{cover},-69,-14.5\n"
        for i, (key, cover) in enumerate(
            [("coca", 50), ("coca", 49.9), ("other", 20), ("coca", ""), ("coca", 5)]
        )
    )
    settings = records(write(tmp_path / "r.csv", text), lon="lon", lat="lat", cover="cover")
    with pytest.raises(InputError, match=r"'coca' with a 'cover' below the 50 % .*: row 3, 6\n"):
        read_records(settings, _stating("at least 50 %"))
    assert len(read_records(settings, _stating(5))) == 5
    assert len(read_records(settings, SCHEME)) == 5, "a scheme without it states nothing"


@pytest.mark.parametrize("cover", ["half", "30 to 50 %", "0.5", 0, 101])
def test_a_minimum_cover_is_one_number_of_per_cent(cover: object) -> None:
    with pytest.raises(ValueError, match="minimum_cover"):
        _stating(cover)


def test_a_time_beyond_the_calendar_of_pandas_is_no_time() -> None:
    found = local_times(pd.Series(["0001-01-01", "9999-12-31", "31/12/9999", "2024-01-01"]))
    assert found.isna().tolist() == [True, True, True, False]


@pytest.mark.parametrize("corner", ["1e308", "Infinity", "181"])
def test_a_region_with_a_corner_off_the_earth_is_refused_by_id(tmp_path: Path, corner: str) -> None:
    """Also of a ring that crosses itself, whose area before the repair is measured first."""
    rings = f"[[[-72,-12],[{corner},-11],[-71,-12],[-72,-11],[-72,-12]]]"
    text = (
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"A"},'
        f'"geometry":{{"type":"Polygon","coordinates":{rings}}}}}]}}'
    )
    source = {"path": write(tmp_path / "r.geojson", text), "id": "id", "name": "id", "country_code": "PE"}
    with pytest.raises(
        InputError, match=r"not on the Earth in 'WGS 84': region 'A'|cannot be read as a vector"
    ):
        read_regions(RegionSettings(sources=[source], sliver_m=0))


def test_a_label_with_one_corner_far_away_is_refused_by_row(tmp_path: Path) -> None:
    """A corner at longitude 0 made a raster of 2.5 TiB."""
    shape = shapely.Polygon([(-72, -12), (0, -12.001), (-72, -12.001)])
    gpd.GeoDataFrame({"class": ["coca"]}, geometry=[shape], crs=4326).to_file(tmp_path / "l.gpkg")
    settings = PolygonSamples(
        kind="polygons",
        path=tmp_path / "l.gpkg",
        label_column="class",
        edge_pixels="drop",
        source="t",
        licence="t",
    )
    with pytest.raises(InputError, match=r"rows that span more than 0.5 degrees \(a wrong corner\?\): 0"):
        read_samples(settings, SCHEME)


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["1.114", "950"], None),  # 1,114 or 1 ha and 1,140 m2
        (["1.114.300"], None),
        (["12.500", "103.250"], None),
        (["1.1140", "2.114"], [1.114, 2.114]),
        (["0.114", "2.114"], [0.114, 2.114]),
        (["1.114", "14300"], [1.114, 14300]),
        (["1114.500"], [1114.5]),
        (["1114", "950"], [1114, 950]),
    ],
)
@pytest.mark.parametrize("text", [None, ("region_id",)])
def test_a_point_that_may_stand_between_thousands_is_proven_or_refused(
    tmp_path: Path, cells: list[str], read: list[float] | None, text: tuple[str, ...] | None
) -> None:
    path = tmp_path / "official.csv"
    path.write_text("region_id,coca_ha\n" + "".join(f"R{i},{c}\n" for i, c in enumerate(cells)))
    if read is None:
        with pytest.raises(InputError, match=r"(?s)official.csv: points .* thousands.*'coca_ha': '1"):
            read_csv_table(path, text)
    else:
        assert read_csv_table(path, text)["coca_ha"].astype(float).tolist() == read


def test_a_spreadsheet_of_thousands_is_refused_and_coordinates_are_no_areas(tmp_path: Path) -> None:
    table = pd.DataFrame({"stratum": ["a", "b"], "area_ha": ["1.114", "2.300"]})
    table.to_excel(tmp_path / "strata.xlsx", index=False)
    with pytest.raises(InputError, match="points that may stand between thousands"):
        read_vector(tmp_path / "strata.xlsx")
    path = tmp_path / "records.csv"
    path.write_text("lon,lat\n69.125,14.250\n")
    assert read_csv_table(path, ())["lon"].tolist() == [69.125]


def test_an_integer_beyond_64_bits_is_a_float(tmp_path: Path) -> None:
    path = tmp_path / "official.csv"
    path.write_text(f"region_id,coca_ha,parcels\na,40,{2**70}\nb,{'9' * 400},3\n", encoding="utf-8")
    table = read_csv_table(path, ("region_id",))
    assert table["coca_ha"].tolist() == [40.0, np.inf]
    assert table["parcels"].tolist() == [float(2**70), 3.0]
