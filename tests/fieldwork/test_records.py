from __future__ import annotations

import logging
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cocal.contracts import RECORD_COLUMNS
from cocal.errors import InputError
from cocal.fieldwork import RecordColumns, RecordSettings, read_records, read_strata
from cocal.fieldwork.columns import Columns
from cocal.grid import transformer
from cocal.scheme import ClassScheme
from cocal.user_tables import DATE

SCHEME = ClassScheme(
    id="test",
    target="coca",
    definition={"unit": "pixel"},
    classes=[
        {"code": 1, "key": "coca", "name_es": "coca", "name_en": "coca", "colour": "#ff0000"},
        {"code": 2, "key": "forest", "name_es": "bosque", "name_en": "forest", "colour": "#00ff00"},
    ],
)
GOOD = """id,lon,lat,label,stratum,p,seen
r1,-68.51,-14.71,cocal,mapped coca,0.01,yes
r2,-68.52,-14.72,bosque,rest,0.001,sí
r3,-68.53,-14.73,,rest,0.001,no
"""
COLUMNS = {"record_id": "id", "lon": "lon", "lat": "lat", "class": "label"}
DESIGN = {"stratum": "stratum", "inclusion_probability": "p", "visited": "seen"}
NAMES = {"cocal": "coca", "hoja de coca": "coca", "bosque": "forest"}


def stated(path: Path, *, design: str = "probability", columns: dict | None = None, **more) -> RecordSettings:
    given_columns = columns or (COLUMNS | DESIGN if design == "probability" else COLUMNS)
    pixel = {"support": "pixel", "positional_error": "ignore"}
    return RecordSettings(
        path=path, columns=given_columns, design=design, **{"class_names": NAMES, "matching": pixel} | more
    )


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "records.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_csv_becomes_records_with_every_column_of_the_contract(tmp_path: Path) -> None:
    records = read_records(stated(csv(tmp_path, GOOD)), SCHEME)
    assert set(records.columns) == set(RECORD_COLUMNS)
    assert records.crs.to_epsg() == 4326
    assert records["record_id"].tolist() == ["r1", "r2", "r3"]
    assert records["class"].tolist()[:2] == ["coca", "forest"]
    assert records["class"].isna().tolist() == [False, False, True]
    assert records["visited"].tolist() == [True, True, False]
    assert records["inclusion_probability"].tolist() == [0.01, 0.001, 0.001]
    assert records.geometry.x.tolist() == [-68.51, -68.52, -68.53]
    assert records.geometry.y.tolist() == [-14.71, -14.72, -14.73]
    assert records.attrs["design"] == "probability"
    assert records.attrs["class_scheme"] == SCHEME.sha256


def test_records_survive_geoparquet(tmp_path: Path) -> None:
    records = read_records(stated(csv(tmp_path, GOOD)), SCHEME)
    records.to_parquet(tmp_path / "r.parquet")
    again = gpd.read_parquet(tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(records))
    assert again.attrs["design"] == "probability"


def test_metres_of_a_stated_zone_and_degrees_are_the_same_records(tmp_path: Path) -> None:
    x, y = transformer(4326, 32719).transform([-68.51, -68.52], [-14.71, -14.72])
    rows = "".join(f"r{i},{a!r},{b!r},cocal\n" for i, (a, b) in enumerate(zip(x, y, strict=True)))
    path = csv(tmp_path, "id,este,norte,label\n" + rows)
    columns = {"record_id": "id", "x": "este", "y": "norte", "class": "label"}
    records = read_records(stated(path, design="purposive", columns=columns, crs="EPSG:32719"), SCHEME)
    np.testing.assert_allclose(records.geometry.x, [-68.51, -68.52], rtol=0, atol=1e-9)
    np.testing.assert_allclose(records.geometry.y, [-14.71, -14.72], rtol=0, atol=1e-9)


def test_a_plot_of_twenty_kilometres_and_an_error_of_nine_are_refused_by_row(tmp_path: Path) -> None:
    """Each pixel in its bounds was compared: half a minute for a polygon with a corner elsewhere."""
    frame = gpd.GeoDataFrame(
        {"id": ["a", "b"], "label": ["cocal", "cocal"]},
        geometry=[shapely.box(-68.51, -14.71, -68.50, -14.70), shapely.box(-68.7, -14.71, -68.5, -14.70)],
        crs=4326,
    )
    frame.to_file(tmp_path / "r.gpkg")
    plots = {"support": "plot", "positional_error": "ignore", "majority": 0.5}
    columns = {"record_id": "id", "class": "label"}
    wide = stated(tmp_path / "r.gpkg", design="purposive", columns=columns, matching=plots)
    with pytest.raises(InputError, match=r"a plot wider than 0\.1 degrees, about 11 km: row 2"):
        read_records(wide, SCHEME)
    text = GOOD.replace("\n", ",5\n").replace(",5\n", ",error\n", 1).replace("sí,5", "sí,9000")
    columns = COLUMNS | DESIGN | {"positional_accuracy_m": "error"}
    with pytest.raises(InputError, match=r"'error' outside \[0, 5000\]: row 3"):
        read_records(stated(csv(tmp_path, text), columns=columns), SCHEME)


@pytest.mark.parametrize("file", ["r.gpkg", "r.geojson", "r.parquet"])
def test_points_of_a_vector_file_are_read_with_their_geometry(tmp_path: Path, file: str) -> None:
    frame = gpd.GeoDataFrame(
        {"id": [7, 8], "label": ["cocal", "bosque"], "day": ["2024-12-31T22:00:00-04:00", "2024-06-01"]},
        geometry=shapely.points([-68.5, -68.6], [-14.7, -14.8]),
        crs=4326,
    )
    path = tmp_path / file
    frame.to_parquet(path) if file.endswith("parquet") else frame.to_file(path)
    columns = {"record_id": "id", "class": "label", "observed_on": "day"}
    records = read_records(stated(path, design="purposive", columns=columns), SCHEME)
    assert records["record_id"].tolist() == ["7", "8"]
    assert records.geometry.x.tolist() == [-68.5, -68.6]
    assert records["visited"].all()
    assert records["inclusion_probability"].isna().all()


def test_the_day_of_a_record_is_the_local_day_that_was_written(tmp_path: Path) -> None:
    text = "id,lon,lat,label,day\na,-68,-14,cocal,2024-12-31T22:00:00-04:00\nb,-68,-14,cocal,2024-06-01\n"
    columns = COLUMNS | {"observed_on": "day"}
    records = read_records(stated(csv(tmp_path, text), design="purposive", columns=columns), SCHEME)
    # 22:00 in La Paz is already the next day in UTC
    assert [str(d.date()) for d in records["observed_on"]] == ["2024-12-31", "2024-06-01"]


def test_plain_parquet_is_a_table_too(tmp_path: Path) -> None:
    pd.DataFrame({"id": ["a"], "lon": [-68.5], "lat": [-14.5], "label": ["cocal"]}).to_parquet(
        tmp_path / "r.parquet"
    )
    records = read_records(stated(tmp_path / "r.parquet", design="purposive"), SCHEME)
    assert records.geometry.iloc[0] == shapely.Point(-68.5, -14.5)


BAD = """id,lon,lat,label,stratum,p,seen,day,acc
r1,-68.12345,-14.71,cocal,a,0.01,yes,2024-01-31,5
r1,-68.52,-14.72,papaya,a,0.01,yes,2024-01-31,5
r3,-468.98765,-14.73,cocal,,1.5,yes,01/02/2024,-2
,,-14.74,cocal,a,0,maybe,2024-01-31,far
r5,-68.55,-14.75,,a,,yes,2024-01-31,5
"""


def test_every_problem_is_told_at_once_with_the_row_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    columns = COLUMNS | DESIGN | {"observed_on": "day", "positional_accuracy_m": "acc"}
    with pytest.raises(InputError) as caught:
        read_records(stated(csv(tmp_path, BAD), columns=columns), SCHEME)
    lines = {line.strip() for line in str(caught.value).splitlines()}
    assert lines >= {
        "'id' used more than once ('r1'): row 2, 3",
        "no 'id': row 5",
        "classes that are not in `class_names` ('papaya'): row 3",
        "visited, but no 'label': row 6",
        "'p' outside (0, 1]: row 4, 5",
        "a probability sample, but no 'stratum': row 4",
        "a probability sample, but no 'p': row 6",
        "'seen' is neither yes nor no: row 5",
        f"'day' is not {DATE}: row 4",
        "'acc' outside [0, 5000]: row 4",
        "'acc' is not a number: row 5",
        "no position: row 5",
        "a position that is not on the Earth in 'WGS 84': row 4",
    }


def test_no_message_and_no_log_line_tells_a_position(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    columns = COLUMNS | DESIGN | {"observed_on": "day", "positional_accuracy_m": "acc"}
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError) as caught:
        read_records(stated(csv(tmp_path, BAD), columns=columns), SCHEME)
    with caplog.at_level(logging.DEBUG):
        read_records(stated(csv(tmp_path, GOOD)), SCHEME)
    assert caplog.records
    for digits in ("68.1", "468", "14.7", "98765", "68.5"):
        assert digits not in str(caught.value)
        assert digits not in caplog.text


def test_a_missing_column_is_told_with_the_columns_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'p', 'seen', 'stratum'; the columns are 'id', 'lon'"):
        read_records(stated(csv(tmp_path, "id,lon,lat,label\n1,-68,-14,cocal\n")), SCHEME)


def test_a_label_that_leads_to_a_class_of_another_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names 'maize'; the scheme's classes are coca, forest"):
        read_records(stated(csv(tmp_path, GOOD), class_names={"cocal": "maize"}), SCHEME)


def test_without_class_names_the_labels_are_the_class_keys(tmp_path: Path) -> None:
    text = GOOD.replace("cocal", "coca").replace("bosque", "forest")
    records = read_records(stated(csv(tmp_path, text), class_names=None), SCHEME)
    assert records["class"].tolist()[:2] == ["coca", "forest"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id;lon;lat;label\n1;2;3;a\n", "the columns are 'id;lon;lat;label'"),
        ("id,lon,lat,label\n1,-68,-14,almácigo\n".encode("latin-1"), "text in UTF-8"),
        (b"", "a CSV, Parquet or vector file"),
        (b"id,lon,lat,label\n", "no rows"),
    ],
)
def test_a_file_that_is_not_a_clean_csv_says_what_is_wrong(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_records(stated(path, design="purposive"), SCHEME)
    assert words in str(caught.value)


@pytest.mark.parametrize("file", ["absent.csv", "torn.gpkg", "torn.parquet"])
def test_a_missing_or_damaged_file_is_an_input_error(tmp_path: Path, file: str) -> None:
    if file.startswith("torn"):
        (tmp_path / file).write_bytes(b"not what the name says")
    with pytest.raises(InputError, match=file):
        read_records(stated(tmp_path / file, design="purposive"), SCHEME)


def test_polygons_and_tables_without_positions_are_refused(tmp_path: Path) -> None:
    square = gpd.GeoDataFrame({"id": [1], "label": ["cocal"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326)
    square.to_file(tmp_path / "p.gpkg")
    columns = {"record_id": "id", "class": "label"}
    with pytest.raises(InputError, match="not a point: row 1"):
        read_records(stated(tmp_path / "p.gpkg", design="purposive", columns=columns), SCHEME)
    with pytest.raises(InputError, match="no geometry in a stated CRS"):
        read_records(
            stated(csv(tmp_path, "id,label\n1,cocal\n"), design="purposive", columns=columns), SCHEME
        )


def test_a_design_that_contradicts_its_columns_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs the columns stratum and inclusion_probability"):
        stated(Path("r.csv"), columns=COLUMNS)
    with pytest.raises(ValidationError, match="purposive records have no"):
        stated(Path("r.csv"), design="purposive", columns=COLUMNS | DESIGN)
    with pytest.raises(ValidationError, match="`crs` goes with"):
        stated(Path("r.csv"), crs="EPSG:32719")


@pytest.mark.parametrize(
    "position", [{"lon": "a"}, {"x": "a", "lat": "b"}, dict.fromkeys(("lon", "lat", "x", "y"), "a")]
)
def test_a_position_is_one_whole_pair_of_columns(position: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="a position is"):
        RecordColumns(record_id="id", class_="label", **position)


@given(values=st.lists(st.floats(allow_nan=False) | st.none() | st.text(max_size=4), max_size=20))
@settings(max_examples=25, deadline=None)
def test_a_probability_is_read_as_it_stands_or_told_and_never_changed(values: list) -> None:
    rows = pd.DataFrame({"p": pd.array([None if v is None else str(v) for v in values], dtype="string")})
    read = Columns(rows)
    found = read.numbers("p", 0, 1, open_low=True)
    assert len(found) == len(values)
    for value, number in zip(values, found, strict=True):
        if isinstance(value, float) and 0 < value <= 1:
            assert number == value
        elif value is None:
            assert np.isnan(number)
    wrong = [v for v in values if isinstance(v, float) and not 0 < v <= 1]
    assert not wrong or read.problems


def test_strata_are_read_with_their_areas(tmp_path: Path) -> None:
    records = read_records(stated(csv(tmp_path, GOOD)), SCHEME)
    (tmp_path / "s.csv").write_text("stratum,area_ha\nmapped coca,480.5\nrest,900000\n")
    strata = read_strata(tmp_path / "s.csv", records)
    assert strata["stratum"].tolist() == ["mapped coca", "rest"]
    assert strata["area_ha"].tolist() == [480.5, 900000.0]
    assert strata["region_id"].isna().all()


def test_strata_that_do_not_fit_the_records_are_refused_with_all_problems(tmp_path: Path) -> None:
    records = read_records(stated(csv(tmp_path, GOOD)), SCHEME)
    (tmp_path / "s.csv").write_text("stratum,area_ha\nmapped coca,0\nbuffer,5\nbuffer,6\n,7\n")
    with pytest.raises(InputError) as caught:
        read_strata(tmp_path / "s.csv", records)
    lines = {line.strip() for line in str(caught.value).splitlines()}
    assert lines >= {
        "'area_ha' outside (0, inf]: row 2",
        "no 'stratum': row 5",
        "a stratum that occurs twice: row 3, 4",
        "records have strata that the table does not have: 'rest'",
    }
    (tmp_path / "s.csv").write_text("name,area_ha\na,1\n")
    with pytest.raises(InputError, match="no column 'stratum'; the columns are 'name', 'area_ha'"):
        read_strata(tmp_path / "s.csv", records)


def test_attributes_of_the_coca_are_read_as_they_stand(tmp_path: Path) -> None:
    text = "id,lon,lat,label,estado,sombra,edad\n"
    text += "a,-68.5,-14.7,cocal, En producción ,,3.5\nb,-68.6,-14.7,bosque,,,\n"
    own = COLUMNS | {"state": "estado", "shade": "sombra", "age": "edad"}
    records = read_records(stated(csv(tmp_path, text), design="purposive", columns=own), SCHEME)
    assert records["state"].tolist()[0] == "En producción"
    assert records["state"].isna().tolist() == [False, True]
    assert records[["shade", "mixture"]].isna().all(axis=None)
    assert records["age"].tolist()[0] == 3.5
    assert np.isnan(records["age"].tolist()[1])


def test_an_age_beyond_a_hundred_years_is_refused(tmp_path: Path) -> None:
    text = "id,lon,lat,label,edad\na,-68.5,-14.7,cocal,100\nb,-68.6,-14.7,cocal,2015\n"
    columns = COLUMNS | {"age": "edad"}
    given_file = stated(csv(tmp_path, text), design="purposive", columns=columns)
    with pytest.raises(InputError, match=r"'edad' outside \[0, 100\]: row 3"):
        read_records(given_file, SCHEME)
