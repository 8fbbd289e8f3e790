"""`small_area` beside the calibrated figures of `estimate_areas`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cocal.estimate import estimate_areas
from cocal.estimate.result import SMALL_AREA
from cocal.notes import Note

ASKED = {"estimator": "calibrated", "interval": "gamma", "confidence": 0.95, "by_region": True}
REGIONS = ("r1", "r2", "r3", "r4")


def tables(hits_outside: int = 0, crossed: bool = False) -> dict[str, pd.DataFrame]:
    """Two strata in four regions; coca is mapped on 10 % of `near` and on 0.1 % of `far`.

    Each region has 25 points in near, 5 of them on mapped ground with 4 hits, and 75 in far without; `r1` has
    no point at all in far. `hits_outside` of the first points in far are coca that the map does not show.
    """
    points, known = [], []
    for region in REGIONS:
        for stratum, mapped, n, hits in (
            ("near", "coca", 5, 4),
            ("near", "other", 20, 0),
            ("far", "other", 75, 0),
        ):
            n = 0 if (stratum, region) == ("far", "r1") else n
            points += [(stratum, region, mapped, "coca" if i < hits else "other") for i in range(n)]
        known += [("near", region, "coca", 10.0), ("near", region, "other", 90.0)]
        known += [("far", region, "coca", 1.0), ("far", region, "other", 999.0)]
    sample = pd.DataFrame(points, columns=["stratum", "region", "map_class", "reference_class"])
    outside = sample.index[sample["stratum"] == "far"][:hits_outside]
    sample.loc[outside, "reference_class"] = "coca"
    ground = pd.DataFrame(known, columns=["stratum", "region", "map_class", "area_ha"])
    strata = ground.groupby(["stratum", "region"] if crossed else "stratum")["area_ha"].sum().reset_index()
    return {"sample": sample, "strata": strata, "known": ground}


def coca(found) -> pd.DataFrame:
    return found.regions[found.regions["class"] == "coca"].set_index("region")


def test_regions_with_few_hits_have_a_second_interval_which_adds_up_and_is_narrower() -> None:
    found = estimate_areas(**tables(), classes=None, rare=("coca",), **ASKED)
    rows = coca(found)
    assert rows["small_area_ha"].sum() == pytest.approx(rows["area_ha"].sum())
    width = rows["small_area_high_ha"] - rows["small_area_low_ha"]
    assert (width <= rows["ci_high_ha"] - rows["ci_low_ha"]).all()
    assert (width[1:] < 40).all()
    assert (rows["ci_high_ha"] - rows["ci_low_ha"] > 55).all()
    others = found.regions[found.regions["class"] == "other"]
    assert others[list(SMALL_AREA)].isna().all(axis=None)
    assert found.classes[list(SMALL_AREA)].isna().all(axis=None)
    assert Note("small_area_model", classes=["coca"]) in found.warnings


def test_a_region_with_too_few_points_for_an_interval_of_the_design_has_one_of_the_model() -> None:
    given = tables()
    sample = given["sample"]
    given["sample"] = sample[(sample["region"] != "r1") | (sample.groupby("region").cumcount() < 8)]
    row = coca(estimate_areas(**given, classes=None, rare=("coca",), **ASKED)).loc["r1"]
    assert np.isnan(row["ci_high_ha"])
    assert 0 < row["small_area_high_ha"] < 110


def test_hits_where_the_map_shows_nothing_take_it_away_and_are_said() -> None:
    """P(Bin(225, 0.001) >= 2) = 0.0217 < 0.05; one hit, 0.20, says nothing."""
    one, two = (
        estimate_areas(**tables(hits), classes=None, rare=("coca",), **ASKED) for hits in (1, 2)
    )  # fmt: skip
    assert coca(one)["small_area_ha"].notna().all()
    assert coca(two)[list(SMALL_AREA)].isna().all(axis=None)
    spoken = Note("map_misses_more", target="coca", strata=["far"])
    assert spoken not in one.warnings
    assert spoken in two.warnings
    assert coca(two)["ci_high_ha"].notna().all()


def test_strata_crossed_with_regions_share_their_rates_by_name() -> None:
    """No region stands alone: with r1's own stratum empty of hits it still borrows from the others."""
    given = tables(crossed=True)
    empty = given["sample"]
    far_r1 = pd.DataFrame(
        {"stratum": "far", "region": "r1", "map_class": "other", "reference_class": "other"}, index=range(75)
    )
    given["sample"] = pd.concat([empty, far_r1], ignore_index=True)
    plain = {**tables(), "sample": given["sample"]}
    crossed, simple = (
        coca(estimate_areas(**t, classes=None, rare=("coca",), **ASKED)) for t in (given, plain)
    )
    np.testing.assert_allclose(crossed["small_area_ha"], simple["small_area_ha"], rtol=1e-9)
    np.testing.assert_allclose(crossed["small_area_high_ha"], simple["small_area_high_ha"], rtol=0.05)


def test_unobserved_ground_takes_no_part() -> None:
    """The same ground with a further 100 ha per region that the map does not show, and points there."""
    given = tables()
    dark = pd.DataFrame([("far", r, "unobserved", 100.0) for r in REGIONS], columns=given["known"].columns)
    lost = pd.DataFrame(
        [("far", r, "unobserved", "unobserved") for r in REGIONS for _ in range(6)],
        columns=given["sample"].columns,
    )
    wider = {
        "sample": pd.concat([given["sample"], lost], ignore_index=True),
        "known": pd.concat([given["known"], dark], ignore_index=True),
        "strata": given["strata"].assign(area_ha=lambda t: t["area_ha"] + 400 * (t["stratum"] == "far")),
    }
    first, second = (coca(estimate_areas(**t, classes=None, rare=("coca",), **ASKED)) for t in (given, wider))
    np.testing.assert_allclose(second["small_area_low_ha"], first["small_area_low_ha"], rtol=0.05)
    assert (second["small_area_high_ha"] <= 1_100).all()
