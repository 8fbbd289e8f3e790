from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from cocal.classify.settings import SeriesSamples
from cocal.classify.training.series import read_series
from cocal.errors import InputError
from cocal.grid import project
from cocal.scheme import ClassScheme


def rule(path: Path, **changes: object) -> SeriesSamples:
    values: dict[str, object] = {
        "kind": "series", "path": path, "label_column": "class", "source": "t", "licence": "t",
        "id_column": "id",
        "date_column": "day", "longitude_column": "lon", "latitude_column": "lat",
        "bands": {"red": "B04", "nir": "B08"}, "scale": 0.0001, "missing_value": -9999,
    }  # fmt: skip
    return SeriesSamples.model_validate(values | changes)


TABLE = pd.DataFrame(
    {
        "id": [7, 7, 9],
        "day": ["2020-02-01", "2020-01-01", "2020-02-01"],
        "B04": [400, -9999, 500],
        "B08": [3000, 2000, None],
        "class": ["coca", "coca", "forest"],
        "lon": [-69.0, -69.0, -72.1],
        "lat": [-15.0, -15.0, -15.0],
    }
)


def test_a_long_table_becomes_a_cube_of_reflectance_with_missing_as_nan(
    tmp_path: Path, scheme: ClassScheme
) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    cube, labels = read_series(rule(tmp_path / "t.csv"), scheme)
    assert cube["red"].dims == ("time", "sample")
    assert cube["red"].dtype == np.float32
    assert (
        cube["time"].values.tolist()
        == pd.to_datetime(["2020-01-01", "2020-02-01"]).as_unit("ns").astype("int64").tolist()
    )
    assert cube["sample"].values.tolist() == ["7", "9"]
    # rows: January, February; columns: samples 7, 9. Sample 9 has no January; -9999 and empty are missing
    expected_red = np.array([[np.nan, np.nan], [0.04, 0.05]], dtype=np.float32)
    expected_nir = np.array([[0.2, np.nan], [0.3, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(cube["red"].values, expected_red)
    np.testing.assert_array_equal(cube["nir"].values, expected_nir)
    assert labels["sample_id"].tolist() == ["7", "9"]
    assert labels["label"].tolist() == ["coca", "forest"]
    assert labels["epsg"].tolist() == [32719, 32718]


def test_places_lie_on_the_grid_of_their_zone(tmp_path: Path, scheme: ClassScheme) -> None:
    import shapely

    TABLE.to_parquet(tmp_path / "t.parquet")
    labels = read_series(rule(tmp_path / "t.parquet"), scheme)[1]
    # 69 W is the central meridian of zone 19: easting 500 km exactly
    assert labels["x"][0] == pytest.approx(500_000, abs=1e-6)
    back = project(shapely.Point(labels["x"][1], labels["y"][1]), 32718, 4326)
    assert (back.x, back.y) == pytest.approx((-72.1, -15.0), abs=1e-9)


def test_every_problem_of_a_table_is_told_at_once(tmp_path: Path, scheme: ClassScheme) -> None:
    bad = pd.DataFrame(
        {
            "id": ["a", "a", "b", "b"],
            "day": ["2020-01-01", "2020-01-01", "soon", "2020-03-01"],
            "B04": ["1", "2", "x", "4"],
            "B08": [1, 2, 3, 4],
            "class": ["coca", "coca", "coca", "maize"],
            "lon": [-69, -68, -69, -690],
            "lat": [-15, -15, -15, -15],
        }
    )
    bad.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_series(rule(tmp_path / "t.csv"), scheme)
    for words in (
        "labels without a class: maize", "1 cells of column 'B04' are not numbers",
        "1 rows have no readable date",
        "samples with two rows for one date: a", "samples with two labels: b",
        "samples with two places: a, b",
        "samples whose place is not in degrees, or exchanged longitude and latitude: b",
    ):  # fmt: skip
        assert words in str(caught.value)


def test_a_missing_column_names_those_that_there_are(tmp_path: Path, scheme: ClassScheme) -> None:
    TABLE.drop(columns="B08").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(
        InputError, match=r"no column 'B08' \(did you mean 'B04'\? there are id, day, B04, class, lon, lat\)"
    ):
        read_series(rule(tmp_path / "t.csv"), scheme)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path, scheme: ClassScheme) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR?")
    for name in ("t.parquet", "absent.csv"):
        with pytest.raises(InputError, match="cannot read the time series"):
            read_series(rule(tmp_path / name), scheme)


def test_bands_go_by_their_common_names() -> None:
    with pytest.raises(ValidationError, match="not band names: B04"):
        rule(Path("x"), bands={"B04": "B04"})
