"""public/ is read back before it is committed: what breaks the disclosure rule is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cocal.errors import ContractError
from cocal.run.results.audit import audit
from cocal.run.results.public_tables import COLUMNS, COLUMNS_OF_REGIONS, Places

FEW = "not shown: fewer than 3 plots, or none"
REGIONS = {"N": "PE", "S": "PE", "W": "BO"}


def places() -> Places:
    """Squares of 5 and 2 ha in N and 3 ha in S; the others, and all of W, are not shown."""
    squares = pd.DataFrame(
        {
            "cell_id": list("abcdefgh"), "period": "2024", "region_id": list("NNNNSSSW"), "zone": "",
            "mapped_ha": [5.0, 2.0, np.nan, np.nan, 3.0, np.nan, np.nan, np.nan],
        }
    )  # fmt: skip
    return Places(squares, REGIONS, {}, {}, 3)


def written(folder: Path, **changed: object) -> Path:
    """The tables of public/ of these places, by the rule but for the cells `changed`: name_row=value."""
    squares = places().squares.drop(columns="zone")
    squares = squares.assign(notes=[FEW if np.isnan(ha) else "" for ha in squares["mapped_ha"]])
    hectares = pd.DataFrame([("N", 7.0), ("S", 3.0), ("W", np.nan)], columns=["region_id", "shown_ha"])
    rows = [("PE", 10.0), ("BO", np.nan), ("total", 10.0)]
    countries = pd.DataFrame(rows, columns=["country", "shown_ha"])
    tables = {"density": squares, "hectares": hectares, "countries": countries}
    tables |= {name: tables[name].assign(period="2024") for name in ("hectares", "countries")}
    for key, value in changed.items():
        table, column, row = key.split("__")
        tables[table].loc[int(row), column] = value
    for name, table in tables.items():
        table.reindex(columns=COLUMNS.get(name, table.columns)).to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_tables_by_the_rule_pass_and_stay_as_they_are(tmp_path: Path) -> None:
    folder = written(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    audit(folder, places())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"hectares__shown_ha__0": 7.25}, "hectares.csv has 7.25 ha where the published places sum to 7"),
        ({"hectares__shown_ha__2": 0.0}, "hectares.csv has 0.0 ha where the published places sum to nan"),
        ({"countries__shown_ha__0": 11.0}, "countries.csv has 11.0 ha"),
        ({"density__mapped_ha__1": 2.5}, "density.csv holds parts of hectares"),
        ({"density__mapped_ha__2": 1.0}, "density.csv holds other squares"),
        ({"density__notes__5": "withheld"}, "density.csv has different notes for squares that are not shown"),
        ({"density__mapped_ha__2": 4.0, "hectares__shown_ha__0": 11.0}, "density.csv holds other squares"),
    ],
)  # fmt: skip
def test_what_breaks_the_rule_is_refused(tmp_path: Path, changed: dict[str, object], found: str) -> None:
    with pytest.raises(ContractError, match="would break the disclosure rule") as caught:
        audit(written(tmp_path, **changed), places())
    assert found in caught.value.found


def test_no_estimate_stands_beside_squares(tmp_path: Path) -> None:
    path = written(tmp_path) / "countries.csv"
    pd.read_csv(path).assign(estimated_ha=[90.0, np.nan, 100.0]).to_csv(path, index=False)
    with pytest.raises(ContractError) as caught:
        audit(tmp_path, places())
    assert caught.value.found == "countries.csv has a column 'estimated_ha'"


def of_regions(folder: Path, **changed: object) -> Places:
    """N and S of 7 and 3 ha are shown, W is not; written are their tables but for the cells `changed`."""
    rows = [
        ("region", "N", "PE", 90.4, 70.2, 110.8),
        ("region", "S", "PE", 20.5, 9.9, 31.0),
        ("country", "PE", "PE", 110.9, 90.1, 130.2),
        ("country", "total", "", 110.9, 90.1, 130.2),
    ]
    names = ["level", "region_id", "country", "estimated_ha", "ci_low_ha", "ci_high_ha"]
    shown = pd.DataFrame(rows, columns=names).assign(
        period="2024", standard_error_ha=10.0, n_reference=30, confidence=0.95, interval="gamma",
        estimator="stratified",
    )  # fmt: skip
    units = pd.DataFrame({"period": "2024", "region_id": list("NSW"), "mapped_ha": [7.0, 3.0, np.nan]})
    none = (np.nan,) * 3
    figures = ["shown_ha", "estimated_ha", "ci_low_ha", "ci_high_ha"]
    hectares = pd.DataFrame(
        [("N", 7.0, 90.0, 70.0, 111.0), ("S", 3.0, 20.0, 9.0, 31.0), ("W", np.nan, *none)],
        columns=["region_id", *figures],
    )
    countries = pd.DataFrame(
        [("PE", 10.0, 111.0, 90.0, 131.0), ("BO", np.nan, *none), ("total", 10.0, 111.0, 90.0, 131.0)],
        columns=["country", *figures],
    )
    tables = {"hectares": hectares.assign(period="2024"), "countries": countries.assign(period="2024")}
    for key, value in changed.items():
        table, column, row = key.split("__")
        tables[table].loc[int(row), column] = value
    for name, table in tables.items():
        table.reindex(columns=COLUMNS_OF_REGIONS[name]).to_csv(folder / f"{name}.csv", index=False)
    return Places(units, REGIONS, {}, {}, 3, shown)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, None),
        ({"hectares__shown_ha__0": 7.25}, "hectares.csv has 7.25 ha where the published places sum to 7"),
        ({"hectares__estimated_ha__2": 0.0}, "hectares.csv has another estimate in row 2"),
        ({"countries__estimated_ha__1": 5.0}, "countries.csv has another estimate in row 1"),
        # with W the whole would have 116 ha: less PE they would be those of W
        ({"countries__estimated_ha__2": 116.0}, "countries.csv has another estimate in row 2"),
        ({"hectares__ci_low_ha__0": 70.2}, "hectares.csv has another estimate in row 0"),
    ],
)
def test_by_region_every_figure_is_of_the_regions_shown(
    tmp_path: Path, changed: dict[str, object], found: str | None
) -> None:
    own = of_regions(tmp_path, **changed)
    if found is None:
        audit(tmp_path, own)
        return
    with pytest.raises(ContractError) as caught:
        audit(tmp_path, own)
    assert found in caught.value.found


def test_no_square_stands_beside_regions(tmp_path: Path) -> None:
    own = of_regions(tmp_path)
    pd.DataFrame({"cell_id": ["a"], "mapped_ha": [5.0]}).to_csv(tmp_path / "density.csv", index=False)
    with pytest.raises(ContractError, match=r"public/ has a table density\.csv"):
        audit(tmp_path, own)


def test_a_column_that_is_not_named_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path) / "hectares.csv"
    pd.read_csv(path).assign(mapped_ha=7.2).to_csv(path, index=False)
    with pytest.raises(ContractError, match=r"hectares\.csv has a column 'mapped_ha'"):
        audit(tmp_path, places())
