"""Faults of the same kinds in other tables and columns: names, markers, units and years that look right."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from cocal.classify.training.series import read_series
from cocal.config import GridSettings
from cocal.errors import InputError
from cocal.estimate.comparison import _official_table
from cocal.estimate.settings import ComparisonSettings
from cocal.fieldwork.design.form import survey_rows
from cocal.fieldwork.tables import read_rows
from cocal.notes.account import recorded
from cocal.run.results.comparison import _record_years
from cocal.run.tables import read_given_csv
from cocal.scheme import ClassScheme
from cocal.settings import Settings
from cocal.user_tables import clean_text
from tests.test_user_tables import POINTS, SCHEME, estimated, series, write

STRATA = "stratum,area_ha\na,100\nb,900\n"


@pytest.mark.parametrize("written", ["coca\u200b", "\ufeffcoca", "co\u2060ca", "coca\u00a0", "coca\n"])
def test_letters_that_nobody_sees_make_no_second_class(tmp_path: Path, written: str) -> None:
    points = [("a", "coca", f'"{written}"', 20), ("a", "coca", "coca", 30), *POINTS[1:]]
    # 100 ha x 50/60 + 900 ha x 2/60
    assert estimated(tmp_path, points, STRATA).loc["coca", "area_ha"] == pytest.approx(113.333, abs=1e-3)


@pytest.mark.parametrize("word", ["unobserved", "NA", "n/a", "Sin dato", "-", "No visitado"])
def test_points_without_an_answer_are_no_class_of_their_own(tmp_path: Path, word: str) -> None:
    """They would count as ground without coca: 10 of 60 lost points would lower 100 ha x 50/60 to 40/60."""
    points = [("a", "coca", word, 10), ("a", "coca", "coca", 40), *POINTS[1:]]
    with pytest.raises(InputError, match=rf"reference classes that name no class.*\n.*\n.*'{word}'"):
        estimated(tmp_path, points, STRATA)


def test_a_space_that_does_not_break_is_a_space() -> None:
    assert clean_text(" Alto\u00a0 \u2009Beni\u200d ") == "Alto Beni"


@pytest.mark.parametrize("column", ["map", "reference"])
def test_classes_that_differ_in_capitals_only_are_refused(tmp_path: Path, column: str) -> None:
    names = ("Coca", "coca") if column == "map" else ("coca", "Coca")
    with pytest.raises(InputError, match="'Coca' and 'coca'"):
        estimated(tmp_path, [("a", *names, 20), *POINTS], STRATA)


def test_a_nul_in_a_table_is_refused_by_row(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "record_id,class\nr1,coca\nr\x002,coca\n")
    with pytest.raises(InputError, match=r"NUL characters\n.*text\n.*row 3"):
        read_rows(path)


def long_table(path: Path, values: list[tuple[float, float]], place: str = "-69,-14") -> Path:
    rows = [f"{i:03d},2024-01-01,coca,{place},{red},{nir}\n" for i, (red, nir) in enumerate(values)]
    return write(path, "id,day,class,lon,lat,B04,B08\n" + "".join(rows))


BANDS = {"red": "B04", "nir": "B08"}


@pytest.mark.parametrize(
    ("odd", "words"),
    [((-9999, -9999), "'B04': 1 of 400.*-9999: state it as `missing_value`"),
     ((65535, 3500), "'B04': 1 of 400.*65535"), ((0, 0), "1 rows with 0 in every band")],
)  # fmt: skip
def test_one_marker_of_missing_data_is_enough(tmp_path: Path, odd: tuple[float, float], words: str) -> None:
    path = long_table(tmp_path / "t.csv", [(400, 3500)] * 399 + [odd])
    with pytest.raises(InputError, match=words):
        read_series(series(path, bands=BANDS), SCHEME)


def test_reflectance_in_per_cent_needs_its_scale(tmp_path: Path) -> None:
    path = long_table(tmp_path / "t.csv", [(12.0, 35.0)] * 10)
    with pytest.raises(InputError, match=r"no band has a reflectance above 0\.02; the highest is 0.0035"):
        read_series(series(path, bands=BANDS), SCHEME)
    assert float(read_series(series(path, bands=BANDS, scale=0.01), SCHEME)[0]["nir"].max()) == pytest.approx(
        0.35
    )


def test_series_with_exchanged_degrees_are_refused(tmp_path: Path) -> None:
    path = long_table(tmp_path / "t.csv", [(400, 3500)], place="-14.5,-69.0")
    with pytest.raises(InputError, match="exchanged longitude and latitude: 000"):
        read_series(series(path, bands=BANDS), SCHEME)


def test_a_year_or_id_that_a_spreadsheet_made_a_fraction_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "region_id,year,coca_ha,source\n80101.0,2024.0,50,x\n1.5,2024,0.0,x\n")
    table = read_given_csv(path, "comparison.official")
    assert table["year"].tolist() == ["2024", "2024"]
    assert table["region_id"].tolist() == ["80101", "1.5"]


def test_a_table_that_cannot_be_compared_is_named_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "region_id,year,coca_ha,source\nA,2024,n/d,x\n")
    with pytest.raises(InputError, match=r"the official table .*/o\.csv cannot be compared"):
        _official_table(read_given_csv(path, "comparison.official"))


def test_a_year_beside_a_period_of_another_year_is_refused() -> None:
    rows = pd.DataFrame({"region_id": ["PE-1", "PE-2"], "coca_ha": 3, "source": "office"})
    same = rows.assign(year=["2024", "2023"], period=["2024", "2023-dry"])
    assert len(_official_table(same)) == 2
    with pytest.raises(InputError, match="region PE-2 has the year 2023 and the period 2024"):
        _official_table(same.assign(period="2024"))


def test_the_form_asks_for_the_minimum_cover_of_the_target_only() -> None:
    scheme = ClassScheme.model_validate(SCHEME.model_dump() | {"definition": {"minimum_cover": "50 %"}})
    (rule,) = [row["constraint"] for row in survey_rows(scheme) if row["name"] == "cover"]
    assert rule == ".>=0 and .<=100 and (${class}!='coca' or .>=50)"


def test_official_figures_of_no_period_of_the_run_are_recorded() -> None:
    table = pd.DataFrame({"region_id": ["A", "B"], "period": "2024", "official_ha": [float("nan")] * 2})
    official = pd.DataFrame({"region_id": ["A", "B", "XX"], "year": ["2022", "2023", "2024"]})
    with recorded() as notes:
        _record_years(table, official)
        _record_years(table.assign(official_ha=[5.0, float("nan")]), official)
    assert [(n.code, n.values["n"], n.values["which"]) for n in notes] == [
        ("official_no_period", 2, ("2022", "2023"))
    ]


class _Numbers(Settings):
    bounds: tuple[float, float]
    by_name: dict[str, float] | None = None


@pytest.mark.parametrize("given", [{"bounds": [True, 2]}, {"bounds": [0, 1], "by_name": {"a": True}}])
def test_yes_is_no_number_in_a_list_or_mapping(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a number is needed, not yes or no"):
        _Numbers.model_validate(given)
    with pytest.raises(ValueError, match="a number is needed"):
        GridSettings.model_validate({"tile_px": True})


def test_texts_of_a_configuration_are_composed_and_paths_are_not() -> None:
    apart = unicodedata.normalize("NFD", "año")
    found = ComparisonSettings.model_validate(
        {"max_unobserved": 0.1, "agreement": 0.2, "same_definition": [apart], "official": f"{apart}.csv"}
    )
    assert found.same_definition == ("año",)
    assert str(found.official) == f"{apart}.csv"
